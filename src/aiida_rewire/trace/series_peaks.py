"""The resistance in series with a junction, from where the peaks of its measured histogram lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import Bins, histogram_of_chains, linear_bins
from aiida_rewire.trace.peaks import RESAMPLES, Peak, peaks_of
from aiida_rewire.trace.series_resistance import SeriesResistance, fit_series_resistance


@dataclass(frozen=True)
class PeakResistance:
    """A resistance, and what it was fitted to.

    Attributes
    ----------
    resistance
        With its error.
    peaks
        Of the histogram, as measured.
    multiples
        Multiple of G0 that each belongs to.
    cycles
        Over which the errors were taken.
    """

    resistance: SeriesResistance
    peaks: tuple[Peak, ...]
    multiples: tuple[int, ...]
    cycles: int


def fit_to_peaks(
    cycles: Sequence[ArrayLike],
    *,
    multiples: Sequence[int] | None = None,
    bins: Bins | None = None,
    resamples: int = RESAMPLES,
) -> PeakResistance:
    """Fit the resistance in series that puts the peaks of a histogram at multiples of G0.

    Parameters
    ----------
    cycles
        Measured conductances of each cycle, G0; NaN where undefined.
    multiples
        That the peaks belong to, in the order of conductance. By default the nearest ones, which is right while the
        resistance shifts no peak by half a quantum; peaks below G0/2 are left out then.
    bins
        Of the histogram; from 0 to 10 G0 by 0.05 G0 by default.
    resamples
        How many times cycles are drawn for the errors.

    Raises
    ------
    InvalidInput
        If there are fewer than two cycles, no peak, other peaks than multiples, two nearest to the same multiple, or
        they lie at no resistance.
    """
    if len(cycles) < 2:
        raise InvalidInput(
            "cycles",
            len(cycles),
            "at least 2, whose spread gives the peaks their errors",
            "add files of further cycles, or give the resistance",
        )
    peaks = peaks_of(histogram_of_chains(cycles, bins or linear_bins()), resamples=resamples)
    if multiples is None:
        peaks = [peak for peak in peaks if round(peak.position_g0) >= 1]
    if not peaks:
        raise InvalidInput("peaks", "none", "at least one near a multiple of G0", "give the resistance")
    positions = [peak.position_g0 for peak in peaks]
    shown = ", ".join(f"{position:.3g}" for position in positions)
    numbers = [round(position) for position in positions] if multiples is None else list(multiples)
    if len(numbers) != len(peaks):
        raise InvalidInput(
            "multiples", ", ".join(map(str, numbers)), f"{len(peaks)}, one for each peak", f"peaks: {shown} G0"
        )
    if len(set(numbers)) < len(numbers):
        raise InvalidInput(
            "multiples",
            ", ".join(map(str, numbers)),
            "different for different peaks",
            f"name them for the peaks at {shown} G0",
        )
    fit = fit_series_resistance(positions, [peak.position_error_g0 for peak in peaks], numbers)
    if fit.ohm < 0:
        raise InvalidInput(
            "resistance_ohm",
            f"{fit.ohm:.3g} +- {fit.error_ohm:.2g} ohm",
            "positive",
            f"the peaks at {shown} G0 show none: leave it out",
        )
    return PeakResistance(fit, tuple(peaks), tuple(numbers), len(cycles))


def cycles_with_points(cycles: Sequence[ArrayLike]) -> list[ArrayLike]:
    """Leave out cycles without a single conductance."""
    return [cycle for cycle in cycles if np.isfinite(np.asarray(cycle, dtype=np.float64)).any()]
