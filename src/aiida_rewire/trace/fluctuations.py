"""Fluctuations of the conductance on a plateau: how large, how long remembered, which points are the extremes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.points import require_complete, require_number

FEWEST_POINTS = 8

MEMORY_WINDOW = 5.0
"""Correlation is summed up to this many correlation times: beyond them there is but noise."""


@dataclass(frozen=True)
class Fluctuation:
    """How the conductance of a plateau fluctuates.

    Attributes
    ----------
    points, missing
        How many points have a conductance, and how many have none.
    independent
        Points that would tell the mean as well if they did not remember each other.
    mean_g0, mean_error_g0
        Mean and its standard error, G0.
    deviation_g0, deviation_error_g0
        Standard deviation and its standard error, G0.
    relative, relative_error
        delta G / G, the deviation over the mean, and its standard error; NaN for a mean of 0.
    lowest, highest
        Index of the points with the lowest and the highest conductance.
    """

    points: int
    missing: int
    independent: float
    mean_g0: float
    mean_error_g0: float
    deviation_g0: float
    deviation_error_g0: float
    relative: float
    relative_error: float
    lowest: int
    highest: int


@dataclass(frozen=True)
class Comparison:
    """The relative fluctuations of two plateaus.

    Attributes
    ----------
    difference, difference_error
        delta G / G of the first less that of the second, and its standard error.
    ratio, ratio_error
        delta G / G of the first over that of the second, and its standard error.
    significance
        The difference in standard errors; beyond 2 or so, the plateaus differ.
    """

    difference: float
    difference_error: float
    ratio: float
    ratio_error: float
    significance: float


def fluctuation_of(conductances_g0: ArrayLike) -> Fluctuation:
    """Return mean and deviation of the conductance, with errors that know how long it remembers.

    With the autocorrelation rho of m lags, the mean has the variance s^2 (1 + 2 sum rho) / n, and the deviation of a
    Gaussian process the relative variance (1 + 2 sum rho^2) / 2n. The sums end at five correlation times. Where the
    record is shorter than some twenty of these times, the errors are too small; ``independent`` tells.

    Parameters
    ----------
    conductances_g0
        Conductances of one plateau at equal intervals, G0, shape (n,); NaN where missing. Missing points are left
        out, which shortens the memory of those beside them.

    Raises
    ------
    InvalidInput
        If fewer than 8 conductances are there.
    """
    values = np.asarray(conductances_g0, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(values))
    known = values[there]
    require_number(known, FEWEST_POINTS)
    n = len(known)
    mean, deviation = float(known.mean()), float(known.std(ddof=1))
    memory, memory_of_squares = _memory(known)
    mean_error = deviation * math.sqrt(memory / n)
    deviation_error = deviation * math.sqrt(memory_of_squares / (2 * n))
    relative = deviation / abs(mean) if mean else math.nan
    relative_error = math.nan
    if mean:
        relative_error = math.hypot(deviation_error / mean, relative * mean_error / mean)
    return Fluctuation(
        points=n,
        missing=values.size - n,
        independent=n / memory,
        mean_g0=mean,
        mean_error_g0=mean_error,
        deviation_g0=deviation,
        deviation_error_g0=deviation_error,
        relative=relative,
        relative_error=relative_error,
        lowest=int(there[np.argmin(known)]),
        highest=int(there[np.argmax(known)]),
    )


def autocorrelation(conductances_g0: ArrayLike, *, lags: int | None = None) -> NDArray[np.float64]:
    """Return the autocorrelation of a conductance at equal intervals.

    Parameters
    ----------
    conductances_g0
        G0, shape (n,), none missing.
    lags
        How many lags beyond 0, less than n; by default a quarter of n.

    Returns
    -------
    ndarray
        Dimensionless, 1 at lag 0, shape (lags + 1,); sums over n - lag points are divided by n, which damps what is
        known least.

    Raises
    ------
    InvalidInput
        If fewer than 8 conductances are there, one is missing, they are all equal, or there are too many lags.
    """
    known = np.asarray(conductances_g0, dtype=np.float64)
    require_number(known, FEWEST_POINTS)
    require_complete(known)
    most = len(known) // 4 if lags is None else lags
    if not 0 <= most < len(known):
        raise InvalidInput("lags", most, f"from 0 to {len(known) - 1}", "ask for fewer or take a longer plateau")
    correlation = _correlation(known)
    if correlation is None:
        raise InvalidInput("conductances_g0", "all equal", "of some variance", "a constant has no autocorrelation")
    return correlation[: most + 1]


def compare(first: Fluctuation, second: Fluctuation) -> Comparison:
    """Compare the relative fluctuations of two plateaus.

    Parameters
    ----------
    first, second
        From :func:`fluctuation_of`.

    Raises
    ------
    InvalidInput
        If one has no relative fluctuation, or the second none at all.
    """
    for name, one in (("first", first), ("second", second)):
        if not one.relative > 0:
            raise InvalidInput(
                name, f"delta G/G of {one.relative}", "positive", "take a plateau that conducts and fluctuates"
            )
    difference = first.relative - second.relative
    error = math.hypot(first.relative_error, second.relative_error)
    ratio = first.relative / second.relative
    of_ratio = ratio * math.hypot(first.relative_error / first.relative, second.relative_error / second.relative)
    return Comparison(difference, error, ratio, of_ratio, difference / error)


def longest_uninterrupted(conductances_g0: ArrayLike) -> slice:
    """Return the longest stretch without a missing point; the first of several.

    Parameters
    ----------
    conductances_g0
        G0, shape (n,); NaN where missing.

    Returns
    -------
    slice
        Empty if every point is missing.
    """
    there = np.isfinite(np.asarray(conductances_g0, dtype=np.float64))
    edges = np.diff(np.concatenate([[False], there, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not starts.size:
        return slice(0, 0)
    longest = int(np.argmax(stops - starts))
    return slice(int(starts[longest]), int(stops[longest]))


def _correlation(known: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Autocorrelation at all lags, shape (n,); None for a constant."""
    # imported here, as elsewhere: it takes longer than all else of this module
    from scipy.signal import correlate

    centred = known - known.mean()
    # equal numbers differ from their mean by rounding
    if np.ptp(known) <= 1e-12 * np.abs(known).max():
        return None
    covariance = correlate(centred, centred, method="fft")[len(known) - 1 :]
    normalised: NDArray[np.float64] = covariance / covariance[0]
    return normalised


def _memory(known: NDArray[np.float64]) -> tuple[float, float]:
    """Return 1 + 2 sum rho and 1 + 2 sum rho^2, each at least 1 and summed to where it settles."""
    correlation = _correlation(known)
    if correlation is None:
        return 1.0, 1.0
    lags = np.arange(len(known))
    memory = 1 + 2 * np.cumsum(correlation[1:])
    settled = np.flatnonzero(lags[1:] >= MEMORY_WINDOW * memory / 2)
    last = int(settled[0]) if settled.size else len(memory) - 1
    squares = 1 + 2 * float((correlation[1 : last + 2] ** 2).sum())
    return max(float(memory[last]), 1.0), squares
