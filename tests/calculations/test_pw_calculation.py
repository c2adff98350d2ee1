"""The input of pw.x holds cell and positions to the last digit that the database has."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.pw import exact_digits

Prepare = Callable[..., tuple[Path, Any]]
Silver = Callable[[np.ndarray, np.ndarray], orm.StructureData]

TEN_DIGITS = """&SYSTEM
  nat = 2
/
ATOMIC_SPECIES
Ag     107.8682 Ag.upf
ATOMIC_POSITIONS angstrom
Ag           0.0000000000       0.0000000000       0.0000000000
Ag           1.4707821049       0.8491564443       2.4017771198
K_POINTS automatic
1 1 1 0 0 0
CELL_PARAMETERS angstrom
      5.8831282494       0.0000000000       0.0000000000
      2.9415641247       5.0949385276       0.0000000000
      0.0000000000       0.0000000000       7.2053313593
"""
CELL = [[4.16 * np.sqrt(2), 0.0, 0.0], [4.16 / np.sqrt(2), 4.16 * np.sqrt(1.5), 0.0], [0.0, 0.0, 4.16 * np.sqrt(3)]]
SITES = [("Ag", (0.0, 0.0, 0.0)), ("Ag", (1.4707821048680187, 0.8491564443, 2.401777119828184))]


def numbers_after(text: str, card: str, rows: int) -> list[list[str]]:
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(card)) + 1
    return [line.split() for line in lines[start : start + rows]]


def test_every_number_has_fifteen_decimals() -> None:
    text = exact_digits(TEN_DIGITS, CELL, SITES)
    rows = numbers_after(text, "CELL_PARAMETERS angstrom", 3)
    rows += [row[1:] for row in numbers_after(text, "ATOMIC_POSITIONS angstrom", 2)]
    assert all(re.fullmatch(r"-?\d+\.\d{15}", number) for row in rows for number in row)


def test_the_numbers_are_those_of_the_structure_to_the_last_digit() -> None:
    text = exact_digits(TEN_DIGITS, CELL, SITES)
    cell = np.array(numbers_after(text, "CELL_PARAMETERS", 3), dtype=float)
    assert np.abs(cell - CELL).max() < 1e-15
    positions = np.array([row[1:] for row in numbers_after(text, "ATOMIC_POSITIONS", 2)], dtype=float)
    assert np.abs(positions - [position for _, position in SITES]).max() < 1e-15
    # the hexagon closes, as it does not with ten decimals
    assert np.linalg.norm(cell[0]) == pytest.approx(np.linalg.norm(cell[1]), abs=4e-15)


def test_the_rest_of_the_input_is_left_alone() -> None:
    def rest(text: str) -> list[str]:
        return [line for line in text.splitlines() if not re.search(r"\d\.\d{10,}", line)]

    text = exact_digits(TEN_DIGITS, CELL, SITES)
    assert rest(text) == rest(TEN_DIGITS)
    assert len(text.splitlines()) == len(TEN_DIGITS.splitlines())


@pytest.mark.parametrize(
    ("old", "new"), [("CELL_PARAMETERS angstrom", "CELL_PARAMETERS alat"), ("ATOMIC_POS", "POS")]
)
def test_an_input_without_the_cards_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="must be one each"):
        exact_digits(TEN_DIGITS.replace(old, new), CELL, SITES)


def test_an_input_with_fewer_atoms_than_the_structure_is_refused() -> None:
    text = TEN_DIGITS[: TEN_DIGITS.index("K_POINTS")] + TEN_DIGITS[TEN_DIGITS.index("CELL_PARAMETERS") :]
    with pytest.raises(ValueError, match="must be one each"):
        exact_digits(text, CELL, SITES * 4)


@pytest.fixture(scope="module")
def inputs(
    cluster: orm.Computer,
    lead_cell: tuple[np.ndarray, np.ndarray],
    silver: Silver,
    upf: Callable[..., UpfData],
) -> dict[str, Any]:
    """Inputs of the SCF of a lead, its structure stored and loaded again."""
    structure = silver(*lead_cell).store()
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 2])
    return {
        "code": orm.InstalledCode(computer=cluster, filepath_executable="/bin/true", label="pw"),
        "structure": orm.load_node(structure.uuid),
        "pseudos": {"Ag": upf()},
        "kpoints": mesh,
        "parameters": orm.Dict({"CONTROL": {"calculation": "scf"}, "SYSTEM": {"ecutwfc": 10.0, "nr1": 27}}),
        "metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}},
    }


def test_the_input_file_of_a_lead_is_exact(
    prepare: Prepare, inputs: dict[str, Any], lead_cell: tuple[np.ndarray, np.ndarray]
) -> None:
    folder, _ = prepare("rewire.pw", inputs)
    text = (folder / "aiida.in").read_text()
    cell, positions = lead_cell
    # the database keeps fourteen digits
    assert np.array(numbers_after(text, "CELL_PARAMETERS", 3), dtype=float) == pytest.approx(cell, abs=1e-12)
    written = np.array([row[1:] for row in numbers_after(text, "ATOMIC_POSITIONS", 12)], dtype=float)
    assert written == pytest.approx(positions, abs=1e-12)
    assert (written[:4, 2] == 0.0).all()
    assert "nr1 = 27" in text


def test_lead_and_junction_write_the_same_lateral_digits(
    prepare: Prepare,
    inputs: dict[str, Any],
    lead_cell: tuple[np.ndarray, np.ndarray],
    junction_cell: tuple[np.ndarray, np.ndarray],
    silver: Silver,
    tmp_path: Path,
) -> None:
    written = []
    for cell in (lead_cell, junction_cell):
        folder, _ = prepare("rewire.pw", {**inputs, "structure": silver(*cell).store()})
        text = (folder / "aiida.in").read_text()
        written.append((numbers_after(text, "CELL_PARAMETERS", 2), numbers_after(text, "ATOMIC_POSITIONS", 4)))
        folder.rename(tmp_path / f"of {len(cell[1])} atoms")
    assert written[0] == written[1]


def test_fixed_coordinates_stay_fixed(prepare: Prepare, inputs: dict[str, Any]) -> None:
    fixed = [[True, True, True]] * 4 + [[False, False, False]] * 8
    folder, _ = prepare("rewire.pw", {**inputs, "settings": orm.Dict({"FIXED_COORDS": fixed})})
    rows = numbers_after((folder / "aiida.in").read_text(), "ATOMIC_POSITIONS", 12)
    assert [row[4:] for row in rows] == [["0", "0", "0"]] * 4 + [["1", "1", "1"]] * 8
