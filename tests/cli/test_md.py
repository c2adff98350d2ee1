"""`aiida-rewire md`: what it refuses, what it would submit, and what it tells of the runs that are there."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from aiida.manage.configuration import Profile
from aiida.tools import delete_nodes
from aiida_lammps.data.potential import LammpsPotentialData
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.cli import md, md_inputs
from aiida_rewire.cli.main import main
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.workflows.dynamics import DynamicsWorkChain

Run = Callable[..., Result]
SMALL = ("--protocol", "demo", "--ps", "0.1", "--snapshot-ps", "0.1", "--base-side", "3", "--gap", "5")


@pytest.fixture
def run(aiida_profile: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "md")


@pytest.fixture(scope="module")
def codes(aiida_profile: object) -> dict[str, orm.InstalledCode]:
    """A Python and two programs, on a computer of their own."""
    computer = orm.Computer("md-cluster", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.store()
    known = {"py": ("/usr/bin/python3", "rewire.md"), "lammps": ("/opt/lmp_mpi", "rewire.md")}
    known["pw"] = ("/usr/bin/pw.x", "quantumespresso.pw")
    return {
        label: orm.InstalledCode(
            label=label, computer=computer, filepath_executable=path, default_calc_job_plugin=plugin
        ).store()
        for label, (path, plugin) in known.items()
    }


@pytest.fixture
def submitted(run: Run, codes: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Builders that reach the daemon of a profile with a broker."""
    builders: list[Any] = []

    def submit(builder: Any) -> SimpleNamespace:
        builders.append(builder)
        return SimpleNamespace(pk=1000 + len(builders))

    monkeypatch.setattr(DynamicsWorkChain, "launch", submit)
    monkeypatch.setattr(md, "refuse_no_daemon", lambda: None)
    return builders


CODE = ("--code", "py@md-cluster")

REFUSED = [
    (("--gap", "-3"), "gap = -3.0 Å: must be a number from 2.00 Å on"),
    (("--gap", "0.5"), "nearer apexes overlap"),
    (("--gap", "nan"), "gap = nan Å"),
    (("--base-side", "4", "--fixed-layers", "3"), "base_side = 4 atoms: must be at least 5 for 3 fixed and 2 mobile"),
    (("--fixed-layers", "0"), "fixed_layers = 0"),
    (("--bias", "none", "--voltage", "5"), "voltage_v = 5.0: must be 0 V with `bias: none`"),
    (("--bias", "none", "--potential", "steady"), "potential = steady: must be left out without the driver"),
    (("--bias", "native", "--voltage", "0:0,50:8"), "must be one number with `bias: native`"),
    (("--voltage", "51"), "voltage_v = 51.0: must be from -50 to 50 V"),
    (("--voltage", "5:0,0:1"), "times begin with 0 ps and never fall"),
    (("--voltage", "2", "--voltage", "2.0"), "voltage = 2.0, 2.0: must be given once each"),
    (("--timestep", "2.1"), "timestep = 2.1 fs: must be from 0.001 to 2 fs"),
    (("--timestep", "0"), "timestep = 0 fs"),
    (("--timestep", "nan"), "timestep = nan fs"),
    (("--timestep", "0.3"), "ps = 0.1 ps: must be a multiple of the 0.015 ps between frames"),
    (("--ps", "0.12"), "ps = 0.12 ps: must be a multiple of the 0.05 ps between frames"),
    (("--ps", "0.1004"), "ps = 0.1004 ps: must be a multiple"),
    (("--ps", "0"), "ps = 0 ps"),
    (("--ps", "-1"), "ps = -1 ps"),
    (("--ps", "inf"), "ps = inf ps"),
    (("--ps", "nan"), "ps = nan ps"),
    (("--ps", "1e300"), "at most 1e+06 ps"),
    (("--ps", "0.05"), "snapshot_interval_ps = 0.1 ps: must be a multiple of the 0.05 ps between frames, at most"),
    (("--snapshot-ps", "0.07"), "snapshot_interval_ps = 0.07 ps"),
    (("--seed", "3", "--seed", "3"), "seed = 3, 3: must be given once each"),
    (("--seed", "0"), "seed = 0: must be from 1"),
    (("--temperature", "1300"), "temperature_k = 1300.0"),
    (("--wall-hours", "inf"), "wall-hours = inf h: must be from 0.01 to 8760 h"),
    (("--wall-hours", "nan"), "wall-hours = nan h"),
    (("--code", "nothing@md-cluster"), "code = 'nothing@md-cluster': there is none of that label"),
    (("--code", ""), "code = '': there is none of that label"),
    (("--code", "9" * 30), "there is none of that label"),
    (("--code", "pw@md-cluster"), "must be for rewire.md, not quantumespresso.pw"),
    (("--code", "lammps@md-cluster"), "must be a Python that can import LAMMPS's module with `bias: driver`"),
    (("--bias", "none"), "code = 'py@md-cluster': must be LAMMPS with `bias: none`"),
    (("--force-field", "c0ffee00-0000-4000-8000-000000000000"), "there is no such node; leave it out"),
    (("--force-field", "it's; DROP TABLE\n"), r"force-field = \"it's; DROP TABLE\\n\": there is no such node"),
    (("--directory", "new"), "code = py@md-cluster: must be left out with --directory"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_no_run_can_begin_with_is_refused_in_a_line(
    run: Run, submitted: list[Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("submit", *SMALL, *CODE, *arguments, status=1)
    assert message.replace("\\\\", "\\").replace('\\"', '"') in result.output
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert submitted == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--protocol", "papper"), "'papper' is not one of 'demo', 'moderate', 'paper'"),
        (("--orientation", "110"), "'110' is not one of '100', '111'"),
        (("--bias", "foo"), "'foo' is not one of 'driver', 'native', 'none'"),
        (("--ranks", "0"), "0 is not in the range x>=1"),
        (("--voltage", "x"), "'x': must be a number of volts, or points such as 0:0,50:8"),
        (("--voltage", "nan"), "'nan': must be a number of volts"),
        (("--voltage", "1,2"), "'1,2': must be a number of volts"),
        (("--voltage", "0:0,50"), "'0:0,50': must be a number of volts"),
    ],
)
def test_what_cannot_be_read_is_refused(
    run: Run, submitted: list[Any], arguments: tuple[str, ...], message: str
) -> None:
    result = run("submit", *SMALL, *CODE, *arguments, status=2)
    assert message in result.output.splitlines()[-1]
    assert submitted == []


def test_a_force_field_is_of_silver(run: Run, submitted: list[Any], potential: LammpsPotentialData) -> None:
    other = orm.Dict({}).store()
    said = run("submit", *SMALL, *CODE, "--force-field", other.uuid, status=1).output
    assert "must be a LammpsPotentialData, not Dict" in said
    text = potential.get_content()
    of_gold = LammpsPotentialData.get_or_create(
        source=io.BytesIO((text + "\n").encode()),
        pair_style="reaxff",
        species=["Au"],
        atom_style="charge",
        units="real",
    ).store()
    said = run("submit", *SMALL, *CODE, "--force-field", of_gold.uuid, status=1).output
    assert "must hold Ag, not only Au" in said
    pairs = LammpsPotentialData.get_or_create(
        source=io.BytesIO(b"eam"), pair_style="eam", species=["Ag"], atom_style="atomic", units="metal"
    ).store()
    said = run("submit", *SMALL, *CODE, "--force-field", pairs.uuid, status=1).output
    assert "must be of pair style reaxff, not eam" in said
    assert submitted == []
    run("submit", *SMALL, *CODE, "--force-field", potential.store().uuid)
    assert submitted[0].md.potential.uuid == potential.uuid


def test_a_run_for_each_voltage_and_seed(run: Run, submitted: list[Any], codes: Any) -> None:
    several = ("--voltage", "2", "--voltage", "0:0,0.1:3", "--seed", "3", "--seed", "4")
    result = run("submit", *SMALL, *several, *CODE, "--label", "mine", "--ranks", "2", "--wall-hours", "0.5")
    assert [line.split("> ")[1] for line in result.stdout.splitlines() if line.startswith("submitted <")] == [
        *("2 V, seed 3", "2 V, seed 4", "0:0,0.1:3 V, seed 3", "0:0,0.1:3 V, seed 4")
    ]
    assert [(b.production["seed"], b.equilibration["seed"]) for b in submitted] == [(3, 3), (4, 4)] * 2
    assert [b.production["voltage_v"] for b in submitted] == [2.0, 2.0, *[[[0.0, 0.0], [0.1, 3.0]]] * 2]
    for builder in submitted:
        assert builder.equilibration["voltage_v"] == 0.0
        assert builder.metadata.label == "mine"
        assert builder.md.code.uuid == codes["py"].uuid
        assert (builder.tips["base_side"], builder.tips["gap"]) == (3, 5.0)
        assert builder.snapshot_interval_ps.value == 0.1
        assert builder.md.metadata.options.max_wallclock_seconds == 1800
        assert builder.md.metadata.options.withmpi is True
        assert builder.md.metadata.options.resources["num_mpiprocs_per_machine"] == 2


def test_lengths_in_ps_stay_with_another_time_step(run: Run, submitted: list[Any]) -> None:
    run("submit", "--protocol", "demo", *CODE)
    run("submit", "--protocol", "demo", *CODE, "--timestep", "0.5")
    run("submit", "--protocol", "demo", *CODE, "--timestep", "0.8", "--ps", "2", "--snapshot-ps", "0.2")
    # 1.8 ps and 1 ps of the protocol; 1250 steps of 0.8 fs
    assert [b.production["steps"] for b in submitted] == [1800, 3600, 2500]
    assert [b.equilibration["steps"] for b in submitted] == [1000, 2000, 1250]
    assert [b.equilibration["timestep_fs"] for b in submitted] == [1.0, 0.5, 0.8]


def test_who_spreads_the_potential_reaches_both_stages(run: Run, submitted: list[Any], codes: Any) -> None:
    run("submit", *SMALL, *CODE, "--potential", "diffusion")
    # the code that suits is found without its name
    run("submit", *SMALL, "--bias", "none", "--code", "lammps@md-cluster")
    for builder, bias, volts, potential in zip(
        submitted, ("driver", "none"), (12.0, 0.0), ("diffusion", "steady"), strict=True
    ):
        stages = [MdConditions.from_mapping(builder[name].get_dict()) for name in ("equilibration", "production")]
        assert {stage.bias for stage in stages} == {bias}
        assert {stage.potential for stage in stages} == {potential}
        assert stages[1].voltage_v == volts
    assert submitted[1].md.code.uuid == codes["lammps"].uuid


def test_without_a_name_the_only_code_that_suits_is_taken(codes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = list(codes.values())[:2]
    for found, message in (([], "no code for rewire.md: register a Python"), (everything[:1] * 2, "several codes")):
        monkeypatch.setattr(orm.QueryBuilder, "all", lambda _, flat=False, found=found: found)
        with pytest.raises(md.DemoFailure, match=message):
            md_inputs.find_code(None, "driver")
    monkeypatch.setattr(orm.QueryBuilder, "all", lambda _, flat=False: everything)
    assert md_inputs.find_code(None, "driver").label == "py"
    assert md_inputs.find_code(None, "native").label == "lammps"


def test_a_profile_whose_daemon_does_not_run_is_told_in_a_line(
    run: Run, codes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Profile, "process_control_backend", "core.rabbitmq")
    monkeypatch.setattr(DynamicsWorkChain, "launch", lambda _: pytest.fail("submitted"))
    said = run("submit", *SMALL, *CODE, status=1).output
    assert "must have a daemon that runs; start it with `verdi -p " in said
    assert said.count("\n") == 1


def test_a_profile_that_cannot_be_used_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    # this test's profile has no broker
    assert "must have a broker" in run("submit", *SMALL, status=1).output
    for command in ("submit", "show"):
        said = run("-p", "nope", command, status=1).output
        assert "profile `nope` does not exist" in said
        assert said.count("\n") == 1
        said = run("-p", "nope", command, "--directory", "x", status=1).output
        assert "profile = nope: must be left out with --directory" in said
    (tmp_path / "x").rmdir() if (tmp_path / "x").exists() else None
    said = run("show", "--directory", "x", status=1).output
    assert "directory = x: no profile there" in said
    (tmp_path / "file").touch()
    assert "must be a folder" in run("show", "--directory", "file", status=1).output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


Make = Callable[..., orm.WorkChainNode]


@pytest.fixture
def make(run: Run, potential: LammpsPotentialData) -> Make:
    """Store a run of the dynamics, on a database without others; ``first`` is its contact in ps, if it finished."""
    chains = orm.QueryBuilder().append(orm.WorkChainNode, project="id").all(flat=True)
    delete_nodes(chains, dry_run=False)

    def factory(
        *,
        seed: int = 1,
        first: float | None = None,
        lasting: float | None = None,
        status: int | None = 0,
        steps: int = 1000,
        label: str = "",
        done: tuple[int, ...] = (),
        tips: dict[str, Any] | None = None,
        **conditions: Any,
    ) -> orm.WorkChainNode:
        node = orm.WorkChainNode(process_type="aiida.workflows:rewire.dynamics", label=label)
        production = {"steps": steps, "seed": seed, "voltage_v": 2.0, **conditions}
        inputs = {
            "tips": orm.Dict({"gap": 6.0, "orientation": "100", **(tips or {})}),
            "equilibration": orm.Dict({"steps": 100, "seed": seed}),
            "production": orm.Dict(production),
            "md__potential": potential,
        }
        for name, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, name)
        if status is None:
            node.set_process_state(ProcessState.WAITING)
        else:
            node.set_process_state(ProcessState.FINISHED)
            node.set_exit_status(status)
        node.store()
        structure = orm.StructureData(cell=np.eye(3) * 20)
        for place in range(4):
            structure.append_atom(position=(0.0, 0.0, 3.0 * place), symbols="Ag")
        structure.store().base.links.add_incoming(node, LinkType.RETURN, "tips")
        if done:
            stage = orm.WorkChainNode(process_type="aiida.workflows:rewire.md.base")
            stage.base.links.add_incoming(node, LinkType.CALL_WORK, "production")
            stage.store()
        for number, step in enumerate(done):
            job = orm.CalcJobNode(process_type="aiida.calculations:rewire.md")
            job.base.links.add_incoming(stage, LinkType.CALL_CALC, f"iteration_{number:02d}")
            job.store()
            results = orm.Dict({"last_step": step})
            results.base.links.add_incoming(job, LinkType.CREATE, "results")
            results.store()
        if status == 0:
            results = orm.Dict({"last_step": steps, "steps_per_second": 123.45}).store()
            results.base.links.add_incoming(node, LinkType.RETURN, "results")
            snapshots_of(first, lasting).base.links.add_incoming(node, LinkType.RETURN, "snapshots")
        return node

    return factory


def snapshots_of(first: float | None, lasting: float | None) -> orm.TrajectoryData:
    """Two snapshots, of a gap and of a contact."""
    node = orm.TrajectoryData()
    node.set_trajectory(["Ag"], np.zeros((2, 1, 3)), stepids=np.array([0, 500]), pbc=(False, False, False))
    arrays = {
        **{"time_ps": [0.0, 0.5], "voltage_v": [2.0, 2.0], "gap_left": [3.25, 0.0]},
        **{"bonds": [0, 1], "bottleneck_coordination": [np.nan, 2.5], "atoms_in_gap": [2, 4]},
        **{"filament_atoms": [2, 4], "floating_atoms": [0, 1], "clusters": [2, 1]},
    }
    for name, array in arrays.items():
        node.set_array(name, np.array(array))
    node.base.attributes.set("stages", ["gap", "contact"])
    node.base.attributes.set("first_contact_ps", first)
    node.base.attributes.set("lasting_contact_ps", lasting)
    node.set_array("frame_gap_left", np.array([4.0, 4.0, 4.0, 0.0]))
    return node.store()


def listed(result: Result) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def cells(text: str) -> list[list[str]]:
    """Cells of the tables' rows and heads."""
    lines = (line.replace("┃", "│") for line in text.splitlines() if line[:1] in "┃│")
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_runs_that_finished_failed_or_run_are_told_apart(run: Run, make: Make) -> None:
    good = make(first=0.25, label="one")
    failed = make(seed=2, status=311, done=(300, 600))
    running = make(seed=3, status=None, done=(200,))
    fresh = make(seed=4, status=None, timestep_fs=0.5)
    rows = listed(run("show", "--json"))["runs"]
    assert [row["pk"] for row in rows] == [good.pk, failed.pk, running.pk, fresh.pk]
    assert [row["state"] for row in rows] == ["finished", "failed [311]", "waiting", "waiting"]
    assert [row["done_ps"] for row in rows] == pytest.approx([1.0, 0.6, 0.2, 0.0])
    assert [row["total_ps"] for row in rows] == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert [row["first_contact_ps"] for row in rows] == [0.25, None, None, None]
    assert [row["steps_per_second"] for row in rows] == [123.45, None, None, None]
    assert (rows[0]["atoms"], rows[0]["gap"], rows[0]["voltage_v"], rows[0]["uuid"]) == (4, 6.0, 2.0, good.uuid)
    heads, *table = cells(run("show").stdout)
    assert heads[-4:] == ["first contact (ps)", "lasting (ps)", "in contact", "steps/s"]
    assert table[:4] == [
        [str(good.pk), "one", "4", "6", "2", "1", "finished", "1 of 1", "0.250", "none", "25%", "123.5"],
        [str(failed.pk), "", "4", "6", "2", "2", "failed [311]", "0.6 of 1", "-", "-", "-", "-"],
        [str(running.pk), "", "4", "6", "2", "3", "waiting", "0.2 of 1", "-", "-", "-", "-"],
        [str(fresh.pk), "", "4", "6", "2", "4", "waiting", "0 of 0.5", "-", "-", "-", "-"],
    ]
    assert [row["pk"] for row in listed(run("show", "--label", "one", "--json"))["runs"]] == [good.pk]


def test_times_to_contact_are_those_of_a_hand_calculation(run: Run, make: Make) -> None:
    # Kaplan-Meier: contacts at 0.2 and 0.6 ps, open at the ends of 0.4 ps and 1 ps
    # open: 3/4 from 0.2, 3/4 x 1/2 = 3/8 from 0.6 on: 25 % between both, 50 % at 0.6, 75 % never
    for seed, (first, steps) in enumerate([(0.2, 1000), (None, 400), (0.6, 1000), (None, 1000)], 1):
        make(seed=seed, first=first, steps=steps)
    make(seed=6, status=311)
    (row,) = listed(run("show", "--json"))["first_contact"]
    assert (row["runs"], row["without_contact"]) == (4, 2)
    assert (row["lower_quartile_ps"], row["median_ps"], row["upper_quartile_ps"]) == (0.4, 0.6, None)
    *_, heads, cell = cells(run("show").stdout)
    assert dict(zip(heads, cell, strict=True)) == {
        "tips": "100",
        "atoms": "4",
        "gap (Å)": "6",
        "T (K)": "800",
        "voltage (V)": "2",
        "potential": "steady",
        "seeds": "4",
        "without contact": "2",
        "median (ps)": "0.6",
        "quartiles (ps)": "0.4 to later",
        "without lasting": "4",
        "lasting median (ps)": "later",
    }


def test_lasting_contacts_are_followed_a_picosecond_less(run: Run, make: Make) -> None:
    # runs of 2 ps tell of lasting contacts that begin within their first picosecond
    for seed, lasting in enumerate([0.5, 1.0, None], 1):
        make(seed=seed, first=0.25, lasting=lasting, steps=2000)
    (row,) = listed(run("show", "--json"))["first_contact"]
    assert (row["without_contact"], row["without_lasting"]) == (0, 1)
    assert (row["median_ps"], row["lasting_median_ps"]) == (0.25, 1.0)


def test_only_runs_that_are_alike_but_for_the_seed_are_put_together(run: Run, make: Make) -> None:
    make(seed=1, first=0.25)
    # of no other distribution: what is left to its default, how often restarts are written
    make(seed=2, first=0.75, temperature_k=800.0, checkpoint_interval=500)
    # the longest of a seed counts, and once
    make(seed=2, first=None, steps=500)
    others = [{"voltage_v": 8.0}, {"temperature_k": 700.0}, {"timestep_fs": 0.5}, {"bias": "native"}]
    others += [{"tips": {"gap": 6.5}}, {"tips": {"orientation": "111"}}, {"voltage_v": 2.0000001}]
    for seed, changes in enumerate(others, 3):
        make(seed=seed, first=0.5, **changes)
    rows = listed(run("show", "--json"))["first_contact"]
    assert [row["runs"] for row in rows] == [2, *[1] * len(others)]
    assert (rows[0]["median_ps"], rows[0]["without_contact"]) == (0.5, 0)
    assert rows[1]["voltage_v"] == 8.0
    assert rows[2]["conditions"]["production"]["temperature_k"] == 700.0


def test_the_snapshots_of_a_run(run: Run, make: Make) -> None:
    node = make(first=0.5, label="the run")
    for name in (node.pk, node.uuid, "the run"):
        rows = json.loads(run("show", name, "--json").stdout)
        assert [row["stage"] for row in rows] == ["gap", "contact"]
        assert rows[0]["bottleneck_coordination"] is None
        assert rows[1] == {
            **{"stage": "contact", "time_ps": 0.5, "voltage_v": 2.0, "gap_left": 0.0, "bonds": 1},
            **{"bottleneck_coordination": 2.5, "atoms_in_gap": 4, "filament_atoms": 4, "floating_atoms": 1},
            "clusters": 1,
        }
    heads, first, _ = cells(run("show", node.pk).stdout)
    assert dict(zip(heads, first, strict=True))["gap_left"] == "3.25"
    assert dict(zip(heads, first, strict=True))["bottleneck_coordination"] == "-"


def test_without_runs_a_line_says_so(run: Run, make: Make) -> None:
    assert "no run of rewire.dynamics or rewire.chain here" in run("show", status=1).output
    assert "of label 'x' here" in run("show", "--label", "x", status=1).output
    assert listed(run("show", "--json")) == {"runs": [], "first_contact": []}


def test_identifiers_that_are_no_run_are_refused_in_a_line(run: Run, make: Make) -> None:
    running = make(status=None)
    make(label="twice", first=0.5)
    make(label="twice", first=0.5, seed=2)
    other = orm.Dict({}, label="a dict").store()
    cases = {
        "0": "identifier = '0': there is no such run",
        "9" * 30: "there is no such run",
        "-": "there is no such run",
        "": "identifier = '': there is no such run",
        "%": "there is no such run",
        "' OR 1=1 --": "there is no such run",
        'a"; DROP TABLE db_dbnode\n': "DROP TABLE db_dbnode\\n': there is no such run",
        "x" * 5000: "x'...: there is no such run",
        str(other.pk): "there is no such run",
        "a dict": "there is no such run",
        "twice": "several runs have it; give the PK of one",
        str(running.pk): "no snapshots: it is waiting",
    }
    for identifier, message in cases.items():
        said = run("show", "--", identifier, status=1).output
        assert message in said, identifier
        assert said.count("\n") == 1
        assert len(said) < 200
    assert "must be left out with an identifier" in run("show", running.pk, "--label", "x", status=1).output
