"""Atoms in two bytes a coordinate: nothing is lost that anybody could see."""

import numpy as np
from made_junctions import LATTICE, LOWER, UPPER, made_junction

from aiida_rewire.report.page.atoms import FINEST_A, Packing


def by_z(positions: np.ndarray) -> np.ndarray:
    return positions[np.lexsort(np.round(positions, 2).T)]


def test_atoms_come_back_to_half_a_milliangstrom() -> None:
    packing, given = Packing(), {}
    for index in range(5):
        cell, given[index] = made_junction(0.2 * index, np.random.default_rng(index))
        packing.add(index, cell, given[index])
    packed = packing.packed()
    for index, positions in given.items():
        back = packed.positions(index)
        assert back.shape == positions.shape
        nearest = np.linalg.norm(back[:, None] - positions[None], axis=-1)
        assert nearest.min(axis=0).max() <= np.sqrt(3) * FINEST_A / 2 + 1e-9
        assert sorted(nearest.argmin(axis=0)) == list(range(len(positions)))


def test_flat_layers_are_kept_once_and_the_contact_is_not_among_them() -> None:
    packing = Packing()
    for index in range(5):
        packing.add(index, *made_junction(0.5, np.random.default_rng(index)))
    packed = packing.packed()
    (cell,) = packed.cells
    flat = (LOWER + UPPER) * LATTICE.supercell**2
    assert len(cell.shared) == flat
    heights = cell.shared[:, 2] * cell.grid_a + cell.centre[2]
    assert sorted(set(np.round(heights / LATTICE.layer_spacing, 2))) == [0, 1, 2, 11, 12]
    assert all(len(own) + flat == len(packed.positions(pk)) for pk, (_, own) in packed.of.items())


def test_of_one_junction_alone_nothing_is_shared() -> None:
    packing = Packing()
    packing.add(1, *made_junction(0.5, np.random.default_rng(1)))
    packed = packing.packed()
    assert not len(packed.cells[0].shared)
    assert len(packed.positions(1)) == len(made_junction(0.5, np.random.default_rng(1))[1])


def test_other_cells_and_far_atoms_have_a_place_of_their_own() -> None:
    packing = Packing()
    packing.add(1, np.eye(3) * 10, [[1.0, 2.0, 3.0]])
    packing.add(2, np.eye(3) * 12, [[1.0, 2.0, 3.0]])
    packing.add(3, np.eye(3) * 10, [[1.0, 2.0, 100.0]])
    packed = packing.packed()
    assert [packed.of[pk][0] for pk in (1, 2, 3)] == [0, 1, 2]
    assert packed.cells[2].grid_a == 4 * FINEST_A
    assert np.allclose(packed.positions(3), [[1.0, 2.0, 100.0]], atol=2 * FINEST_A)


def test_what_has_no_place_is_left_out() -> None:
    packing = Packing()
    packing.add(1, np.eye(3), [[np.nan, 0.0, 0.0]])
    packing.add(2, np.eye(3), [[np.inf, 0.0, 0.0]])
    assert packing.packed().of == {}
