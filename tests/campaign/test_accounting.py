"""What Slurm's accounting says, as recorded from Slurm 22.05 with slurmdbd, and as it is broken on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_rewire.campaign.accounting import (
    Account,
    Answer,
    Asked,
    Unknown,
    account_in,
    account_in_extra,
    account_of,
    ask_again,
    rows_in,
)


def recorded(fixtures: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fixtures / "sacct" / f"{name}.json").read_text())
    return found


def changed(fixtures: Path, **cells: str) -> dict[str, str]:
    """The account of the job that completed, with other cells."""
    titles, *rows = recorded(fixtures, "completed")["stdout"].splitlines()
    row = dict(zip(titles.split("|"), rows[0].split("|"), strict=True)) | cells
    return {"stdout": f"{titles}\n{'|'.join(row.values())}\n"}


@pytest.mark.parametrize(
    ("name", "job_id", "account"),
    [
        # two cores for four seconds; its step of three seconds is another row
        ("completed", "1", Account("COMPLETED", 4.0, 2, 8.0)),
        ("failed", "3", Account("FAILED", 0.0, 1, 0.0)),
        ("cancelled", "4", Account("CANCELLED", 2.0, 1, 2.0)),
        ("timeout", "5", Account("TIMEOUT", 76.0, 1, 76.0)),
        # cancelled while it waited to run again
        ("requeued", "7", Account("CANCELLED", 0.0, 1, 0.0)),
        ("many", "4", Account("CANCELLED", 2.0, 1, 2.0)),
    ],
)
def test_accounts_of_jobs_that_ended(fixtures: Path, name: str, job_id: str, account: Account) -> None:
    assert account_in(recorded(fixtures, name), job_id) == (Answer.COMPLETE, account)


@pytest.mark.parametrize(
    ("name", "job_id", "answer"),
    [
        ("running", "1", Answer.EARLY),
        ("unknown", "99999", Answer.EARLY),
        ("many", "2", Answer.EARLY),  # it waits
        ("completed", "17", Answer.EARLY),
        ("no_accounting", "1", Answer.NONE),
        ("no_slurmdbd", "1", Answer.NONE),
        # bars in the job's name and in its command line
        ("strange", "6", Answer.UNREADABLE),
    ],
)
def test_answers_that_are_no_accounts(fixtures: Path, name: str, job_id: str, answer: Answer) -> None:
    assert account_in(recorded(fixtures, name), job_id) == (answer, None)


@pytest.mark.parametrize("info", [None, "", {}, {"stdout": None}, {"stdout": ""}, {"stdout": "\x00|\n|"}, 3])
def test_what_is_no_answer_at_all(info: Any) -> None:
    assert account_in(info, "1") == (Answer.NONE, None)


def test_a_table_that_is_cut_off_or_begins_with_a_greeting(fixtures: Path) -> None:
    whole = recorded(fixtures, "completed")["stdout"]
    titles, first, *_ = whole.splitlines()
    greeting = "*** Welcome to cluster | maintenance on Monday ***\n\n"
    assert account_in({"stdout": greeting + whole}, "1")[1] == Account("COMPLETED", 4.0, 2, 8.0)
    assert account_in({"stdout": f"{titles}\n{first[:200]}"}, "1") == (Answer.UNREADABLE, None)
    assert account_in({"stdout": titles[: len(titles) // 4]}, "1") == (Answer.NONE, None)


def test_cells_that_are_missing_or_no_numbers(fixtures: Path) -> None:
    assert account_in(changed(fixtures, CPUTimeRAW=""), "1")[1] == Account("COMPLETED", 4.0, 2, 8.0)
    long = changed(fixtures, ElapsedRaw="", Elapsed="1-02:03:04", CPUTimeRAW="x")
    assert account_in(long, "1")[1] == Account("COMPLETED", 93784.0, 2, 187568.0)
    for cells in (
        {"AllocCPUS": "two", "NCPUS": ""},
        {"AllocCPUS": "-1"},
        {"ElapsedRaw": "", "Elapsed": "INVALID"},
        {"ElapsedRaw": "nan", "Elapsed": ""},
        {"State": ""},
        {"State": "completed?"},
    ):
        assert account_in(changed(fixtures, **cells), "1") == (Answer.UNREADABLE, None), cells
    for state in ("COMPLETING", "REQUEUED", "SUSPENDED", "A_STATE_OF_ANOTHER_RELEASE"):
        assert account_in(changed(fixtures, State=state), "1") == (Answer.EARLY, None)


def test_another_job_of_the_same_number_is_another_job(fixtures: Path) -> None:
    rows = rows_in(recorded(fixtures, "completed")["stdout"])
    assert account_of(rows, "1", "aiida-101")[0] is Answer.COMPLETE
    assert account_of(rows, "1", "aiida-7") == (Answer.EARLY, None)


def test_extras_are_read_back_or_passed_over() -> None:
    account = Account("COMPLETED", 4.0, 2, 8.0)
    assert account_in_extra(json.loads(json.dumps(account._asdict()))) == account
    for value in (None, "", {}, {"state": "COMPLETED"}, {**account._asdict(), "core_s": "8"}, {"state": 1, **{}}):
        assert account_in_extra(value) is None


def test_identifiers_that_a_shell_would_read_are_never_asked_for(aiida_profile: Any) -> None:
    slurm = orm.Computer("hostile-cluster", "localhost", transport_type="core.local", scheduler_type="core.slurm")
    slurm.set_workdir("/scratch")
    slurm.store()
    # nobody configured it: asking would be told of
    texts = ("1; touch /tmp/x", "$(id)", "`id`", "1 2", "", "../1", "1\n2", "-1", "1,2")
    hostile = [Unknown(1, slurm.label, text) for text in texts]
    assert ask_again(hostile, pytest.fail) == Asked()
    told: list[str] = []
    found = ask_again([Unknown(1, slurm.label, "17")], told.append)
    assert told == ["asking hostile-cluster for the accounts of 1 jobs"]
    assert found.notes[0].startswith("hostile-cluster does not answer")


def test_computers_without_slurm_are_not_asked(aiida_profile: Any) -> None:
    direct = orm.Computer("direct-host", "localhost", transport_type="core.local", scheduler_type="core.direct")
    direct.set_workdir("/scratch")
    direct.store()
    for computer in (direct.label, "nowhere"):
        assert ask_again([Unknown(1, computer, "17")], pytest.fail) == Asked()
