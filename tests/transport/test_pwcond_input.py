"""The input file of pwcond.x."""

import math

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.numerics import DEFAULTS
from aiida_rewire.transport.pwcond_input import (
    BOUNDS,
    FREE_KEYS,
    OWNED_KEYS,
    check_parameters,
    fortran_value,
    pwcond_input,
)

KPOINTS = np.array([[0.1, 0.2], [1 / 3, -1 / 3]])
WEIGHTS = np.array([1.0, 3.0])


def lines_of(*energies: float, **namelist: object) -> list[str]:
    return pwcond_input(namelist, KPOINTS, WEIGHTS, energies).splitlines()


def test_energies_are_written_in_descending_order() -> None:
    lines = lines_of(-0.2, 0.1, 0.0)
    assert lines[-4:] == ["3", "0.1000000", "0.0000000", "-0.2000000"]


def test_k_points_come_with_their_number_and_their_weights() -> None:
    lines = lines_of(0.0)
    end = lines.index("/")
    assert lines[end + 1] == "2"
    rows = [[float(word) for word in line.split()] for line in lines[end + 2 : end + 4]]
    assert rows[0] == [0.1, 0.2, 1.0]
    assert rows[1] == pytest.approx([1 / 3, -1 / 3, 3.0], abs=1e-10)
    assert lines[end + 4 :] == ["1", "0.0000000"]


def test_the_namelist_holds_every_key_as_fortran() -> None:
    lines = lines_of(0.0, prefixl="lead", ikind=1, bdl=1.25, lorb=False, ewind=0.5)
    assert lines[0] == "&inputcond"
    assert lines[1:7] == [
        "  bdl = 1.250000000000d+00",
        "  ewind = 5.000000000000d-01",
        "  ikind = 1",
        "  lorb = .false.",
        "  prefixl = 'lead'",
        "/",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, ".true."), (False, ".false."), (3, "3"), (-1, "-1"), ("x", "'x'"), ("a" * 50, f"'{'a' * 50}'")],
)
def test_values_as_fortran(value: object, text: str) -> None:
    assert fortran_value(value) == text


@pytest.mark.parametrize("value", [1.0, 1e-3, -2.5, 1e-300, math.pi, math.sqrt(1.5) * 2])
def test_a_real_number_keeps_thirteen_digits(value: float) -> None:
    text = fortran_value(value)
    assert "d" in text
    assert float(text.replace("d", "e")) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "value",
    ["a" * 51, "it's", "two\nlines", None, [1.0], {"a": 1}, 1j, math.nan, math.inf, -math.inf],
)
def test_what_has_no_place_in_a_namelist_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no place in a namelist"):
        fortran_value(value)


def test_as_many_weights_as_k_points() -> None:
    with pytest.raises(ValueError, match="zip"):
        pwcond_input({}, KPOINTS, np.array([1.0]), [0.0])


def test_no_key_is_both_free_and_owned() -> None:
    assert set() == FREE_KEYS & OWNED_KEYS
    # these print wrong transmissions
    assert {"recover", "lread_cond"} <= OWNED_KEYS
    # these would compute another spin, or in another order, than is recorded
    assert {"iofspin", "loop_ek"} <= OWNED_KEYS
    assert set(BOUNDS) <= FREE_KEYS


def test_the_defaults_are_parameters() -> None:
    check_parameters(DEFAULTS)
    assert set(DEFAULTS) <= FREE_KEYS


@pytest.mark.parametrize("key", sorted(OWNED_KEYS))
def test_an_owned_key_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidInput, match=f"^parameters = {key}: must be left to the plugin"):
        check_parameters({"ewind": 1.0, key: 1})


@pytest.mark.parametrize("key", sorted(BOUNDS))
def test_a_number_stays_within_its_bounds(key: str) -> None:
    low, high = BOUNDS[key]
    check_parameters({key: low})
    check_parameters({key: high})
    for value in (low - 1, high + 1, "1", True):
        with pytest.raises(InvalidInput, match=rf"^parameters\.{key} = "):
            check_parameters({key: value})
