"""Other numerics for a (k, E) at which those that were asked for fail."""

from collections.abc import Mapping

import pytest

from aiida_rewire.transport.numerics import DEFAULTS, ladder
from aiida_rewire.transport.pwcond_input import BOUNDS, check_parameters


def test_the_first_rung_is_what_was_asked_for() -> None:
    for asked in ({}, {"ewind": 2.0, "epsproj": 1e-5, "nz1": 3}):
        assert ladder(asked)[0].as_dict() == {}
        assert ladder(asked)[0].energy_shift_ev == 0.0


def test_each_rung_changes_one_thing_to_a_finer_one() -> None:
    rungs = [rung.as_dict() for rung in ladder({"ewind": 2.0, "epsproj": 1e-5, "nz1": 3})]
    assert rungs == [
        {},
        {"ewind": 3.0},
        {"epsproj": pytest.approx(1e-6)},
        {"nz1": 5},
        # of meV: far below kT at room temperature, 26 meV
        {"energy_shift_ev": 1e-3},
    ]


def test_what_was_not_asked_for_starts_from_what_is_written_instead() -> None:
    rungs = [rung.as_dict() for rung in ladder({})]
    assert rungs[1] == {"ewind": DEFAULTS["ewind"] + 1.0}
    assert rungs[2] == {"epsproj": pytest.approx(DEFAULTS["epsproj"] / 10)}
    # whole, as pwcond.x reads it
    assert rungs[3] == {"nz1": 13}
    assert type(rungs[3]["nz1"]) is int


def test_other_keys_change_nothing() -> None:
    assert ladder({"ecut2d": 20.0, "ewind": "2", "iverbosity": 1}) == ladder({})


@pytest.mark.parametrize("asked", [{}, {"ewind": 20.0}, {"epsproj": 1e-3}, {"nz1": 3}, {"nz1": 99}])
def test_every_rung_is_one_that_pwcond_takes(asked: Mapping[str, object]) -> None:
    for rung in ladder(asked):
        check_parameters({**asked, **rung.parameters})


@pytest.mark.parametrize("key", ["ewind", "nz1"])
def test_every_rung_stays_within_the_bounds(key: str) -> None:
    asked = {key: int(BOUNDS[key][1])}
    for rung in ladder(asked):
        check_parameters({**asked, **rung.parameters})
