"""How the atoms of two regions continue into each other at the planes where pwcond.x joins them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

CELL_TOLERANCE = 1e-6
"""Å."""

LAYER_TOLERANCE = 1e-3
"""Å, for the layers next to a boundary, whose spheres do not cross it."""

LAYER_GAP = 0.3
"""Å; atoms nearer in height are of one layer."""

SORT_TOLERANCE = 1e-8
"""alat; pwcond.x leaves orbitals nearer in height than this in the order of the input (``init_orbitals``)."""


@dataclass(frozen=True)
class Region:
    """What lies between two planes of constant z of a periodic cell.

    Attributes
    ----------
    name
        The input, for messages.
    cell, positions
        Of the whole cell, Å, shapes (3, 3) and (n, 3).
    elements
        Of every atom.
    radii
        Of the largest nonlocal sphere of every atom, Å, shape (n,).
    alat
        Å.
    lower, upper
        Heights of the planes, Å.
    """

    name: str
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    elements: tuple[str, ...]
    radii: NDArray[np.float64]
    alat: float
    lower: float
    upper: float

    def heights(self, plane: float) -> NDArray[np.float64]:
        """Heights above a plane of the nearest images of all atoms, Å, shape (n,)."""
        period = float(self.cell[2, 2])
        above = self.positions[:, 2] - plane
        nearest: NDArray[np.float64] = above - period * np.round(above / period)
        return nearest

    def slab(self, lower: float, upper: float) -> Atoms:
        """Atoms, by their heights above ``lower``, from there to ``upper``, both included (Å)."""
        period = float(self.cell[2, 2])
        above = np.mod(self.positions[:, 2] - lower + LAYER_TOLERANCE, period) - LAYER_TOLERANCE
        rows = np.flatnonzero(above <= upper - lower + LAYER_TOLERANCE)
        places = np.column_stack([self.positions[rows, :2], above[rows]])
        return Atoms(places, tuple(self.elements[row] for row in rows))

    def crossing(self, plane: float) -> Atoms:
        """Atoms whose spheres cross a plane, by their heights above it, in the order in which pwcond.x pairs them."""
        heights = self.heights(plane)
        rows = np.flatnonzero(np.abs(heights) <= np.maximum(self.radii, CELL_TOLERANCE)).tolist()
        for at in range(len(rows)):
            for later in range(at + 1, len(rows)):
                if heights[rows[later]] < heights[rows[at]] - SORT_TOLERANCE * self.alat:
                    rows.insert(at, rows.pop(later))
        places = np.column_stack([self.positions[rows, :2], heights[rows]])
        return Atoms(places, tuple(self.elements[row] for row in rows))


@dataclass(frozen=True)
class Atoms:
    """Some atoms, by their heights above a plane.

    Attributes
    ----------
    places
        x, y and the height, Å, shape (n, 3).
    elements
        Of every atom.
    """

    places: NDArray[np.float64]
    elements: tuple[str, ...]

    def same(self, other: Atoms) -> bool:
        """Whether both are the same atoms in the same order."""
        if self.elements != other.elements:
            return False
        return bool(np.abs(self.places - other.places).max(initial=0.0) <= CELL_TOLERANCE)

    def same_set(self, other: Atoms, tolerance: float, lateral: NDArray[np.float64] | None = None) -> bool:
        """Whether both are the same atoms in any order, with ``lateral`` (Å, (2, 2)) but for its translations."""
        if Counter(self.elements) != Counter(other.elements):
            return False
        if not self.elements:
            return True
        apart = self.places[:, None, :] - other.places[None, :, :]
        if lateral is not None:
            crystal = apart[..., :2] @ np.linalg.inv(lateral)
            apart[..., :2] = (crystal - np.round(crystal)) @ lateral
        alike = np.array(self.elements)[:, None] == np.array(other.elements)[None, :]
        near = alike & (np.abs(apart).max(axis=2) <= tolerance)
        return bool((near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all())


def check_axes(region: Region) -> None:
    """Ask for a cell whose third vector is along z, and whose others lie across.

    Raises
    ------
    InvalidInput
        If it is turned otherwise.
    """
    if np.abs(region.cell[2, :2]).max() > CELL_TOLERANCE or region.cell[2, 2] <= 0:
        raise InvalidInput(
            f"{region.name}.cell",
            f"third vector {np.round(region.cell[2], 6).tolist()} Å",
            "along z",
            "the current flows along z: turn the cell",
        )
    if np.abs(region.cell[:2, 2]).max() > CELL_TOLERANCE:
        raise InvalidInput(
            f"{region.name}.cell",
            f"first two vectors {np.round(region.cell[:2], 6).tolist()} Å",
            "in the plane z = 0",
            "turn the cell so that its layers lie in planes of constant z",
        )


def check_layer(region: Region, plane: float) -> None:
    """Ask for exactly one flat layer at a plane.

    Raises
    ------
    InvalidInput
        If no atom lies in the plane, or if some lie next to it.
    """
    where = f"z = {_short(plane)}"
    # an atom one period above is none at z = 0 for pwcond.x (init_cond: 1st layer not aligned)
    distance = region.positions[:, 2] - plane
    if not (np.abs(distance) <= CELL_TOLERANCE).any():
        raise InvalidInput(
            f"{region.name}.structure", f"no atom at {where}", f"with a layer at {where}", "shift it along z"
        )
    heights = region.heights(plane)
    near = (np.abs(heights) > CELL_TOLERANCE) & (np.abs(heights) <= LAYER_GAP)
    if near.any():
        at = int(np.flatnonzero(near)[0])
        raise InvalidInput(
            f"{region.name}.structure",
            f"atom {at + 1} lies {heights[at]:+.2e} Å from the layer at {where}",
            f"with one flat layer at {where}: no other atom within {LAYER_GAP} Å of it",
            "keep the boundary layers flat",
        )


def check_spheres(region: Region) -> None:
    """Ask that no sphere reaches across both ends of a region.

    Raises
    ------
    InvalidInput
        Where pwcond.x stops with ``Too big atomic spheres``, or where it would have to.
    """
    z = region.positions[:, 2]
    too_big = (z - region.radii <= region.lower) & (z + region.radii > region.upper)
    if too_big.any():
        at = int(np.flatnonzero(too_big)[0])
        raise InvalidInput(
            f"{region.name}.structure",
            f"{region.upper - region.lower:.4f} Å long, with a sphere of {region.radii[at]:.4f} Å around "
            f"atom {at + 1} ({region.elements[at]})",
            "longer than its nonlocal spheres reach",
            "repeat the region along z",
        )


def check_crossing(lead: Region, plane: float, joined: Region, joined_plane: float) -> None:
    """Ask that the atoms crossing a plane are the lead's, in its order.

    Parameters
    ----------
    lead, plane
        The lead and a plane of it, Å.
    joined, joined_plane
        The region joined to it and the plane where, Å.

    Raises
    ------
    InvalidInput
        Names the elements, the order, the cell, or the atoms that differ.
    """
    name = f"{joined.name}.structure"
    theirs, ours = lead.crossing(plane), joined.crossing(joined_plane)
    if ours.same(theirs):
        return
    where = f"z = {_short(joined_plane)}"
    if not set(ours.elements) & set(theirs.elements):
        raise InvalidInput(
            name,
            f"{_kinds(ours)} at {where}",
            f"of the lead's element there, {_kinds(theirs)} ({lead.name})",
            "end the junction with layers of the lead",
        )
    if ours.same_set(theirs, CELL_TOLERANCE):
        raise InvalidInput(
            name,
            f"atoms at {where} in another order than those of {lead.name}",
            "in the lead's order",
            "pwcond.x pairs the atoms by their order: list them in the same one",
        )
    if ours.same_set(theirs, CELL_TOLERANCE, lead.cell[:2, :2]):
        raise InvalidInput(
            name,
            f"atoms at {where} in other unit cells than those of {lead.name}",
            "where the lead's are, not a lateral translation away",
            "wrap the atoms of both into the cell in the same way",
        )
    raise InvalidInput(
        name,
        f"a boundary layer at {where} of {len(ours.elements)} atoms that is not the lead's {len(theirs.elements)} "
        f"({lead.name})",
        f"the lead's boundary layer, atom by atom to {CELL_TOLERANCE} Å",
        "build both from one lattice",
    )


def check_layer_above(lead: Region, junction: Region) -> None:
    """Ask that the junction's second layer is the lead's.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    heights = _layer_heights(lead)
    if len(heights) < 2:
        return
    thickness = heights[1][1]
    _check_slab(
        "second layer",
        lead,
        lead.slab(lead.lower, lead.lower + thickness),
        junction,
        junction.slab(junction.lower, junction.lower + thickness),
    )


def check_layer_below(lead: Region, junction: Region) -> None:
    """Ask that the junction's last layer is the lead's, so that the lead's first follows on it.

    Raises
    ------
    InvalidInput
        If the stacking does not close.
    """
    heights = _layer_heights(lead)
    if len(heights) < 2:
        return
    thickness = lead.upper - lead.lower - heights[-1][0]
    _check_slab(
        "last layer",
        lead,
        lead.slab(lead.upper - thickness, lead.upper),
        junction,
        junction.slab(junction.upper - thickness, junction.upper),
    )


def check_lateral_cell(lead: Region, junction: Region) -> None:
    """Ask for one lateral cell, and one unit of length.

    Raises
    ------
    InvalidInput
        If they differ.
    """
    if np.abs(lead.cell[:2] - junction.cell[:2]).max() > CELL_TOLERANCE:
        raise InvalidInput(
            f"{junction.name}.cell",
            np.round(junction.cell[:2], 6).tolist(),
            f"laterally that of {lead.name}, {np.round(lead.cell[:2], 6).tolist()}",
            "build both from one lattice",
        )
    if abs(lead.alat - junction.alat) > CELL_TOLERANCE:
        raise InvalidInput(
            f"{junction.name}.alat",
            f"{junction.alat:.7f} Å",
            f"that of {lead.name}, {lead.alat:.7f} Å, the unit of bdl and bds",
            "give celldm(1) or A alike in both SCF runs, or in neither",
        )


def check_joint(left_lead: Region, junction: Region, right_lead: Region | None = None) -> None:
    """Ask that a junction continues into its leads.

    Parameters
    ----------
    left_lead, junction, right_lead
        The regions; without a right lead both are alike.

    Raises
    ------
    InvalidInput
        Names the region, what it has and what it must have.
    """
    right = left_lead if right_lead is None else right_lead
    check_crossing(left_lead, left_lead.lower, junction, junction.lower)
    check_layer_above(left_lead, junction)
    # by periodicity the junction's layer at z = 0 is also the first of the right lead
    check_crossing(right, right.lower, junction, junction.upper)
    check_layer_below(right, junction)


def _check_slab(which: str, lead: Region, theirs: Atoms, junction: Region, ours: Atoms) -> None:
    if ours.same_set(theirs, LAYER_TOLERANCE, lead.cell[:2, :2]):
        return
    raise InvalidInput(
        f"{junction.name}.structure",
        f"a {which} that is not that of {lead.name}",
        f"with the lead's {which}, to {LAYER_TOLERANCE} Å: the stacking must close",
        "let at least one whole lead layer follow each boundary layer",
    )


def _layer_heights(lead: Region) -> list[tuple[float, float]]:
    """Lowest and highest atom of every layer, Å above the lead's lower plane."""
    period = float(lead.cell[2, 2])
    above = np.mod(lead.positions[:, 2] - lead.lower + CELL_TOLERANCE, period) - CELL_TOLERANCE
    inside = np.sort(above[above < lead.upper - lead.lower - CELL_TOLERANCE])
    layers = np.split(inside, np.flatnonzero(np.diff(inside) > LAYER_GAP) + 1)
    return [(float(layer[0]), float(layer[-1])) for layer in layers]


def _kinds(atoms: Atoms) -> str:
    return ", ".join(sorted(set(atoms.elements))) or "nothing"


def _short(height: float) -> str:
    return f"{height:.4f} Å" if height else "0"
