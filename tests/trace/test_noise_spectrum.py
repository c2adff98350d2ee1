"""Power spectra: known levels, lines and exponents come back within the errors that are given."""

import math
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.special import polygamma

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.noise_spectrum import HANN_NEIGHBOURS, noise_exponent, noise_spectrum

INTERVAL_S = 2e-13
POINTS = 8192


def times(points: int = POINTS) -> NDArray[np.float64]:
    return 5e-12 + np.arange(points) * INTERVAL_S


def noise(gamma: float, *, points: int = POINTS, seed: int = 0) -> NDArray[np.float64]:
    """A piece of a longer record whose power falls as f^-gamma."""
    rng = np.random.default_rng(seed)
    longer = 8 * points
    frequencies = np.fft.rfftfreq(longer)
    amplitude = rng.normal(size=(2, frequencies.size))
    spectrum = (amplitude[0] + 1j * amplitude[1]) * np.append(0.0, frequencies[1:] ** (-gamma / 2))
    made: NDArray[np.float64] = np.fft.irfft(spectrum, longer)[:points]
    return 2.5 + 0.1 * made / made.std()


def test_white_noise_has_the_level_of_its_variance() -> None:
    values = np.random.default_rng(0).normal(2.5, 0.1, POINTS)
    found = noise_spectrum(times(), values)
    level = 2 * 0.1**2 * INTERVAL_S
    inside = found.density[3:-1]
    # under the Hann window some 1.9 neighbours tell the same
    assert inside.mean() == pytest.approx(level, rel=4 * found.relative_error * math.sqrt(1.94 / inside.size))


def test_the_integral_is_the_variance() -> None:
    values = np.random.default_rng(1).normal(2.5, 0.1, POINTS)
    found = noise_spectrum(times(), values)
    assert found.density.sum() * found.frequencies_hz[0] == pytest.approx(values.var(), rel=0.02)


@pytest.mark.parametrize("segments", [1, 7, 15, 63])
def test_the_error_is_the_scatter_of_the_density(segments: int) -> None:
    found = [
        noise_spectrum(times(2048), np.random.default_rng(seed).normal(0, 1, 2048), segments=segments)
        for seed in range(60)
    ]
    densities = np.array([one.density[2:-1] for one in found])
    scatter = (densities.std(axis=0) / densities.mean(axis=0)).mean()
    assert scatter == pytest.approx(found[0].relative_error, rel=0.06)
    assert found[0].segments == segments


def test_a_line_stands_at_its_frequency_and_holds_its_power() -> None:
    frequency = 2e11
    values = 2.5 + 0.1 * np.sin(2 * np.pi * frequency * times()) + np.random.default_rng(2).normal(0, 0.01, POINTS)
    found = noise_spectrum(times(), values)
    highest = found.frequencies_hz[np.argmax(found.density)]
    assert abs(highest - frequency) < found.resolution_hz
    near = np.abs(found.frequencies_hz - frequency) < 3 * found.resolution_hz
    assert found.density[near].sum() * found.frequencies_hz[0] == pytest.approx(0.1**2 / 2, rel=0.03)


def test_the_band_is_stated() -> None:
    found = noise_spectrum(times(), noise(1.0))
    length = found.segment_points * INTERVAL_S
    assert found.segment_points == 1024
    assert found.resolution_hz == pytest.approx(1.5 / length)
    assert found.lowest_hz == pytest.approx(4 / length)
    assert found.highest_hz == pytest.approx(1 / (2 * INTERVAL_S))
    assert found.frequencies_hz[-1] == pytest.approx(found.highest_hz)
    fit = noise_exponent(found)
    assert (fit.lowest_hz, fit.highest_hz) == pytest.approx((found.lowest_hz, found.highest_hz / 2))


@pytest.mark.parametrize("gamma", [0.0, 0.7, 1.0, 1.5, 2.0])
def test_the_exponent_is_recovered_within_its_error(gamma: float) -> None:
    found = [noise_exponent(noise_spectrum(times(), noise(gamma, seed=seed))) for seed in range(100)]
    pulls = [(one.gamma - gamma) / one.gamma_error for one in found]
    # the deviation of 100 pulls is known to 7 %
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
    assert abs(np.mean(pulls)) < 0.4
    assert np.mean([one.gamma_error for one in found]) < 0.05
    assert np.mean([one.chi_square / one.degrees for one in found]) == pytest.approx(1.0, abs=0.25)


def test_what_is_no_power_law_fits_badly() -> None:
    line = 0.5 * np.sin(2 * np.pi * 2e11 * times())
    fit = noise_exponent(noise_spectrum(times(), noise(1.0) + line))
    assert fit.chi_square > 2 * fit.degrees


def test_times_that_scatter_little_count_as_even() -> None:
    scattered = times() + np.random.default_rng(3).uniform(-0.002, 0.002, POINTS) * INTERVAL_S
    assert noise_spectrum(scattered, noise(1.0)).highest_hz == pytest.approx(1 / (2 * INTERVAL_S), rel=1e-4)


def refused(changes: dict[str, object]) -> str:
    with pytest.raises(InvalidInput) as refusal:
        noise_spectrum(**({"times_s": times(), "conductances_g0": noise(1.0)} | changes))  # type: ignore[arg-type]
    return str(refusal.value)


def test_what_has_no_spectrum_is_refused() -> None:
    gap = noise(1.0)
    gap[[5, 9]] = np.nan
    assert "2 of 8192 missing" in refused({"conductances_g0": gap})
    assert "one number for each" in refused({"times_s": times(100)})
    assert "at least 64" in refused({"times_s": times(63), "conductances_g0": np.ones(63)})
    uneven = times()
    uneven[100:] += INTERVAL_S
    assert "at equal intervals within 1%" in refused({"times_s": uneven})
    assert "increasing" in refused({"times_s": times()[::-1]})
    assert "segments = 0" in refused({"segments": 0})
    assert "from 1 to 1023" in refused({"segments": 1024})
    assert noise_spectrum(times(), noise(1.0), segments=1023).segment_points == 16


def test_a_band_without_frequencies_and_a_constant_are_refused() -> None:
    with pytest.raises(InvalidInput, match="band = from 1 to 2 Hz: 0 frequencies"):
        noise_exponent(noise_spectrum(times(), noise(1.0)), lowest_hz=1, highest_hz=2)
    with pytest.raises(InvalidInput, match="a constant has no noise"):
        noise_exponent(noise_spectrum(times(), np.ones(POINTS)))


def test_the_error_of_the_exponent_is_that_of_the_whole_covariance() -> None:
    found = noise_spectrum(times(2048), noise(1.0, points=2048))
    fit = noise_exponent(found)
    within = (found.frequencies_hz >= fit.lowest_hz) & (found.frequencies_hz <= fit.highest_hz)
    x = np.log(found.frequencies_hz[within])
    solve = np.linalg.pinv(np.stack([np.ones(len(x)), x], axis=1))
    correlation = toeplitz([*HANN_NEIGHBOURS, *np.zeros(len(x) - len(HANN_NEIGHBOURS))])
    variance = polygamma(1, found.averages) * (solve @ correlation @ solve.T)[1, 1]
    assert fit.gamma_error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_a_long_record_takes_little_memory() -> None:
    points = 1_000_000
    found = noise_spectrum(times(points), np.random.default_rng(4).normal(2.0, 0.03, points))
    tracemalloc.start()
    fit = noise_exponent(found)
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # the matrix of all pairs of frequencies would take 2 GB
    assert highest < 50e6
    assert abs(fit.gamma) < 4 * fit.gamma_error
