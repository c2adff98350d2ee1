"""Complex bands of the monatomic Ag wire (one s electron per atom) as pwcond.x 6.7 wrote them, and damaged ones."""

from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.transport.complex_bands import ComplexBands, read_complex_bands
from aiida_rewire.transport.gates import (
    IncompleteTransmission,
    InconsistentTransmission,
    NonFiniteTransmission,
    RefusedTransmission,
)

LENGTH = 2.8
"""Angstrom, of the wire's cell."""

HBAR2_OVER_2M = 3.80998
"""eV Angstrom^2."""


@pytest.fixture(scope="module")
def texts(fixtures: Path) -> tuple[str, str]:
    folder = fixtures / "pwcond"
    return (folder / "wire-bands.out").read_text(), (folder / "wire-bands.3d").read_text()


@pytest.fixture(scope="module")
def bands(texts: tuple[str, str]) -> ComplexBands:
    return read_complex_bands(*texts)


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_the_grid(bands: ComplexBands) -> None:
    assert bands.energies.tolist() == [1.0, 0.0, -1.0]
    assert bands.kpoints.tolist() == [[0.0, 0.0], [0.1, 0.2]]
    assert bands.channels.tolist() == [[1, 1]] * 3
    assert len(bands.wave_vectors) == len(bands.energy_index) == len(bands.kpoint_index) == 3 * 50 + 3 * 56
    counts = [((bands.energy_index == e) & (bands.kpoint_index == k)).sum() for k in range(2) for e in range(3)]
    assert counts == [50] * 3 + [56] * 3


def test_the_propagating_states(bands: ComplexBands) -> None:
    real = bands.wave_vectors[(bands.wave_vectors.imag == 0) & (bands.kpoint_index == 0)].real
    assert real.tolist() == [0.3444396, -0.3444396, 0.2663676, -0.2663676, 0.1577708, -0.1577708]
    # one electron per cell fills half of a one-dimensional zone: k_F = 1/4 of 2 pi / L, but for the lateral tails
    assert real[2] == pytest.approx(0.25, abs=0.02)
    # and moves nearly as a free one does, with L, not alat, in the unit of k
    wave_vectors = real[::2] * 2 * np.pi / LENGTH
    free = HBAR2_OVER_2M * (wave_vectors[0] ** 2 - wave_vectors[2] ** 2)
    assert free == pytest.approx(2.0, rel=0.15)


def test_evanescent_states_decay_to_either_side(bands: ComplexBands) -> None:
    evanescent = bands.wave_vectors[bands.wave_vectors.imag != 0]
    assert (evanescent.imag > 0).sum() == (evanescent.imag < 0).sum()
    assert np.abs(evanescent.imag).max() <= 2.0
    assert np.abs(evanescent.real).max() <= 0.5


def test_other_channels_than_propagating_states_are_refused(texts: tuple[str, str]) -> None:
    stdout, rows = texts
    with pytest.raises(InconsistentTransmission, match="channels are printed"):
        read_complex_bands(edited(stdout, "left tip =            1", "left tip =            2"), rows)
    with pytest.raises(InconsistentTransmission, match="1 channels, 4 propagating"):
        read_complex_bands(stdout, edited(edited(rows, "    0.3959", "    0.0000"), "   -0.3959", "    0.0000"))
    with pytest.raises(InconsistentTransmission, match="in the file"):
        read_complex_bands(stdout, edited(rows, "    0.3444    0.0000", "    0.3454    0.0000"))
    with pytest.raises(InconsistentTransmission, match="in the file"):
        read_complex_bands(stdout, edited(rows, "    0.3444    0.0000    1.0000\n", ""))


def test_numbers_that_are_none_are_refused(texts: tuple[str, str]) -> None:
    stdout, rows = texts
    for old, new in (("0.3959", "   NaN"), ("0.3959", "******"), ("0.3959", " 0.395")):
        with pytest.raises(NonFiniteTransmission):
            read_complex_bands(stdout, edited(rows, old, new))
    for old in ("   0.3444396   0.0000000", "E-Ef =    1.0000000", "ie =          1"):
        with pytest.raises(NonFiniteTransmission):
            read_complex_bands(edited(stdout, old, old[:-2] + "**"), rows)


def test_energies_and_k_points_must_be_all_there(texts: tuple[str, str]) -> None:
    stdout, rows = texts
    second = rows.index("# k-point    2")
    for cut in (0, second, second + 40, len(rows) - 1, len(rows) - 56 * 31):
        with pytest.raises(RefusedTransmission):
            read_complex_bands(stdout, rows[:cut])
    for cut in (0, stdout.rindex("---  E-Ef"), stdout.index("     PWCOND   ")):
        with pytest.raises(IncompleteTransmission):
            read_complex_bands(stdout[:cut], rows)
    with pytest.raises(InconsistentTransmission, match="stand twice"):
        read_complex_bands(edited(stdout, "ie =          2", "ie =          1"), rows)
    with pytest.raises(InconsistentTransmission, match="no energy of the run"):
        read_complex_bands(stdout, edited(rows, "    0.3959    1.0000", "    0.3959    0.5000"))


def test_damage_raises_nothing_else(texts: tuple[str, str], bands: ComplexBands) -> None:
    rng = np.random.default_rng(1)
    passed = 0
    for trial in range(400):
        damaged = list(texts)
        raw = bytearray(texts[trial % 2].encode())
        begin = raw.index(b"---  E-Ef") if trial % 2 == 0 else 0
        raw[rng.integers(begin, len(raw))] = rng.integers(32, 127)
        damaged[trial % 2] = raw.decode(errors="replace")
        try:
            found = read_complex_bands(*damaged)
        except RefusedTransmission:
            continue
        passed += 1
        # one digit of an evanescent state has no second witness
        assert found.channels.tolist() == bands.channels.tolist()
        propagating = bands.wave_vectors.imag == 0
        assert np.abs(found.wave_vectors[propagating] - bands.wave_vectors[propagating]).max() < 1e-4
        assert (found.wave_vectors != bands.wave_vectors).sum() <= 1
    assert passed < 300


@pytest.mark.parametrize("text", ["", "\n", "x" * 1_000_000, "*\n" * 100_000, "\x00"])
def test_what_are_no_bands_is_refused(texts: tuple[str, str], text: str) -> None:
    for pair in ((text, texts[1]), (texts[0], text), (text, text)):
        with pytest.raises(RefusedTransmission):
            read_complex_bands(*pair)
