"""The power spectrum of a conductance's noise, with its error, and the exponent of 1/f^gamma."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.points import points_of, require_complete

FEWEST_POINTS = 64

SEGMENTS = 15
"""Half-overlapping segments over which the spectrum is averaged."""

FEWEST_IN_SEGMENT = 16

UNEVEN = 0.01
"""Share of the sampling interval by which one interval may differ."""

HANN_BANDWIDTH = 1.5
"""Equivalent noise bandwidth of the Hann window, frequency bins."""

HANN_OVERLAP = 1 / 36
"""Correlation of the powers of two segments that overlap by half, for white noise under the Hann window."""

HANN_NEIGHBOURS = (1.0, 4 / 9, 1 / 36)
"""Correlation of the powers of two frequencies 0, 1 and 2 bins apart, under the Hann window."""

LOWEST_BIN = 4
"""First bin of a fit: below it the window mixes in the power of zero frequency, and of a slope that bends."""


@dataclass(frozen=True)
class NoiseSpectrum:
    """A power spectrum by Welch's method.

    Attributes
    ----------
    frequencies_hz
        From the first bin above zero to half the sampling frequency, Hz, shape (f,).
    density
        One-sided spectral density, G0^2/Hz, shape (f,); its integral is the variance.
    relative_error
        Standard error of each density, as a share of it: the same for all, decided by the number of segments.
    averages
        How many independent spectra the segments, which overlap, are worth.
    segments, segment_points
        Segments, and points of one.
    resolution_hz
        Equivalent noise bandwidth: what lies closer together than this is not told apart, Hz.
    lowest_hz, highest_hz
        The band within which the density means something, Hz: from four bins above zero to half the sampling
        frequency.
    """

    frequencies_hz: NDArray[np.float64]
    density: NDArray[np.float64]
    relative_error: float
    averages: float
    segments: int
    segment_points: int
    resolution_hz: float
    lowest_hz: float
    highest_hz: float


@dataclass(frozen=True)
class NoiseExponent:
    """The power law density ~ f^-gamma.

    Attributes
    ----------
    gamma, gamma_error
        Exponent, and its standard error from the number of averages and the bins' correlation; 0 is white noise.
    chi_square, degrees
        Of the fit, with the errors that are expected: far more than 1 for each degree means no power law.
    lowest_hz, highest_hz
        The band of the fit, Hz.
    """

    gamma: float
    gamma_error: float
    chi_square: float
    degrees: int
    lowest_hz: float
    highest_hz: float


def noise_spectrum(times_s: ArrayLike, conductances_g0: ArrayLike, *, segments: int = SEGMENTS) -> NoiseSpectrum:
    """Return the power spectrum of the conductance on a plateau.

    Periodograms of segments that overlap by half are averaged, each under a Hann window and without its mean
    (P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967)).

    Parameters
    ----------
    times_s
        Time of each point, s, at equal intervals within 1 %; shape (n,).
    conductances_g0
        G0, shape (n,), none missing.
    segments
        How many: more give smaller errors, and a higher lowest frequency.

    Raises
    ------
    InvalidInput
        If the arrays do not belong together, there are fewer than 64 points, a conductance is missing, the intervals
        are not equal, or the segments would be shorter than 16 points.
    """
    times, values = points_of(times_s, conductances_g0, fewest=FEWEST_POINTS)
    require_complete(values)
    interval = _interval(times)
    length = 2 * len(values) // (segments + 1) if segments >= 1 else 0
    if length < FEWEST_IN_SEGMENT:
        most = 2 * len(values) // FEWEST_IN_SEGMENT - 1
        raise InvalidInput("segments", segments, f"from 1 to {most} for {len(values)} points", "ask for fewer")
    # imported here, as elsewhere: it takes longer than all else of this module
    from scipy.signal import welch

    # segments of an even length overlap by exactly half
    length -= length % 2
    frequencies, density = welch(
        values, fs=1 / interval, window="hann", nperseg=length, noverlap=length // 2, detrend="constant"
    )
    number = (len(values) - length // 2) // (length - length // 2)
    averages = number / (1 + 2 * HANN_OVERLAP * (1 - 1 / number))
    bin_hz = 1 / (length * interval)
    return NoiseSpectrum(
        frequencies_hz=frequencies[1:],
        density=density[1:],
        relative_error=1 / math.sqrt(averages),
        averages=averages,
        segments=number,
        segment_points=length,
        resolution_hz=HANN_BANDWIDTH * bin_hz,
        lowest_hz=LOWEST_BIN * bin_hz,
        highest_hz=1 / (2 * interval),
    )


def noise_exponent(
    spectrum: NoiseSpectrum, *, lowest_hz: float | None = None, highest_hz: float | None = None
) -> NoiseExponent:
    """Fit a power law to a spectrum, linear in the logarithms.

    Parameters
    ----------
    spectrum
        Of the noise.
    lowest_hz, highest_hz
        The band, Hz. By default from four bins above zero to a quarter of the sampling frequency; above that, what
        was sampled too slowly is folded back.

    Raises
    ------
    InvalidInput
        If fewer than five frequencies lie in the band, or a density is zero.
    """
    low = spectrum.lowest_hz if lowest_hz is None else lowest_hz
    high = spectrum.highest_hz / 2 if highest_hz is None else highest_hz
    frequencies = spectrum.frequencies_hz
    # bins are multiples of the first, within rounding
    within = (frequencies >= low * (1 - 1e-9)) & (frequencies <= high * (1 + 1e-9))
    number = int(np.count_nonzero(within))
    if number < 5:
        raise InvalidInput(
            "band",
            f"from {low:g} to {high:g} Hz: {number} frequencies",
            f"of at least 5 frequencies from {frequencies[0]:g} to {frequencies[-1]:g} Hz",
            "widen it or take fewer segments",
        )
    if not (spectrum.density[within] > 0).all():
        raise InvalidInput("density", "0", "positive", "a constant has no noise")
    # imported here, as elsewhere: it takes longer than all else of this module
    from scipy.special import polygamma

    x, y = np.log(frequencies[within]), np.log(spectrum.density[within])
    design = np.stack([np.ones(number), x], axis=1)
    solve = np.linalg.pinv(design)
    # variance of the logarithm of a mean of that many exponential deviates
    variance = float(polygamma(1, spectrum.averages))
    parameters = solve @ y
    # solve C solve^T with the banded C of neighbours, which for a long record is too large to be written out
    correlated = HANN_NEIGHBOURS[0] * solve.T
    for lag, correlation in enumerate(HANN_NEIGHBOURS[1:], 1):
        correlated[lag:] += correlation * solve.T[:-lag]
        correlated[:-lag] += correlation * solve.T[lag:]
    covariance = variance * solve @ correlated
    residual = y - design @ parameters
    return NoiseExponent(
        gamma=-float(parameters[1]),
        gamma_error=math.sqrt(covariance[1, 1]),
        chi_square=float(residual @ residual) / variance,
        degrees=number - 2,
        lowest_hz=float(frequencies[within][0]),
        highest_hz=float(frequencies[within][-1]),
    )


def _interval(times: NDArray[np.float64]) -> float:
    intervals = np.diff(times)
    mean = float(intervals.mean())
    worst = int(np.argmax(np.abs(intervals - mean)))
    if abs(intervals[worst] - mean) > UNEVEN * mean:
        raise InvalidInput(
            "times_s",
            f"{intervals[worst]:g} s after {times[worst]:g} s, where the mean interval is {mean:g} s",
            f"at equal intervals within {UNEVEN:.0%}",
            "take a stretch that was sampled evenly",
        )
    return mean
