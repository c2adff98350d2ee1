"""Peaks of histograms: positions and widths that are known, and errors that mean what they say."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import Histogram, histogram_of_chains, linear_bins, logarithmic_bins
from aiida_rewire.trace.peaks import FULL_WIDTH, peaks_of

POSITIONS = (0.95, 1.97, 2.9)
SHARES = (0.5, 0.3, 0.2)
SPREAD = 0.12
JITTER = 0.06


def chains(
    number: int = 40, points: int = 3000, *, jitter: float = JITTER, seed: int = 0
) -> list[NDArray[np.float64]]:
    """Each chain has its own shift of all its points: the points of one chain do not tell of another."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        of_peak = rng.choice(POSITIONS, size=points, p=SHARES)
        made.append(of_peak + rng.normal(0, jitter) + rng.normal(0, SPREAD, points))
    return made


def histogram(number: int = 40, width_g0: float = 0.05, **changes: float) -> Histogram:
    return histogram_of_chains(chains(number, **changes), linear_bins(0, 5, width_g0))  # type: ignore[arg-type]


def test_peaks_are_recovered_within_their_errors() -> None:
    peaks = peaks_of(histogram())
    assert len(peaks) == 3
    for peak, position, share in zip(peaks, POSITIONS, SHARES, strict=True):
        assert abs(peak.position_g0 - position) < 3 * peak.position_error_g0
        # chains that are shifted against each other widen the peak
        assert peak.width == pytest.approx(FULL_WIDTH * math.hypot(SPREAD, JITTER), rel=0.06)
        assert peak.share == pytest.approx(share, abs=0.02)
        assert peak.chains == 40


def test_the_error_is_that_over_chains_and_not_over_points() -> None:
    for peak in peaks_of(histogram()):
        over_chains = JITTER / math.sqrt(40)
        over_points = SPREAD / math.sqrt(40 * 3000 * 0.2)
        assert peak.position_error_g0 == pytest.approx(over_chains, rel=0.35)
        assert peak.position_error_g0 > 10 * over_points


def test_errors_cover_the_truth_as_often_as_errors_should() -> None:
    pulls = []
    for seed in range(25):
        found = peaks_of(histogram(25, points=800, seed=seed), resamples=40)
        assert len(found) == 3
        first = found[0]
        pulls.append((first.position_g0 - POSITIONS[0]) / first.position_error_g0)
    # 25 pulls: the deviation is known to 14 %
    assert np.std(pulls) == pytest.approx(1.0, abs=0.35)
    assert abs(np.mean(pulls)) < 3 / math.sqrt(25)


@pytest.mark.parametrize("width_g0", [0.01, 0.05, 0.1, 0.2])
def test_wide_bins_do_not_widen_the_peak(width_g0: float) -> None:
    first = peaks_of(histogram(width_g0=width_g0, jitter=0.0), resamples=20)[0]
    assert first.width == pytest.approx(FULL_WIDTH * SPREAD, rel=0.03)
    assert first.position_g0 == pytest.approx(0.95, abs=0.01)


def test_a_peak_over_a_background_keeps_its_place() -> None:
    rng = np.random.default_rng(3)
    made = [np.concatenate([chain, rng.uniform(0, 5, 2000)]) for chain in chains(20, jitter=0.0)]
    peaks = peaks_of(histogram_of_chains(made, linear_bins(0, 5)))
    assert [peak.position_g0 for peak in peaks] == pytest.approx(POSITIONS, abs=0.02)


def test_peaks_of_a_logarithmic_histogram_are_in_quanta_and_decades() -> None:
    rng = np.random.default_rng(4)
    made = [10 ** rng.normal(-2 + rng.normal(0, 0.05), 0.2, 2000) for _ in range(30)]
    (peak,) = peaks_of(histogram_of_chains(made, logarithmic_bins(1e-4, 1)))
    assert abs(peak.position_g0 - 0.01) < 3 * peak.position_error_g0
    assert peak.position_error_g0 == pytest.approx(0.01 * math.log(10) * 0.05 / math.sqrt(30), rel=0.5)
    assert peak.width == pytest.approx(FULL_WIDTH * math.hypot(0.2, 0.05), rel=0.05)


def test_the_same_seed_gives_the_same_errors() -> None:
    counted = histogram(10, points=500)
    assert peaks_of(counted, resamples=30, seed=5) == peaks_of(counted, resamples=30, seed=5)
    assert peaks_of(counted, resamples=30, seed=5) != peaks_of(counted, resamples=30, seed=6)


def test_one_chain_tells_nothing_of_its_errors() -> None:
    peaks = peaks_of(histogram(1, points=50_000, jitter=0.0))
    assert [peak.position_g0 for peak in peaks] == pytest.approx(POSITIONS, abs=0.02)
    assert all(math.isnan(peak.position_error_g0) and math.isnan(peak.width_error) for peak in peaks)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_flat_has_no_peaks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert peaks_of(histogram_of_chains([rng.uniform(-1, 6, 20_000) for _ in range(5)], linear_bins(0, 5))) == []


def test_a_pile_at_the_end_is_no_peak() -> None:
    rng = np.random.default_rng(6)
    open_gap = [np.abs(rng.normal(0, 0.02, 5000)) for _ in range(5)]
    assert peaks_of(histogram_of_chains(open_gap, linear_bins(0, 5))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"prominence": 0}, "prominence"), ({"smoothing_bins": 0}, "smoothing_bins"), ({"resamples": 1}, "resamples")],
)
def test_parameters_out_of_bounds_are_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        peaks_of(histogram(2, points=100), **changes)  # type: ignore[arg-type]


def test_an_empty_histogram_is_refused() -> None:
    with pytest.raises(InvalidInput, match="points = none"):
        peaks_of(histogram_of_chains([[np.nan]], linear_bins()))
