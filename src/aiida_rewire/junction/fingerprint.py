"""When two scattering regions hold the same contact: a key of candidates, and the comparison of their atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import check_layers
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.placement import CLOSEST_PAIR

SAME_PLACE = 0.02
"""Atoms of two contacts within this distance (Å) stand at one place."""


@dataclass(frozen=True)
class FilledGap:
    """A contact between flat layers.

    Attributes
    ----------
    lattice
        Of the flat layers.
    lower_layers, upper_layers
        Flat layers below and above the gap.
    length
        Distance between the flat surfaces, Å.
    atoms
        The gap's atoms, Å, shape (n, 3), in the coordinates of the flat layers; heights count from the lower
        surface.
    """

    lattice: Fcc111
    lower_layers: int
    upper_layers: int
    length: float
    atoms: NDArray[np.float64]

    @classmethod
    def of_region(
        cls,
        cell: NDArray[np.float64],
        positions: NDArray[np.float64],
        lattice: Fcc111,
        *,
        lower_layers: int = 3,
        upper_layers: int = 2,
    ) -> FilledGap:
        """Take the gap out of a scattering region.

        Parameters
        ----------
        cell, positions
            Å, shapes (3, 3) and (n, 3), of a :class:`~aiida_rewire.junction.assembly.ScatteringRegion`: the flat
            layers stand first and last.
        lattice, lower_layers, upper_layers
            With which it was assembled.

        Raises
        ------
        InvalidInput
            If there are fewer atoms than in the flat layers, if the cell is not one of the lattice, or if the
            first and last atoms are not the flat layers.
        """
        check_layers(lower_layers, upper_layers)
        h = lattice.layer_spacing
        height = float(cell[2, 2])
        first, last = lower_layers * lattice.supercell**2, len(positions) - upper_layers * lattice.supercell**2
        lower = [lattice.layer(k, k * h) for k in range(lower_layers)]
        upper = [lattice.layer(-k, height - k * h) for k in range(upper_layers, 0, -1)]
        if (
            last < first
            or not np.allclose(cell, lattice.cell(height), rtol=0.0, atol=1e-6)
            or not np.allclose(np.vstack([*lower, *upper]), np.delete(positions, np.s_[first:last], 0), atol=1e-6)
        ):
            raise InvalidInput(
                "region",
                f"{len(positions)} atoms",
                f"one with {lower_layers} and {upper_layers} flat layers of supercell {lattice.supercell}, "
                f"lattice constant {lattice.lattice_constant} Å",
                "give the lattice and the layers with which it was assembled",
            )
        surface = (lower_layers - 1) * h
        length = height - surface - upper_layers * h
        return cls(lattice, lower_layers, upper_layers, length, positions[first:last] - [0.0, 0.0, surface])


def fingerprint(gap: FilledGap) -> str:
    """Write down what two equal contacts have in common for certain: a key under which to look for candidates.

    No key made from measured places can agree with a tolerance: wherever places are rounded, two that differ by
    nothing may fall to either side of an edge. So it holds what was asked for (lattice constant and gap, to
    1e-4 Å, supercell, layers) and the number of atoms in the gap. Contacts with different keys are different;
    whether those with one key are the same is decided by :func:`same_contact`.
    """
    return (
        f"fcc111-a{gap.lattice.lattice_constant:.4f}-n{gap.lattice.supercell}"
        f"-l{gap.lower_layers}-u{gap.upper_layers}-g{gap.length:.4f}-m{len(gap.atoms)}"
    )


def same_contact(one: FilledGap, other: FilledGap, tolerance: float = SAME_PLACE) -> float | None:
    """Compare two contacts; return the largest distance (Å) of two atoms at one place, or None if they differ.

    They are the same if the atoms of the one can be paired with those of the other, each pair within the
    tolerance, after some operation that leaves T(E, k) as it is at *every* k:

    - another order of the atoms;
    - a lateral translation by a primitive vector of the flat layers, N x N of them in the supercell: it maps the
      flat layers onto themselves, and changes the states at k by a phase;
    - a lateral translation of single atoms by a vector of the supercell: the periodic crystal is the same.

    Rotations and mirrors are not used, though flat layers have some: they map k onto another k, so that the
    turned contact has the T of another k-point, and another mean over a mesh that lacks that symmetry.

    Parameters
    ----------
    one, other
        The contacts.
    tolerance
        Å, less than half the closest distance of two atoms: each atom has one partner at most.

    Raises
    ------
    InvalidInput
        If the tolerance is not positive, or so large that pairs are not unique.
    """
    if not 0 < tolerance < CLOSEST_PAIR / 2:
        raise InvalidInput(
            "tolerance",
            f"{tolerance} Å",
            f"above 0 Å and less than {CLOSEST_PAIR / 2} Å, half the closest distance of two atoms",
            f"{SAME_PLACE} Å is the default",
        )
    if fingerprint(one) != fingerprint(other):
        return None
    n, (a, b) = one.lattice.supercell, one.lattice.primitive_vectors
    found = [
        _farthest_pair(one.atoms, other.atoms + i * a + j * b, one.lattice, tolerance)
        for i in range(n)
        for j in range(n)
    ]
    return min((distance for distance in found if distance is not None), default=None)


def _farthest_pair(
    one: NDArray[np.float64], other: NDArray[np.float64], lattice: Fcc111, tolerance: float
) -> float | None:
    if not len(one):
        return 0.0
    apart = one[:, None, :] - other[None, :, :]
    lateral = lattice.supercell * lattice.primitive_vectors[:, :2]
    # of an oblique cell rounding finds the nearest image only of what is near, which is all that counts
    apart[..., :2] -= np.round(apart[..., :2] @ np.linalg.inv(lateral)) @ lateral
    distances = np.linalg.norm(apart, axis=2)
    # most translations are out at once
    if distances.min(axis=1).max() > tolerance:
        return None
    # imported here: contacts are compared long after everything else is imported
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(distances)
    farthest = float(distances[rows, columns].max())
    return farthest if farthest <= tolerance else None
