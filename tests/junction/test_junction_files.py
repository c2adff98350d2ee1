"""Files of junctions are read back as they were, whatever the labels."""

import io
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.io import read

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.export import file_stem, junction_text

UUID = "7ffb9eca-718a-47ed-a099-4ad5f3f98604"
HOSTILE = (
    "../../x",
    "quotes \" and ' both",
    "two\nlines\r\nand\ttabs",
    "back\\slash\\",
    "a=b c=d",
    "{[(",
    'energy=1 Properties=species:S:1 "',
    "-rf",
    "..",
    "/etc/passwd",
    "C:\\x",
    "\x00\x1b[31mred",
    "Å µ 銀",
    "x" * 500,
    "_JSON {",
    "",
)


@pytest.fixture
def atoms() -> Atoms:
    slab = fcc111("Ag", (2, 2, 3), a=4.16, vacuum=3.0)
    slab.pbc = True
    slab.rattle(0.1, seed=1)
    return slab


@pytest.mark.parametrize("label", HOSTILE)
def test_extended_xyz_is_read_back(atoms: Atoms, label: str) -> None:
    facts: dict[str, Any] = {
        "uuid": UUID,
        "transmission": 0.9763403123456789,
        "voltage_v": 8.0,
        "time_ps": 1.2,
        "bonds": np.int64(1),
        "chain": label,
        "note": None,
    }
    text = junction_text(atoms, facts, "extxyz")
    assert len(text.splitlines()) == 2 + len(atoms)
    back = read(io.StringIO(text), format="extxyz")
    assert np.allclose(back.positions, atoms.positions, atol=1e-7)
    assert np.allclose(back.cell, atoms.cell, atol=1e-12)
    assert back.pbc.all()
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert back.info["uuid"] == UUID
    assert back.info["transmission"] == facts["transmission"]
    assert (back.info["voltage_v"], back.info["time_ps"], back.info["bonds"]) == (8.0, 1.2, 1)
    assert unquote(back.info.get("chain", "")) == label
    assert set(back.info) <= {"uuid", "transmission", "voltage_v", "time_ps", "bonds", "chain"}


@pytest.mark.parametrize("label", HOSTILE)
def test_cif_is_read_back(atoms: Atoms, label: str) -> None:
    text = junction_text(atoms, {"uuid": UUID, "transmission": 0.5, "chain": label}, "cif")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments[:2] == [f"# uuid = {UUID}", "# transmission = 0.5"]
    assert [unquote(line.removeprefix("# chain = ")) for line in comments[2:]] == ([label] if label else [])
    back = read(io.BytesIO(text.encode()), format="cif")
    assert len(back) == len(atoms)
    assert np.allclose(back.cell.cellpar(), atoms.cell.cellpar(), atol=1e-4)
    # CIF holds fractions to fewer digits, and another frame of axes
    near = back.get_all_distances(mic=True)
    assert np.allclose(near, atoms.get_all_distances(mic=True), atol=2e-3)


@pytest.mark.parametrize("label", HOSTILE)
def test_a_name_of_a_file_is_one_plain_name(label: str) -> None:
    stem = file_stem(label, 12, UUID)
    assert stem.endswith("snapshot-0012_7ffb9eca")
    assert stem.isascii()
    assert stem.isprintable()
    assert not stem.startswith(("-", "."))
    assert len(stem) < 80
    for kind in (PurePosixPath, PureWindowsPath):
        assert kind(f"folder/{stem}.cif").parts == ("folder", f"{stem}.cif")


def test_a_plain_name_stays_as_it_is() -> None:
    assert file_stem("8V-s1", 3, UUID) == "8V-s1_snapshot-0003_7ffb9eca"
    assert file_stem("", None, UUID) == "7ffb9eca"


def test_another_format_is_refused(atoms: Atoms) -> None:
    with pytest.raises(InvalidInput, match="one of extxyz, cif"):
        junction_text(atoms, {}, "xyz")
