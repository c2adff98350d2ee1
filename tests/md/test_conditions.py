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
        ("checkpoint_interval", [0, -1]),
        ("job_steps", [-1, -1000, 999, 1001]),
        ("potential_interval", [0, -1]),
        ("electron_steps", [0, -1]),
        ("bond_cutoff", [0.0, -4.0, math.nan, math.inf]),
        ("bond_norm", [0.0, -0.5, math.nan, math.inf]),
        ("diffusivity", [0.0, -6.0, math.nan, math.inf]),
        ("bias", ["", "Driver", "echemdid"]),
        ("potential", ["", "Steady", "laplace"]),
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
        ("voltage_v", [-50.0, 0.0, 50.0, [[0.0, -50.0], [1.0, 50.0]], [[0, 1]]]),
        ("checkpoint_interval", [1, 10**6]),
        ("job_steps", [0, 1000, 2000]),
        ("potential_interval", [1, 100]),
        ("electron_steps", [1, 100]),
        ("bias", ["driver", "native", "none"]),
        ("potential", ["steady", "diffusion"]),
    ],
)
def test_values_on_the_bounds_are_accepted(name: str, values: list[Any]) -> None:
    for value in values:
        assert getattr(MdConditions(**{**GOOD, name: value}), name) == value


def test_defaults_are_those_of_the_paper() -> None:
    conditions = MdConditions(**GOOD)
    assert (conditions.temperature_k, conditions.timestep_fs, conditions.voltage_v) == (800.0, 1.0, 0.0)
    assert (conditions.bond_cutoff, conditions.bond_norm, conditions.diffusivity) == (4.0, 0.4555, 6.0)
    assert (conditions.electron_steps, conditions.bias, conditions.potential) == (10, "driver", "steady")


def test_the_damping_counts_in_time_steps() -> None:
    with pytest.raises(InvalidInput, match="thermostat_damping_fs = 15"):
        MdConditions(**GOOD, timestep_fs=2.0, thermostat_damping_fs=15.0)
    assert MdConditions(**GOOD, timestep_fs=1.5, thermostat_damping_fs=15.0).timestep_fs == 1.5


@pytest.mark.parametrize("voltage", [1e-9, -2.0, [[0.0, 0.0], [1.0, 2.0]]])
def test_no_voltage_without_a_bias(voltage: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^voltage_v = .*: must be 0 V with `bias: none`; take `bias: driver`$"):
        MdConditions(**GOOD, bias="none", voltage_v=voltage)
    assert MdConditions(**GOOD, bias="none", voltage_v=[[0.0, 0.0], [1.0, 0.0]]).bias == "none"


def test_the_patched_lammps_knows_no_ramp() -> None:
    ramp = [[0.0, 0.0], [1.0, 2.0]]
    with pytest.raises(
        InvalidInput, match=r"^voltage_v = \[\[.*: must be one number with `bias: native`; take `bias: driver` for"
    ):
        MdConditions(**GOOD, bias="native", voltage_v=ramp)
    assert MdConditions(**GOOD, bias="native", voltage_v=2.0).schedule.at(0.0) == 2.0
    assert MdConditions(**GOOD, bias="driver", voltage_v=ramp).schedule.at(0.5) == 1.0


@pytest.mark.parametrize(
    "voltage",
    [[], [1.0], [[0.0]], [[0.0, 1.0, 2.0]], [[1.0, 2.0]], [[0.0, 1.0], [2.0, 1.0], [1.0, 0.0]], [[0.0, "1"]],
     [[0.0, True]], [[0.0, math.nan]], [[0.0, 51.0]], "ab"],
)  # fmt: skip
def test_points_that_are_no_schedule_are_refused(voltage: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^voltage_v = "):
        MdConditions.from_mapping({**GOOD, "voltage_v": voltage})


@pytest.mark.parametrize(("potential", "expected"), [("steady", 25), ("diffusion", 1)])
def test_diffusion_is_followed_at_every_step(potential: str, expected: int) -> None:
    assert MdConditions(**GOOD, potential=potential, potential_interval=25).callback_interval == expected


def test_a_job_ends_where_the_run_in_one_job_has_a_checkpoint() -> None:
    with pytest.raises(
        InvalidInput, match=r"^job_steps = 50: must be a multiple of the 35 steps between checkpoints; else"
    ):
        MdConditions(**GOOD, checkpoint_interval=35, job_steps=50)
    assert MdConditions(**GOOD, checkpoint_interval=35, job_steps=70).job_steps == 70


def test_a_mapping_gives_the_same_conditions() -> None:
    values = {**GOOD, "voltage_v": 8, "minimize": True, "dump_interval": 10, "bias": "native", "job_steps": 2000}
    assert MdConditions.from_mapping(values) == MdConditions(**values)


@pytest.mark.parametrize("missing", ["steps", "seed"])
def test_what_has_no_default_must_be_given(missing: str) -> None:
    values = {key: value for key, value in GOOD.items() if key != missing}
    with pytest.raises(InvalidInput, match=f"no {missing}.*give {missing}"):
        MdConditions.from_mapping(values)


def test_unknown_keys_are_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"temperature, volt: must be among steps, seed, voltage_v, bias"):
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
        ("voltage_v", {"0": 8.0}),
        ("temperature_k", None),
        ("temperature_k", [800.0]),
        ("minimize", 1),
        ("minimize", "yes"),
        ("dump_interval", 10.0),
        ("checkpoint_interval", 1e3),
        ("bias", None),
        ("bias", 1),
        ("potential", ["steady"]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = .*: must be of type (int|float|bool|str)"):
        MdConditions.from_mapping({**GOOD, name: value})


def test_a_voltage_of_the_wrong_type_is_told_what_would_do() -> None:
    with pytest.raises(InvalidInput, match=r"must be of type float, or a list of points \(ps, V\); correct"):
        MdConditions.from_mapping({**GOOD, "voltage_v": "8"})
