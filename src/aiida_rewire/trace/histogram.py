"""Conductance histograms, counted piece by piece: millions of points never lie in memory twice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput

WIDTH_G0 = 0.05
"""Bin of Milano et al., Nanoscale Horiz. 9, 416 (2024), figure 4."""

HIGHEST_G0 = 10.0

BINS_PER_DECADE = 20

MOST_BINS = 1_000_000

PIECE = 1 << 18
"""Points counted at once: 2 MB, so that what is made of them stays in the processor's cache."""

EDGE_TOLERANCE = 1e-9
"""Share of a bin within which a point is on an edge: 0.15 G0 as it was written down is not 3 times 0.05 G0."""

WHOLE_TOLERANCE = 1e-6
"""By how much of a bin the range may differ from a whole number of bins."""


@dataclass(frozen=True)
class Bins:
    """Equal bins of a conductance, or of its logarithm.

    Made by :func:`linear_bins` or :func:`logarithmic_bins`. A bin holds its lower edge and not its upper one; the
    last holds both.

    Attributes
    ----------
    lowest_g0, highest_g0
        Ends of the range, G0.
    number
        How many bins.
    logarithmic
        Whether the bins are equal in log10(G/G0).
    """

    lowest_g0: float
    highest_g0: float
    number: int
    logarithmic: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the range in the coordinate of the bins: G0, or log10(G/G0)."""
        if self.logarithmic:
            return math.log10(self.lowest_g0), math.log10(self.highest_g0)
        return self.lowest_g0, self.highest_g0

    @property
    def width(self) -> float:
        """Width of a bin, G0; decades if logarithmic."""
        low, high = self.ends
        return (high - low) / self.number

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges in the coordinate of the bins, G0 or log10(G/G0), shape (n + 1,)."""
        return np.linspace(*self.ends, self.number + 1)

    @property
    def edges_g0(self) -> NDArray[np.float64]:
        """Edges, G0, shape (n + 1,)."""
        return np.power(10.0, self.edges) if self.logarithmic else self.edges

    @property
    def centres_g0(self) -> NDArray[np.float64]:
        """Centres, G0, shape (n,); of logarithmic bins the geometric ones."""
        centres = (self.edges[1:] + self.edges[:-1]) / 2
        return np.power(10.0, centres) if self.logarithmic else centres


def linear_bins(lowest_g0: float = 0.0, highest_g0: float = HIGHEST_G0, width_g0: float = WIDTH_G0) -> Bins:
    """Return bins of equal width.

    Parameters
    ----------
    lowest_g0, highest_g0
        Ends of the range, G0.
    width_g0
        Of a bin, G0.

    Raises
    ------
    InvalidInput
        If the range is empty or no whole number of bins, or there are more than a million.
    """
    _check_range(lowest_g0, highest_g0)
    if not 0 < width_g0 < math.inf:
        raise InvalidInput("width_g0", f"{width_g0} G0", "positive", f"{WIDTH_G0:g} G0 is usual")
    number = _whole_bins((highest_g0 - lowest_g0) / width_g0, "width_g0", f"{width_g0:g} G0", lowest_g0, highest_g0)
    return Bins(float(lowest_g0), float(highest_g0), number)


def logarithmic_bins(
    lowest_g0: float = 1e-4, highest_g0: float = HIGHEST_G0, per_decade: int = BINS_PER_DECADE
) -> Bins:
    """Return bins that are equal in log10(G/G0).

    Parameters
    ----------
    lowest_g0, highest_g0
        Ends of the range, G0, both positive.
    per_decade
        Bins a decade.

    Raises
    ------
    InvalidInput
        If the range is empty, not positive or no whole number of bins, or there are more than a million.
    """
    _check_range(lowest_g0, highest_g0)
    if lowest_g0 <= 0:
        raise InvalidInput("lowest_g0", f"{lowest_g0} G0", "positive for a logarithm", "begin at 1e-4 G0")
    if per_decade < 1:
        raise InvalidInput("per_decade", per_decade, "at least 1", f"{BINS_PER_DECADE} is usual")
    bins = math.log10(highest_g0 / lowest_g0) * per_decade
    number = _whole_bins(bins, "per_decade", per_decade, lowest_g0, highest_g0)
    return Bins(float(lowest_g0), float(highest_g0), number, logarithmic=True)


@dataclass(frozen=True)
class Histogram:
    """Counts of conductances, those of each chain by themselves.

    Attributes
    ----------
    bins
        The bins.
    counts
        Points of each chain in each bin, shape (chains, bins).
    below, above
        Points outside the range; zero and negative conductances are below a logarithmic one.
    missing
        Points that are no finite number.
    """

    bins: Bins
    counts: NDArray[np.int64]
    below: int
    above: int
    missing: int

    @property
    def total(self) -> NDArray[np.int64]:
        """Points of all chains in each bin, shape (bins,)."""
        total: NDArray[np.int64] = self.counts.sum(axis=0)
        return total

    @property
    def inside(self) -> int:
        """Points within the range."""
        return int(self.counts.sum())

    def density(self, *, each: Literal["point", "chain"] = "point") -> NDArray[np.float64]:
        """Return the density of conductances, its integral over the range 1.

        Parameters
        ----------
        each
            What weighs the same: each point, or each chain, so that a chain of many snapshots counts no more than a
            short one. A chain with no point in the range does not count.

        Returns
        -------
        ndarray
            Per G0, or per decade for logarithmic bins; shape (bins,).

        Raises
        ------
        InvalidInput
            If no point is within the range.
        """
        self.require_points()
        if each == "point":
            return self.total / (self.inside * self.bins.width)
        of_chain = self.counts.sum(axis=1)
        shares = self.counts[of_chain > 0] / of_chain[of_chain > 0, None]
        density: NDArray[np.float64] = shares.mean(axis=0) / self.bins.width
        return density

    def require_points(self) -> None:
        """Refuse a histogram without a point."""
        if not self.inside:
            low, high = self.bins.lowest_g0, self.bins.highest_g0
            raise InvalidInput(
                "points",
                f"none from {low:g} to {high:g} G0 ({self.below} below, {self.above} above, {self.missing} missing)",
                "at least one within the bins",
                "take another range",
            )


@dataclass(frozen=True)
class Histogram2D:
    """Counts of conductances against time or voltage.

    Attributes
    ----------
    edges
        Of the bins of time or voltage, in the unit they were given in, shape (m + 1,).
    bins
        Of the conductance.
    counts
        Shape (m, bins).
    outside
        Points outside the bins, or of which a number is missing.
    """

    edges: NDArray[np.float64]
    bins: Bins
    counts: NDArray[np.int64]
    outside: int


def histogram_of_chains(chains: Iterable[ArrayLike], bins: Bins) -> Histogram:
    """Count the conductances of several chains, or of cycles of a measurement.

    Parameters
    ----------
    chains
        Conductances of each chain, G0, of any shape; NaN where missing. One after another is asked for, so they may
        come from a generator.
    bins
        The bins.

    Raises
    ------
    InvalidInput
        If there is no chain.
    """
    rows, outside = [], np.zeros(3, dtype=np.int64)
    for chain in chains:
        counts = np.zeros(bins.number, dtype=np.int64)
        for piece in _pieces(chain):
            outside += _count(piece, bins, counts)
        rows.append(counts)
    if not rows:
        raise InvalidInput("chains", "none", "at least one", "choose chains that have conductances")
    below, above, missing = (int(number) for number in outside)
    return Histogram(bins, np.stack(rows), below, above, missing)


def histogram_of_points(pieces: Iterable[ArrayLike], bins: Bins) -> Histogram:
    """Count conductances that belong together, as one chain, however many pieces they come in.

    Parameters
    ----------
    pieces
        Conductances, G0, of any shape; NaN where missing. One piece after another is asked for.
    bins
        The bins.

    Raises
    ------
    InvalidInput
        If there is no piece.
    """
    counts, outside = np.zeros(bins.number, dtype=np.int64), np.zeros(3, dtype=np.int64)
    any_piece = False
    for whole in pieces:
        any_piece = True
        for piece in _pieces(whole):
            outside += _count(piece, bins, counts)
    if not any_piece:
        raise InvalidInput("pieces", "none", "at least one", "choose data that have conductances")
    below, above, missing = (int(count) for count in outside)
    return Histogram(bins, counts[None], below, above, missing)


def histogram_2d(pairs: Iterable[tuple[ArrayLike, ArrayLike]], edges: ArrayLike, bins: Bins) -> Histogram2D:
    """Count conductances against time or voltage.

    Parameters
    ----------
    pairs
        Times or voltages, and the conductances (G0) that belong to them, of equal shapes; one pair after another is
        asked for.
    edges
        Of the bins of time or voltage, increasing, in the unit of those; shape (m + 1,).
    bins
        Of the conductance.

    Raises
    ------
    InvalidInput
        If the edges do not increase, or a pair is of two shapes.
    """
    along = np.asarray(edges, dtype=np.float64)
    if along.ndim != 1 or along.size < 2 or not np.isfinite(along).all() or (np.diff(along) <= 0).any():
        raise InvalidInput("edges", f"array of shape {along.shape}", "at least two increasing numbers", "sort them")
    across = bins.edges - EDGE_TOLERANCE * bins.width
    across[-1] = bins.ends[1] + EDGE_TOLERANCE * bins.width
    counts = np.zeros((along.size - 1, bins.number), dtype=np.int64)
    seen = 0
    for x, g in pairs:
        positions, conductances = np.asarray(x, dtype=np.float64), np.asarray(g, dtype=np.float64)
        if positions.shape != conductances.shape:
            raise InvalidInput(
                "pairs",
                f"{positions.shape} beside {conductances.shape}",
                "of equal shapes",
                "give each conductance its time or voltage",
            )
        seen += conductances.size
        for there, values in zip(_pieces(positions), _pieces(conductances), strict=True):
            sample = (there, _coordinate(values, bins))
            piece, _, _ = np.histogram2d(*sample, bins=(along, across))
            counts += piece.astype(np.int64)
    return Histogram2D(along, bins, counts, seen - int(counts.sum()))


def _pieces(values: ArrayLike) -> Iterator[NDArray[np.float64]]:
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    for start in range(0, flat.size, PIECE):
        yield flat[start : start + PIECE]


def _coordinate(values: NDArray[np.float64], bins: Bins) -> NDArray[np.float64]:
    """Return log10 for logarithmic bins, -inf for what has none."""
    if not bins.logarithmic:
        return values
    # NaN stays NaN: maximum hands it on
    with np.errstate(divide="ignore"):
        return np.log10(np.maximum(values, 0.0))


def _count(values: NDArray[np.float64], bins: Bins, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add a piece to ``counts``; return how many points are below, above and missing."""
    low, high = bins.ends
    finite = np.isfinite(values)
    missing = values.size - int(np.count_nonzero(finite))
    coordinate = _coordinate(values[finite] if missing else values, bins)
    nearly = EDGE_TOLERANCE * bins.width
    counts += np.histogram(coordinate, bins=bins.number, range=(low - nearly, high - nearly))[0]
    below, above = np.count_nonzero(coordinate < low - nearly), np.count_nonzero(coordinate > high + nearly)
    # those on the upper end
    counts[-1] += np.count_nonzero(coordinate > high - nearly) - above
    return np.array([below, above, missing])


def _check_range(lowest_g0: float, highest_g0: float) -> None:
    if not (math.isfinite(lowest_g0) and math.isfinite(highest_g0) and lowest_g0 < highest_g0):
        raise InvalidInput(
            "range",
            f"from {lowest_g0} to {highest_g0} G0",
            "finite, the lower end below the upper",
            "swap or move them",
        )


def _whole_bins(number: float, name: str, value: object, lowest_g0: float, highest_g0: float) -> int:
    whole = round(number) if number <= MOST_BINS + 1 else 0
    if abs(number - whole) <= WHOLE_TOLERANCE and 1 <= whole <= MOST_BINS:
        return whole
    raise InvalidInput(
        name,
        f"{value} from {lowest_g0:g} to {highest_g0:g} G0: {number:.7g} bins",
        f"so that a whole number of bins, from 1 to {MOST_BINS}, fits the range",
        "change the range or the bins",
    )
