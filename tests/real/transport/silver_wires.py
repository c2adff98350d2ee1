"""Structures of silver that several tests compute."""

from __future__ import annotations

import numpy as np
from aiida import orm

BOX = 6.0
SPACING = 2.8
"""Å; atoms of the wire."""


def silver(cell: np.ndarray, positions: np.ndarray) -> orm.StructureData:
    """A structure of silver."""
    structure = orm.StructureData(cell=np.asarray(cell, dtype=float).tolist())
    for position in np.asarray(positions, dtype=float).tolist():
        structure.append_atom(position=position, symbols="Ag")
    return structure


def wire(heights: list[float], length: float) -> orm.StructureData:
    """A wire of silver with atoms at these heights, Å."""
    return silver(np.diag([BOX, BOX, length]), np.array([[0.0, 0.0, z] for z in heights]))


def lead_wire(atoms: int = 1) -> orm.StructureData:
    """An unbroken wire."""
    return wire([n * SPACING for n in range(atoms)], atoms * SPACING)


def stretched_wire() -> orm.StructureData:
    """A wire with two unequal gaps; the current's way through it is not that back, mirrored."""
    return wire([0.0, 2.8, 5.6, 9.0, 12.2, 15.0, 17.8], 20.6)
