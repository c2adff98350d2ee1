"""`aiida-rewire campaign watch`: to the end of a campaign, and ended by somebody; what looking at one imports."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from click.testing import Result
from rich.console import Console
from sqlalchemy.exc import OperationalError
from tests.cli.invoking import invoke

from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.cli.campaign import watching
from aiida_rewire.cli.main import main

sys.path.append(str(Path(__file__).parents[1] / "campaign"))

from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec

Run = Callable[..., Result]

HEAVY = ("aiida_quantumespresso", "ase", "matplotlib", "pandas", "pymatgen", "scipy")
"""What a look at a campaign has no use for."""

LOOK = """
import sys
from aiida_rewire.cli.main import main
for words in (["status", sys.argv[2]], ["status"], ["failures", sys.argv[2]]):
    main(["campaign", "--profile", sys.argv[1], *words], standalone_mode=False)
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[3:])))
"""


@pytest.fixture
def group(aiida_profile: Any) -> orm.Group:
    """A campaign of two chains, 2V-s1 and 8V-s1, that nobody has started."""
    return record_campaign(make_spec(), "")[0]


@pytest.fixture
def label(group: orm.Group) -> str:
    return group.label


@pytest.fixture
def run(aiida_profile: Any) -> Run:
    """Run a command."""
    return partial(invoke, main, "campaign")


def test_watch_sees_what_others_do_and_ends_when_nothing_can_change(
    group: orm.Group, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = make_chain(group.label, "2V-s1", state="running").pk
    make_chain(group.label, "8V-s1")

    def end() -> None:
        # a thread has a session of its own, as another program has
        end_process(orm.load_node(running))
        get_manager().get_profile_storage().get_session().close()

    others = [threading.Thread(target=end), threading.Thread()]
    real = watching.look

    def look(seen: orm.Group) -> watching.Look:
        other = others.pop()
        other.start()
        other.join()
        return real(seen)

    monkeypatch.setattr(watching, "look", look)
    lines = run("watch", group.label, "--interval", "0.1").stdout.splitlines()
    assert lines[0] == f"running: {group.label}, 2 chains (1 running, 1 finished), 0 of 20 snapshots"
    assert lines[-2].endswith("2V-s1: finished, MD eq. 0/1 ps, 0/10 snapshots")
    assert lines[-1] == f"finished: {group.label}, 2 chains (2 finished), 0 of 20 snapshots"
    assert not others


def test_watch_ends_when_the_campaign_is_over(run: Run, label: str) -> None:
    for chain in ("2V-s1", "8V-s1"):
        make_chain(label, chain)
    lines = run("watch", label).stdout.splitlines()
    assert lines[0] == lines[-1] == f"finished: {label}, 2 chains (2 finished), 0 of 20 snapshots"
    assert json.loads(run("watch", label, "--json").stdout)["state"] == "finished"
    make_chain(label, "8V-s1", exit_status=311)
    assert run("watch", label).stdout.splitlines()[-1].startswith("finished")
    other = record_campaign(make_spec(), "")[0].label
    make_chain(other, "2V-s1")
    make_chain(other, "8V-s1", exit_status=311)
    assert (
        run("watch", other, status=1).stdout.splitlines()[-1].startswith(f"ended: {other}, 2 chains (1 finished, 1")
    )


def changing(label: str) -> Iterator[watching.Look]:
    """Look at a campaign while it goes on."""
    group = find_campaign(label)
    yield watching.look(group)
    first = make_chain(label, "2V-s1", state="running")
    yield watching.look(group)
    yield watching.look(group)
    make_conductance(label, "2V-s1", 0, 0.75, caller=first)
    end_process(first)
    make_chain(label, "8V-s1", exit_status=311)
    yield watching.look(group)


def test_watch_prints_what_changes(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert watching.watch_as_lines(changing(label)).state == "ended"
    lines = capsys.readouterr().out.splitlines()
    # the time comes first
    changes = [line.split(" ", 1)[1] for line in lines if line[2:3] == ":" == line[5:6]]
    assert changes == [
        "2V-s1: running (starting), MD eq. 0/1 ps, 0/10 snapshots",
        "2V-s1: finished, MD eq. 0/1 ps, 1/10 snapshots, T 0.75",
        "8V-s1: failed, MD eq. 0/1 ps, 0/10 snapshots",
    ]
    assert lines[-1] == f"ended: {label}, 2 chains (1 finished, 1 failed), 1 of 20 snapshots"


def test_watch_keeps_a_terminal_up_to_date(label: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160, height=40, color_system=None)
    assert watching.watch_on_terminal(changing(label), console).state == "ended"
    screens = console.file.getvalue()
    assert screens.index(f"waiting: {label}") < screens.index(f"running: {label}") < screens.index(f"ended: {label}")


def test_watch_waits_for_a_database_that_is_away(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for chain in ("2V-s1", "8V-s1"):
        make_chain(label, chain)
    real, failures = watching.look, [OperationalError("SELECT", {}, Exception("server closed the connection"))]

    def look(group: Any) -> watching.Look:
        if failures:
            raise failures.pop()
        return real(group)

    monkeypatch.setattr(watching, "look", look)
    told: list[str] = []
    looks = list(watching.looks_until_over(find_campaign(label).pk, 0.01, told.append))
    assert [progress.state for progress, _ in looks] == ["finished"]
    assert told == ["the database does not answer (server closed the connection): waiting"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_ends_the_watching_and_not_the_campaign(
    group: orm.Group,
    run: Run,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    looks = []
    real = watching.look
    # who starts tests in the background of a script lets them ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def look(seen: orm.Group) -> watching.Look:
        looks.append(seen.label)
        if len(looks) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(seen)

    monkeypatch.setattr(watching, "look", look)
    result = run("watch", group.label, "--interval", "0.1", *options, status=1)
    assert (len(looks), result.stderr) == (2, "the campaign goes on\n")
    assert (result.stdout == "") == bool(options)
    assert find_campaign(group.label).pk == group.pk


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "inf", "soon"])
def test_an_interval_out_of_bounds_is_refused(group: orm.Group, run: Run, interval: str) -> None:
    refused = run("watch", group.label, "--interval", interval, status=2)
    assert "Invalid value for '--interval'" in refused.stderr
    assert refused.stdout == ""


def test_a_folder_without_a_profile_is_a_line_and_none_is_made(run: Run, tmp_path: Path) -> None:
    for words in (["status"], ["status", "any"], ["watch", "any"]):
        refused = run(*words, "--directory", tmp_path / "none", status=1)
        assert "no profile there" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_look_imports_nothing_that_it_has_no_use_for(aiida_profile: Any, group: orm.Group) -> None:
    make_chain(group.label, "2V-s1", exit_status=311)
    words = [sys.executable, "-c", LOOK, aiida_profile.name, group.label, *HEAVY, "click"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
    assert "rewire.chain [311]" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported: click"
