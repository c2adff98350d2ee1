"""The scattering region of a snapshot: flat layers of the leads with the snapshot's atoms in the gap between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.contact import BOND_LENGTH
from aiida_rewire.junction.lattice import Fcc111

PUSHED_APART = 2.5
"""Pairs nearer than this (Å) arise where flat layers replace the tips; they are pushed apart to this distance."""

LARGEST_PUSH = 2.0
"""An atom that would have to be pushed farther than this (Å) has no place in the junction."""

CLOSEST_PAIR = 2.0
"""Two atoms nearer than this (Å) lie on each other: no SCF of such a structure means anything."""


class AtomsOverlap(InvalidInput):
    """An atom of the snapshot lies on another."""


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
        periodicity it is the boundary layer of the right lead as well.
    snapshot_atoms
        Which atoms of the snapshot stand between the flat surfaces, in the order in which they stand here.
    atoms_pushed
        How many of them were pushed away from a neighbour.
    largest_push
        How far at the most, Å.
    """

    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    snapshot_atoms: tuple[int, ...]
    atoms_pushed: int
    largest_push: float

    @property
    def atoms_in_gap(self) -> int:
        """How many atoms of the snapshot stand between the flat surfaces."""
        return len(self.snapshot_atoms)


def push_apart(
    mobile: NDArray[np.float64],
    fixed: NDArray[np.float64],
    cell: NDArray[np.float64],
    *,
    distance: float = PUSHED_APART,
    sweeps: int = 200,
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
        Passes after which what is left is left.
    """
    moved = mobile.copy()
    surroundings = _with_lateral_images(_wrapped_laterally(fixed, cell), cell)
    for _ in range(sweeps):
        home = _wrapped_laterally(moved, cell)
        around = np.vstack([_with_lateral_images(home, cell), surroundings])
        apart = home[:, None, :] - around[None, :, :]
        length = np.linalg.norm(apart, axis=2)
        length[np.arange(len(home)), np.arange(len(home))] = np.inf
        missing = np.clip(distance - length, 0.0, None)
        if missing.max(initial=0.0) < 1e-3:
            break
        share = np.where(np.arange(len(around)) < len(around) - len(surroundings), 0.5, 1.0)
        direction = apart / np.maximum(length, 1e-9)[:, :, None]
        moved += (direction * (missing * share)[:, :, None]).sum(axis=1)
    return moved


def _with_lateral_images(
    positions: NDArray[np.float64], cell: NDArray[np.float64], reach: int = 1
) -> NDArray[np.float64]:
    """Positions with their lateral images up to ``reach`` cells away, the home cell first."""
    shifts = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    shifts.sort(key=lambda shift: shift != (0, 0))
    return np.vstack([positions + i * cell[0] + j * cell[1] for i, j in shifts])


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

    The stacking of ``lower_layers + upper_layers`` layers closes with the next boundary layer. The gap's atoms
    are those more than half a layer spacing inside the gap; they are centred, laterally, over a hollow of the
    lower surface, and pushed apart from flat layers and from each other where they are too near.

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
        If there are fewer layers than a lead needs.
    CellTooNarrow
        If the gap's atoms are bonded to their own lateral images.
    AtomsOverlap
        If two atoms lie on each other.
    """
    check_layers(lower_layers, upper_layers)
    h = lattice.layer_spacing
    lower = [lattice.layer(k, k * h) for k in range(lower_layers)]
    surface = (lower_layers - 1) * h
    first_upper = surface + gap.length
    height = first_upper + upper_layers * h
    upper = [lattice.layer(k - upper_layers, first_upper + k * h) for k in range(upper_layers)]
    cell = lattice.cell(height)

    indices = np.flatnonzero(gap.holds(snapshot, margin=h / 2))
    inside = snapshot[indices]
    _refuse_overlap(inside)
    moved = inside - [0.0, 0.0, gap.lower]
    if len(moved):
        moved[:, :2] += lattice.stacking_shift(lower_layers)[:2] - moved[:, :2].mean(axis=0)
    built = moved + np.array([0.0, 0.0, surface])
    contact = push_apart(built, np.vstack([lower[-1], upper[0]]), cell)
    push = np.linalg.norm(contact - built, axis=1)
    if push.max(initial=0.0) > LARGEST_PUSH:
        raise AtomsOverlap(
            "snapshot",
            f"an atom {push.max():.2f} Å from its place",
            f"free of atoms to be pushed more than {LARGEST_PUSH} Å",
            f"take supercell {lattice.supercell + 1} or larger, or leave this snapshot out",
        )
    _refuse_bonds_to_images(contact, cell, lattice)
    order = np.argsort(contact[:, 2], kind="stable")
    positions = np.vstack([*lower, contact[order], *upper])
    _refuse_overlap(_with_lateral_images(_wrapped_laterally(positions, cell), cell))
    return ScatteringRegion(
        cell, positions, tuple(indices[order].tolist()), int((push > 1e-3).sum()), float(push.max(initial=0.0))
    )


def _wrapped_laterally(positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    fractional = positions @ np.linalg.inv(cell)
    fractional[:, :2] %= 1.0
    wrapped: NDArray[np.float64] = fractional @ cell
    return wrapped


def _refuse_bonds_to_images(contact: NDArray[np.float64], cell: NDArray[np.float64], lattice: Fcc111) -> None:
    if not len(contact):
        return
    # two atoms that far apart meet each other's images farther than one cell away
    across = np.ptp((contact @ np.linalg.inv(cell))[:, :2], axis=0).max()
    images = _with_lateral_images(contact, cell, reach=1 + int(np.ceil(across)))[len(contact) :]
    nearest = float(np.min(KDTree(contact).query(images)[0]))
    if nearest < BOND_LENGTH:
        raise CellTooNarrow(
            "supercell",
            f"{lattice.supercell} ({len(contact)} atoms in the gap, {nearest:.2f} Å from their image)",
            f"wide enough to keep the contact {BOND_LENGTH} Å from its lateral image",
            f"take supercell {lattice.supercell + 1} or larger",
        )


def _refuse_overlap(positions: NDArray[np.float64]) -> None:
    if len(positions) < 2:
        return
    distances, _ = KDTree(positions).query(positions, k=2)
    nearest = float(np.min(np.asarray(distances)[:, 1]))
    if nearest < CLOSEST_PAIR:
        raise AtomsOverlap(
            "snapshot",
            f"two atoms {nearest:.2f} Å apart",
            f"free of pairs nearer than {CLOSEST_PAIR} Å",
            "leave this snapshot out, or look at the dynamics before it (temperature, time step, gap)",
        )
