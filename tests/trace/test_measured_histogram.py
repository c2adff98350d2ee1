"""From a measured file to the resistance in series and peaks at the quanta: figure 4, with known numbers."""

import numpy as np
import pytest
from scipy import constants

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import histogram_of_chains, linear_bins
from aiida_rewire.trace.measured import MeasuredTrace, read_measured
from aiida_rewire.trace.peaks import Peak, peaks_of
from aiida_rewire.trace.series_peaks import cycles_with_points, fit_to_peaks
from aiida_rewire.trace.series_resistance import fit_series_resistance, without_series_resistance

G0 = constants.physical_constants["conductance quantum"][0]
RESISTANCE_OHM = 330.0
CYCLES = 40
VOLTAGE_V = 0.2


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> MeasuredTrace:
    """Plateaus at the quanta, over points at any conductance; wire and contacts in series."""
    rng = np.random.default_rng(0)
    lines = ["cycle,voltage (V),current (uA)"]
    for cycle in range(1, CYCLES + 1):
        quanta = np.repeat(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.2, 0.15], size=60), 50)
        junction = quanta * np.exp(rng.normal(0, 0.02)) + rng.normal(0, 0.1, quanta.size)
        junction = np.where(rng.random(quanta.size) < 0.2, rng.uniform(0.01, 5, quanta.size), junction)
        current_ua = 1e6 * VOLTAGE_V / (1 / (junction * G0) + RESISTANCE_OHM)
        lines += [f"{cycle},{VOLTAGE_V},{current:.7g}" for current in current_ua.tolist()]
    path = tmp_path_factory.mktemp("measured") / "wire.csv"
    path.write_text("\n".join(lines))
    return read_measured(path)


def peaks(trace: MeasuredTrace, resistance_ohm: float) -> list[Peak]:
    conductances = without_series_resistance(trace.conductance_g0, resistance_ohm)
    cycles = [conductances[chosen] for _, _, chosen in trace.cycles()]
    assert len(cycles) == CYCLES
    return peaks_of(histogram_of_chains(cycles, linear_bins(0, 6)))


def test_the_resistance_is_found_and_puts_the_peaks_at_the_quanta(trace: MeasuredTrace) -> None:
    raw = peaks(trace, 0.0)
    assert len(raw) == 4
    # behind 330 ohm the fourth quantum is measured a tenth too low, far beyond its error
    assert raw[3].position_g0 == pytest.approx(1 / (1 / 4 + RESISTANCE_OHM * G0), abs=0.05)
    assert 4 - raw[3].position_g0 > 10 * raw[3].position_error_g0
    fit = fit_series_resistance(
        [peak.position_g0 for peak in raw], [peak.position_error_g0 for peak in raw], [1, 2, 3, 4]
    )
    assert abs(fit.ohm - RESISTANCE_OHM) < 3 * fit.error_ohm
    assert fit.error_ohm < 20
    for peak, quanta in zip(peaks(trace, fit.ohm), (1, 2, 3, 4), strict=True):
        assert abs(peak.position_g0 - quanta) < 3 * peak.position_error_g0
        assert peak.position_error_g0 < 0.005 * quanta


def cycles_of(trace: MeasuredTrace) -> list[np.ndarray]:
    return [trace.conductance_g0[chosen] for _, _, chosen in trace.cycles()]


def test_cycles_alone_give_the_resistance_with_its_error(trace: MeasuredTrace) -> None:
    found = fit_to_peaks(cycles_of(trace), resamples=40)
    assert found.multiples == (1, 2, 3, 4)
    assert found.cycles == CYCLES
    assert abs(found.resistance.ohm - RESISTANCE_OHM) < 3 * found.resistance.error_ohm
    assert found.resistance.error_ohm < 20


def test_other_multiples_are_another_resistance(trace: MeasuredTrace) -> None:
    # the first peak alone moves by 1/2 - 1/1 quanta of resistance
    shifted = fit_to_peaks(cycles_of(trace), multiples=[2, 4, 6, 8], resamples=20)
    assert shifted.resistance.ohm > 1500
    with pytest.raises(InvalidInput, match="4, one for each peak; peaks: 0"):
        fit_to_peaks(cycles_of(trace), multiples=[1, 2], resamples=20)
    with pytest.raises(InvalidInput, match="different for different peaks"):
        fit_to_peaks(cycles_of(trace), multiples=[1, 2, 2, 3], resamples=20)


def test_one_cycle_gives_no_error_and_so_no_resistance(trace: MeasuredTrace) -> None:
    one = cycles_of(trace)[0]
    with pytest.raises(InvalidInput, match="cycles = 1: must be at least 2"):
        fit_to_peaks([one])
    assert len(cycles_with_points([one, np.full(5, np.nan), one])) == 2


def test_peaks_that_are_not_lowered_show_no_resistance() -> None:
    rng = np.random.default_rng(1)
    cycles = [np.concatenate([rng.normal(n * 1.04, 0.08, 400) for n in (1, 2, 3)]) for _ in range(20)]
    with pytest.raises(InvalidInput, match=r"resistance_ohm|multiples"):
        fit_to_peaks(cycles, resamples=20)
    with pytest.raises(InvalidInput, match="peaks = none"):
        fit_to_peaks([rng.normal(0.2, 0.05, 400) for _ in range(20)])
