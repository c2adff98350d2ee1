"""The (k, E) grid of pwcond.x in rectangles, and what its shards computed put together again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.gates import TransmissionGrid

KPOINT_TOLERANCE = 1e-8
"""Crystal coordinates and relative weights; the input file has ten decimals."""

PRINTED_PAIRS = 5


@dataclass(frozen=True, order=True)
class Shard:
    """A rectangle of the grid.

    Attributes
    ----------
    first_kpoint, last_kpoint, first_energy, last_energy
        Places in the lists of the input file, from 0, inclusive.

    Raises
    ------
    InvalidInput
        If a place is negative or a last one before its first.
    """

    first_kpoint: int
    last_kpoint: int
    first_energy: int
    last_energy: int

    def __post_init__(self) -> None:
        if not (0 <= self.first_kpoint <= self.last_kpoint and 0 <= self.first_energy <= self.last_energy):
            raise InvalidInput(
                "shard", self.as_list(), "first and last k-point, first and last energy, from 0", "order them"
            )

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """Its (energy, k) pairs."""
        return frozenset(
            (energy, kpoint)
            for kpoint in range(self.first_kpoint, self.last_kpoint + 1)
            for energy in range(self.first_energy, self.last_energy + 1)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of energies and k-points."""
        return self.last_energy - self.first_energy + 1, self.last_kpoint - self.first_kpoint + 1

    def as_list(self) -> list[int]:
        """Return first and last k-point, first and last energy."""
        return [self.first_kpoint, self.last_kpoint, self.first_energy, self.last_energy]

    @classmethod
    def from_list(cls, numbers: Sequence[int]) -> Self:
        """Make the shard that `as_list` wrote.

        Raises
        ------
        InvalidInput
            If these are not four whole numbers of a shard.
        """
        if len(numbers) != 4 or any(type(number) is not int for number in numbers):
            raise InvalidInput("shard", list(numbers), "four whole numbers", "first and last k-point, then energy")
        return cls(*numbers)

    def namelist(self) -> dict[str, int]:
        """Return the keys of INPUTCOND, which count from 1."""
        return {
            "start_k": self.first_kpoint + 1,
            "last_k": self.last_kpoint + 1,
            "start_e": self.first_energy + 1,
            "last_e": self.last_energy + 1,
        }


class HoleInGrid(ValueError):
    """Points that no grid holds.

    Attributes
    ----------
    pairs
        (energy, k) of each.
    """

    def __init__(self, message: str, pairs: tuple[tuple[int, int], ...]) -> None:
        super().__init__(message)
        self.pairs = pairs


class DoubleCoverage(ValueError):
    """Points that more than one grid holds.

    Attributes
    ----------
    pairs
        (energy, k) of each.
    """

    def __init__(self, message: str, pairs: tuple[tuple[int, int], ...]) -> None:
        super().__init__(message)
        self.pairs = pairs


def split_grid(n_energies: int, n_kpoints: int, max_shards: int) -> tuple[Shard, ...]:
    """Cut the grid into rectangles whose sides are equal to one point.

    The k-points are cut first: pwcond.x builds its two-dimensional basis once for all energies of a k-point, so that
    energies are cut only where there are at least twice as many shards as k-points.

    Parameters
    ----------
    n_energies, n_kpoints
        Of the grid.
    max_shards
        Of which no more are made.

    Raises
    ------
    InvalidInput
        If a number is not positive.
    """
    for name, number in (("n_energies", n_energies), ("n_kpoints", n_kpoints), ("max_shards", max_shards)):
        if number < 1:
            raise InvalidInput(name, number, "at least 1", "correct it")
    return tuple(
        Shard(*kpoints, *energies)
        for kpoints in _cut(n_kpoints, min(n_kpoints, max_shards))
        for energies in _cut(n_energies, min(n_energies, max(1, max_shards // n_kpoints)))
    )


def _cut(length: int, parts: int) -> list[tuple[int, int]]:
    bounds = [length * part // parts for part in range(parts + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


def cover(missing: Collection[tuple[int, int]], max_shards: int = 1) -> tuple[Shard, ...]:
    """Cover points by rectangles, each point by one.

    pwcond.x runs over the energies of a k-point before the next, so that what a time-out leaves is the rest of a row
    and whole rows: two rectangles. Points alone get a shard each.

    Parameters
    ----------
    missing
        (energy, k) pairs.
    max_shards
        The rectangles are cut further up to this number; there are more where the points need more.
    """
    energies_of: dict[int, list[int]] = {}
    for energy, kpoint in sorted(set(missing)):
        energies_of.setdefault(kpoint, []).append(energy)
    whole: list[Shard] = []
    # runs of energies that end at the k-point before, each with its first k-point
    growing: dict[tuple[int, int], int] = {}
    for kpoint in sorted(energies_of):
        runs = _runs(energies_of[kpoint])
        follows = kpoint - 1 in energies_of
        kept = {run: first for run, first in growing.items() if follows and run in runs}
        whole += [Shard(growing[run], _last(kpoint, energies_of), *run) for run in growing if run not in kept]
        growing = {run: kept.get(run, kpoint) for run in runs}
    whole += [Shard(first, max(energies_of), *run) for run, first in growing.items()]
    return _cut_further(sorted(whole), max_shards)


def _last(kpoint: int, energies_of: dict[int, list[int]]) -> int:
    return max(before for before in energies_of if before < kpoint)


def _runs(energies: Sequence[int]) -> list[tuple[int, int]]:
    places = np.array(energies)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]


def _cut_further(shards: Sequence[Shard], max_shards: int) -> tuple[Shard, ...]:
    parts = [1] * len(shards)
    pieces = [[shard] for shard in shards]
    while sum(parts) < max_shards:
        largest = [max(piece.shape[0] * piece.shape[1] for piece in found) for found in pieces]
        if max(largest, default=1) == 1:
            break
        at = largest.index(max(largest))
        parts[at] += 1
        pieces[at] = _pieces(shards[at], parts[at])
    return tuple(piece for found in pieces for piece in found)


def _pieces(shard: Shard, parts: int) -> list[Shard]:
    k, e = shard.first_kpoint, shard.first_energy
    return [
        Shard(k + part.first_kpoint, k + part.last_kpoint, e + part.first_energy, e + part.last_energy)
        for part in split_grid(*shard.shape, parts)
    ]


def merge_grids(
    grids: Sequence[TransmissionGrid],
    *,
    energies: NDArray[np.float64],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
    energy_tolerance: float,
) -> tuple[TransmissionGrid, NDArray[np.int64]]:
    """Put grids with holes together to one without.

    Parameters
    ----------
    grids
        Each on the whole grid.
    energies
        Nominal, eV from the Fermi energy, descending, shape (E,).
    kpoints, weights
        Crystal coordinates, shape (k, 2); shape (k,), of any sum.
    energy_tolerance
        eV by which the energies of a grid may be off the nominal ones, where they were nudged.

    Returns
    -------
    TransmissionGrid
        On the nominal energies.
    NDArray
        Index of the grid that each point came from, shape (E, k).

    Raises
    ------
    HoleInGrid
        Names the points that no grid holds.
    DoubleCoverage
        Names the points that more than one holds.
    ValueError
        If a grid is on other k-points, weights or energies, or holds a transmission that is not finite.
    """
    shape = (len(energies), len(kpoints))
    for index, grid in enumerate(grids):
        _check_axes(index, grid, energies, kpoints, weights, energy_tolerance)
    covered = np.array([grid.computed for grid in grids], dtype=bool).reshape(len(grids), *shape)
    times = covered.sum(axis=0)
    twice, none = times > 1, times == 0
    if twice.any():
        raise DoubleCoverage(f"computed twice: {_named(twice, energies, kpoints)}", _pairs(twice))
    if none.any():
        raise HoleInGrid(f"missing: {_named(none, energies, kpoints)}", _pairs(none))
    source = covered.argmax(axis=0).astype(np.int64)
    channels_kept = max(grid.eigenchannels.shape[2] for grid in grids)
    eigenchannels = np.full((*shape, channels_kept), np.nan)
    transmission, unitarity = np.full(shape, np.nan), np.full(shape, np.nan)
    channels = np.full(shape, -1, dtype=np.int64)
    for grid, here in zip(grids, covered, strict=True):
        transmission[here], unitarity[here] = grid.transmission[here], grid.unitarity[here]
        channels[here] = grid.channels[here]
        eigenchannels[here, : grid.eigenchannels.shape[2]] = grid.eigenchannels[here]
    merged = TransmissionGrid(
        energies=np.asarray(energies, dtype=np.float64),
        kpoints=np.asarray(kpoints, dtype=np.float64),
        weights=np.asarray(weights, dtype=np.float64),
        transmission=transmission,
        channels=channels,
        unitarity=unitarity,
        eigenchannels=eigenchannels,
    )
    return merged, source


def _check_axes(
    index: int,
    grid: TransmissionGrid,
    energies: NDArray[np.float64],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
    energy_tolerance: float,
) -> None:
    def near(found: NDArray[np.float64], wanted: NDArray[np.float64], tolerance: float) -> bool:
        return found.shape == wanted.shape and bool((np.abs(found - wanted) <= tolerance).all())

    if not near(grid.kpoints, kpoints, KPOINT_TOLERANCE):
        raise ValueError(f"grid {index} is on other k-points than the nominal ones")
    if not near(grid.weights / grid.weights.sum(), weights / weights.sum(), KPOINT_TOLERANCE):
        raise ValueError(f"grid {index} has other weights than the nominal ones")
    # pwcond.x prints seven decimals
    if not near(grid.energies, energies, energy_tolerance + 1e-7):
        raise ValueError(f"grid {index} is on energies more than {energy_tolerance} eV off the nominal ones")
    if not np.isfinite(grid.transmission[grid.computed]).all():
        raise ValueError(f"grid {index} holds a transmission that is not finite")


def _pairs(where: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return tuple((int(energy), int(kpoint)) for energy, kpoint in np.argwhere(where))


def _named(where: NDArray[np.bool_], energies: NDArray[np.float64], kpoints: NDArray[np.float64]) -> str:
    pairs = _pairs(where)
    named = [
        f"k = ({kpoints[kpoint][0]:.4f}, {kpoints[kpoint][1]:.4f}) at {energies[energy]:.4f} eV"
        for energy, kpoint in pairs[:PRINTED_PAIRS]
    ]
    more = len(pairs) - len(named)
    return "; ".join(named) + (f" and {more} more" if more else "")
