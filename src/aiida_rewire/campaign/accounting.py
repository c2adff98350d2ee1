"""What Slurm's accounting says of jobs: as AiiDA stored it at their ends, and as it answers when asked again.

At the end of a job its account is often not complete: ``sacct`` says RUNNING, or has not heard of the job yet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from aiida_rewire.campaign.evidence import cleaned
from aiida_rewire.campaign.schedulers import failures, scheduler_of

EXTRA = "rewire_sacct"
"""Extra of a job: its account, for which this project asked."""

ENDED = frozenset(
    {
        *("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "OUT_OF_MEMORY", "NODE_FAIL"),
        *("PREEMPTED", "BOOT_FAIL", "DEADLINE", "REVOKED"),
    }
)
"""States after which an account does not change; in any other it may."""

JOB_ID = re.compile(r"\d{1,12}([_+]\d{1,9})?")
"""What may be asked for: an identifier in a database may be any text, and a question goes through a shell."""

ELAPSED = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)(?:\.\d+)?")
AT_ONCE = 200
"""So many jobs are asked for in one command."""

Row = Mapping[str, str]


class Answer(StrEnum):
    """What accounting says of a job."""

    COMPLETE = "complete"
    EARLY = "asked too early"
    NONE = "none"
    UNREADABLE = "not readable"


class Account(NamedTuple):
    """The account of a job: Slurm's word for its end, wall time (s), allocated cores, core-seconds."""

    state: str
    elapsed_s: float
    cores: int
    core_s: float


def account_in(info: Any, job_id: str) -> tuple[Answer, Account | None]:
    """Return the account of a job in what `Scheduler.get_detailed_job_info` returned.

    Parameters
    ----------
    info
        Holds ``stdout``; anything else is no answer.
    job_id
        Of the job; its steps have other ones.
    """
    stdout = info.get("stdout") if isinstance(info, Mapping) else None
    return account_of(rows_in(stdout) if isinstance(stdout, str) else None, job_id)


def rows_in(text: str) -> list[Row | None] | None:
    """Return the rows of a table as ``sacct --parsable`` prints it; None if there is none.

    A row whose cells are more or fewer than the titles is None: somebody's comment has a bar in it. What a login
    prints is passed over.
    """
    titles: list[str] | None = None
    rows: list[Row | None] = []
    for line in text.splitlines():
        cells = line.split("|")
        if titles is None:
            if {"JobID", "State"} <= set(cells):
                titles = cells
        elif len(cells) > 1:
            rows.append(dict(zip(titles, cells, strict=True)) if len(cells) == len(titles) else None)
    return None if titles is None else rows


def account_of(
    rows: Sequence[Row | None] | None, job_id: str, job_name: str | None = None
) -> tuple[Answer, Account | None]:
    """Return the account of a job.

    Parameters
    ----------
    rows
        As `rows_in` returns them.
    job_id, job_name
        Of the job. Clusters begin to count anew: where a name is given, a job of another one is another job.
    """
    if rows is None:
        return Answer.NONE, None
    mine = [
        row
        for row in rows
        if row is not None and row["JobID"] == job_id and job_name in (None, row.get("JobName", job_name))
    ]
    if not mine:
        # of a job that it has not heard of yet sacct prints the titles alone
        return (Answer.UNREADABLE if None in rows else Answer.EARLY), None
    row = mine[-1]
    state = row["State"].partition(" ")[0]
    if state not in ENDED:
        return (Answer.EARLY if re.fullmatch(r"[A-Z_]+", state) else Answer.UNREADABLE), None
    cores = whole_seconds(row.get("AllocCPUS") or row.get("NCPUS"))
    elapsed_s = whole_seconds(row.get("ElapsedRaw"))
    if elapsed_s is None:
        elapsed_s = elapsed_seconds(row.get("Elapsed", ""))
    if cores is None or elapsed_s is None:
        return Answer.UNREADABLE, None
    core_s = whole_seconds(row.get("CPUTimeRAW"))
    return Answer.COMPLETE, Account(state, elapsed_s, int(cores), elapsed_s * cores if core_s is None else core_s)


def whole_seconds(text: str | None) -> float | None:
    """Return a number that is not negative; None if it is none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def elapsed_seconds(text: str) -> float | None:
    """Return a time such as ``1-02:03:04`` in s; None if it is none."""
    found = ELAPSED.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((24 * days + hours) * 60 + minutes) * 60 + seconds)


def account_in_extra(value: Any) -> Account | None:
    """Return the account in the extra of a job; None if there is none that could be read."""
    names = Account._fields
    if not isinstance(value, Mapping) or not set(names) <= set(value):
        return None
    state, *numbers = (value[name] for name in names)
    if not isinstance(state, str) or not all(isinstance(number, (int, float)) for number in numbers):
        return None
    elapsed_s, cores, core_s = numbers
    return Account(state, float(elapsed_s), int(cores), float(core_s))


@dataclass(frozen=True)
class Unknown:
    """A job whose account is to be asked for: PK of its node, label of its computer, the scheduler's name for it."""

    pk: int
    computer: str
    job_id: str


@dataclass
class Asked:
    """What came of asking.

    Attributes
    ----------
    accounts
        By PK.
    early
        Jobs of which accounting may say more later.
    notes
        Lines about computers that gave no answer.
    """

    accounts: dict[int, Account] = field(default_factory=dict)
    early: int = 0
    notes: list[str] = field(default_factory=list)


def ask_again(jobs: Collection[Unknown], tell: Callable[[str], None]) -> Asked:
    """Ask schedulers for the accounts of jobs; one that gives none is told of, and is no error.

    Parameters
    ----------
    jobs
        That ended.
    tell
        Takes a line for what is being done.
    """
    asked = Asked()
    by_computer: dict[str, list[Unknown]] = {}
    for job in jobs:
        if JOB_ID.fullmatch(job.job_id):
            by_computer.setdefault(job.computer, []).append(job)
    for computer, those in sorted(by_computer.items()):
        if not has_slurm(computer):
            continue
        tell(f"asking {computer} for the accounts of {len(those)} jobs")
        try:
            with scheduler_of(computer) as scheduler:
                ask_scheduler(scheduler, computer, those, asked)
        except failures() as error:
            asked.notes.append(f"{computer} does not answer: {cleaned(str(error)) or type(error).__name__}")
    return asked


def has_slurm(computer: str) -> bool:
    """Whether a computer is known whose scheduler is Slurm: its accounting alone is read."""
    from aiida import orm
    from aiida.common.exceptions import AiidaException
    from aiida.schedulers.plugins.slurm import SlurmScheduler

    try:
        return isinstance(orm.load_computer(computer).get_scheduler(), SlurmScheduler)
    except AiidaException:
        return False


def ask_scheduler(scheduler: Any, computer: str, jobs: Sequence[Unknown], asked: Asked) -> None:
    """Ask a scheduler, some hundred jobs at a time, and add what it says.

    Parameters
    ----------
    scheduler
        Whose transport is open.
    computer
        Its label.
    jobs
        Of that computer.
    asked
        Takes what it says.
    """
    for start in range(0, len(jobs), AT_ONCE):
        some = jobs[start : start + AT_ONCE]
        info = scheduler.get_detailed_job_info(",".join(job.job_id for job in some))
        rows = rows_in(str(info["stdout"]))
        if rows is None:
            asked.notes.append(f"sacct on {computer} gives no account: {why_none(info)}")
            return
        for job in some:
            answer, account = account_of(rows, job.job_id, f"aiida-{job.pk}")
            if account is not None:
                asked.accounts[job.pk] = account
            asked.early += answer is Answer.EARLY


def why_none(info: Mapping[str, Any]) -> str:
    """Return the line in which Slurm says why it gives no account, or another one: a login may have its own."""
    said = [line for line in map(cleaned, str(info["stderr"]).splitlines()) if line]
    of_slurm = [line for line in said if re.search("sacct|slurm", line, re.IGNORECASE)]
    return next(iter([*of_slurm, *said]), f"status {info['retval']}")


def store_accounts(accounts: Mapping[int, Account]) -> None:
    """Keep accounts as extras of their jobs, so that nobody needs to be asked again."""
    from aiida import orm
    from aiida.manage import get_manager

    pks = sorted(accounts)
    for start in range(0, len(pks), AT_ONCE):
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": pks[start : start + AT_ONCE]}})
        # others write meanwhile: no transaction is long
        with get_manager().get_profile_storage().transaction():
            for node in query.all(flat=True):
                node.base.extras.set(EXTRA, accounts[node.pk]._asdict())
