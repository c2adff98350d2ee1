"""The ways to use pwcond.x beside a junction between two equal leads of its own SCF each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo import UpfData
from silver_wires import SPACING, lead_wire, wire

from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain
from aiida_rewire.workflows.transmission import TransmissionWorkChain

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

K = [(0.1, 0.2, 1.0)]
WIRE = {
    "lead": {"kpoints_mesh": [2, 2, 12], "parameters": {"SYSTEM": {"ecutwfc": 15.0, "ecutrho": 60.0}}},
    "scf": {"kpoints_mesh": [2, 2, 2], "parameters": {"SYSTEM": {"ecutwfc": 15.0, "ecutrho": 60.0}}},
}


def test_complex_bands_of_a_wire(
    conduct: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]], wire_scf: dict[str, orm.RemoteData]
) -> None:
    results, node = conduct({"left_lead": wire_scf["left_lead"]}, K, [1.0, 0.0, -3.0])
    assert node.is_finished_ok, node.exit_message
    bands = results["bands"]
    assert bands.get_array("channels").ravel().tolist() == [1, 1, 0]
    at_fermi = bands.get_array("wave_vectors")[bands.get_array("energy_index") == 1]
    real = at_fermi[np.abs(at_fermi.imag) < 1e-3]
    # the half-filled band of one electron an atom: k_F near a quarter of 2 pi over the spacing, both ways
    assert sorted(real.real) == pytest.approx([-0.25, 0.25], abs=0.02)
    assert len(at_fermi) > 10


def test_leads_and_junction_in_one_cell(
    conduct: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]], converge: Callable[..., orm.RemoteData]
) -> None:
    alat = 6.0
    boundaries = {"bdl": SPACING / alat, "bds": 3 * SPACING / alat}
    whole = converge(lead_wire(4), (2, 2, 3))
    results, node = conduct({"whole": whole}, K, [0.5, 0.0], boundaries=boundaries)
    assert node.is_finished_ok, node.exit_message
    # an unbroken wire, wherever it is cut
    assert results["transmission"].get_array("transmission").ravel() == pytest.approx(1.0, abs=1e-3)


def test_a_mesh_is_reduced_by_the_symmetry_of_the_wire(
    codes: dict[str, orm.InstalledCode], wire_scf: dict[str, orm.RemoteData]
) -> None:
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([3, 3, 1])
    builder = PwcondBaseWorkChain.get_builder()
    builder.pwcond = {
        "code": codes["pwcond"],
        "left_lead": wire_scf["left_lead"],
        "junction": wire_scf["left_lead"],
        "kpoints": kpoints,
        "parameters": {"ewind": 1.0, "nz1": 3},
        "metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}},
    }
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    # the nine points of a square mesh: the origin, four on the axes, four on the diagonals
    assert sorted(results["transmission"].get_array("weights")) == pytest.approx([1 / 9, 4 / 9, 4 / 9])
    assert results["transmission"].get_array("transmission") == pytest.approx(1.0, abs=1e-5)


def test_a_lead_is_computed_once(codes: dict[str, orm.InstalledCode], made_pseudo: Callable[[str], UpfData]) -> None:
    leads, conductances = [], []
    for gap in (3.3, 3.6):
        builder = TransmissionWorkChain.get_builder_from_protocol(
            codes,
            {"Ag": made_pseudo("Ag.frozen-d")},
            left_lead=lead_wire(2),
            junction=wire([0.0, 2.8, 5.6, 5.6 + gap, 8.4 + gap, 11.2 + gap], 14.0 + gap),
            protocol="demo",
            overrides=WIRE,
            labels={"gap": gap},
        )
        builder.clean_workdir = True
        results, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        labels = [link.link_label for link in node.base.links.get_outgoing(node_class=orm.WorkChainNode).all()]
        leads.append("scf_left_lead" in labels)
        conductances.append(results["conductance"])
        junction_scf = node.base.links.get_outgoing(link_label_filter="scf_junction").one().node
        assert junction_scf.outputs.remote_folder.is_cleaned
    assert leads == [True, False]
    # the wider gap lets less through
    first, second = (node.conductance_g0 for node in conductances)
    assert 0.05 < second < first < 1.0
    assert [node.base.attributes.get("gap") for node in conductances] == [3.3, 3.6]
