"""Currents and noise with provenance: known numbers, what refers back, what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.measured import MeasuredTraceData
from aiida_rewire.data.trace import TraceData
from aiida_rewire.trace.measured import MeasuredTrace
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM
from aiida_rewire.workflows.functions.looking import current_of_conductance, noise_of_trace


@pytest.fixture(scope="module")
def conductance(aiida_profile: Any) -> ConductanceData:
    """T = 1.5 from -1 to 1 eV."""
    return ConductanceData.from_transmission(
        energies=np.linspace(1, -1, 21),
        transmission=np.full((21, 1), 1.5),
        kpoints=np.zeros((1, 2)),
        weights=np.ones(1),
        channels=np.full((21, 1), 7),
        unitarity=np.zeros((21, 1)),
    ).store()


def test_the_current_refers_to_its_conductance(conductance: ConductanceData) -> None:
    parameters = orm.Dict({"voltages_v": [-0.5, 0.0, 0.5], "temperatures_k": [300, 200]})
    current, process = run_get_node(current_of_conductance, conductance=conductance, parameters=parameters)
    assert current.get_array("current_a") == pytest.approx(0.75 * CONDUCTANCE_QUANTUM * np.array([-1, 0, 1]))
    assert current.base.attributes.get("zero_bias_g0") == pytest.approx(1.5)
    assert current.base.attributes.get("temperatures_k") == [300, 200]
    assert current.creator.pk == process.pk
    assert process.process_type == "aiida.calculations:rewire.current_of_conductance"
    assert process.inputs.conductance.uuid == conductance.uuid


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperatures_k": 2000.0}, "compute T(E) in a wider range"),
        ({"temperature": 300.0}, "parameters = temperature"),
    ],
)
def test_what_gives_no_current_is_an_exit_code(
    conductance: ConductanceData, parameters: dict[str, Any], message: str
) -> None:
    _, process = run_get_node(current_of_conductance, conductance=conductance, parameters=orm.Dict(parameters))
    assert process.exit_status == 230
    assert message in process.exit_message


def test_the_noise_of_a_trace_is_that_of_its_plateaus(aiida_profile: Any) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1.0, 0.02, 100), rng.normal(2.0, 0.04, 100)])
    values[5] = math.nan
    rows: list[Any] = [
        {
            **{"time_ps": 0.1 * place, "step": place, "bonds": 1, "gap_left_a": 0.0, "unitarity": 0.0},
            **{"conductance_g0": value, "stage": "contact" if place < 100 else "growth"},
            **{"conductance_uuid": "", "reused_from": "", "missing": "why" if math.isnan(value) else ""},
        }
        for place, value in enumerate(values.tolist())
    ]
    trace = TraceData.from_rows(rows, {"chain": "2V-s1"}).store()
    noise, process = run_get_node(noise_of_trace, trace=trace, parameters=orm.Dict({"smallest_step_g0": 0.5}))
    assert process.process_type == "aiida.calculations:rewire.noise_of_trace"
    (of_chain,) = noise["traces"]
    assert of_chain["name"] == "2V-s1"
    first, second = of_chain["plateaus"]
    assert (first["stage"], first["points"], second["stage"], second["points"]) == ("contact", 99, "growth", 100)
    for one in (first, second):
        told = one["fluctuation"]
        assert abs(told["relative"] - 0.02) < 4 * told["relative_error"]
        assert one["spectrum"]["highest_hz"] == pytest.approx(5e12)
        assert abs(one["exponent"]["gamma"]) < 4 * one["exponent"]["gamma_error"]
    assert process.inputs.trace.uuid == trace.uuid


def test_measured_cycles_are_analysed_by_themselves_and_need_times(aiida_profile: Any) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 0.02, 40)
    points: dict[str, Any] = {
        **{"conductance_g0": values, "voltage_v": None, "current_a": None, "devices": ("wire",), "undefined": 0},
        **{"cycle": np.repeat([1, 2], 20), "device": np.zeros(40, dtype=np.int64)},
    }
    timed = MeasuredTraceData.from_trace(MeasuredTrace(**points, time_s=np.tile(np.arange(20.0), 2))).store()
    noise, _ = run_get_node(noise_of_trace, trace=timed)
    assert [one["name"] for one in noise["traces"]] == ["wire, cycle 1", "wire, cycle 2"]
    told = noise["traces"][1]["plateaus"][0]["fluctuation"]
    assert told["mean_g0"] == pytest.approx(values[20:].mean())
    untimed = MeasuredTraceData.from_trace(MeasuredTrace(**points, time_s=None)).store()
    _, process = run_get_node(noise_of_trace, trace=untimed)
    assert process.exit_status == 240
    assert "measured against time" in process.exit_message
