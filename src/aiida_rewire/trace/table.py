"""A trace as rows for people and for files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

CSV_COLUMNS = (
    "time_ps",
    "step",
    "stage",
    "bonds",
    "gap_left_angstrom",
    "transmission_per_spin",
    "conductance_g0",
    "conductance_microsiemens",
    "unitarity_deviation",
    "conductance_uuid",
    "reused_from",
    "missing",
)
TABLE_COLUMNS = ("time (ps)", "stage", "bonds", "T", "G (G0)", "G (µS)", "gates")

Row = Mapping[str, Any]


def microsiemens(conductance_g0: float) -> float:
    """Convert from G0 to µS."""
    return conductance_g0 * CONDUCTANCE_QUANTUM * 1e6


def csv_row(row: Row) -> dict[str, str]:
    """Return the row of the CSV file for a row of a trace; numbers that are missing are empty."""
    there = math.isfinite(row["conductance_g0"])
    g = row["conductance_g0"]
    values = (
        f"{row['time_ps']:.4f}",
        str(row["step"]),
        row["stage"],
        str(row["bonds"]),
        f"{row['gap_left_a']:.3f}",
        f"{g:.7f}" if there else "",
        f"{g:.7f}" if there else "",
        f"{microsiemens(g):.5f}" if there else "",
        f"{row['unitarity']:.2e}" if there else "",
        row["conductance_uuid"],
        row["reused_from"],
        row["missing"],
    )
    return dict(zip(CSV_COLUMNS, values, strict=True))


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write a trace as CSV; the columns name their units, time counts from switching the voltage on."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, CSV_COLUMNS)
        writer.writeheader()
        writer.writerows(csv_row(row) for row in rows)


def table_row(row: Row) -> tuple[str, ...]:
    """Return the cells of the terminal's table for a row of a trace."""
    begin = (f"{row['time_ps']:.2f}", row["stage"], str(row["bonds"]))
    g = row["conductance_g0"]
    if not math.isfinite(g):
        return (*begin, "-", "-", "-", "missing")
    return (*begin, f"{g:.4f}", f"{g:.4f}", f"{microsiemens(g):.2f}", "reused" if row["reused_from"] else "passed")
