"""Flat layers and leads against the fcc crystal."""

import math
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111

A = 4.16


def neighbours(cell: np.ndarray, positions: np.ndarray, reach: float) -> np.ndarray:
    crystal = Atoms(f"Ag{len(positions)}", positions=positions, cell=cell, pbc=True)
    return np.bincount(neighbor_list("i", crystal, reach), minlength=len(positions))


@pytest.mark.parametrize("supercell", [1, 2, 3, 4])
def test_a_lead_is_bulk_silver(supercell: int) -> None:
    lattice = Fcc111(A, supercell)
    cell, positions = lattice.lead()
    assert positions.shape == (3 * supercell**2, 3)
    # shells of fcc: 12 at a/sqrt2, 6 at a, 24 at sqrt(3/2) a; hcp has 2 more between the last two
    assert (neighbours(cell, positions, 0.72 * A) == 12).all()
    assert (neighbours(cell, positions, 1.01 * A) == 18).all()
    assert (neighbours(cell, positions, 1.23 * A) == 42).all()
    assert (neighbours(cell, positions, 0.70 * A) == 0).all()


def test_a_lead_has_the_volume_of_its_atoms() -> None:
    cell, positions = Fcc111(A, 2).lead()
    assert np.linalg.det(cell) == pytest.approx(len(positions) * A**3 / 4)


def test_a_lead_begins_with_the_layer_at_zero() -> None:
    lattice = Fcc111(A, 2)
    cell, positions = lattice.lead()
    assert (positions[:4, 2] == 0.0).all()
    assert (positions[4:, 2] > 1.0).all()
    assert cell[2, 2] == pytest.approx(3 * A / math.sqrt(3))
    assert cell[2, :2].tolist() == [0.0, 0.0]


def test_the_stacking_closes_after_three_layers() -> None:
    lattice = Fcc111(A, 3)
    assert np.array_equal(lattice.layer(0, 0.0), lattice.layer(3, 0.0))
    assert np.array_equal(lattice.layer(-1, 0.0), lattice.layer(2, 0.0))
    # three shifts make a lattice vector
    in_primitive = np.linalg.solve(lattice.primitive_vectors[:, :2].T, 3 * lattice.stacking_shift(1)[:2])
    assert in_primitive == pytest.approx(np.round(in_primitive))


def test_adjacent_layers_sit_in_hollows() -> None:
    lattice = Fcc111(A, 1)
    for stacking in range(3):
        step = lattice.layer(stacking + 1, lattice.layer_spacing)[0] - lattice.layer(stacking, 0.0)[0]
        lateral = step[:2] @ np.linalg.inv(lattice.primitive_vectors[:, :2])
        assert lateral % 1 == pytest.approx([1 / 3, 1 / 3])


def test_lengths_are_those_of_the_crystal() -> None:
    lattice = Fcc111(A, 2)
    assert lattice.neighbour_distance == pytest.approx(2.94156, abs=1e-5)
    assert lattice.layer_spacing == pytest.approx(2.40178, abs=1e-5)
    assert lattice.alat == pytest.approx(5.88313, abs=1e-5)
    assert np.linalg.norm(lattice.cell(10.0)[0]) == pytest.approx(lattice.alat)
    assert np.linalg.norm(lattice.cell(10.0)[1]) == pytest.approx(lattice.alat)


@pytest.mark.parametrize("lattice_constant", [0.0, -4.09, math.nan, math.inf, True, "4.09", None])
def test_a_lattice_constant_that_is_no_length_is_refused(lattice_constant: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^lattice_constant = {lattice_constant} Å: must be"):
        Fcc111(lattice_constant, 2)


@pytest.mark.parametrize("supercell", [0, -1, 2.0, 1.5, "2", True])
def test_a_supercell_that_is_no_whole_number_is_refused(supercell: object) -> None:
    with pytest.raises(InvalidInput, match=f"^supercell = {supercell}: must be a whole number from 1"):
        Fcc111(A, supercell)
