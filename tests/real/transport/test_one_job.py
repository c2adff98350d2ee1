"""The one job of a junction against separate ones, and started from the density of another."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from silver_wires import SPACING
from tests.real.conftest import OPTIONS

from aiida_rewire.calculations.junction import JunctionCalculation
from aiida_rewire.calculations.readback import ReadbackCalculation

pytestmark = pytest.mark.real

KPOINTS = [(0.1, 0.2, 0.25), (0.3, 0.1, 0.75)]
ENERGIES = [0.0]
NUMERICS = {"ewind": 1.0, "epsproj": 1e-3, "nz1": 3}


@pytest.fixture(scope="module")
def one_job(codes: dict[str, orm.InstalledCode], wire_scf: dict[str, orm.RemoteData]) -> Callable[..., Any]:
    """Run a job with the inputs of the SCF of the stretched wire."""
    lead, scf = wire_scf["left_lead"], wire_scf["junction"].creator
    metadata = {"options": OPTIONS}
    readback, _ = run_get_node(
        ReadbackCalculation,
        code=codes["pp"],
        parent_folder=lead,
        thickness=orm.Float(SPACING),
        metadata=metadata,
    )
    points = orm.KpointsData()
    points.set_kpoints([[kx, ky, 0.0] for kx, ky, _ in KPOINTS], weights=[weight for _, _, weight in KPOINTS])

    def run(**changes: Any) -> orm.CalcJobNode:
        inputs = {
            "code": codes["pw"],
            "pp_code": codes["pp"],
            "pwcond_code": codes["pwcond"],
            "structure": scf.inputs.structure,
            "parameters": scf.inputs.parameters,
            "kpoints": scf.inputs.kpoints,
            "pseudos": dict(scf.inputs.pseudos),
            "left_lead": lead,
            "lead_readback": readback["results"],
            "pwcond": {"parameters": NUMERICS, "kpoints": points, "energies": ENERGIES},
            "potential_tolerance": 1.0,
            "metadata": metadata,
        }
        _, node = run_get_node(JunctionCalculation, **{**inputs, **changes})
        assert node.is_finished_ok, node.exit_message
        return node

    return run


def test_one_job_gives_what_separate_ones_do_and_a_density_to_start_from(
    one_job: Callable[..., orm.CalcJobNode],
    conduct: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]],
    wire_scf: dict[str, orm.RemoteData],
) -> None:
    separate, _ = conduct(wire_scf, KPOINTS, ENERGIES, parameters=NUMERICS)
    wanted = separate["transmission"].get_array("transmission")
    first = one_job(metadata={"options": {**OPTIONS, "shards": 2}})
    found = first.outputs.conductance
    assert 0.97 < wanted.min() < wanted.max() - 1e-4 < 0.99
    # the same programs on the same input
    assert found.transmission_k == pytest.approx(wanted, abs=1e-6)
    assert found.channels.tolist() == separate["transmission"].get_array("channels").tolist()
    results = first.outputs.results
    assert (results["pwcond_shards"], results["readback_difference"] < 1e-8) == (2, True)
    warm = one_job(density_folder=first.outputs.remote_folder)
    assert warm.outputs.results["scf_iterations"] < results["scf_iterations"] / 2
    assert warm.outputs.conductance.transmission_k == pytest.approx(wanted, abs=1e-3)
    assert np.isclose(warm.outputs.results["fermi_energy_ev"], results["fermi_energy_ev"], atol=1e-4)
