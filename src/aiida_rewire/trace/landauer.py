"""Current against voltage, from the transmission of a junction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import (
    THERMAL_MARGIN,
    landauer_current,
    lead_temperatures_k,
    thermal_energy_ev,
    thermal_transmission,
)

VOLTAGES = 101


@dataclass(frozen=True)
class CurrentVoltage:
    """Current and differential conductance against voltage.

    Attributes
    ----------
    voltages_v
        Bias, V, shape (v,).
    current_a
        A, shape (v,); has the sign of the voltage if both leads are equally warm.
    differential_g0
        dI/dV, G0, shape (v,).
    zero_bias_g0
        dI/dV at 0 V, G0: the conductance at the temperature of the leads.
    temperatures_k
        Of the two leads, K.
    """

    voltages_v: NDArray[np.float64]
    current_a: NDArray[np.float64]
    differential_g0: NDArray[np.float64]
    zero_bias_g0: float
    temperatures_k: tuple[float, float]


def current_voltage(
    energies_ev: ArrayLike,
    transmission: ArrayLike,
    voltages_v: ArrayLike | None = None,
    *,
    temperature_k: float | tuple[float, float] = 300.0,
    lead_shift: float = 0.5,
) -> CurrentVoltage:
    """Return I(V) of a transmission that does not depend on the bias.

    Parameters
    ----------
    energies_ev
        eV from E_F in any order, shape (E,).
    transmission
        T(E) per spin, dimensionless, shape (E,).
    voltages_v
        Bias, V, shape (v,); by default 101 voltages over the widest range that the energies allow.
    temperature_k
        Of the electrons in the leads, K: one, or one for each, that which emits the electrons for V > 0 first.
    lead_shift
        Share of eV by which the emitting lead is raised, see `aiida_rewire.transport.landauer.landauer_current`.

    Raises
    ------
    InvalidInput
        If an input is out of bounds, or the energies do not reach 10 kT beyond the bias window.
    """
    pair = lead_temperatures_k(temperature_k)
    if voltages_v is None:
        widest = widest_bias_v(energies_ev, temperature_k=max(pair), lead_shift=lead_shift)
        voltages_v = np.linspace(-widest, widest, VOLTAGES)
    voltages = np.asarray(voltages_v, dtype=np.float64)
    current = landauer_current(energies_ev, transmission, voltages, temperature_k=pair, lead_shift=lead_shift)

    def slope(bias: NDArray[np.float64]) -> NDArray[np.float64]:
        emitting = thermal_transmission(energies_ev, transmission, lead_shift * bias, temperature_k=pair[0])
        other = thermal_transmission(energies_ev, transmission, (lead_shift - 1) * bias, temperature_k=pair[1])
        return lead_shift * emitting + (1 - lead_shift) * other

    return CurrentVoltage(
        voltages_v=voltages,
        current_a=current,
        differential_g0=slope(voltages),
        zero_bias_g0=float(slope(np.zeros(1))[0]),
        temperatures_k=pair,
    )


def widest_bias_v(energies_ev: ArrayLike, *, temperature_k: float, lead_shift: float = 0.5) -> float:
    """Return the largest voltage, of either sign, for which the energies reach 10 kT beyond the bias window.

    Parameters
    ----------
    energies_ev
        eV from E_F, shape (E,).
    temperature_k
        Of the warmer lead, K.
    lead_shift
        Share of eV by which the emitting lead is raised.

    Returns
    -------
    float
        V.

    Raises
    ------
    InvalidInput
        If the energies do not even reach 10 kT beyond E_F on both sides.
    """
    energies = np.asarray(energies_ev, dtype=np.float64)
    margin = THERMAL_MARGIN * thermal_energy_ev(temperature_k)
    reach = min(-float(energies.min()), float(energies.max())) - margin if energies.size else -math.inf
    if not reach > 0:
        found = f"from {energies.min():g} to {energies.max():g} eV" if energies.size else "none"
        raise InvalidInput(
            "energies",
            found,
            f"more than {margin:.3g} eV below and above E_F at {temperature_k:g} K",
            "compute T(E) in a wider range",
        )
    return reach / max(lead_shift, 1 - lead_shift)
