"""What the cycles of a measurement span, as rows for people and for files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.trace.measured import MeasuredTrace

COLUMNS = (
    "device",
    "cycle",
    "points",
    "undefined",
    "lowest_g0",
    "median_g0",
    "highest_g0",
    "first_s",
    "last_s",
    "lowest_v",
    "highest_v",
)


def cycle_rows(trace: MeasuredTrace) -> list[dict[str, Any]]:
    """Return a row for each cycle: its points, and what its conductance, time and voltage span.

    Parameters
    ----------
    trace
        Measured points.

    Returns
    -------
    list of dict
        By the names of `COLUMNS`: G0, s and V; None where there is no such number.
    """
    rows = []
    for device, cycle, chosen in trace.cycles():
        conductances = trace.conductance_g0[chosen]
        known = conductances[np.isfinite(conductances)]
        middle = float(np.median(known)) if known.size else None
        lowest, highest = _span(known)
        times, voltages = (None if whole is None else whole[chosen] for whole in (trace.time_s, trace.voltage_v))
        values = (
            *(device, cycle, len(chosen), len(chosen) - known.size, lowest, middle, highest),
            *_span(times),
            *_span(voltages),
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _span(values: NDArray[np.float64] | None) -> tuple[float | None, float | None]:
    if values is None or not values.size:
        return None, None
    return float(values.min()), float(values.max())
