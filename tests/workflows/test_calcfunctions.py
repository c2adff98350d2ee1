"""The steps of the chain that are plain Python, each from node to node."""

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.trace import TraceData
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.tips import build_tips as build_tip_pair
from aiida_rewire.md.script import DUMP_FILE
from aiida_rewire.workflows.functions.results import collect_trace, snapshot_name
from aiida_rewire.workflows.functions.snapshots import extract_snapshots
from aiida_rewire.workflows.functions.structures import assemble_junction, build_lead, build_tips
from aiida_rewire.workflows.functions.transmission import store_conductance

TIPS = {"base_side": 3, "gap": 5.0}
JUNCTION = {"lattice_constant": 4.16, "supercell": 3, "lower_layers": 3, "upper_layers": 2}


@pytest.fixture(scope="module")
def tips(aiida_profile: Any) -> dict[str, Any]:
    """The tips of the recorded dump."""
    return build_tips(orm.Dict(TIPS))


@pytest.fixture(scope="module")
def retrieved(aiida_profile: Any, fixtures: Path) -> orm.FolderData:
    """The recorded dump as a run leaves it."""
    folder = orm.FolderData()
    dump = gzip.decompress((fixtures / "md" / "first-job.lammpstrj.gz").read_bytes())
    folder.base.repository.put_object_from_bytes(dump, DUMP_FILE)
    return folder.store()


def extract(
    retrieved: orm.FolderData, tips: dict[str, Any], interval_ps: float = 0.01, **conditions: Any
) -> tuple[Any, orm.ProcessNode]:
    values = {"steps": 10, "seed": 7, "timestep_fs": 1.0, "dump_interval": 10, "voltage_v": 2.0, **conditions}
    results = {"segments": [{"last_step": 10, "dump_file": DUMP_FILE}]}
    return extract_snapshots.run_get_node(
        tips["structure"], tips["geometry"], orm.Dict(values), orm.Float(interval_ps), orm.Dict(JUNCTION),
        orm.Dict(results), segment_0000=retrieved,
    )  # fmt: skip


@pytest.fixture(scope="module")
def snapshots(retrieved: orm.FolderData, tips: dict[str, Any]) -> orm.TrajectoryData:
    """Both frames."""
    return extract(retrieved, tips)[0]


def test_tips_become_a_structure_whose_kinds_are_their_regions(tips: dict[str, Any]) -> None:
    structure = tips["structure"]
    pair = build_tip_pair(**TIPS)
    assert [site.kind_name for site in structure.sites] == [str(region) for region in pair.regions]
    assert np.array([site.position for site in structure.sites]) == pytest.approx(pair.positions)
    assert structure.pbc == (False, False, False)
    assert {kind.symbol for kind in structure.kinds} == {"Ag"}
    assert [kind.mass for kind in structure.kinds] == pytest.approx([107.8682] * 4, abs=1e-3)
    assert tips["geometry"].get_dict() == {"lower_apex": 4.09, "upper_apex": 9.09}


def test_tips_come_with_their_provenance(tips: dict[str, Any]) -> None:
    creator = tips["structure"].creator
    assert creator.is_finished_ok
    assert creator.inputs.parameters.get_dict() == TIPS
    assert tips["geometry"].creator == creator


def test_a_lead_becomes_a_periodic_structure() -> None:
    lead = build_lead(orm.Dict(JUNCTION))
    cell, positions = Fcc111(4.16, 3).lead()
    assert np.array(lead.cell) == pytest.approx(cell, abs=1e-12)
    assert np.array([site.position for site in lead.sites]) == pytest.approx(positions, abs=1e-12)
    assert lead.pbc == (True, True, True)
    assert lead.get_formula() == "Ag27"


def test_snapshots_are_the_frames_with_their_descriptors(snapshots: orm.TrajectoryData) -> None:
    assert snapshots.numsteps == 2
    assert snapshots.get_array("steps").tolist() == [0, 10]
    assert snapshots.get_array("time_ps").tolist() == [0.0, 0.01]
    assert snapshots.get_array("positions").shape == (2, 28, 3)
    assert snapshots.symbols == ["Ag"] * 28
    # as built: one apex atom on each side, 5 Å apart
    assert snapshots.get_array("gap_left") == pytest.approx([5.0, 5.0], abs=0.2)
    assert snapshots.get_array("gap_left")[0] == pytest.approx(5.0, abs=1e-3)
    assert snapshots.get_array("bonds").tolist() == [0, 0]
    assert snapshots.get_array("atoms_in_gap").tolist() == [2, 2]
    assert snapshots.base.attributes.get("stages") == ["gap", "gap"]
    assert snapshots.get_array("charges")[:, :14].mean() > 0.01


def test_a_longer_interval_takes_fewer_frames(retrieved: orm.FolderData, tips: dict[str, Any]) -> None:
    snapshots, _ = extract(retrieved, tips, interval_ps=0.02)
    assert snapshots.get_array("steps").tolist() == [0]


def test_a_broken_last_frame_is_left_out_and_said(retrieved: orm.FolderData, tips: dict[str, Any]) -> None:
    dump = retrieved.base.repository.get_object_content(DUMP_FILE, mode="rb")
    second = dump.index(b"ITEM: TIMESTEP", 1)
    cut = orm.FolderData()
    cut.base.repository.put_object_from_bytes(dump[: second + 700], DUMP_FILE)
    snapshots, node = extract(cut.store(), tips)
    assert node.is_finished_ok
    assert snapshots.get_array("steps").tolist() == [0]
    (line,) = snapshots.base.attributes.get("left_out")
    assert "cut off" in line
    assert extract(retrieved, tips)[0].base.attributes.get("left_out") == []


def test_time_counts_in_time_steps(retrieved: orm.FolderData, tips: dict[str, Any]) -> None:
    snapshots, _ = extract(retrieved, tips, interval_ps=0.005, timestep_fs=0.5)
    assert snapshots.get_array("time_ps").tolist() == [0.0, 0.005]


def test_conditions_left_to_their_defaults_give_snapshots(retrieved: orm.FolderData, tips: dict[str, Any]) -> None:
    results = {"segments": [{"last_step": 10, "dump_file": DUMP_FILE}]}
    snapshots, node = extract_snapshots.run_get_node(
        tips["structure"], tips["geometry"], orm.Dict({"steps": 10, "seed": 7, "dump_interval": 10}), orm.Float(0.01),
        orm.Dict(JUNCTION), orm.Dict(results), segment_0000=retrieved,
    )  # fmt: skip
    assert node.is_finished_ok
    assert snapshots.numsteps == 2


def test_jobs_of_a_run_give_the_snapshots_of_the_run_in_one(fixtures: Path, tips: dict[str, Any]) -> None:
    def snapshots_of(*jobs: tuple[str, int]) -> orm.TrajectoryData:
        folders, parts = {}, []
        for number, (name, last_step) in enumerate(jobs):
            folder = orm.FolderData()
            folder.base.repository.put_object_from_file(str(fixtures / "md" / f"{name}.lammpstrj.gz"), "some.gz")
            folders[f"segment_{number:04d}"] = folder
            parts.append({"last_step": last_step, "dump_file": "some.gz"})
        ramp = {"steps": 40, "seed": 7, "dump_interval": 10, "voltage_v": [[0.0, 0.0], [0.04, 8.0]]}
        snapshots, node = extract_snapshots.run_get_node(
            tips["structure"], tips["geometry"], orm.Dict(ramp), orm.Float(0.02), orm.Dict(JUNCTION),
            orm.Dict({"segments": parts}), **folders,
        )  # fmt: skip
        assert node.is_finished_ok, node.exit_message
        return snapshots

    whole = snapshots_of(("two-blocks", 40))
    # the first job's dump goes on beyond its checkpoint
    for jobs in ([("first-job", 20), ("second-job", 40)], [("two-blocks", 20), ("second-job", 40)]):
        joined = snapshots_of(*jobs)
        for name in ("steps", "positions", "charges", "gap_left", "frame_time_ps", "frame_gap_left"):
            assert np.array_equal(joined.get_array(name), whole.get_array(name)), name
    assert whole.get_array("steps").tolist() == [0, 20, 40]
    assert whole.get_array("voltage_v") == pytest.approx([0.0, 4.0, 8.0])
    assert whole.get_array("frame_time_ps") == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])
    # never in contact, and too short to tell whether one lasts
    assert whole.base.attributes.get("first_contact_ps") is None
    assert whole.base.attributes.get("lasting_contact_ps") is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"ITEM: TIMESTEP\n0\n"])
def test_frames_that_cannot_be_read_end_with_an_exit_code(tips: dict[str, Any], content: bytes) -> None:
    folder = orm.FolderData()
    folder.base.repository.put_object_from_bytes(content, DUMP_FILE)
    _, node = extract(folder, tips)
    assert node.exit_status == 320
    assert node.exit_message


def test_a_snapshot_becomes_a_scattering_region(snapshots: orm.TrajectoryData, tips: dict[str, Any]) -> None:
    region = assemble_junction(snapshots, orm.Int(1), tips["geometry"], orm.Dict(JUNCTION))
    structure = region["structure"]
    assert len(structure.sites) == 5 * 9 + 2
    lead = build_lead(orm.Dict(JUNCTION))
    assert np.array(structure.cell)[:2] == pytest.approx(np.array(lead.cell)[:2], abs=0)
    assert [site.position for site in structure.sites[:27]] == [site.position for site in lead.sites]
    assembly = region["assembly"].get_dict()
    assert assembly["atoms_in_gap"] == 2
    assert assembly["gap_length"] == pytest.approx(5.0 + 2 * 4.16 / math.sqrt(3))
    # the apexes are the last atom of the lower tip and of the upper
    assert assembly["snapshot_atoms"] == [13, 27]


@pytest.mark.parametrize(
    ("moved", "exit_status", "words"),
    [
        # the upper apex 1 Å from the lower
        ([0.0, 0.0, 5.09], 210, "two atoms 1.00 Å apart"),
        # the upper apex a cell aside, less a bond
        ([3 * 4.16 / math.sqrt(2) - 3.0, 0.0, 4.09], 211, "take supercell 4 or larger"),
    ],
)
def test_a_snapshot_without_a_place_ends_with_an_exit_code(
    tips: dict[str, Any], moved: list[float], exit_status: int, words: str
) -> None:
    positions = np.array([site.position for site in tips["structure"].sites])
    positions[27] = moved
    snapshots = orm.TrajectoryData()
    snapshots.set_trajectory(symbols=["Ag"] * 28, positions=positions[None], pbc=(False, False, False))
    _, node = assemble_junction.run_get_node(snapshots, orm.Int(0), tips["geometry"], orm.Dict(JUNCTION))
    assert node.exit_status == exit_status
    assert words in node.exit_message


def transmission(value: float) -> orm.ArrayData:
    """What was merged of runs of pwcond.x for two k-points of weights 1/4 and 3/4."""
    arrays = orm.ArrayData()
    arrays.set_array("energies", np.array([0.1, 0.0]))
    arrays.set_array("kpoints", np.array([[0.1, 0.2], [0.3, 0.1]]))
    arrays.set_array("weights", np.array([0.25, 0.75]))
    arrays.set_array("transmission", np.array([[3.0, 3.0], [value, value / 3]]))
    arrays.set_array("channels", np.array([[3, 3], [3, 3]]))
    arrays.set_array("unitarity", np.array([[0.0, 0.0], [2e-5, 1e-5]]))
    arrays.set_array("numerics", np.array([[0, 0], [1, 0]]))
    arrays.base.attributes.set("ladder", [{}, {"ewind": 2.0}])
    return arrays


def read_back(lower: float, upper: float) -> orm.Dict:
    """What the read-back of an SCF stored, V - E_F in eV."""
    return orm.Dict({"readback_difference": 1e-10, "layer_potential_ev": [lower, upper]})


def conductance_of(snapshots: orm.TrajectoryData, labels: orm.Dict) -> ConductanceData:
    lead, junction = read_back(-7.68, -7.68), read_back(-7.66, -7.77)
    tips = snapshots.creator.inputs
    assembly = assemble_junction(snapshots, orm.Int(1), tips.geometry, orm.Dict(JUNCTION))["assembly"]
    return store_conductance(
        transmission(2.0), labels, lead, junction, snapshots=snapshots, index=orm.Int(1), assembly=assembly
    )


def test_a_conductance_knows_its_snapshot(snapshots: orm.TrajectoryData) -> None:
    labels = orm.Dict({"campaign": "c", "chain": "x", "voltage_v": 2.0, "seed": 7})
    node = conductance_of(snapshots, labels)
    assert isinstance(node, ConductanceData)
    assert node.is_stored
    assert node.conductance_g0 == pytest.approx(1.0)
    attributes = node.base.attributes
    for key, value in {**labels.get_dict(), "step": 10, "time_ps": 0.01, "stage": "gap", "min_cut": 0}.items():
        assert attributes.get(key) == value
    # two tips apart, an apex atom each, and the four atoms behind each apex that flat surfaces stand for
    found = {name: attributes.get(name) for name in ("clusters", "atoms_in_gap", "filament_atoms", "floating_atoms")}
    assert found == {"clusters": 2, "atoms_in_gap": 2, "filament_atoms": 2, "floating_atoms": 0}
    assert attributes.get("atoms_left_out") == 8
    assert attributes.get("bottleneck_coordination") is None
    assert attributes.get("fingerprint") == "fcc111-a4.1600-n3-l3-u2-g9.8036-m2"
    assert node.get_array("kpoints").tolist() == [[0.1, 0.2], [0.3, 0.1]]
    assert node.numerics is not None
    assert node.numerics.tolist() == [[0, 0], [1, 0]]
    assert attributes.get("ladder") == [{}, {"ewind": 2.0}]


def test_a_trace_is_in_the_order_of_time_with_the_missing_ones_and_why(snapshots: orm.TrajectoryData) -> None:
    labels = orm.Dict({"campaign": "c"})
    conductance = conductance_of(snapshots, labels)
    reasons = orm.Dict({"snapshot_0000": "pw.x <12> [410] not converged"})
    trace = collect_trace(snapshots, labels, reasons, snapshot_0001=conductance)
    assert isinstance(trace, TraceData)
    first, second = trace.rows()
    assert (first["time_ps"], second["time_ps"]) == (0.0, 0.01)
    assert math.isnan(first["conductance_g0"])
    assert first["missing"] == "pw.x <12> [410] not converged"
    assert first["conductance_uuid"] == ""
    assert second["conductance_g0"] == pytest.approx(1.0)
    assert second["unitarity"] == pytest.approx(2e-5)
    assert second["conductance_uuid"] == conductance.uuid
    assert second["missing"] == ""
    assert (first["bonds"], first["stage"]) == (0, "gap")
    assert trace.base.attributes.get("n_missing") == 1
    assert trace.base.attributes.get("campaign") == "c"


def test_a_trace_without_reason_still_says_that_something_is_missing(snapshots: orm.TrajectoryData) -> None:
    trace = collect_trace(snapshots, orm.Dict({}), orm.Dict({}))
    assert all(row["missing"] for row in trace.rows())
    assert trace.base.attributes.get("n_missing") == 2


def test_snapshots_are_named_in_their_order() -> None:
    names = [snapshot_name(index) for index in (0, 9, 10, 348)]
    assert names == ["snapshot_0000", "snapshot_0009", "snapshot_0010", "snapshot_0348"]
    assert sorted(names) == names
