"""FFT grids that every region of a junction shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BOHR_ANGSTROM = 0.529177210903
"""CODATA 2018."""

SMALL_FACTORS = (2, 3, 5)


def good_fft_dimension(least: int) -> int:
    """Return the smallest number from ``least`` on with no prime factor above 5."""
    n = max(least, 1)
    while True:
        rest = n
        for factor in SMALL_FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1


def fft_dimensions(cell: NDArray[np.float64], density_cutoff: float) -> tuple[int, int, int]:
    """FFT dimensions that hold every plane wave of the charge density.

    pw.x chooses lateral dimensions by the symmetry of each cell, so that lead and junction can get unequal
    ones, with which pwcond.x prints wrong transmissions without a word; hence they are set.

    Parameters
    ----------
    cell
        Cell vectors in Å, shape (3, 3).
    density_cutoff
        Kinetic-energy cutoff of the density (ecutrho), Ry.

    Returns
    -------
    tuple of int
        nr1, nr2, nr3.
    """
    largest_g = np.sqrt(density_cutoff)
    lengths = np.linalg.norm(cell, axis=1) / BOHR_ANGSTROM
    # the largest index of a vector G along a_i is |G||a_i|/2 pi; a nudge keeps whole numbers whole
    largest_index = np.floor(largest_g * lengths / (2 * np.pi) + 1e-9).astype(int)
    nr1, nr2, nr3 = (good_fft_dimension(2 * int(index) + 1) for index in largest_index)
    return nr1, nr2, nr3
