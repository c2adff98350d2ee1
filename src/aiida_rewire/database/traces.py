"""Traces of chains from the database: their conductances in the order of time, and the snapshots that have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.database.queries import Selection
from aiida_rewire.database.selected import Selected, select, selected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aiida_rewire.trace.table import Row

TRACE = "rewire.trace"
"""Entry point of the nodes of traces."""


@dataclass(frozen=True)
class ChainTrace:
    """T against time of a chain.

    Attributes
    ----------
    campaign, chain, protocol
        Names.
    voltage_v
        V; NaN if the conductances name none, of a sweep that of the first.
    rows
        Of `aiida_rewire.trace.table`, in the order of time; the conductance of a missing snapshot is NaN.
    uuid
        Of the chain's trace node, which knows the missing snapshots; empty while the chain runs.
    conductances
        Those of the rows.
    """

    campaign: str
    chain: str
    protocol: str
    voltage_v: float
    rows: tuple[Row, ...]
    uuid: str
    conductances: Selected

    @property
    def time_ps(self) -> NDArray[np.float64]:
        """Since the voltage was switched on, ps, shape (n,)."""
        return np.array([row["time_ps"] for row in self.rows], dtype=np.float64)

    @property
    def conductance_g0(self) -> NDArray[np.float64]:
        """Conductance, that is T per spin at E_F, G0, shape (n,); NaN where missing."""
        return np.array([row["conductance_g0"] for row in self.rows], dtype=np.float64)

    @property
    def missing(self) -> int:
        """How many snapshots have no conductance."""
        return sum(bool(row["missing"]) for row in self.rows)

    @property
    def reused(self) -> int:
        """How many conductances were taken over from an equal contact."""
        return sum(bool(row["reused_from"]) for row in self.rows)


def chain_traces(selection: Selection, *, mixed: bool = False) -> list[ChainTrace]:
    """Return the traces of a selection, by campaign, voltage and chain.

    A snapshot without a conductance is among the rows once the chain has ended, and if it meets the selection; one
    that a later attempt computed is not missing.

    Parameters
    ----------
    selection
        Which conductances.
    mixed
        Whether they may be of several protocols.

    Raises
    ------
    InvalidInput
        As of `aiida_rewire.database.selected.select`.
    """
    found = select(selection, mixed=mixed)
    whole = replace(selection, transmission=None, stage=None, bonds=None)
    everything = found if whole == selection else selected(whole)
    computed: dict[tuple[str, str], set[float]] = {}
    for campaign, chain, step in zip(everything.campaign, everything.chain, everything.step, strict=True):
        computed.setdefault((campaign, chain), set()).add(float(step))
    nodes = trace_nodes(computed)
    traces = []
    for campaign, chain, of_chain in found.by_chain():
        node = nodes.get((campaign, chain))
        rows = list(rows_of(of_chain))
        if node is not None:
            rows += missing_rows(node, computed[campaign, chain], selection)
        traces.append(
            ChainTrace(
                campaign,
                chain,
                ", ".join(name for name in of_chain.protocols if name),
                float(of_chain.voltage_v[0]),
                tuple(sorted(rows, key=lambda row: (float(row["time_ps"]), float(row["step"])))),
                "" if node is None else str(node.uuid),
                of_chain,
            )
        )
    return sorted(traces, key=lambda one: (one.campaign, np.nan_to_num(one.voltage_v, nan=np.inf), one.chain))


def trace_nodes(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Return the newest trace node of each chain that has one, by campaign and name."""
    from aiida import orm
    from aiida.plugins import DataFactory

    wanted = set(keys)
    filters = {"attributes.campaign": {"in": sorted({campaign for campaign, _ in wanted})}}
    query = orm.QueryBuilder()
    query.append(
        DataFactory(TRACE),
        filters=filters,
        project=["id", "attributes.campaign", "attributes.chain", f"extras.{VOID_EXTRA}"],
        tag="trace",
    )
    query.order_by({"trace": {"id": "asc"}})
    newest = {(campaign, chain): pk for pk, campaign, chain, void in query.iterall() if void is None}
    return {key: orm.load_node(pk) for key, pk in newest.items() if key in wanted}


def rows_of(found: Selected) -> Iterator[Row]:
    """Yield the row of each conductance of a chain."""
    for place in range(len(found)):
        step, bonds = found.step[place], found.bonds[place]
        yield {
            "time_ps": float(found.time_ps[place]),
            "step": int(step) if np.isfinite(step) else -1,
            "bonds": int(bonds) if np.isfinite(bonds) else -1,
            "gap_left_a": float(found.gap_left_a[place]),
            "conductance_g0": float(found.transmission[place]),
            "unitarity": float(found.unitarity[place]),
            "stage": found.stage[place],
            "conductance_uuid": found.uuid[place],
            "reused_from": found.reused_from[place],
            "missing": "",
        }


def missing_rows(node: Any, computed: set[float], selection: Selection) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a trace node's missing snapshots that meet a selection.

    Parameters
    ----------
    node
        Of the chain's trace.
    computed
        Steps of the snapshots that have a conductance by now.
    selection
        Which; a snapshot without a conductance is between no two.
    """
    if selection.transmission is not None:
        return
    for row in node.rows():
        if (
            row["missing"]
            and float(row["step"]) not in computed
            and selection.stage in (None, row["stage"])
            and selection.bonds in (None, row["bonds"])
        ):
            yield row
