"""From transmission to conductance (Landauer)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput

ELEMENTARY_CHARGE = 1.602176634e-19
"""C, exact (SI 2019)."""

PLANCK_CONSTANT = 6.62607015e-34
"""J s, exact (SI 2019)."""

BOLTZMANN_CONSTANT = 1.380649e-23
"""J/K, exact (SI 2019)."""

CONDUCTANCE_QUANTUM = 2 * ELEMENTARY_CHARGE**2 / PLANCK_CONSTANT
"""G0 = 2 e^2/h in siemens, 77.48 µS."""

THERMAL_MARGIN = 10.0
"""kT beyond the bias window within which T(E) must be known; f differs from 0 or 1 by 5e-5 there."""

WINDOW_ROUNDING = 1e-9
"""eV."""


def k_average(transmission: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average a transmission over the lateral k-points.

    Parameters
    ----------
    transmission
        Dimensionless, shape (..., k).
    weights
        Shape (k,); they are normalised to one.

    Raises
    ------
    ValueError
        If a weight is negative or all are zero.
    """
    if (weights < 0).any() or not 0 < weights.sum() < np.inf:
        raise ValueError(f"weights = {weights.tolist()}: must be positive; correct the list of k-points")
    averaged: NDArray[np.float64] = transmission @ (weights / weights.sum())
    return averaged


def landauer_current(
    energies_ev: ArrayLike,
    transmission: ArrayLike,
    voltages_v: ArrayLike,
    *,
    temperature_k: float | tuple[float, float],
    lead_shift: float = 0.5,
) -> NDArray[np.float64]:
    """Landauer current of a transmission that does not depend on the bias.

    I(V) = (2e/h) ∫ T(E) [f(E - s eV) - f(E + (1 - s) eV)] dE, with T(E) linear between the energies. The integral
    of the piecewise linear T(E) is exact at every temperature: no grid of its own, however sharp the Fermi steps.
    Beyond the energies, more than 10 kT outside the window, T(E) goes on with its last value.

    Parameters
    ----------
    energies_ev
        eV from E_F in any order, shape (E,).
    transmission
        T(E) per spin, dimensionless, shape (E,).
    voltages_v
        Bias, V, any shape; I has the sign of V if the leads are equally warm.
    temperature_k
        Of the electrons in the leads, K; 0 for sharp steps. Two for leads that are not equally warm, that which
        emits the electrons for V > 0 first.
    lead_shift
        s, the share of eV by which the lead that emits the electrons (for V > 0) is raised; the other is lowered
        by the rest. 0.5 is the symmetric drop.

    Returns
    -------
    ndarray
        I in A, the shape of ``voltages_v``.

    Raises
    ------
    InvalidInput
        If an input is out of bounds, or the window with 10 kT on each side reaches beyond the energies.

    Notes
    -----
    S. Datta, Electronic Transport in Mesoscopic Systems (1995), section 2.5. With F the antiderivative of T, I is
    (2e/h) times the difference of F, averaged with -df/dE, at the two chemical potentials. The average of a kink of
    T at E_i gives -(kT)^2 Li2(-exp((mu - E_i)/kT)).
    """
    energies, values = _spectrum(energies_ev, transmission)
    voltages = np.asarray(voltages_v, dtype=float)
    if not np.isfinite(voltages).all():
        raise InvalidInput("voltages", voltages.tolist(), "finite, V", "correct the list")
    pair = lead_temperatures_k(temperature_k)
    thermal = [thermal_energy_ev(temperature) for temperature in pair]
    if not 0 <= lead_shift <= 1:
        raise InvalidInput("lead_shift", lead_shift, "from 0 to 1", "0.5 is the symmetric drop")
    source, drain = (lead_shift * voltages).ravel(), ((lead_shift - 1) * voltages).ravel()
    if not len(source):
        return np.zeros(voltages.shape)
    margin = THERMAL_MARGIN * max(thermal)
    lowest, highest = min(source.min(), drain.min()) - margin, max(source.max(), drain.max()) + margin
    if lowest < energies[0] - WINDOW_ROUNDING or highest > energies[-1] + WINDOW_ROUNDING:
        raise InvalidInput(
            "energies",
            f"from {energies[0]:g} to {energies[-1]:g} eV",
            f"from {lowest:.4g} eV or below to {highest:.4g} eV or above for up to {np.abs(voltages).max():g} V"
            f" at {max(pair):g} K",
            "compute T(E) in this range, or take smaller voltages",
        )
    above = _averaged_antiderivative(energies, values, source, thermal[0])
    below = _averaged_antiderivative(energies, values, drain, thermal[1])
    return CONDUCTANCE_QUANTUM * (above - below).reshape(voltages.shape)


def thermal_transmission(
    energies_ev: ArrayLike, transmission: ArrayLike, potentials_ev: ArrayLike, *, temperature_k: float
) -> NDArray[np.float64]:
    """Average a transmission, linear between its energies, with -df/dE of a lead; exact at every temperature.

    At E_F it is the conductance at small bias, G/G0. Beyond the energies T(E) goes on with its last value.

    Parameters
    ----------
    energies_ev
        eV from E_F in any order, shape (E,).
    transmission
        T(E) per spin, dimensionless, shape (E,).
    potentials_ev
        Chemical potentials of the lead, eV from E_F, any shape.
    temperature_k
        Of the electrons, K; 0 for T itself.

    Returns
    -------
    ndarray
        Dimensionless, the shape of ``potentials_ev``.

    Raises
    ------
    InvalidInput
        If an input is out of bounds.
    """
    energies, values = _spectrum(energies_ev, transmission)
    at = np.asarray(potentials_ev, dtype=float)
    thermal_energy = thermal_energy_ev(temperature_k)
    if thermal_energy == 0:
        sharp: NDArray[np.float64] = np.interp(at, energies, values)
        return sharp
    slopes = _slopes(energies, values)
    # where the slope changes, the average bends over kT: the integral of f from there on
    bends = thermal_energy * np.logaddexp(0.0, (at[..., None] - energies) / thermal_energy)
    averaged: NDArray[np.float64] = values[0] + bends @ np.diff(slopes)
    return averaged


def lead_temperatures_k(temperature_k: float | tuple[float, float]) -> tuple[float, float]:
    """Return the temperatures of both leads, K, that which emits the electrons for V > 0 first."""
    return temperature_k if isinstance(temperature_k, tuple) else (temperature_k, temperature_k)


def thermal_energy_ev(temperature_k: float) -> float:
    """Return kT in eV.

    Raises
    ------
    InvalidInput
        If the temperature is negative or not finite.
    """
    if not 0 <= temperature_k < np.inf:
        raise InvalidInput("temperature_k", temperature_k, "0 K or above", "0 gives sharp Fermi steps")
    return BOLTZMANN_CONSTANT * temperature_k / ELEMENTARY_CHARGE


def _spectrum(energies_ev: ArrayLike, transmission: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return energies, ascending, and T(E) in that order."""
    energies, values = np.asarray(energies_ev, dtype=float), np.asarray(transmission, dtype=float)
    if energies.ndim != 1 or not len(energies) or values.shape != energies.shape:
        raise InvalidInput(
            "transmission",
            f"of shape {values.shape} for energies of shape {energies.shape}",
            "one number for each of at least one energy",
            "average it over the k-points first",
        )
    if not (np.isfinite(energies).all() and np.isfinite(values).all()):
        raise InvalidInput("transmission", "a number that is not finite", "finite at finite energies", "leave it out")
    order = np.argsort(energies)
    if (np.diff(energies[order]) <= 0).any():
        raise InvalidInput("energies", energies.tolist(), "free of repetitions", "list each once")
    return energies[order], values[order]


def _slopes(energies: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return dT/dE (1/eV) below, between and above the energies, shape (E + 1,)."""
    return np.concatenate([[0.0], np.diff(values) / np.diff(energies), [0.0]])


def _averaged_antiderivative(
    energies: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64], thermal_energy: float
) -> NDArray[np.float64]:
    """Antiderivative of the piecewise linear T (eV), averaged over -df/dE of width kT (eV) around each of ``at``."""
    slopes = _slopes(energies, values)
    known = np.concatenate([[0.0], np.cumsum(np.diff(energies) * (values[1:] + values[:-1]) / 2)])
    segment = np.searchsorted(energies, at, side="right")
    start = np.maximum(segment - 1, 0)
    distance = at - energies[start]
    sharp: NDArray[np.float64] = known[start] + distance * (values[start] + slopes[segment] * distance / 2)
    if thermal_energy == 0:
        return sharp
    # what smearing adds for a kink at distance y kT: -Li2(-e^y) - max(y, 0)^2 / 2, without overflow
    y = (at[:, None] - energies) / thermal_energy
    # imported here: units and constants of this module are asked for where nothing of scipy is needed
    from scipy.special import spence

    tail = -spence(1 + np.exp(-np.abs(y)))
    smeared: NDArray[np.float64] = sharp + thermal_energy**2 * (
        np.pi**2 / 6 * slopes[segment] - np.where(y >= 0, tail, -tail) @ np.diff(slopes)
    )
    return smeared
