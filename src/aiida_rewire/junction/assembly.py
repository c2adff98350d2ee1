"""The scattering region of a snapshot: flat layers of the leads with the snapshot's atoms in the gap between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.contact import BOND_LENGTH
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.placement import (
    CLOSEST_LEFT,
    CLOSEST_PAIR,
    LARGEST_PUSH,
    PUSHED_APART,
    AtomsOverlap,
    closest_pair,
    lateral_shift,
    push_apart,
    with_lateral_images,
)

__all__ = [
    "FLOATING",
    "PUSHED_APART",
    "AtomsOverlap",
    "CellTooNarrow",
    "FlatGap",
    "ScatteringRegion",
    "assemble_scattering_region",
    "check_layers",
    "push_apart",
    "smallest_supercell",
]

FLOATING = 2 * BOND_LENGTH
"""Atoms that no chain of hops of at most this length (Å) joins to a tip are vapour."""


class CellTooNarrow(InvalidInput):
    """The contact is bonded to its own periodic image."""


@dataclass(frozen=True)
class FlatGap:
    """The gap between the two flat electrodes that stand for the tips.

    Each flat surface lies one (111) spacing behind the apex as built, so that an apex atom at rest sits in a
    hollow of it.

    Attributes
    ----------
    lower, upper
        Heights of the flat surfaces in the coordinates of the tips, Å.
    """

    lower: float
    upper: float

    @classmethod
    def behind_apexes(cls, lattice: Fcc111, lower_apex: float, upper_apex: float) -> FlatGap:
        """Place the surfaces one layer spacing behind the apexes (heights in Å)."""
        return cls(lower_apex - lattice.layer_spacing, upper_apex + lattice.layer_spacing)

    @property
    def length(self) -> float:
        """Distance between the flat surfaces, Å."""
        return self.upper - self.lower

    def holds(self, positions: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
        """Which of the positions (Å, shape (n, 3)) lie more than ``margin`` Å inside the gap."""
        z = positions[:, 2]
        inside: NDArray[np.bool_] = (z > self.lower + margin) & (z < self.upper - margin)
        return inside


@dataclass(frozen=True)
class ScatteringRegion:
    """What pw.x computes for a snapshot.

    Attributes
    ----------
    cell
        Å, shape (3, 3).
    positions
        Å, shape (n, 3), sorted by z; the boundary layer of the left lead is at z = 0 and stands once: by
        periodicity it is the boundary layer of the right lead as well. The flat layers lie laterally within the
        cell; the gap's atoms stand whole, as in the snapshot, some beyond its edge. For pwcond.x that is the
        same: only atoms whose spheres cross a boundary must not be moved by a lateral vector of the cell.
    snapshot_atoms
        Which atoms of the snapshot stand between the flat surfaces, in the order in which they stand here.
    atoms_pushed
        How many of them were pushed away from a neighbour.
    largest_push
        How far at the most, Å.
    closest_pair
        Shortest distance of two atoms, lateral images included, Å.
    flank_atoms
        Atoms of the snapshot between the flat surfaces that were left out because they lie within half a layer
        spacing of one: the surface stands for them. Tips as built have those of the layers next to the apexes.
    floating_atoms
        Atoms of the snapshot farther inside that were left out because they float (`FLOATING`).
    """

    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    snapshot_atoms: tuple[int, ...]
    atoms_pushed: int
    largest_push: float
    closest_pair: float
    flank_atoms: int
    floating_atoms: int

    @property
    def atoms_in_gap(self) -> int:
        """How many atoms of the snapshot stand between the flat surfaces."""
        return len(self.snapshot_atoms)

    @property
    def atoms_left_out(self) -> int:
        """How many atoms the snapshot has between the flat surfaces that do not stand here."""
        return self.flank_atoms + self.floating_atoms


def check_layers(lower_layers: int, upper_layers: int) -> None:
    """Refuse fewer flat layers than the leads need.

    Raises
    ------
    InvalidInput
        If there are fewer than three below or than two above the gap.
    """
    for name, layers, least in (("lower_layers", lower_layers, 3), ("upper_layers", upper_layers, 2)):
        if type(layers) is not int or layers < least:
            raise InvalidInput(name, layers, f"at least {least}, whole", "the leads' layers must stand on both sides")


def assemble_scattering_region(
    snapshot: NDArray[np.float64],
    gap: FlatGap,
    lattice: Fcc111,
    *,
    lower_layers: int = 3,
    upper_layers: int = 2,
) -> ScatteringRegion:
    """Put the atoms that a snapshot has in the gap between flat layers of the leads.

    The gap's atoms are those more than half a layer spacing inside the gap, but for floating ones: those that no
    chain of hops of at most `FLOATING` joins to atoms beyond the flat surfaces. Such vapour carries no current,
    but would be folded back beside the contact. An atom whose bonds are stretched by heat is kept, and so is one
    on its way across. A snapshot with no atom beyond the surfaces is a model without tips: it keeps all its atoms.

    They are moved sideways as a whole (:func:`~aiida_rewire.junction.placement.lateral_shift`), and pushed apart
    from flat layers and from each other where they are too near.

    Layers are numbered so that the upper ones end with the layer below the next boundary layer: the stacking
    closes there with any number of layers.

    Parameters
    ----------
    snapshot
        Positions of all atoms of the molecular dynamics, Å, shape (n, 3).
    gap
        The gap in the same coordinates.
    lattice
        The flat layers.
    lower_layers, upper_layers
        Flat layers below and above the gap, the left boundary layer included, the right one not.

    Raises
    ------
    InvalidInput
        If there are fewer layers than a lead needs, if the flat surfaces lie nearer than the layers of the
        crystal, or if the snapshot is no array of places.
    CellTooNarrow
        If the gap's atoms are bonded to their own lateral images.
    AtomsOverlap
        If two atoms lie on each other, or there is no room for them.
    """
    check_layers(lower_layers, upper_layers)
    _check_geometry(snapshot, gap, lattice)
    h = lattice.layer_spacing
    lower = [lattice.layer(k, k * h) for k in range(lower_layers)]
    surface = (lower_layers - 1) * h
    first_upper = surface + gap.length
    height = first_upper + upper_layers * h
    upper = [lattice.layer(k - upper_layers, first_upper + k * h) for k in range(upper_layers)]
    cell = lattice.cell(height)

    inside = gap.holds(snapshot, margin=h / 2)
    floating = inside & ~_joined_to_tips(snapshot, gap)
    flank_atoms = int((gap.holds(snapshot, margin=0.0) & ~inside).sum())
    indices = np.flatnonzero(inside & ~floating)
    _refuse_overlap(closest_pair(snapshot[indices]))
    atoms = snapshot[indices] - [0.0, 0.0, gap.lower]
    shift = lateral_shift(atoms, lattice, gap.length, lower_stacking=lower_layers - 1, upper_stacking=-upper_layers)
    built = atoms + shift + [0.0, 0.0, surface]
    _refuse_bonds_to_images(built, cell, lattice)
    contact = push_apart(built, np.vstack([lower[-1], upper[0]]), cell)
    push = np.linalg.norm(contact - built, axis=1)
    _refuse_long_push(float(push.max(initial=0.0)), lattice)
    _refuse_bonds_to_images(contact, cell, lattice)
    order = np.argsort(contact[:, 2], kind="stable")
    positions = np.vstack([*lower, contact[order], *upper])
    nearest = closest_pair(positions, cell)
    _refuse_no_room(nearest, lattice)
    return ScatteringRegion(
        cell,
        positions,
        snapshot_atoms=tuple(indices[order].tolist()),
        atoms_pushed=int((push > 1e-3).sum()),
        largest_push=float(push.max(initial=0.0)),
        closest_pair=nearest,
        flank_atoms=flank_atoms,
        floating_atoms=int(floating.sum()),
    )


def smallest_supercell(
    snapshot: NDArray[np.float64],
    gap: FlatGap,
    lattice_constant: float,
    smallest: int = 3,
    largest: int = 6,
    *,
    lower_layers: int = 3,
    upper_layers: int = 2,
) -> int:
    """Find the least supercell N in which a snapshot's contact fits (:func:`assemble_scattering_region`).

    Parameters
    ----------
    snapshot, gap, lower_layers, upper_layers
        As there.
    lattice_constant
        Of the flat layers, Å.
    smallest, largest
        What is tried.

    Raises
    ------
    InvalidInput
        If these are no range of whole numbers from 1 on, or as there.
    CellTooNarrow
        If the contact is bonded to its image in the largest, too.
    AtomsOverlap
        If two atoms of the snapshot lie on each other, or if the largest, too, has no room for its atoms.
    """
    if type(smallest) is not int or type(largest) is not int or not 1 <= smallest <= largest:
        raise InvalidInput(
            "smallest, largest",
            f"{smallest}, {largest}",
            "whole, 1 <= smallest <= largest",
            "the defaults are 3 and 6",
        )
    for supercell in range(smallest, largest + 1):
        lattice = Fcc111(lattice_constant, supercell)
        try:
            assemble_scattering_region(snapshot, gap, lattice, lower_layers=lower_layers, upper_layers=upper_layers)
        except CellTooNarrow as error:
            refusal: CellTooNarrow | AtomsOverlap = CellTooNarrow(
                "supercell",
                f"{error.value}, the largest of {smallest} to {largest}",
                error.bound,
                "allow a larger one, or leave this snapshot out",
            )
        except AtomsOverlap as error:
            refusal = error
        else:
            return supercell
    raise refusal


def _check_geometry(snapshot: NDArray[np.float64], gap: FlatGap, lattice: Fcc111) -> None:
    if snapshot.ndim != 2 or snapshot.shape[1] != 3 or not np.isfinite(snapshot).all():
        got = f"an array of shape {snapshot.shape}"
        raise InvalidInput("snapshot", got, "finite, of shape (n, 3)", "give x, y and z of each atom in Å")
    # of whole layers an empty gap may be one spacing long, to rounding
    if not lattice.layer_spacing - 1e-6 <= gap.length < np.inf:
        raise InvalidInput(
            "gap",
            f"{gap.length:.4f} Å between the flat surfaces",
            f"finite and at least one layer spacing, {lattice.layer_spacing:.4f} Å",
            "give the surface of the lower electrode first, in Å",
        )


def _joined_to_tips(snapshot: NDArray[np.float64], gap: FlatGap) -> NDArray[np.bool_]:
    """Which atoms chains of short hops join to atoms beyond the flat surfaces, shape (n,)."""
    beyond = ~gap.holds(snapshot, margin=0.0)
    if not beyond.any():
        return np.ones(len(snapshot), dtype=np.bool_)
    # imported here, as below: layers are checked where nothing of scipy is needed
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    # deeper in the tips nothing is decided
    near = np.flatnonzero(gap.holds(snapshot, margin=-FLOATING))
    pairs = (
        KDTree(snapshot[near]).query_pairs(FLOATING, output_type="ndarray") if len(near) else np.empty((0, 2), int)
    )
    bonds = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(near), len(near)))
    _, cluster = connected_components(bonds, directed=False)
    joined = beyond.copy()
    joined[near] |= np.isin(cluster, cluster[beyond[near]])
    return joined


def _refuse_bonds_to_images(contact: NDArray[np.float64], cell: NDArray[np.float64], lattice: Fcc111) -> None:
    if not len(contact):
        return
    from scipy.spatial import KDTree

    # two atoms that far apart meet each other's images farther than one cell away
    across = np.ptp((contact @ np.linalg.inv(cell))[:, :2], axis=0).max()
    images = with_lateral_images(contact, cell, reach=1 + int(np.ceil(across)))[len(contact) :]
    nearest = float(np.min(KDTree(contact).query(images)[0]))
    if nearest < BOND_LENGTH:
        raise CellTooNarrow(
            "supercell",
            f"{lattice.supercell} ({len(contact)} atoms in the gap, {nearest:.2f} Å from their image)",
            f"wide enough to keep the contact {BOND_LENGTH} Å from its lateral image",
            f"take supercell {lattice.supercell + 1} or larger",
        )


def _refuse_overlap(nearest: float) -> None:
    if nearest < CLOSEST_PAIR:
        raise AtomsOverlap(
            "snapshot",
            f"two atoms {nearest:.2f} Å apart",
            f"free of pairs nearer than {CLOSEST_PAIR} Å",
            "leave this snapshot out, or look at the dynamics before it (temperature, time step, gap)",
        )


def _refuse_long_push(push: float, lattice: Fcc111) -> None:
    if push > LARGEST_PUSH:
        raise AtomsOverlap(
            "snapshot",
            f"an atom {push:.2f} Å from its place",
            f"free of atoms to be pushed more than {LARGEST_PUSH} Å",
            f"take supercell {lattice.supercell + 1} or larger, or leave this snapshot out",
        )


def _refuse_no_room(nearest: float, lattice: Fcc111) -> None:
    if nearest < CLOSEST_LEFT:
        raise AtomsOverlap(
            "snapshot",
            f"two atoms {nearest:.2f} Å apart after pushing",
            f"one whose atoms can be kept {CLOSEST_LEFT} Å apart between the flat surfaces",
            f"take supercell {lattice.supercell + 1} or larger, or leave this snapshot out",
        )
