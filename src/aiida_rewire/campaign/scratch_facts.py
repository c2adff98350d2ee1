"""All that decides which folders of jobs are still needed, from a few statements on the whole database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, TERMINAL, attempts_of, failed_snapshots
from aiida_rewire.campaign.extras import IMPORTED, read_extras
from aiida_rewire.campaign.outcomes import Outcome, judge
from aiida_rewire.database.marks import CAMPAIGN_GROUP, CHAIN_PROCESS
from aiida_rewire.database.tables import CALLS, CREATE, Tables, flag, plugin_of, whole

if TYPE_CHECKING:
    from aiida import orm

ChainKey = tuple[str, str]
"""Labels of a campaign and of its chain."""

REMOTE = "data.core.remote.RemoteData."
RUN_BY_WORKERS = ("process.calculation.calcjob.CalcJobNode.", "process.workflow.workchain.WorkChainNode.")
INPUTS = ("input_calc", "input_work")
CLEANED = "cleaned"
"""Extra by which AiiDA knows a folder that is no longer there."""

MD_JOB, AT_A_CHECKPOINT = "rewire.md", 400
"""A job of a dynamics that others go on from ended as it should."""


@dataclass(frozen=True)
class Process:
    """A job or work chain.

    Attributes
    ----------
    pk
        Of its node.
    chain
        The campaign and chain it belongs to, as the label of the process above all says; None of one below no chain.
    step
        Call link label below that: ``lead``, ``production``, ``lane_0``, ...; nothing of the chain itself.
    live
        Whether it has not ended.
    good
        Whether it ended well.
    """

    pk: int
    chain: ChainKey | None
    step: str
    live: bool
    good: bool


@dataclass(frozen=True)
class Remote:
    """A node of a folder on a computer.

    Attributes
    ----------
    pk, computer, user
        PKs: its own, and by whose account on which computer it is reached.
    host, path
        Where the folder is.
    creator
        PK of the process that left it; None if nobody knows.
    cleaned
        Whether it is marked as no longer there.
    """

    pk: int
    computer: int
    user: int
    host: str
    path: str
    creator: int | None
    cleaned: bool


@dataclass(frozen=True)
class Facts:
    """What is known of all folders, and of all that made or takes them.

    Attributes
    ----------
    processes
        Below chains, by PK, and those elsewhere that take a folder.
    remotes
        By PK.
    uses
        What takes a folder as an input, by the PK of its node.
    outcomes
        Of the chains of all campaigns.
    codes
        PK of the code of each job that has one, by the job's.
    live_codes
        Codes with which processes that live may look for leads.
    """

    processes: Mapping[int, Process]
    remotes: Mapping[int, Remote]
    uses: Mapping[int, Sequence[Process]]
    outcomes: Mapping[ChainKey, Outcome]
    codes: Mapping[int, int] = field(default_factory=dict)
    live_codes: frozenset[int] = frozenset()


def gather_facts(group: orm.Group) -> Facts:
    """Return what is known now.

    Parameters
    ----------
    group
        Any group of the profile.
    """
    tables = Tables.of(group)
    # what the session saw before may be minutes old
    tables.session.rollback()
    processes = processes_below_chains(tables)
    remotes = all_remotes(tables)
    uses: dict[int, list[Process]] = defaultdict(list)
    for remote, process in uses_of_remotes(tables):
        uses[remote].append(processes.setdefault(process.pk, process))
    return Facts(
        processes=processes,
        remotes=remotes,
        uses=uses,
        outcomes=all_outcomes(),
        codes=codes_of_leads(tables),
        live_codes=frozenset(codes_in_use(tables)),
    )


def process_of(row: Sequence[Any], chain: ChainKey | None, step: str) -> Process:
    """Return a process from its PK, process type, state and exit status."""
    pk, process_type, state, status = row
    fine = whole(status) == 0 or (plugin_of(process_type) == MD_JOB and whole(status) == AT_A_CHECKPOINT)
    return Process(pk, chain, step, live=state not in TERMINAL, good=state == "finished" and fine)


def processes_below_chains(tables: Tables) -> dict[int, Process]:
    """Return all chains of the profile, and the jobs and work chains below them, by PK.

    Functions are left out: they run within those, and one whose worker was killed seems to run for ever.
    """
    from sqlalchemy import Text, case, cast, literal, select

    nodes, links, attribute = tables.nodes, tables.links, tables.attribute
    tops = select(nodes.c.id, nodes.c.label).where(nodes.c.process_type == CHAIN_PROCESS)
    labels = {pk: label.split("/") for pk, label in tables.rows(tops)}
    below = (
        select(nodes.c.id, nodes.c.id.label("root"), cast(literal(""), Text).label("step"))
        .where(nodes.c.process_type == CHAIN_PROCESS)
        .cte(recursive=True)
    )
    step = case((below.c.step == "", cast(links.c.label, Text)), else_=below.c.step)
    below = below.union(
        select(links.c.output_id, below.c.root, step)
        .join(below, below.c.id == links.c.input_id)
        .where(links.c.type.in_(CALLS))
    )
    statement = (
        select(below.c.root, below.c.step, nodes.c.id, nodes.c.process_type)
        .add_columns(*map(attribute, ("process_state", "exit_status")))
        .join(nodes, nodes.c.id == below.c.id)
        .where(nodes.c.node_type.in_(RUN_BY_WORKERS))
    )
    found = {}
    for root, name, *row in tables.rows(statement):
        parts = labels.get(root, [])
        found[row[0]] = process_of(row, (parts[0], parts[1]) if len(parts) == 2 else None, name)
    return found


def all_remotes(tables: Tables) -> dict[int, Remote]:
    """Return all nodes of folders on computers, by PK."""
    from sqlalchemy import and_, select

    nodes, links, computers = tables.nodes, tables.links, tables.computers
    statement = (
        select(nodes.c.id, nodes.c.dbcomputer_id, nodes.c.user_id, computers.c.hostname)
        .add_columns(tables.attribute("remote_path"), links.c.input_id, tables.extra_text(CLEANED))
        .join(computers, computers.c.id == nodes.c.dbcomputer_id)
        .outerjoin(links, and_(links.c.output_id == nodes.c.id, links.c.type == CREATE))
        .where(nodes.c.node_type == REMOTE)
        .order_by(nodes.c.id)
    )
    return {
        pk: Remote(pk, computer, user, host, path or "", creator, flag(cleaned))
        for pk, computer, user, host, path, creator, cleaned in tables.rows(statement)
    }


def uses_of_remotes(tables: Tables) -> list[tuple[int, Process]]:
    """Return what takes folders as inputs: the PK of a folder's node, and a process."""
    from sqlalchemy import select

    nodes, links = tables.nodes, tables.links
    remote, process = nodes.alias("remote"), nodes.alias("process")
    statement = (
        select(remote.c.id, process.c.id, process.c.process_type)
        .add_columns(*(tables.attribute(name, process) for name in ("process_state", "exit_status")))
        .join(links, links.c.input_id == remote.c.id)
        .join(process, process.c.id == links.c.output_id)
        .where(remote.c.node_type == REMOTE, links.c.type.in_(INPUTS), process.c.node_type.in_(RUN_BY_WORKERS))
    )
    return [(row[0], process_of(row[1:], None, "")) for row in tables.rows(statement)]


def codes_of_leads(tables: Tables) -> dict[int, int]:
    """Return the codes of the jobs of pw.x, by PK: of those that may be leads."""
    from sqlalchemy import select

    nodes, links = tables.nodes, tables.links
    statement = (
        select(nodes.c.id, links.c.input_id)
        .join(links, links.c.output_id == nodes.c.id)
        .where(nodes.c.process_type.like("%.pw"), links.c.type == INPUTS[0], links.c.label == "code")
    )
    return {row[0]: row[1] for row in tables.rows(statement)}


def codes_in_use(tables: Tables) -> set[int]:
    """Return the codes of pw.x that work chains have which live: they may hold a lead that no link tells of yet."""
    from sqlalchemy import func, select

    nodes, links = tables.nodes, tables.links
    statement = (
        select(links.c.input_id)
        .join(nodes, nodes.c.id == links.c.output_id)
        .where(
            links.c.type == INPUTS[1],
            links.c.label.like("%pw\\_\\_code", escape="\\"),
            nodes.c.node_type == RUN_BY_WORKERS[1],
            func.coalesce(tables.attribute("process_state"), "").not_in(TERMINAL),
        )
    )
    return {row[0] for row in tables.rows(statement)}


def all_outcomes() -> dict[ChainKey, Outcome]:
    """Return what becomes of the chains of all campaigns that have been started in this profile.

    What came in an archive is left out: the profile in which it ran knows who still needs its folders.
    """
    from aiida import orm
    from aiida.plugins import GroupFactory

    found: dict[ChainKey, Outcome] = {}
    for (group,) in orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP), project="*").all():
        if IMPORTED in read_extras(group):
            continue
        for chain, outcome in outcomes_of(group).items():
            found[group.label, chain] = outcome
    return found


def outcomes_of(group: orm.Group) -> dict[str, Outcome]:
    """Return what becomes of the chains of a campaign that have been started, by name."""
    extras = read_extras(group)
    retries = (extras.get("spec") or {}).get("retries") or {}
    granted = extras.get("granted_retries") or {}
    outcomes = {}
    for chain, attempts in attempts_of(group.label).items():
        missing = {}
        if any(attempt.exit_status == SNAPSHOTS_MISSING for attempt in attempts):
            ends = failed_snapshots(group.label, chain, attempts)
            missing = {pk: list(those.values()) for pk, those in ends.items()}
        standing = judge(
            attempts, automatic=retries.get("attempts", 2) - 1, granted=granted.get(chain, 0), missing=missing
        )
        outcomes[chain] = standing.outcome
    return outcomes
