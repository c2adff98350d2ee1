"""The resistance in series: taken off, fitted, refused."""

import math

import numpy as np
import pytest
from scipy import constants

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.series_resistance import (
    corrected_error,
    fit_series_resistance,
    without_series_resistance,
)

G0_SIEMENS = constants.physical_constants["conductance quantum"][0]


def measured(junction_g0: np.ndarray, ohm: float) -> np.ndarray:
    """Conductance of a junction and a resistance one after the other, G0."""
    return 1 / (1 / (junction_g0 * G0_SIEMENS) + ohm) / G0_SIEMENS


def test_what_was_in_series_comes_off() -> None:
    junction = np.array([[0.01, 0.5], [1.0, 12.0]])
    assert without_series_resistance(measured(junction, 650.0), 650.0) == pytest.approx(junction)
    assert without_series_resistance(junction, 0.0) == pytest.approx(junction)


def test_one_quantum_behind_half_its_resistance() -> None:
    half = 0.5 / G0_SIEMENS
    assert float(without_series_resistance(2 / 3, half)) == pytest.approx(1.0)


def test_zero_stays_zero_and_missing_stays_missing() -> None:
    found = without_series_resistance([0.0, math.nan, -0.01], 1000.0)
    assert found[0] == 0.0
    assert math.isnan(found[1])
    # noise around zero keeps its sign
    assert -0.01 < found[2] < 0


def test_a_resistance_that_makes_points_negative_is_refused_with_how_many() -> None:
    values = np.array([0.5, 1.0, 1.5, 2.0, math.nan])
    too_much = 1 / (1.5 * G0_SIEMENS)
    with pytest.raises(InvalidInput) as refusal:
        without_series_resistance(values, too_much * (1 + 1e-12))
    said = str(refusal.value)
    assert "2 of 5 points negative or infinite" in said
    assert f"below {1 / (2 * G0_SIEMENS):.6g} ohm" in said
    assert np.isfinite(without_series_resistance(values, 0.999 / (2 * G0_SIEMENS))[:4]).all()


@pytest.mark.parametrize("ohm", [-1.0, math.nan, math.inf])
def test_a_resistance_that_is_none_is_refused(ohm: float) -> None:
    with pytest.raises(InvalidInput, match="resistance_ohm"):
        without_series_resistance([1.0], ohm)


def test_errors_of_corrected_points_follow_from_both() -> None:
    junction, ohm = np.array([0.7, 3.0]), 500.0
    seen = measured(junction, ohm)
    of_points = (without_series_resistance(seen + 1e-6, ohm) - junction) / 1e-6
    assert corrected_error(junction, ohm, error_g0=0.01) == pytest.approx(0.01 * of_points, rel=1e-4)
    of_ohm = (without_series_resistance(seen, ohm + 1e-3) - junction) / 1e-3
    assert corrected_error(junction, ohm, error_ohm=20.0) == pytest.approx(20 * of_ohm, rel=1e-4)
    both = corrected_error(junction, ohm, error_g0=0.01, error_ohm=20.0)
    assert both == pytest.approx(np.hypot(0.01 * of_points, 20 * of_ohm), rel=1e-4)


def test_the_resistance_is_recovered_within_its_error() -> None:
    ohm, multiples = 420.0, [1, 2, 3, 5]
    errors = np.array([0.01, 0.02, 0.02, 0.05])
    pulls = []
    for seed in range(200):
        seen = measured(np.array(multiples, dtype=float), ohm)
        peaks = seen + np.random.default_rng(seed).normal(0, errors)
        fit = fit_series_resistance(peaks.tolist(), errors.tolist(), multiples)
        # the scatter of the peaks may make the error larger, never smaller
        pulls.append((fit.ohm - ohm) / fit.error_ohm)
        assert fit.degrees == 3
    assert 0.7 < np.std(pulls) < 1.1
    assert abs(np.mean(pulls)) < 0.25


def test_one_peak_gives_the_resistance_and_its_error() -> None:
    fit = fit_series_resistance([0.9], [0.01], [1])
    assert fit.ohm == pytest.approx((1 / 0.9 - 1) / G0_SIEMENS)
    assert fit.error_ohm == pytest.approx(0.01 / 0.81 / G0_SIEMENS)


def test_peaks_at_no_multiples_have_a_large_error() -> None:
    good = fit_series_resistance([0.97, 1.88], [0.01, 0.02], [1, 2])
    bad = fit_series_resistance([0.97, 1.5], [0.01, 0.02], [1, 2])
    assert bad.chi_square > 20
    assert bad.error_ohm > 4 * good.error_ohm


@pytest.mark.parametrize(
    ("peaks", "errors", "multiples", "words"),
    [
        ([], [], [], "0 peaks"),
        ([1.0], [0.1, 0.1], [1], "2 errors"),
        ([1.0], [0.0], [1], "errors_g0 = 0.0"),
        ([math.nan], [0.1], [1], "peaks_g0 = nan"),
        ([1.0], [0.1], [0], "multiples = 0"),
        ([1.5], [0.01], [1], "take the next higher multiples"),
    ],
)
def test_peaks_that_make_no_sense_are_refused(
    peaks: list[float], errors: list[float], multiples: list[int], words: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit_series_resistance(peaks, errors, multiples)
    assert words in str(refusal.value)
