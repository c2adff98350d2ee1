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
from aiida_rewire.workflows.functions.measured import subtract_series_resistance

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
