"""The jobs of a campaign, with what their nodes and results say of the time they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.accounting import EXTRA, Account, Answer, account_in, account_in_extra
from aiida_rewire.campaign.attempts import TERMINAL, attempts_of, state_of
from aiida_rewire.campaign.branches import CACHED_FROM
from aiida_rewire.campaign.census import SNAPSHOT
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.database.tables import CALLS, CREATE, Tables, batched, number, plugin_of, whole

if TYPE_CHECKING:
    from aiida import orm

JOB = "process.calculation.calcjob.CalcJobNode."
RESULTS = ("results", "output_parameters")
"""Link labels of the outputs in which programs' times stand."""

TIMES = (
    *("scf_wall_s", "readback_wall_s", "pwcond_wall_s"),
    *("wall_time_s", "wall_time_seconds", "wall_seconds", "core_seconds"),
)
"""Of a snapshot's one job, of the dynamics, of pw.x, of pwcond.x; s."""

RUNNING = "running"


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes
    ----------
    pk, chain
        Of its node, and the chain it belongs to.
    branch
        Link label of what its attempt called above it: production, lead, lane_0, ...
    snapshot
        Number of the snapshot that it is for; None of jobs of the dynamics and of leads.
    plugin, user, computer
        Of the job; the user's e-mail, the computer's label.
    began
        When it was submitted.
    state, exit_status
        As of an attempt; of one that lives `running`.
    job_id
        The scheduler's name for it.
    cores
        That it asked for.
    cached
        Whether it was taken from the cache.
    times
        What its results say, by name, s.
    polled_s
        Wall time when the scheduler was last asked for it, s.
    answer, account
        What accounting says.
    """

    pk: int
    chain: str
    branch: str
    snapshot: int | None
    plugin: str
    user: str
    computer: str
    began: datetime
    state: str
    exit_status: int | None
    job_id: str | None
    cores: int
    cached: bool
    times: Mapping[str, float]
    polled_s: float | None
    answer: Answer
    account: Account | None


def jobs_of(group: orm.Group, *, process_type: str = CHAIN_PROCESS) -> list[Job]:
    """Return the jobs below all attempts of a campaign, by PK; also of attempts that do not count: they cost as well.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of attempts.
    """
    tables = Tables.of(group)
    every = attempts_of(group.label, process_type=process_type, void=True)
    chains = {attempt.pk: chain for chain, attempts in every.items() for attempt in attempts}
    found: dict[int, Job] = {}
    for some in batched(sorted(chains)):
        for row in tables.rows(jobs_below(tables, some)):
            found.setdefault(row.id, job_of(row._mapping, chains[row.root]))
    return [found[pk] for pk in sorted(found)]


def jobs_below(tables: Tables, roots: Sequence[int]) -> Any:
    """Return the statement that finds the jobs below processes, with all that a `Job` is made of."""
    from sqlalchemy import and_, case, select

    nodes, links, attribute = tables.nodes, tables.links, tables.attribute
    columns = (links.c.output_id.label("id"), links.c.input_id.label("root"), links.c.label.label("branch"))
    first = links.c.label.label("twig")
    calls = select(*columns, first).where(links.c.input_id.in_(roots), links.c.type.in_(CALLS)).cte(recursive=True)
    further, made, results = links.alias("further"), links.alias("made"), nodes.alias("results")
    # what a branch called, that is below a lane the snapshot
    twig = case((calls.c.twig == calls.c.branch, further.c.label), else_=calls.c.twig)
    calls = calls.union(
        select(further.c.output_id, calls.c.root, calls.c.branch, twig)
        .join(calls, calls.c.id == further.c.input_id)
        .where(further.c.type.in_(CALLS))
    )
    return (
        select(
            *(calls.c.id, calls.c.root, calls.c.branch, calls.c.twig, nodes.c.process_type, nodes.c.ctime),
            *(tables.users.c.email, tables.computers.c.label.label("computer")),
            *(attribute(name).label(name) for name in ("process_state", "exit_status", "job_id")),
            *(nodes.c.attributes[name].as_json().label(name) for name in ("resources", "last_job_info")),
            nodes.c.attributes["detailed_job_info"].as_json().label("info"),
            nodes.c.extras[EXTRA].as_json().label("account"),
            tables.extra_text(CACHED_FROM).label("cached"),
            *(attribute(name, results).label(name) for name in TIMES),
        )
        .join(nodes, nodes.c.id == calls.c.id)
        .join(tables.users, tables.users.c.id == nodes.c.user_id)
        .outerjoin(tables.computers, tables.computers.c.id == nodes.c.dbcomputer_id)
        .outerjoin(made, and_(made.c.input_id == calls.c.id, made.c.type == CREATE, made.c.label.in_(RESULTS)))
        .outerjoin(results, results.c.id == made.c.output_id)
        .where(nodes.c.node_type == JOB)
    )


def job_of(row: Mapping[str, Any], chain: str) -> Job:
    """Return the job of a row.

    Parameters
    ----------
    row
        Of the statement of `jobs_below`.
    chain
        The chain that it belongs to.
    """
    ended = row["process_state"] in TERMINAL
    status, job_id = whole(row["exit_status"]), row["job_id"]
    account = account_in_extra(row["account"])
    answer = Answer.COMPLETE
    if account is None:
        answer, account = account_in(row["info"], job_id or "")
    times = {name: seconds for name in TIMES if (seconds := number(row[name])) is not None and seconds >= 0}
    polled = row["last_job_info"]
    snapshot = SNAPSHOT.match(row["twig"])
    return Job(
        pk=row["id"],
        chain=chain,
        branch=row["branch"],
        snapshot=None if snapshot is None else int(snapshot[1]),
        plugin=plugin_of(row["process_type"]),
        user=row["email"],
        computer=row["computer"] or "",
        began=row["ctime"],
        state=state_of(row["process_state"], status, paused=False) if ended else RUNNING,
        exit_status=status,
        job_id=job_id,
        cores=cores_in(row["resources"]),
        cached=row["cached"] is not None,
        times=times,
        polled_s=number(polled.get("wallclock_time_seconds")) if isinstance(polled, Mapping) else None,
        answer=answer,
        account=account,
    )


def cores_in(resources: Any) -> int:
    """Return how many cores a job asks for, by its option `resources`; one where it does not say."""
    if not isinstance(resources, Mapping):
        return 1
    machines, ranks, threads, whole_ranks, whole_cores = (
        whole(resources.get(name))
        for name in (
            *("num_machines", "num_mpiprocs_per_machine", "num_cores_per_mpiproc", "tot_num_mpiprocs"),
            "num_cores_per_machine",
        )
    )
    if whole_cores:
        return (machines or 1) * whole_cores
    return (whole_ranks or (machines or 1) * (ranks or 1)) * (threads or 1)
