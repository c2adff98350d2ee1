"""The scattering region: what the leads need of it, and what it must refuse."""

import math

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import (
    FLOATING,
    AtomsOverlap,
    CellTooNarrow,
    FlatGap,
    ScatteringRegion,
    assemble_scattering_region,
    smallest_supercell,
)
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.placement import CLOSEST_LEFT, PUSHED_APART
from aiida_rewire.junction.tips import build_tips

LATTICE = Fcc111(4.16, 3)
EMPTY = np.empty((0, 3))


def crystal(region: ScatteringRegion) -> Atoms:
    return Atoms(f"Ag{len(region.positions)}", positions=region.positions, cell=region.cell, pbc=True)


def shortest_distance(region: ScatteringRegion) -> float:
    return float(neighbor_list("d", crystal(region), 3.5).min())


def beyond_the_edge(region: ScatteringRegion, atoms: np.ndarray) -> np.ndarray:
    """Which atoms lie laterally outside the cell."""
    fractional = (atoms @ np.linalg.inv(region.cell))[:, :2]
    return ((fractional < -1e-12) | (fractional >= 1)).any(axis=1)


def in_the_gap(region: ScatteringRegion, lower_layers: int = 3) -> np.ndarray:
    """The atoms of the snapshot, in the order of the region."""
    first = lower_layers * LATTICE.supercell**2
    return region.positions[first : first + region.atoms_in_gap]


def dimer(gap: float = 3.0) -> tuple[np.ndarray, FlatGap]:
    tips = build_tips(base_side=6, gap=gap)
    return tips.positions, FlatGap.behind_apexes(LATTICE, tips.lower_apex, tips.upper_apex)


@pytest.mark.parametrize(("lower_layers", "upper_layers"), [(3, 2), (3, 3), (4, 2), (6, 3)])
@pytest.mark.parametrize("supercell", [1, 2, 3])
def test_flat_layers_one_spacing_apart_are_a_crystal(supercell: int, lower_layers: int, upper_layers: int) -> None:
    lattice = Fcc111(4.16, supercell)
    closed = FlatGap(0.0, lattice.layer_spacing)
    region = assemble_scattering_region(EMPTY, closed, lattice, lower_layers=lower_layers, upper_layers=upper_layers)
    assert len(region.positions) == (lower_layers + upper_layers) * supercell**2
    i, j = neighbor_list("ij", crystal(region), 0.72 * 4.16)
    assert (np.bincount(i) == 12).all()
    assert neighbor_list("d", crystal(region), 0.72 * 4.16) == pytest.approx(4.16 / math.sqrt(2))
    assert len(i) == len(j) == 12 * len(region.positions)


@pytest.mark.parametrize("lower_layers", [3, 4, 5, 6])
@pytest.mark.parametrize("upper_layers", [2, 3, 4, 5])
def test_any_numbers_of_layers_close_the_stacking(lower_layers: int, upper_layers: int) -> None:
    snapshot, gap = dimer(6.0)
    region = assemble_scattering_region(snapshot, gap, LATTICE, lower_layers=lower_layers, upper_layers=upper_layers)
    layer = LATTICE.supercell**2
    i, d = neighbor_list("id", crystal(region), 1.23 * 4.16)
    n = len(region.positions)
    bulk = np.r_[0 : (lower_layers - 1) * layer, n - (upper_layers - 1) * layer : n]
    nearest = np.bincount(i[d < 0.72 * 4.16], minlength=n)
    assert (nearest[bulk] == 12).all()
    assert d[np.isin(i, bulk) & (d < 0.72 * 4.16)] == pytest.approx(4.16 / math.sqrt(2))
    # shells of fcc about the boundary layer: 12, 6 and 24; hcp has 2 more up to the third
    assert (np.bincount(i, minlength=n)[:layer] == 42).all()
    # the apexes as built each sit in a hollow, whatever the surfaces
    assert region.atoms_pushed == 0
    assert nearest[lower_layers * layer : lower_layers * layer + 2].tolist() == [3, 3]


def test_three_layers_on_each_side_of_a_closed_gap_are_two_leads() -> None:
    closed = FlatGap(0.0, LATTICE.layer_spacing)
    region = assemble_scattering_region(EMPTY, closed, LATTICE, lower_layers=3, upper_layers=3)
    cell, lead = LATTICE.lead()
    assert region.positions == pytest.approx(np.vstack([lead, lead + cell[2]]))
    assert region.cell[2] == pytest.approx(2 * cell[2])


@pytest.mark.parametrize("supercell", [2, 3])
def test_the_boundary_layer_is_that_of_the_lead_atom_by_atom(supercell: int) -> None:
    lattice = Fcc111(4.16, supercell)
    snapshot, gap = dimer()
    region = assemble_scattering_region(snapshot, gap, lattice)
    cell, lead = lattice.lead()
    layer = supercell**2
    assert np.array_equal(region.positions[: 3 * layer], lead)
    assert np.array_equal(region.cell[:2], cell[:2])
    # on the right the lead begins at the top of the cell, after its layers B and C
    top = region.positions[-2 * layer :] - region.cell[2] + cell[2]
    assert top == pytest.approx(lead[layer:])


def test_atoms_are_sorted_by_height() -> None:
    snapshot, gap = dimer()
    heights = assemble_scattering_region(snapshot, gap, LATTICE).positions[:, 2]
    assert (np.diff(heights) > -1e-9).all()


def test_the_cell_is_as_long_as_its_layers_and_its_gap() -> None:
    snapshot, gap = dimer(3.0)
    region = assemble_scattering_region(snapshot, gap, LATTICE, lower_layers=4, upper_layers=3)
    assert gap.length == pytest.approx(3.0 + 2 * LATTICE.layer_spacing)
    assert region.cell[2].tolist() == pytest.approx([0.0, 0.0, (3 + 3) * LATTICE.layer_spacing + gap.length])


@pytest.mark.parametrize("gap_length", [2.9, 4.0, 6.0])
def test_tips_as_built_leave_their_two_apex_atoms(gap_length: float) -> None:
    snapshot, gap = dimer(gap_length)
    region = assemble_scattering_region(snapshot, gap, LATTICE)
    assert region.atoms_in_gap == 2
    assert (region.atoms_pushed, region.largest_push) == (0, 0.0)
    lower, upper = in_the_gap(region)
    assert upper - lower == pytest.approx([0.0, 0.0, gap_length])
    # the lower one is where the next layer of the lead would be
    surface = 2 * LATTICE.layer_spacing
    assert lower == pytest.approx(LATTICE.stacking_shift(3) + np.array([0.0, 0.0, surface + LATTICE.layer_spacing]))


def test_the_atoms_in_the_gap_are_known_by_their_place_in_the_snapshot() -> None:
    snapshot, gap = dimer(6.0)
    # the apexes are the last atoms of each tip; in the region they stand by height
    region = assemble_scattering_region(snapshot[::-1], gap, LATTICE)
    assert region.snapshot_atoms == (91, 0)
    heights = in_the_gap(region)[:, 2] - 2 * LATTICE.layer_spacing + gap.lower
    assert heights == pytest.approx(snapshot[::-1][list(region.snapshot_atoms), 2])


def test_an_apex_at_rest_has_three_bonds_to_the_flat_surface() -> None:
    snapshot, gap = dimer(6.0)
    region = assemble_scattering_region(snapshot, gap, LATTICE)
    i, d = neighbor_list("id", crystal(region), 3.3)
    apexes = range(27, 29)
    for apex in apexes:
        assert (i == apex).sum() == 3
        assert d[i == apex] == pytest.approx(4.16 / math.sqrt(2))


@pytest.mark.parametrize("shift", [(1.0, 0.0), (-3.7, 2.2), (100.0, -55.5)])
def test_moving_the_snapshot_aside_changes_nothing(shift: tuple[float, float]) -> None:
    snapshot, gap = dimer()
    rng = np.random.default_rng(3)
    snapshot = snapshot + rng.normal(scale=0.2, size=snapshot.shape)
    here = assemble_scattering_region(snapshot, gap, LATTICE)
    there = assemble_scattering_region(snapshot + np.array([*shift, 0.0]), gap, LATTICE)
    assert there.positions == pytest.approx(here.positions, abs=1e-9)


def test_raising_snapshot_and_gap_together_changes_nothing() -> None:
    snapshot, gap = dimer()
    here = assemble_scattering_region(snapshot, gap, LATTICE)
    there = assemble_scattering_region(
        snapshot + np.array([0.0, 0.0, 7.5]), FlatGap(gap.lower + 7.5, gap.upper + 7.5), LATTICE
    )
    assert there.positions == pytest.approx(here.positions, abs=1e-9)


def test_the_same_snapshot_gives_the_same_region_to_the_last_bit() -> None:
    snapshot, gap = dimer()
    snapshot = snapshot + np.random.default_rng(5).normal(scale=0.2, size=snapshot.shape)
    one, other = (assemble_scattering_region(snapshot.copy(), gap, LATTICE) for _ in range(2))
    assert one.positions.tobytes() == other.positions.tobytes()
    assert one.cell.tobytes() == other.cell.tobytes()


def test_the_snapshot_is_left_as_it_was() -> None:
    snapshot, gap = dimer()
    before = snapshot.copy()
    assemble_scattering_region(snapshot, gap, LATTICE)
    assert np.array_equal(snapshot, before)


def test_atoms_near_the_flat_surfaces_belong_to_the_electrodes() -> None:
    gap = FlatGap(0.0, 10.0)
    margin = LATTICE.layer_spacing / 2
    heights = [-1.0, 0.0, margin - 0.01, margin + 0.01, 5.0, 10.0 - margin - 0.01, 10.0 - margin + 0.01, 11.0]
    inside = gap.holds(np.array([[0.0, 0.0, z] for z in heights]), margin)
    assert inside.tolist() == [False, False, False, True, True, True, False, False]


@pytest.mark.parametrize(("orientation", "left_out"), [("100", 8), ("111", 6)])
def test_layers_next_to_the_apexes_are_left_to_the_flat_surfaces(orientation: str, left_out: int) -> None:
    # 2.04 Å and 2.36 Å behind the apexes, the surfaces 2.40 Å: four and three atoms each lie between the surfaces
    tips = build_tips(orientation=orientation, base_side=6, gap=6.0)
    gap = FlatGap.behind_apexes(LATTICE, tips.lower_apex, tips.upper_apex)
    region = assemble_scattering_region(tips.positions, gap, LATTICE)
    assert (region.atoms_in_gap, region.flank_atoms, region.floating_atoms) == (2, left_out, 0)
    assert region.atoms_left_out == left_out


@pytest.mark.parametrize("vapour", [[[30.0, 0.0, 0.0]], [[-25.0, 20.0, 1.0], [-25.0, 20.0, -1.5]]])
def test_vapour_is_left_out_and_counted(vapour: list[list[float]]) -> None:
    snapshot, gap = dimer(8.3)
    middle = [0.0, 0.0, (gap.lower + gap.upper) / 2]
    region = assemble_scattering_region(np.vstack([snapshot, np.array(vapour) + middle]), gap, LATTICE)
    without = assemble_scattering_region(snapshot, gap, LATTICE)
    assert region.floating_atoms == len(vapour)
    assert region.atoms_left_out == len(vapour) + 8
    assert region.snapshot_atoms == without.snapshot_atoms
    assert np.array_equal(region.positions, without.positions)


@pytest.mark.parametrize(("sideways", "kept"), [(FLOATING - 0.01, 3), (FLOATING + 0.01, 2)])
def test_an_atom_floats_beyond_two_bonds(sideways: float, kept: int) -> None:
    snapshot, gap = dimer(8.3)
    apex = snapshot[snapshot[:, 2] < 10.3][-1]
    # beside the lower apex, at a height at which no other atom of the tips is nearer
    adatom = apex + np.array([sideways * math.cos(0.6), 0.0, sideways * math.sin(0.6)])
    assert np.linalg.norm(snapshot - adatom, axis=1).min() == pytest.approx(sideways)
    wide = Fcc111(4.16, 5)
    assert assemble_scattering_region(np.vstack([snapshot, adatom]), gap, wide).atoms_in_gap == kept


def test_an_atom_on_its_way_across_is_kept() -> None:
    # in the middle of the widest gap of the paper, farther than a bond from everything
    snapshot, gap = dimer(8.3)
    ion = np.array([1.0, 0.0, (gap.lower + gap.upper) / 2])
    assert np.linalg.norm(snapshot - ion, axis=1).min() > 4.0
    region = assemble_scattering_region(np.vstack([snapshot, ion]), gap, LATTICE)
    assert (region.atoms_in_gap, region.floating_atoms) == (3, 0)
    assert len(snapshot) in region.snapshot_atoms


def test_atoms_joined_to_a_tip_by_short_hops_do_not_float() -> None:
    snapshot, gap = dimer(8.3)
    apex = snapshot[snapshot[:, 2] < 10.3][-1]
    hops = apex + np.array([[4.4, 0.0, 4.0], [8.8, 0.0, 4.0], [13.2, 0.0, 4.0]])
    region = assemble_scattering_region(np.vstack([snapshot, hops]), gap, Fcc111(4.16, 7))
    assert (region.atoms_in_gap, region.floating_atoms) == (5, 0)


def test_a_model_without_tips_keeps_its_atoms() -> None:
    snapshot = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 17.0]])
    assert assemble_scattering_region(snapshot, FlatGap(0.0, 20.0), LATTICE).atoms_in_gap == 2


@pytest.mark.parametrize("seed", range(4))
def test_the_contact_stands_whole_and_the_flat_layers_within_the_cell(seed: int) -> None:
    snapshot = np.random.default_rng(seed).uniform([0, 0, 4], [4, 4, 12], size=(4, 3))
    snapshot[:, 2] = [4.0, 6.8, 9.6, 12.4]
    region = assemble_scattering_region(snapshot, FlatGap(0.0, 16.0), LATTICE)
    contact = in_the_gap(region)
    assert region.atoms_pushed == 0
    assert np.diff(contact, axis=0) == pytest.approx(np.diff(snapshot, axis=0))
    flat = np.delete(region.positions, range(27, 31), axis=0)
    assert not beyond_the_edge(region, flat).any()
    assert beyond_the_edge(region, contact).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_closest_pair_is_that_of_the_region(seed: int) -> None:
    snapshot, gap = dimer(3.0)
    snapshot = snapshot + np.random.default_rng(seed).normal(scale=0.25, size=snapshot.shape)
    region = assemble_scattering_region(snapshot, gap, LATTICE)
    assert region.closest_pair == pytest.approx(shortest_distance(region), abs=1e-12)


def test_the_closest_pair_of_an_empty_gap_is_that_of_the_crystal() -> None:
    region = assemble_scattering_region(EMPTY, FlatGap(0.0, 6.0), LATTICE)
    assert region.closest_pair == pytest.approx(4.16 / math.sqrt(2))
    assert (region.atoms_left_out, region.largest_push) == (0, 0.0)


def test_a_gap_too_low_for_an_atom_is_refused() -> None:
    # midway between two hollows, 1.698 Å from the axes of their atoms: sqrt(1.65² + 1.698²)
    with pytest.raises(AtomsOverlap, match=r"^snapshot = two atoms 2\.37 Å apart after pushing: must be .* 2\.45 Å"):
        assemble_scattering_region(np.array([[0.0, 0.0, 1.65]]), FlatGap(0.0, 3.3), LATTICE)
    # sqrt(1.78² + 1.698²) is 2.46
    assert assemble_scattering_region(np.array([[0.0, 0.0, 1.78]]), FlatGap(0.0, 3.56), LATTICE).closest_pair > 2.45


@pytest.mark.parametrize(
    ("snapshot", "gap", "name"),
    [
        (np.array([[0.0, 0.0, math.nan]]), FlatGap(0.0, 10.0), "snapshot"),
        (np.array([[0.0, 0.0, math.inf]]), FlatGap(0.0, 10.0), "snapshot"),
        (np.zeros(3), FlatGap(0.0, 10.0), "snapshot"),
        (np.zeros((2, 2)), FlatGap(0.0, 10.0), "snapshot"),
        (EMPTY, FlatGap(10.0, 0.0), "gap"),
        (EMPTY, FlatGap(0.0, 2.3), "gap"),
        (EMPTY, FlatGap(0.0, math.nan), "gap"),
        (EMPTY, FlatGap(0.0, math.inf), "gap"),
    ],
)
def test_what_is_no_snapshot_or_no_gap_is_refused(snapshot: np.ndarray, gap: FlatGap, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = .*: must be .+; .+"):
        assemble_scattering_region(snapshot, gap, LATTICE)


@pytest.mark.parametrize(("apart", "supercell"), [(2.9, 3), (5.6, 4), (8.7, 5), (11.8, 6)])
def test_the_smallest_supercell_holds_the_contact_apart_from_its_image(apart: float, supercell: int) -> None:
    # N x 2.94 Å wide: it needs 3.3 Å beside the contact, and not less than the contact itself
    snapshot = np.array([[0.0, 0.0, 5.0], [apart, 0.0, 5.0]])
    gap = FlatGap(0.0, 10.0)
    assert smallest_supercell(snapshot, gap, 4.16) == supercell
    assemble_scattering_region(snapshot, gap, Fcc111(4.16, supercell))
    if supercell > 3:
        with pytest.raises(CellTooNarrow):
            assemble_scattering_region(snapshot, gap, Fcc111(4.16, supercell - 1))
        with pytest.raises(CellTooNarrow, match=f"^supercell = {supercell - 1} .* the largest of 3 to "):
            smallest_supercell(snapshot, gap, 4.16, largest=supercell - 1)


def test_the_smallest_supercell_may_be_asked_to_begin_elsewhere() -> None:
    atom = np.array([[0.0, 0.0, 5.0]])
    assert smallest_supercell(atom, FlatGap(0.0, 10.0), 4.16, smallest=1) == 2
    assert smallest_supercell(atom, FlatGap(0.0, 10.0), 4.16, smallest=5, largest=5) == 5


def test_no_supercell_mends_two_atoms_on_each_other() -> None:
    snapshot = np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 5.9]])
    with pytest.raises(AtomsOverlap, match=r"1\.90 Å apart"):
        smallest_supercell(snapshot, FlatGap(0.0, 10.0), 4.16)


@pytest.mark.parametrize(("smallest", "largest"), [(4, 3), (0, 3), (3.0, 6), (3, 6.0), (True, 3)])
def test_a_range_of_supercells_that_is_none_is_refused(smallest: int, largest: int) -> None:
    with pytest.raises(InvalidInput, match=f"^smallest, largest = {smallest}, {largest}: must be whole"):
        smallest_supercell(EMPTY, FlatGap(0.0, 10.0), 4.16, smallest, largest)


def test_two_atoms_on_each_other_are_refused() -> None:
    snapshot = np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 5.9]])
    with pytest.raises(AtomsOverlap, match=r"^snapshot = two atoms 1.90 Å apart: must be free of pairs nearer"):
        assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), LATTICE)


def test_two_atoms_at_one_place_are_refused() -> None:
    with pytest.raises(AtomsOverlap, match=r"0\.00 Å apart"):
        assemble_scattering_region(np.full((2, 3), 5.0), FlatGap(0.0, 10.0), LATTICE)


def test_a_gap_with_no_room_for_its_atoms_is_refused() -> None:
    # nine atoms fill a layer of the cell; thirty-six have no place in a gap of two layers
    line = np.arange(6) * 2.2
    x, y = np.meshgrid(line, line)
    snapshot = np.column_stack([x.ravel(), y.ravel(), np.full(36, 2.6)])
    with pytest.raises((AtomsOverlap, CellTooNarrow)):
        assemble_scattering_region(snapshot, FlatGap(0.0, 5.2), LATTICE)


@pytest.mark.parametrize("supercell", [2, 3, 4])
def test_a_contact_bonded_to_its_image_asks_for_a_larger_supercell(supercell: int) -> None:
    lattice = Fcc111(4.16, supercell)
    # two atoms at the ends of a cell, 3 Å from each other's image
    apart = lattice.alat - 3.0
    snapshot = np.array([[0.0, 0.0, 5.0], [apart, 0.0, 5.0]])
    with pytest.raises(CellTooNarrow, match=rf"^supercell = {supercell} .*take supercell {supercell + 1}"):
        assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), lattice)
    wider = assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), Fcc111(4.16, supercell + 2))
    assert wider.atoms_in_gap == 2


@pytest.mark.parametrize("cells", [1, 2, 3])
def test_islands_more_than_a_cell_apart_are_seen_beside_their_images(cells: int) -> None:
    snapshot = np.array([[0.0, 0.0, 5.0], [cells * LATTICE.alat + 2.8, 0.0, 5.0]])
    with pytest.raises(CellTooNarrow):
        assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), LATTICE)


def test_atoms_folded_onto_each_other_need_a_wider_cell() -> None:
    # each a cell aside, less what keeps it off the last one's image: pushed apart, the ends would go far
    snapshot = np.array([[k * (LATTICE.alat + 0.3), 0.0, 5.0] for k in range(6)])
    with pytest.raises(CellTooNarrow):
        assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), LATTICE)


def test_an_atom_pushed_towards_an_image_needs_a_wider_cell() -> None:
    # the first pair gives way by 0.2 Å each: from 3.35 Å to the image of the third remain 3.15 Å
    snapshot = np.array([[0.0, 0.0, 5.0], [2.1, 0.0, 5.0], [LATTICE.alat - 3.35, 0.0, 5.0]])
    with pytest.raises(CellTooNarrow, match=r"3\.15 Å from their image"):
        assemble_scattering_region(snapshot, FlatGap(0.0, 10.0), LATTICE)


def test_one_atom_needs_a_cell_wider_than_a_bond() -> None:
    atom = np.array([[0.0, 0.0, 5.0]])
    with pytest.raises(CellTooNarrow, match=r"^supercell = 1 "):
        assemble_scattering_region(atom, FlatGap(0.0, 10.0), Fcc111(4.16, 1))
    assert assemble_scattering_region(atom, FlatGap(0.0, 10.0), Fcc111(4.16, 2)).atoms_in_gap == 1


@pytest.mark.parametrize(
    ("name", "layers"),
    [("lower_layers", 2), ("lower_layers", 0), ("upper_layers", 1), ("upper_layers", -1)],
)
def test_too_few_layers_for_the_leads_are_refused(name: str, layers: int) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = {layers}: must be at least"):
        assemble_scattering_region(EMPTY, FlatGap(0.0, 5.0), LATTICE, **{name: layers})


def test_an_apex_that_sank_is_pushed_out_of_the_flat_surface() -> None:
    # 1.5 Å above the surface's hollow the three atoms of the hollow are 2.27 Å away
    snapshot = np.array([[0.0, 0.0, 1.5]])
    region = assemble_scattering_region(snapshot, FlatGap(0.0, 9.0), LATTICE)
    assert region.atoms_pushed == 1
    side = 4.16 / math.sqrt(2) / math.sqrt(3)
    risen = math.sqrt(PUSHED_APART**2 - side**2)
    height = in_the_gap(region)[0, 2] - 2 * LATTICE.layer_spacing
    assert risen - 1e-3 < height < LATTICE.layer_spacing
    assert region.largest_push == pytest.approx(height - 1.5)
    assert shortest_distance(region) >= PUSHED_APART - 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_a_thermal_snapshot_gives_a_region_without_near_pairs(seed: int) -> None:
    tips = build_tips(base_side=6, gap=3.0)
    gap = FlatGap.behind_apexes(LATTICE, tips.lower_apex, tips.upper_apex)
    snapshot = tips.positions + np.random.default_rng(seed).normal(scale=0.25, size=tips.positions.shape)
    region = assemble_scattering_region(snapshot, gap, LATTICE)
    assert region.atoms_in_gap >= 2
    assert shortest_distance(region) >= PUSHED_APART - 1e-3


def random_snapshot(seed: int, length: float) -> np.ndarray:
    """Up to a dozen atoms at random in the gap, none on another."""
    rng = np.random.default_rng(seed)
    wide = rng.uniform(4.0, 20.0)
    atoms: list[np.ndarray] = []
    for place in rng.uniform([0, 0, 1.3], [wide, wide, length - 1.3], size=(60, 3)):
        if len(atoms) < 12 and all(np.linalg.norm(place - atom) > 2.1 for atom in atoms):
            atoms.append(place)
    return np.array(atoms)


@pytest.mark.parametrize("seed", range(40))
def test_a_crowded_gap_gives_a_sound_region_or_a_refusal(seed: int) -> None:
    length = 4.5 + seed % 5
    try:
        region = assemble_scattering_region(random_snapshot(seed, length), FlatGap(0.0, length), LATTICE)
    except (AtomsOverlap, CellTooNarrow):
        return
    assert shortest_distance(region) >= CLOSEST_LEFT
    contact = Atoms(f"Ag{region.atoms_in_gap}", in_the_gap(region), cell=region.cell, pbc=[1, 1, 0])
    i, j, d = neighbor_list("ijd", contact, 3.3)
    direct = np.linalg.norm(contact.positions[i] - contact.positions[j], axis=1)
    # every bond is one of the snapshot, none to an image
    assert direct == pytest.approx(d)
