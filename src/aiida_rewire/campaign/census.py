"""What a database says of a campaign, in as many queries for ten thousand snapshots as for ten.

Processes are found by their labels and conductances by their attributes; provenance is followed only where its
branches are few.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, TERMINAL, Attempt, attempts_of, state_of
from aiida_rewire.campaign.branches import Alive, Segment, alive_below, extracted_by, refused_in, segments_of
from aiida_rewire.database.attributes import CONDUCTANCE
from aiida_rewire.database.marks import CHAIN_PROCESS, VOID_EXTRA
from aiida_rewire.database.tables import MOST_NAMED, Tables, flag, number, plugin_of, whole

if TYPE_CHECKING:
    from aiida import orm

MD = "rewire.md.base"
SNAPSHOT = re.compile(r"snapshot_(\d+)")


@dataclass(frozen=True)
class Part:
    """A labelled process below an attempt: equilibration, production, a lane, or a snapshot.

    Attributes
    ----------
    pk, attempt
        Of its node, and of the attempt that it belongs to.
    chain, name
        ``8V-s1`` and ``snapshot_0003``.
    plugin
        Entry point of the process.
    state
        As of `aiida_rewire.campaign.attempts.Attempt`.
    exit_status
        Of a finished or failed one.
    began, ended
        When; None while it lives.
    """

    pk: int
    attempt: int
    chain: str
    name: str
    plugin: str
    state: str
    exit_status: int | None
    began: datetime
    ended: datetime | None

    @property
    def snapshot(self) -> int | None:
        """Number of the snapshot; None of other parts."""
        return snapshot_in(self.name)

    @property
    def is_lane(self) -> bool:
        """Whether it is a lane."""
        return self.name.startswith("lane_")

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.ended is not None and self.state != "finished"


class Conductance(NamedTuple):
    """The conductance of a snapshot: PK, time of the dynamics (ps), T per spin at E_F, when it was stored."""

    pk: int
    time_ps: float | None
    transmission: float | None
    reused: bool
    stored: datetime


@dataclass(frozen=True)
class Census:
    """All of a campaign that is asked for.

    Attributes
    ----------
    attempts
        Of each chain those that count, oldest first.
    parts
        Of each chain, oldest first; of snapshots those alone that are not plainly good.
    lanes
        Of each attempt, by PK, how many lanes it has.
    conductances
        Of each chain, by the number of the snapshot; the first of each, which is the one that counts.
    segments
        Of each part of a dynamics, in their order.
    extracted
        How many snapshots each attempt took, by PK.
    refused
        Snapshots that no process began for, with exit status and reason, by the PK of the lane.
    alive
        What has not ended, below attempts that live and below those that ended before what they called.
    """

    attempts: Mapping[str, Sequence[Attempt]]
    parts: Mapping[str, Sequence[Part]]
    conductances: Mapping[str, Mapping[int, Conductance]]
    segments: Mapping[int, Sequence[Segment]] = field(default_factory=dict)
    extracted: Mapping[int, int] = field(default_factory=dict)
    refused: Mapping[int, Mapping[int, tuple[int, str]]] = field(default_factory=dict)
    alive: Sequence[Alive] = ()


def snapshot_in(name: str) -> int | None:
    """Return the number of a snapshot in the name of a process; None if it is that of something else."""
    found = SNAPSHOT.fullmatch(name)
    return int(found[1]) if found else None


def take_census(group: orm.Group, *, process_type: str = CHAIN_PROCESS) -> Census:
    """Ask the database about a campaign.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of attempts.
    """
    tables = Tables.of(group)
    every = attempts_of(group.label, process_type=process_type, void=True)
    attempts = {
        chain: [one for one in those if one.void is None]
        for chain, those in every.items()
        if any(one.void is None for one in those)
    }
    counted = {one.pk for those in attempts.values() for one in those}
    conductances = conductances_of(tables, group.label)
    parts = [part for part in parts_of(tables, group.label, every, conductances) if part.attempt in counted]
    by_chain: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_chain[part.chain].append(part)
    roots = {one.pk: chain for chain, those in attempts.items() for one in those if one.is_live}
    roots |= {part.pk: part.chain for part in parts if part.is_live}
    return Census(
        attempts=attempts,
        parts=by_chain,
        conductances=conductances,
        segments=segments_of(tables, [part.pk for part in parts if part.plugin == MD]),
        extracted=extracted_by(tables, counted),
        refused=refused_in(tables, [part.pk for part in parts if part.is_lane]),
        alive=alive_below(tables, roots),
    )


def conductances_of(tables: Tables, campaign: str) -> dict[str, dict[int, Conductance]]:
    """Return the conductances of a campaign by chain and snapshot."""
    nodes, attribute = tables.nodes, tables.attribute
    from sqlalchemy import select

    names = ("chain", "snapshot", "time_ps", "transmission_fermi", "reused_from")
    statement = (
        select(nodes.c.id, nodes.c.ctime, tables.extra_text(VOID_EXTRA), *map(attribute, names))
        .where(nodes.c.node_type == CONDUCTANCE, attribute("campaign") == campaign)
        .order_by(nodes.c.ctime, nodes.c.id)
    )
    found: dict[str, dict[int, Conductance]] = defaultdict(dict)
    for pk, stored, void, chain, snapshot, time_ps, transmission, reused in tables.rows(statement):
        index = whole(snapshot)
        if void is None and chain is not None and index is not None and index not in found[chain]:
            found[chain][index] = Conductance(pk, number(time_ps), number(transmission), reused is not None, stored)
    return found


def parts_of(
    tables: Tables,
    campaign: str,
    attempts: Mapping[str, Sequence[Attempt]],
    conductances: Mapping[str, Mapping[int, Conductance]],
) -> list[Part]:
    """Return the labelled processes of a campaign, oldest first; of snapshots those that are not plainly good.

    A snapshot is plainly good if it has a conductance that was computed, and one process, in a chain none of whose
    attempts ended without some: nothing more is asked of that, and most are.
    """
    nodes, attribute = tables.nodes, tables.attribute
    from sqlalchemy import select

    prefix = f"{campaign}/"
    light = select(nodes.c.id, nodes.c.label).where(tables.below(campaign), nodes.c.process_type.is_not(None))
    labels = {pk: label.removeprefix(prefix) for pk, label in tables.rows(light) if label.startswith(prefix)}
    times = Counter(labels.values())
    lacking = {
        chain for chain, those in attempts.items() if any(one.exit_status == SNAPSHOTS_MISSING for one in those)
    }
    wanted = []
    for pk, label in labels.items():
        chain, _, name = label.partition("/")
        index = snapshot_in(name)
        conductance = None if index is None else conductances.get(chain, {}).get(index)
        if conductance is None or conductance.reused or times[label] > 1 or chain in lacking:
            wanted.append(pk)
    names = ("process_state", "exit_status", "paused")
    columns = (nodes.c.id, nodes.c.process_type, nodes.c.ctime, nodes.c.mtime, *map(attribute, names))
    which = nodes.c.id.in_(wanted) if len(wanted) <= MOST_NAMED else tables.below(campaign)
    statement = select(*columns, tables.extra_text(VOID_EXTRA)).where(which).order_by(nodes.c.ctime, nodes.c.id)
    begins = {chain: [one.ctime for one in those] for chain, those in attempts.items()}
    found = []
    chosen = set(wanted)
    for pk, process_type, began, ended, state, status, paused, void in tables.rows(statement):
        if void is not None or pk not in chosen:
            continue
        chain, _, name = labels[pk].partition("/")
        # when an attempt begins, all below the one before has ended
        place = bisect(begins.get(chain, []), began) - 1
        if place < 0:
            continue
        exit_status = whole(status)
        found.append(
            Part(
                pk=pk,
                attempt=attempts[chain][place].pk,
                chain=chain,
                name=name,
                plugin=plugin_of(process_type),
                state=state_of(state, exit_status, paused=flag(paused)),
                exit_status=exit_status,
                began=began,
                ended=ended if state in TERMINAL else None,
            )
        )
    return found
