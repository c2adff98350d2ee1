"""What a campaign costs: core-hours and wall time by step, user and status, and where each number comes from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from aiida_rewire.campaign.accounting import Answer, Asked, Unknown, ask_again, store_accounts
from aiida_rewire.campaign.census import conductances_of
from aiida_rewire.campaign.jobs import RUNNING, Job, jobs_of
from aiida_rewire.campaign.outages import begin_anew
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.database.tables import Tables

if TYPE_CHECKING:
    from aiida import orm

ONE_JOB = "rewire.junction"
PARTS = {"scf": "scf_wall_s", "readback": "readback_wall_s", "pwcond": "pwcond_wall_s"}
"""Steps of a snapshot's one job, and where its results tell their times."""

UNDIVIDED = "snapshot"
"""Step of a snapshot's one job that did not come to telling the times of its parts."""

WALL = ("wall_time_s", "wall_time_seconds", "wall_seconds")
AT_CHECKPOINT = ("rewire.md", 400)
"""A job of the dynamics that the next one goes on from."""

GOOD = "good"
MENDED = "mended"
"""Of a job that did not end well, and that another one made up for later: what it cost is wasted all the same."""

STATUSES = (GOOD, MENDED, "failed", "killed", "excepted", RUNNING)
STEPS = ("md equilibration", "md production", "lead", "scf", "readback", "pwcond", UNDIVIDED)


class Source(StrEnum):
    """Where a time comes from."""

    SACCT = "sacct"
    PROGRAM = "program"
    POLL = "last poll"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Spent:
    """What a job, or a part of it, took.

    Attributes
    ----------
    pk, step, user, status, source
        PK of the job; what the number is counted under.
    core_s, wall_s
        Core-seconds and wall time, s; 0 where nobody knows.
    """

    pk: int
    step: str
    user: str
    status: str
    source: Source
    core_s: float
    wall_s: float


@dataclass
class Sum:
    """Of jobs: how many, core-seconds, wall time (s), and how many of them nobody knows the time of."""

    jobs: int = 0
    core_s: float = 0.0
    wall_s: float = 0.0
    unknown: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows the time of any of them."""
        return 0 < self.jobs == self.unknown

    @property
    def core_hours(self) -> float:
        """Core-hours."""
        return self.core_s / 3600

    @property
    def wall_hours(self) -> float:
        """Wall time, h."""
        return self.wall_s / 3600


@dataclass(frozen=True)
class Cost:
    """What a campaign costs.

    Attributes
    ----------
    spent
        Of each job, or its parts, that ran for this campaign.
    saved
        Of those that were taken from the cache instead.
    reused
        Snapshots that took over the conductance of an equal contact, and cost nothing.
    notes
        Lines on what accounting did not tell.
    """

    spent: tuple[Spent, ...]
    saved: tuple[Spent, ...]
    reused: int
    notes: tuple[str, ...]

    @property
    def wasted(self) -> Sum:
        """What went into jobs that failed, were killed or excepted."""
        return total(one for one in self.spent if one.status not in (GOOD, RUNNING))

    def by(self, key: Callable[[Spent], str]) -> dict[str, dict[str, Sum]]:
        """Return the sums by what `key` says, and below that by status."""
        found: dict[str, dict[str, list[Spent]]] = {}
        for one in self.spent:
            found.setdefault(key(one), {}).setdefault(one.status, []).append(one)
        return {
            name: {status: total(there[status]) for status in STATUSES if status in there}
            for name, there in found.items()
        }


def total(spent: Iterable[Spent]) -> Sum:
    """Add up; a job that is counted in parts is one job."""
    found, jobs, unknown = Sum(), set(), set()
    for one in spent:
        jobs.add(one.pk)
        found.core_s += one.core_s
        found.wall_s += one.wall_s
        if one.source is Source.UNKNOWN:
            unknown.add(one.pk)
    found.jobs, found.unknown = len(jobs), len(unknown)
    return found


def cost_of(
    group: orm.Group, tell: Callable[[str], None], *, ask: bool = True, process_type: str = CHAIN_PROCESS
) -> Cost:
    """Return what a campaign costs.

    Parameters
    ----------
    group
        Of the campaign.
    tell
        Takes a line for what is being done.
    ask
        Ask Slurm for the accounts that are missing, and keep them as extras of the jobs.
    process_type
        Of the nodes of its chains.
    """
    jobs = jobs_of(group, process_type=process_type)
    missing = without_account(jobs)
    asked = ask_again(missing, tell) if ask and missing else Asked()
    notes = list(asked.notes)
    notes += stored(asked)
    if asked.early:
        notes.append(f"sacct knows nothing final of {asked.early} jobs yet: ask again later")
    unreadable = sum(job.answer is Answer.UNREADABLE and job.pk not in asked.accounts for job in jobs)
    if unreadable:
        notes.append(f"what sacct said of {unreadable} jobs is not readable")
    if missing and not ask:
        notes.append(f"{len(missing)} jobs have no account yet, and nobody was asked")
    told = [
        replace(job, account=asked.accounts[job.pk], answer=Answer.COMPLETE) if job.pk in asked.accounts else job
        for job in jobs
    ]
    conductances = conductances_of(Tables.of(group), group.label)
    mended = mended_of(told, conductances)
    return Cost(
        spent=tuple(one for job in told if not job.cached for one in spent_by(job, mended=job.pk in mended)),
        saved=tuple(one for job in told if job.cached for one in spent_by(job)),
        reused=sum(one.reused for those in conductances.values() for one in those.values()),
        notes=tuple(notes),
    )


def without_account(jobs: Sequence[Job]) -> list[Unknown]:
    """Return the jobs that ended, and whose account is to be asked for."""
    return [
        Unknown(job.pk, job.computer, job.job_id)
        for job in jobs
        if job.account is None and job.job_id and job.computer and not job.cached and job.state != RUNNING
    ]


def stored(asked: Asked) -> list[str]:
    """Keep accounts; where the database is for looking alone, say so: the numbers count all the same."""
    from sqlalchemy.exc import ProgrammingError

    try:
        store_accounts(asked.accounts)
    except ProgrammingError as error:
        begin_anew()
        return [f"the accounts could not be stored: {' '.join(str(error.orig).split())}"]
    return []


def mended_of(jobs: Sequence[Job], conductances: Mapping[str, Collection[int]]) -> set[int]:
    """Return the jobs that did not end well, and whose purpose was reached all the same, by PK.

    Parameters
    ----------
    jobs
        All of a campaign.
    conductances
        Snapshots that have one, by chain: a job for one of these was made up for. Another one was if a later job of
        its chain, plugin and branch came to its end.
    """
    last: dict[tuple[str, str, str], datetime] = {}
    for job in jobs:
        if status_of(job) == GOOD:
            branch = (job.chain, job.plugin, job.branch)
            last[branch] = max(job.began, last.get(branch, job.began))
    found = set()
    for job in jobs:
        if status_of(job) in (GOOD, RUNNING):
            continue
        if job.snapshot is not None:
            made_up = job.snapshot in conductances.get(job.chain, ())
        else:
            made_up = job.began < last.get((job.chain, job.plugin, job.branch), job.began)
        if made_up:
            found.add(job.pk)
    return found


def spent_by(job: Job, *, mended: bool = False) -> Iterator[Spent]:
    """Yield what a job took, of a snapshot's one job by its parts.

    Parameters
    ----------
    job
        The job.
    mended
        Whether another one made up for it.
    """

    def spent(step: str, source: Source, core_s: float, wall_s: float) -> Spent:
        return Spent(job.pk, step, job.user, MENDED if mended else status_of(job), source, core_s, wall_s)

    parts = {step: job.times[name] for step, name in PARTS.items() if name in job.times}
    program_s = sum(parts.values())
    if job.plugin == ONE_JOB and program_s > 0:
        # the whole job pays for its cores, whatever part runs on them
        core_s, wall_s, source = job.cores * program_s, program_s, Source.PROGRAM
        if job.account is not None:
            core_s, wall_s, source = job.account.core_s, job.account.elapsed_s, Source.SACCT
        for step, seconds in parts.items():
            yield spent(step, source, core_s * seconds / program_s, wall_s * seconds / program_s)
        return
    step = step_of(job)
    wall = next((job.times[name] for name in WALL if name in job.times), None)
    if job.account is not None:
        yield spent(step, Source.SACCT, job.account.core_s, job.account.elapsed_s)
    elif wall is not None:
        yield spent(step, Source.PROGRAM, job.times.get("core_seconds", wall * job.cores), wall)
    elif job.polled_s:
        yield spent(step, Source.POLL, job.polled_s * job.cores, job.polled_s)
    else:
        yield spent(step, Source.UNKNOWN, 0.0, 0.0)


def step_of(job: Job) -> str:
    """Return the step of a campaign that a job belongs to."""
    name = job.plugin.removeprefix("rewire.")
    if name == "md":
        return f"md {job.branch}"
    if name == "pw":
        return "lead" if job.branch.startswith("lead") else "scf"
    return UNDIVIDED if job.plugin == ONE_JOB else name


def status_of(job: Job) -> str:
    """Say how a job ended."""
    if job.state == "finished" or ((job.plugin, job.exit_status) == AT_CHECKPOINT and job.times):
        return GOOD
    return job.state
