"""A wrong input of the demo gets one line, before anything is submitted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.real.conftest import run

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--gap", "-1", ("gap = -1.0 Å", "a number from 2.00 Å on")),
        ("--base-side", "2", ("base_side = 2 atoms", "at least 3")),
        ("--temperature", "5000", ("temperature_k = 5000.0", "1235 K")),
        ("--temperature", "-3", ("temperature_k = -3.0", "above 0")),
        ("--timestep", "20", ("timestep_fs = 20.0", "2 fs")),
        ("--seed", "0", ("seed = 0", "from 1")),
        ("--supercell", "0", ("supercell = 0", "from 1")),
        ("--voltage", "1000", ("voltage_v = 1000.0", "50 V")),
    ],
)
def test_is_refused_in_a_line(tmp_path: Path, option: str, value: str, words: tuple[str, ...]) -> None:
    ran = run(tmp_path, "demo", option, value)
    assert ran.status == 1
    assert "Traceback" not in ran.output
    error = [line for line in ran.output.splitlines() if line.startswith("Error")]
    assert len(error) == 1
    for word in words:
        assert word in error[0]
    assert not list(tmp_path.iterdir()), "nothing was set up, let alone submitted"


def test_a_missing_code_is_named(tmp_path: Path) -> None:
    ran = run(tmp_path, "demo", PATH=str(tmp_path))
    assert ran.status == 1
    assert "pw.x" in ran.output
    assert "aiida-rewire doctor" in ran.output
    assert "Traceback" not in ran.output
    assert not (tmp_path / ".rewire").exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    for arguments in (("demo",), ("demo", "--clean")):
        ran = run(tmp_path, *arguments, "--directory", "mine")
        assert ran.status == 1
        assert "must be empty or made by aiida-rewire" in ran.output
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all of it"
