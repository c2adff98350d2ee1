"""Peaks of a conductance histogram, with errors that chains and not points decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from scipy.signal import find_peaks, peak_widths
from scipy.special import ndtr

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import Bins, Histogram

FULL_WIDTH = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian, in its standard deviations."""

WINDOW = 3.0
"""Standard deviations around a peak within which it is fitted."""

SIGNIFICANCE = 7.0
"""Standard deviations of its count by which a peak must rise above its valleys: of a hundred bins of noise, the
highest and the lowest are some five apart."""

MOST_STEPS = 100
"""Of a fit; where it takes more, the peak is no Gaussian, and its error will say so."""

RESAMPLES = 200

ONE_SIGMA = (15.865525393145708, 84.13447460685429)
"""Percentiles one standard deviation off the median of a Gaussian."""


@dataclass(frozen=True)
class Peak:
    """A Gaussian peak.

    Attributes
    ----------
    position_g0, position_error_g0
        Centre, G0.
    width, width_error
        Full width at half maximum, G0; decades for logarithmic bins. What a bin's width adds is taken off.
    share
        Area of the peak, as a share of the points within the bins.
    chains
        Chains over which the errors were taken. The errors are NaN for a single one: points of one chain follow each
        other, and their spread says nothing about another chain.
    """

    position_g0: float
    position_error_g0: float
    width: float
    width_error: float
    share: float
    chains: int


def peaks_of(
    histogram: Histogram,
    *,
    prominence: float = 0.05,
    smoothing_bins: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Peak]:
    """Find the peaks of a histogram.

    A sum of Gaussians, integrated over the bins, and a constant is fitted around the maxima of the smoothed counts.
    For the errors whole chains are drawn with replacement and the fit is repeated (bootstrap; B. Efron, Ann. Stat. 7,
    1 (1979)). Error is half the distance of the 16th and the 84th percentile, times sqrt(c / (c - 1)) for c chains.
    A pile of points at an end of the range is no peak.

    Parameters
    ----------
    histogram
        Counts of each chain.
    prominence
        By how much of the highest count a peak must rise above its valleys; at least seven standard deviations
        of its count, as that of independent points, in any case.
    smoothing_bins
        Standard deviation, in bins, of the Gaussian that smooths the counts before maxima are looked for; the fit is
        to the counts as they are.
    resamples
        How many times chains are drawn.
    seed
        Of the draws: the same gives the same errors.

    Returns
    -------
    list of Peak
        In the order of conductance; empty if there is none.

    Raises
    ------
    InvalidInput
        If no point is within the bins, or a parameter is out of bounds.
    """
    histogram.require_points()
    if not 0 < prominence < 1:
        raise InvalidInput("prominence", prominence, "between 0 and 1", "0.05 is usual")
    if not 0 < smoothing_bins < math.inf:
        raise InvalidInput("smoothing_bins", smoothing_bins, "positive, bins", "1 is usual")
    if resamples < 2:
        raise InvalidInput("resamples", resamples, "at least 2", f"{RESAMPLES} is usual")
    bins, counts = histogram.bins, histogram.total.astype(np.float64)
    start = _start(counts, bins, prominence, smoothing_bins)
    if start is None:
        return []
    fit = _Fit(bins, start, gaussian_filter1d(counts, smoothing_bins))
    best = fit.to(counts, start)
    chains = len(histogram.counts)
    errors = np.full(best.shape, math.nan)
    if chains > 1:
        errors = _bootstrap(histogram.counts, fit, best, resamples, seed)
    order = np.argsort(best[1])
    return [_peak(best[:, i], errors[:, i], histogram, chains) for i in order]


def _start(
    counts: NDArray[np.float64], bins: Bins, prominence: float, smoothing_bins: float
) -> NDArray[np.float64] | None:
    """Areas, centres and standard deviations, shape (3, peaks), of the maxima of the smoothed counts."""
    smooth = gaussian_filter1d(counts, smoothing_bins)
    maxima, found = find_peaks(smooth, prominence=prominence * smooth.max())
    # the variance of a count falls by this factor when it is smoothed
    noise = np.sqrt(smooth[maxima] / (2 * math.sqrt(math.pi) * smoothing_bins))
    maxima = maxima[found["prominences"] >= SIGNIFICANCE * noise]
    if not maxima.size:
        return None
    deviation = np.maximum(peak_widths(smooth, maxima, rel_height=0.5)[0] / FULL_WIDTH, 0.5) * bins.width
    centres = (bins.edges[1:] + bins.edges[:-1])[maxima] / 2
    areas = smooth[maxima] * math.sqrt(2 * math.pi) * deviation / bins.width
    return np.stack([areas, centres, deviation])


class _Fit:
    """Least squares of Gaussians integrated over bins, and a constant, near where the peaks were first seen."""

    def __init__(self, bins: Bins, start: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
        _, centres, deviations = start
        middle = (bins.edges[1:] + bins.edges[:-1]) / 2
        near = (np.abs(middle[:, None] - centres) <= WINDOW * deviations + bins.width).any(axis=1)
        self.chosen = np.flatnonzero(near)
        self.lower, self.upper = bins.edges[:-1][near], bins.edges[1:][near]
        self.error: NDArray[np.float64] = np.sqrt(np.maximum(expected[near], 1.0))
        room = 2 * deviations + bins.width
        low = [np.zeros_like(centres), centres - room, np.full_like(centres, 0.1 * bins.width)]
        high = [np.full_like(centres, np.inf), centres + room, np.full_like(centres, np.ptp(bins.edges))]
        self.bounds = (np.append(np.concatenate(low), 0.0), np.append(np.concatenate(high), np.inf))

    def to(self, counts: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return areas, centres and standard deviations, shape (3, peaks)."""
        wanted = counts[self.chosen]
        first = np.append(start.reshape(-1), max(float(wanted.min()), 1e-3))
        low, high = self.bounds
        scale = np.maximum(np.abs(first), 1e-3)

        def deviation(p: NDArray[np.float64]) -> NDArray[np.float64]:
            return (self._model(p) - wanted) / self.error

        def slopes(p: NDArray[np.float64]) -> NDArray[np.float64]:
            return self._slopes(p) / self.error[:, None]

        result = least_squares(
            deviation,
            np.clip(first, low + 1e-9 * scale, high),
            jac=slopes,
            bounds=self.bounds,
            x_scale=scale,
            xtol=1e-7,
            ftol=1e-9,
            max_nfev=MOST_STEPS,
        )
        fitted: NDArray[np.float64] = result.x[:-1].reshape(3, -1)
        return fitted

    def _edges(
        self, p: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        areas, centres, deviations = p[:-1].reshape(3, -1)
        below = (self.lower[:, None] - centres) / deviations
        above = (self.upper[:, None] - centres) / deviations
        return areas, deviations, below, above

    def _model(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        areas, _, below, above = self._edges(p)
        model: NDArray[np.float64] = (ndtr(above) - ndtr(below)) @ areas + p[-1]
        return model

    def _slopes(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        areas, deviations, below, above = self._edges(p)
        low, high = (np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) for x in (below, above))
        slopes = (
            ndtr(above) - ndtr(below),
            -areas / deviations * (high - low),
            -areas / deviations * (above * high - below * low),
            np.ones((len(self.chosen), 1)),
        )
        return np.concatenate(slopes, axis=1)


def _bootstrap(
    counts: NDArray[np.int64], fit: _Fit, best: NDArray[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Errors of the fitted numbers, shape (3, peaks)."""
    chains = len(counts)
    draws = np.random.default_rng(seed).multinomial(chains, np.full(chains, 1 / chains), size=resamples)
    fits = np.stack([fit.to(drawn.astype(np.float64), best) for drawn in draws @ counts])
    low, high = np.percentile(fits, ONE_SIGMA, axis=0)
    errors: NDArray[np.float64] = (high - low) / 2 * math.sqrt(chains / (chains - 1))
    return errors


def _peak(best: NDArray[np.float64], error: NDArray[np.float64], histogram: Histogram, chains: int) -> Peak:
    area, centre, deviation = (float(x) for x in best)
    _, centre_error, deviation_error = (float(x) for x in error)
    position, scale = centre, 1.0
    if histogram.bins.logarithmic:
        position = 10**centre
        scale = position * math.log(10)
    return Peak(
        position_g0=position,
        position_error_g0=scale * centre_error,
        width=FULL_WIDTH * deviation,
        width_error=FULL_WIDTH * deviation_error,
        share=area / histogram.inside,
        chains=chains,
    )
