"""The bounds of the dynamics."""

import math
from typing import Any

import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.md.conditions import MdConditions

GOOD: dict[str, Any] = {"steps": 1000, "seed": 1}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature_k", [0.0, -1.0, 1236.0, math.nan, math.inf]),
        ("timestep_fs", [0.0, -1.0, 2.01, math.nan, math.inf]),
        ("thermostat_damping_fs", [9.99, 0.0, -100.0, math.nan, math.inf]),
        ("steps", [0, -1]),
        ("dump_interval", [0, -1, 1001]),
        ("seed", [0, -1, 900_000_001]),
        ("voltage_v", [50.1, -50.1, math.nan, math.inf]),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InvalidInput, match=f"^{name} = .*: must be .+; .+") as refusal:
            MdConditions(**{**GOOD, name: value})
        assert refusal.value.name == name
        assert refusal.value.value == value or math.isnan(value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature_k", [1.0, 300.0, 800.0, 1235.0]),
        ("timestep_fs", [0.1, 1.0, 2.0]),
        ("thermostat_damping_fs", [10.0, 1000.0]),
        ("steps", [50, 10**7]),
        ("dump_interval", [1, 1000]),
        ("seed", [1, 900_000_000]),
        ("voltage_v", [-50.0, 0.0, 50.0]),
    ],
)
def test_values_on_the_bounds_are_accepted(name: str, values: list[Any]) -> None:
    for value in values:
        assert getattr(MdConditions(**{**GOOD, name: value}), name) == value


def test_defaults_are_those_of_the_paper() -> None:
    conditions = MdConditions(**GOOD)
    assert (conditions.temperature_k, conditions.timestep_fs, conditions.voltage_v) == (800.0, 1.0, 0.0)


def test_the_damping_counts_in_time_steps() -> None:
    with pytest.raises(InvalidInput, match="thermostat_damping_fs = 15"):
        MdConditions(**GOOD, timestep_fs=2.0, thermostat_damping_fs=15.0)
    assert MdConditions(**GOOD, timestep_fs=1.5, thermostat_damping_fs=15.0).timestep_fs == 1.5


def test_a_mapping_gives_the_same_conditions() -> None:
    values = {**GOOD, "voltage_v": 8, "minimize": True, "dump_interval": 10}
    assert MdConditions.from_mapping(values) == MdConditions(**values)


@pytest.mark.parametrize("missing", ["steps", "seed"])
def test_what_has_no_default_must_be_given(missing: str) -> None:
    values = {key: value for key, value in GOOD.items() if key != missing}
    with pytest.raises(InvalidInput, match=f"no {missing}.*give {missing}"):
        MdConditions.from_mapping(values)


def test_unknown_keys_are_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"temperature, volt: must be among steps, seed, voltage_v"):
        MdConditions.from_mapping({**GOOD, "volt": 1.0, "temperature": 800.0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", "1000"),
        ("steps", 1000.0),
        ("steps", True),
        ("seed", False),
        ("seed", None),
        ("voltage_v", "8"),
        ("voltage_v", True),
        ("voltage_v", [8.0]),
        ("temperature_k", None),
        ("minimize", 1),
        ("minimize", "yes"),
        ("dump_interval", 10.0),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = .*: must be of type (int|float|bool)"):
        MdConditions.from_mapping({**GOOD, name: value})
