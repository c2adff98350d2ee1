"""Plateaus of a conductance trace: where it jumps, and how long it stays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.points import points_of

RESOLUTION_G0 = 0.01
"""Noise below this does not count as known, G0: the transmission of a junction is computed no better."""

SMALLEST_STEP_G0 = 0.1
"""Plateaus that differ by less are one, G0."""

FEWEST_POINTS = 5

PENALTY = 4.0
"""What a jump costs, in variances of the noise times ln n; 2 is Schwarz's criterion for a known variance."""

MOST_POINTS_AT_ONCE = 8192
"""The search takes up to the square of the number of points; means of blocks are searched first above this."""

NORMAL_MEDIAN = 0.6744897501960817
"""Median of the absolute value of a normal deviate of variance 1."""


@dataclass(frozen=True)
class Plateau:
    """A stretch of a trace between two jumps.

    Attributes
    ----------
    first, last
        Index of its first and of its last point in the trace that was given.
    points
        How many of them have a conductance.
    start_s, end_s
        Time of its first point, and of the first point of the next plateau (of the last point for the last one), s.
    complete
        Whether both its ends were seen; the first and the last of a trace may have lasted longer.
    mean_g0, spread_g0
        Mean and standard deviation, G0; NaN for the deviation of one point.
    stage
        Most frequent stage of its points; empty if none were given.
    stage_share
        Share of its points that are of this stage.
    """

    first: int
    last: int
    points: int
    start_s: float
    end_s: float
    complete: bool
    mean_g0: float
    spread_g0: float
    stage: str = ""
    stage_share: float = math.nan

    @property
    def dwell_s(self) -> float:
        """Time from its first point to the next plateau, s."""
        return self.end_s - self.start_s


def plateaus_of(
    times_s: ArrayLike,
    conductances_g0: ArrayLike,
    *,
    stages: Sequence[str] | None = None,
    fewest_points: int = FEWEST_POINTS,
    smallest_step_g0: float = SMALLEST_STEP_G0,
    noise_g0: float | None = None,
) -> list[Plateau]:
    """Divide a trace into plateaus.

    Jumps of the mean are found as the segmentation with the least sum of squares plus a penalty for each jump, by the
    PELT of ``ruptures`` (R. Killick et al., J. Am. Stat. Assoc. 107, 1590 (2012); C. Truong et al., Signal Process.
    167, 107299 (2020)). Then neighbours whose means differ by less than ``smallest_step_g0`` are joined, the most
    alike first: noise that is correlated in time gives jumps that are none.

    Of a trace with more than 8192 points the means of equal blocks are searched, and each jump is then placed to the
    point; a plateau shorter than ``fewest_points`` points or two blocks, whichever is longer, is not found.

    Parameters
    ----------
    times_s
        Time of each point, s, increasing; shape (n,).
    conductances_g0
        G0, shape (n,); NaN where missing, which does not end a plateau.
    stages
        Stage of each point, n texts.
    fewest_points
        Of a plateau.
    smallest_step_g0
        Between two plateaus, G0.
    noise_g0
        Standard deviation of the conductance on a plateau, G0. By default that of differences of neighbouring points,
        from their median, at least 0.01 G0.

    Returns
    -------
    list of Plateau
        In the order of time; empty if no point has a conductance.

    Raises
    ------
    InvalidInput
        If the arrays do not belong together, times do not increase, or a parameter is out of bounds.
    """
    times, values = points_of(times_s, conductances_g0)
    if stages is not None and len(stages) != len(times):
        raise InvalidInput(
            "stages", f"{len(stages)} texts", f"{len(times)}, one a point", "give each point its stage"
        )
    _check(fewest_points, smallest_step_g0, noise_g0)
    there = np.flatnonzero(np.isfinite(values))
    if not there.size:
        return []
    known = values[there]
    jumps = _jumps(known, fewest_points, noise_g0)
    starts = _joined(known, [0, *jumps], smallest_step_g0)
    found = []
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(known)], strict=True)):
        final = stop == len(known)
        first, last = int(there[start]), int(there[stop - 1])
        spread = float(known[start:stop].std(ddof=1)) if stop - start > 1 else math.nan
        stage, share = _stage(stages, there[start:stop])
        plateau = Plateau(
            first=first,
            last=last,
            points=stop - start,
            start_s=float(times[first]),
            end_s=float(times[last if final else there[stop]]),
            complete=number > 0 and not final,
            mean_g0=float(known[start:stop].mean()),
            spread_g0=spread,
            stage=stage,
            stage_share=share,
        )
        found.append(plateau)
    return found


def noise_of(conductances_g0: ArrayLike) -> float:
    """Return the noise that does not follow from jumps: of differences of neighbours, by their median.

    Parameters
    ----------
    conductances_g0
        G0, shape (n,), none missing.

    Returns
    -------
    float
        Standard deviation of white noise with that median, G0; 0 for fewer than two points. Of noise that is
        correlated from point to point it is less than its standard deviation.
    """
    values = np.asarray(conductances_g0, dtype=np.float64)
    if values.size < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(values))) / (math.sqrt(2) * NORMAL_MEDIAN))


def _check(fewest_points: int, smallest_step_g0: float, noise_g0: float | None) -> None:
    if fewest_points < 1:
        raise InvalidInput("fewest_points", fewest_points, "at least 1", f"{FEWEST_POINTS} is usual")
    if not 0 <= smallest_step_g0 < math.inf:
        raise InvalidInput(
            "smallest_step_g0", f"{smallest_step_g0} G0", "0 or more", f"{SMALLEST_STEP_G0:g} G0 is usual"
        )
    if noise_g0 is not None and not 0 < noise_g0 < math.inf:
        raise InvalidInput("noise_g0", f"{noise_g0} G0", "positive", "leave it out, then it is estimated")


def _jumps(values: NDArray[np.float64], fewest_points: int, noise_g0: float | None) -> list[int]:
    """Return the indices of the first points after the jumps."""
    block = -(-len(values) // MOST_POINTS_AT_ONCE)
    if block == 1:
        return _search(values, fewest_points, noise_g0)
    whole = len(values) // block * block
    means = values[:whole].reshape(-1, block).mean(axis=1)
    # white noise averages out, other noise less so, and what is estimated of the means themselves holds for both
    of_means = None if noise_g0 is None else noise_g0 / math.sqrt(block)
    coarse = [block * jump for jump in _search(means, max(2, -(-fewest_points // block)), of_means)]
    ends = [0, *coarse, len(values)]
    placed = []
    for before, near, after in zip(ends, ends[1:], ends[2:], strict=False):
        lower = max(near - 2 * block, (before + near) // 2)
        # the next jump may be placed from there on
        upper = min(near + 2 * block, (near + after) // 2 - 1)
        placed.append(_place(values, max(before, lower - 2 * block), lower, upper, min(after, upper + 2 * block)))
    return placed


def _search(values: NDArray[np.float64], fewest_points: int, noise_g0: float | None) -> list[int]:
    """Return the indices of the first points after the jumps, without any blocks."""
    if len(values) < 2 * fewest_points:
        return []
    # imported here: traces are read and drawn where nothing is searched
    from ruptures import KernelCPD

    noise = max(noise_of(values), RESOLUTION_G0) if noise_g0 is None else noise_g0
    penalty = PENALTY * noise**2 * math.log(len(values))
    # the algorithm subtracts sums of squares from each other: without the mean they are smallest
    search = KernelCPD(kernel="linear", min_size=fewest_points).fit(values - values.mean())
    return [int(end) for end in search.predict(pen=penalty)[:-1]]


def _place(values: NDArray[np.float64], begin: int, lower: int, upper: int, end: int) -> int:
    """Return where, from ``lower`` to ``upper``, one jump divides the points from ``begin`` to ``end`` best."""
    part = values[begin:end] - values[begin:end].mean()
    candidates = np.arange(max(lower, begin + 1), min(upper, end - 1) + 1)
    left = candidates - begin
    sums = np.cumsum(part)[left - 1]
    # of n points with sum S, the sum of squares falls by S^2 / n
    gained = sums**2 / left + (part.sum() - sums) ** 2 / (len(part) - left)
    return int(candidates[np.argmax(gained)])


def _joined(values: NDArray[np.float64], starts: list[int], smallest_step_g0: float) -> list[int]:
    """Join neighbours that differ by less than the smallest step, the most alike first."""
    sizes = np.diff([*starts, len(values)]).astype(np.float64)
    sums = np.add.reduceat(values, starts)
    kept = np.asarray(starts)
    while len(kept) > 1:
        steps = np.abs(np.diff(sums / sizes))
        least = int(np.argmin(steps))
        if steps[least] >= smallest_step_g0:
            break
        sums[least] += sums[least + 1]
        sizes[least] += sizes[least + 1]
        sums, sizes = np.delete(sums, least + 1), np.delete(sizes, least + 1)
        kept = np.delete(kept, least + 1)
    return [int(start) for start in kept]


def _stage(stages: Sequence[str] | None, points: NDArray[np.intp]) -> tuple[str, float]:
    if stages is None:
        return "", math.nan
    ((stage, number),) = Counter(stages[int(point)] for point in points).most_common(1)
    return stage, number / len(points)
