"""Silver's parameters against the published file that they were taken from."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import DATA_FILE, FORCE_FIELD_FILE, data_file

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "forcefields" / "ffield.reax.lloyd2016"

SINGLE_POINT = f"""\
units real
atom_style charge
boundary f f f
read_data {DATA_FILE}
pair_style reaxff NULL checkqeq yes
pair_coeff * * {FORCE_FIELD_FILE} Ag Ag Ag Ag
fix charges all qeq/reaxff 1 0.0 10.0 1.0e-10 reaxff maxiter 1000
dump forces all custom 1 forces.dump id fx fy fz q
dump_modify forces sort id format float %.17g
run 0
variable energy equal pe
print "energy $(v_energy:%.15g)"
"""

needs_the_published_file = pytest.mark.skipif(
    not PUBLISHED.is_file(),
    reason="the published ReaxFF file of Lloyd et al. 2016 has no licence text and does not come with the project",
)


def single_point(
    lammps: Callable[[Path, str], str], folder: Path, force_field: str, atoms: tuple[np.ndarray, list[int]]
) -> tuple[float, np.ndarray]:
    """Energy (kcal/mol), and forces (kcal/mol/Å) with charges (e), shape (n, 4)."""
    folder.mkdir()
    positions, types = atoms
    (folder / DATA_FILE).write_text(data_file(positions, types, [107.8682] * 4))
    (folder / FORCE_FIELD_FILE).write_text(force_field)
    log = lammps(folder, SINGLE_POINT)
    energy = re.findall(r"^energy (\S+)$", log, flags=re.MULTILINE)[-1]
    table = np.loadtxt(folder / "forces.dump", skiprows=9)
    return float(energy), table[:, 1:]


@pytest.mark.real
@needs_the_published_file
def test_the_table_gives_the_energy_and_the_forces_of_the_published_file(
    tmp_path: Path,
    lammps: Callable[[Path, str], str],
    displaced_tips: tuple[np.ndarray, list[int]],
) -> None:
    ours = single_point(lammps, tmp_path / "ours", force_field_text(silver_parameters()), displaced_tips)
    published = single_point(lammps, tmp_path / "published", PUBLISHED.read_text(), displaced_tips)
    # cohesion of silver is 2.95 eV an atom, 68 kcal/mol; tips have less
    assert -68 < ours[0] / 182 < -40
    assert ours[0] == pytest.approx(published[0], rel=0, abs=1e-9)
    assert ours[1].shape == (182, 4)
    assert np.abs(ours[1][:, :3]).max() > 1.0
    assert np.abs(ours[1] - published[1]).max() < 1e-9


@needs_the_published_file
def test_the_table_holds_the_numbers_of_the_published_file() -> None:
    lines = PUBLISHED.read_text().splitlines()

    def numbers(text: str) -> list[float]:
        return [float(word) for word in text.split("!")[0].split()]

    ours = silver_parameters()
    assert ours["general"] == pytest.approx([numbers(line)[0] for line in lines[2:41]])
    at = next(index for index, line in enumerate(lines) if line.split()[:1] == ["Ag"])
    rows = [lines[at].replace("Ag", "", 1), *lines[at + 1 : at + 4]]
    atom = [number for row in rows for number in numbers(row)]
    assert ours["atom"] == pytest.approx(atom)


def test_the_file_has_the_layout_of_reaxff() -> None:
    lines = force_field_text(silver_parameters()).splitlines()
    assert lines[1].split()[0] == "39"
    assert [len(line.split("!")[0].split()) for line in lines[2:41]] == [1] * 39
    atoms = lines[41:]
    assert atoms[0].split()[0] == "1"
    assert [len(line.split()) for line in atoms[4:8]] == [9, 8, 8, 8]
    assert atoms[4].split()[0] == "Ag"
    assert atoms[8].split()[0] == "1"
    assert atoms[10].split()[:2] == ["1", "1"]
    assert [len(line.split()) for line in atoms[10:12]] == [10, 8]
    assert [line.split()[0] for line in atoms[12:]] == ["0"] * 4


def test_no_digit_of_a_parameter_is_lost() -> None:
    table = silver_parameters()
    rows = [line.split("!")[0] for line in force_field_text(table).splitlines()[1:]]
    written = [float(word) for row in rows for word in row.split() if "." in word]
    assert written == pytest.approx([*table["general"], *table["atom"], *table["bond"]], rel=0, abs=1e-12)


def test_the_source_is_cited() -> None:
    table = silver_parameters()
    assert table["citation"]["doi"] == "10.1016/j.susc.2015.11.009"
    assert "Lloyd" in force_field_text(table).splitlines()[0]


@pytest.mark.parametrize(("key", "count"), [("general", 39), ("atom", 32), ("bond", 16)])
def test_a_table_with_a_number_too_few_is_refused(tmp_path: Path, key: str, count: int) -> None:
    table = dict(silver_parameters())
    table[key] = table[key][:-1]
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(table))
    with pytest.raises(ValueError, match=f"{key} has {count - 1} numbers: must be {count}"):
        silver_parameters(path)
