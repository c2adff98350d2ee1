"""Fluctuations of a plateau: errors that hold for noise that remembers."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.fluctuations import autocorrelation, compare, fluctuation_of, longest_uninterrupted

MEAN = 2.5
DEVIATION = 0.1


def plateau(points: int, memory: float = 0.0, *, seed: int = 0, deviation: float = DEVIATION) -> NDArray[np.float64]:
    """Noise whose autocorrelation is memory^lag, in its stationary state."""
    rng = np.random.default_rng(seed)
    burn = 500
    made = lfilter([1], [1, -memory], rng.normal(0, 1, points + burn))[burn:]
    return MEAN + deviation * math.sqrt(1 - memory**2) * made


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_errors_cover_the_truth_as_often_as_errors_should(memory: float) -> None:
    found = [fluctuation_of(plateau(4000, memory, seed=seed)) for seed in range(150)]
    for pulls in (
        [(one.mean_g0 - MEAN) / one.mean_error_g0 for one in found],
        [(one.deviation_g0 - DEVIATION) / one.deviation_error_g0 for one in found],
        [(one.relative - DEVIATION / MEAN) / one.relative_error for one in found],
    ):
        # the deviation of 150 pulls is known to 6 %
        assert np.std(pulls) == pytest.approx(1.0, abs=0.22)
        assert abs(np.mean(pulls)) < 0.4


def test_points_that_remember_are_worth_fewer() -> None:
    memory = 0.8
    worth = np.mean([fluctuation_of(plateau(5000, memory, seed=seed)).independent for seed in range(20)])
    assert worth == pytest.approx(5000 * (1 - memory) / (1 + memory), rel=0.15)
    assert fluctuation_of(plateau(5000)).independent == pytest.approx(5000, rel=0.15)


def test_missing_points_are_counted_and_the_extremes_keep_their_place() -> None:
    values = plateau(200)
    values[[3, 4, 50]] = np.nan
    values[120], values[77] = 0.5, 4.0
    found = fluctuation_of(values)
    assert (found.points, found.missing) == (197, 3)
    assert (found.lowest, found.highest) == (120, 77)
    assert found.relative == pytest.approx(np.nanstd(values, ddof=1) / np.nanmean(values))


def test_a_constant_does_not_fluctuate() -> None:
    found = fluctuation_of(np.full(50, 0.1))
    assert found.deviation_g0 == pytest.approx(0, abs=1e-15)
    assert found.mean_error_g0 == pytest.approx(0, abs=1e-15)
    assert math.isnan(fluctuation_of(np.zeros(50)).relative)


def test_the_autocorrelation_is_that_of_the_noise() -> None:
    memory = 0.9
    found = np.mean([autocorrelation(plateau(8000, memory, seed=seed), lags=20) for seed in range(20)], axis=0)
    assert found == pytest.approx(memory ** np.arange(21), abs=0.05)
    assert found[0] == 1.0


def test_the_autocorrelation_of_a_hop_back_and_forth_alternates() -> None:
    values = np.tile([1.0, 2.0], 50)
    assert autocorrelation(values, lags=3) == pytest.approx([1, -0.99, 0.98, -0.97])
    assert len(autocorrelation(values)) == 26


def test_two_plateaus_compare_within_the_error() -> None:
    quiet, loud = fluctuation_of(plateau(4000)), fluctuation_of(plateau(4000, seed=1, deviation=0.2))
    found = compare(loud, quiet)
    assert abs(found.ratio - 2) < 3 * found.ratio_error
    assert found.ratio_error < 0.1
    assert found.significance > 20
    assert abs(found.difference - 0.04) < 3 * found.difference_error


def test_plateaus_that_are_alike_do_not_differ_significantly() -> None:
    found = [
        compare(fluctuation_of(plateau(3000, 0.7, seed=2 * n)), fluctuation_of(plateau(3000, 0.7, seed=2 * n + 1)))
        for n in range(100)
    ]
    assert np.std([one.significance for one in found]) == pytest.approx(1.0, abs=0.25)


def test_a_plateau_that_does_not_fluctuate_is_compared_with_none() -> None:
    for pair in ((np.ones(20), plateau(20)), (plateau(20), np.zeros(20))):
        with pytest.raises(InvalidInput, match="delta G/G"):
            compare(*(fluctuation_of(values) for values in pair))


@pytest.mark.parametrize(
    ("there", "wanted"),
    [("111", (0, 3)), ("0110111", (4, 7)), ("1101", (0, 2)), ("11011", (0, 2)), ("000", (0, 0)), ("", (0, 0))],
)
def test_the_longest_stretch_without_a_gap(there: str, wanted: tuple[int, int]) -> None:
    found = longest_uninterrupted([1.0 if mark == "1" else math.nan for mark in there])
    assert (found.start, found.stop) == wanted


def test_too_little_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 8 conductances"):
        fluctuation_of([1.0] * 7 + [math.nan] * 10)
    with pytest.raises(InvalidInput, match="1 of 20 missing"):
        autocorrelation([1.0] * 19 + [math.nan])
    with pytest.raises(InvalidInput, match="all equal"):
        autocorrelation([0.1] * 20)
    with pytest.raises(InvalidInput, match="lags = 20"):
        autocorrelation(plateau(20), lags=20)
