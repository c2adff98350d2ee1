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


@pytest.mark.parametrize("gap", [0.1, 5.0, 6.5, 8.3])
def test_gap_between_the_apexes_is_the_one_asked_for(gap: float) -> None:
    lower, upper = halves(build_tips(gap=gap))
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


@pytest.mark.parametrize("lattice_constant", [4.09, 4.16])
def test_nearest_neighbours_are_those_of_fcc(lattice_constant: float) -> None:
    lower, _ = halves(build_tips(lattice_constant=lattice_constant))
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


def test_tips_are_mirror_images(tips: TipPair) -> None:
    middle = (tips.lower_apex + tips.upper_apex) / 2
    mirrored = tips.positions * [1, 1, -1] + [0, 0, 2 * middle]
    gaps = np.linalg.norm(mirrored[:, None] - tips.positions[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


def test_tips_have_the_fourfold_axis(tips: TipPair) -> None:
    turned = tips.positions[:, [1, 0, 2]] * [-1, 1, 1]
    gaps = np.linalg.norm(turned[:, None] - tips.positions[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


@pytest.mark.parametrize(("fixed_layers", "atoms"), [(1, 36), (2, 61), (3, 77)])
def test_the_outermost_layers_are_fixed(fixed_layers: int, atoms: int) -> None:
    tips = build_tips(fixed_layers=fixed_layers)
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
        ("gap", {"gap": math.nan}),
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


def test_the_smallest_base_for_its_fixed_layers_is_accepted() -> None:
    assert len(build_tips(base_side=3, fixed_layers=1).positions) == 2 * (9 + 4 + 1)
    assert len(build_tips(base_side=4, fixed_layers=2).positions) == 2 * (16 + 9 + 4 + 1)


def test_a_base_too_small_says_what_would_do() -> None:
    with pytest.raises(InvalidInput, match="at least 7 for 5 fixed and 2 mobile layers"):
        build_tips(base_side=6, fixed_layers=5)
