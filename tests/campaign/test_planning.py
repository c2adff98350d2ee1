"""What a campaign is expected to come to, against measured runs, and what is found for it in the database."""

import gzip
import hashlib
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida.common.links import LinkType
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo import UpfData
from synthetic import synthetic_campaign

from aiida_rewire.campaign import expected
from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.expected import Region
from aiida_rewire.campaign.planning import (
    ESTIMATE,
    MEASURED,
    Left,
    chain_wall_s,
    found_dynamics,
    most_core_hours,
    profile_tables,
    segments_of,
    steps_left,
    what_is_left,
)
from aiida_rewire.campaign.record import find_campaign, spec_of
from aiida_rewire.campaign.similar import Measured, conductances_there, costs_like
from aiida_rewire.campaign.specification import CampaignSpec, Reuse
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.transport.pw_xml import read_pw_xml
from aiida_rewire.workflows.functions.structures import build_lead
from aiida_rewire.workflows.protocols import load_protocol

PAPER = {"lead": {"kpoints_mesh": [2, 2, 4]}, "scf": {"kpoints_mesh": [2, 2, 1]}}
COARSE = {
    "lead": {"kpoints_mesh": [4, 4, 4], "parameters": {"SYSTEM": {"ecutwfc": 15.0}}},
    "scf": {"kpoints_mesh": [2, 2, 1], "parameters": {"SYSTEM": {"ecutwfc": 15.0}}},
    "pwcond": {"kpoints": {"list": [[0.1, 0.2, 1.0]]}},
}


@pytest.mark.parametrize(
    ("protocol", "changes", "valence", "lead_s", "junction_s"),
    [("moderate", PAPER, 11, 109.0, 172.0), ("demo", COARSE, 1, 2.5, 6.0)],
)
def test_the_measured_systems_cost_what_was_measured(
    protocol: str, changes: dict[str, Any], valence: float, lead_s: float, junction_s: float
) -> None:
    values = load_protocol(protocol, changes)
    assert expected.lead_core_s(values, valence, 2) == pytest.approx(lead_s)
    junction = Region(np.diag([5.88, 5.1, 22.0]), 22, 2)
    assert expected.scf_core_s(values["scf"], "scf", valence, junction) == pytest.approx(junction_s)


def test_the_ultrasoft_lead_tells_what_the_junction_costs() -> None:
    # what the powers of atoms, k-points and cutoff rest on
    values = load_protocol("moderate", PAPER)
    lead = values["scf"] | {"kpoints_mesh": [2, 2, 4]}
    as_junction = expected.scf_core_s(lead, "scf", 11, expected.lead_of(values, 2))
    assert as_junction == pytest.approx(109, rel=0.06)


def test_k_points_are_those_that_time_reversal_leaves() -> None:
    assert expected.reduced([15, 18], [0.0, 0.5]) == 135  # the paper's
    assert expected.reduced([1, 1, 1], [0.0] * 3) == 1
    assert expected.reduced([2, 2, 4], [0.0] * 3) == 12
    assert expected.reduced([3, 3], [0.0, 0.0]) == 5
    assert expected.reduced([2, 2], [0.5, 0.5]) == 2
    assert expected.transmission_points(load_protocol("paper", {})) == 135
    energies = {"pwcond": {"energies": {"start": -0.1, "stop": 0.1, "step": 0.1}}}
    assert expected.transmission_points(load_protocol("demo", energies)) == 3
    # 4 x 4 points for 2 x 2 Ag(111), as the protocol says
    values = load_protocol("moderate", {"junction": {"supercell": 2}})
    assert expected.mesh_of(expected.lead_of(values, 2).cell, 0.31, 2) == [4, 4]


def test_the_charge_density_of_a_recorded_run_has_the_size_that_is_expected(fixtures: Path) -> None:
    folder = fixtures / "junction"
    run = read_pw_xml((folder / "junction.xml").read_bytes())
    size = len(gzip.decompress((folder / "charge-density.dat.gz").read_bytes()))
    region = Region(run.cell, len(run.positions), 1)
    section = {
        "kpoints_mesh": [1, 1, 1],
        "kpoints_offset": [0, 0, 0],
        "parameters": {
            "SYSTEM": {"ecutwfc": run.wavefunction_cutoff / 13.605693, "ecutrho": run.density_cutoff / 13.605693}
        },
    }
    disk = expected.scf_disk(section, 1, region, wavefunctions=False)
    assert disk.scratch == pytest.approx(size, rel=0.05)
    more = expected.scf_disk(section, 1, region, wavefunctions=True)
    # 3 electrons: 1.5 bands are occupied, and eight more stand beside two
    waves = region.plane_waves(section["parameters"]["SYSTEM"]["ecutwfc"])
    assert more.scratch - disk.scratch == pytest.approx(16 * 10 * waves)


def test_a_frame_takes_what_the_drivers_frames_take(fixtures: Path) -> None:
    lines = (fixtures / "md" / "two-frames.lammpstrj").read_bytes()
    each = len(lines) / lines.count(b"TIMESTEP") / 28
    assert expected.table()["disk"]["dump_bytes_per_atom"] == pytest.approx(each / 2, rel=0.1)


def test_a_dynamics_that_outlives_its_wall_time_takes_several_jobs() -> None:
    assert segments_of(1e6, None) == 1
    assert segments_of(3299.0, 3600) == 1
    # a job ends 300 s before its wall time, or with nine tenths of it
    assert segments_of(3301.0, 3600) == 2
    assert segments_of(901.0, 1000) == 2
    assert segments_of(10 * 86100.0, 86400) == 10


def left_of(snapshots: list[int], **changes: Any) -> Left:
    runs = {"equilibrations": len(snapshots), "productions": len(snapshots), "leads": 1}
    values: dict[str, Any] = {"states": {}, "snapshots": snapshots, "dynamics_found": {}, "leads_found": []}
    return Left(**{**values, **runs, **changes})


def test_jobs_of_the_paper_are_counted_by_step() -> None:
    values = load_protocol("paper", {})
    steps = {step.name: step for step in steps_left(values, left_of([349, 349], leads=3), 11, {})}
    # 135 shards, 128 in a job of a core for each
    assert {name: (step.jobs, step.cores) for name, step in steps.items() if name not in ("production",)} == {
        **{"equilibration": (2, 32), "lead": (3, 32), "lead readback": (3, 1)},
        **{"scf": (698, 32), "readback": (698, 1), "pwcond": (1396, 128)},
    }
    # 2480 atoms, 3 million steps: a few hours on 32 ranks, as docs/topics/biased-md has it
    production = steps["production"]
    assert production.jobs == 2
    assert production.wall_s / 3600 == pytest.approx(3.2, rel=0.05)
    assert production.core_hours == pytest.approx(2 * 32 * production.wall_s / 3600)
    # a day each; of the jobs of one core, 128 in those of pwcond.x
    cores = (2 + 2) * 32 + 3 * 32 + 3 + 698 * 32 + 698 + 1396 * 128
    assert most_core_hours(values, list(steps.values())) == pytest.approx(cores * 24)
    short = load_protocol("paper", {"md": {"options": {"max_wallclock_seconds": 3600}}})
    cut = {step.name: step for step in steps_left(short, left_of([349]), 11, {})}["production"]
    assert cut.jobs == math.ceil(production.wall_s / 3300)
    assert cut.core_hours == pytest.approx(production.core_hours / 2)
    assert most_core_hours(short, [cut]) == pytest.approx(cut.jobs * 32)
    short["md"] = {"options": {"resources": short["md"]["options"]["resources"]}}
    assert most_core_hours(short, [cut]) is None


def test_what_similar_jobs_cost_takes_the_place_of_the_table() -> None:
    values = load_protocol("demo", {})
    measured = {"snapshot": Measured(72.0, 40), "md": Measured(1e-4, 3)}
    steps = {step.name: step for step in steps_left(values, left_of([10, 4]), 1, measured)}
    assert {name: step.source for name, step in steps.items()} == {
        **{"equilibration": MEASURED, "production": MEASURED, "snapshot": MEASURED},
        **{"lead": ESTIMATE, "lead readback": ESTIMATE},
    }
    assert (steps["snapshot"].core_hours, steps["snapshot"].similar) == (pytest.approx(14 * 72 / 3600), 40)
    assert steps["production"].core_s == pytest.approx(182 * 1800 * 1e-4)
    dynamics = 182 * 2800 * 1e-4
    assert chain_wall_s(values, list(steps.values()), 10) == pytest.approx(dynamics + 5 * 72)
    # of a chain with conductances the dynamics is over; two lanes
    assert chain_wall_s(values, list(steps.values()), 3) == pytest.approx(2 * 72)


@pytest.fixture(scope="module")
def host(aiida_profile: Any) -> str:
    """Label of a computer with the codes md, pw, pp and pwcond."""
    label = f"planned-{uuid.uuid4().hex[:8]}"
    computer = orm.Computer(label, "localhost", transport_type="core.local", scheduler_type="core.direct").store()
    for name in ("md", "pw", "pp", "pwcond"):
        orm.InstalledCode(label=name, computer=computer, filepath_executable=f"/usr/bin/{name}").store()
    return label


def spec_on(host: str, **changes: Any) -> CampaignSpec:
    values = {
        "label": f"plan-{uuid.uuid4().hex[:8]}",
        "protocol": "demo",
        "codes": {name: f"{name}@{host}" for name in ("md", "pw", "pp", "pwcond")},
        "pseudo_family": "none",
        "md": {"voltages": [2.0, 8.0], "seeds": [1, 2]},
        "reuse": {"dynamics": True},
    }
    return CampaignSpec.model_validate({**values, **changes})


def finished(
    kind: Any, process_type: str, inputs: dict[str, orm.Data], caller: Any = None, link: str = "CALL", status: int = 0
) -> Any:
    """Store a process that ended."""
    node = kind(process_type=process_type)
    node.set_process_state("finished")
    node.set_exit_status(status)
    is_job = kind is orm.CalcJobNode
    for name, data in inputs.items():
        if not data.is_stored:
            data.store()
        node.base.links.add_incoming(data, LinkType.INPUT_CALC if is_job else LinkType.INPUT_WORK, name)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_CALC if is_job else LinkType.CALL_WORK, link)
    if is_job:
        node.base.attributes.set("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 4})
    return node.store()


def gives(job: orm.ProcessNode, label: str, data: orm.Data) -> Any:
    """Store an output."""
    data.base.links.add_incoming(job, LinkType.CREATE, label)
    return data.store()


def chain_of(protocol: str) -> orm.WorkChainNode:
    chain: orm.WorkChainNode = finished(
        orm.WorkChainNode, CHAIN_PROCESS, {"labels": orm.Dict({"protocol": protocol})}
    )
    return chain


def test_costs_are_medians_of_jobs_of_the_same_code_and_protocol(host: str) -> None:
    codes = {name: f"{name}@{host}" for name in ("md", "pw", "pwcond")}
    assert costs_like(profile_tables(), codes, "demo") == {}
    pw, md = (orm.load_code(codes[name]) for name in ("pw", "md"))
    lane = finished(orm.WorkChainNode, "aiida.workflows:rewire.lane", {}, chain_of("demo"), "lane_0")
    other = finished(orm.WorkChainNode, "aiida.workflows:rewire.lane", {}, chain_of("paper"), "lane_0")
    for caller, wall, status in (
        (lane, 10.0, 0),
        (lane, 30.0, 0),
        (lane, 20.0, 0),
        (lane, 900.0, 330),
        (other, 70.0, 0),
    ):
        job = finished(orm.CalcJobNode, "aiida.calculations:rewire.junction", {"code": pw}, caller, "a", status)
        gives(job, "results", orm.Dict({"scf_wall_s": wall, "readback_wall_s": 1.0, "pwcond_wall_s": 4.0}))
    base = finished(orm.WorkChainNode, "aiida.workflows:rewire.pw.base", {}, chain_of("demo"), "lead_n4")
    job = finished(orm.CalcJobNode, "aiida.calculations:rewire.pw", {"code": pw}, base, "iteration_01")
    gives(job, "output_parameters", orm.Dict({"wall_time_seconds": 6.5}))
    stage = finished(orm.WorkChainNode, "aiida.workflows:rewire.md.base", {}, chain_of("demo"), "production")
    tips = orm.StructureData(cell=np.eye(3).tolist())
    for place in range(5):
        tips.append_atom(position=(place, 0.0, 0.0), symbols="Ag")
    job = finished(
        orm.CalcJobNode, "aiida.calculations:rewire.md", {"code": md, "structure": tips}, stage, "segment_0001"
    )
    gives(job, "results", orm.Dict({"first_step": 1000, "last_step": 3000, "wall_time_s": 25.0}))
    # four cores each; the same jobs again from the cache tell nothing
    cached = finished(orm.CalcJobNode, "aiida.calculations:rewire.junction", {"code": pw}, lane, "b")
    cached.base.extras.set("_aiida_cached_from", "x")
    gives(cached, "results", orm.Dict({"scf_wall_s": 1e6}))
    assert costs_like(profile_tables(), codes, "demo") == {
        "snapshot": Measured(4 * 25.0, 3),
        "lead": Measured(4 * 6.5, 1),
        "md": Measured(pytest.approx(4 * 25.0 / (2000 * 5)), 1),
    }
    assert costs_like(profile_tables(), codes, "paper") == {"snapshot": Measured(4 * 75.0, 1)}
    assert costs_like(profile_tables(), {**codes, "pw": "pw@elsewhere"}, "demo").keys() == {"md"}


def run_md(host: str, conditions: dict[str, Any], tips: dict[str, Any], potential: Any) -> orm.RemoteData:
    """Store a finished job of a dynamics, and return its folder."""
    built = orm.CalcFunctionNode()
    keywords = orm.Dict(tips).store()
    built.base.links.add_incoming(keywords, LinkType.INPUT_CALC, "parameters")
    built.store()
    structure = gives(built, "structure", orm.StructureData(cell=np.eye(3).tolist()))
    inputs = {
        **{"code": orm.load_code(f"md@{host}"), "structure": structure, "potential": potential},
        "parameters": orm.Dict(conditions),
    }
    job = finished(orm.CalcJobNode, "aiida.calculations:rewire.md", inputs)
    remote: orm.RemoteData = gives(
        job, "remote_folder", orm.RemoteData(remote_path="/scratch/md", computer=orm.load_computer(host))
    )
    return remote


def test_dynamics_with_the_same_inputs_is_found(host: str, potential: Any) -> None:
    spec = spec_on(host)
    chains = chains_of(spec)
    assert found_dynamics(spec, chains, profile_tables()) == {"equilibration": 0, "production": 0}
    values = chains[0].values
    # an equilibration is the same for every voltage
    folder = run_md(host, values["equilibration"], values["tips"], potential)
    assert found_dynamics(spec, chains, profile_tables()) == {"equilibration": 2, "production": 0}
    run_md(host, {**values["production"], "temperature_k": 800}, values["tips"], potential)
    assert found_dynamics(spec, chains, profile_tables()) == {"equilibration": 2, "production": 1}
    # that of another seed goes on from an equilibration that is not there
    run_md(host, chains[1].values["production"], values["tips"], potential)
    assert found_dynamics(spec, chains, profile_tables()) == {"equilibration": 2, "production": 1}
    others = spec_on(host, tips={"gap": 6.6})
    assert found_dynamics(others, chains_of(others), profile_tables()) == {"equilibration": 0, "production": 0}
    folder.base.extras.set("cleaned", True)
    assert found_dynamics(spec, chains, profile_tables()) == {"equilibration": 0, "production": 0}


def test_the_projects_force_field_is_known_by_the_digest_of_its_file(potential: Any) -> None:
    text = force_field_text(silver_parameters())
    assert potential.base.attributes.get("md5") == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def lead_run(builder: Any, values: dict[str, Any], supercell: int) -> orm.RemoteData:
    """Store the finished SCF of a lead, as a chain would have submitted it."""
    from aiida_rewire.workflows.pw import for_region

    structure = build_lead.__wrapped__(orm.Dict({**values["junction"], "supercell": supercell})).store()
    pw = builder.lead.pw
    inputs = AttributeDict({"pw": AttributeDict({"parameters": pw.parameters, "pseudos": dict(pw.pseudos)})})
    inputs = for_region(inputs, structure)
    given = {"pw__structure": structure, "pw__parameters": inputs.pw.parameters, "pw__code": pw.code}
    given |= {"pw__pseudos__Ag": inputs.pw.pseudos["Ag"], "kpoints": builder.lead.kpoints}
    run = finished(orm.WorkChainNode, "aiida.workflows:rewire.pw.base", given)
    job = finished(orm.CalcJobNode, "aiida.calculations:rewire.pw", {}, run, "iteration_01")
    folder: orm.RemoteData = gives(job, "remote_folder", orm.RemoteData(remote_path="/x", computer=pw.code.computer))
    folder.base.links.add_incoming(run, LinkType.RETURN, "remote_folder")
    return folder


def test_leads_of_the_same_content_are_found_and_nothing_is_stored(
    host: str, potential: Any, upf: Callable[..., UpfData]
) -> None:
    workflow = WorkflowFactory("rewire.chain")
    values = load_protocol("demo", {"junction": {"largest_supercell": 4}})
    codes = {name: orm.load_code(f"{name}@{host}") for name in ("md", "pw", "pp", "pwcond")}
    pseudo = upf(1).store()
    assert workflow.leads_there(codes, pseudo, values) == []
    builder = workflow.get_builder_from_values(codes, potential, pseudo, values, protocol="demo")
    wide, narrow = (lead_run(builder, values, supercell) for supercell in (4, 3))
    nodes = orm.QueryBuilder().append(orm.Node).count()
    assert workflow.leads_there(codes, pseudo, values) == [narrow.uuid, wide.uuid]
    assert workflow.leads_there(codes, pseudo, load_protocol("demo", {})) == [narrow.uuid]
    for other in (
        {"junction": {"lattice_constant": 4.17}},
        {"lead": {"kpoints_mesh": [3, 3, 5]}},
        {"lead": {"parameters": {"SYSTEM": {"degauss": 0.03}}}},
        {"lead": {"kpoints_mesh": None, "kpoints_distance": 0.3}},
    ):
        assert workflow.leads_there(codes, pseudo, load_protocol("demo", other)) == [], other
    assert workflow.leads_there(codes, upf(1, reach=2.7), values) == []
    assert workflow.leads_there({"pw": codes["pp"]}, pseudo, values) == []
    narrow.base.extras.set("cleaned", True)
    assert workflow.leads_there(codes, pseudo, values) == [wide.uuid]
    assert orm.QueryBuilder().append(orm.Node).count() == nodes


def test_what_is_left_of_a_campaign_that_runs(aiida_profile: Any) -> None:
    with synthetic_campaign(chains=10, snapshots=20) as made:
        tables = profile_tables()
        done = conductances_there(tables, made.label)
        assert done == {
            name: chain.snapshots["done"] for name, chain in made.chains.items() if chain.snapshots["done"]
        }
        # its codes are not there, and so nobody can ask for leads of theirs
        spec = spec_of(find_campaign(made.label)).model_copy(update={"reuse": Reuse(leads=False)})
        left, notes = what_is_left(spec, chains_of(spec), None, tables)
        assert len(notes) == 1
        assert notes[0].endswith("; this one changes reuse.leads from None to False")
        # the work chain of one excepted, so that it is tried again, whatever of it still runs
        assert left.states == {"finished": 2, "failed": 3, "running": 3, "to be tried again": 1, "new": 1}
        # no snapshot yet, but for the one whose work chain excepted and the one in its second attempt
        assert sorted(left.snapshots) == [1, 17, 20, 20, 20]
        assert (left.equilibrations, left.productions) == (3, 3)
