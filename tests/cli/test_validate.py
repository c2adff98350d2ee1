"""The table of known answers: what is compared, and when it is bad."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from aiida_rewire.cli.validate import Row, overrides_of, row_of, setups_of, table_of, with_pseudos
from aiida_rewire.transport.known_answers import known_answers, reciprocal_pairs
from aiida_rewire.workflows.protocols import load_protocol

ANSWERS = {answer.name: answer for answer in known_answers()}
WIRE, POLARISED = ANSWERS["Ag wire, frozen d"], ANSWERS["Ag wire, frozen d, two spins"]
PUBLISHED = ANSWERS["Al wire with H, example01"]


class Conductance(SimpleNamespace):
    """As much of a node as is compared."""

    def get_array(self, name: str) -> np.ndarray:
        found: np.ndarray = getattr(self, name)
        return found


def ended(transmission: Any = None, **arrays: Any) -> Any:
    """A work chain that ended, with a conductance unless there is no transmission."""
    if transmission is None:
        return SimpleNamespace(is_finished_ok=False, exit_message="unitarity is broken", pk=1)
    attributes = SimpleNamespace(get=lambda name: 2e-5)
    node = Conductance(transmission=np.array(transmission), base=SimpleNamespace(attributes=attributes), **arrays)
    return SimpleNamespace(is_finished_ok=True, outputs=SimpleNamespace(conductance=node))


def test_the_largest_difference_decides() -> None:
    expected = np.array(WIRE.expected)
    good = row_of(WIRE, [ended(expected + 0.5 * WIRE.tolerance)], 3.0)
    assert good.good
    assert good.unitarity == 2e-5
    off = expected.copy()
    off[2] -= 0.25
    bad = row_of(WIRE, [ended(off)], 3.0)
    assert not bad.good
    assert (bad.got, bad.expected) == (expected[2] - 0.25, expected[2])
    assert bad.difference == pytest.approx(0.25)


def test_each_spin_is_compared() -> None:
    energies, kpoints = len(POLARISED.expected), 2
    spins = np.broadcast_to(np.array(POLARISED.expected)[None, :, None], (2, energies, kpoints)).copy()
    weights = np.array([0.5, 0.5])
    assert row_of(POLARISED, [ended([], transmission_spin=spins, weights=weights)], 1.0).good
    spins[0] += 0.1
    spins[1] -= 0.1
    # their mean is right
    assert not row_of(POLARISED, [ended([], transmission_spin=spins, weights=weights)], 1.0).good


def test_a_pair_is_compared_at_every_point() -> None:
    pair = reciprocal_pairs()[0]
    assert len(setups_of(pair)) == 2
    one = np.array([[0.1, 0.9], [0.5, 0.5]])
    assert row_of(pair, [ended(one), ended(one.copy())], 1.0).good
    # equal on average, not at each k
    assert not row_of(pair, [ended(one), ended(one[:, ::-1])], 1.0).good


def test_a_case_without_a_transmission_is_bad() -> None:
    row = row_of(WIRE, [ended()], 1.0)
    assert not row.good
    assert row.failure == "unitarity is broken"


def test_cases_whose_pseudopotentials_are_missing_are_named(tmp_path: Path) -> None:
    cases = [WIRE, PUBLISHED]
    ready, skipped = with_pseudos(cases, None)
    assert ready == [WIRE]
    assert skipped[0][0] is PUBLISHED
    assert "Al.pz-vbc.UPF" in skipped[0][1]
    for name in ("Al.pz-vbc.UPF", "H.pz-vbc.UPF"):
        (tmp_path / name).write_text("")
    assert with_pseudos(cases, tmp_path) == (cases, [])


@pytest.mark.parametrize("case", [*known_answers(), *reciprocal_pairs()], ids=lambda case: case.name)
def test_every_setup_overrides_the_protocol(case: Any) -> None:
    for setup in setups_of(case):
        values = load_protocol("demo", overrides_of(setup, case.unitarity_tolerance), workflow="transmission")
        assert values["pwcond"]["energies"] == list(setup.energies)
        assert values["pwcond"]["parameters"]["epsproj"] == setup.numerics.pwcond["epsproj"]
        assert values["lead"]["kpoints_mesh"] == list(setup.lead_mesh.mesh)
        assert values["scf"]["parameters"]["SYSTEM"]["ecutwfc"] == setup.numerics.system["ecutwfc"]


def test_the_table_says_what_is_wrong() -> None:
    good = Row("wire", "physics", 1.0, 1.0, 0.0, 1e-5, 0.0, 4.0)
    rows = [good, replace(good, name="off", got=0.5, difference=0.5), Row("none", "", failure="pw.x stopped")]
    console = Console(width=160, record=True, quiet=False, file=io.StringIO())
    console.print(table_of(rows))
    lines = console.export_text().splitlines()
    assert next(line for line in lines if "wire" in line).rstrip(" │").endswith("ok")
    assert next(line for line in lines if " off" in line).rstrip(" │").endswith("differs")
    assert "pw.x stopped" in next(line for line in lines if "none" in line)
