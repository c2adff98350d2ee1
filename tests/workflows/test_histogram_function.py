"""The histogram with provenance: what is counted, what refers back, what is refused."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import run_get_node
from tests.campaign.made_conductances import make_conductance

from aiida_rewire.data.trace import TraceData
from aiida_rewire.workflows.functions.histograms import conductance_histogram


def trace(conductances: list[float], **labels: Any) -> TraceData:
    """A stored trace."""
    rows: list[Any] = [
        {
            "time_ps": 0.1 * place,
            "step": place,
            "bonds": 1,
            "gap_left_a": 0.0,
            "conductance_g0": value,
            "unitarity": 0.0,
            "stage": "contact",
            "conductance_uuid": "",
            "reused_from": "",
            "missing": "why" if math.isnan(value) else "",
        }
        for place, value in enumerate(conductances)
    ]
    return TraceData.from_rows(rows, labels).store()


def ran(bins: dict[str, Any], **data: Any) -> tuple[dict[str, Any], Any]:
    outputs, process = run_get_node(conductance_histogram, bins=orm.Dict(bins), **data)
    return outputs, process


def test_traces_are_counted_and_the_histogram_knows_them(aiida_profile: object) -> None:
    rng = np.random.default_rng(0)
    values = {name: [*rng.normal(1.0, 0.05, 300).tolist(), math.nan, 7.0] for name in ("one", "two")}
    nodes = {name: trace(of, campaign="c", chain=name) for name, of in values.items()}
    outputs, process = ran({"highest_g0": 3.0}, **nodes)
    assert process.is_finished_ok
    assert process.process_type == "aiida.calculations:rewire.conductance_histogram"
    counted = outputs["histogram"]
    wanted = [np.histogram(of[:-2], np.linspace(0, 3, 61))[0].tolist() for of in values.values()]
    assert counted.get_array("counts").tolist() == wanted
    attributes = counted.base.attributes
    assert [attributes.get(name) for name in ("below", "above", "missing")] == [0, 2, 2]
    assert attributes.get("chains") == ["c/one", "c/two"]
    (peak,) = outputs["peaks"]["peaks"]
    assert abs(peak["position_g0"] - 1.0) < 4 * 0.05 / np.sqrt(600)
    origins = {node.uuid for node in process.base.links.get_incoming().all_nodes()}
    assert {node.uuid for node in nodes.values()} <= origins


def test_conductances_of_a_chain_are_counted_together(aiida_profile: object) -> None:
    label = f"function-{uuid.uuid4().hex[:8]}"
    nodes = {
        f"c{place}": make_conductance(label, chain, place, value)
        for place, (chain, value) in enumerate((("a", 0.5), ("a", 1.5), ("b", 0.25)))
    }
    outputs, _ = ran({"highest_g0": 2, "width_g0": 1}, **nodes)
    assert outputs["histogram"].get_array("counts").tolist() == [[1, 1], [1, 0]]
    assert outputs["peaks"]["peaks"] == []
    _, process = ran({}, **nodes, trace=trace([0.5], campaign=label, chain="a"))
    assert process.exit_status == 220
    assert f"{label}/a twice" in process.exit_message


def test_logarithmic_bins(aiida_profile: object) -> None:
    outputs, _ = ran({"logarithmic": True, "lowest_g0": 0.01, "highest_g0": 1, "per_decade": 1}, t=trace([0.05, 0.5]))
    assert outputs["histogram"].get_array("counts").tolist() == [[1, 1]]
    assert np.allclose(outputs["histogram"].get_array("edges_g0"), [0.01, 0.1, 1])


def test_what_cannot_be_counted_says_why(aiida_profile: object) -> None:
    one = trace([0.5])
    for bins, said in (
        ({"width_g0": 0.3}, "whole number of bins"),
        ({"widht": 1}, "widht"),
        ({"width_g0": "a"}, "a number"),
        ({"lowest_g0": 5}, "none"),
    ):
        _, process = ran(bins, t=one)
        assert process.exit_status == 220
        assert said in process.exit_message
    _, process = ran({})
    assert (process.exit_status, "chains = none" in process.exit_message) == (220, True)
