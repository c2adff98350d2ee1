"""Descriptors of contacts whose answer is known by counting, or by another program."""

import json
from dataclasses import asdict
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial.distance import cdist

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.contact import Contact, Stage, describe_contact, gap_left, in_contact
from aiida_rewire.junction.tips import Region, build_tips

D = 2.9
BOND = 3.3
HOLLOW = D / np.sqrt(2)
"""Height of an atom on a fourfold hollow of a plane: D from four atoms of it."""


def plane(z: float, side: int = 4, spacing: float = D) -> np.ndarray:
    line = np.arange(side) * spacing
    x, y = np.meshgrid(line, line)
    return np.column_stack([x.ravel(), y.ravel(), np.full(side**2, z)])


def chain(x: float, y: float, length: int) -> np.ndarray:
    """Atoms on top of the atom at x, y of the lower plane, D apart."""
    return np.array([[x, y, D * k] for k in range(1, length + 1)])


NOTHING = np.empty((0, 3))


def parts(lower: np.ndarray, bridge: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, lower base and upper base; the bridge is neither."""
    positions = np.vstack([lower, bridge.reshape(-1, 3), upper])
    index = np.arange(len(positions))
    return positions, index < len(lower), index >= len(positions) - len(upper)


def between(lower: np.ndarray, bridge: np.ndarray, upper: np.ndarray, atoms_as_built: int = 0) -> Contact:
    """The contact of two bases with the atoms of ``bridge`` in the gap; the three ways to ask must agree."""
    positions, lower_base, upper_base = parts(lower, bridge, upper)
    contact = describe_contact(
        positions,
        lower_base,
        upper_base,
        in_gap=~(lower_base | upper_base),
        atoms_in_gap_as_built=atoms_as_built,
    )
    assert in_contact(positions, lower_base, upper_base) is (contact.bonds > 0)
    assert gap_left(positions, lower_base, upper_base) == contact.gap_left
    return contact


def narrowest(contact: Contact) -> tuple[float, int, Stage]:
    return contact.gap_left, contact.bonds, contact.stage


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_chain_of_atoms_is_one_bond(length: int) -> None:
    contact = between(plane(0.0), chain(D, D, length), plane(D * (length + 1)))
    # cut at the foot: an atom inside the plane has four neighbours there and one above, a chain's atom has two
    assert contact == Contact(0.0, 1, (5 + 2) / 2, length, length, 0, 1, Stage.CONTACT)


def test_two_chains_beside_each_other_are_two_bonds() -> None:
    bridge = np.vstack([chain(0.0, 0.0, 3), chain(3 * D, 3 * D, 3)])
    assert narrowest(between(plane(0.0), bridge, plane(4 * D))) == (0.0, 2, Stage.CONTACT)


def test_two_chains_that_touch_are_still_two_bonds() -> None:
    bridge = np.vstack([chain(0.0, 0.0, 3), chain(D, 0.0, 3)])
    assert between(plane(0.0), bridge, plane(4 * D)).bonds == 2


def test_a_column_of_two_by_two_atoms_is_four_bonds() -> None:
    bridge = np.vstack([chain(x, y, 3) for x in (D, 2 * D) for y in (D, 2 * D)])
    contact = between(plane(0.0), bridge, plane(4 * D))
    # feet: four neighbours in the plane and one above; column: two beside, one below, one above
    assert contact == Contact(0.0, 4, (5 + 4) / 2, 12, 12, 0, 1, Stage.CONTACT)


def test_an_atom_on_fourfold_hollows_is_four_bonds_and_a_contact() -> None:
    contact = between(plane(0.0), np.array([[1.5 * D, 1.5 * D, HOLLOW]]), plane(2 * HOLLOW))
    # four atoms of the plane with five bonds each, the bridging atom with eight
    assert contact == Contact(0.0, 4, pytest.approx((4 * 5 + 8) / 5), 1, 1, 0, 1, Stage.CONTACT)


def test_a_dimer_between_fourfold_hollows_is_as_narrow_as_its_bond() -> None:
    bridge = np.array([[1.5 * D, 1.5 * D, HOLLOW], [1.5 * D, 1.5 * D, HOLLOW + D]])
    contact = between(plane(0.0), bridge, plane(2 * HOLLOW + D))
    # each atom of the dimer has four bonds to its hollow and one to the other
    assert contact == Contact(0.0, 1, 5.0, 2, 2, 0, 1, Stage.CONTACT)


def test_a_pristine_column_is_cut_between_two_of_its_layers() -> None:
    n = 3
    positions = bulk("Ag", a=4.09, cubic=True).repeat((n, n, 4)).positions
    z = positions[:, 2]
    lower_base, upper_base = z < z.min() + 0.1, z > z.max() - 0.1
    contact = describe_contact(
        positions, lower_base, upper_base, in_gap=~(lower_base | upper_base), atoms_in_gap_as_built=0
    )
    # 2 n^2 atoms a layer with four bonds up each, without the 4 n that would leave the column
    assert contact.bonds == 8 * n**2 - 4 * n == 60
    # the two lowest layers have (2 n - 1)^2 bonds within each; 60 between them, 60 to the third
    assert contact.bottleneck_coordination == pytest.approx((2 * 2 * (2 * n - 1) ** 2 + 3 * 60) / (4 * n**2))
    assert contact.stage is Stage.GROWTH


def test_of_several_narrowest_places_the_one_nearest_the_lower_base_is_described() -> None:
    # the chain stands on a corner atom of the lower plane (2 + 1 bonds) and under an inner one of the upper (4 + 1)
    positions, lower, upper = parts(plane(0.0), chain(0.0, 0.0, 3), plane(4 * D) - [D, D, 0.0])
    nothing = np.zeros(len(positions), dtype=bool)
    for one, other, coordination in ((lower, upper, (3 + 2) / 2), (upper, lower, (5 + 2) / 2)):
        contact = describe_contact(positions, one, other, in_gap=nothing, atoms_in_gap_as_built=0)
        assert contact.bottleneck_coordination == coordination
        assert contact.bonds == 1


def test_an_atom_at_the_end_of_several_cut_bonds_counts_once() -> None:
    # a single atom as base under two atoms of a chain each: both cut bonds end in it
    bridge = np.array([[-1.45, 0.0, 2.5], [1.45, 0.0, 2.5]])
    contact = between(np.zeros((1, 3)), bridge, np.array([[0.0, 0.0, 5.0]]))
    assert contact.bonds == 2
    # base: two bonds; the two atoms: base, the other base, each other
    assert contact.bottleneck_coordination == pytest.approx((2 + 3 + 3) / 3)


def test_an_atom_of_a_base_may_have_several_bonds() -> None:
    bridge = np.array([[-1.6, 0.0, 2.5], [1.6, 0.0, 2.5]])
    base = np.zeros((1, 3))
    assert between(base, bridge, base + np.array([0.0, 0.0, 5.0])).bonds == 2


def test_an_atom_may_have_several_bonds_to_a_base() -> None:
    # nothing but the upper bridge is narrow: four bonds below, one above
    top = np.array([[1.5 * D, 1.5 * D, HOLLOW + D]])
    assert between(plane(0.0), np.array([[1.5 * D, 1.5 * D, HOLLOW]]), top).bonds == 1
    assert between(top, np.array([[1.5 * D, 1.5 * D, HOLLOW]]), plane(0.0)).bonds == 1


@pytest.mark.parametrize(("chains", "stage"), [(4, Stage.CONTACT), (5, Stage.GROWTH), (9, Stage.GROWTH)])
def test_the_stage_follows_the_bonds(chains: int, stage: Stage) -> None:
    feet = plane(0.0)[:chains]
    bridge = np.vstack([chain(x, y, 2) for x, y, _ in feet])
    assert narrowest(between(plane(0.0), bridge, plane(3 * D))) == (0.0, chains, stage)


@pytest.mark.parametrize("gap", [3.31, 5.0, 7.25])
def test_without_contact_the_gap_left_is_the_distance_of_the_planes(gap: float) -> None:
    contact = between(plane(0.0), NOTHING, plane(gap))
    assert contact == Contact(pytest.approx(gap, abs=1e-12), 0, None, 0, 0, 0, 2, Stage.GAP)


def test_the_gap_left_is_measured_along_the_line_between_the_nearest_atoms() -> None:
    # 3 Å aside and 4 Å along z
    adatoms = np.array([[D, D, D], [D + 3.0, D, D + 4.0]])
    upper = plane(2 * D + 4.0) + np.array([3.0, 0.0, 0.0])
    assert narrowest(between(plane(0.0), adatoms, upper, 2)) == (pytest.approx(5.0), 0, Stage.GAP)


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
        assert between(plane(0.0), NOTHING, plane(distance)).bonds == bonds


def test_the_bond_length_is_the_callers() -> None:
    positions, lower, upper = parts(plane(0.0), NOTHING, plane(3.2))
    nothing = np.zeros(len(positions), dtype=bool)
    for length, bonds in ((3.1, 0), (3.3, 16)):
        contact = describe_contact(
            positions, lower, upper, in_gap=nothing, atoms_in_gap_as_built=0, bond_length=length
        )
        assert contact.bonds == bonds
        assert in_contact(positions, lower, upper, length) is (bonds > 0)
        assert gap_left(positions, lower, upper, length) == (0.0 if bonds else pytest.approx(3.2))


def test_atoms_that_hang_and_atoms_that_float() -> None:
    adatom, under_the_top = [D, D, D], [D, D, 20.0 - D]
    dimer = [[2 * D, 2 * D, 9.0], [2 * D, 2 * D, 9.0 + D]]
    far_away = [40.0, 0.0, 10.0]
    step_outside_the_gap = [0.0, 0.0, -D]
    bridge = np.array([adatom, under_the_top, *dimer, far_away, step_outside_the_gap])
    positions, lower, upper = parts(plane(0.0), bridge, plane(20.0))
    in_gap = np.zeros(len(positions), dtype=bool)
    in_gap[16:20] = True
    contact = describe_contact(positions, lower, upper, in_gap=in_gap, atoms_in_gap_as_built=2)
    assert contact == Contact(
        gap_left=pytest.approx(20.0 - 2 * D),
        bonds=0,
        bottleneck_coordination=None,
        atoms_in_gap=4,
        filament_atoms=2,  # one on each base
        floating_atoms=3,  # the dimer in the gap and the atom far outside
        clusters=4,  # two tips, a dimer, an atom
        stage=Stage.ISLANDS,
    )


def test_floating_atoms_beside_a_contact_do_not_touch_it() -> None:
    bridge = np.vstack([chain(D, D, 3), [[30.0, 30.0, D]]])
    contact = between(plane(0.0), bridge, plane(4 * D))
    assert contact == Contact(0.0, 1, 3.5, 4, 3, 1, 2, Stage.CONTACT)


def test_a_base_is_one_terminal_even_where_its_atoms_do_not_touch() -> None:
    apart = np.array([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]])
    # the left atom carries the contact, the right one belongs to it
    contact = between(apart, chain(0.0, 0.0, 2), apart + np.array([0.0, 0.0, 3 * D]))
    assert (contact.bonds, contact.floating_atoms, contact.clusters) == (1, 0, 1)
    assert between(apart, NOTHING, apart + np.array([0.0, 0.0, 10.0])).clusters == 2


def test_periodic_images_play_no_part() -> None:
    # nothing below the lower base and nothing above the upper: near only across a boundary
    contact = between(plane(0.0), NOTHING, plane(100.0))
    assert contact.gap_left == pytest.approx(100.0)


def box_of_atoms(seed: int, atoms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random atoms in a box, the lowest two and the highest two as bases."""
    rng = np.random.default_rng(seed)
    edge = (atoms * 13.0) ** (1 / 3)
    positions = rng.random((atoms, 3)) * [edge, edge, 1.5 * edge]
    rank = np.argsort(np.argsort(positions[:, 2]))
    return positions, rank < 2, rank >= atoms - 2


def ends_of(positions: np.ndarray, below: set[int]) -> list[int]:
    """Atoms at the ends of the bonds that lead out of ``below``."""
    bonded = cdist(positions, positions) < BOND
    cut = [(i, j) for i in below for j in range(len(positions)) if j not in below and bonded[i, j]]
    return sorted({atom for pair in cut for atom in pair})


def mean_coordination(positions: np.ndarray, atoms: list[int]) -> float:
    bonded = cdist(positions, positions) < BOND
    return float(np.mean([bonded[atom].sum() - 1 for atom in atoms]))


def describe(positions: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Contact:
    return describe_contact(positions, lower, upper, in_gap=~(lower | upper), atoms_in_gap_as_built=0)


@pytest.mark.parametrize("seed", range(40))
def test_networkx_finds_the_same_cut_and_the_same_pieces(seed: int) -> None:
    positions, lower, upper = box_of_atoms(seed, 40)
    graph = nx.Graph()
    graph.add_nodes_from(range(40))
    bonded = np.argwhere(np.triu(cdist(positions, positions) < BOND, k=1))
    graph.add_edges_from(((int(i), int(j)) for i, j in bonded), capacity=1)
    # an edge without a capacity is unlimited
    graph.add_edges_from(("lower", int(i)) for i in np.flatnonzero(lower))
    graph.add_edges_from(("upper", int(i)) for i in np.flatnonzero(upper))
    contact = describe(positions, lower, upper)
    assert contact.clusters == nx.number_connected_components(graph)
    hanging = nx.node_connected_component(graph, "lower") | nx.node_connected_component(graph, "upper")
    assert contact.floating_atoms == 42 - len(hanging)
    # networkx puts as few nodes as possible on the side of the second terminal
    bonds, (_, below) = nx.minimum_cut(graph, "upper", "lower")
    assert contact.bonds == bonds
    if bonds:
        expected = mean_coordination(positions, ends_of(positions, below - {"lower"}))
        assert contact.bottleneck_coordination == pytest.approx(expected, abs=1e-12)


def test_the_random_boxes_hold_contacts_of_many_widths() -> None:
    several_cuts = 0
    widths = set()
    for seed in range(40):
        positions, lower, upper = box_of_atoms(seed, 40)
        contact, turned = describe(positions, lower, upper), describe(positions, upper, lower)
        widths.add(contact.bonds)
        several_cuts += contact.bottleneck_coordination != turned.bottleneck_coordination
    assert {0, 1, 2, 3, 4, 5} <= widths
    assert several_cuts >= 10


@pytest.mark.parametrize("seed", range(15))
def test_no_other_way_to_part_the_bases_is_cheaper(seed: int) -> None:
    positions, lower, upper = box_of_atoms(1000 + seed, 12)
    bonded = cdist(positions, positions) < BOND
    base, free = set(np.flatnonzero(lower)), np.flatnonzero(~(lower | upper))
    sides = [base | set(some) for k in range(len(free) + 1) for some in combinations(free, k)]
    costs = [bonded[np.ix_(sorted(side), sorted(set(range(12)) - side))].sum() for side in sides]
    contact = describe(positions, lower, upper)
    assert contact.bonds == min(costs)
    if contact.bonds:
        # combinations come in the order of their size: the first is the smallest
        smallest = sides[int(np.argmin(costs))]
        expected = mean_coordination(positions, ends_of(positions, smallest))
        assert contact.bottleneck_coordination == pytest.approx(expected, abs=1e-12)


def test_the_order_of_the_atoms_does_not_matter() -> None:
    positions, lower, upper = box_of_atoms(7, 200)
    shuffled = np.random.default_rng(1).permutation(200)
    contact = describe(positions, lower, upper)
    assert contact.bonds > 1
    other = describe(positions[shuffled], lower[shuffled], upper[shuffled])
    assert asdict(other) == asdict(contact) | {
        "bottleneck_coordination": pytest.approx(contact.bottleneck_coordination, abs=1e-12)
    }


@pytest.mark.parametrize("gap", [2 * D, 12.0])
def test_descriptors_can_be_stored_as_json(gap: float) -> None:
    contact = between(plane(0.0), chain(D, D, 1), plane(gap))
    stored = json.loads(json.dumps(asdict(contact), allow_nan=False))
    assert stored == asdict(contact)
    assert stored["bottleneck_coordination"] == (3.5 if gap == 2 * D else None)


def tip_masks(regions: tuple[Region, ...]) -> tuple[np.ndarray, np.ndarray]:
    region = np.array(regions)
    return region == Region.LOWER_BASE, region == Region.UPPER_BASE


def test_the_built_tips_have_the_gap_that_was_asked_for() -> None:
    tips = build_tips(base_side=6, gap=6.5)
    z = tips.positions[:, 2]
    apexes = (z >= tips.lower_apex - 0.1) & (z <= tips.upper_apex + 0.1)
    contact = describe_contact(tips.positions, *tip_masks(tips.regions), in_gap=apexes, atoms_in_gap_as_built=2)
    assert contact == Contact(pytest.approx(6.5), 0, None, 2, 2, 0, 2, Stage.GAP)


def test_tips_pushed_into_each_other_have_grown_together() -> None:
    tips = build_tips(base_side=6, gap=6.0)
    upper = np.isin(np.array(tips.regions), (Region.UPPER, Region.UPPER_BASE))
    # the upper tip two layers down and half a cell aside continues the crystal of the lower
    positions = tips.positions - np.where(upper[:, None], [4.09 / np.sqrt(8), 4.09 / np.sqrt(8), 6.0 + 4.09 / 2], 0.0)
    nothing = np.zeros(len(positions), dtype=bool)
    contact = describe_contact(positions, *tip_masks(tips.regions), in_gap=nothing, atoms_in_gap_as_built=2)
    assert contact.gap_left == 0.0
    assert contact.stage is Stage.GROWTH


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("positions", {"positions": np.zeros((32, 2))}),
        ("positions", {"positions": np.full((32, 3), np.nan)}),
        ("lower_base", {"lower_base": np.zeros(32, dtype=bool)}),
        ("upper_base", {"upper_base": np.arange(32) < 20}),
        ("upper_base", {"upper_base": np.ones(31, dtype=bool)}),
        ("in_gap", {"in_gap": np.array([1, 2, 3])}),
        ("in_gap", {"in_gap": np.zeros(32, dtype=int)}),
        ("bond_length", {"bond_length": 0.0}),
        ("bond_length", {"bond_length": np.inf}),
        ("atoms_in_gap_as_built", {"atoms_in_gap_as_built": -1}),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, changed: dict[str, Any]) -> None:
    positions, lower, upper = parts(plane(0.0), NOTHING, plane(8.0))
    arguments: dict[str, Any] = {
        "positions": positions,
        "lower_base": lower,
        "upper_base": upper,
        "in_gap": np.zeros(32, dtype=bool),
        "atoms_in_gap_as_built": 0,
    }
    describe_contact(**arguments)
    with pytest.raises(InvalidInput) as error:
        describe_contact(**(arguments | changed))
    assert error.value.name == name
