"""The tips of the dynamics against the geometry of an fcc crystal."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.tips import Region, TipPair, build_tips

A = 4.09


@pytest.fixture(scope="module")
def tips() -> TipPair:
    """The tips of 6 x 6 atoms at the base and 1 at the apex."""
    return build_tips(lattice_constant=A, base_side=6, apex_side=1, fixed_layers=1, gap=6.0)


def halves(tips: TipPair) -> tuple[np.ndarray, np.ndarray]:
    middle = (tips.lower_apex + tips.upper_apex) / 2
    return tips.positions[tips.positions[:, 2] < middle], tips.positions[tips.positions[:, 2] > middle]


@pytest.fixture(scope="module")
def triangular() -> TipPair:
    """The (111) tips of 7 atoms a side at the base and 1 at the apex."""
    return build_tips(orientation="111", lattice_constant=A, base_side=7, gap=6.0)


def test_the_tips_of_the_paper_are_the_default() -> None:
    tips = build_tips()
    lower, upper = halves(tips)
    # 1 + 4 + ... + 225 on either side
    assert (len(lower), len(upper)) == (1240, 1240)
    assert np.ptp(lower[:, 0]) == pytest.approx(14 * A / math.sqrt(2))
    assert tips.upper_apex - tips.lower_apex == pytest.approx(8.3)
    regions = np.array(tips.regions)
    assert [(regions == region).sum() for region in Region] == [225, 1015, 1015, 225]


def test_tips_from_six_to_one_have_182_atoms(tips: TipPair) -> None:
    assert tips.positions.shape == (182, 3)
    assert len(tips.regions) == 182


def test_each_layer_has_one_atom_less_a_side(tips: TipPair) -> None:
    lower, upper = halves(tips)
    for half in (lower, upper):
        layers = Counter(np.round(half[:, 2], 6))
        assert sorted(layers.values(), reverse=True) == [36, 25, 16, 9, 4, 1]
        assert np.allclose(np.diff(sorted(layers)), A / 2)


def test_a_blunt_apex_keeps_its_side() -> None:
    blunt = build_tips(base_side=7, apex_side=3, gap=6.0)
    assert len(blunt.positions) == 2 * (49 + 36 + 25 + 16 + 9)
    assert (blunt.positions[:, 2] == blunt.lower_apex).sum() == 9


@pytest.mark.parametrize("orientation", ["100", "111"])
@pytest.mark.parametrize("gap", [2.0, 5.0, 6.5, 8.3])
def test_gap_between_the_apexes_is_the_one_asked_for(gap: float, orientation: str) -> None:
    lower, upper = halves(build_tips(orientation=orientation, base_side=6, gap=gap))
    assert math.isclose(upper[:, 2].min() - lower[:, 2].max(), gap, abs_tol=1e-12)


def test_heights_of_the_apexes_are_those_of_the_atoms(tips: TipPair) -> None:
    lower, upper = halves(tips)
    assert (lower[:, 2].max(), upper[:, 2].min()) == pytest.approx((tips.lower_apex, tips.upper_apex))
    assert lower[:, 2].min() == 0.0
    assert tips.lower_apex == pytest.approx(5 * A / 2)


def test_apexes_face_each_other_on_the_axis(tips: TipPair) -> None:
    apexes = tips.positions[np.isin(tips.positions[:, 2], (tips.lower_apex, tips.upper_apex))]
    assert apexes.shape == (2, 3)
    assert np.abs(apexes[:, :2]).max() == 0.0


@pytest.mark.parametrize("orientation", ["100", "111"])
@pytest.mark.parametrize("lattice_constant", [4.09, 4.16])
def test_nearest_neighbours_are_those_of_fcc(lattice_constant: float, orientation: str) -> None:
    lower, _ = halves(build_tips(orientation=orientation, base_side=6, lattice_constant=lattice_constant))
    distances = pdist(lower)
    assert distances.min() == pytest.approx(lattice_constant / np.sqrt(2), abs=1e-12)
    # every fcc distance is sqrt(n/2) a
    n = 2 * (distances / lattice_constant) ** 2
    assert np.abs(n - np.round(n)).max() < 1e-9


def test_an_atom_inside_a_tip_has_twelve_neighbours(tips: TipPair) -> None:
    lower, _ = halves(tips)
    within = (np.linalg.norm(lower[:, None] - lower[None], axis=2) < 1.05 * A / np.sqrt(2)).sum(axis=1) - 1
    # of a full 6-5-4-3-2-1 pyramid the atoms of the third layer's inside, and so on, are inside
    inside = sum((side - 2) ** 2 for side in (5, 4, 3))
    assert (within == 12).sum() == inside
    assert within.max() == 12


def test_each_triangle_has_one_atom_less_a_side(triangular: TipPair) -> None:
    assert triangular.positions.shape == (2 * 84, 3)
    for half in halves(triangular):
        layers = Counter(np.round(half[:, 2], 6))
        assert sorted(layers.values(), reverse=True) == [28, 21, 15, 10, 6, 3, 1]
        assert np.allclose(np.diff(sorted(layers)), A / np.sqrt(3))


def test_triangles_are_stacked_a_b_c(triangular: TipPair) -> None:
    lower, _ = halves(triangular)
    d = A / np.sqrt(2)
    primitive = np.array([[d, 0.0], [d / 2, d * np.sqrt(3) / 2]])
    corner = lower[0, :2]
    stacking = []
    for z in sorted(set(np.round(lower[:, 2], 6))):
        layer = lower[np.abs(lower[:, 2] - z) < 1e-5][:, :2]
        (place,) = {tuple(np.round(3 * row).astype(int) % 3) for row in (layer - corner) @ np.linalg.inv(primitive)}
        stacking.append(place)
    assert stacking == [(k % 3, k % 3) for k in range(7)]


def test_an_atom_inside_a_triangular_tip_has_twelve_neighbours(triangular: TipPair) -> None:
    lower, _ = halves(triangular)
    within = (np.linalg.norm(lower[:, None] - lower[None], axis=2) < 1.05 * A / np.sqrt(2)).sum(axis=1) - 1
    # what is left of a tetrahedron of 7 layers without its faces is one of 3: 1 + 3 + 6
    assert (within == 12).sum() == 10
    assert within.max() == 12
    # the apex stands on three atoms, the corners of the base touch three
    assert (within == 3).sum() == 4


def bond_vectors(half: np.ndarray) -> set[tuple[float, ...]]:
    apart = (half[:, None] - half[None]).reshape(-1, 3)
    bonds = apart[np.abs(np.linalg.norm(apart, axis=1) - A / np.sqrt(2)) < 1e-6]
    return {tuple(bond) for bond in np.round(bonds, 3) + 0.0}


@pytest.mark.parametrize("orientation", ["100", "111"])
def test_both_tips_are_cut_from_crystals_of_one_orientation(orientation: str) -> None:
    lower, upper = halves(build_tips(orientation=orientation, base_side=6))
    assert len(bond_vectors(lower)) == 12
    assert bond_vectors(lower) == bond_vectors(upper)


@pytest.mark.parametrize("orientation", ["100", "111"])
@pytest.mark.parametrize("apex_side", [1, 2, 3])
def test_tips_are_each_others_reflection_in_a_point(orientation: str, apex_side: int) -> None:
    tips = build_tips(orientation=orientation, base_side=6, apex_side=apex_side)
    reflected = [0.0, 0.0, tips.lower_apex + tips.upper_apex] - tips.positions
    distances = np.linalg.norm(reflected[:, None] - tips.positions[None], axis=2).min(axis=1)
    assert distances.max() < 1e-9


def test_triangular_tips_have_the_threefold_axis(triangular: TipPair) -> None:
    angle = 2 * np.pi / 3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned = triangular.positions @ turn.T
    gaps = np.linalg.norm(turned[:, None] - triangular.positions[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


def test_triangular_apexes_face_each_other_on_the_axis(triangular: TipPair) -> None:
    apexes = triangular.positions[np.isin(triangular.positions[:, 2], (triangular.lower_apex, triangular.upper_apex))]
    assert apexes.shape == (2, 3)
    assert np.abs(apexes[:, :2]).max() < 1e-12


def test_tips_are_mirror_images(tips: TipPair) -> None:
    middle = (tips.lower_apex + tips.upper_apex) / 2
    mirrored = tips.positions * [1, 1, -1] + [0, 0, 2 * middle]
    gaps = np.linalg.norm(mirrored[:, None] - tips.positions[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


def test_tips_have_the_fourfold_axis(tips: TipPair) -> None:
    turned = tips.positions[:, [1, 0, 2]] * [-1, 1, 1]
    gaps = np.linalg.norm(turned[:, None] - tips.positions[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


@pytest.mark.parametrize(
    ("orientation", "fixed_layers", "atoms"),
    [("100", 1, 36), ("100", 2, 61), ("100", 3, 77), ("111", 1, 21), ("111", 3, 46)],
)
def test_the_outermost_layers_are_fixed(orientation: str, fixed_layers: int, atoms: int) -> None:
    tips = build_tips(orientation=orientation, base_side=6, fixed_layers=fixed_layers)
    regions = np.array(tips.regions)
    z = tips.positions[:, 2]
    lower_base, upper_base = z[regions == Region.LOWER_BASE], z[regions == Region.UPPER_BASE]
    assert (len(lower_base), len(upper_base)) == (atoms, atoms)
    assert lower_base.max() < z[regions == Region.LOWER].min()
    assert upper_base.min() > z[regions == Region.UPPER].max()
    assert z[regions == Region.LOWER].max() < z[regions == Region.UPPER].min()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("gap", {"gap": 0.0}),
        ("gap", {"gap": -1.0}),
        ("gap", {"gap": 1.99}),
        ("gap", {"gap": math.nan}),
        ("gap", {"gap": "8.3"}),
        ("gap", {"gap": True}),
        ("gap", {"gap": None}),
        ("orientation", {"orientation": "110"}),
        ("orientation", {"orientation": 111}),
        ("orientation", {"orientation": None}),
        ("orientation", {"orientation": ["100"]}),
        ("apex_side", {"apex_side": 1.0}),
        ("apex_side", {"apex_side": True}),
        ("fixed_layers", {"fixed_layers": 1.5}),
        ("fixed_layers", {"fixed_layers": "1"}),
        ("base_side", {"base_side": 15.0}),
        ("base_side", {"base_side": 61}),
        ("base_side", {"base_side": 10**9}),
        ("lattice_constant", {"lattice_constant": 0.409}),
        ("lattice_constant", {"lattice_constant": "4.09"}),
        ("gap", {"gap": math.inf}),
        ("apex_side", {"apex_side": 0}),
        ("apex_side", {"apex_side": -1}),
        ("fixed_layers", {"fixed_layers": 0}),
        ("base_side", {"base_side": 2}),
        ("base_side", {"base_side": 0}),
        ("base_side", {"base_side": 6, "apex_side": 4, "fixed_layers": 2}),
        ("base_side", {"base_side": 6, "fixed_layers": 5}),
        ("lattice_constant", {"lattice_constant": 0.0}),
        ("lattice_constant", {"lattice_constant": -4.09}),
        ("lattice_constant", {"lattice_constant": math.nan}),
        ("lattice_constant", {"lattice_constant": math.inf}),
    ],
)
def test_a_tip_that_cannot_be_is_refused_by_name(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = .*: must be .+; .+") as refusal:
        build_tips(**values)
    assert refusal.value.name == name
    assert str(values[name]) in str(refusal.value)


def test_an_unknown_orientation_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"""^orientation = 100: must be "100" or "111"; write it as a text"""):
        build_tips(orientation=100)  # type: ignore[arg-type]


def test_a_crystal_whose_atoms_would_overlap_is_refused() -> None:
    # neighbours are 2 Å apart at 2.828 Å
    build_tips(lattice_constant=2.83, base_side=3)
    with pytest.raises(InvalidInput, match=r"^lattice_constant = 2.82 Å: must be a number from 2.83 Å on"):
        build_tips(lattice_constant=2.82, base_side=3)


def test_the_largest_base_is_accepted() -> None:
    assert len(build_tips(base_side=60, apex_side=58).positions) == 2 * (60**2 + 59**2 + 58**2)


def test_the_smallest_base_for_its_fixed_layers_is_accepted() -> None:
    assert len(build_tips(base_side=3, fixed_layers=1).positions) == 2 * (9 + 4 + 1)
    assert len(build_tips(base_side=4, fixed_layers=2).positions) == 2 * (16 + 9 + 4 + 1)


def test_a_base_too_small_says_what_would_do() -> None:
    with pytest.raises(InvalidInput, match="at least 7 for 5 fixed and 2 mobile layers"):
        build_tips(base_side=6, fixed_layers=5)
