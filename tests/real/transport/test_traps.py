"""Each way to a wrong transmission without a word, set on purpose: a guard bites, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo import UpfData
from silver_wires import lead_wire, silver, stretched_wire, wire

from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.functions.transmission import merge_shards
from aiida_rewire.workflows.transmission import TransmissionWorkChain

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

K = [(0.1, 0.2, 1.0)]
Conduct = Callable[..., tuple[dict[str, Any], orm.WorkChainNode]]
Converge = Callable[..., orm.RemoteData]


@pytest.fixture(autouse=True)
def nothing_is_stored(aiida_profile: Any) -> Any:
    """No conductance is stored, whatever a test does."""
    before = orm.QueryBuilder().append(ConductanceData).count()
    yield
    assert orm.QueryBuilder().append(ConductanceData).count() == before


def refused(conduct: Conduct, folders: dict[str, orm.RemoteData], status: int = 220) -> str:
    """Return why nothing was submitted."""
    results, node = conduct(folders, K, [0.0])
    assert node.exit_status == status, node.exit_message
    assert node.called == []
    assert "transmission" not in results
    return str(node.exit_message)


def test_unequal_lateral_grids(converge: Converge, conduct: Conduct, wire_scf: dict[str, orm.RemoteData]) -> None:
    other = converge(stretched_wire(), (1, 1, 1), nr1=30, nr2=30, nr1s=30, nr2s=30)
    message = refused(conduct, {**wire_scf, "junction": other})
    assert "junction.fft_grid = 30 x 30" in message
    assert "27 x 27" in message


def test_unequal_cutoffs(converge: Converge, conduct: Conduct, wire_scf: dict[str, orm.RemoteData]) -> None:
    other = converge(stretched_wire(), (1, 1, 1), ecutwfc=14.0, ecutrho=60.0)
    assert "junction.wavefunction_cutoff" in refused(conduct, {**wire_scf, "junction": other})


def test_shuffled_atoms_of_the_boundary(converge: Converge, conduct: Conduct) -> None:
    # two wires in a cell: the atoms of a layer stand in another order in the junction
    cell, beside = np.diag([6.0, 3.0, 2.8]), [0.0, 3.0]
    lead = [[x, 0.0, 0.0] for x in beside]
    junction = [[x, 0.0, z] for z in (0.0, 2.8, 5.9) for x in reversed(beside)]
    cell[1, 1] = 6.0
    folders = {
        "left_lead": converge(silver(cell, np.array(lead)), (1, 1, 4)),
        "junction": converge(silver(cell * [[1], [1], [8.7 / 2.8]], np.array(junction)), (1, 1, 1)),
    }
    assert "order" in refused(conduct, folders)


def test_an_atom_moved_by_a_lattice_vector(converge: Converge, conduct: Conduct, wire_scf: Any) -> None:
    # the same crystal to everybody but pwcond.x, which prints T = 0.005 for 1 and T + R = 1
    moved = silver(np.diag([6.0, 6.0, 8.4]), np.array([[6.0, 0.0, 0.0], [6.0, 0.0, 2.8], [6.0, 0.0, 5.6]]))
    assert "junction.structure" in refused(conduct, {**wire_scf, "junction": converge(moved, (2, 2, 4))})


def test_files_that_are_gone(converge: Converge, conduct: Conduct, wire_scf: dict[str, orm.RemoteData]) -> None:
    junction = converge(wire([0.0, 2.8, 5.9], 8.7), (1, 1, 1))
    with junction.computer.get_transport() as transport:
        transport.remove(f"{junction.get_remote_path()}/out/aiida.save/charge-density.dat")
    assert "charge-density" in refused(conduct, {**wire_scf, "junction": junction}, status=319)


def test_paw(converge: Converge, conduct: Conduct, made_pseudo: Callable[[str], UpfData]) -> None:
    text = made_pseudo("Ag.frozen-d").get_content()
    named = text.replace('pseudo_type="NC"', 'pseudo_type="PAW"')
    assert named != text
    # pw.x goes by the flag is_paw, pwcond.x by nothing; the guard by the type that the file names
    paw = UpfData(BytesIO(named.encode()), filename="Ag.paw.UPF")
    lead = converge(lead_wire(), (1, 1, 4), pseudo=paw)
    assert "PAW for Ag" in refused(conduct, {"left_lead": lead, "junction": lead})


def test_a_cell_of_eight_digits(codes: dict[str, orm.InstalledCode], made_pseudo: Callable[[str], UpfData]) -> None:
    cell, positions = Fcc111(4.16, 2).lead()
    lead = silver(np.round(cell, 8), np.round(positions, 8))
    region = {
        "kpoints_mesh": [1, 1, 1],
        "parameters": {
            # enough plane waves that shells of equal length are parted by the digits
            "SYSTEM": {"ecutwfc": 15.0, "ecutrho": 240.0},
            "ELECTRONS": {"mixing_mode": "plain", "conv_thr": 1e-4},
        },
    }
    builder = TransmissionWorkChain.get_builder_from_protocol(
        codes,
        {"Ag": made_pseudo("Ag.frozen-d")},
        lead,
        lead,
        protocol="demo",
        overrides={"lead": region, "scf": region},
    )
    results, node = run_get_node(builder)
    assert node.exit_status == 330, node.exit_message
    assert "not read back as it was written" in node.exit_message
    assert "conductance" not in results
    (readback,) = [job for job in node.called if job.process_class is ReadbackCalculation]
    assert readback.outputs.results["readback_difference"] > 1e-2


def test_a_density_that_was_cut_off(
    codes: dict[str, orm.InstalledCode], converge: Converge, wire_scf: dict[str, orm.RemoteData]
) -> None:
    # pwcond.x reads what is there, and prints a T that passes unitarity
    junction = converge(wire([0.0, 2.8, 5.8], 8.6), (1, 1, 1))
    with junction.computer.get_transport() as transport:
        path = f"{junction.get_remote_path()}/out/aiida.save/charge-density.dat"
        transport.exec_command_wait(f"truncate -s 3000 {path}")
    builder = TransmissionWorkChain.get_builder()
    builder.left_lead_folder, builder.junction_folder = wire_scf["left_lead"], junction
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.1, 0.2, 0.0]], weights=[1.0])
    options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}
    builder.pwcond.pwcond = {
        "code": codes["pwcond"],
        "kpoints": kpoints,
        "parameters": {"ewind": 1.0, "epsproj": 1e-3, "nz1": 3},
        "metadata": {"options": options},
    }
    builder.readback = {"code": codes["pp"], "metadata": {"options": options}}
    results, node = run_get_node(builder)
    assert node.exit_status == 330
    assert "junction" in node.exit_message
    assert "conductance" not in results


def test_a_missing_shard(conduct: Conduct, wire_scf: dict[str, orm.RemoteData]) -> None:
    kpoints = [(0.0, 0.0, 0.5), (0.1, 0.2, 0.5)]
    _, node = conduct(wire_scf, kpoints, [0.0], max_shards=2)
    parts = {
        f"part_{number:04d}": job.outputs.transmission
        for number, job in enumerate(job for job in node.called if isinstance(job, orm.CalcJobNode))
    }
    assert len(parts) == 2
    origins = orm.Dict({name: {"spin": "", "numerics": {}} for name in [*parts, "part_0002"]})
    energies = orm.List([0.0])
    one = dict(list(parts.items())[:1])
    _, hole = merge_shards.run_get_node(energies, origins, **one)
    assert hole.exit_status == 340
    _, double = merge_shards.run_get_node(energies, origins, **parts, part_0002=parts["part_0000"])
    assert double.exit_status == 340
    merged, whole = merge_shards.run_get_node(energies, origins, **parts)
    assert whole.is_finished_ok
    assert np.isfinite(merged.get_array("transmission")).all()
