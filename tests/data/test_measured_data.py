"""Measured points as a node: its file, its numbers, and what was taken off."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError
from aiida.engine import run_get_node
from aiida.plugins import DataFactory

from aiida_rewire.data.measured import SOURCE, MeasuredTraceData
from aiida_rewire.trace.measured import MeasuredTrace
from aiida_rewire.trace.series_resistance import without_series_resistance
from aiida_rewire.workflows.functions.measured import series_resistance_of_peaks, subtract_series_resistance

TEXT = "time_s,voltage_V,current_uA,cycle,device\n0,0.1,7.7,1,A\n1,0,0.1,1,A\n2,0.1,15.4,2,B\n"


@pytest.fixture
def node(tmp_path: Path) -> MeasuredTraceData:
    path = tmp_path / "wire.csv"
    path.write_text(TEXT)
    return MeasuredTraceData.from_file(path)


def same(one: MeasuredTrace, other: MeasuredTrace) -> bool:
    return all(
        np.array_equal(value, getattr(other, name), equal_nan=True)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else np.array_equal(value, getattr(other, name))
        for name, value in vars(one).items()
    )


def test_a_stored_node_keeps_its_points_and_its_file(node: MeasuredTraceData) -> None:
    trace = node.trace()
    loaded = orm.load_node(node.store().uuid)
    assert type(loaded) is DataFactory("rewire.measured")
    assert same(loaded.trace(), trace)
    assert loaded.base.repository.get_object_content(SOURCE) == TEXT
    attributes = loaded.base.attributes
    assert attributes.get("sha256") == hashlib.sha256(TEXT.encode()).hexdigest()
    assert attributes.get("filename") == "wire.csv"
    assert [attributes.get(name) for name in ("n_points", "n_undefined", "n_cycles")] == [3, 1, 2]


def test_devices_are_found_by_a_query(node: MeasuredTraceData) -> None:
    node.store()
    query = orm.QueryBuilder().append(
        MeasuredTraceData, filters={"attributes.devices": {"contains": ["B"]}, "uuid": node.uuid}
    )
    assert [found.uuid for found in query.all(flat=True)] == [node.uuid]


def test_a_series_resistance_is_taken_off_with_its_provenance(node: MeasuredTraceData) -> None:
    corrected, process = run_get_node(
        subtract_series_resistance, measured=node.store(), resistance_ohm=orm.Float(500)
    )
    assert process.is_finished_ok
    wanted = without_series_resistance(node.trace().conductance_g0, 500)
    assert np.array_equal(corrected.trace().conductance_g0, wanted, equal_nan=True)
    assert corrected.base.attributes.get("series_resistance_ohm") == 500
    assert np.array_equal(corrected.trace().voltage_v, node.trace().voltage_v)
    assert corrected.creator.inputs.measured.uuid == node.uuid
    twice, _ = run_get_node(subtract_series_resistance, measured=corrected, resistance_ohm=orm.Float(100))
    assert twice.base.attributes.get("series_resistance_ohm") == 600


def test_a_resistance_that_makes_points_negative_ends_with_an_exit_code(node: MeasuredTraceData) -> None:
    _, process = run_get_node(subtract_series_resistance, measured=node.store(), resistance_ohm=orm.Float(1e6))
    assert process.exit_status == 200
    assert "2 of 3 points" in process.exit_message


def test_what_is_incomplete_is_not_stored(node: MeasuredTraceData) -> None:
    with pytest.raises(ValidationError, match="no conductance_g0, cycle, device"):
        MeasuredTraceData().store()
    node.set_array("cycle", np.zeros(2, dtype=np.int64))
    with pytest.raises(ValidationError, match=r"one shape \(n,\)"):
        node.store()
    node.set_array("cycle", np.zeros(3, dtype=np.int64))
    node.set_array("device", np.array([0, 1, 2]))
    with pytest.raises(ValidationError, match="indices of 2 devices"):
        node.store()


def test_a_cycle_is_given_where_the_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "wire.csv"
    path.write_text("conductance_G0\n1\n2\n")
    assert MeasuredTraceData.from_file(path, cycle=7).trace().cycle.tolist() == [7, 7]
    path.write_text(TEXT)
    assert MeasuredTraceData.from_file(path, cycle=7).trace().cycle.tolist() == [1, 1, 2]


def wire(path: Path, cycles: range, resistance_ohm: float) -> MeasuredTraceData:
    """A stored node of plateaus at one, two and three quanta behind a resistance, many points a cycle."""
    rng = np.random.default_rng(cycles.start)
    lines = ["cycle,conductance_G0"]
    for cycle in cycles:
        junction = np.repeat([1.0, 2.0, 3.0] * np.exp(rng.normal(0, 0.01, 3)), 300) + rng.normal(0, 0.06, 900)
        lines += [f"{cycle},{g:.6g}" for g in (1 / (1 / junction + resistance_ohm * 7.748091729e-5)).tolist()]
    path.write_text("\n".join(lines))
    return MeasuredTraceData.from_file(path, device="wire").store()


def test_a_resistance_is_fitted_to_the_cycles_of_all_files_with_its_provenance(tmp_path: Path) -> None:
    nodes = {
        f"measured_{place:04d}": wire(tmp_path / f"{place}.csv", range(10 * place, 10 * place + 10), 300)
        for place in range(2)
    }
    outputs, process = run_get_node(series_resistance_of_peaks, **nodes)
    assert process.is_finished_ok, process.exit_message
    fit = outputs["fit"].get_dict()
    assert abs(fit["ohm"] - 300) < 4 * fit["error_ohm"]
    assert 0 < fit["error_ohm"] < 40
    assert outputs["resistance_ohm"].value == fit["ohm"]
    assert (fit["cycles"], fit["multiples"], len(fit["peaks"])) == (20, [1, 2, 3], 3)
    corrected, process = run_get_node(subtract_series_resistance, measured=nodes["measured_0001"], **outputs)
    assert process.is_finished_ok
    attributes = corrected.base.attributes
    assert attributes.get("series_resistance_ohm") == fit["ohm"]
    assert attributes.get("series_resistance_error_ohm") == fit["error_ohm"]
    # the error goes back to what was measured, that of the other file too
    assert corrected.creator.inputs.fit.creator.inputs.measured_0000.uuid == nodes["measured_0000"].uuid
    twice, _ = run_get_node(subtract_series_resistance, measured=corrected, resistance_ohm=orm.Float(10))
    assert twice.base.attributes.get("series_resistance_error_ohm") == fit["error_ohm"]


def test_what_cannot_be_fitted_ends_with_an_exit_code(node: MeasuredTraceData) -> None:
    _, process = run_get_node(series_resistance_of_peaks, measured_0000=node.store())
    assert process.exit_status == 210
    assert "peaks = none" in process.exit_message
