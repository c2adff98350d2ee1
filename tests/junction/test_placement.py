"""Where the gap's atoms stand between flat layers, and how they make room."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.placement import (
    PUSHED_APART,
    closest_pair,
    common_hollow,
    lateral_shift,
    push_apart,
    wrapped_laterally,
)

LATTICE = Fcc111(4.16, 3)
EMPTY = np.empty((0, 3))
H, D = LATTICE.layer_spacing, LATTICE.neighbour_distance
LAYERS = {"lower_stacking": 2, "upper_stacking": 1}


@pytest.mark.parametrize(
    ("lower", "upper", "column"),
    [(2, 1, 0), (2, -2, 0), (2, 0, 1), (0, 1, 2), (1, 0, 2), (2, 2, 0), (0, 0, 1), (1, -2, 2), (5, 1, 0)],
)
def test_a_hollow_of_both_surfaces_is_no_place_of_either(lower: int, upper: int, column: int) -> None:
    assert common_hollow(lower, upper) == column
    assert column not in (lower % 3, upper % 3)


@pytest.mark.parametrize(("lower", "upper", "column"), [(2, 1, 0), (0, 2, 1), (0, 1, 2)])
def test_apexes_at_rest_stand_over_the_common_hollow(lower: int, upper: int, column: int) -> None:
    apexes = np.array([[7.3, -2.2, H], [7.3, -2.2, 13.1 - H]])
    shift = lateral_shift(apexes, LATTICE, 13.1, lower_stacking=lower, upper_stacking=upper)
    hollow = LATTICE.stacking_shift(column)
    assert apexes + shift == pytest.approx(hollow + np.array([[0.0, 0.0, H], [0.0, 0.0, 13.1 - H]]))


def test_a_small_overlap_moves_nothing() -> None:
    # the foot 0.13 Å from its hollow, 0.075 Å too near to one atom of it; a step aside it would be 0.12 Å
    leaning = np.array([[0.0, 0.0, H], [0.26, 0.0, 9.0]])
    assert lateral_shift(leaning, LATTICE, 20.0, **LAYERS) == pytest.approx([-0.13, 0.0, 0.0])


def test_atoms_that_touch_no_surface_are_centred() -> None:
    atoms = np.array([[1.0, 2.0, 9.0], [3.0, 2.0, 10.0], [8.0, -1.0, 11.0]])
    shift = lateral_shift(atoms, LATTICE, 20.0, **LAYERS)
    assert shift == pytest.approx([-4.0, -1.0, 0.0])


def from_hollow(atom: np.ndarray, surface: int) -> float:
    """Lateral distance from the nearest hollow of a surface, Å."""
    wide = Fcc111(4.16, 9)
    hollows = (
        np.vstack([wide.layer(surface + k, 0.0) for k in (1, 2)])[:, :2] - 4 * wide.primitive_vectors.sum(axis=0)[:2]
    )
    home = wrapped_laterally(atom[None], Fcc111(4.16, 1).cell(1.0))[0]
    return float(np.linalg.norm(hollows - home[:2], axis=1).min())


@pytest.mark.parametrize("seed", range(8))
def test_the_foot_of_a_leaning_contact_stands_in_a_hollow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    foot = np.array([rng.uniform(-9, 9), rng.uniform(-9, 9), H])
    contact = foot + np.array([[0.0, 0.0, 0.0], [1.2, 0.3, 2.6], [2.0, 1.1, 5.2], [3.3, 1.6, 7.7]])
    shift = lateral_shift(contact, LATTICE, 20.0, **LAYERS)
    assert from_hollow(foot + shift, surface=2) < 0.2
    # centred it would stand elsewhere
    assert from_hollow(foot - np.append(contact[:, :2].mean(axis=0), 0.0), surface=2) > 0.4


def overlap(atoms: np.ndarray, length: float) -> float:
    """Sum of (d - r)^2 over gap atoms and the atoms of both surfaces, by brute force."""
    cell = Fcc111(4.16, 5).cell(40.0)
    wide = Fcc111(4.16, 5)
    layers = np.vstack([wide.layer(2, 0.0), wide.layer(1, length)])
    everything = Atoms(f"Ag{len(atoms) + 50}", np.vstack([atoms, layers]), cell=cell, pbc=[1, 1, 0])
    i, j, d = neighbor_list("ijd", everything, D)
    return float(((D - d[(i < len(atoms)) & (j >= len(atoms))]) ** 2).sum())


def rough_contact(seed: int, length: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform([0, 0, 1.3], [7, 7, length - 1.3], size=(10, 3))


@pytest.mark.parametrize("seed", range(6))
def test_no_other_lateral_place_overlaps_less(seed: int) -> None:
    atoms = rough_contact(seed, 8.0)
    here = overlap(atoms + lateral_shift(atoms, LATTICE, 8.0, **LAYERS), 8.0)
    tried = np.random.default_rng(seed).uniform(size=(60, 2)) @ LATTICE.primitive_vectors
    elsewhere = [overlap(atoms + place, 8.0) for place in tried]
    # places are 0.25 Å apart
    assert here < min(elsewhere) + 0.1
    assert here < np.median(elsewhere) - 0.1


@pytest.mark.parametrize("seed", range(4))
def test_the_place_knows_neither_order_nor_supercell_nor_origin(seed: int) -> None:
    atoms = rough_contact(seed, 8.0)
    placed = atoms + lateral_shift(atoms, LATTICE, 8.0, **LAYERS)
    for supercell in (1, 4, 6):
        assert atoms + lateral_shift(atoms, Fcc111(4.16, supercell), 8.0, **LAYERS) == pytest.approx(placed)
    aside = atoms[::-1] + np.array([17.3, -40.1, 0.0])
    assert aside + lateral_shift(aside, LATTICE, 8.0, **LAYERS) == pytest.approx(placed[::-1])


def test_an_empty_gap_has_nothing_to_move() -> None:
    assert lateral_shift(EMPTY, LATTICE, 8.0, **LAYERS).tolist() == [0.0, 0.0, 0.0]


def test_the_closest_pair_counts_images_where_there_are_some() -> None:
    pair = np.array([[0.1, 0.0, 5.0], [LATTICE.alat - 1.9, 0.0, 5.0]])
    assert closest_pair(pair) == pytest.approx(LATTICE.alat - 2.0)
    assert closest_pair(pair, LATTICE.cell(20.0)) == pytest.approx(2.0)
    assert closest_pair(pair[:1], LATTICE.cell(20.0)) == pytest.approx(LATTICE.alat)
    assert closest_pair(pair[:1]) == closest_pair(EMPTY) == float("inf")


def cramped(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atoms of a displaced layer, some across the edge of the cell, over a flat one."""
    rng = np.random.default_rng(seed)
    cell = LATTICE.cell(20.0)
    mobile = LATTICE.layer(1, LATTICE.layer_spacing) + rng.normal(scale=0.5, size=(9, 3))
    # one atom may have any of its images
    mobile += rng.integers(-2, 3, size=(9, 1)) * cell[0] + rng.integers(-2, 3, size=(9, 1)) * cell[1]
    return mobile, LATTICE.layer(0, 0.0), cell


def closest(mobile: np.ndarray, fixed: np.ndarray, cell: np.ndarray) -> float:
    """Shortest distance of a mobile atom to any other or to an image, its own included."""
    everything = Atoms(f"Ag{len(mobile) + len(fixed)}", np.vstack([mobile, fixed]), cell=cell, pbc=[1, 1, 0])
    i, d = neighbor_list("id", everything, 4.0)
    return float(d[i < len(mobile)].min())


@pytest.mark.parametrize("seed", range(8))
def test_no_pair_is_near_after_pushing_apart_images_included(seed: int) -> None:
    mobile, fixed, cell = cramped(seed)
    kept = fixed.copy()
    assert closest(mobile, fixed, cell) < PUSHED_APART - 0.1
    moved = push_apart(mobile, fixed, cell)
    assert closest(moved, fixed, cell) >= PUSHED_APART - 1e-3
    assert np.array_equal(fixed, kept)


def test_pushing_moves_no_atom_that_has_room() -> None:
    mobile = np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 7.6], [4.4, 0.0, 5.0], [4.4, 0.0, 7.0]])
    moved = push_apart(mobile, EMPTY, LATTICE.cell(20.0))
    assert np.array_equal(moved[:2], mobile[:2])
    # a pair gives way by half each, along its line
    assert moved[2:] == pytest.approx(np.array([[4.4, 0.0, 4.75], [4.4, 0.0, 7.25]]), abs=1e-3)


def test_an_atom_beside_a_fixed_one_gives_way_alone() -> None:
    # the whole way, at once
    moved = push_apart(np.array([[0.0, 0.0, 2.0]]), np.zeros((1, 3)), LATTICE.cell(20.0), sweeps=1)
    assert moved == pytest.approx(np.array([[0.0, 0.0, 2.5]]), abs=1e-3)


def test_pushing_reaches_across_the_edge_of_the_cell() -> None:
    cell = LATTICE.cell(20.0)
    mobile = np.array([[0.1, 0.0, 5.0], [LATTICE.alat - 1.9, 0.0, 5.0]])
    moved = push_apart(mobile, EMPTY, cell)
    assert moved[0, 0] - (moved[1, 0] - LATTICE.alat) == pytest.approx(2.5, abs=1e-3)
