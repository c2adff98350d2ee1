"""What hangs below the labelled processes of a campaign, where the branches are few.

From the parts of a dynamics to their jobs, from attempts to their snapshots, from lanes to what they could not
assemble, from what lives to what it called.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from aiida_rewire.campaign.attempts import TERMINAL, state_of
from aiida_rewire.database.tables import CALLS, CREATE, RETURN, Tables, flag, plugin_of, whole

CACHED_FROM = "_aiida_cached_from"
"""Extra of a process that was not run, but taken from another one's results."""


@dataclass(frozen=True)
class Segment:
    """A job of a dynamics.

    Attributes
    ----------
    pk, part
        Of its node, and of the work chain above it.
    state, exit_status
        How it ended, in the words of `aiida_rewire.campaign.attempts.Attempt`.
    first_step, last_step
        From where to which checkpoint it came; None of one without results.
    seconds
        From its submission to its end, waiting included, s.
    cached
        Whether it was taken from the cache.
    """

    pk: int
    part: int
    state: str
    exit_status: int | None
    first_step: int | None
    last_step: int | None
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Alive:
    """A process that has not ended.

    Attributes
    ----------
    pk, chain
        Of its node, and the chain it belongs to.
    plugin, label
        Of the process.
    state, status
        created, waiting, running or paused, and what AiiDA says of it.
    scheduler
        What the scheduler says of a job that it has: queued, running, ...
    is_job
        Whether it is a job.
    """

    pk: int
    chain: str
    plugin: str
    label: str
    state: str
    status: str | None
    scheduler: str | None
    is_job: bool


def segments_of(tables: Tables, parts: Iterable[int]) -> dict[int, list[Segment]]:
    """Return the jobs of dynamics that ended, in their order, by the PK of the work chain above them."""
    from sqlalchemy import and_, select

    nodes, links = tables.nodes, tables.links
    job, made, results = nodes.alias("job"), links.alias("made"), nodes.alias("results")
    statement = (
        select(
            *(job.c.id, links.c.input_id, job.c.ctime, job.c.mtime, tables.extra_text(CACHED_FROM, job)),
            *(tables.attribute(name, job) for name in ("process_state", "exit_status")),
            *(tables.attribute(name, results) for name in ("first_step", "last_step")),
        )
        .join(job, links.c.output_id == job.c.id)
        .outerjoin(made, and_(made.c.input_id == job.c.id, made.c.type == CREATE, made.c.label == "results"))
        .outerjoin(results, results.c.id == made.c.output_id)
        .where(
            links.c.type == CALLS[0],
            links.c.label.like("segment%"),
            tables.attribute("process_state", job).in_(TERMINAL),
        )
        .order_by(job.c.ctime, job.c.id)
    )
    found: dict[int, list[Segment]] = defaultdict(list)
    for pk, part, began, ended, cached, state, status, first, last in tables.rows_of(
        statement, links.c.input_id, parts
    ):
        found[part].append(
            Segment(
                pk=pk,
                part=part,
                state=state_of(state, whole(status), paused=False),
                exit_status=whole(status),
                first_step=whole(first),
                last_step=whole(last),
                seconds=(ended - began).total_seconds(),
                cached=cached is not None,
            )
        )
    return found


def extracted_by(tables: Tables, attempts: Iterable[int]) -> dict[int, int]:
    """Return how many snapshots attempts took, by their PKs."""
    from sqlalchemy import select

    nodes, links = tables.nodes, tables.links
    statement = (
        select(links.c.input_id, nodes.c.attributes["array|steps"].as_json())
        .join(nodes, nodes.c.id == links.c.output_id)
        .where(links.c.type == RETURN, links.c.label == "snapshots")
    )
    shapes = tables.rows_of(statement, links.c.input_id, attempts)
    return {attempt: int(shape[0]) for attempt, shape in shapes if isinstance(shape, list) and shape}


def refused_in(tables: Tables, lanes: Iterable[int]) -> dict[int, dict[int, tuple[int, str]]]:
    """Return the snapshots for which lanes could not begin a process, and why, by the PK of the lane."""
    from sqlalchemy import select

    nodes, links = tables.nodes, tables.links
    made = links.alias("made")
    statement = (
        select(links.c.input_id, nodes.c.attributes)
        .join(made, made.c.input_id == links.c.output_id)
        .join(nodes, nodes.c.id == made.c.output_id)
        .where(
            links.c.type == CALLS[0],
            links.c.label == "assemble_junctions",
            made.c.type == CREATE,
            made.c.label == "refused",
        )
    )
    found: dict[int, dict[int, tuple[int, str]]] = defaultdict(dict)
    for lane, reasons in tables.rows_of(statement, links.c.input_id, lanes):
        for index, (status, reason) in reasons.items():
            found[lane][int(index)] = (int(status), str(reason))
    return found


def failed_below(tables: Tables, roots: Collection[int]) -> dict[int, int]:
    """Return the deepest failed process below each of these failed ones: the last of those that each called.

    Parameters
    ----------
    roots
        PKs; one below which nothing failed stands for itself.
    """
    from sqlalchemy import func, or_, select

    nodes, links, attribute = tables.nodes, tables.links, tables.attribute
    child = nodes.alias("child")
    columns = (nodes.c.id, nodes.c.id.label("parent"), nodes.c.ctime)
    top = select(*columns).where(nodes.c.id.in_(sorted(roots))).cte(recursive=True)
    state, status = attribute("process_state", child), child.c.attributes["exit_status"].as_integer()
    calls = top.union(
        select(child.c.id, top.c.id, child.c.ctime)
        .join(links, links.c.output_id == child.c.id)
        .join(top, top.c.id == links.c.input_id)
        .where(links.c.type.in_(CALLS), or_(state.in_(TERMINAL[1:]), func.coalesce(status, 0) != 0))
    )
    last: dict[int, int] = {}
    for pk, parent in tables.rows(select(calls.c.id, calls.c.parent).order_by(calls.c.ctime, calls.c.id)):
        if pk != parent:
            last[parent] = pk
    deepest = {}
    for root in roots:
        below = root
        while below in last:
            below = last[below]
        deepest[root] = below
    return deepest


def alive_below(tables: Tables, roots: Mapping[int, str]) -> list[Alive]:
    """Return what lives of these processes and below them, jobs and functions included.

    Parameters
    ----------
    roots
        Chains by the PKs of processes that have not ended.
    """
    from sqlalchemy import func, select

    if not roots:
        return []
    nodes, links, attribute = tables.nodes, tables.links, tables.attribute
    below = select(nodes.c.id, nodes.c.id.label("root")).where(nodes.c.id.in_(sorted(roots))).cte(recursive=True)
    child = nodes.alias("child")
    below = below.union(
        select(child.c.id, below.c.root)
        .join(links, links.c.output_id == child.c.id)
        .join(below, below.c.id == links.c.input_id)
        .where(links.c.type.in_(CALLS), func.coalesce(attribute("process_state", child), "").not_in(TERMINAL))
    )
    names = ("process_state", "paused", "process_status", "scheduler_state")
    statement = (
        select(below.c.root, *(nodes.c[name] for name in ("id", "label", "process_type", "node_type")))
        .add_columns(*map(attribute, names))
        .join(nodes, nodes.c.id == below.c.id)
        .order_by(nodes.c.id, below.c.root)
    )
    found: dict[int, Alive] = {}
    for root, pk, label, process_type, node_type, state, paused, status, scheduler in tables.rows(statement):
        found.setdefault(
            pk,
            Alive(
                pk=pk,
                chain=roots[root],
                plugin=plugin_of(process_type),
                label=label,
                state=state_of(state, None, paused=flag(paused)),
                status=status,
                scheduler=scheduler,
                is_job="calcjob" in node_type,
            ),
        )
    return list(found.values())
