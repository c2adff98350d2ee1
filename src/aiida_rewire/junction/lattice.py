"""Flat fcc(111) layers and the lead cells made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

LEAD_LAYERS = 3
"""Layers of an fcc(111) lead cell: the stacking ABC closes after three."""


@dataclass(frozen=True)
class Fcc111:
    """An N x N supercell of the (111) surface of an fcc metal.

    Parameters
    ----------
    lattice_constant
        Cubic lattice constant in Å.
    supercell
        Lateral multiplicity N.

    Raises
    ------
    InvalidInput
        If the lattice constant is not positive or N is not a positive whole number.
    """

    lattice_constant: float
    supercell: int

    def __post_init__(self) -> None:
        is_number = isinstance(self.lattice_constant, (int, float)) and not isinstance(self.lattice_constant, bool)
        if not is_number or not 0 < self.lattice_constant < np.inf:
            raise InvalidInput(
                "lattice_constant",
                f"{self.lattice_constant} Å",
                "above 0 Å",
                "silver has 4.09 Å (PBE: 4.16 Å)",
            )
        if type(self.supercell) is not int or self.supercell < 1:
            raise InvalidInput(
                "supercell",
                self.supercell,
                "a whole number from 1 on",
                "the paper uses 3 (3 x 3 atoms a layer)",
            )

    @property
    def neighbour_distance(self) -> float:
        """Distance of nearest neighbours in Å."""
        return float(self.lattice_constant / np.sqrt(2))

    @property
    def layer_spacing(self) -> float:
        """Distance between (111) layers in Å."""
        return float(self.lattice_constant / np.sqrt(3))

    @property
    def primitive_vectors(self) -> NDArray[np.float64]:
        """Lateral primitive vectors in Å, shape (2, 3), 60 degrees apart."""
        d = self.neighbour_distance
        return np.array([[d, 0.0, 0.0], [d / 2, d * np.sqrt(3) / 2, 0.0]])

    @property
    def alat(self) -> float:
        """Length of the first lateral cell vector in Å: the unit of bdl and bds in pwcond.x."""
        return self.supercell * self.neighbour_distance

    def cell(self, height: float) -> NDArray[np.float64]:
        """Cell vectors in Å, shape (3, 3), of a region that is ``height`` Å long."""
        return np.vstack([self.supercell * self.primitive_vectors, [[0.0, 0.0, height]]])

    def stacking_shift(self, stacking: int) -> NDArray[np.float64]:
        """Lateral offset in Å, shape (3,), of a layer A (0), B (1) or C (2)."""
        shift: NDArray[np.float64] = (stacking % LEAD_LAYERS) * self.primitive_vectors.sum(axis=0) / LEAD_LAYERS
        return shift

    def layer(self, stacking: int, z: float) -> NDArray[np.float64]:
        """Positions in Å, shape (N*N, 3), of the layer with this stacking at height ``z`` (Å)."""
        i, j = np.divmod(np.arange(self.supercell**2), self.supercell)
        lateral = np.outer(i, self.primitive_vectors[0]) + np.outer(j, self.primitive_vectors[1])
        positions: NDArray[np.float64] = lateral + self.stacking_shift(stacking) + np.array([0.0, 0.0, z])
        return positions

    def lead(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cell (3, 3) and positions (3*N*N, 3) in Å of the lead: layers A, B, C with A at z = 0."""
        h = self.layer_spacing
        positions = np.vstack([self.layer(k, k * h) for k in range(LEAD_LAYERS)])
        return self.cell(LEAD_LAYERS * h), positions
