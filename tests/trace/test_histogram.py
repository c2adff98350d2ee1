"""Histograms: every point is counted once, in the bin that it belongs to, however it arrives."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import (
    PIECE,
    Bins,
    histogram_2d,
    histogram_of_chains,
    histogram_of_points,
    linear_bins,
    logarithmic_bins,
)

LARGE = """
import re, sys, time
from pathlib import Path
import numpy as np
from aiida_rewire.trace.histogram import histogram_2d, histogram_of_points, linear_bins, logarithmic_bins

rng = np.random.default_rng(1)

def pieces():
    for _ in range(100):
        yield rng.normal(1.0, 0.5, 100_000)

def count(what):
    if what == "2d":
        return histogram_2d(((np.abs(piece), piece) for piece in made), np.linspace(0, 3, 101), linear_bins()).counts
    return histogram_of_points(made, linear_bins() if what == "linear" else logarithmic_bins()).counts

def megabytes():
    # the largest of this process alone: that of getrusage begins with that of its parent
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

what = sys.argv[1]
if what == "streamed":
    assert histogram_of_points(pieces(), linear_bins(-10, 10)).inside == 10_000_000
    print(0, megabytes())
else:
    made = list(pieces())
    begin = time.process_time()
    count(what)
    print(time.process_time() - begin, megabytes())
"""


def points(number: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(2.0, 1.5, number)


def test_bins_are_a_twentieth_of_a_quantum_wide_unless_told_otherwise() -> None:
    bins = linear_bins()
    assert bins.number == 200
    assert bins.width == pytest.approx(0.05)
    assert np.diff(bins.edges_g0) == pytest.approx(0.05)
    assert bins.centres_g0[[0, -1]] == pytest.approx([0.025, 9.975])


def test_logarithmic_bins_divide_each_decade_alike() -> None:
    bins = logarithmic_bins(1e-4, 10, 20)
    assert bins.number == 100
    assert bins.width == pytest.approx(0.05)
    assert bins.edges_g0[::20] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1, 10])
    assert bins.centres_g0[0] == pytest.approx(1e-4 * 10**0.025)


@pytest.mark.parametrize("bins", [linear_bins(0, 4), logarithmic_bins(1e-3, 10)])
def test_pieces_count_as_the_whole_does(bins: Bins) -> None:
    values = points(2 * PIECE + 7)
    whole = histogram_of_points([values], bins)
    pieces = histogram_of_points(np.array_split(values, 11), bins)
    wanted, _ = np.histogram(values[(values >= bins.lowest_g0)], bins.edges_g0)
    for histogram in (whole, pieces):
        # an edge may round to the other side of a point: of half a million random ones, none does
        assert histogram.total.tolist() == wanted.tolist()
        assert histogram.inside + histogram.below + histogram.above == values.size


def test_a_value_on_an_edge_belongs_to_the_bin_above_it() -> None:
    bins = linear_bins(0, 2)
    edges = np.round(np.arange(41) * 0.05, 2)
    counts = histogram_of_points([edges], bins).total
    # the last bin holds its upper edge too
    assert counts.tolist() == [1] * 39 + [2]


def test_what_is_not_counted_is_said() -> None:
    values = [np.nan, np.inf, -np.inf, -0.1, 0.0, 1.0, 2.0, 2.1]
    linear = histogram_of_points([values], linear_bins(0, 2))
    assert (linear.inside, linear.below, linear.above, linear.missing) == (3, 1, 1, 3)
    logarithmic = histogram_of_points([values], logarithmic_bins(0.1, 1))
    assert (logarithmic.inside, logarithmic.below, logarithmic.above, logarithmic.missing) == (1, 2, 2, 3)


def test_every_chain_has_a_row_of_its_own() -> None:
    histogram = histogram_of_chains([[0.1, 0.2, 1.1], [1.2], [np.nan, 7.0]], linear_bins(0, 2, 1))
    assert histogram.counts.tolist() == [[2, 1], [0, 1], [0, 0]]
    assert histogram.total.tolist() == [2, 2]


def test_a_density_weighs_points_or_chains_and_integrates_to_one() -> None:
    histogram = histogram_of_chains([[0.1, 0.2, 1.1], [1.2], [np.nan]], linear_bins(0, 2, 0.5))
    assert histogram.density() == pytest.approx([1.0, 0, 1.0, 0])
    # a third of the first chain and all of the second; the third has no point
    assert histogram.density(each="chain") == pytest.approx([2 / 3, 0, 4 / 3, 0])
    for each in ("point", "chain"):
        assert histogram.density(each=each).sum() * 0.5 == pytest.approx(1.0)  # type: ignore[arg-type]


def test_tunnelling_over_decades_is_flat_in_a_logarithmic_histogram() -> None:
    # a gap that closes at constant speed: ln G rises evenly
    values = 10 ** np.random.default_rng(2).uniform(-3, 0, 300_000)
    counts = histogram_of_points([values], logarithmic_bins(1e-3, 1, 20)).total
    chi_square = ((counts - 5000) ** 2 / 5000).sum()
    assert chi_square == pytest.approx(59, abs=4 * np.sqrt(2 * 59))


def test_conductance_against_time_keeps_both() -> None:
    times = np.repeat([0.5, 1.5, 2.5], [3, 2, 1])
    conductances = np.array([0.1, 0.1, 1.1, 1.1, np.nan, 9.0])
    found = histogram_2d([(times, conductances)], [0, 1, 2, 3], linear_bins(0, 2, 1))
    assert found.counts.tolist() == [[2, 1], [0, 1], [0, 0]]
    assert found.outside == 2
    values = points(PIECE + 5)
    pairs = [(values[::2], values[::2]), (values[1::2], values[1::2])]
    against_itself = histogram_2d(pairs, np.linspace(0, 4, 5), linear_bins(0, 4, 1))
    assert (
        np.diag(against_itself.counts).tolist() == histogram_of_points([values], linear_bins(0, 4, 1)).total.tolist()
    )


def test_logarithmic_bins_of_a_map_leave_out_what_has_no_logarithm() -> None:
    found = histogram_2d([([1.0, 1.0, 1.0], [0.0, -1.0, 0.5])], [0, 2], logarithmic_bins(0.1, 1, 1))
    assert (found.counts.tolist(), found.outside) == ([[1]], 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: linear_bins(0, 1, 0.3), "width_g0 = 0.3 G0 from 0 to 1 G0: 3.333333 bins"),
        (lambda: linear_bins(1, 1), "range = from 1 to 1 G0"),
        (lambda: linear_bins(0, np.nan), "range"),
        (lambda: linear_bins(0, 1, -0.1), "width_g0"),
        (lambda: linear_bins(0, 1, 1e-9), "from 1 to 1000000"),
        (lambda: logarithmic_bins(0, 1), "lowest_g0 = 0 G0: must be positive"),
        (lambda: logarithmic_bins(1e-3, 1, 0), "per_decade"),
        (lambda: logarithmic_bins(2e-3, 1, 20), "whole number of bins"),
        (lambda: histogram_of_chains([], linear_bins()), "chains = none"),
        (lambda: histogram_of_points([], linear_bins()), "pieces = none"),
        (lambda: histogram_of_points([[11.0, np.nan]], linear_bins()).density(), "0 below, 1 above, 1 missing"),
        (lambda: histogram_2d([([1.0], [1.0, 2.0])], [0, 1], linear_bins()), "equal shapes"),
        (lambda: histogram_2d([], [1, 0], linear_bins()), "edges"),
    ],
)
def test_what_cannot_be_counted_is_refused(make: object, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make()  # type: ignore[operator]
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("what", ["linear", "logarithmic", "2d", "streamed"])
def test_ten_million_points_take_under_2_s_and_500_mb(what: str) -> None:
    done = subprocess.run([sys.executable, "-c", LARGE, what], capture_output=True, text=True, check=True, timeout=60)
    seconds, megabytes = (float(word) for word in done.stdout.split())
    print(f"{what}: {seconds:.2f} s, {megabytes:.0f} MB")
    # seconds of this process: what else the machine does is not counted
    assert seconds < 2
    # those that are made piece by piece never lie in memory together
    assert megabytes < (100 if what == "streamed" else 500)
