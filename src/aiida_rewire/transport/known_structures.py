"""The structures whose transmission is known: wires, flat leads, the dimer between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.grids import BOHR_ANGSTROM

SILVER = Fcc111(4.16, 2)
"""The 2 x 2 cell of Ag(111) at PBE's lattice constant."""

DIMER_LENGTH = 2.85
"""Å, of the silver dimer that stands between hollows of flat leads."""

EXAMPLE_WIDTH = 12.0 * BOHR_ANGSTROM
"""Å, lateral period of the aluminium wires of PWCOND's example01 (celldm(1) = 12 bohr)."""

EXAMPLE_SPACING = 0.375
"""Of their atoms, in units of that width."""


@dataclass(frozen=True)
class Structure:
    """A region that pw.x computes, periodic along all three vectors.

    Attributes
    ----------
    cell
        Å, shape (3, 3), the third vector along z.
    positions
        Å, shape (n, 3), sorted by z; the first layer is at z = 0 exactly.
    elements
        Of every atom.
    """

    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    elements: tuple[str, ...]

    @property
    def height(self) -> float:
        """Length along z, Å."""
        return float(self.cell[2, 2])


def wire(spacing: float, atoms: int, width: float, element: str = "Ag") -> Structure:
    """Return a straight wire of evenly spaced atoms.

    Parameters
    ----------
    spacing
        Å.
    atoms
        In the cell.
    width
        Lateral period, Å.
    element
        Of all atoms.

    Raises
    ------
    InvalidInput
        See `wire_junction`.
    """
    return wire_junction((spacing,) * atoms, width, element=element)


def wire_junction(
    spacings: Sequence[float], width: float, shifts: Mapping[int, float] | None = None, element: str = "Ag"
) -> Structure:
    """Return a wire with uneven spacings.

    Parameters
    ----------
    spacings
        From each atom along z to the next, Å, one for each atom; the last leads to the first atom's image.
    width
        Lateral period, Å.
    shifts
        Of some atoms along x, Å, by their index.
    element
        Of all atoms.

    Raises
    ------
    InvalidInput
        If there is no atom, or a length is not positive.
    """
    lengths = np.array([width, *spacings], dtype=float)
    if len(lengths) < 2 or not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise InvalidInput(
            "spacings", f"{tuple(spacings)} Å, width {width} Å", "positive lengths", "give one an atom"
        )
    ends = np.cumsum(lengths[1:])
    positions = np.zeros((len(spacings), 3))
    positions[1:, 2] = ends[:-1]
    for index, shift in (shifts or {}).items():
        positions[index, 0] = shift
    return Structure(np.diag([width, width, float(ends[-1])]), positions, (element,) * len(positions))


def doubled(structure: Structure) -> Structure:
    """Return two periods along z as one."""
    cell = structure.cell.copy()
    cell[2] *= 2
    positions = np.vstack([structure.positions, structure.positions + structure.cell[2]])
    return Structure(cell, positions, structure.elements * 2)


def mirror(structure: Structure) -> Structure:
    """Return the structure with z turned into -z; the layer at z = 0 stays, atoms of a layer keep their order."""
    positions = structure.positions.copy()
    inside = positions[:, 2] > 0.0
    positions[inside, 2] = structure.height - positions[inside, 2]
    # layers are equal in z to the last digit but one: rounding keeps them together
    order = np.argsort(np.round(positions[:, 2], 9), kind="stable")
    return Structure(structure.cell.copy(), positions[order], tuple(structure.elements[row] for row in order))


def silver_lead() -> Structure:
    """Return the three layers ABC of Ag(111), 2 x 2."""
    cell, positions = SILVER.lead()
    return Structure(cell, positions, ("Ag",) * len(positions))


def silver_dimer() -> Structure:
    """Return two silver atoms, one above the other, between three and two flat layers."""
    h = SILVER.layer_spacing
    snapshot = np.array([[0.0, 0.0, h], [0.0, 0.0, h + DIMER_LENGTH]])
    region = assemble_scattering_region(snapshot, FlatGap(0.0, 2 * h + DIMER_LENGTH), SILVER)
    return Structure(region.cell, region.positions, ("Ag",) * len(region.positions))


def al_wire() -> Structure:
    """Return the aluminium wire of PWCOND's example01 (``alwire1.scf.in``)."""
    return wire(EXAMPLE_SPACING * EXAMPLE_WIDTH, 1, EXAMPLE_WIDTH, element="Al")


def al_wire_with_h() -> Structure:
    """Return the aluminium wire with a hydrogen atom of PWCOND's example01 (``AlwireH.scf.in``)."""
    positions = EXAMPLE_WIDTH * np.array(
        [
            [0.0, 0.0, 0.0],
            [0.0, 0.0, 0.375],
            [-0.02779870, 0.0, 0.75537515],
            [0.19269012, 0.0, 0.93750000],
            [-0.02779870, 0.0, 1.11962485],
            [0.0, 0.0, 1.5],
        ]
    )
    cell = EXAMPLE_WIDTH * np.diag([1.0, 1.0, 5 * EXAMPLE_SPACING])
    return Structure(cell, positions, ("Al", "Al", "Al", "H", "Al", "Al"))
