"""Queries for conductances on SQLite; what they answer on PostgreSQL is checked by the same code elsewhere."""

from typing import Any

import pytest
from tests.database.query_checks import check_all

from aiida_rewire.database.queries import Selection, conductances, histogram
from aiida_rewire.errors import InvalidInput


def test_queries_answer_what_is_there(aiida_profile: Any) -> None:
    check_all()


@pytest.mark.parametrize("edges", [[], [1.0], [1.0, 1.0], [2.0, 1.0], [0.0, float("nan")], [0.0, float("inf")]])
def test_edges_that_are_no_bins_are_refused(edges: list[float]) -> None:
    with pytest.raises(InvalidInput, match="edges"):
        histogram(edges)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bound_that_is_no_number_is_refused(aiida_profile: Any, value: float) -> None:
    for selection in (Selection(voltage_v=value), Selection(transmission=(0.0, value))):
        with pytest.raises(InvalidInput, match="bound of a selection"):
            conductances(selection)
