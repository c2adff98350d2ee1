"""`aiida-rewire campaign submit`, `run`, `retry`, `pause`, `resume`, `kill`: what they record, say and refuse."""

import io
import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage.configuration import Profile
from aiida.plugins import GroupFactory
from aiida_pseudo.data.pseudo import UpfData
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.campaign.record import find_campaign, spec_of
from aiida_rewire.cli.main import main
from aiida_rewire.database.marks import CHAIN_PROCESS

Run = Callable[..., Result]
FAMILY = "control/frozen-d"
PROGRAMS = {"md": "rewire.md", "pw": "rewire.pw", "pp": "rewire.readback", "pwcond": "rewire.pwcond"}


@pytest.fixture(scope="module", autouse=True)
def ingredients(aiida_profile: Any) -> None:
    """Codes on a machine of their own, and a family of pseudopotentials."""
    computer = orm.Computer("study-host", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.store().configure()
    for label, plugin in PROGRAMS.items():
        path = "/usr/bin/python3" if label == "md" else f"/usr/bin/{label}.x"
        code = orm.InstalledCode(
            label=label, computer=computer, filepath_executable=path, default_calc_job_plugin=plugin
        )
        code.store()
    text = '<UPF version="2.0.1">\n<PP_HEADER\nelement="Ag"\nz_valence="1.0"\n/>\n</UPF>\n'
    pseudo = UpfData(io.BytesIO(text.encode()), filename="Ag.upf").store()
    GroupFactory("pseudo.family")(label=FAMILY).store().add_nodes([pseudo])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "campaign")


@pytest.fixture
def label() -> str:
    """Of a campaign that no other test has."""
    return f"control-{uuid.uuid4().hex[:8]}"


def write(label: str, *, voltages: str = "[2.0, 8.0]", more: str = "", file: str = "study.yaml") -> Path:
    """Write a campaign file."""
    codes = ", ".join(f"{name}: {name}@study-host" for name in PROGRAMS)
    path = Path(file)
    path.write_text(
        f"label: {label}\nprotocol: demo\ncodes: {{{codes}}}\npseudo_family: {FAMILY}\n"
        f"md: {{voltages: {voltages}, seeds: [1]}}\n{more}"
    )
    return path


def printed(result: Result) -> dict[str, Any]:
    """The one document that went to the standard output."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def make(label: str, state: str = "finished", status: int | None = 0) -> orm.WorkChainNode:
    """Store a process."""
    node = orm.WorkChainNode(label=label, process_type=CHAIN_PROCESS)
    node.set_process_state(state)
    if status is not None:
        node.set_exit_status(status)
    return node.store()


def test_a_campaign_is_recorded_and_the_same_file_again_changes_nothing(run: Run, label: str) -> None:
    first = printed(run("submit", write(label), "--hold", "--json"))
    group = find_campaign(label)
    assert first == {
        **{"label": label, "pk": group.pk, "uuid": group.uuid, "created": True, "added": [], "changed": []}
    }
    again = printed(run("submit", write(label, more="# a comment\n"), "--hold", "--json"))
    assert again == {**first, "created": False}
    said = run("submit", write(label), "--hold").stdout.splitlines()
    assert said == [
        f"{label} is recorded: 2 chains",
        f"nothing is started: `aiida-rewire campaign run {label}` does",
    ]
    assert read_extras(group)["source"] == Path("study.yaml").read_text()


def test_a_changed_file_is_told_apart_and_amended_where_it_only_adds(run: Run, label: str) -> None:
    run("submit", write(label), "--hold")
    more = write(label, voltages="[2.0, 8.0, 5.0]", more="limits: {active_chains: 1}\n")
    said = run("submit", more, "--hold", status=1).output
    assert said.startswith(f"Error: label = {label}: must be free, or submitted with the file it was recorded from")
    assert "this one adds 5V-s1, changes limits.active_chains from 2 to 1" in said
    assert "`--amend` adds chains" in said
    assert said.count("\n") == 1
    assert run("submit", more, "--amend", "--hold").stdout.splitlines()[0] == (
        f"{label} is recorded: 3 chains; 1 chain added, changed limits.active_chains"
    )
    again = printed(run("submit", more, "--amend", "--hold", "--json"))
    assert (again["added"], again["changed"]) == ([], [])
    less = write(label, voltages="[8.0]")
    assert "md = without 2V-s1, 5V-s1: must be" in run("submit", less, "--amend", "--hold", status=1).output
    assert spec_of(find_campaign(label)).md.voltages == [2.0, 8.0, 5.0]
    # of a label that is not there --amend makes a new one
    other = write(f"{label}-2")
    assert printed(run("submit", other, "--amend", "--hold", "--json"))["created"] is True


def test_a_file_that_could_not_be_run_is_refused_with_every_reason(run: Run, label: str) -> None:
    bad = write(label, voltages="[2.0, 2.0]", more="limts: {}\nretries: {attempts: 0}\n")
    said = run("submit", bad, status=1).output.splitlines()
    assert len(said) == 4
    assert [line.split(": ", 2)[1].split(" = ")[0] for line in said[:3]] == [
        "md.voltages[1]",
        "limts",
        "retries.attempts",
    ]
    assert said[-1] == "Error: 3 errors in study.yaml; nothing is recorded"
    wrong = write(label)
    wrong.write_text(wrong.read_text().replace("pw@study-host", "nothing@study-host").replace(FAMILY, "nothing"))
    said = run("submit", wrong, "--json", status=1).output.splitlines()
    assert said[-1] == "Error: 2 errors in study.yaml; nothing is recorded"
    assert "study.yaml:3: codes.pw = 'nothing@study-host': there is none of that label" in said[0]
    assert GroupFactory("rewire.campaign").collection.find(filters={"label": label}) == []
    assert "cannot be read" in run("submit", "nowhere.yaml", status=1).output


def test_a_profile_without_a_broker_runs_nothing(run: Run, label: str) -> None:
    for arguments in (("submit", write(label)), ("run", label), ("run", label, "--detach")):
        said = run(*arguments, status=1).output
        assert "must have a broker, by which chains reach the daemon" in said
        assert said.count("\n") == 1
    # it is recorded all the same
    assert find_campaign(label).label == label


@pytest.mark.parametrize("command", ["run", "retry", "pause", "resume", "kill"])
def test_labels_and_chains_that_are_none_are_refused_in_a_line(run: Run, label: str, command: str) -> None:
    run("submit", write(label), "--hold")
    yes = ("--yes",) if command == "kill" else ()
    for wrong in (label[:-1], "%", "' OR 1=1 --", "x" * 5000, "[bold]x"):
        said = run(command, *yes, "--", wrong, status=1).output
        assert "must be that of a recorded campaign; there is " in said
        assert said.count("\n") == 1
        assert len(said) < 400
    if command != "run":
        said = run(command, label, *yes, "--chain", "2V-s2", status=1).output
        assert said == "Error: chain = '2V-s2': must be a chain of the campaign; there is 2V-s1, 8V-s1\n"


def test_what_people_ask_for_is_recorded_though_nothing_runs(run: Run, label: str) -> None:
    run("submit", write(label), "--hold")
    one = printed(run("pause", label, "--chain", "8V-s1", "--json"))
    assert (one["paused"], one["paused_chains"], one["daemon"]) == (False, ["8V-s1"], False)
    assert one["processes"] == {"done": 0, "left": 0, "jobs_left": 0}
    assert printed(run("pause", label, "--json"))["paused"] is True
    # of a paused campaign one chain goes on: the others are paused one by one
    one = printed(run("resume", label, "--chain", "8V-s1", "--json"))
    assert (one["paused"], one["paused_chains"]) == (False, ["2V-s1"])
    one = printed(run("resume", label, "--json"))
    assert (one["paused"], one["paused_chains"]) == (False, [])
    assert "kill all chains of" in run("kill", label, text="n\n", status=1).output
    assert read_extras(find_campaign(label))["killed_chains"] == []
    assert run("kill", label, "--chain", "2V-s1", text="y\n").stdout.endswith("killed 2V-s1: 0 processes\n")
    one = printed(run("kill", label, "--json"))
    assert one["killed_chains"] == ["2V-s1", "8V-s1"]


def test_only_what_failed_is_tried_again(run: Run, label: str) -> None:
    run("submit", write(label, voltages="[1, 2, 3, 4, 5]", more="retries: {attempts: 1}\n"), "--hold")
    make(f"{label}/1V-s1")
    make(f"{label}/2V-s1", status=310)
    make(f"{label}/3V-s1", status=500)
    make(f"{label}/3V-s1/snapshot_0004", status=320)
    make(f"{label}/4V-s1", "waiting", None)
    run("kill", label, "--chain", "5V-s1", "--yes")
    found = printed(run("retry", label, "--exit-code", "320", "--json"))
    assert found == {
        "label": label,
        "granted": ["3V-s1"],
        "left_alone": {
            "1V-s1": "is finished",
            "2V-s1": "failed with exit code 310, not with exit code 320",
            "4V-s1": "still runs",
            "5V-s1": "was killed, not with exit code 320",
        },
        "controller": "none",
    }
    assert run("retry", label).stdout.splitlines() == [
        "2V-s1: failed with exit code 310: attempt 2",
        "5V-s1: was killed: attempt 1",
        f"no controller runs: `aiida-rewire campaign run {label}` starts them",
    ]
    extras = read_extras(find_campaign(label))
    assert (extras["granted_retries"], extras["killed_chains"]) == ({"3V-s1": 1, "2V-s1": 1}, [])
    # twice is the same as once
    assert run("retry", label).stdout == "nothing is tried again: no such chain failed\n"
    assert run("retry", label, "--chain", "2V-s1").stdout.splitlines()[0] == "2V-s1: is tried again anyway"
    assert read_extras(find_campaign(label))["granted_retries"] == extras["granted_retries"]


def test_a_campaign_at_its_end_is_summed_up(run: Run, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Profile, "process_control_backend", "core.rabbitmq")
    run("submit", write(label, more="retries: {attempts: 1}\n"), "--hold")
    make(f"{label}/2V-s1")
    last = make(f"{label}/8V-s1", status=500)
    last.set_exit_message("3 of 9 snapshots have no conductance")
    said = run("run", label, status=1).stdout.splitlines()
    assert said == [
        "2 chains: 1 finished, 1 failed",
        "8V-s1: failed: attempt 1 ended ([500] 3 of 9 snapshots have no conductance)",
        "the campaign is at its end: 1 of 2 chains finished",
    ]
    make(f"{label}/8V-s1")
    ended = run("run", label, "--json")
    assert printed(ended) == {"label": label, "finished": True}
    assert "the campaign is at its end: 2 of 2 chains finished" in ended.stderr
    extras = read_extras(find_campaign(label))
    assert "controller" not in extras
    assert len(list(find_campaign(label).nodes)) == 3
