"""What the atoms say about the contact: the gap left, the bonds at the narrowest place, the stage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, maximum_flow
from scipy.spatial import KDTree

BOND_LENGTH = 3.3
"""Two silver atoms closer than this (Å) are bonded: between the first (2.89) and the second (4.09) neighbours."""

LARGEST_ATOMIC_CONTACT = 4
"""Bonds of one atom that bridges the tips to one side of it, on a fourfold hollow."""


class Stage(StrEnum):
    """Stage of the filament's growth, after Milano et al. 2024, Fig. 1."""

    GAP = "gap"
    ISLANDS = "islands"
    CONTACT = "contact"
    GROWTH = "growth"


@dataclass(frozen=True)
class Contact:
    """Descriptors of one snapshot.

    Attributes
    ----------
    gap_left
        Shortest distance (Å) between the metal connected to the lower and to the upper base; 0 in contact.
    bonds
        Minimum cut of the bond graph between the bases: the bonds at the narrowest place; 0 without contact.
    stage
        ``gap`` and ``islands`` without contact (the latter when more atoms than the built apexes are in the
        gap), ``contact`` up to the four bonds of a bridging atom, ``growth`` above.
    """

    gap_left: float
    bonds: int
    stage: Stage


def describe_contact(
    positions: NDArray[np.float64],
    lower_base: NDArray[np.bool_],
    upper_base: NDArray[np.bool_],
    *,
    atoms_in_gap: int,
    atoms_in_gap_as_built: int,
    bond_length: float = BOND_LENGTH,
) -> Contact:
    """Describe the contact between two tips.

    Parameters
    ----------
    positions
        Å, shape (n, 3), not periodic.
    lower_base, upper_base
        Which atoms are the fixed bases, shape (n,) each.
    atoms_in_gap, atoms_in_gap_as_built
        Atoms between the planes of the flat electrodes now, and in the tips as they were built.
    bond_length
        Atoms closer than this (Å) are bonded.
    """
    pairs = KDTree(positions).query_pairs(bond_length, output_type="ndarray")
    n = len(positions)
    lower_end, upper_end = n, n + 1
    bases = [(lower_end, np.flatnonzero(lower_base)), (upper_end, np.flatnonzero(upper_base))]
    one, other = [pairs[:, 0]], [pairs[:, 1]]
    capacity = [np.ones(len(pairs), dtype=np.int32)]
    for end, members in bases:
        one.append(np.full(len(members), end))
        other.append(members)
        capacity.append(np.full(len(members), n, dtype=np.int32))
    i, j, c = np.concatenate(one), np.concatenate(other), np.concatenate(capacity)
    graph = coo_array(
        (np.concatenate([c, c]), (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n + 2, n + 2)
    ).tocsr()
    _, cluster = connected_components(graph, directed=False)
    if cluster[lower_end] == cluster[upper_end]:
        bonds = int(maximum_flow(graph, lower_end, upper_end).flow_value)
        stage = Stage.CONTACT if bonds <= LARGEST_ATOMIC_CONTACT else Stage.GROWTH
        return Contact(0.0, bonds, stage)
    atoms = cluster[:n]
    lower, upper = positions[atoms == cluster[lower_end]], positions[atoms == cluster[upper_end]]
    distances, _ = KDTree(lower).query(upper)
    stage = Stage.ISLANDS if atoms_in_gap > atoms_in_gap_as_built else Stage.GAP
    return Contact(float(np.min(distances)), 0, stage)
