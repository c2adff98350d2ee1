"""The noise of each plateau of a trace: fluctuation, memory, power spectrum, and how plateaus compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace import fluctuations, noise_spectrum
from aiida_rewire.trace.fluctuations import Comparison, Fluctuation
from aiida_rewire.trace.noise_spectrum import NoiseExponent, NoiseSpectrum
from aiida_rewire.trace.plateaus import SMALLEST_STEP_G0, Plateau, plateaus_of
from aiida_rewire.trace.points import points_of

FIT_SEGMENT = 32
"""Points of a segment from which on its spectrum has enough frequencies for an exponent."""

USUAL_SEGMENT = 128
"""Points of a segment whose spectrum reaches over a decade of frequencies within the band of a fit."""

FEWEST_SEGMENTS = 3
"""As long as they are not shorter than those of a fit."""

MOST_COMPARED = 8
"""So many plateaus are compared each with each; of more, neighbours alone."""


@dataclass(frozen=True)
class PlateauNoise:
    """What is known of the noise of a plateau.

    Attributes
    ----------
    plateau
        Where it is.
    times_s, conductances_g0
        Its points, those without a conductance (NaN) included, s and G0, shape (n,).
    fluctuation
        delta G/G and its like; None for fewer than 8 conductances.
    stretch
        The longest stretch without a missing point, within the points.
    interval_s
        Between points of the stretch, s; NaN for a single one.
    correlation
        Autocorrelation on the stretch from lag 0 on, shape (lags,); None where there is none.
    spectrum
        Of the stretch; None where it is too short or not even.
    exponent
        Of the spectrum; None where too few frequencies lie in the band.
    why_not
        Why one of these is None; empty if none is.
    """

    plateau: Plateau
    times_s: NDArray[np.float64]
    conductances_g0: NDArray[np.float64]
    fluctuation: Fluctuation | None
    stretch: slice
    interval_s: float
    correlation: NDArray[np.float64] | None
    spectrum: NoiseSpectrum | None
    exponent: NoiseExponent | None
    why_not: str

    @property
    def correlation_s(self) -> float:
        """Integral of the autocorrelation over positive times, s; NaN where it is not known.

        Of a record that does not remember at all it is half the interval.
        """
        if self.fluctuation is None:
            return float("nan")
        return self.interval_s * self.fluctuation.points / (2 * self.fluctuation.independent)


def noise_of_plateaus(
    times_s: ArrayLike,
    conductances_g0: ArrayLike,
    *,
    stages: Sequence[str] | None = None,
    divide: bool = True,
    smallest_step_g0: float = SMALLEST_STEP_G0,
    segments: int | None = None,
    band_hz: tuple[float, float] | None = None,
) -> list[PlateauNoise]:
    """Divide a trace into plateaus and return the noise of each.

    Parameters
    ----------
    times_s, conductances_g0, stages, smallest_step_g0
        As of :func:`~aiida_rewire.trace.plateaus.plateaus_of`.
    divide
        Whether to; otherwise the trace is taken as one plateau.
    segments
        Of the spectra; by default as of :func:`segments_for`.
    band_hz
        Lowest and highest frequency for the exponent, Hz; by default as of
        `aiida_rewire.trace.noise_spectrum.noise_exponent`.

    Returns
    -------
    list of PlateauNoise
        In the order of time; empty if no point has a conductance.

    Raises
    ------
    InvalidInput
        If the arrays do not belong together, times do not increase, or a parameter is out of bounds.
    """
    times, values = points_of(times_s, conductances_g0)
    if segments is not None and segments < 1:
        raise InvalidInput("segments", segments, "at least 1", f"{noise_spectrum.SEGMENTS} is usual")
    if band_hz is not None and not 0 < band_hz[0] < band_hz[1]:
        raise InvalidInput("band", f"{band_hz[0]:g} {band_hz[1]:g} Hz", "positive, the lower first", "swap the two")
    found = plateaus_of(
        times,
        values,
        stages=stages,
        # a step that nothing reaches makes all one
        smallest_step_g0=smallest_step_g0 if divide else np.finfo(np.float64).max,
    )
    return [_noise_of(times, values, plateau, segments, band_hz) for plateau in found]


def comparisons(plateaus: Sequence[PlateauNoise]) -> list[tuple[int, int, Comparison]]:
    """Compare the relative fluctuations of plateaus: each with each, of more than 8 each with the next.

    Returns
    -------
    list of tuple
        Indices of both, and how they compare; plateaus without a relative fluctuation are left out.
    """
    usable = [
        (place, one.fluctuation)
        for place, one in enumerate(plateaus)
        if one.fluctuation is not None and one.fluctuation.relative > 0
    ]
    pairs = combinations(usable, 2) if len(usable) <= MOST_COMPARED else pairwise(usable)
    return [(i, j, fluctuations.compare(first, second)) for (i, first), (j, second) in pairs]


def segments_for(points: int) -> int:
    """Return how many segments a spectrum of so many points is averaged over, unless somebody says.

    15 where each holds 128 points; fewer for shorter records, so that each holds at least 32.
    """
    usual = max(FEWEST_SEGMENTS, 2 * points // USUAL_SEGMENT - 1)
    return max(1, min(noise_spectrum.SEGMENTS, usual, 2 * points // FIT_SEGMENT - 1))


def _noise_of(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    plateau: Plateau,
    segments: int | None,
    band_hz: tuple[float, float] | None,
) -> PlateauNoise:
    own_times = times[plateau.first : plateau.last + 1]
    own = values[plateau.first : plateau.last + 1]
    stretch = fluctuations.longest_uninterrupted(own)
    stretch_times, known = own_times[stretch], own[stretch]
    interval = float(np.diff(stretch_times).mean()) if len(known) > 1 else float("nan")
    fluctuation = correlation = spectrum = exponent = None
    why_not = ""
    try:
        fluctuation = fluctuations.fluctuation_of(own)
        correlation = fluctuations.autocorrelation(known)
        spectrum = noise_spectrum.noise_spectrum(
            stretch_times, known, segments=segments_for(len(known)) if segments is None else segments
        )
        low, high = band_hz or (None, None)
        exponent = noise_spectrum.noise_exponent(spectrum, lowest_hz=low, highest_hz=high)
    except InvalidInput as error:
        why_not = _reason(error, len(known))
    return PlateauNoise(
        plateau, own_times, own, fluctuation, stretch, interval, correlation, spectrum, exponent, why_not
    )


def _reason(error: InvalidInput, points: int) -> str:
    """Say why the analysis of a plateau ended where it did."""
    if error.name == "conductances_g0" and "at least" in error.bound:
        bound = error.bound.removeprefix("a list of ").removesuffix(" conductances")
        return f"{points} points without a gap, {bound} needed"
    return f"{error.name} = {error.value}: must be {error.bound}"
