"""Campaigns of several people in one database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.group_database import PSEUDO
from tests.real.group.accounts import CLI, Account
from tests.real.group.conftest import ADA, BEN, EMAILS, VIC, Group
from tests.real.services.postgres import Postgres

pytestmark = pytest.mark.real

LONGEST_S = 420.0

AT_ONCE = """
import json, sys, time
from pathlib import Path
from aiida import load_profile
load_profile()
from aiida_rewire.campaign.reading import read_campaign
from aiida_rewire.campaign.record import record_campaign
spec, source = read_campaign(Path(sys.argv[1])), Path(sys.argv[1]).read_text()
found = []
for turn in range(int(sys.argv[2])):
    one = spec.model_copy(update={"label": f"{spec.label}-{turn}"})
    print("ready", flush=True)
    time.sleep(max(0.0, float(sys.stdin.readline()) - time.time()))
    group, created = record_campaign(one, source)
    found.append([group.uuid, created])
print(json.dumps(found))
"""

RACES = 40


def file_of(account: Account, label: str, **sections: Any) -> Path:
    values = {
        "label": label,
        "protocol": "demo",
        "codes": {name: f"{name}@here" for name in ("md", "pw", "pp", "pwcond")},
        "pseudo_family": "stand-in",
        "md": {"voltages": [12.0], "seeds": [1], "equilibration_ps": 0.1, "production_ps": 0.2},
        **sections,
    }
    return account.write(f"{label}.yaml", json.dumps(values))


def listed(account: Account, *options: str) -> dict[str, str]:
    """Return by whom each campaign of a list was recorded."""
    seen = json.loads(account.rewire("campaign", "status", "--json", *options))
    return {one["label"]: one["submitted_by"] for one in seen["campaigns"]}


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def of_ada(group: Group) -> str:
    """A campaign of one member, and one of the other."""
    said = group.ada.rewire("campaign", "submit", str(file_of(group.ada, "of-ada")))
    assert said == "recorded of-ada: 1 chain\nthe group's service runs it\n"
    said = group.ben.rewire("campaign", "submit", "--hold", str(file_of(group.ben, "of-ben")))
    assert said.startswith("recorded of-ben: 1 chain\nnothing is started")
    return "of-ada"


@pytest.mark.nightly
def test_everybody_sees_whose_campaign_it_is(group: Group, of_ada: str) -> None:
    for account in (group.owner, group.ada, group.vic):
        assert {"of-ada": EMAILS[ADA], "of-ben": EMAILS[BEN]}.items() <= listed(account).items()
        assert "of-ben" not in listed(account, "--by", "ada")
        assert listed(account, "--by", EMAILS[ADA].upper())["of-ada"] == EMAILS[ADA]
        assert json.loads(account.rewire("campaign", "status", of_ada, "--json"))["submitted_by"] == EMAILS[ADA]
        assert f"recorded by {EMAILS[ADA]}" in account.rewire("campaign", "status", of_ada)
    assert set(listed(group.ben, "--mine").values()) == {EMAILS[BEN]}
    assert group.vic.rewire("campaign", "status", "--mine") == f"no campaign was recorded by {EMAILS[VIC]}\n"


@pytest.mark.nightly
def test_a_viewer_reads_all_that_is_to_be_seen(group: Group, of_ada: str) -> None:
    for command in ("failures", "cost"):
        assert group.vic.run(*CLI, "campaign", command, of_ada).status == 0
    out = group.vic.home / "out"
    written = json.loads(group.vic.rewire("campaign", "export", of_ada, "--output", str(out), "--json"))
    assert Path(written["files"]["archive"]).is_file()
    for words in (("process", "list", "--all"), ("group", "list", "--all"), ("code", "list"), ("user", "list")):
        done = group.vic.verdi(*words)
        assert done.status == 0, done.errors


@pytest.mark.nightly
def test_what_a_viewer_would_change_is_refused_in_a_line(group: Group, of_ada: str) -> None:
    refusal = "Error: the database does not let you do that (permission denied for table db_dbgroup): a viewer reads"
    file = str(file_of(group.vic, "of-vic"))
    for words in (
        ("submit", file),
        ("pause", of_ada, "--force", "ada"),
        ("kill", of_ada, "--yes", "--force", "ada"),
        ("run", of_ada),
    ):
        assert one_line(group.vic.rewire("campaign", *words, status=1)).startswith(refusal)
    clean = one_line(group.vic.rewire("campaign", "clean", of_ada, "--yes", status=1))
    assert clean == "Error: clean: is for the account that owns the group's database; you are a viewer: ask it"
    assert "of-vic" not in listed(group.vic)


@pytest.mark.nightly
def test_nobody_changes_anothers_campaign_without_naming_them(group: Group, of_ada: str) -> None:
    ada = EMAILS[ADA]
    refusal = f"Error: label = of-ada: must be a campaign of yours; {ada} recorded it; --force {ada}"
    for words in (("pause", of_ada), ("resume", of_ada), ("kill", of_ada, "--yes"), ("retry", of_ada)):
        assert one_line(group.ben.rewire("campaign", *words, status=1)) == refusal
    assert one_line(group.owner.rewire("campaign", "clean", of_ada, "--yes", status=1)) == refusal
    changed = str(file_of(group.ben, "of-ada", description="of another"))
    assert one_line(group.ben.rewire("campaign", "submit", "--amend", changed, status=1)) == refusal
    wrong = one_line(group.ben.rewire("campaign", "pause", of_ada, "--force", "ben", status=1))
    assert wrong == f"Error: force = 'ben': must be who recorded of-ada; that is {ada}"

    before = json.loads(group.vic.rewire("campaign", "status", of_ada, "--json"))
    assert not before["paused"]
    assert group.ben.rewire("campaign", "pause", of_ada, "--force", "ada").startswith("paused of-ada")
    assert json.loads(group.vic.rewire("campaign", "status", of_ada, "--json"))["paused"]
    # whose it is stays
    assert group.ada.rewire("campaign", "resume", of_ada).startswith("resumed of-ada")
    assert listed(group.vic)["of-ada"] == ada


def test_two_members_who_submit_at_the_same_moment_make_one_campaign(group: Group, postgres: Postgres) -> None:
    running = []
    for account in (group.ada, group.ben):
        words = (str(file_of(account, "race")), str(RACES))
        running.append(
            subprocess.Popen(
                account.command(sys.executable, "-W", "ignore", "-c", AT_ONCE, *words),
                cwd=account.home,
                env=account.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for _ in range(RACES):
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        begin = f"{time.time() + 0.05}\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write(begin)
            process.stdin.flush()
    ours, theirs = (json.loads(process.communicate(timeout=60)[0]) for process in running)
    assert [uuid for uuid, _ in ours] == [uuid for uuid, _ in theirs]
    assert [mine + other for (_, mine), (_, other) in zip(ours, theirs, strict=True)] == [1] * RACES
    owners = {label: who for label, who in listed(group.vic).items() if label.startswith("race-")}
    assert len(owners) == RACES
    log = postgres.folder.with_name(f"{postgres.folder.name}.log").read_text(errors="replace")
    both_tried = log.count("duplicate key value violates unique constraint")
    assert both_tried > 0, "never did both find none, and store theirs"
    for turn, (_, mine) in enumerate(ours):
        assert owners[f"race-{turn}"] == EMAILS[ADA if mine else BEN]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "text", ["'; DROP TABLE db_dbnode; --", '" OR 1=1 --', "$(touch ~/owned)", "a\nb", "%", "of-ada'", "x" * 100_000]
)
def test_texts_that_mean_something_elsewhere_are_labels_of_nothing(group: Group, of_ada: str, text: str) -> None:
    for words in (("status", text), ("pause", text), ("pause", of_ada, "--force", text)):
        line = one_line(group.ben.rewire("campaign", *words, status=1))
        assert line.startswith("Error: ")
        assert len(line) < 400
    assert "no campaign was recorded by" in group.ben.rewire("campaign", "status", "--by", text)
    assert not list(group.ben.home.glob("**/owned"))
    assert listed(group.vic)["of-ada"] == EMAILS[ADA]


@pytest.mark.nightly
def test_an_archive_is_taken_in_by_its_owner_alone(group: Group, of_ada: str) -> None:
    out = group.ada.home / "archive"
    written = json.loads(group.ada.rewire("campaign", "export", of_ada, "--output", str(out), "--json"))
    group.ada.home.chmod(0o711)
    line = one_line(group.ada.rewire("campaign", "import", written["files"]["archive"], status=1))
    assert "is for the account that owns the group's database; you are a member: ask it" in line


@pytest.fixture
def service(group: Group, tmp_path: Path) -> Iterator[Path]:
    """The owner's daemon and service, as their units start them; the log of the service."""
    log = tmp_path / "service.log"
    verdi = (sys.executable, "-W", "ignore", "-m", "aiida")
    daemon = group.owner.start(*verdi, "daemon", "start", "--foreground", log=tmp_path / "daemon.log")
    serving = group.owner.start(*CLI, "campaign", "serve", "--interval", "1", log=log)
    try:
        wait_for(lambda: group.owner.verdi("daemon", "status").status == 0, "the daemon runs", 60)
        group.owner.python(PSEUDO, "ld1@here")
        yield log
    finally:
        serving.terminate()
        group.owner.verdi("daemon", "stop")
        for process in (serving, daemon):
            process.wait(60)


def wait_for(condition: Callable[[], Any], what: str, longest_s: float = LONGEST_S) -> None:
    deadline = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1.0)


@pytest.mark.nightly
def test_the_service_runs_what_members_record_to_its_end(group: Group, service: Path) -> None:
    cutoffs = {"parameters": {"SYSTEM": {"ecutwfc": 6.0, "ecutrho": 24.0}}}
    sections = {
        "pseudo_family": "rewire/frozen-d",
        "snapshots": {"interval_ps": 0.2, "lanes": 1},
        "overrides": {"lead": cutoffs, "scf": cutoffs},
    }
    for account, label in ((group.ada, "served-ada"), (group.ben, "served-ben")):
        assert "service runs it" in account.rewire("campaign", "submit", str(file_of(account, label, **sections)))

    def state(label: str) -> Any:
        return json.loads(group.vic.rewire("campaign", "status", label, "--json"))["state"]

    wait_for(lambda: {state("served-ada"), state("served-ben")} == {"finished"}, "both are finished")
    wait_for(lambda: "served-ada: over, with status 0" in service.read_text(), "the wish is settled", 30)
    # a viewer takes the results home
    out = group.vic.home / "served"
    written = json.loads(group.vic.rewire("campaign", "export", "served-ben", "--output", str(out), "--json"))
    assert written["conductances"] > 0
    assert "a controller runs, as ada@uni.example asked" in service.read_text()


@pytest.mark.nightly
def test_what_a_member_kills_is_killed_by_the_service_and_tried_again_when_they_say(
    group: Group, service: Path
) -> None:
    sections = {"pseudo_family": "rewire/frozen-d", "md": {"voltages": [12.0], "seeds": [1], "production_ps": 50.0}}
    group.ben.rewire("campaign", "submit", str(file_of(group.ben, "long", **sections)))

    def chain() -> str:
        (one,) = json.loads(group.vic.rewire("campaign", "status", "long", "--json"))["chains"]
        return str(one["state"])

    wait_for(lambda: chain() == "running", "it runs", 180)
    said = group.ben.rewire("campaign", "kill", "long", "--yes")
    assert said.startswith("recorded that long is to be killed")
    wait_for(lambda: chain() == "killed", "it is killed", 180)
    # while its processes end it is not tried again
    wait_for(
        lambda: "the group's service runs it" in group.ben.rewire("campaign", "retry", "long"), "it is granted", 60
    )
    wait_for(lambda: chain() == "running", "it runs again", 180)
    group.ben.rewire("campaign", "kill", "long", "--yes")
    wait_for(lambda: chain() == "killed", "it is killed again", 180)


@pytest.mark.nightly
def test_a_label_that_is_none_starts_nothing(group: Group, service: Path) -> None:
    made = """
from aiida import load_profile
load_profile()
from aiida.plugins import GroupFactory
for label in ("../../outside", "--log", "a;touch ~/owned", "$(touch ~/owned)", "a\\nb"):
    GroupFactory("rewire.campaign")(label=label, extras={"wanted": {"by": "x", "at": "1"}}).store()
"""
    group.ada.python(made)
    wait_for(lambda: service.read_text().count("no campaign has such a label") == 5, "all are told", 60)
    assert not [path for name in ("owned", "outside*") for path in group.owner.home.glob(f"**/{name}")]
    assert group.vic.rewire("campaign", "status")
