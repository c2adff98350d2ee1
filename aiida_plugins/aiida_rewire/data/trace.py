"""The conductance of a chain against time."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from aiida import orm

COLUMNS = ("time_ps", "step", "bonds", "gap_left_a", "conductance_g0", "unitarity")
TEXTS = ("stage", "conductance_uuid", "reused_from", "missing")


class TraceRow(TypedDict):
    """One snapshot of a chain.

    ``time_ps`` since the voltage was switched on; ``conductance_g0`` and ``unitarity`` are NaN, and
    ``conductance_uuid`` empty, where ``missing`` says why. ``reused_from`` is the UUID of the conductance of an equal
    contact that was taken over, empty where it was computed.
    """

    time_ps: float
    step: int
    bonds: int
    gap_left_a: float
    conductance_g0: float
    unitarity: float
    stage: str
    conductance_uuid: str
    reused_from: str
    missing: str


class TraceData(orm.ArrayData):
    """Conductance trace: one row a snapshot, those without a conductance included.

    Arrays of shape (n,): ``time_ps``, ``step``, ``bonds``, ``gap_left_a`` (Å), ``conductance_g0``,
    ``unitarity``. Attributes: the texts ``stage``, ``conductance_uuid``, ``reused_from`` and
    ``missing`` of each row, ``n_snapshots``, ``n_missing``, and the labels that were given.
    """

    @classmethod
    def from_rows(cls, rows: list[TraceRow], labels: dict[str, Any]) -> TraceData:
        """Make an unstored node from rows in the order of time."""
        hidden = sorted({*TEXTS, "n_snapshots", "n_missing"} & set(labels))
        if hidden:
            raise ValueError(f"labels = {', '.join(hidden)}: must not be names of what a trace holds; rename them")
        node = cls()
        for name in COLUMNS:
            node.set_array(name, np.array([row[name] for row in rows]))  # type: ignore[literal-required]
        texts = {name: [row[name] for row in rows] for name in TEXTS}  # type: ignore[literal-required]
        missing = sum(bool(row["missing"]) for row in rows)
        node.base.attributes.set_many({**labels, **texts, "n_snapshots": len(rows), "n_missing": missing})
        return node

    def rows(self) -> list[TraceRow]:
        """Return the rows in the order of time."""
        columns: dict[str, list[Any]] = {name: self.get_array(name).tolist() for name in COLUMNS}
        columns |= {name: self.base.attributes.get(name) for name in TEXTS}
        names = (*COLUMNS, *TEXTS)
        zipped = zip(*(columns[name] for name in names), strict=True)
        return [dict(zip(names, values, strict=True)) for values in zipped]  # type: ignore[misc]
