"""The density of a small silver cell as pw.x wrote it and as pp.x read it, and densities whose sums are known."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.fixtures import fixture_path
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.grids import BOHR_ANGSTROM
from aiida_rewire.transport.readback import (
    READBACK_TOLERANCE,
    RYDBERG_EV,
    ChargeDensity,
    UnreadableDensity,
    density_on_grid,
    layer_potential,
    potential_mismatch,
    read_charge_density,
    read_pp_grid,
    readback_difference,
)

# the recorded runs: three layers 1 x 1 of Ag(111), frozen-d pseudopotential, 6 Ry, 15 decimals
LATTICE = Fcc111(4.16, 1)
CELL = LATTICE.lead()[0]
GRID = (9, 9, 24)
FERMI_ENERGY = -0.6775


def recorded(name: str) -> Path:
    return fixture_path("readback", name)


def record(content: bytes) -> bytes:
    marker = struct.pack("<i", len(content))
    return marker + content + marker


def density_file(
    miller: list[tuple[int, int, int]], *spins: list[complex], gamma_only: int = 0, vectors: np.ndarray | None = None
) -> bytes:
    """As write_rhog writes it."""
    vectors = np.eye(3) if vectors is None else vectors
    head = struct.pack("<iii", gamma_only, len(miller), len(spins))
    contents = [head, vectors.astype("<f8").tobytes(), np.array(miller, dtype="<i4").tobytes()]
    return b"".join(record(c) for c in [*contents, *(np.array(spin, dtype="<c16").tobytes() for spin in spins)])


@pytest.mark.parametrize(("kpoints", "gamma_only", "plane_waves"), [("k", False, 735), ("gamma", True, 368)])
def test_the_recorded_density_is_read_back_as_it_was_written(
    kpoints: str, gamma_only: bool, plane_waves: int
) -> None:
    density = read_charge_density(recorded(f"{kpoints}.charge-density.dat"))
    assert density.gamma_only is gamma_only
    assert density.coefficients.shape == (1, plane_waves)
    written = density_on_grid(density, GRID)
    as_read = read_pp_grid(recorded(f"{kpoints}.density.pp"))
    assert as_read.shape == GRID
    # ten digits are printed
    assert readback_difference(as_read, written) < 1e-9
    volume = np.linalg.det(CELL) / BOHR_ANGSTROM**3
    # one electron an atom
    assert written.mean() * volume == pytest.approx(3.0, abs=1e-8)
    assert density.reciprocal_vectors @ CELL.T / BOHR_ANGSTROM == pytest.approx(2 * np.pi * np.eye(3), abs=1e-8)


def test_a_density_in_another_order_of_its_plane_waves_is_told_apart() -> None:
    density = read_charge_density(recorded("k.charge-density.dat"))
    as_read = read_pp_grid(recorded("k.density.pp"))
    length = np.linalg.norm(density.miller @ density.reciprocal_vectors, axis=1)
    order = np.arange(len(length))
    # two neighbours of nearly one length change places, as where a shell is split
    pair = next(
        (i, i + 1)
        for i in range(1, len(length) - 1)
        if np.isclose(length[i], length[i + 1])
        and abs(density.coefficients[0, i] - density.coefficients[0, i + 1]) > 1e-4
    )
    order[list(pair)] = pair[::-1]
    scrambled = ChargeDensity(
        density.miller, density.coefficients[:, order], density.reciprocal_vectors, density.gamma_only
    )
    written = density_on_grid(scrambled, GRID)
    # what makes the fault silent: the charge is right
    assert written.mean() == pytest.approx(as_read.mean(), rel=1e-9)
    assert readback_difference(as_read, written) > 100 * READBACK_TOLERANCE


def test_plane_waves_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "density"
    path.write_bytes(density_file([(0, 0, 0), (1, 0, -2), (-1, 0, 2)], [0.5, 0.1 + 0.2j, 0.1 - 0.2j]))
    values = density_on_grid(read_charge_density(path), (4, 3, 5))
    x, z = np.arange(4)[:, None, None] / 4, np.arange(5)[None, None, :] / 5
    phase = 2 * np.pi * (x - 2 * z)
    expected = 0.5 + 0.2 * np.cos(phase) - 0.4 * np.sin(phase)
    assert values == pytest.approx(np.broadcast_to(expected, (4, 3, 5)), abs=1e-12)
    # half of the plane waves stands for all of them
    path.write_bytes(density_file([(0, 0, 0), (1, 0, -2)], [0.5, 0.1 + 0.2j], gamma_only=1))
    assert density_on_grid(read_charge_density(path), (4, 3, 5)) == pytest.approx(values, abs=1e-12)


def test_the_first_spin_component_is_the_total(tmp_path: Path) -> None:
    path = tmp_path / "density"
    path.write_bytes(density_file([(0, 0, 0)], [0.7], [0.2]))
    density = read_charge_density(path)
    assert density.coefficients.shape == (2, 1)
    assert density_on_grid(density, (2, 2, 2)) == pytest.approx(np.full((2, 2, 2), 0.7))


def test_a_grid_too_coarse_for_its_plane_waves_is_refused() -> None:
    density = ChargeDensity(np.array([[0, 0, 3]]), np.ones((1, 1), dtype=complex), np.eye(3), False)
    density_on_grid(density, (1, 1, 7))
    with pytest.raises(InvalidInput, match="fft_grid"):
        density_on_grid(density, (1, 1, 6))


HEAD = struct.pack("<iii", 0, 1, 1)
VECTORS = np.eye(3).tobytes()
ONE_INDEX = struct.pack("<iii", 0, 0, 0)
ONE_WAVE = np.ones(1, dtype="<c16").tobytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x0c\x00", id="half a marker"),
        pytest.param(b"%PDF-1.4 not a density at all", id="another file"),
        pytest.param(b"\xff\xff\xff\x7f" * 4, id="records of two gigabytes"),
        pytest.param(struct.pack("<iiiii", 12, 0, 2**31 - 1, 1, 12) + record(VECTORS), id="no arrays"),
        pytest.param(record(HEAD) + record(VECTORS) + record(ONE_INDEX), id="no coefficients"),
        pytest.param(
            record(HEAD) + record(VECTORS) + record(ONE_INDEX) + record(ONE_WAVE[:8]), id="half a coefficient"
        ),
        pytest.param(
            record(struct.pack("<iii", 0, 2**31 - 1, 1)) + record(VECTORS) + record(ONE_INDEX) + record(ONE_WAVE),
            id="fewer than announced",
        ),
        pytest.param(
            record(struct.pack("<iii", 0, 1, 3)) + record(VECTORS) + record(ONE_INDEX) + 3 * record(ONE_WAVE),
            id="three spins",
        ),
        pytest.param(
            record(struct.pack("<iii", 7, 1, 1)) + record(VECTORS) + record(ONE_INDEX) + record(ONE_WAVE),
            id="neither true nor false",
        ),
        pytest.param(
            record(struct.pack("<iii", 0, 0, 1)) + record(VECTORS) + record(b"") + record(b""), id="no plane waves"
        ),
        pytest.param(density_file([(0, 0, 0)], [complex("nan")]), id="not a number"),
        pytest.param(density_file([(0, 0, 0)], [1.0], vectors=np.full((3, 3), np.inf)), id="infinite vectors"),
        pytest.param(density_file([(0, 0, -(2**31))], [1.0]), id="absurd index"),
        pytest.param(density_file([(0, 0, 0)], [1.0]) + b"more", id="more after the end"),
    ],
)
def test_what_is_no_density_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "density"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(UnreadableDensity, match="density"):
        read_charge_density(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_damage_between_records_is_found_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "density"
    content = density_file([(0, 0, 0)], [1.0])
    path.write_bytes(content[:16] + b"\x0d" + content[17:])
    with pytest.raises(UnreadableDensity, match="byte 0 of"):
        read_charge_density(path)
    path.write_bytes(content[:-4] + b"\x11" + content[-3:])
    with pytest.raises(UnreadableDensity, match=f"byte {len(content) - 24} of"):
        read_charge_density(path)
    path.write_bytes(struct.pack("<i", -4) + content)
    with pytest.raises(UnreadableDensity, match="byte 0 of"):
        read_charge_density(path)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    for read in (read_charge_density, read_pp_grid):
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(UnreadableDensity):
                read(path)


@pytest.mark.parametrize("name", ["k.charge-density.dat", "k.density.pp"])
def test_no_truncation_is_read(tmp_path: Path, name: str) -> None:
    content = recorded(name).read_bytes()
    read = read_pp_grid if name.endswith("pp") else read_charge_density
    path = tmp_path / "part"
    for length in [*range(0, len(content) - 1, 997), *range(len(content) - 20, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableDensity):
            read(path)


@pytest.mark.parametrize("name", ["k.charge-density.dat", "k.density.pp"])
def test_damage_raises_one_error_only(tmp_path: Path, name: str) -> None:
    content = recorded(name).read_bytes()
    read = read_pp_grid if name.endswith("pp") else read_charge_density
    path = tmp_path / "damaged"
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for at in random.integers(0, 900, 2):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        try:
            values = read(path)
        except UnreadableDensity:
            refused += 1
        else:
            assert isinstance(values, ChargeDensity) or np.isfinite(values).all()
    assert refused > 30


def plot_file(sizes: list[int], values: str, *, bravais: int = 1) -> str:
    vectors = ["1.0 0.0 0.0"] * 3 if bravais == 0 else []
    head = ["title", "".join(f"{n:8d}" for n in sizes), f"{bravais:6d}  " + "  1.00000000" * 6, *vectors]
    atoms = [f"{k + 1:4d}   Ag    1.00" for k in range(sizes[7])] + [
        f"{k + 1:4d}   0.0 0.0 0.0  1" for k in range(sizes[6])
    ]
    return "\n".join([*head, "10.0 4.0 15.0     0", *atoms, values]) + "\n"


@pytest.mark.parametrize("bravais", [0, 1])
def test_a_plot_by_hand(tmp_path: Path, bravais: int) -> None:
    path = tmp_path / "plot"
    # allocated 3 x 2 x 2, of which 2 x 2 x 2 are points; x runs fastest
    values = (
        "  1.000000000E+00  2.000000000E+00 -9.000000000E+00\n" * 3 + "  1.0E+00  2.500000000-101 -9.000000000E+00"
    )
    path.write_text(plot_file([3, 2, 2, 2, 2, 2, 2, 1], values, bravais=bravais))
    grid = read_pp_grid(path)
    assert grid.shape == (2, 2, 2)
    assert grid[0].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert grid[1].tolist() == [[2.0, 2.0], [2.0, 2.5e-101]]


@pytest.mark.parametrize(
    ("sizes", "values"),
    [
        pytest.param([1, 1, 2, 1, 1, 2, 1, 1], "1.0", id="too few values"),
        pytest.param([1, 1, 1, 1, 1, 1, 1, 1], "1.0 2.0", id="too many values"),
        pytest.param([1, 1, 1, 1, 1, 1, 1, 1], "NaN", id="not a number"),
        pytest.param([1, 1, 1, 1, 1, 1, 1, 1], "********", id="overflow"),
        pytest.param([1, 1, 1, 2, 1, 1, 1, 1], "1.0", id="grid beyond what is allocated"),
        pytest.param([2, 1, 1, -1, 1, 1, 1, 1], "1.0 2.0", id="no points"),
        pytest.param([-1, -1, 1, 1, 1, 1, 1, 1], "1.0", id="negative sizes"),
        pytest.param([9999999] * 3 + [1, 1, 1, 1, 1], "1.0", id="absurd sizes"),
    ],
)
def test_what_is_no_plot_is_unreadable(tmp_path: Path, sizes: list[int], values: str) -> None:
    path = tmp_path / "plot"
    path.write_text(plot_file(sizes, values))
    with pytest.raises(UnreadableDensity, match="plot"):
        read_pp_grid(path)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n\n", b"title\n" + b"x" * 64 + b"\n     0\n1.0\n", bytes(range(256))]
)
def test_another_file_is_no_plot(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plot"
    path.write_bytes(content)
    with pytest.raises(UnreadableDensity, match="not the head"):
        read_pp_grid(path)


def test_one_long_word_takes_no_memory_for_all(tmp_path: Path) -> None:
    path = tmp_path / "plot"
    path.write_text(plot_file([100, 1, 1, 1, 1, 1, 1, 1], "1 " * 99 + "1" * 1_000_000))
    tracemalloc.start()
    with pytest.raises(UnreadableDensity, match="no numbers"):
        read_pp_grid(path)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


def test_difference_is_in_units_of_the_largest_density() -> None:
    written = np.array([[[0.0, 2.0, 4.0]]])
    assert readback_difference(np.array([[[0.0, 1.0, 4.0]]]), written) == pytest.approx(0.25)
    assert readback_difference(written, np.zeros((1, 1, 3))) == np.inf
    assert not readback_difference(np.full((1, 1, 3), np.nan), written) <= READBACK_TOLERANCE
    with pytest.raises(InvalidInput, match="shape"):
        readback_difference(np.zeros((1, 1, 2)), written)


@pytest.mark.parametrize("nr3", [8, 15, 40])
def test_slab_averages_of_a_wave_do_not_depend_on_the_grid(nr3: int) -> None:
    height, thickness, order = 12.0, 2.7, 3
    cell = np.diag([4.0, 5.0, height])
    z = np.arange(nr3) / nr3
    planes = 1.5 + 0.4 * np.sin(2 * np.pi * order * z)
    # no average over the layer but the planar one may see what varies across
    across = np.array([-1.0, 1.0])[:, None, None] * np.array([3.0, -3.0])[None, :, None]
    left, right = layer_potential(planes + across, cell, 2.0, thickness)
    k = 2 * np.pi * order / height
    mean = 0.4 * (1 - np.cos(k * thickness)) / (k * thickness)
    assert left == pytest.approx((1.5 + mean) * RYDBERG_EV - 2.0, abs=1e-10)
    assert right == pytest.approx((1.5 - mean) * RYDBERG_EV - 2.0, abs=1e-10)


def test_the_highest_wave_of_an_even_grid_counts_once() -> None:
    planes = np.array([1.0, -1.0, 1.0, -1.0])
    potential = planes[None, None, :]
    # cos(4 pi z / L) averaged over the first eighth of the cell, 1 Ry in eV
    left, right = layer_potential(potential, np.eye(3), 0.0, 0.125)
    assert left == pytest.approx(2 / np.pi * 13.605693, rel=1e-7)
    assert right == pytest.approx(left)


def test_the_recorded_lead_is_the_same_at_both_ends() -> None:
    potential = read_pp_grid(recorded("k.potential.pp"))
    left, right = layer_potential(potential, CELL, FERMI_ENERGY, LATTICE.layer_spacing)
    # the lead has a mirror between two layers, up to a lateral shift
    assert left == pytest.approx(right, abs=1e-9)
    whole = potential.mean() * RYDBERG_EV - FERMI_ENERGY
    assert layer_potential(potential, CELL, FERMI_ENERGY, CELL[2, 2])[0] == pytest.approx(whole, abs=1e-9)
    # three layers alike: each has the average of all, to what 6 Ry resolve
    assert left == pytest.approx(whole, abs=1e-3)


def test_the_potential_of_nothing_between_thick_slabs_is_refused() -> None:
    for thickness in (0.0, -1.0, 1.1, np.nan):
        with pytest.raises(InvalidInput, match="thickness"):
            layer_potential(np.ones((1, 1, 4)), np.eye(3), 0.0, thickness)
    for row, column in ((2, 1), (1, 2)):
        tilted = np.eye(3)
        tilted[row, column] = 0.5
        with pytest.raises(InvalidInput, match="cell"):
            layer_potential(np.ones((1, 1, 4)), tilted, 0.0, 0.5)


def test_mismatch_is_that_of_the_worse_end() -> None:
    assert potential_mismatch((-7.68, -7.68), (-7.66, -7.77)) == pytest.approx(0.09)
    assert potential_mismatch((-7.68, -7.68), (-7.60, -7.69)) == pytest.approx(0.08)
