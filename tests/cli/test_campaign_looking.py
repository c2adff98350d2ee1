"""`aiida-rewire campaign status`, `failures`, `cost`: what they say, to people and to programs."""

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from click.testing import Result
from rich.console import Console
from tests.cli.invoking import invoke

from aiida_rewire.campaign.extras import change_extras
from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.cli.campaign import watching
from aiida_rewire.cli.campaign.showing import Sheet, drawn, duration_text, plain_lines
from aiida_rewire.cli.main import main
from aiida_rewire.database.lock import lock_of

sys.path.append(str(Path(__file__).parents[1] / "campaign"))

from made_conductances import end_process, make_chain
from small_campaigns import make_spec
from synthetic import synthetic_campaign
from synthetic_tables import Made

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def made(aiida_profile: Any) -> Iterator[Made]:
    """A campaign of ten chains in all states, of twenty snapshots each."""
    with synthetic_campaign() as campaign:
        yield campaign


@pytest.fixture
def run() -> Run:
    """Run a command."""
    return partial(invoke, main, "campaign")


@pytest.fixture
def label(aiida_profile: Any) -> str:
    """Of a campaign of two chains that nobody started."""
    return record_campaign(make_spec(), "")[0].label


def printed(result: Result) -> dict[str, Any]:
    """The one document that went to the standard output."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_status_in_columns(run: Run, made: Made) -> None:
    lines = run("status", made.label).stdout.splitlines()
    done = sum(chain.snapshots["done"] for chain in made.chains.values())
    assert lines[0].startswith(
        f"running: {made.label}, 10 chains (1 waiting, 4 running, 2 finished, 2 failed, 1 killed), {done} of 200 "
    )
    assert lines[1] == f"no controller runs it: `aiida-rewire campaign run {made.label} --detach` starts one"
    titles = next(number for number, line in enumerate(lines) if line.startswith("chain "))
    rows = {line.split()[0]: line.split() for line in lines[titles + 1 : titles + 11]}
    assert list(rows) == list(made.chains)
    names = {(one.state, one.step, one.attempts): name for name, one in made.chains.items()}
    finished = rows[names["finished", None, 1]]
    assert finished[1:7] == ["finished", "3.8/3.8", "20/20", "1", "-", "-"]
    assert rows[names["running", "equilibration", 1]][1:5] == ["running", "(equilibration)", "eq.", "0/1"]
    assert rows[names["running", "snapshots", 2]][1:8] == [
        "running",
        "(snapshots)",
        "3.8/3.8",
        "19/20",
        "-",
        "1",
        "-",
    ]
    notes = "\n".join(lines[titles + 11 :])
    assert "[500] 2 of 20 snapshots have no conductance; see the trace." in notes
    assert "its work chain excepted; 4 processes below it go on" in notes


def test_status_for_programs(run: Run, made: Made) -> None:
    found = printed(run("status", made.label, "--json"))
    assert (found["label"], found["state"], found["over"], found["paused"]) == (made.label, "running", False, False)
    assert found["controller"]["runs"] is False
    assert found["chains_by_state"] == {"waiting": 1, "running": 4, "finished": 2, "failed": 2, "killed": 1}
    for chain in found["chains"]:
        expected = made.chains[chain["name"]]
        counts = {name: number for name, number in expected.snapshots.items() if number}
        assert {name: chain["snapshots"][name] for name in counts} == counts
        assert (chain["state"], chain["step"], chain["attempts"]) == (
            expected.state,
            expected.step,
            expected.attempts,
        )
        there = chain["md"]["equilibration"]["done_ps"] + chain["md"]["production"]["done_ps"]
        assert there == pytest.approx(expected.md_ps)
    orphaned = next(chain for chain in found["chains"] if chain["notes"])
    assert orphaned["jobs"] == {"retrieving": 2}
    assert found["left_s"] > 0


def test_all_campaigns_in_a_line_each(run: Run, made: Made, label: str) -> None:
    lines = run("status").stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines}
    done = sum(chain.snapshots["done"] for chain in made.chains.values())
    assert rows[made.label][1:6] == ["running", "2/10", "3", "3", f"{done}/200"]
    assert rows[label][1:6] == ["waiting", "0/2", "-", "-", "0/20"]
    found = {one["label"]: one for one in printed(run("status", "--json"))["campaigns"]}
    assert found[made.label]["snapshots"] == {"done": done, "total": 200}
    assert found[made.label]["chains_by_state"]["failed"] == 2
    change_extras(find_campaign(label), lambda extras: {**extras, "paused": True})
    assert {one["label"]: one["state"] for one in printed(run("status", "--json"))["campaigns"]}[label] == "paused"


def test_a_controller_is_said_to_run_while_it_holds_the_lock_and_not_after(run: Run, label: str) -> None:
    group = find_campaign(label)
    mine = {"pid": 17, "host": "here", "user": "me", "since": "2026-01-01T00:00:00+00:00"}
    change_extras(group, lambda extras: {**extras, "controller": mine})
    lock = lock_of(group.uuid)
    assert lock.acquire()
    try:
        assert "a controller runs it on here, PID 17, since 2026" in run("status", label).stdout
        assert printed(run("status", label, "--json"))["controller"] == {"runs": True, **mine}
    finally:
        lock.release()
    # one that was killed leaves its words behind
    assert "no controller runs it" in run("status", label).stdout
    assert printed(run("status", label, "--json"))["controller"]["pid"] is None


@pytest.mark.parametrize("command", ["status", "watch", "failures", "cost"])
def test_a_label_that_is_none_is_refused_in_a_line(run: Run, command: str, label: str) -> None:
    said = run(command, f"{label}x", status=1).output
    assert said.startswith(f"Error: label = '{label}x': must be that of a recorded campaign; there is ")
    assert said.count("\n") == 1
    assert "must be that of a recorded campaign" in run(command, "[red]no[/red]", status=1).output


def test_what_users_and_programs_wrote_is_never_markup_and_steers_no_terminal(label: str, run: Run) -> None:
    node = make_chain(label, "2V-s1", state="running")
    node.set_exit_message("\x1b[2J[bold red]lost[/bold red] \x07 [link=http://x]y[/link]")
    end_process(node, exit_status=311)
    progress, runners = watching.look(find_campaign(label))
    shown = "2V-s1: [311] [bold red]lost[/bold red] [link=http://x]y[/link]"
    assert shown in run("status", label).stdout.splitlines()
    terminal = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    terminal.print(drawn(watching.progress_sheet(progress, runners)))
    assert shown in terminal.file.getvalue()
    assert "[bold red]lost[/bold red]" in run("failures", label).stdout
    assert "\x1b" not in run("failures", label).stdout


def test_failures_for_people(run: Run, made: Made) -> None:
    said = run("failures", made.label).stdout
    blocks = said.split("\n\n")
    unitarity = next(
        block for block in blocks if block.startswith("rewire.junction [330] ERROR_UNITARITY: 2 (chains")
    )
    assert unitarity.splitlines()[1:] == [
        "  No transmission stored, unitarity is broken: 0.1",
        f"  example: <{_pk(unitarity)}> {made.label}/{_chain(made)}/snapshot_0002",
        "    aiida.out: Error in routine c_bands (1):",
        "    aiida.out: too many bands are not converged",
        "  way out: more flat layers (overrides.junction.lower_layers, upper_layers) in the file of a campaign of "
        "another label",
    ]
    assert any(
        block.startswith("rewire.junction [420] ERROR_SCF_INCOMPLETE: 2, and 3 made up for") for block in blocks
    )
    assert f"`aiida-rewire campaign retry {made.label}` tries again what failed" in said
    assert "rewire.chain excepted: 1" in said
    assert "rewire.chain killed: 1" in said
    # what only says that snapshots are missing comes last, in a line
    lacking = [name for name, one in made.chains.items() if one.snapshots["failed"] or one.attempts == 2]
    last = [line for line in said.splitlines() if line.startswith("chains incomplete")]
    assert last == [f"chains incomplete: 2 (chains {', '.join(lacking)})"]
    assert "ERROR_SNAPSHOTS_MISSING" not in said
    assert said.index("rewire.md.base killed") < said.index("rewire.chain killed") < said.index(last[0])


def _pk(block: str) -> str:
    return block.split("<")[1].split(">")[0]


def _chain(made: Made) -> str:
    return next(name for name, one in made.chains.items() if one.snapshots["failed"])


def test_failures_for_programs(run: Run, made: Made) -> None:
    found = printed(run("failures", made.label, "--json"))
    rows = {(row["process"], row["exit_status"] or row["state"]): row for row in found["failures"]}
    assert {how: row["count"] for how, row in rows.items()} == made.failures - Counter({("rewire.chain", 500): 2})
    lacking = [name for name, one in made.chains.items() if one.snapshots["failed"] or one.attempts == 2]
    assert found["chains_incomplete"] == {"count": 2, "mended": 0, "chains": lacking}
    row = rows["rewire.junction", 330]
    assert row["exit_code"] == "ERROR_UNITARITY"
    assert row["lines"][0] == {"source": "aiida.out", "text": "Error in routine c_bands (1):"}
    assert row["example"]["label"].endswith("/snapshot_0002")
    assert row["deepest"]["pk"] == row["example"]["pk"]
    assert rows["rewire.chain", "killed"]["exit_code"] is None


def test_failures_that_are_none_or_all_made_up_for(run: Run, label: str) -> None:
    assert run("failures", label).stdout == "nothing failed\n"
    make_chain(label, "2V-s1", exit_status=500)
    make_chain(label, "2V-s1")
    said = run("failures", label).stdout.splitlines()
    assert said == [
        "all that failed was made up for",
        "",
        "made up for: chains incomplete: 1",
    ]
    assert run("failures", label, "--mended").stdout.startswith("chains incomplete: 0, and 1 made up for\n")
    assert printed(run("failures", label, "--json")) == {
        "label": label,
        "failures": [],
        "chains_incomplete": {"count": 1, "mended": 1, "chains": []},
    }


def test_cost_for_people_and_programs(run: Run, made: Made) -> None:
    found = printed(run("cost", made.label, "--no-sacct", "--json"))
    good = sum(chain.snapshots["done"] - chain.snapshots["reused"] for chain in made.chains.values())
    separate = made.mended["rewire.junction", 420] - 1
    scf = found["steps"]["scf"]["good"]
    # 60, 5 and 35 s on four cores
    assert scf["jobs"] == good - separate
    assert scf["core_hours"] == pytest.approx((good - separate) * 240 / 3600)
    assert found["steps"]["pwcond"]["good"]["wall_hours"] == pytest.approx((good - separate) * 35 / 3600)
    assert found["wasted"]["jobs"] == sum(
        number for (plugin, _), number in made.failures.items() if plugin == "rewire.junction"
    )
    assert found["saved"]["snapshots_of_equal_contacts"] == 2
    assert set(found["sources"]) == {"program", "unknown"}
    # those whose snapshot has a conductance from another job are told apart
    statuses = {status: there[status]["jobs"] for status, there in found["statuses"].items()}
    assert statuses["mended"] == made.mended["rewire.junction", 420]
    assert statuses["mended"] + statuses["failed"] == found["wasted"]["jobs"]
    lines = run("cost", made.label, "--no-sacct").stdout.splitlines()
    assert lines[0].startswith(f"{made.label}: ")
    row = next(line.split() for line in lines if line.startswith("scf "))
    assert row[:3] == ["scf", str(scf["jobs"]), f"{scf['core_hours']:.3g}"]
    assert "unknown: nobody knows; counted as nothing" in lines


def test_columns_of_a_sheet_hold_together() -> None:
    sheet = Sheet(("name", ">number"), [("a", "1"), ("longer", "100")], before=["above"], after=["below"])
    assert list(plain_lines(sheet)) == ["above", "name    number", "a            1", "longer     100", "below"]


def test_times_in_their_two_largest_units() -> None:
    times = (None, 20, 61, 3599, 7260, 26 * 3600 + 1800, 99 * 86400)
    assert [duration_text(seconds) for seconds in times] == [
        *("-", "< 1 min", "1 min", "1 h 00 min", "2 h 01 min", "1 d 02 h", "99 d 00 h"),
    ]


def test_a_record_that_is_not_this_versions_is_told_in_a_line(run: Run, label: str) -> None:
    def changed(extras: dict[str, Any]) -> dict[str, Any]:
        return {**extras, "spec": {**extras["spec"], "md": {**extras["spec"]["md"], "voltages": "high", "seed": 1}}}

    group = find_campaign(label)
    change_extras(group, changed)
    said = run("status", label, status=1).stderr
    listed = run("status", "--json")
    table = run("status")
    orm.Group.collection.delete(group.pk)
    assert len(said.splitlines()) == 1
    assert said.startswith("Error: record: md.")
    assert said.endswith("; and 1 more\n")
    # the list of all campaigns goes on past it
    campaigns = json.loads(listed.stdout)["campaigns"]
    (unreadable,) = (campaign for campaign in campaigns if campaign["label"] == label)
    assert unreadable["state"] == "unreadable"
    assert unreadable["problem"].startswith("record: md.")
    assert [campaign["problem"] for campaign in campaigns if campaign["label"] != label] == [None] * (
        len(campaigns) - 1
    )
    assert any(line.startswith(f"{label}: record: md.") for line in table.stderr.splitlines())
