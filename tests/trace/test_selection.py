"""Criteria: what meets them, and what there is when nothing does."""

from typing import Any

import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.selection import Criteria, select, what_there_is

Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("selection", "times"),
    [
        (Criteria(), [0.0, 0.2, 0.4, 0.6, 0.8]),
        (Criteria(between_g0=(0.02, 1.00066)), [0.2, 0.6]),
        (Criteria(bonds=0), [0.0, 0.2]),
        (Criteria(stage="contact"), [0.4, 0.6]),
        (Criteria(stage="contact", between_g0=(0, 10)), [0.6]),
        (Criteria(between_ps=(0.2, 0.6), bonds=1), [0.4, 0.6]),
    ],
)
def test_points_that_meet_every_criterion_are_chosen(rows: Rows, selection: Criteria, times: list[float]) -> None:
    assert [row["time_ps"] for row in select(rows, selection)] == times


def test_nothing_chosen_says_what_there_is(rows: Rows) -> None:
    with pytest.raises(InvalidInput) as refusal:
        select(rows, Criteria(between_g0=(1.2, 1.4), bonds=1, stage="gap", between_ps=(0, 1)))
    said = str(refusal.value)
    assert "from 1.2 to 1.4 G0, 1 bond, stage gap, from 0 to 1 ps" in said
    assert "5 points from 0 to 0.8 ps; 0.0001 to 4.5 G0; 1 missing" in said
    assert "bonds 0 (2), 1 (2), 7 (1)" in said
    assert "gap (1), islands (1), contact (2), growth (1)" in said
    assert "\n" not in said


def test_nothing_to_choose_from_is_said(rows: Rows) -> None:
    assert what_there_is([]) == "no point at all"
    assert "no conductance; 1 missing" in what_there_is(rows[2:3])
    with pytest.raises(InvalidInput, match="everything"):
        select([], Criteria())


@pytest.mark.parametrize("name", ["between_g0", "between_ps"])
def test_a_range_that_holds_nothing_is_refused(name: str) -> None:
    for ends in ((2.0, 1.0), (float("nan"), 1.0)):
        with pytest.raises(InvalidInput, match=f"{name} = .*the lower number first"):
            Criteria(**{name: ends})  # type: ignore[arg-type]
