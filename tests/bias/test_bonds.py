"""Bonds: weights, their normalisation, and the kept pairs against a fresh search."""

import math

import numpy as np
import pytest
from metal_bars import bar
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from aiida_rewire.bias.bonds import BondList, Bonds, normalisation, weights
from aiida_rewire.errors import InvalidInput

CUTOFF = 4.0
NORM = 0.4555


def bond_list(n_atoms: int, **options: object) -> BondList:
    settings: dict[str, object] = {"cutoff": CUTOFF, "norm": NORM, **options}
    return BondList(np.ones(n_atoms, dtype=bool), **settings)  # type: ignore[arg-type]


def fresh_pairs(positions: NDArray[np.float64], box_lengths: tuple[float, ...] = (0, 0, 0)) -> list[tuple[int, int]]:
    """Every pair within the cutoff, from all distances."""
    vectors = positions[:, None] - positions[None]
    for axis, length in enumerate(box_lengths):
        if length:
            vectors[..., axis] -= length * np.round(vectors[..., axis] / length)
    near = np.triu(np.linalg.norm(vectors, axis=-1) < CUTOFF, k=1)
    return list(map(tuple, np.argwhere(near).tolist()))


def pairs_of(bonds: Bonds) -> list[tuple[int, int]]:
    return list(zip(bonds.first.tolist(), bonds.second.tolist(), strict=True))


def test_weight_is_one_at_contact_nine_sixteenths_at_half_the_cutoff_and_zero_beyond() -> None:
    found = weights(np.array([0.0, 2.0, 4.0, 5.0]) ** 2, 4.0)
    assert np.allclose(found, [1.0, 9 / 16, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize(
    ("lattice", "lattice_constant", "cutoff", "expected"),
    [
        ("fcc", 4.09, 4.0, 12 * (1 - 4.09**2 / 2 / 16) ** 2 / 6),
        ("fcc", 4.09, 4.0, 0.4555),
        ("fcc", 4.09, 4.5, 0.7193),
        ("fcc", 4.09, 5.0, 0.9951),
        ("bcc", 3.0, 4.0, (8 * (1 - 6.75 / 16) ** 2 + 6 * (1 - 9 / 16) ** 2) / 6),
    ],
)
def test_normalisation_of_crystals(lattice: str, lattice_constant: float, cutoff: float, expected: float) -> None:
    assert normalisation(lattice, lattice_constant, cutoff) == pytest.approx(expected, abs=5e-5)


def test_published_norm_is_the_mean_over_the_plate_of_the_published_case() -> None:
    plate = bar("bcc", 3.0, side=4, length=40, electrode_layers=1)
    found = bond_list(len(plate.positions), norm=1.0, box_lengths=plate.box_lengths).update(plate.positions)
    vectors = plate.positions[found.first] - plate.positions[found.second]
    vectors[:, :2] -= 12.0 * np.round(vectors[:, :2] / 12.0)
    sums = 2 * np.sum(found.conductance * np.sum(vectors**2, axis=1)) / len(plate.positions)
    assert sums / 6 == pytest.approx(0.629967, abs=5e-7)


@pytest.mark.parametrize(("lattice", "a"), [("fcc", 4.09), ("bcc", 3.0)])
def test_normalised_sum_is_the_laplacian_of_a_quadratic_potential(lattice: str, a: float) -> None:
    """In d dimensions the sum over neighbours is 1/(2 d) of the weights' sum, hence the 6."""
    crystal = bar(lattice, a, side=6, length=6, electrode_layers=1)
    atom = int(np.argmin(np.linalg.norm(crystal.positions - 3 * a, axis=1)))
    x, y, z = crystal.positions.T
    phi = 0.7 * x**2 - 0.2 * y**2 + 1.1 * z**2 + 0.9 * x * y - 0.4 * y * z + 3.0 * x - 5.0
    bonds = bond_list(len(phi), norm=normalisation(lattice, a, CUTOFF)).update(crystal.positions)
    upper = bonds.upper()
    laplacian = upper @ phi + upper.T @ phi - bonds.degree() * phi
    assert laplacian[atom] == pytest.approx(2 * (0.7 - 0.2 + 1.1), rel=1e-10)


def test_conductance_of_two_atoms() -> None:
    bonds = bond_list(2).update(np.array([[0.0, 0.0, 0.0], [0.0, 3.0, 0.0]]))
    assert pairs_of(bonds) == [(0, 1)]
    assert bonds.conductance[0] == pytest.approx((7 / 16) ** 2 / (NORM * 9), rel=1e-14)
    assert np.allclose(bonds.degree(), bonds.conductance[0], rtol=1e-14)


@pytest.mark.parametrize("box_lengths", [(0, 0, 0), (11.5, 11.5, 0), (11.5, 11.5, 13.0)])
@pytest.mark.parametrize("skin", [0.6, 1.5])
def test_kept_pairs_are_those_of_a_fresh_search_all_along_a_random_walk(
    box_lengths: tuple[float, float, float], skin: float
) -> None:
    generator = np.random.default_rng(5)
    positions = generator.uniform(-2, 12, (120, 3))
    kept = bond_list(len(positions), skin=skin, box_lengths=box_lengths)
    for _ in range(150):
        positions = positions + generator.normal(0, 0.03, positions.shape)
        found = kept.update(positions)
        assert pairs_of(found) == fresh_pairs(positions, box_lengths)
        fresh = bond_list(len(positions), skin=0.0, box_lengths=box_lengths).update(positions)
        assert np.array_equal(found.conductance, fresh.conductance)
    assert 1 < kept.searches < 100


def test_two_atoms_that_meet_halfway_are_found() -> None:
    kept = bond_list(2, skin=0.6)
    assert pairs_of(kept.update(np.array([[0.0, 0, 0], [4.7, 0, 0]]))) == []
    assert pairs_of(kept.update(np.array([[0.38, 0, 0], [4.32, 0, 0]]))) == [(0, 1)]


def test_atoms_that_stay_within_half_the_skin_are_not_searched_again() -> None:
    kept = bond_list(2, skin=0.6)
    for shift in (0.0, 0.1, 0.29):
        kept.update(np.array([[0.0, 0, 0], [3.0 + shift, 0, 0]]))
    assert kept.searches == 1
    kept.update(np.array([[0.0, 0, 0], [3.31, 0, 0]]))
    assert kept.searches == 2


def test_bonds_cross_a_periodic_boundary_and_no_free_one() -> None:
    ends = np.array([[-1e-17, 0.5, 0.5], [9.5, 0.5, 0.5]])
    assert pairs_of(bond_list(2).update(ends)) == []
    bonds = bond_list(2, box_lengths=(12.0, 0, 0)).update(ends)
    assert pairs_of(bonds) == [(0, 1)]
    assert bonds.conductance[0] == pytest.approx((1 - 2.5**2 / 16) ** 2 / (NORM * 2.5**2), rel=1e-12)


def test_only_conducting_atoms_bond_and_keep_their_numbers() -> None:
    line = np.array([[3.0 * number, 0, 0] for number in range(6)])
    metal = np.array([True, True, False, False, True, True])
    bonds = BondList(metal, cutoff=CUTOFF, norm=NORM).update(line)
    assert pairs_of(bonds) == [(0, 1), (4, 5)]
    assert bonds.n_atoms == 6


def test_distances_are_those_of_scipy() -> None:
    positions = np.random.default_rng(1).uniform(0, 9, (60, 3))
    bonds = bond_list(60).update(positions)
    distances = squareform(pdist(positions))[bonds.first, bonds.second]
    assert np.allclose(bonds.conductance, (1 - distances**2 / 16) ** 2 / (NORM * distances**2), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"cutoff": 0.0}, "cutoff"),
        ({"cutoff": math.nan}, "cutoff"),
        ({"norm": -1.0}, "norm"),
        ({"skin": -0.1}, "skin"),
        ({"box_lengths": (9.0, 9.0, 0.0)}, "box_lengths"),
        ({"box_lengths": (12.0, 12.0)}, "box_lengths"),
        ({"box_lengths": (12.0, 12.0, math.inf)}, "box_lengths"),
    ],
)
def test_numbers_out_of_bounds_are_named(options: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bond_list(3, **options)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "positions",
    [np.zeros((2, 3)), np.zeros((3, 3)), np.array([[0, 0, 0], [3, 0, 0], [np.nan, 0, 0]])],
    ids=["too few", "one point", "not finite"],
)
def test_positions_that_are_none_are_named(positions: NDArray[np.float64]) -> None:
    with pytest.raises(InvalidInput, match="positions"):
        bond_list(3).update(positions)


def test_positions_that_blow_up_later_are_named() -> None:
    kept = bond_list(2)
    kept.update(np.array([[0.0, 0, 0], [3.0, 0, 0]]))
    with pytest.raises(InvalidInput, match="positions"):
        kept.update(np.array([[0.0, 0, 0], [np.nan, 0, 0]]))


@pytest.mark.parametrize(
    ("lattice", "lattice_constant", "cutoff", "name"),
    [("hcp", 3.0, 4.0, "lattice"), ("fcc", 0.0, 4.0, "lattice_constant"), ("fcc", 4.09, 2.8, "cutoff")],
)
def test_lattices_without_a_norm_are_named(lattice: str, lattice_constant: float, cutoff: float, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalisation(lattice, lattice_constant, cutoff)
    assert caught.value.name == name
