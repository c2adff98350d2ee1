"""The bonds through which the electrochemical potential spreads, and how well each conducts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# one atom of each cubic lattice sits at the origin; these are the others of the cubic cell, in lattice constants
CUBIC_BASES = {
    "fcc": ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    "bcc": ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
}


def weights(squared_distances: FloatArray, cutoff: float) -> FloatArray:
    """Weights w = (1 - r²/rc²)² of pairs at squared distances r² (Å²) below rc², 0 beyond (cutoff rc in Å)."""
    return np.asarray(np.square(np.clip(1.0 - squared_distances / cutoff**2, 0.0, None)))


def normalisation(lattice: str, lattice_constant: float, cutoff: float) -> float:
    """Sum of the weights of an atom's neighbours in a perfect cubic crystal, over 6.

    The 6 is twice the three dimensions. For a smooth potential with second derivatives H the sum over a cubic site's
    neighbours, sum_j w_j (Phi_j - Phi_i) / r_j², is to second order sum_j w_j (r_j·H·r_j) / (2 r_j²). By symmetry
    sum_j w_j r_j r_j / r_j² is a third of sum_j w_j times the unit matrix, so (sum_j w_j / 6) times the trace of H
    is left. Divided by this number, the sum is the Laplacian itself.

    A norm averaged over a finite piece of metal is smaller, because surface atoms lack neighbours: the published
    0.629967 (bcc, 3 Å, rc = 4 Å) is the mean over a plate of 81 (100) layers, where the crystal has 0.637044.

    Parameters
    ----------
    lattice
        "fcc" or "bcc".
    lattice_constant, cutoff
        Å.

    Raises
    ------
    InvalidInput
        For another lattice, lengths that are no positive numbers, or a cutoff that reaches no neighbour.
    """
    if lattice not in CUBIC_BASES:
        raise InvalidInput("lattice", lattice, f"one of {', '.join(sorted(CUBIC_BASES))}", "silver is fcc")
    if not 0 < lattice_constant < math.inf:
        raise InvalidInput("lattice_constant", f"{lattice_constant} Å", "above 0 Å and finite", "silver has 4.09 Å")
    if not 0 < cutoff < math.inf:
        raise InvalidInput("cutoff", f"{cutoff} Å", "above 0 Å and finite", "4 Å holds silver's nearest neighbours")
    cells = math.ceil(cutoff / lattice_constant) + 1
    line = np.arange(-cells, cells + 1)
    corners = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    sites = (corners + np.array(CUBIC_BASES[lattice])).reshape(-1, 3) * lattice_constant
    squared = np.sum(sites**2, axis=1)
    neighbours = squared[(squared > 0) & (squared < cutoff**2)]
    if not len(neighbours):
        raise InvalidInput(
            "cutoff", f"{cutoff} Å", f"beyond the nearest neighbours of {lattice}", "take a longer cutoff"
        )
    return float(np.sum(weights(neighbours, cutoff))) / 6


@dataclass(frozen=True)
class Bonds:
    """Bonds of one configuration, each once, ordered by first and then second atom.

    Attributes
    ----------
    n_atoms
        Atoms of the configuration, bonded or not.
    first, second
        Atoms of each bond, first < second.
    conductance
        w / (norm r²) of each bond, 1/Å²: the rate, per unit of k (Å²/fs), at which two atoms even out.
    """

    n_atoms: int
    first: IntArray
    second: IntArray
    conductance: FloatArray

    def upper(self) -> csr_matrix:
        """Conductances as an upper triangular matrix (n_atoms, n_atoms), 1/Å²."""
        from scipy.sparse import csr_matrix

        ends = np.concatenate(([0], np.cumsum(np.bincount(self.first, minlength=self.n_atoms))))
        return csr_matrix((self.conductance, self.second, ends), shape=(self.n_atoms, self.n_atoms))

    def degree(self) -> FloatArray:
        """Sum of the conductances of every atom's bonds, 1/Å²."""
        firsts = np.bincount(self.first, self.conductance, self.n_atoms)
        return np.asarray(firsts + np.bincount(self.second, self.conductance, self.n_atoms))

    def at_least(self, conductance: float) -> Bonds:
        """Only the bonds that conduct at least so well (1/Å²)."""
        kept = self.conductance >= conductance
        return Bonds(self.n_atoms, self.first[kept], self.second[kept], self.conductance[kept])


class BondList:
    """Bonds of moving atoms: pairs within the cutoff and a skin are kept until an atom may have crossed the skin.

    The bonds are those of a fresh search at every step, to the last bit and in the same order: the kept pairs only
    spare the search.

    Parameters
    ----------
    conducting
        Which atoms the potential spreads through, shape (n,).
    cutoff
        rc, Å.
    norm
        What the sums over neighbours are divided by, see `normalisation`.
    skin
        How much farther than the cutoff pairs are kept, Å.
    box_lengths
        Å along x, y and z; 0 where not periodic. Without: not periodic.

    Raises
    ------
    InvalidInput
        If cutoff or norm is no positive number, the skin is negative, or a periodic length is so short that two
        images of an atom could be neighbours of a third.
    """

    def __init__(
        self,
        conducting: BoolArray,
        *,
        cutoff: float,
        norm: float,
        skin: float = 0.6,
        box_lengths: Sequence[float] | None = None,
    ) -> None:
        if not 0 < cutoff < math.inf:
            raise InvalidInput("cutoff", f"{cutoff} Å", "above 0 Å and finite", "EChemDID uses 4 Å")
        if not 0 < norm < math.inf:
            raise InvalidInput("norm", norm, "above 0 and finite", "take the crystal's, 0.4555 for silver at 4 Å")
        if not 0 <= skin < math.inf:
            raise InvalidInput("skin", f"{skin} Å", "0 Å or more, and finite", "leave it out: 0.6 Å is fast")
        lengths = np.zeros(3) if box_lengths is None else np.array(box_lengths, dtype=np.float64)
        shortest = 2 * (cutoff + skin)
        if lengths.shape != (3,) or not np.all((lengths == 0) | ((lengths > shortest) & np.isfinite(lengths))):
            raise InvalidInput(
                "box_lengths",
                lengths.tolist(),
                f"three lengths above {shortest:g} Å, or 0 where not periodic",
                "repeat the cell, or take a shorter cutoff",
            )
        self._conducting = np.flatnonzero(np.asarray(conducting, dtype=np.bool_))
        self._n_atoms = len(conducting)
        self._cutoff = cutoff
        self._norm = norm
        self._skin = skin
        self._lengths = lengths
        self._searched: FloatArray | None = None
        self._first: IntArray = np.empty(0, dtype=np.int64)
        self._second: IntArray = np.empty(0, dtype=np.int64)
        self.searches = 0

    def update(self, positions: FloatArray) -> Bonds:
        """Bonds of these positions (Å, shape (n, 3)).

        Raises
        ------
        InvalidInput
            If the positions are not n finite points, or two conducting atoms share one.
        """
        if positions.shape != (self._n_atoms, 3):
            raise InvalidInput("positions", positions.shape, f"of shape ({self._n_atoms}, 3)", "give every atom's")
        if not np.all(np.isfinite(positions)):
            raise InvalidInput("positions", "nan or inf", "finite", "the dynamics blew up: take a shorter time step")
        if self._may_have_missed(positions):
            self._search(positions)
        squared = np.zeros(len(self._first))
        for axis, length in enumerate(self._lengths):
            along = np.ascontiguousarray(positions[:, axis])
            separation = along[self._first] - along[self._second]
            if length:
                separation -= length * np.rint(separation / length)
            squared += separation * separation
        near = squared < self._cutoff**2
        squared = squared[near]
        if len(squared) and squared.min() <= 0:
            raise InvalidInput("positions", "two atoms at one point", "apart", "check the structure for duplicates")
        conductance = weights(squared, self._cutoff) / (self._norm * squared)
        return Bonds(self._n_atoms, self._first[near], self._second[near], conductance)

    def _may_have_missed(self, positions: FloatArray) -> bool:
        """Whether two atoms that were no kept pair may have come within the cutoff."""
        if self._searched is None:
            return True
        moved = positions[self._conducting] - self._searched
        farthest = math.sqrt(np.max(np.einsum("ij,ij->i", moved, moved), initial=0.0))
        # a hair less than the skin, for distances that round
        return 2 * farthest > self._skin * (1 - 1e-9)

    def _search(self, positions: FloatArray) -> None:
        """Keep the pairs within the cutoff and the skin, each once and in order."""
        # imported here, for the norm of the weights is asked for where nothing else of scipy is needed
        from scipy.spatial import KDTree

        points = positions[self._conducting]
        self._searched = points.copy()
        for axis, length in enumerate(self._lengths):
            if length:
                points[:, axis] %= length
                points[points[:, axis] >= length, axis] = 0.0  # what a tiny negative number rounds to
        periodic = self._lengths if np.any(self._lengths) else None
        pairs = KDTree(points, boxsize=periodic).query_pairs(self._cutoff + self._skin, output_type="ndarray")
        atoms = self._conducting[pairs.astype(np.int64)]
        # query_pairs orders by position in the tree: its order would change a sum's last bits
        order = np.argsort(atoms[:, 0] * self._n_atoms + atoms[:, 1])
        self._first = np.ascontiguousarray(atoms[order, 0])
        self._second = np.ascontiguousarray(atoms[order, 1])
        self.searches += 1
