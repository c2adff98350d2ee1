"""Time to contact against voltage: groups, spread over seeds, the slope that is known."""

import math

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.kinetics import SeedRun, contact_times, voltage_slopes

FOLLOWED = 1e6


def run(voltage: float, seed: int, contact: float | None, gap: float = 6.5, followed: float = FOLLOWED) -> SeedRun:
    return SeedRun(voltage, gap, seed, contact, followed)


def population(seed: int, *, seeds: int = 30, per_volt: float = 1.2, followed: float = FOLLOWED) -> list[SeedRun]:
    """Exponential waiting times whose scale falls with voltage; what is longer than followed ends open."""
    rng = np.random.default_rng(seed)
    made = []
    for voltage in (1.0, 2.0, 3.0):
        for number, time in enumerate(rng.exponential(100 * math.exp(-per_volt * voltage), seeds)):
            made.append(run(voltage, number, None if time > followed else float(time), followed=followed))
    return made


def test_each_voltage_and_gap_has_its_quartiles() -> None:
    runs = [run(2.0, seed, time) for seed, time in enumerate([1.0, 2.0, 3.0, 4.0, 5.0])]
    runs += [run(1.0, 0, 40.0), run(2.0, 0, 9.0, gap=9.0)]
    found = contact_times(runs)
    assert [(one.gap_angstrom, one.voltage_v, one.times.runs) for one in found] == [
        (6.5, 1, 1),
        (6.5, 2, 5),
        (9, 2, 1),
    ]
    assert (found[1].times.lower_quartile_ps, found[1].times.median_ps, found[1].times.upper_quartile_ps) == (2, 3, 4)
    # one seed tells nothing of others
    assert found[0].median_error_ps is None


def test_runs_that_ended_open_count() -> None:
    runs = [run(1.0, seed, time, followed=10.0) for seed, time in enumerate([4.0, 6.0, None, None, None])]
    (found,) = contact_times(runs)
    assert (found.times.runs, found.times.censored, found.times.median_ps) == (5, 3, None)
    assert found.median_error_ps is None


def test_runs_without_a_gap_are_one_group() -> None:
    (found,) = contact_times([run(1.0, 0, 1.0, gap=float("nan")), run(1.0, 1, 3.0, gap=math.nan)])
    assert (found.times.median_ps, math.isnan(found.gap_angstrom)) == (2.0, True)


def test_the_error_of_the_median_covers_the_truth() -> None:
    truth = 100 * math.exp(-1.2) * math.log(2)
    pulls = []
    for seed in range(30):
        first = contact_times(population(seed)[:30], resamples=80)[0]
        assert first.times.median_ps is not None
        assert first.median_error_ps is not None
        pulls.append((first.times.median_ps - truth) / first.median_error_ps)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.4)
    assert abs(np.mean(pulls)) < 0.6


@pytest.mark.parametrize("followed", [FOLLOWED, 60.0])
def test_the_slope_is_recovered_within_its_error_though_some_runs_end_open(followed: float) -> None:
    pulls = []
    for seed in range(20):
        (found,) = voltage_slopes(population(seed, followed=followed), resamples=100)
        assert found.voltages == 3
        pulls.append((found.per_volt - 1.2) / found.per_volt_error)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.5)
    assert abs(np.mean(pulls)) < 0.8


def test_two_medians_are_a_line() -> None:
    (found,) = voltage_slopes([run(1.0, 0, math.e**2), run(3.0, 0, 1.0)])
    assert found.per_volt == pytest.approx(1.0)
    assert math.isnan(found.per_volt_error)


def test_one_voltage_or_none_with_a_median_has_no_slope() -> None:
    assert voltage_slopes([run(1.0, 0, 2.0), run(2.0, 0, None)]) == []
    assert voltage_slopes([run(1.0, 0, 2.0), run(2.0, 0, 1.0, gap=9.0)]) == []


def test_the_same_seed_gives_the_same_errors() -> None:
    runs = population(0)
    assert contact_times(runs, resamples=20) == contact_times(runs, resamples=20)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "runs = none"),
        ([run(1.0, 3, 1.0), run(1.0, 3, 2.0)], "seed 3 twice at 1 V"),
        ([run(1.0, 0, -1.0)], "0 ps or later"),
        ([run(1.0, 0, 5.0, followed=2.0)], "at most the 2.0 ps"),
    ],
)
def test_runs_that_make_no_sense_are_refused(runs: list[SeedRun], words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        contact_times(runs)
    assert words in str(refusal.value)
    with pytest.raises(InvalidInput, match="resamples"):
        contact_times([run(1.0, 0, 1.0)], resamples=1)
