"""The processes below a campaign that have not ended, and to which chain each belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiida_rewire.campaign.attempts import SENT_EXTRA, TERMINAL, state_of
from aiida_rewire.database.marks import CHAIN_PROCESS, VOID_EXTRA

OUR_PAUSE = "paused by aiida-rewire campaign"
"""Status of lanes that hold while their campaign is paused; others that people paused are left alone."""

TRANSPORT_PAUSE = "Pausing after failed transport task"
"""In the status of jobs that AiiDA pauses after it could not reach their computer several times."""

WAITS = "Waiting for child processes"
CALLS = ("call_calc", "call_work")
CHECKPOINT_KEY = "checkpoints"
SUPERSEDED_AFTER_S = 20.0
"""A process so young is not asked whether another took its place, s."""


@dataclass(frozen=True)
class Living:
    """A process that has not ended: a job or a workflow; functions run within those.

    Attributes
    ----------
    pk
        Of its node.
    chain
        The chain it belongs to.
    attempt
        PK of the attempt above it, or its own.
    parent
        PK of what called it; None of an attempt.
    state
        created, waiting, running or paused.
    status
        What AiiDA says of it.
    age_s
        Since its birth, s.
    has_checkpoint
        Whether a worker could take it up.
    is_job
        Whether it is a job of a scheduler.
    sent
        Whether the broker is known to have taken its task.
    void
        Whether its attempt does not count.
    superseded
        Whether what called it has called another in its place.
    idle
        Whether it is a work chain that waits, but for nothing that has not ended.
    """

    pk: int
    chain: str
    attempt: int
    parent: int | None
    state: str
    status: str | None
    age_s: float
    has_checkpoint: bool = True
    is_job: bool = False
    sent: bool = False
    void: bool = False
    superseded: bool = False
    idle: bool = False

    @property
    def is_attempt(self) -> bool:
        """Whether it is the chain itself."""
        return self.parent is None

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self.state == "paused"


@dataclass(frozen=True)
class _Call:
    parent: int
    link: str
    label: str
    process_type: str | None
    void: bool


def living_of(campaign: str, *, process_type: str = CHAIN_PROCESS) -> tuple[list[Living], int]:
    """Return the processes below a campaign that have not ended, and how many slots all others hold or may come to.

    The cost is that of one look at all processes, and of one join for each level of nesting over those that live.

    Parameters
    ----------
    campaign
        Its label.
    process_type
        Of the nodes of attempts.
    """
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(
        (orm.WorkChainNode, orm.CalcJobNode),
        filters={"attributes.process_state": {"!in": list(TERMINAL)}},
        project=[
            *("id", "label", "process_type", "node_type", "ctime", "attributes.process_state"),
            *("attributes.paused", "attributes.process_status", f"extras.{VOID_EXTRA}", f"extras.{SENT_EXTRA}"),
        ],
        tag="process",
    )
    query.order_by({"process": {"id": "asc"}})
    rows = query.all()
    calls = calls_above(row[0] for row in rows)
    alive = {row[0] for row in rows}
    callers = {call.parent for called, call in calls.items() if called in alive}
    prefix = f"{campaign}/"
    now = datetime.now(UTC)
    living: list[Living] = []
    elsewhere: dict[int, int] = {}
    reserved: dict[int, int] = {}
    for pk, label, own_type, node_type, ctime, state, paused, status, void, sent in rows:
        top, top_label, top_type, top_void = pk, label, own_type, void is not None
        while (call := calls.get(top)) is not None:
            top, top_label, top_type, top_void = call.parent, call.label, call.process_type, call.void
        if not top_label.startswith(prefix) or top_type != process_type:
            elsewhere[top] = elsewhere.get(top, 0) + 1
            if top == pk:
                reserved[top] = int(sent or 0)
            continue
        living.append(
            Living(
                pk=pk,
                chain=top_label.removeprefix(prefix),
                attempt=top,
                parent=calls[pk].parent if pk in calls else None,
                state=state_of(state, None, paused=bool(paused)),
                status=status,
                age_s=(now - ctime).total_seconds(),
                is_job="calcjob" in node_type,
                sent=bool(sent),
                void=top_void,
                idle=state == "waiting"
                and not paused
                and "calcjob" not in node_type
                and pk not in callers
                and not alive.intersection(awaited_in(status)),
            )
        )
    taken = sum(max(number, reserved.get(top, 0)) for top, number in elsewhere.items())
    return with_origins(living, calls), taken


def awaited_in(status: str | None) -> set[int]:
    """Return the PKs of the processes that a work chain says it waits for."""
    return {int(number) for number in re.findall(r"\d+", status)} if status and status.startswith(WAITS) else set()


def calls_above(pks: Iterable[int]) -> dict[int, _Call]:
    """Return what called processes, what called those, and so on, by the PK of what was called."""
    from aiida import orm

    calls: dict[int, _Call] = {}
    frontier = set(pks)
    while frontier:
        query = orm.QueryBuilder()
        query.append(orm.ProcessNode, filters={"id": {"in": sorted(frontier)}}, project="id", tag="called")
        query.append(
            orm.ProcessNode,
            with_outgoing="called",
            edge_filters={"type": {"in": list(CALLS)}},
            edge_project="label",
            project=["id", "label", "process_type", f"extras.{VOID_EXTRA}"],
            tag="caller",
        )
        found = {}
        for called, parent, label, process_type, void, link in query.iterall():
            found[called] = _Call(parent, link, label, process_type, void is not None)
        calls |= found
        frontier = {call.parent for call in found.values()} - calls.keys()
    return calls


def with_origins(living: list[Living], calls: dict[int, _Call]) -> list[Living]:
    """Return the same processes, of those just created whether they can run, and whether another took their place."""
    from dataclasses import replace

    fresh = [process.pk for process in living if process.state == "created"]
    if not fresh:
        return living
    ready = set(of_processes({"id": {"in": fresh}, "attributes": {"has_key": CHECKPOINT_KEY}}))
    return [
        replace(
            process,
            has_checkpoint=process.pk in ready,
            superseded=process.age_s > SUPERSEDED_AFTER_S
            and process.pk in calls
            and was_superseded(process.pk, calls[process.pk]),
        )
        if process.state == "created"
        else process
        for process in living
    ]


def was_superseded(pk: int, call: _Call) -> bool:
    """Whether the caller of a process later called another by the same link label."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"id": call.parent}, tag="caller")
    query.append(
        orm.ProcessNode,
        with_incoming="caller",
        edge_filters={"type": {"in": list(CALLS)}, "label": call.link},
        filters={"id": {">": pk}},
        project="id",
    )
    return call.link != "CALL" and query.first() is not None


def of_processes(filters: dict[str, Any]) -> list[int]:
    """Return the PKs of processes by a filter."""
    from aiida import orm

    found: list[int] = orm.QueryBuilder().append(orm.ProcessNode, filters=filters, project="id").all(flat=True)
    return found
