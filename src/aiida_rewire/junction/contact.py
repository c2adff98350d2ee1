"""What the atoms say about the contact: the gap left, the bonds at the narrowest place, the stage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

BOND_LENGTH = 3.3
"""Two silver atoms at most this far apart (Å) are bonded: between the first (2.89) and second (4.09) neighbours."""

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

    Two atoms at most the bond length apart are bonded. A piece of metal is what bonds hold together; each fixed
    base is held together as it is. An atom hangs on a base if it is of the same piece.

    Attributes
    ----------
    gap_left
        Shortest distance (Å) between the metal that hangs on the lower and on the upper base; 0 in contact.
    bonds
        Minimum cut of the bond graph between the bases: the fewest bonds that one must cut to part them; 0
        without contact.
    bottleneck_coordination
        Mean number of bonds of the atoms at the ends of those bonds, each atom counted once. Of several minimum
        cuts it is the one nearest the lower base, the one with the fewest atoms on the lower side. None without
        contact.
    atoms_in_gap
        Atoms in the gap.
    filament_atoms
        Atoms in the gap that hang on a base.
    floating_atoms
        Atoms of the whole snapshot that hang on neither base.
    clusters
        Pieces of metal, single atoms included: 1 for a contact and 2 for a gap without floating atoms.
    stage
        ``gap`` and ``islands`` without contact (the latter when more atoms than in the tips as built are in the
        gap), ``contact`` up to the four bonds of a bridging atom, ``growth`` above.
    """

    gap_left: float
    bonds: int
    bottleneck_coordination: float | None
    atoms_in_gap: int
    filament_atoms: int
    floating_atoms: int
    clusters: int
    stage: Stage


def describe_contact(
    positions: NDArray[np.float64],
    lower_base: NDArray[np.bool_],
    upper_base: NDArray[np.bool_],
    *,
    in_gap: NDArray[np.bool_],
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
    in_gap
        Which atoms are between the planes of the flat electrodes, shape (n,).
    atoms_in_gap_as_built
        Atoms between those planes in the tips as they were built.
    bond_length
        Atoms at most this far apart (Å) are bonded.

    Raises
    ------
    InvalidInput
        If the arrays do not belong together, a base is empty, an atom is in both bases, a coordinate is not
        finite, or a length or number is out of bounds.
    """
    metal = _Metal.of(positions, lower_base, upper_base, bond_length)
    _require_mask("in_gap", in_gap, len(positions))
    if atoms_in_gap_as_built < 0:
        raise InvalidInput(
            "atoms_in_gap_as_built", atoms_in_gap_as_built, "0 or more", "count them in the built tips"
        )
    atoms_in_gap = int(np.count_nonzero(in_gap))
    hanging = (metal.piece == metal.lower_piece) | (metal.piece == metal.upper_piece)
    cut = metal.narrowest_bonds()
    if not len(cut):
        stage = Stage.ISLANDS if atoms_in_gap > atoms_in_gap_as_built else Stage.GAP
        coordination = None
    else:
        stage = Stage.CONTACT if len(cut) <= LARGEST_ATOMIC_CONTACT else Stage.GROWTH
        coordination = float(metal.coordination()[np.unique(cut)].mean())
    return Contact(
        gap_left=metal.gap_left(),
        bonds=len(cut),
        bottleneck_coordination=coordination,
        atoms_in_gap=atoms_in_gap,
        filament_atoms=int(np.count_nonzero(in_gap & hanging)),
        floating_atoms=int(np.count_nonzero(~hanging)),
        clusters=len(np.unique(metal.piece)),
        stage=stage,
    )


def in_contact(
    positions: NDArray[np.float64],
    lower_base: NDArray[np.bool_],
    upper_base: NDArray[np.bool_],
    bond_length: float = BOND_LENGTH,
) -> bool:
    """Tell whether bonds connect the two bases; cheap enough for every frame of a trajectory.

    Parameters and errors are those of :func:`describe_contact`.
    """
    return _Metal.of(positions, lower_base, upper_base, bond_length).in_contact


def gap_left(
    positions: NDArray[np.float64],
    lower_base: NDArray[np.bool_],
    upper_base: NDArray[np.bool_],
    bond_length: float = BOND_LENGTH,
) -> float:
    """Shortest distance (Å) between the metal that hangs on the two bases; 0 in contact, and only then.

    Parameters and errors are those of :func:`describe_contact`.
    """
    return _Metal.of(positions, lower_base, upper_base, bond_length).gap_left()


@dataclass(frozen=True)
class _Metal:
    """The bonds of a snapshot, each base contracted to a single node of the graph.

    Contracted, bonds within a base cannot be cut, and a cut counts each bond to a base once.
    """

    positions: NDArray[np.float64]
    pairs: NDArray[np.intp]
    """Bonded atoms, shape (number of bonds, 2)."""
    node: NDArray[np.intp]
    """Node of the graph that each atom is, shape (n,): itself, or the first atom of its base."""
    lower_node: int
    upper_node: int
    piece: NDArray[np.int32]
    """Number of the piece of metal that each atom belongs to, shape (n,)."""

    @classmethod
    def of(
        cls,
        positions: NDArray[np.float64],
        lower_base: NDArray[np.bool_],
        upper_base: NDArray[np.bool_],
        bond_length: float,
    ) -> _Metal:
        """Find the bonds and the pieces."""
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise InvalidInput("positions", f"array of shape {positions.shape}", "of shape (n, 3)", "one row an atom")
        if not np.isfinite(positions).all():
            raise InvalidInput("positions", "not all numbers", "finite", "look at the frame: the dynamics blew up")
        if not 0 < bond_length < np.inf:
            raise InvalidInput(
                "bond_length", f"{bond_length} Å", "above 0 Å and finite", f"silver has {BOND_LENGTH} Å"
            )
        n = len(positions)
        node = np.arange(n)
        for name, base in (("lower_base", lower_base), ("upper_base", upper_base)):
            _require_mask(name, base, n)
            if not base.any():
                raise InvalidInput(name, "no atom", "at least one atom", "give the fixed atoms of the tip")
            node[base] = np.flatnonzero(base)[0]
        if (lower_base & upper_base).any():
            raise InvalidInput("upper_base", "atoms of lower_base", "other atoms", "the tips have a base each")
        # imported here, as below: stages and bounds of this module are asked for where nothing of scipy is needed
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import KDTree

        pairs = KDTree(positions).query_pairs(bond_length, output_type="ndarray")
        one, other = node[pairs].T
        graph = coo_array((np.ones(len(pairs), dtype=np.int32), (one, other)), shape=(n, n))
        _, piece = connected_components(graph, directed=False)
        return cls(positions, pairs, node, int(node[lower_base][0]), int(node[upper_base][0]), piece[node])

    @property
    def lower_piece(self) -> int:
        """Piece of the lower base."""
        return int(self.piece[self.lower_node])

    @property
    def upper_piece(self) -> int:
        """Piece of the upper base."""
        return int(self.piece[self.upper_node])

    @property
    def in_contact(self) -> bool:
        """Whether bonds connect the bases."""
        return self.lower_piece == self.upper_piece

    def gap_left(self) -> float:
        """Shortest distance (Å) between the pieces of the two bases, 0 in contact."""
        if self.in_contact:
            return 0.0
        lower = self.positions[self.piece == self.lower_piece]
        upper = self.positions[self.piece == self.upper_piece]
        from scipy.spatial import KDTree

        distances, _ = KDTree(lower).query(upper)
        return float(np.min(distances))

    def coordination(self) -> NDArray[np.intp]:
        """Count the bonds of every atom, those within a base included, shape (n,)."""
        return np.bincount(self.pairs.ravel(), minlength=len(self.positions))

    def narrowest_bonds(self) -> NDArray[np.intp]:
        """Find the minimum cut nearest the lower base: the bonded atoms, shape (number of bonds, 2).

        The nodes that the lower base still reaches through what the maximum flow left of the bonds are the lower
        side. They are the same for every maximum flow (Ford and Fulkerson, Flows in Networks, 1962, ch. I.5).
        """
        if not self.in_contact:
            return np.empty((0, 2), dtype=np.intp)
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        n = len(self.positions)
        ends = self.node[self.pairs]
        between_nodes = ends[:, 0] != ends[:, 1]
        one, other = ends[between_nodes].T
        row, column = np.concatenate([one, other]), np.concatenate([other, one])
        # several bonds of an atom to a base add up
        capacity = coo_array((np.ones(len(row), dtype=np.int32), (row, column)), shape=(n, n)).tocsr()
        flow = maximum_flow(capacity, self.lower_node, self.upper_node).flow
        residual = capacity - flow
        residual.eliminate_zeros()
        reached = breadth_first_order(residual, self.lower_node, directed=True, return_predecessors=False)
        below = np.zeros(n, dtype=np.bool_)
        below[reached] = True
        side = below[ends]
        cut: NDArray[np.intp] = self.pairs[side[:, 0] != side[:, 1]]
        return cut


def _require_mask(name: str, mask: NDArray[np.bool_], n: int) -> None:
    if mask.dtype != np.bool_ or mask.shape != (n,):
        raise InvalidInput(
            name,
            f"{mask.dtype} array of shape {mask.shape}",
            f"a boolean array of shape ({n},)",
            "give True or False for each atom",
        )
