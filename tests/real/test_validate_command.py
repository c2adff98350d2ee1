"""`aiida-rewire validate` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.real.conftest import run

pytestmark = pytest.mark.real


@pytest.mark.nightly
def test_known_answers_are_computed_and_nothing_is_left(tmp_path: Path) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    ran = run(tmp_path, "validate", "--only", "two spins", "--json", TMPDIR=str(scratch))
    assert ran.status == 0, ran.output
    rows = json.loads(ran.output[ran.output.index("[\n") :])
    assert [row["name"] for row in rows] == ["Ag wire, frozen d, two spins"]
    assert rows[0]["good"]
    assert rows[0]["difference"] <= rows[0]["tolerance"] <= 1e-3
    assert rows[0]["unitarity"] <= 1e-4
    assert not list(scratch.glob("aiida-rewire-validate-*"))


def test_a_name_that_no_case_has(tmp_path: Path) -> None:
    ran = run(tmp_path, "validate", "--only", "gold")
    assert ran.status == 1
    assert ran.output.strip().splitlines()[-1].startswith("Error: only = gold: must be part of a case's name")
    assert "Traceback" not in ran.output
