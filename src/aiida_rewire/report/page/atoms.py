"""Atoms of thousands of junctions in little room: two bytes a coordinate, and what all have in common once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

FINEST_A = 0.001
"""Grid of the coordinates, Å; coarser by factors of two where two bytes do not reach."""

REACH = 32767
"""Largest number of grid steps from the centre of the cell."""

SAME_CELL_A = 1e-4
"""Cells whose edges differ by less are the same, Å."""


@dataclass(frozen=True)
class CellOfJunctions:
    """What junctions in the same cell have in common.

    Attributes
    ----------
    cell
        Å, shape (3, 3).
    centre
        Å, shape (3,): the origin of the numbers.
    grid_a
        What one stands for, Å.
    shared
        Atoms that all these junctions have in the same place: the flat layers of the leads. Shape (n, 3); none
        where there is but one junction.
    """

    cell: NDArray[np.float64]
    centre: NDArray[np.float64]
    grid_a: float
    shared: NDArray[np.int16]


@dataclass(frozen=True)
class Junctions:
    """Junctions by the PK of their conductance.

    Attributes
    ----------
    cells
        That occur.
    of
        Which of the cells, and the atoms that are not shared, shape (n, 3).
    """

    cells: tuple[CellOfJunctions, ...] = ()
    of: Mapping[int, tuple[int, NDArray[np.int16]]] = field(default_factory=dict)

    def positions(self, pk: int) -> NDArray[np.float64]:
        """Return the atoms of a junction, Å, shape (n, 3), those of the flat layers first."""
        number, own = self.of[pk]
        cell = self.cells[number]
        steps = np.concatenate([cell.shared, own]).astype(np.float64)
        placed: NDArray[np.float64] = steps * cell.grid_a + cell.centre
        return placed


@dataclass
class _Pile:
    cell: NDArray[np.float64]
    grid_a: float
    junctions: dict[int, NDArray[np.int16]] = field(default_factory=dict)


class Packing:
    """Takes junctions one after another, so that they never lie in memory as they were read."""

    def __init__(self) -> None:
        self._piles: dict[tuple[object, ...], _Pile] = {}

    def add(self, pk: int, cell: ArrayLike, positions: ArrayLike) -> None:
        """Take a junction.

        Parameters
        ----------
        pk
            Of its conductance.
        cell
            Å, shape (3, 3).
        positions
            Å, shape (n, 3); a junction with a coordinate that is no finite number is left out.
        """
        box = np.asarray(cell, dtype=np.float64).reshape(3, 3)
        places = np.asarray(positions, dtype=np.float64).reshape(-1, 3) - box.sum(axis=0) / 2
        farthest = float(np.abs(places).max(initial=0.0))
        if not np.isfinite(farthest):
            return
        grid_a = FINEST_A
        while farthest > REACH * grid_a:
            grid_a *= 2
        key = (*np.rint(box / SAME_CELL_A).astype(np.int64).ravel().tolist(), grid_a)
        pile = self._piles.setdefault(key, _Pile(box, grid_a))
        pile.junctions[pk] = np.rint(places / grid_a).astype(np.int16)

    def packed(self) -> Junctions:
        """Return the junctions that were taken."""
        cells: list[CellOfJunctions] = []
        of: dict[int, tuple[int, NDArray[np.int16]]] = {}
        for number, pile in enumerate(self._piles.values()):
            shared = shared_atoms(list(pile.junctions.values()))
            cells.append(CellOfJunctions(pile.cell, pile.cell.sum(axis=0) / 2, pile.grid_a, shared))
            known = rows_as_one(shared)
            for pk, atoms in pile.junctions.items():
                of[pk] = number, atoms[~np.isin(rows_as_one(atoms), known)]
        return Junctions(tuple(cells), of)


def shared_atoms(junctions: list[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Return the atoms, shape (n, 3), that all junctions have; none of fewer than two."""
    if len(junctions) < 2:
        return np.empty((0, 3), dtype=np.int16)
    shared = junctions[0]
    for atoms in junctions[1:]:
        shared = shared[np.isin(rows_as_one(shared), rows_as_one(atoms))]
    return shared


def rows_as_one(atoms: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return a number for each row, equal for equal rows alone."""
    x, y, z = (atoms[:, axis].astype(np.int64) + REACH + 1 for axis in range(3))
    number: NDArray[np.int64] = (x << 32) | (y << 16) | z
    return number
