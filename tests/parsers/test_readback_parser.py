"""How a read-back ends, on the recorded density of a small silver cell."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.readback import read_charge_density

# the recorded runs: three layers 1 x 1 of Ag(111), frozen-d pseudopotential, 6 Ry, 15 decimals
LATTICE = Fcc111(4.16, 1)
RUN = {"fft_grid": (9, 9, 24), "smooth_fft_grid": (9, 9, 24), "fermi_energy": -0.6775}
NAMES = {"charge-density.dat": "charge-density.dat", "density.grid": "density.pp", "potential.grid": "potential.pp"}
PRINTED = {
    "density.out": b"     POST-PROC    :      0.04s CPU      0.23s WALL\n\n     JOB DONE.\n",
    "potential.out": b"     POST-PROC    :     1m 2.04s CPU     1m 3.50s WALL\n\n     JOB DONE.\n",
}
WALL_S = 0.23 + 63.5


@pytest.fixture
def left(tmp_path: Path) -> Callable[..., Path]:
    """Lay out what is retrieved for the parser alone; None leaves a file out."""

    def factory(density: str = "k", **replaced: bytes | None) -> Path:
        folder = tmp_path / "temporary"
        folder.mkdir()
        for name, source in NAMES.items():
            kind = "k" if name == "potential.grid" else density
            content = replaced.get(name.replace(".", "_").replace("-", "_"), b"")
            if content is not None:
                (folder / name).write_bytes(content or fixture_path("readback", f"{kind}.{source}").read_bytes())
        return folder

    return factory


@pytest.fixture
def ended(parse: Callable[..., Any], finished_pw: Callable[..., orm.RemoteData]) -> Callable[..., Any]:
    """Parse what a read-back left."""

    def factory(
        folder: Path | None,
        *,
        thickness: float = LATTICE.layer_spacing,
        printed: dict[str, bytes] | None = None,
        cleaned: bool = False,
        **run: Any,
    ) -> Any:
        parent = finished_pw(*LATTICE.lead(), **{**RUN, **run})
        if cleaned:
            parent.base.extras.set("cleaned", True)
        inputs = {"parent_folder": parent, "thickness": orm.Float(thickness)}
        return parse("rewire.readback", "density.out", inputs, PRINTED if printed is None else printed, folder)

    return factory


@pytest.mark.parametrize("density", ["k", "gamma"])
def test_a_density_that_is_read_as_it_was_written_passes(
    ended: Callable[..., Any], left: Callable[..., Path], density: str
) -> None:
    parsed = ended(left(density))
    assert parsed.exit_code == ""
    found = parsed.outputs["results"].get_dict()
    # ten digits are printed
    assert 0 < found["readback_difference"] < 1e-9
    assert found["wall_time_s"] == pytest.approx(WALL_S)
    lower, upper = found["layer_potential_ev"]
    # the lead has a mirror between two layers, up to a lateral shift
    assert lower == pytest.approx(upper, abs=1e-9)


def test_the_potential_is_averaged_over_a_layer_from_the_fermi_energy_on(
    ended: Callable[..., Any], left: Callable[..., Path]
) -> None:
    folder = left()
    # the points come last
    numbers = np.array(fixture_path("readback", "k.potential.pp").read_text().split()[-9 * 9 * 24 :], dtype=float)
    # Ry; three layers alike: each has the average of all, to what 6 Ry resolve
    whole = 13.605693 * numbers.mean() + 0.6775
    lower, _ = ended(folder).outputs["results"].get_dict()["layer_potential_ev"]
    assert lower == pytest.approx(whole, abs=1e-3)
    higher, _ = ended(folder, fermi_energy=-1.6775).outputs["results"].get_dict()["layer_potential_ev"]
    assert higher - lower == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("off", [0.0, 9e-7, -9e-7])
def test_a_lead_of_one_layer_is_as_thick_as_its_cell_to_the_last_digit(
    ended: Callable[..., Any], left: Callable[..., Path], off: float
) -> None:
    assert ended(left(), thickness=LATTICE.lead()[0][2, 2] + off).exit_code == ""


def test_a_slab_thicker_than_the_cell_is_no_average(ended: Callable[..., Any], left: Callable[..., Path]) -> None:
    parsed = ended(left(), thickness=LATTICE.lead()[0][2, 2] + 1e-5)
    assert parsed.exit_code == "ERROR_UNREADABLE"
    assert "thickness" in parsed.message


def scrambled(pair: tuple[int, int]) -> bytes:
    """The recorded density with two of its coefficients in each other's place."""
    path = fixture_path("readback", "k.charge-density.dat")
    content = path.read_bytes()
    waves = len(read_charge_density(path).miller)
    begin = len(content) - 4 - 16 * waves
    assert struct.unpack("<i", content[-4:])[0] == 16 * waves
    coefficients = np.frombuffer(content[begin:-4], "<c16").copy()
    coefficients[list(pair)] = coefficients[list(pair)[::-1]]
    return content[:begin] + coefficients.tobytes() + content[-4:]


def split_shell() -> tuple[int, int]:
    """Two neighbours of nearly one length and different coefficients, as where a shell is split."""
    density = read_charge_density(fixture_path("readback", "k.charge-density.dat"))
    length = np.linalg.norm(density.miller @ density.reciprocal_vectors, axis=1)
    values = density.coefficients[0]
    return next(
        (i, i + 1)
        for i in range(1, len(length) - 1)
        if np.isclose(length[i], length[i + 1]) and abs(values[i] - values[i + 1]) > 1e-4
    )


def test_a_density_in_another_order_is_refused(ended: Callable[..., Any], left: Callable[..., Path]) -> None:
    parsed = ended(left(charge_density_dat=scrambled(split_shell())))
    assert parsed.exit_code == "ERROR_SCRAMBLED_DENSITY"
    assert "above 1e-06. Give cell and positions to fifteen digits" in parsed.message
    # what was measured is kept beside the refusal
    assert parsed.outputs["results"]["readback_difference"] > 1e-4


def test_a_density_of_nothing_is_no_comparison(ended: Callable[..., Any], left: Callable[..., Path]) -> None:
    content = fixture_path("readback", "k.charge-density.dat").read_bytes()
    size = struct.unpack("<i", content[-4:])[0]
    parsed = ended(left(charge_density_dat=content[: -4 - size] + bytes(size) + content[-4:]))
    assert parsed.exit_code == "ERROR_UNREADABLE"
    assert parsed.outputs == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_is_named(ended: Callable[..., Any], left: Callable[..., Path], name: str) -> None:
    parsed = ended(left(**{name.replace(".", "_").replace("-", "_"): None}))
    assert parsed.exit_code == "ERROR_OUTPUT_MISSING"
    assert parsed.message == f"pp.x left no {name}."
    assert parsed.outputs == {}


def test_a_density_in_its_folder_is_found_as_well(ended: Callable[..., Any], left: Callable[..., Path]) -> None:
    folder = left()
    save = folder / "out" / "aiida.save"
    save.mkdir(parents=True)
    (folder / "charge-density.dat").rename(save / "charge-density.dat")
    assert ended(folder).exit_code == ""


@pytest.mark.parametrize("folder", ["none", "empty", "gone"])
def test_nothing_retrieved_at_all(
    ended: Callable[..., Any], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"none": None, "empty": tmp_path, "gone": tmp_path / "gone"}[folder]
    parsed = ended(given, printed={})
    assert parsed.exit_code == "ERROR_OUTPUT_MISSING"
    assert "charge-density.dat, density.grid, potential.grid" in parsed.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_unreadable(
    ended: Callable[..., Any], left: Callable[..., Path], name: str, part: float
) -> None:
    content = fixture_path("readback", f"k.{NAMES[name]}").read_bytes()
    key = name.replace(".", "_").replace("-", "_")
    parsed = ended(left(**{key: content[: int(part * len(content))]}))
    assert parsed.exit_code == "ERROR_UNREADABLE"
    assert name in parsed.message
    assert parsed.outputs == {}


@pytest.mark.parametrize("plot", ["density", "potential"])
def test_an_error_of_pp_is_passed_on(ended: Callable[..., Any], left: Callable[..., Path], plot: str) -> None:
    error = (
        b"\n %%%%\n     Error in routine read_rhog (1):\n     error reading file ./out/aiida.save/charge-density\n"
    )
    parsed = ended(left(), printed={**PRINTED, f"{plot}.out": error})
    assert parsed.exit_code == "ERROR_PP"
    assert "read_rhog (1): error reading file ./out/aiida.save/charge-density" in parsed.message


@pytest.mark.parametrize("grid", [(9, 9, 25), (9, 9, 20), (10, 9, 24)])
def test_another_grid_than_that_of_the_scf_is_no_comparison(
    ended: Callable[..., Any], left: Callable[..., Path], grid: tuple[int, int, int]
) -> None:
    parsed = ended(left(), fft_grid=grid)
    assert parsed.exit_code == "ERROR_UNREADABLE"
    assert parsed.outputs == {}


def test_a_run_without_fermi_energy_has_no_potential_from_it(
    ended: Callable[..., Any], left: Callable[..., Path]
) -> None:
    parsed = ended(left(), fermi_energy=None)
    assert parsed.exit_code == "ERROR_UNREADABLE"
    assert "no Fermi energy" in parsed.message


def test_a_scratch_that_was_cleaned_meanwhile_does_not_matter(
    ended: Callable[..., Any], left: Callable[..., Path]
) -> None:
    # the parser reads what was retrieved, which is still there
    assert ended(left(), cleaned=True).exit_code == ""
