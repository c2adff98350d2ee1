"""Constant voltages, ramps and jumps."""

import math
from typing import Any

import pytest

from aiida_rewire.bias.voltage import VoltageSchedule
from aiida_rewire.errors import InvalidInput


def test_a_number_holds_for_ever() -> None:
    schedule = VoltageSchedule.of(-2)
    assert [schedule.at(time) for time in (0.0, 1.0, 1e6)] == [-2.0, -2.0, -2.0]
    assert schedule.constant
    assert schedule.largest == 2.0


def test_a_ramp_is_linear_and_stays_at_its_end() -> None:
    schedule = VoltageSchedule.of([[0, 0], [50, 8]])
    assert [schedule.at(time) for time in (0.0, 12.5, 25.0, 50.0, 80.0)] == [0.0, 2.0, 4.0, 8.0, 8.0]
    assert not schedule.constant


def test_set_and_reset_jump_at_a_time_that_stands_twice() -> None:
    schedule = VoltageSchedule.of([[0, 2], [50, 2], [50, -3], [100, -3]])
    assert schedule.at(math.nextafter(50.0, 0.0)) == pytest.approx(2.0)
    assert [schedule.at(time) for time in (0.0, 49.0, 50.0, 75.0, 100.0)] == [2.0, 2.0, -3.0, -3.0, -3.0]
    assert schedule.largest == 3.0


@pytest.mark.parametrize(
    ("voltage", "bound"),
    [
        ([], "a number or at least one point"),
        ([[1, 2]], "begin with 0 ps"),
        ([[0, 0], [20, 1], [10, 2]], "never fall"),
        ([[0, 0, 1]], "points of two finite numbers"),
        ([[0, "8"]], "points of two finite numbers"),
        ([[0, True]], "points of two finite numbers"),
        ([8.0], "points of two finite numbers"),
        ([[0, math.nan]], "points of two finite numbers"),
        (math.inf, "points of two finite numbers"),
    ],
)
def test_what_is_no_function_of_time_is_refused(voltage: Any, bound: str) -> None:
    with pytest.raises(InvalidInput, match=f"^voltage_v = .*{bound}"):
        VoltageSchedule.of(voltage)
