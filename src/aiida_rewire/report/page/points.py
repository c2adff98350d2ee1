"""The snapshots of a campaign's chains: those with a conductance, those that failed, those still to be computed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.attempts import Attempt
from aiida_rewire.campaign.evidence import cleaned
from aiida_rewire.campaign.ways_out import exit_code_of
from aiida_rewire.database.attributes import CONDUCTANCE
from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.database.tables import RETURN, Tables, number, whole
from aiida_rewire.report.page.model import Point
from aiida_rewire.report.page.stored_arrays import key_of, read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aiida_rewire.campaign.census import Census

ARRAYS = ("time_ps", "steps", "voltage_v", "bonds", "gap_left")
"""Of the snapshots of a chain, that are read: none of them is long."""

NO_REASON = "no reason recorded"


@dataclass(frozen=True)
class Computed:
    """A conductance: its point, and what finds its spectrum.

    Attributes
    ----------
    point
        The snapshot.
    energies
        How many there are.
    """

    point: Point
    energies: int


@dataclass(frozen=True)
class Taken:
    """The snapshots that an attempt at a chain took from its dynamics.

    Attributes
    ----------
    first_contact_ps, lasting_contact_ps
        When the tips met, and met to stay, ps.
    stages
        Of each.
    arrays
        Those of `ARRAYS` that are there, a number for each.
    """

    first_contact_ps: float | None = None
    lasting_contact_ps: float | None = None
    stages: Sequence[str] = ()
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many there are."""
        return max([len(self.stages), *map(len, self.arrays.values())], default=0)

    def point(self, index: int, missing: str) -> Point:
        """Return a snapshot that has no conductance.

        Parameters
        ----------
        index
            Which.
        missing
            Why it has none.
        """
        values = {name: array[index] for name, array in self.arrays.items() if index < len(array)}
        return Point(
            snapshot=index,
            time_ps=finite(values.get("time_ps")),
            step=whole(values.get("steps")),
            voltage_v=finite(values.get("voltage_v")),
            stage=str(self.stages[index]) if index < len(self.stages) else "",
            bonds=whole(values.get("bonds")),
            gap_left_a=finite(values.get("gap_left")),
            missing=missing,
        )


def conductances_by_chain(tables: Tables, campaign: str) -> dict[str, dict[int, Computed]]:
    """Return the conductances of a campaign by chain and snapshot; of two of one snapshot the first, which counts.

    One query; no node is loaded.
    """
    from sqlalchemy import select

    nodes = tables.nodes
    statement = (
        select(nodes.c.id, nodes.c.uuid, nodes.c.attributes)
        .where(
            nodes.c.node_type == CONDUCTANCE,
            tables.attribute("campaign") == campaign,
            tables.extra_text(VOID_EXTRA).is_(None),
        )
        .order_by(nodes.c.ctime, nodes.c.id)
    )
    found: dict[str, dict[int, Computed]] = defaultdict(dict)
    for pk, uuid, values in tables.rows(statement):
        index, chain = whole(values.get("snapshot")), values.get("chain")
        if isinstance(chain, str) and index is not None and index not in found[chain]:
            found[chain][index] = Computed(
                point_of(pk, str(uuid), index, values), whole(values.get("n_energies")) or 0
            )
    return found


def point_of(pk: int, uuid: str, index: int, values: Mapping[str, Any]) -> Point:
    """Return the snapshot of a conductance from the attributes of its node."""
    return Point(
        snapshot=index,
        time_ps=finite(values.get("time_ps")),
        step=whole(values.get("step")),
        voltage_v=finite(values.get("voltage_v")),
        stage=str(values.get("stage") or ""),
        bonds=whole(values.get("min_cut")),
        gap_left_a=finite(values.get("gap_left_a")),
        conductance_g0=finite(values.get("conductance_g0")),
        unitarity=finite(values.get("unitarity_max")),
        mismatch_ev=finite(values.get("potential_mismatch_ev")),
        pk=pk,
        uuid=uuid,
        reused_from=str(values.get("reused_from") or ""),
    )


def snapshots_taken(tables: Tables, attempts: Mapping[str, Sequence[Attempt]]) -> dict[str, Taken]:
    """Return the snapshots of each chain whose dynamics is over, those of its last attempt that took any.

    Parameters
    ----------
    tables
        Of the profile.
    attempts
        Of each chain, the oldest first.
    """
    from sqlalchemy import select

    nodes, links = tables.nodes, tables.links
    chain_of = {one.pk: chain for chain, those in attempts.items() for one in those}
    columns = (nodes.c.repository_metadata, *(nodes.c.attributes[name].as_json() for name in CONTACT_TIMES))
    statement = (
        select(links.c.input_id, *columns)
        .join(nodes, nodes.c.id == links.c.output_id)
        .where(links.c.type == RETURN, links.c.label == "snapshots")
    )
    rows = {row[0]: row[1:] for row in tables.rows_of(statement, links.c.input_id, chain_of)}
    # a later attempt takes the snapshots of an earlier one over, or takes its own
    last = {chain_of[pk]: rows[pk] for those in attempts.values() for pk in [one.pk for one in those] if pk in rows}
    keys = {(chain, name): key_of(row[0], name) for chain, row in last.items() for name in ARRAYS}
    arrays = dict(read_arrays(key for key in keys.values() if key is not None))
    return {
        chain: Taken(
            finite(first),
            finite(lasting),
            tuple(map(str, stages)) if isinstance(stages, list) else (),
            {name: arrays[key] for name in ARRAYS if (key := keys[chain, name]) in arrays and key is not None},
        )
        for chain, (_, first, lasting, stages) in last.items()
    }


CONTACT_TIMES = ("first_contact_ps", "lasting_contact_ps", "stages")
"""Attributes of the snapshots of a chain."""


def points_of_chain(
    computed: Mapping[int, Computed], taken: Taken | None, reasons: Mapping[int, str], *, is_over: bool
) -> tuple[Point, ...]:
    """Return the snapshots of a chain in their order.

    Parameters
    ----------
    computed
        Conductances by snapshot.
    taken
        All snapshots; None while the dynamics goes on.
    reasons
        Why snapshots have no conductance.
    is_over
        Whether nothing more comes of the chain.
    """
    known = taken or Taken()
    indices = sorted({*computed, *reasons, *range(len(known))})
    otherwise = NO_REASON if is_over else ""
    return tuple(
        computed[index].point if index in computed else known.point(index, reasons.get(index, otherwise))
        for index in indices
    )


def reasons_in(census: Census, chain: str) -> dict[int, str]:
    """Return why snapshots of a chain have no conductance, of those whose last process ended without one."""
    there = census.conductances.get(chain, {})
    found: dict[int, str] = {}
    for part in census.parts.get(chain, ()):
        if part.is_lane:
            found |= {index: cleaned(reason) for index, (_, reason) in census.refused.get(part.pk, {}).items()}
        if part.snapshot is None:
            continue
        # the last process of a snapshot tells
        found.pop(part.snapshot, None)
        if part.failed:
            how = part.state
            if part.exit_status is not None:
                code = exit_code_of(part.plugin, part.exit_status).label
                how = f"[{part.exit_status}] {code}".rstrip()
            found[part.snapshot] = f"{part.plugin} {how}"
    return {index: reason for index, reason in found.items() if index not in there}


def finite(value: Any) -> float | None:
    """Return a value as a number; None if it is none, or not finite."""
    found = number(value)
    return found if found is not None and math.isfinite(found) else None
