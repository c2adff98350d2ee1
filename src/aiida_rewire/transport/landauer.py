"""From transmission to conductance (Landauer)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ELEMENTARY_CHARGE = 1.602176634e-19
"""C, exact (SI 2019)."""

PLANCK_CONSTANT = 6.62607015e-34
"""J s, exact (SI 2019)."""

CONDUCTANCE_QUANTUM = 2 * ELEMENTARY_CHARGE**2 / PLANCK_CONSTANT
"""G0 = 2 e^2/h in siemens, 77.48 µS."""


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
