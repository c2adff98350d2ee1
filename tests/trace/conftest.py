"""Rows of traces."""

import math
from typing import Any

import pytest


def row(time_ps: float, conductance_g0: float, stage: str = "contact", **changes: Any) -> dict[str, Any]:
    """One snapshot; a conductance of NaN is missing."""
    missing = math.isnan(conductance_g0)
    return {
        "time_ps": time_ps,
        "step": round(1000 * time_ps),
        "bonds": 1,
        "gap_left_a": 0.0,
        "conductance_g0": conductance_g0,
        "unitarity": math.nan if missing else 2.5e-5,
        "stage": stage,
        "conductance_uuid": "" if missing else "0b1c",
        "reused_from": "",
        "missing": "pw.x <12> [410] not converged, after 100 steps" if missing else "",
        **changes,
    }


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """A filament that closes, one snapshot missing."""
    return [
        row(0.0, 0.0001, "gap", bonds=0, gap_left_a=6.5),
        row(0.2, 0.02, "islands", bonds=0, gap_left_a=3.912),
        row(0.4, math.nan),
        row(0.6, 1.00066),
        row(0.8, 4.5, "growth", bonds=7),
    ]
