"""FFT grids against the plane waves that they must hold."""

import itertools
import math

import numpy as np
import pytest

from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.grids import BOHR_ANGSTROM, fft_dimensions, good_fft_dimension


@pytest.mark.parametrize(
    ("supercell", "density_cutoff", "lateral"),
    [(2, 60.0, 27), (3, 40.0, 36)],  # as pw.x chose for such leads
)
def test_lateral_grids_of_silver_leads(supercell: int, density_cutoff: float, lateral: int) -> None:
    cell, _ = Fcc111(4.16, supercell).lead()
    assert math.isclose(np.linalg.norm(cell[0]), supercell * 4.16 / math.sqrt(2))
    assert fft_dimensions(cell, density_cutoff)[:2] == (lateral, lateral)


@pytest.mark.parametrize("density_cutoff", [40.0, 60.0, 112.0, 280.0])
@pytest.mark.parametrize("height", [7.2, 14.4, 21.9, 30.0])
def test_lateral_grids_do_not_depend_on_the_length_of_the_region(density_cutoff: float, height: float) -> None:
    lattice = Fcc111(4.16, 2)
    lead, junction = (fft_dimensions(lattice.cell(z), density_cutoff) for z in (lattice.lead()[0][2, 2], height))
    assert lead[:2] == junction[:2]


@pytest.mark.parametrize("density_cutoff", [20.0, 33.0, 60.0])
def test_every_plane_wave_of_the_density_has_its_place(density_cutoff: float) -> None:
    cell = Fcc111(4.16, 2).cell(9.0)
    dimensions = fft_dimensions(cell, density_cutoff)
    reciprocal = 2 * np.pi * np.linalg.inv(cell / BOHR_ANGSTROM).T
    indices = np.array(list(itertools.product(*(range(-n, n + 1) for n in (16, 16, 25)))))
    inside = indices[((indices @ reciprocal) ** 2).sum(axis=1) <= density_cutoff]
    largest = np.abs(inside).max(axis=0)
    assert (largest < (16, 16, 25)).all()
    for index, dimension in zip(largest, dimensions, strict=True):
        assert 2 * index + 1 <= dimension
        # no larger than needed
        assert dimension == good_fft_dimension(2 * int(index) + 1)


def test_good_dimensions_are_the_numbers_with_small_factors() -> None:
    powers = {2**a * 3**b * 5**c for a, b, c in itertools.product(range(9), range(6), range(4))}
    for least in range(1, 200):
        assert good_fft_dimension(least) == min(n for n in powers if n >= least)


def test_a_cutoff_on_a_plane_wave_holds_it() -> None:
    # |G| of index 5 along a cubic cell is exactly the cutoff
    length = 10.0
    cutoff = (2 * np.pi * 5 / (length / BOHR_ANGSTROM)) ** 2
    assert fft_dimensions(np.eye(3) * length, cutoff) == (12, 12, 12)
    assert fft_dimensions(np.eye(3) * length, cutoff * 0.999) == (9, 9, 9)
