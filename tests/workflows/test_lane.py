"""What a lane hands to the job of a snapshot, and what it does as that job ends."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_pseudo.data.pseudo import UpfData
from contacts import DIMER, moved, snapshots_of
from lanes import LABELS, Lanes, Submissions, born, computed, ended, run

from aiida_rewire.calculations.junction import JunctionCalculation
from aiida_rewire.data.labels import labels_of_snapshot
from aiida_rewire.groups.campaign import CampaignGroup
from aiida_rewire.workflows.functions.structures import assemble_junction, assemble_junctions
from aiida_rewire.workflows.lane import LaneWorkChain, cores_of_machine, may_be_mended
from aiida_rewire.workflows.outcome import conductances_of, reasons_of
from aiida_rewire.workflows.pausing import PAUSED, is_paused
from aiida_rewire.workflows.pw import region_parameters
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain

NEIGHBOURS = 4.2 / np.sqrt(2)
TOO_CLOSE = np.array([[0.0, 0.0, 2.4], [0.3, 0.0, 3.2]])
"""0.85 Å apart."""

TOO_WIDE = np.array([[0.0, 0.0, 3.8], [NEIGHBOURS, 0.0, 3.8]])
"""Meets its image in a cell of two neighbours."""


@pytest.fixture(scope="module")
def two_widths(
    codes: Mapping[str, orm.InstalledCode], upf: Callable[..., UpfData], finished_pw: Callable[..., orm.RemoteData]
) -> Lanes:
    """Lanes with flat layers of two and of three atoms a side."""
    return Lanes(codes, upf, finished_pw, supercells=(2, 3))


def test_all_regions_of_a_lane_are_those_that_are_made_one_by_one(two_widths: Lanes) -> None:
    contacts, needed = [DIMER, TOO_CLOSE, TOO_WIDE, TOO_WIDE, moved(0.2)], [2, 2, 3, 0, 3]
    snapshots = snapshots_of(*contacts, supercells=needed).store()
    outputs, node = assemble_junctions.run_get_node(
        snapshots, orm.List([4, 0, 1, 2, 3]), two_widths.geometry, **two_widths.lattices
    )
    assert node.is_finished_ok
    refused = {}
    for index, supercell in enumerate([2, 2, 3, 2, 3]):
        lattice = two_widths.lattices[f"n{supercell}"]
        alone, one = assemble_junction.run_get_node(snapshots, orm.Int(index), two_widths.geometry, lattice)
        if one.exit_status:
            refused[f"{index:04d}"] = [one.exit_status, one.exit_message]
            continue
        together = outputs[f"structure_{index:04d}"]
        assert together.base.attributes.all == alone["structure"].base.attributes.all
        assembly = outputs[f"assembly_{index:04d}"].get_dict()
        # what its conductance is found by goes with it
        assert assembly.pop("labels") == labels_of_snapshot(snapshots, orm.Int(index), alone["assembly"])
        assert assembly == alone["assembly"].get_dict()
    assert outputs["refused"].get_dict() == refused
    assert {number: status for number, (status, _) in refused.items()} == {"0001": 210, "0003": 211}
    assert len(outputs) == 2 * 3 + 1


def test_only_the_snapshots_of_the_lane_are_made(lanes: Lanes) -> None:
    lane = lanes(DIMER, TOO_CLOSE, moved(0.2), indices=[2, 0])
    made = orm.load_node(lane.ctx.assembled).outputs
    assert sorted(made) == ["assembly_0000", "assembly_0002", "refused", "structure_0000", "structure_0002"]
    assert lane.ctx.refused == {}
    assert lane.index == 2


def test_a_lane_offers_nothing_that_it_does_not_heed() -> None:
    # leads are given; the scratch of a job is what a neighbour's warm start begins from
    assert not {"reuse_leads", "clean_workdir", "left_lead_folder", "index"} & set(LaneWorkChain.spec().inputs)
    assert {"reuse_contacts", "warm_start", "one_job"} < set(LaneWorkChain.spec().inputs)


def test_a_job_gets_what_the_lane_was_given(lanes: Lanes) -> None:
    options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 4}, "max_wallclock_seconds": 77}
    changes = {"scf": {"options": options}, "pwcond": {"max_shards": 3, "energies": [0.1, 0.0]}}
    lane = lanes(DIMER, moved(0.3), indices=[1], changes=changes)
    given = lane.job_inputs()
    process = instantiate_process(get_manager().get_runner(), JunctionCalculation, **given)
    inputs, shared = process.inputs, lane.inputs
    made = orm.load_node(lane.ctx.assembled).outputs
    assert (inputs.structure, inputs.assembly) == (made.structure_0001, made.assembly_0001)
    assert (inputs.code, inputs.pp_code, inputs.pwcond_code) == tuple(lanes.codes[x] for x in ("pw", "pp", "pwcond"))
    asked = region_parameters(shared.scf.pw.parameters.get_dict(), made.structure_0001, shared.scf.pw.pseudos)
    assert inputs.parameters.get_dict() == asked
    assert {"nr1", "nr2s", "nbnd"} < set(asked["SYSTEM"])
    assert inputs.kpoints.uuid == shared.scf.kpoints.uuid
    assert {kind: pseudo.md5 for kind, pseudo in inputs.pseudos.items()} == {"Ag": shared.scf.pw.pseudos.Ag.md5}
    assert inputs.left_lead.uuid == lanes.leads["n2"].uuid
    assert inputs.lead_readback.uuid == lanes.readbacks["n2"].uuid
    pwcond = shared.pwcond.pwcond
    for name in ("parameters", "kpoints", "energies", "unitarity_tolerance"):
        assert inputs.pwcond[name].uuid == pwcond[name].uuid
    assert inputs.potential_tolerance.value == shared.potential_tolerance.value
    assert inputs.snapshots.uuid == shared.snapshots.uuid
    assert inputs.labels.get_dict() == LABELS
    metadata = process.metadata
    assert (metadata.label, metadata.call_link_label) == ("study/2V-s1/snapshot_0001", "snapshot_0001")
    # the scheduler's options are those of the SCF, parser and files its own
    assert (metadata.options.max_wallclock_seconds, metadata.options.resources) == (77, options["resources"])
    assert (metadata.options.parser_name, metadata.options.shards) == ("rewire.junction", 3)
    assert "density_folder" not in inputs


def test_snapshots_share_the_nodes_that_are_the_same_for_all(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.1), changes={"scf": {"kpoints_mesh": None, "kpoints_distance": 1.0}})
    with lane._process_scope():
        first = lane.job_inputs()
        lane.ctx.position = 1
        second = lane.job_inputs()
    for name in ("parameters", "kpoints", "labels", "snapshots", "potential_tolerance"):
        assert first[name].uuid == second[name].uuid
    assert first.kpoints.get_kpoints_mesh()[0][2] < first.kpoints.get_kpoints_mesh()[0][0]
    assert first.structure.uuid != second.structure.uuid


def test_each_width_has_a_lead_of_its_own(two_widths: Lanes) -> None:
    lane = two_widths(DIMER, TOO_WIDE, supercells=[2, 3])
    for position, name in enumerate(["n2", "n3"]):
        lane.ctx.position = position
        given = lane.job_inputs()
        assert given.left_lead.uuid == two_widths.leads[name].uuid
        assert given.lead_readback.uuid == two_widths.readbacks[name].uuid
        side = np.linalg.norm(given.structure.cell[0])
        assert side == pytest.approx(int(name[1:]) * two_widths.lattices["n2"]["lattice_constant"] / np.sqrt(2))


def test_a_warm_start_is_from_the_snapshot_before_of_the_same_cell(two_widths: Lanes) -> None:
    lane = two_widths(DIMER, moved(0.3), TOO_WIDE, moved(0.1), supercells=[2, 2, 3, 3], warm_start=True)
    folders = {}

    def folder_of_job() -> str | None:
        given = lane.job_inputs()
        job = born(JunctionCalculation, **given)
        remote = orm.RemoteData(remote_path=f"/scratch/{job.uuid}", computer=job.computer)
        remote.base.links.add_incoming(job, LinkType.CREATE, "remote_folder")
        computed(job)
        folders[lane.index] = remote.store().uuid
        lane.ctx.snapshot = ended(job)
        lane.inspect_snapshot()
        return given.density_folder.uuid if "density_folder" in given else None

    assert [folder_of_job() for _ in range(4)] == [None, folders[0], None, folders[2]]


def test_without_a_warm_start_each_scf_begins_anew(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.3), warm_start=False)
    Submissions(lane)
    run(lane)
    lane.ctx.position = 1
    assert lane.ctx.before is not None
    assert "density_folder" not in lane.job_inputs()


@pytest.mark.parametrize(
    ("state", "exit_status", "mended"),
    [
        ("finished", 0, False),
        # of AiiDA and the scheduler: nothing retrieved, out of memory, out of wall time, node failure
        *[("finished", status, True) for status in (100, 110, 120, 140)],
        # what was wrong with the inputs is so in separate jobs as well
        *[("finished", status, False) for status in (200, 220, 303, 310, 319, 330, 331, 334, 335, 336, 399)],
        *[("finished", status, True) for status in (400, 410, 413, 420, 421, 422)],
        ("killed", None, False),
        ("excepted", None, True),
    ],
)
def test_which_jobs_may_be_mended(aiida_profile: Any, state: str, exit_status: int | None, mended: bool) -> None:
    assert may_be_mended(ended(orm.CalcJobNode(), exit_status, state)) is mended


def test_every_exit_code_of_a_job_is_one_that_ends_it_or_one_that_may_be_mended() -> None:
    statuses = {code.status: label for label, code in JunctionCalculation.exit_codes.items()}
    own = {label for status, label in statuses.items() if status >= 200}
    mended = {label for status, label in statuses.items() if status >= 400}
    assert mended == {
        "ERROR_INCOMPLETE", "ERROR_COMPLEX_BANDS", "ERROR_LATERAL_BASIS", "ERROR_GRAM_SCHMIDT",
        "ERROR_LINEAR_EQUATIONS", "ERROR_SCF_INCOMPLETE", "ERROR_SCF_NOT_CONVERGED", "ERROR_READBACK",
    }  # fmt: skip
    assert {"ERROR_GUARD", "ERROR_OUTPUT_MISSING", "ERROR_UNITARITY", "ERROR_SCRAMBLED_DENSITY"} <= own - mended


def test_a_lane_goes_through_its_snapshots_whatever_becomes_of_them(lanes: Lanes) -> None:
    contacts = [DIMER, moved(0.2), TOO_CLOSE, moved(0.4), moved(0.6), moved(0.8)]
    lane = lanes(*contacts)
    outcomes = {
        # mended by separate jobs
        "snapshot_0001": 420,
        # not even by those
        "snapshot_0003": 120,
        "snapshot_0003_steps": 310,
        # nothing to mend
        "snapshot_0004": 220,
        "snapshot_0005": "killed",
    }
    nodes = Submissions(lane, outcomes).nodes
    run(lane)
    assert list(nodes) == [
        "snapshot_0000", "snapshot_0001", "snapshot_0001_steps", "snapshot_0003", "snapshot_0003_steps",
        "snapshot_0004", "snapshot_0005",
    ]  # fmt: skip
    given = {label: node.process_class for label, node in nodes.items()}
    for label, process in given.items():
        assert process is (SnapshotConductanceWorkChain if label.endswith("_steps") else JunctionCalculation)
    # a snapshot keeps its name, however it is computed
    assert nodes["snapshot_0001_steps"].label == nodes["snapshot_0001"].label == "study/2V-s1/snapshot_0001"
    steps = nodes["snapshot_0001_steps"].inputs
    assert (steps.index.value, steps.left_lead_folder.uuid) == (1, lanes.leads["n2"].uuid)
    assert steps.lattice.uuid == lanes.lattices["n2"].uuid
    wanted = {
        "snapshot_0000": nodes["snapshot_0000"].outputs.conductance.uuid,
        "snapshot_0001": nodes["snapshot_0001_steps"].outputs.conductance.uuid,
    }
    assert {name: node.uuid for name, node in lane.outputs["conductances"].items()} == wanted
    # the chain above finds the same in the graph
    assert {name: node.uuid for name, node in conductances_of(lane.node).items()} == wanted
    reasons = reasons_of(lane.node)
    assert sorted(reasons) == ["snapshot_0002", "snapshot_0003", "snapshot_0004", "snapshot_0005"]
    assert reasons["snapshot_0002"].startswith("assemble_junctions [210] ")
    assert "SnapshotConductanceWorkChain" in reasons["snapshot_0003"]
    assert "[310] as wanted" in reasons["snapshot_0003"]
    assert "JunctionCalculation" in reasons["snapshot_0004"]
    assert "[220] as wanted" in reasons["snapshot_0004"]
    assert reasons["snapshot_0005"].endswith("was killed")


def test_a_lane_may_be_told_to_take_separate_jobs(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.2), one_job=False, labels={"chain": "x"})
    nodes = Submissions(lane).nodes
    run(lane)
    assert {label: node.process_class for label, node in nodes.items()} == {
        "snapshot_0000_steps": SnapshotConductanceWorkChain,
        "snapshot_0001_steps": SnapshotConductanceWorkChain,
    }
    assert nodes["snapshot_0001_steps"].label == "x/snapshot_0001"
    assert sorted(lane.outputs["conductances"]) == ["snapshot_0000", "snapshot_0001"]


def test_the_snapshots_of_a_lane_that_was_lost_are_missing_with_its_end_as_the_reason(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.2))
    Submissions(lane)
    with lane._process_scope():
        lane.ctx.update(lane.run_snapshot())
    ended(lane.node, None, "excepted")
    reasons = reasons_of(lane.node)
    assert list(reasons) == ["snapshot_0001"]
    assert reasons["snapshot_0001"].startswith("its lane ended early: LaneWorkChain")
    # what it had computed is not lost with it
    assert list(conductances_of(lane.node)) == ["snapshot_0000"]


@pytest.mark.parametrize(
    ("extras", "paused"),
    [
        ({}, False),
        ({"paused": True}, True),
        ({"paused": False, "paused_chains": ["2V-s1"]}, True),
        ({"paused": False, "paused_chains": ["8V-s1"]}, False),
    ],
)
def test_a_campaign_is_paused_whole_or_by_chains(aiida_profile: Any, extras: dict[str, Any], paused: bool) -> None:
    label = f"paused-{extras}"
    group = CampaignGroup(label=label).store()
    group.base.extras.set_many(extras)
    assert is_paused(label, "2V-s1") is paused
    assert not is_paused(f"no {label}", "2V-s1")


def test_a_lane_holds_before_its_next_snapshot_while_its_campaign_is_paused(lanes: Lanes) -> None:
    labels = {"campaign": "held", "chain": "2V-s1"}
    group = CampaignGroup(label="held").store()
    lane = lanes(DIMER, moved(0.2), labels=labels)
    assert not lane.paused
    Submissions(lane)
    group.base.extras.set("paused", True)
    with lane._process_scope():
        lane.ctx.update(lane.run_snapshot())
        lane.inspect_snapshot()
    assert lane.paused
    assert lane.node.process_status == PAUSED
    # nothing is held back once all are through
    lane.play()
    run(lane)
    assert not lane.paused
    assert sorted(lane.outputs["conductances"]) == ["snapshot_0000", "snapshot_0001"]
    # one that begins meanwhile holds before its first
    assert lanes(DIMER, labels=labels).paused


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        ({"num_machines": 1, "num_mpiprocs_per_machine": 8}, 8),
        ({"num_machines": 4, "num_mpiprocs_per_machine": 8}, 8),
        ({"num_machines": 2, "tot_num_mpiprocs": 32}, 16),
        ({"tot_num_mpiprocs": 6}, 6),
        ({"num_machines": 3, "tot_num_mpiprocs": 2}, 1),
        ({"num_machines": 2}, 1),
        ({}, 1),
    ],
)
def test_shards_run_side_by_side_on_the_cores_of_one_machine(resources: dict[str, int], cores: int) -> None:
    assert cores_of_machine({"resources": resources}) == cores


@pytest.mark.parametrize(("cores", "shards"), [(1, 1), (2, 2), (8, 4)])
def test_there_are_no_more_shards_than_cores_nor_than_wanted(lanes: Lanes, cores: int, shards: int) -> None:
    options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": cores}}
    lane: LaneWorkChain = lanes(DIMER, changes={"scf": {"options": options}, "pwcond": {"max_shards": 4}})
    assert lane.job_inputs().metadata["options"]["shards"] == shards
