"""`aiida-rewire campaign plan`: what it says of a file, and that nothing is stored."""

import io
import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import GroupFactory
from aiida_pseudo.data.pseudo import UpfData
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.campaign.reading import read_campaign
from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.cli.main import main
from aiida_rewire.database.marks import CHAIN_PROCESS

Run = Callable[..., Result]
PROGRAMS = {"md": "rewire.md", "pw": "rewire.pw", "pp": "rewire.readback", "pwcond": "rewire.pwcond"}
HOST = f"plan-{uuid.uuid4().hex[:8]}"
FAMILY = f"plan/{HOST}"


@pytest.fixture(scope="module", autouse=True)
def ingredients(aiida_profile: Any, potential: Any) -> None:
    """Codes on a machine of their own, and a family of pseudopotentials."""
    computer = orm.Computer(HOST, "localhost", transport_type="core.local", scheduler_type="core.slurm")
    computer.store().configure()
    for label, plugin in PROGRAMS.items():
        path = "/usr/bin/python3" if label == "md" else f"/usr/bin/{label}.x"
        orm.InstalledCode(
            label=label, computer=computer, filepath_executable=path, default_calc_job_plugin=plugin
        ).store()
    text = f'<UPF version="2.0.1"><!-- {HOST} -->\n<PP_HEADER\nelement="Ag"\nz_valence="1.0"\n/>\n</UPF>\n'
    pseudo = UpfData(io.BytesIO(text.encode()), filename="Ag.upf").store()
    GroupFactory("pseudo.family")(label=FAMILY).store().add_nodes([pseudo])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "campaign", "plan")


def write(more: str = "", *, seeds: str = "[1]", label: str = "") -> Path:
    codes = ", ".join(f"{name}: {name}@{HOST}" for name in PROGRAMS)
    path = Path("study.yaml")
    path.write_text(
        f"label: {label or uuid.uuid4().hex}\nprotocol: demo\ncodes: {{{codes}}}\npseudo_family: {FAMILY}\n"
        f"md: {{voltages: [2.0, 8.0], seeds: {seeds}}}\n{more}"
    )
    return path


def test_a_file_is_planned_and_nothing_is_stored(run: Run) -> None:
    run(write())
    nodes, groups = (orm.QueryBuilder().append(kind).count() for kind in (orm.Node, orm.Group))
    said = json.loads(run(write("limits: {active_jobs: {" + HOST + ": 3}}\n"), "--json").stdout)
    assert [orm.QueryBuilder().append(kind).count() for kind in (orm.Node, orm.Group)] == [nodes, groups]
    assert said["ok"] and said["errors"] == [] and said["notes"] == []
    # 1.8 ps every 0.2 ps, the one at 0 ps among them
    assert (said["chains"], said["snapshots"], said["snapshots_left"]) == (2, 20, 20)
    assert said["states"] == {"new": 2}
    jobs = {step["step"]: step["jobs"] for step in said["steps"]}
    # one lead for both: the demo's is never wider
    assert jobs == {"equilibration": 2, "production": 2, "lead": 1, "lead readback": 1, "snapshot": 20}
    assert {step["source"] for step in said["steps"]} == {"estimate"}
    assert said["core_hours"] == pytest.approx(sum(step["core_hours"] for step in said["steps"]))
    assert said["core_hours_at_most"] == 26.0
    # two jobs of a chain at a time, of which the limit lets one chain have its own
    assert said["active_chains"] == 1
    assert said["jobs_at_once"] == {HOST: {"jobs": 2, "limit": 3}}
    assert said["slots"]["needed"] == said["slots"]["of_each_chain"] == 9
    assert said["end_s"] == pytest.approx(2 * said["longest_chain_s"])
    # 182 atoms, 2800 steps of 3.5e-5 s each
    dynamics = sum(step["core_hours"] for step in said["steps"][:2]) * 3600
    assert dynamics == pytest.approx(2 * 182 * 2800 * 3.5e-5)


def test_people_get_a_table(run: Run) -> None:
    said = run(write(label="silver-plan")).stdout.splitlines()
    assert said[0] == "silver-plan: 2 chains (2 new), 20 snapshots, 20 left to compute"
    assert said[1].split() == ["step", "jobs", "cores", "wall", "each", "core-hours", "from"]
    assert [line.split()[:2] for line in said[2:8]] == [
        *(["equilibration", "2"], ["production", "2"], ["lead", "1"], ["lead", "readback"]),
        *(["snapshot", "20"], ["all", "26"]),
    ]
    # an hour for each of 26 jobs of one core
    assert said[8] == "at most 26 core-hours, if each job takes its whole wall time, once"
    assert said[9] == "found in the database: nothing to take over"
    assert said[10].startswith("disk: ") and said[10].endswith(" in the repository")
    assert said[11].startswith("at once: 2 chains, 18 of ") and said[11].endswith(f"jobs 4 on {HOST} (limit none)")
    assert said[12].startswith("time, queues aside: longest chain ")


def test_all_that_is_wrong_with_a_file_is_said_as_check_does(run: Run) -> None:
    path = write("snapshots: {lane: 2}\nretries: {attempts: 0}\n")
    path.write_text(path.read_text().replace(f"pw@{HOST}", f"pv@{HOST}"))
    result = run(path, status=1)
    assert [line.split(": ")[1].split(" = ")[0] for line in result.stderr.splitlines()[:-1]] == [
        *("codes.pw", "snapshots.lane", "retries.attempts")
    ]
    assert result.stderr.splitlines()[-1] == "Error: 3 errors in study.yaml"
    assert result.stdout == ""
    assert json.loads(run(path, "--json", status=1).stdout) == {
        "ok": False,
        "errors": result.stderr.splitlines()[:-1],
    }
    assert "none.yaml:1: cannot be read" in run("none.yaml", status=1).output


def test_of_a_recorded_campaign_what_is_left_is_planned(run: Run) -> None:
    label = f"recorded-{uuid.uuid4().hex[:8]}"
    path = write(label=label, seeds="[1, 2, 3]")
    record_campaign(read_campaign(path), path.read_text())
    for chain, state, status in (("2V-s1", "finished", 0), ("8V-s1", "finished", 311), ("8V-s2", "killed", None)):
        node = orm.WorkChainNode(label=f"{label}/{chain}", process_type=CHAIN_PROCESS)
        node.set_process_state(state)
        if status is not None:
            node.set_exit_status(status)
        node.store()
    said = json.loads(run(write(label=label, seeds="[1, 2, 3]"), "--json").stdout)
    assert said["states"] == {"finished": 1, "failed": 2, "new": 3}
    assert (said["chains"], said["snapshots"], said["snapshots_left"], said["notes"]) == (6, 60, 30, [])
    assert [step["jobs"] for step in said["steps"]] == [3, 3, 1, 1, 30]
    changed = json.loads(run(write(label=label, seeds="[1, 2, 3, 4]"), "--json").stdout)
    assert changed["states"]["new"] == 5
    assert changed["notes"] == [
        "the campaign is recorded from a file that says something else; this one adds 2V-s4, 8V-s4"
    ]
