"""Energies at which a transmission is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiida_rewire.errors import InvalidInput

MOST_ENERGIES = 10_000


def energy_range(values: Mapping[str, float]) -> list[float]:
    """Return the energies (eV) of a range ``{start, stop, step}``, both ends among them.

    Raises
    ------
    InvalidInput
        If the step does not divide the range, or there are too many.
    """
    start, stop, step = (float(values[key]) for key in ("start", "stop", "step"))
    intervals = (stop - start) / step if step else np.nan
    if not 0 <= intervals < MOST_ENERGIES or abs(intervals - round(intervals)) > 1e-6:
        bound = "a range whose step divides it"
        raise InvalidInput("energies", dict(values), bound, f"at most {MOST_ENERGIES} energies")
    # ten decimals: 0.0 is to be zero, not 1e-17
    energies: list[float] = (np.round(np.linspace(start, stop, round(intervals) + 1), 10) + 0.0).tolist()
    return energies


def check_energies(energies: Sequence[object]) -> None:
    """Ask for at least one finite energy (eV from E_F), none twice.

    Raises
    ------
    InvalidInput
        Otherwise.
    """
    finite = [energy for energy in energies if isinstance(energy, (int, float)) and np.isfinite(energy)]
    if not energies or len(finite) != len(energies):
        raise InvalidInput("energies", energies, "finite numbers, eV from E_F", "0.0 is the Fermi energy")
    if len({round(energy, 7) for energy in finite}) != len(energies):
        raise InvalidInput("energies", energies, "free of repetitions", "list each once")


def check_fermi_energy(energies: Sequence[object]) -> None:
    """Ask for the Fermi energy among the energies: the conductance is the transmission there.

    Raises
    ------
    InvalidInput
        If it is not, or the energies are none.
    """
    check_energies(energies)
    if 0.0 not in energies:
        raise InvalidInput("energies", energies, "with 0.0, the Fermi energy, among them", "add it")
