"""The attempts of a campaign's chains, as the database has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida_rewire.database.marks import CHAIN_PROCESS, VOID_EXTRA

SENT_EXTRA = "rewire_sent"
"""Extra of an attempt whose task the broker has taken, if its controller lived to say so: the slots it may hold."""

SNAPSHOTS_MISSING = 500
"""Exit status of a chain that ended as it should, but for some of its snapshots."""

TERMINAL = ("finished", "excepted", "killed")
"""States of AiiDA's processes that have ended."""


@dataclass(frozen=True)
class Attempt:
    """One run of a chain.

    Attributes
    ----------
    pk, uuid
        Of its node.
    state
        created, waiting, running or paused; finished (exit status 0), failed (another), killed or excepted.
    exit_status, exit_message
        Of a finished or failed one.
    ctime
        When it was submitted.
    ended
        When it ended; None while it lives.
    void
        Why it does not count as an attempt; None if it does.
    sent
        Whether its controller saw its task off to the broker.
    """

    pk: int
    uuid: str
    state: str
    exit_status: int | None
    exit_message: str | None
    ctime: datetime
    ended: datetime | None
    void: str | None = None
    sent: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None

    @property
    def is_ok(self) -> bool:
        """Whether nothing of the chain is missing."""
        return self.state == "finished"


@dataclass(frozen=True)
class Ending:
    """How the process of a snapshot ended that gave no conductance, or a lane that did not come to its end.

    Attributes
    ----------
    state
        failed, killed or excepted.
    exit_status
        Of a failed one.
    is_lane
        Whether it is a lane.
    """

    state: str
    exit_status: int | None
    is_lane: bool = False


def attempt_label(campaign: str, chain: str) -> str:
    """Label of the node of a chain's attempt."""
    return f"{campaign}/{chain}"


def like(text: str) -> str:
    """Return a text as a pattern of SQL's LIKE that matches itself alone."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def state_of(process_state: str | None, exit_status: int | None, *, paused: bool) -> str:
    """Return the state of a process in the words of this project.

    Parameters
    ----------
    process_state
        As AiiDA has it; None between the birth of a node and its first state.
    exit_status
        Of a process that finished.
    paused
        Whether it is marked so.
    """
    if process_state == "finished":
        return "failed" if exit_status else "finished"
    if process_state in TERMINAL:
        return str(process_state)
    if paused:
        return "paused"
    return process_state or "created"


def oldest_first(tag: str) -> list[dict[str, list[dict[str, str]]]]:
    """Return an order for a query: PKs do not tell, because an archive does not keep their order."""
    return [{tag: [{"ctime": "asc"}, {"id": "asc"}]}]


def attempts_of(
    campaign: str, *, chain: str | None = None, process_type: str = CHAIN_PROCESS, void: bool = False
) -> dict[str, list[Attempt]]:
    """Return the attempts of each chain that has any, oldest first.

    One query on the label of nodes, without a join: its cost does not grow with the snapshots.

    Parameters
    ----------
    campaign, chain
        Label of the campaign, and name of the only chain to look for.
    process_type
        Of the nodes.
    void
        Also return attempts that do not count: stillborn ones and doubles.
    """
    from aiida import orm

    prefix = f"{campaign}/"
    wanted: dict[str, Any] = {"and": [{"like": f"{like(prefix)}%"}, {"!like": f"{like(prefix)}%/%"}]}
    if chain is not None:
        wanted = {"==": attempt_label(campaign, chain)}
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"label": wanted, "process_type": process_type},
        project=[
            *("id", "uuid", "label", "ctime", "mtime", "attributes.process_state", "attributes.exit_status"),
            *("attributes.exit_message", "attributes.paused", f"extras.{VOID_EXTRA}", f"extras.{SENT_EXTRA}"),
        ],
        tag="attempt",
    )
    query.order_by(oldest_first("attempt"))
    attempts: dict[str, list[Attempt]] = {}
    for pk, uuid, label, ctime, mtime, state, status, message, paused, why_void, sent in query.iterall():
        if why_void is not None and not void:
            continue
        attempt = Attempt(
            pk=pk,
            uuid=uuid,
            state=state_of(state, status, paused=bool(paused)),
            exit_status=status,
            exit_message=message,
            ctime=ctime,
            ended=mtime if state in TERMINAL else None,
            void=why_void,
            sent=bool(sent),
        )
        attempts.setdefault(label.removeprefix(prefix), []).append(attempt)
    return attempts


def failed_snapshots(campaign: str, chain: str, attempts: Sequence[Attempt]) -> dict[int, dict[str, Ending]]:
    """Return how snapshots and lanes ended that gave nothing, by the PK of the attempt and their names.

    Parameters
    ----------
    campaign, chain
        Label and name.
    attempts
        All attempts of the chain, oldest first; when one begins, all below the one before has ended.
    """
    from bisect import bisect

    from aiida import orm

    prefix = f"{attempt_label(campaign, chain)}/"
    query = orm.QueryBuilder()
    query.append(
        orm.ProcessNode,
        filters={"label": {"or": [{"like": f"{like(prefix)}{kind}\\_%"} for kind in ("snapshot", "lane")]}},
        project=["ctime", "label", "attributes.process_state", "attributes.exit_status", f"extras.{VOID_EXTRA}"],
        tag="process",
    )
    query.order_by(oldest_first("process"))
    begins = [attempt.ctime for attempt in attempts]
    ends: dict[int, dict[str, Ending]] = {attempt.pk: {} for attempt in attempts}
    for ctime, label, state, status, void in query.iterall():
        position = bisect(begins, ctime) - 1
        if position >= 0 and state in TERMINAL and void is None:
            # the last process of a snapshot tells: a second way of computing it comes after the first
            name = label.removeprefix(prefix)
            end = Ending(state_of(state, status, paused=False), status, is_lane=name.startswith("lane"))
            ends[attempts[position].pk][name] = end
    return {
        pk: {name: end for name, end in sorted(found.items()) if end.state != "finished"}
        for pk, found in ends.items()
    }
