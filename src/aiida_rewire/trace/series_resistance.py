"""Taking the resistance of contacts and wire off a measured conductance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM


@dataclass(frozen=True)
class SeriesResistance:
    """A series resistance that was fitted to the peaks of a histogram.

    Attributes
    ----------
    ohm, error_ohm
        The resistance and its standard error, ohm.
    chi_square, degrees
        Of the fit; much more than 1 for each degree says that the peaks lie at no such multiples. The error is
        multiplied by sqrt(chi_square / degrees) where that is more than 1.
    """

    ohm: float
    error_ohm: float
    chi_square: float
    degrees: int


def without_series_resistance(conductances_g0: ArrayLike, resistance_ohm: float) -> NDArray[np.float64]:
    """Take a series resistance off measured conductances: G = 1 / (1/G_measured - R).

    Parameters
    ----------
    conductances_g0
        As measured, G0, any shape; NaN where missing.
    resistance_ohm
        R, of all that is in series with the junction, ohm.

    Returns
    -------
    ndarray
        G0, of the same shape. Zero stays zero.

    Raises
    ------
    InvalidInput
        If R is negative, or a point would become negative or infinite, with how many would.

    Notes
    -----
    Milano et al., Nanoscale Horiz. 9, 416 (2024), figure 4.
    """
    if not 0 <= resistance_ohm < math.inf:
        raise InvalidInput("resistance_ohm", f"{resistance_ohm} ohm", "0 or more, and finite", "correct its sign")
    measured = np.asarray(conductances_g0, dtype=np.float64)
    left = 1 - measured * (resistance_ohm * CONDUCTANCE_QUANTUM)
    refused = np.count_nonzero(left <= 0)
    if refused:
        highest = float(np.nanmax(measured))
        bound = 1 / (highest * CONDUCTANCE_QUANTUM)
        raise InvalidInput(
            "resistance_ohm",
            f"{resistance_ohm:g} ohm, which makes {refused} of {measured.size} points negative or infinite",
            f"below {bound:.6g} ohm, 1/G of the highest point ({highest:.4g} G0)",
            "take a smaller resistance, or leave out points of a higher conductance than it allows",
        )
    corrected: NDArray[np.float64] = measured / left
    return corrected


def corrected_error(
    corrected_g0: ArrayLike, resistance_ohm: float, *, error_g0: ArrayLike = 0.0, error_ohm: float = 0.0
) -> NDArray[np.float64]:
    """Return the error of corrected conductances: of those measured, and of the resistance.

    Parameters
    ----------
    corrected_g0
        From :func:`without_series_resistance`, G0, any shape.
    resistance_ohm
        That was taken off, ohm.
    error_g0
        Standard error of the measured conductance, G0.
    error_ohm
        Standard error of the resistance, ohm: common to all points.

    Returns
    -------
    ndarray
        G0, of the same shape. dG = (G/G_m)^2 dG_m and G^2 dR, added in quadrature.
    """
    g, to_ohm = np.asarray(corrected_g0, dtype=np.float64), CONDUCTANCE_QUANTUM
    # G/G_m = 1 + G R
    of_measured = (1 + g * resistance_ohm * to_ohm) ** 2 * np.asarray(error_g0, dtype=np.float64)
    error: NDArray[np.float64] = np.hypot(of_measured, g**2 * error_ohm * to_ohm)
    return error


def fit_series_resistance(
    peaks_g0: Sequence[float], errors_g0: Sequence[float], multiples: Sequence[int]
) -> SeriesResistance:
    """Fit the resistance that puts measured peaks at multiples of G0: 1/G_measured = 1/(n G0) + R.

    Parameters
    ----------
    peaks_g0
        Measured positions of the peaks, G0.
    errors_g0
        Their standard errors, G0.
    multiples
        n, the multiple of G0 that each belongs to.

    Raises
    ------
    InvalidInput
        If there is no peak, the lists do not belong together, a number is not positive, or the resistance comes out
        negative by more than three standard errors: then the peaks belong to other multiples.
    """
    if not len(peaks_g0) or not len(peaks_g0) == len(errors_g0) == len(multiples):
        raise InvalidInput(
            "peaks_g0",
            f"{len(peaks_g0)} peaks, {len(errors_g0)} errors, {len(multiples)} multiples",
            "as many of each, at least one",
            "give each peak its error and its multiple",
        )
    for name, values in (("peaks_g0", peaks_g0), ("errors_g0", errors_g0), ("multiples", multiples)):
        for value in values:
            if not 0 < value < math.inf:
                raise InvalidInput(name, value, "positive and finite", "leave that peak out")
    peaks, numbers = np.asarray(peaks_g0, dtype=np.float64), np.asarray(multiples, dtype=np.float64)
    resistances = (1 / peaks - 1 / numbers) / CONDUCTANCE_QUANTUM
    errors = np.asarray(errors_g0, dtype=np.float64) / peaks**2 / CONDUCTANCE_QUANTUM
    weights = errors**-2
    ohm = float((weights * resistances).sum() / weights.sum())
    degrees = len(peaks) - 1
    chi_square = float((weights * (resistances - ohm) ** 2).sum())
    scatter = max(1.0, math.sqrt(chi_square / degrees)) if degrees else 1.0
    error = scatter / math.sqrt(weights.sum())
    if ohm < -3 * error:
        raise InvalidInput(
            "multiples",
            f"{list(multiples)}, which give {ohm:.4g} +- {error:.2g} ohm",
            "those of a positive resistance",
            "a resistance in series lowers the peaks: take the next higher multiples",
        )
    return SeriesResistance(ohm, error, chi_square, degrees)
