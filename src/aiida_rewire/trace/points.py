"""Points of a trace: what times and conductances must satisfy together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput


def points_of(
    times_s: ArrayLike, conductances_g0: ArrayLike, *, fewest: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and conductances as arrays.

    Parameters
    ----------
    times_s
        Time of each point, s, increasing; shape (n,).
    conductances_g0
        G0, shape (n,); NaN where missing.
    fewest
        How many points there must be.

    Raises
    ------
    InvalidInput
        If the arrays do not belong together, times do not increase, or there are fewer points.
    """
    times, values = np.asarray(times_s, dtype=np.float64), np.asarray(conductances_g0, dtype=np.float64)
    if times.ndim != 1 or values.shape != times.shape:
        raise InvalidInput(
            "conductances_g0",
            f"array of shape {values.shape} for times of shape {times.shape}",
            "one number for each time",
            "give NaN where a conductance is missing",
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InvalidInput("times_s", "not all later than the one before", "increasing", "sort the points by time")
    require_number(values, fewest)
    return times, values


def require_number(conductances_g0: NDArray[np.float64], fewest: int) -> None:
    """Refuse what is no list of at least so many conductances.

    Parameters
    ----------
    conductances_g0
        G0.
    fewest
        How many there must be.
    """
    if conductances_g0.ndim != 1 or conductances_g0.size < fewest:
        raise InvalidInput(
            "conductances_g0",
            f"array of shape {conductances_g0.shape}",
            f"a list of at least {fewest} conductances",
            "take a longer plateau",
        )


def require_complete(conductances_g0: NDArray[np.float64]) -> None:
    """Refuse conductances of which one is missing.

    Parameters
    ----------
    conductances_g0
        G0, any shape; NaN where missing.
    """
    missing = conductances_g0.size - int(np.count_nonzero(np.isfinite(conductances_g0)))
    if missing:
        raise InvalidInput(
            "conductances_g0",
            f"{missing} of {conductances_g0.size} missing",
            "without a gap",
            "take the longest uninterrupted stretch",
        )
