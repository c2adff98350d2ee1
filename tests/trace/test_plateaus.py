"""Plateaus: jumps that are known are found where they are, and none where there is none."""

import math
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.plateaus import RESOLUTION_G0, Plateau, noise_of, plateaus_of

LEVELS = (0.0, 1.0, 0.8, 2.0, 2.5)
LENGTHS = (60, 90, 40, 110, 50)


def trace(noise: float, *, scale: int = 1, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.repeat(LEVELS, np.array(LENGTHS) * scale)
    return np.arange(values.size) * 2e-13, values + np.random.default_rng(seed).normal(0, noise, values.size)


def starts(found: list[Plateau]) -> list[int]:
    return [plateau.first for plateau in found]


TRUE_STARTS = [0, 60, 150, 190, 300]


def test_known_plateaus_are_found_to_the_point() -> None:
    times, values = trace(0.03)
    found = plateaus_of(times, values)
    assert starts(found) == TRUE_STARTS
    assert [plateau.points for plateau in found] == list(LENGTHS)
    for plateau, level, length in zip(found, LEVELS, LENGTHS, strict=True):
        assert plateau.mean_g0 == pytest.approx(level, abs=4 * 0.03 / math.sqrt(length))
        # the deviation of a Gaussian sample of n is known to 1 / sqrt(2 n)
        assert plateau.spread_g0 == pytest.approx(0.03, rel=4 / math.sqrt(2 * length))


def test_dwell_times_add_up_and_say_which_were_seen_whole() -> None:
    times, values = trace(0.03)
    found = plateaus_of(times, values)
    assert [plateau.dwell_s for plateau in found[:-1]] == pytest.approx([2e-13 * n for n in LENGTHS[:-1]])
    assert sum(plateau.dwell_s for plateau in found) == pytest.approx(times[-1] - times[0])
    assert [plateau.complete for plateau in found] == [False, True, True, True, False]


@pytest.mark.parametrize("seed", range(20))
def test_noise_as_large_as_half_the_smallest_step_moves_jumps_little(seed: int) -> None:
    times, values = trace(0.1, seed=seed)
    found = plateaus_of(times, values)
    assert starts(found) == pytest.approx(TRUE_STARTS, abs=8)
    assert [plateau.mean_g0 for plateau in found] == pytest.approx(LEVELS, abs=0.07)


@pytest.mark.parametrize(("points", "traces", "false"), [(20, 30, 3), (350, 30, 1), (5000, 8, 0)])
def test_white_noise_has_no_jumps(points: int, traces: int, false: int) -> None:
    numbers = [
        len(plateaus_of(np.arange(points), np.random.default_rng(seed).normal(1, 0.3, points), smallest_step_g0=0))
        for seed in range(traces)
    ]
    # of twenty points the noise is hardly known
    assert sum(numbers) - traces <= false


def test_noise_that_remembers_makes_no_plateaus_of_its_own() -> None:
    rng = np.random.default_rng(1)
    hops = lfilter([1], [1, -0.95], rng.normal(0, 0.005, 3000))
    values = np.repeat([1.0, 2.0, 2.6], 1000) + hops
    assert starts(plateaus_of(np.arange(3000), values)) == pytest.approx([0, 1000, 2000], abs=2)


def test_jumps_without_any_noise_are_found() -> None:
    times, values = trace(0.0)
    assert starts(plateaus_of(times, values)) == TRUE_STARTS
    assert noise_of(values) < RESOLUTION_G0


def test_missing_points_do_not_end_a_plateau() -> None:
    times, values = trace(0.03)
    values[20:30] = np.nan
    values[149:152] = np.nan
    found = plateaus_of(times, values)
    assert starts(found) == [0, 60, 152, 190, 300]
    assert [plateau.points for plateau in found] == [50, 89, 38, 110, 50]
    assert found[1].end_s == times[152]
    assert np.isfinite([plateau.mean_g0 for plateau in found]).all()


def test_plateaus_that_differ_by_less_than_the_smallest_step_are_one() -> None:
    times, values = trace(0.02)
    assert starts(plateaus_of(times, values, smallest_step_g0=0.3)) == [0, 60, 190, 300]
    assert starts(plateaus_of(times, values, smallest_step_g0=5)) == [0]


def test_a_plateau_has_the_stage_of_most_of_its_points() -> None:
    times, values = trace(0.03)
    stages = ["gap"] * 45 + ["islands"] * 15 + ["contact"] * 130 + ["growth"] * 160
    found = plateaus_of(times, values, stages=stages)
    assert [plateau.stage for plateau in found] == ["gap", "contact", "contact", "growth", "growth"]
    assert found[0].stage_share == pytest.approx(0.75)
    assert plateaus_of(times, values)[0].stage == ""


def test_a_long_trace_is_searched_in_seconds_and_its_jumps_are_still_found_to_the_point() -> None:
    # no jump lies on the edge of a block of 13 points
    times, values = trace(0.1, scale=287)
    assert len(values) == 100_450
    begin = time.process_time()
    found = plateaus_of(times, values)
    seconds = time.process_time() - begin
    print(f"{len(values)} points: {seconds:.2f} s")
    assert seconds < 5
    assert starts(found) == pytest.approx([287 * start for start in TRUE_STARTS], abs=6)
    assert [plateau.mean_g0 for plateau in found] == pytest.approx(LEVELS, abs=0.005)
    assert starts(plateaus_of(*trace(0.02, scale=287))) == [287 * start for start in TRUE_STARTS]


def test_a_long_trace_without_a_jump_is_searched_in_seconds() -> None:
    values = np.random.default_rng(2).normal(1, 0.1, 100_000)
    begin = time.process_time()
    assert len(plateaus_of(np.arange(values.size), values)) == 1
    assert time.process_time() - begin < 5


def test_the_longest_trace_that_is_searched_at_once_takes_seconds() -> None:
    values = np.random.default_rng(2).normal(1, 0.1, 8192)
    begin = time.process_time()
    assert len(plateaus_of(np.arange(values.size), values)) == 1
    assert time.process_time() - begin < 3


def test_a_noise_that_is_given_is_taken() -> None:
    times, values = trace(0.03)
    assert starts(plateaus_of(times, values, noise_g0=3.0)) == [0]
    assert starts(plateaus_of(times, values, noise_g0=0.03)) == TRUE_STARTS


@pytest.mark.parametrize("number", [1, 2, 9])
def test_a_short_trace_is_one_plateau(number: int) -> None:
    (found,) = plateaus_of(np.arange(number), np.ones(number), stages=["gap"] * number)
    assert (found.points, found.mean_g0, found.complete, found.dwell_s) == (number, 1.0, False, number - 1)
    assert math.isnan(found.spread_g0) == (number == 1)


def test_a_trace_with_everything_missing_has_no_plateau() -> None:
    assert plateaus_of([0.0, 1.0], [math.nan, math.nan]) == []
    assert plateaus_of([], []) == []


def test_the_noise_is_that_of_neighbours_and_not_of_jumps() -> None:
    _, values = trace(0.05, scale=20)
    assert noise_of(values) == pytest.approx(0.05, rel=0.05)
    assert noise_of([1.0]) == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"times_s": [0.0, 2.0, 1.0]}, "times_s"),
        ({"times_s": [0.0, 1.0]}, "one number for each time"),
        ({"stages": ["gap"]}, "stages = 1 texts"),
        ({"fewest_points": 0}, "fewest_points"),
        ({"smallest_step_g0": -1}, "smallest_step_g0"),
        ({"smallest_step_g0": math.nan}, "smallest_step_g0"),
        ({"noise_g0": 0.0}, "noise_g0"),
    ],
)
def test_what_is_no_trace_is_refused(changes: dict[str, object], words: str) -> None:
    inputs = {"times_s": [0.0, 1.0, 2.0], "conductances_g0": [1.0, 1.0, 1.0]} | changes
    with pytest.raises(InvalidInput, match=words):
        plateaus_of(**inputs)  # type: ignore[arg-type]
