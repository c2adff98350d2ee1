"""The potential as published: it diffuses along the bonds, several electron steps for each step of the atoms.

N. Onofrio and A. Strachan, J. Chem. Phys. 143, 054109 (2015).
"""

from __future__ import annotations

import math

import numpy as np

from aiida_rewire.bias.bonds import Bonds, FloatArray
from aiida_rewire.bias.electrodes import Electrodes
from aiida_rewire.errors import InvalidInput


def check_stability(degree: FloatArray, *, k: float, timestep_fs: float, n_electron: int) -> None:
    """Refuse electron steps so long that an atom would hand on more potential than its neighbours differ by.

    With k dt (sum_j g_ij) / nelec below 1 for every atom, the new potential is a mean of old ones with positive
    weights: it stays between the electrodes' and decays without swinging.

    Parameters
    ----------
    degree
        Sum of the conductances of every atom's bonds, 1/Å², shape (n,).
    k
        Å²/fs.
    timestep_fs
        Step of the atoms, fs.
    n_electron
        Electron steps in each.

    Raises
    ------
    InvalidInput
        With the number of electron steps that would do.
    """
    handed_on = k * timestep_fs * float(np.max(degree, initial=0.0))
    if not handed_on < n_electron:
        raise InvalidInput(
            "n_electron",
            n_electron,
            f"above k dt max(sum g) = {handed_on:.4g}, or the potential is unstable",
            f"take {math.floor(handed_on) + 1} electron steps or more, with room for denser atoms, or a smaller k",
        )


def diffuse(
    bonds: Bonds,
    phi: FloatArray,
    electrodes: Electrodes,
    voltage_v: float,
    *,
    k: float,
    timestep_fs: float,
    n_electron: int,
) -> tuple[FloatArray, FloatArray]:
    """Diffuse the potential for one step of the atoms.

    The electrodes are set to ±V/2 before each electron step, as published, and once more after the last, so that
    charge equilibration sees the applied voltage on them; the dynamics is the same.

    Parameters
    ----------
    bonds
        Bonds of the configuration.
    phi
        Potential of every atom, V, shape (n,); not changed.
    electrodes
        Atoms that are held.
    voltage_v
        V of the anode against the cathode.
    k
        Å²/fs.
    timestep_fs
        Step of the atoms, fs.
    n_electron
        Electron steps in each.

    Returns
    -------
    tuple of ndarray
        The new potential and its mean over the starts of the electron steps, from which the fluxes of the step
        follow; V, shape (n,).

    Raises
    ------
    InvalidInput
        If the electron steps are too long to be stable.
    """
    degree = bonds.degree()
    check_stability(degree, k=k, timestep_fs=timestep_fs, n_electron=n_electron)
    rate = k * timestep_fs / n_electron
    upper = bonds.upper() * rate
    lower = upper.T
    kept = 1.0 - rate * degree
    phi = phi.copy()
    total = np.zeros(len(phi))
    electrodes.hold(phi, voltage_v)
    for _ in range(n_electron):
        total += phi
        phi = kept * phi + (upper @ phi + lower @ phi)
        electrodes.hold(phi, voltage_v)
    return phi, total / n_electron
