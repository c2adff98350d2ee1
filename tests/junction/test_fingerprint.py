"""Equal contacts: what may be done to one without a change of T(E, k), and what may not."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.fingerprint import SAME_PLACE, FilledGap, fingerprint, same_contact
from aiida_rewire.junction.lattice import Fcc111

LATTICE = Fcc111(4.16, 4)
LENGTH = 9.0
# no two of them alike, none over a symmetry element of the flat layers
ATOMS = np.array([[0.4, 0.1, 2.4], [1.9, 1.2, 4.3], [-0.9, 1.4, 4.5], [0.6, 0.2, 6.6]])


def contact(atoms: np.ndarray = ATOMS, lattice: Fcc111 = LATTICE, length: float = LENGTH) -> FilledGap:
    return FilledGap(lattice, 3, 2, length, atoms)


def turned(atoms: np.ndarray, degrees: float) -> np.ndarray:
    """About a hollow of the lower surface, x = y = 0."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return atoms @ turn.T


def test_a_contact_is_the_same_as_itself() -> None:
    assert same_contact(contact(), contact()) == 0.0


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 0, 2, 3], [2, 3, 0, 1]])
def test_the_order_of_the_atoms_is_no_difference(order: list[int]) -> None:
    assert same_contact(contact(), contact(ATOMS[order])) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("i", "j"), [(i, j) for i in range(-1, 5) for j in (-2, 0, 1, 3)])
def test_a_primitive_translation_is_no_difference(i: int, j: int) -> None:
    moved = ATOMS + i * LATTICE.primitive_vectors[0] + j * LATTICE.primitive_vectors[1]
    assert same_contact(contact(), contact(moved)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_translated_wrapped_and_shaken_copy_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shaken = ATOMS + rng.uniform(-0.01, 0.01, size=ATOMS.shape)
    farthest = np.linalg.norm(shaken - ATOMS, axis=1).max()
    cell = LATTICE.cell(20.0)
    copy = shaken + rng.integers(0, 4, size=2) @ LATTICE.primitive_vectors
    copy = copy + rng.integers(-3, 4, size=(4, 2)) @ cell[:2]
    assert same_contact(contact(), contact(rng.permutation(copy))) == pytest.approx(farthest, abs=1e-9)


@pytest.mark.parametrize("direction", [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.0, -0.8]])
@pytest.mark.parametrize("atom", range(4))
def test_one_atom_decides(direction: list[float], atom: int) -> None:
    for tolerance in (SAME_PLACE, 0.3):
        moved = ATOMS.copy()
        moved[atom] += 1.5 * tolerance * np.array(direction)
        assert same_contact(contact(), contact(moved), tolerance) is None
        moved = ATOMS.copy()
        moved[atom] += 0.9 * tolerance * np.array(direction)
        assert same_contact(contact(), contact(moved), tolerance) == pytest.approx(0.9 * tolerance)


def test_each_atom_has_one_partner() -> None:
    twice, once = ATOMS[[0, 0, 1]], ATOMS[[0, 2, 1]]
    assert same_contact(contact(twice), contact(once)) is None
    assert same_contact(contact(once), contact(twice)) is None


def test_the_comparison_is_symmetric() -> None:
    other = contact(ATOMS[::-1] + np.array([0.004, 0.0, 0.003]) + LATTICE.primitive_vectors[1])
    assert same_contact(contact(), other) == pytest.approx(0.005)
    assert same_contact(other, contact()) == pytest.approx(0.005)


@pytest.mark.parametrize("degrees", [60.0, 120.0, 180.0, 240.0])
def test_a_turned_contact_is_another(degrees: float) -> None:
    # by 120 degrees the flat layers are the same, the k-points are not
    assert same_contact(contact(), contact(turned(ATOMS, degrees))) is None


@pytest.mark.parametrize("signs", [[-1, 1, 1], [1, -1, 1], [-1, -1, 1]])
def test_a_mirrored_contact_is_another(signs: list[int]) -> None:
    assert same_contact(contact(), contact(ATOMS * signs)) is None


def test_a_contact_upside_down_is_another() -> None:
    assert same_contact(contact(), contact(ATOMS * [1, 1, -1] + [0, 0, LENGTH])) is None


@pytest.mark.parametrize("fraction", [1 / 3, 1 / 2])
def test_other_translations_are_a_difference(fraction: float) -> None:
    # from one hollow to another, or off the hollows
    assert same_contact(contact(), contact(ATOMS + fraction * LATTICE.primitive_vectors.sum(axis=0))) is None


def test_a_raised_contact_is_another() -> None:
    assert same_contact(contact(), contact(ATOMS + np.array([0.0, 0.0, 0.03]))) is None


@pytest.mark.parametrize(
    "other",
    [
        contact(lattice=Fcc111(4.16, 5)),
        contact(lattice=Fcc111(4.09, 4)),
        contact(length=LENGTH + 0.01),
        contact(ATOMS[:3]),
        replace(contact(), lower_layers=4),
        replace(contact(), upper_layers=3),
    ],
)
def test_what_was_asked_for_is_in_the_fingerprint(other: FilledGap) -> None:
    assert fingerprint(other) != fingerprint(contact())
    assert same_contact(contact(), other) is None


def test_a_fingerprint_knows_no_places() -> None:
    elsewhere = np.random.default_rng(1).uniform(0, 8, size=(4, 3))
    assert fingerprint(contact()) == fingerprint(contact(elsewhere)) == "fcc111-a4.1600-n4-l3-u2-g9.0000-m4"


def test_rounding_errors_do_not_change_a_fingerprint() -> None:
    assert fingerprint(contact(length=LENGTH - 1e-12)) == fingerprint(contact())


def test_empty_gaps_are_the_same() -> None:
    empty = np.empty((0, 3))
    assert same_contact(contact(empty), contact(empty)) == 0.0
    assert same_contact(contact(empty), contact()) is None


@pytest.mark.parametrize("tolerance", [0.0, -0.02, 1.0, float("nan"), float("inf")])
def test_a_tolerance_that_tells_nothing_is_refused(tolerance: float) -> None:
    with pytest.raises(InvalidInput, match=f"^tolerance = {tolerance} Å: must be above 0 Å and less than 1.0 Å"):
        same_contact(contact(), contact(), tolerance)


@pytest.mark.parametrize(("lower_layers", "upper_layers"), [(3, 2), (4, 3)])
def test_the_gap_of_a_region_is_what_was_put_into_it(lower_layers: int, upper_layers: int) -> None:
    layers = {"lower_layers": lower_layers, "upper_layers": upper_layers}
    region = assemble_scattering_region(ATOMS, FlatGap(0.0, LENGTH), LATTICE, **layers)
    assert region.atoms_pushed == 0
    gap = FilledGap.of_region(region.cell, region.positions, LATTICE, **layers)
    assert gap.length == pytest.approx(LENGTH)
    assert np.ptp(gap.atoms - ATOMS, axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert gap.atoms[:, 2] == pytest.approx(ATOMS[:, 2])


def test_regions_of_one_contact_taken_from_different_places_are_the_same() -> None:
    gaps = []
    for order, aside in (([0, 1, 2, 3], [0.0, 0.0, 0.0]), ([2, 0, 3, 1], [31.7, -12.9, 0.0])):
        region = assemble_scattering_region(ATOMS[order] + aside, FlatGap(0.0, LENGTH), LATTICE)
        gaps.append(FilledGap.of_region(region.cell, region.positions, LATTICE))
    assert same_contact(*gaps) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("lattice", "layers"),
    [(Fcc111(4.16, 3), {}), (Fcc111(4.09, 4), {}), (LATTICE, {"lower_layers": 4}), (LATTICE, {"upper_layers": 3})],
)
def test_a_region_of_other_layers_is_refused(lattice: Fcc111, layers: dict[str, int]) -> None:
    region = assemble_scattering_region(ATOMS, FlatGap(0.0, LENGTH), LATTICE)
    with pytest.raises(InvalidInput, match=r"^region = 84 atoms: must be one with . and . flat layers of supercell"):
        FilledGap.of_region(region.cell, region.positions, lattice, **layers)
