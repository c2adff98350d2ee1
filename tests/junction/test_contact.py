"""Descriptors of contacts whose answer is known by counting."""

import numpy as np
import pytest

from aiida_rewire.junction.contact import Contact, Stage, describe_contact
from aiida_rewire.junction.tips import Region, build_tips

D = 2.9


def plane(z: float, side: int = 4, spacing: float = D) -> np.ndarray:
    line = np.arange(side) * spacing
    x, y = np.meshgrid(line, line)
    return np.column_stack([x.ravel(), y.ravel(), np.full(side**2, z)])


def between(lower: np.ndarray, bridge: np.ndarray, upper: np.ndarray, atoms_as_built: int = 0) -> Contact:
    positions = np.vstack([lower, bridge.reshape(-1, 3), upper])
    index = np.arange(len(positions))
    return describe_contact(
        positions,
        index < len(lower),
        index >= len(positions) - len(upper),
        atoms_in_gap=len(bridge),
        atoms_in_gap_as_built=atoms_as_built,
    )


def chain(x: float, y: float, length: int) -> np.ndarray:
    """Atoms on top of the atom at x, y of the lower plane, D apart."""
    return np.array([[x, y, D * k] for k in range(1, length + 1)])


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_chain_of_atoms_is_one_bond(length: int) -> None:
    contact = between(plane(0.0), chain(D, D, length), plane(D * (length + 1)))
    assert contact == Contact(0.0, 1, Stage.CONTACT)


def test_two_chains_beside_each_other_are_two_bonds() -> None:
    bridge = np.vstack([chain(0.0, 0.0, 3), chain(3 * D, 3 * D, 3)])
    assert between(plane(0.0), bridge, plane(4 * D)) == Contact(0.0, 2, Stage.CONTACT)


def test_two_chains_that_touch_are_still_two_bonds() -> None:
    bridge = np.vstack([chain(0.0, 0.0, 3), chain(D, 0.0, 3)])
    assert between(plane(0.0), bridge, plane(4 * D)).bonds == 2


def test_an_atom_on_fourfold_hollows_is_four_bonds_and_a_contact() -> None:
    height = D / np.sqrt(2)
    bridge = np.array([[1.5 * D, 1.5 * D, height]])
    assert between(plane(0.0), bridge, plane(2 * height)) == Contact(0.0, 4, Stage.CONTACT)


def test_a_chain_between_fourfold_hollows_is_as_narrow_as_the_chain() -> None:
    height = D / np.sqrt(2)
    bridge = np.array([[1.5 * D, 1.5 * D, height], [1.5 * D, 1.5 * D, height + D]])
    assert between(plane(0.0), bridge, plane(2 * height + D)) == Contact(0.0, 1, Stage.CONTACT)


def test_an_atom_of_a_base_may_have_several_bonds() -> None:
    bridge = np.array([[-1.6, 0.0, 2.5], [1.6, 0.0, 2.5]])
    base = np.zeros((1, 3))
    assert between(base, bridge, base + np.array([0.0, 0.0, 5.0])).bonds == 2


@pytest.mark.parametrize(("chains", "stage"), [(4, Stage.CONTACT), (5, Stage.GROWTH), (9, Stage.GROWTH)])
def test_the_stage_follows_the_bonds(chains: int, stage: Stage) -> None:
    feet = plane(0.0)[:chains]
    bridge = np.vstack([chain(x, y, 2) for x, y, _ in feet])
    assert between(plane(0.0), bridge, plane(3 * D)) == Contact(0.0, chains, stage)


@pytest.mark.parametrize("gap", [3.31, 5.0, 7.25])
def test_without_contact_the_gap_left_is_the_distance_of_the_planes(gap: float) -> None:
    contact = between(plane(0.0), np.empty((0, 3)), plane(gap))
    assert contact == Contact(pytest.approx(gap, abs=1e-12), 0, Stage.GAP)


def test_the_gap_left_is_measured_along_the_line_between_the_nearest_atoms() -> None:
    # 3 Å aside and 4 Å along z
    adatoms = np.array([[D, D, D], [D + 3.0, D, D + 4.0]])
    upper = plane(2 * D + 4.0) + np.array([3.0, 0.0, 0.0])
    assert between(plane(0.0), adatoms, upper, 2) == Contact(pytest.approx(5.0), 0, Stage.GAP)


def test_an_atom_that_belongs_to_neither_side_does_not_shorten_the_gap() -> None:
    floating = np.array([[D, D, 5.0]])
    contact = between(plane(0.0), floating, plane(10.0))
    assert contact.gap_left == pytest.approx(10.0)
    assert contact.bonds == 0


def test_more_atoms_in_the_gap_than_built_are_islands() -> None:
    adatom = np.array([[D, D, D]])
    assert between(plane(0.0), adatom, plane(12.0), atoms_as_built=0).stage is Stage.ISLANDS
    assert between(plane(0.0), adatom, plane(12.0), atoms_as_built=1).stage is Stage.GAP


def test_bonds_end_at_the_bond_length() -> None:
    for distance, bonds in ((3.29, 16), (3.31, 0)):
        assert between(plane(0.0), np.empty((0, 3)), plane(distance)).bonds == bonds


def test_the_built_tips_have_the_gap_that_was_asked_for() -> None:
    tips = build_tips(gap=6.5)
    regions = np.array(tips.regions)
    contact = describe_contact(
        tips.positions,
        regions == Region.LOWER_BASE,
        regions == Region.UPPER_BASE,
        atoms_in_gap=2,
        atoms_in_gap_as_built=2,
    )
    assert contact == Contact(pytest.approx(6.5), 0, Stage.GAP)


def test_tips_pushed_into_each_other_have_grown_together() -> None:
    tips = build_tips(gap=6.0)
    regions = np.array(tips.regions)
    upper = np.isin(regions, (Region.UPPER, Region.UPPER_BASE))
    # the upper tip two layers down and half a cell aside continues the crystal of the lower
    positions = tips.positions - np.where(upper[:, None], [4.09 / np.sqrt(8), 4.09 / np.sqrt(8), 6.0 + 4.09 / 2], 0.0)
    contact = describe_contact(
        positions,
        regions == Region.LOWER_BASE,
        regions == Region.UPPER_BASE,
        atoms_in_gap=10,
        atoms_in_gap_as_built=2,
    )
    assert contact.gap_left == 0.0
    assert contact.stage is Stage.GROWTH
