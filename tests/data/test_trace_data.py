"""The node of a trace."""

import math

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.data.trace import TraceData, TraceRow

ROWS = [
    TraceRow(
        time_ps=0.0,
        step=1000,
        bonds=0,
        gap_left_a=6.5,
        conductance_g0=0.0021,
        unitarity=1e-5,
        stage="gap",
        conductance_uuid="0b1c",
        reused_from="",
        missing="",
    ),
    TraceRow(
        time_ps=0.2,
        step=1200,
        bonds=1,
        gap_left_a=0.0,
        conductance_g0=math.nan,
        unitarity=math.nan,
        stage="contact",
        conductance_uuid="",
        reused_from="",
        missing="pw.x <12> [410] not converged",
    ),
]


def same(one: TraceRow, other: TraceRow) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one.values(), other.values(), strict=True))


def test_a_stored_trace_loads_with_its_rows_the_missing_ones_included() -> None:
    node = TraceData.from_rows(ROWS, {"campaign": "c", "voltage_v": 2.0}).store()
    loaded = orm.load_node(node.uuid)
    assert isinstance(loaded, TraceData)
    rows = loaded.rows()
    assert [list(row) for row in rows] == [list(rows[0])] * 2
    assert set(rows[0]) == set(TraceRow.__annotations__)
    for row, wanted in zip(rows, ROWS, strict=True):
        assert same({key: row[key] for key in wanted}, wanted)
    assert math.isnan(rows[1]["conductance_g0"])
    assert isinstance(rows[0]["step"], int)


def test_snapshots_and_missing_ones_are_counted_for_queries() -> None:
    TraceData.from_rows(ROWS, {"campaign": "query"}).store()
    TraceData.from_rows(ROWS[:1], {"campaign": "query"}).store()
    filters = {"attributes.campaign": "query", "attributes.n_missing": {">": 0}}
    query = orm.QueryBuilder().append(TraceData, filters=filters, project=["attributes.n_snapshots"])
    assert query.all(flat=True) == [2]


def test_a_trace_whose_conductances_are_all_missing_is_stored() -> None:
    node = TraceData.from_rows(ROWS[1:], {}).store()
    assert node.base.attributes.get("n_missing") == 1
    assert np.isnan(node.get_array("conductance_g0")).all()


def test_an_empty_trace_has_no_rows() -> None:
    assert TraceData.from_rows([], {}).store().rows() == []


def test_a_label_that_would_be_hidden_is_refused() -> None:
    for label in ("stage", "missing", "conductance_uuid", "n_snapshots", "n_missing"):
        with pytest.raises(ValueError, match=f"labels = {label}"):
            TraceData.from_rows(ROWS, {label: "x"})
