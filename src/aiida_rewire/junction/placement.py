"""Where the gap's atoms stand between flat layers: the lateral place, and the pushes that make room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111

PUSHED_APART = 2.5
"""Pairs nearer than this (Å) arise where flat layers replace the tips; they are pushed apart to this distance."""

LARGEST_PUSH = 2.0
"""An atom that would have to be pushed farther than this (Å) has no place in the junction."""

CLOSEST_LEFT = 2.45
"""A pair that stays nearer than this (Å) after pushing has no room; a free silver dimer has 2.53 Å."""

CLOSEST_PAIR = 2.0
"""Two atoms nearer than this (Å) lie on each other: no SCF of such a structure means anything."""

PLACES = 12
"""Lateral places tried along each primitive vector: 0.25 Å apart; a multiple of three, so hollows are among them."""

AS_GOOD = 0.01
"""Sums of squared overlaps that differ by less than this (Å²) are equally good."""


class AtomsOverlap(InvalidInput):
    """Atoms lie on each other, or would have to."""


def common_hollow(lower_stacking: int, upper_stacking: int) -> int:
    """Return the stacking (A 0, B 1, C 2) of the column that is a hollow of both surfaces.

    Of two equally good ones it is the one that continues the crystal below, which is the case if both surfaces
    have the same stacking.

    Parameters
    ----------
    lower_stacking, upper_stacking
        Of the layers that are the lower and the upper surface.
    """
    occupied = {lower_stacking % 3, upper_stacking % 3}
    return next(column % 3 for column in (lower_stacking + 1, lower_stacking + 2) if column % 3 not in occupied)


def lateral_shift(
    atoms: NDArray[np.float64], lattice: Fcc111, length: float, *, lower_stacking: int, upper_stacking: int
) -> NDArray[np.float64]:
    """Return the shift, Å, shape (3,), that moves the gap's atoms as a whole to their lateral place.

    At first their mean stands over the column that is a hollow of both surfaces (:func:`common_hollow`). From
    there they move to where they overlap least with the two surfaces: the sum over all pairs of a gap atom and a
    surface atom of (d - r)², where their distance r is less than d, that of nearest neighbours in the crystal.
    An atom one layer spacing above a surface overlaps nowhere but in a hollow not at all, so that the atoms that
    touch the surfaces come as near to hollows as their arrangement lets them, and the pushes after it are small.
    Of equally good places, the one nearest to the first is taken; `PLACES` of them along each primitive vector
    are tried. A shift by a primitive vector changes nothing, so that the place does not depend on the supercell.

    Parameters
    ----------
    atoms
        Å, shape (n, 3); heights count from the lower surface.
    lattice
        Of the flat layers.
    length
        Height of the upper surface, Å.
    lower_stacking, upper_stacking
        Of the layers that are the surfaces.
    """
    if not len(atoms):
        return np.zeros(3)
    hollow = lattice.stacking_shift(common_hollow(lower_stacking, upper_stacking))
    centring = np.append((hollow - atoms.mean(axis=0))[:2], 0.0)
    steps = _places(lattice)
    overlap = np.zeros(len(steps))
    for stacking, height in ((lower_stacking, 0.0), (upper_stacking, length)):
        overlap += _overlap(atoms + centring, lattice, steps, lattice.stacking_shift(stacking), height)
    best = int(np.argmax(overlap <= overlap.min() + AS_GOOD))
    shift: NDArray[np.float64] = centring + steps[best]
    return shift


def _places(lattice: Fcc111) -> NDArray[np.float64]:
    """Return steps within one primitive cell, Å, shape (n, 3), the shortest first."""
    i, j = np.divmod(np.arange(PLACES**2), PLACES)
    # nearest images of points of the 60° cell
    candidates = [
        np.outer(i / PLACES - m, lattice.primitive_vectors[0])
        + np.outer(j / PLACES - n, lattice.primitive_vectors[1])
        for m in (0, 1)
        for n in (0, 1)
    ]
    lengths = np.array([np.linalg.norm(c, axis=1) for c in candidates]).round(9)
    steps: NDArray[np.float64] = np.array(candidates)[lengths.argmin(axis=0), np.arange(PLACES**2)]
    return steps[np.argsort(lengths.min(axis=0), kind="stable")]


def _overlap(
    atoms: NDArray[np.float64],
    lattice: Fcc111,
    steps: NDArray[np.float64],
    offset: NDArray[np.float64],
    height: float,
) -> NDArray[np.float64]:
    """Sum up the overlap, Å², with the infinite layer at a height, for each of the steps."""
    reach = lattice.neighbour_distance
    near = atoms[np.abs(atoms[:, 2] - height) < reach]
    lateral = lattice.primitive_vectors[:, :2]
    fractional = (near[None, :, :2] + steps[:, None, :2] - offset[:2]) @ np.linalg.inv(lateral)
    home = (fractional % 1.0) @ lateral
    sites = np.array([[i, j] for i in range(-1, 3) for j in range(-1, 3)]) @ lateral
    squared = ((home[:, :, None, :] - sites) ** 2).sum(axis=-1) + ((near[:, 2] - height) ** 2)[:, None]
    total: NDArray[np.float64] = (np.clip(reach - np.sqrt(squared), 0.0, None) ** 2).sum(axis=(1, 2))
    return total


def push_apart(
    mobile: NDArray[np.float64],
    fixed: NDArray[np.float64],
    cell: NDArray[np.float64],
    *,
    distance: float = PUSHED_APART,
    sweeps: int = 1000,
) -> NDArray[np.float64]:
    """Move atoms along the lines to neighbours that are too near, until none is.

    Parameters
    ----------
    mobile, fixed
        Å, shapes (n, 3) and (m, 3); a fixed neighbour does not give way, a mobile one half the way.
    cell
        Å, shape (3, 3); its lateral images count.
    distance
        Pairs nearer than this (Å) are pushed to it.
    sweeps
        Passes after which what is left is left: there may be no room for all. The second half of them goes in
        smaller steps.
    """
    moved = mobile.copy()
    surroundings = with_lateral_images(wrapped_laterally(fixed, cell), cell)
    for sweep in range(sweeps):
        home = wrapped_laterally(moved, cell)
        around = np.vstack([with_lateral_images(home, cell), surroundings])
        apart = home[:, None, :] - around[None, :, :]
        length = np.linalg.norm(apart, axis=2)
        length[np.arange(len(home)), np.arange(len(home))] = np.inf
        missing = np.clip(distance - length, 0.0, None)
        if missing.max(initial=0.0) < 1e-3:
            break
        share = np.where(np.arange(len(around)) < len(around) - len(surroundings), 0.5, 1.0)
        direction = apart / np.maximum(length, 1e-9)[:, :, None]
        # an atom held between others swings to and fro with whole steps
        step = 1.0 if sweep < sweeps / 2 else 0.25
        moved += step * (direction * (missing * share)[:, :, None]).sum(axis=1)
    return moved


def closest_pair(positions: NDArray[np.float64], cell: NDArray[np.float64] | None = None) -> float:
    """Measure the shortest distance of two atoms, Å; with ``cell``, shape (3, 3), lateral images count. One: inf."""
    around = positions if cell is None else with_lateral_images(wrapped_laterally(positions, cell), cell)
    if len(around) < 2:
        return float("inf")
    # imported here: the bounds of this module are asked for where nothing of scipy is needed
    from scipy.spatial import KDTree

    distances, _ = KDTree(around).query(around[: len(positions)], k=2)
    return float(np.min(np.asarray(distances)[:, 1]))


def wrapped_laterally(positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the images (Å, shape (n, 3)) that lie laterally within the cell."""
    fractional = positions @ np.linalg.inv(cell)
    fractional[:, :2] %= 1.0
    wrapped: NDArray[np.float64] = fractional @ cell
    return wrapped


def with_lateral_images(
    positions: NDArray[np.float64], cell: NDArray[np.float64], reach: int = 1
) -> NDArray[np.float64]:
    """Return positions with their lateral images up to ``reach`` cells away, the home cell first."""
    shifts = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    shifts.sort(key=lambda shift: shift != (0, 0))
    return np.vstack([positions + i * cell[0] + j * cell[1] for i, j in shifts])
