"""The guards on leads and junction, one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.fixtures import fixture_path
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.parents import ParentRun, check_parents, check_region, check_whole
from aiida_rewire.transport.pw_xml import read_pw_xml

LATTICE = Fcc111(4.16, 2)
RADIUS = 1.3681
"""Å, of the frozen-d pseudopotential."""


def run(name: str, cell: np.ndarray, positions: np.ndarray, nr3: int) -> ParentRun:
    return ParentRun(
        prefix="aiida",
        cell=cell,
        alat=float(np.linalg.norm(cell[0])),
        positions=positions,
        species=("Ag",) * len(positions),
        elements=("Ag",) * len(positions),
        pseudo_files={"Ag": "Ag.UPF"},
        fft_grid=(54, 54, nr3),
        smooth_fft_grid=(27, 27, nr3 // 2),
        wavefunction_cutoff=204.0,
        density_cutoff=1632.0,
        fermi_energy=-1.5,
        two_fermi_energies=None,
        smearing="mv",
        functional="PBE",
        lsda=False,
        noncolin=False,
        spinorbit=False,
        converged=True,
        name=name,
        pseudo_types={"Ag": "NC"},
        pseudo_digests={"Ag": "one"},
        sphere_radii={"Ag": RADIUS},
    )


@pytest.fixture
def lead() -> ParentRun:
    """A lead of 2 x 2 atoms a layer."""
    return run("left_lead", *LATTICE.lead(), nr3=64)


@pytest.fixture
def junction() -> ParentRun:
    """A junction with a dimer in its gap."""
    dimer = np.array([[0.0, 0.0, 2.4], [0.0, 0.0, 5.2]])
    region = assemble_scattering_region(dimer, FlatGap(0.0, 7.6), LATTICE)
    return run("junction", region.cell, region.positions, nr3=180)


def refused(lead: ParentRun, junction: ParentRun, name: str, words: str = "", right: ParentRun | None = None) -> None:
    with pytest.raises(InvalidInput, match=words) as refusal:
        check_parents(lead, junction, right)
    assert refusal.value.name == name


def moved(parent: ParentRun, atom: int, by: tuple[float, float, float]) -> ParentRun:
    positions = parent.positions.copy()
    positions[atom] += by
    return replace(parent, positions=positions)


def renamed(parent: ParentRun, atoms: slice, element: str) -> ParentRun:
    elements = np.array(parent.elements)
    elements[atoms] = element
    known: dict[str, Any] = {
        key: {**getattr(parent, key), element: next(iter(getattr(parent, key).values()))}
        for key in ("pseudo_types", "sphere_radii")
    }
    return replace(parent, elements=tuple(elements.tolist()), **known)


def wire(name: str, **pseudos: Any) -> ParentRun:
    """Real runs of pw.x: the Ag wire of one atom, 2.8 Å long, and a wire of 24 Å with a gap."""
    known: dict[str, Any] = {
        "pseudo_types": {"Ag": "NC"},
        "pseudo_digests": {"Ag": "one"},
        "sphere_radii": {"Ag": RADIUS},
    }
    read = read_pw_xml(fixture_path("pw_xml", f"{name}.xml").read_bytes())
    return ParentRun.from_xml(name, read, **(known | pseudos))


def test_regions_of_one_lattice_pass(lead: ParentRun, junction: ParentRun) -> None:
    check_parents(lead, junction)
    us, uspp = ({"Ag": kind} for kind in ("US", "USPP"))
    check_parents(replace(lead, pseudo_types=us), replace(junction, pseudo_types=uspp))


def test_real_runs_of_a_wire_pass() -> None:
    # pwcond.x prints T = 1.86 for both spins of these
    check_parents(wire("wire"), wire("dimerised-wire"))


def test_a_pseudopotential_that_is_not_given_is_refused() -> None:
    for key in ("pseudo_types", "pseudo_digests", "sphere_radii"):
        with pytest.raises(InvalidInput, match=r"wire.pseudos = none known of Ag"):
            wire("wire", **{key: {}})


def test_a_lead_may_be_its_own_junction(lead: ParentRun) -> None:
    check_parents(lead, replace(lead, name="junction"))


def test_a_lead_twice_as_long_may_be_the_junction(lead: ParentRun) -> None:
    height = np.array([0.0, 0.0, lead.cell[2, 2]])
    doubled = run("junction", lead.cell + np.diag(height), np.vstack([lead.positions, lead.positions + height]), 128)
    check_parents(lead, doubled)


def test_fermi_energies_may_differ(lead: ParentRun, junction: ParentRun) -> None:
    check_parents(lead, replace(junction, fermi_energy=0.0))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 0), (1, 1)])
def test_another_lateral_cell_is_refused(lead: ParentRun, junction: ParentRun, row: int, column: int) -> None:
    cell = junction.cell.copy()
    cell[row, column] += 1e-5
    refused(lead, replace(junction, cell=cell), "junction.cell", "laterally that of left_lead")


@pytest.mark.parametrize(("row", "column", "words"), [(2, 0, "third vector"), (2, 1, "third"), (0, 2, "first two")])
def test_a_cell_that_is_not_upright_is_refused(
    lead: ParentRun, junction: ParentRun, row: int, column: int, words: str
) -> None:
    cells = {parent.name: parent.cell.copy() for parent in (lead, junction)}
    for cell in cells.values():
        cell[row, column] += 1e-5
    refused(replace(lead, cell=cells["left_lead"]), junction, "left_lead.cell", words)
    refused(lead, replace(junction, cell=cells["junction"]), "junction.cell", words)


def test_another_unit_of_length_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    refused(lead, replace(junction, alat=1.01 * junction.alat), "junction.alat", "unit of bdl and bds")


@pytest.mark.parametrize("kind", ["fft_grid", "smooth_fft_grid"])
@pytest.mark.parametrize("axis", [0, 1])
def test_other_lateral_grids_are_refused(lead: ParentRun, junction: ParentRun, kind: str, axis: int) -> None:
    grid = list(getattr(junction, kind))
    grid[axis] = 30
    refused(lead, replace(junction, **{kind: tuple(grid)}), f"junction.{kind}", "30.*set nr1, nr2, nr1s and nr2s")


@pytest.mark.parametrize("kind", ["wavefunction_cutoff", "density_cutoff"])
def test_other_cutoffs_are_refused(lead: ParentRun, junction: ParentRun, kind: str) -> None:
    refused(lead, replace(junction, **{kind: getattr(junction, kind) + 0.01}), f"junction.{kind}", "one cutoff")


ALONE = [
    ({"converged": False}, "converged", "converge the SCF"),
    ({"pseudo_types": {"Ag": "PAW"}}, "pseudos", "PAW for Ag.*without a warning"),
    ({"pseudo_types": {"Ag": "NC", "C": "PAW"}}, "pseudos", "PAW for C"),
    ({"pseudo_types": {"Ag": "unknown"}}, "pseudos", "of type unknown for Ag"),
    ({"spinorbit": True, "noncolin": True}, "spinorbit", "spin-orbit coupling is not supported"),
    ({"noncolin": True}, "noncolin", "noncollinear spins is not supported"),
    ({"smearing": None}, "smearing", "occupations"),
    ({"fermi_energy": None}, "fermi_energy", "known; use smearing"),
    ({"two_fermi_energies": (-0.7, -5.3)}, "fermi_energy", "-0.7000 and -5.3000 eV.*tot_magnetization"),
]


@pytest.mark.parametrize(("change", "name", "words"), ALONE)
def test_a_run_that_pwcond_cannot_use_is_refused(
    lead: ParentRun, junction: ParentRun, change: dict[str, Any], name: str, words: str
) -> None:
    refused(replace(lead, **change), junction, f"left_lead.{name}", words)
    refused(lead, replace(junction, **change), f"junction.{name}", words)
    refused(lead, junction, f"right_lead.{name}", words, replace(lead, name="right_lead", **change))
    with pytest.raises(InvalidInput, match=words):
        check_region(replace(lead, **change))
    with pytest.raises(InvalidInput, match=words):
        check_whole(replace(junction, **change), [1.0, 2.0])


TOGETHER = [
    ({"pseudo_digests": {"Ag": "other"}}, "pseudos", "another pseudopotential of Ag"),
    ({"functional": "PBESOL"}, "functional", "PBESOL.*PBE;"),
    ({"lsda": True}, "lsda", "nspin"),
]


@pytest.mark.parametrize(("change", "name", "words"), TOGETHER)
def test_runs_of_different_kinds_are_refused(
    lead: ParentRun, junction: ParentRun, change: dict[str, Any], name: str, words: str
) -> None:
    refused(lead, replace(junction, **change), f"junction.{name}", words)
    refused(lead, junction, f"junction.{name}", "of right_lead", replace(lead, name="right_lead", **change))
    check_parents(replace(lead, **change), replace(junction, **change))


def test_a_region_without_a_layer_at_zero_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    up = np.array([0.0, 0.0, 0.01])
    refused(replace(lead, positions=lead.positions + up), junction, "left_lead.structure", "no atom at z = 0")
    refused(lead, replace(junction, positions=junction.positions + up), "junction.structure", "no atom at z = 0")


def test_a_layer_one_period_up_is_none_at_zero() -> None:
    # pwcond.x: "for numerical reasons the 1st Layer of a cell should be aligned with Z=0 plane"
    up = replace(wire("wire"), positions=np.array([[0.0, 0.0, 2.8]]))
    with pytest.raises(InvalidInput, match="no atom at z = 0"):
        check_region(up)


@pytest.mark.parametrize("rise", [2e-6, 0.2, -2e-6, -0.2])
def test_a_rumpled_boundary_layer_is_refused(lead: ParentRun, junction: ParentRun, rise: float) -> None:
    refused(lead, moved(junction, 2, (0, 0, rise)), "junction.structure", "atom 3 lies.*one flat layer at z = 0")


def test_boundary_atoms_in_another_order_are_refused(lead: ParentRun, junction: ParentRun) -> None:
    # an Ag wire of two atoms a layer, swapped in the junction: 1.949 instead of 4 at k = (0.45, 0.3)
    positions = junction.positions.copy()
    positions[[0, 1]] = positions[[1, 0]]
    refused(
        lead, replace(junction, positions=positions), "junction.structure", "another order.*list them in the same"
    )


def test_boundary_atoms_elsewhere_in_the_list_are_fine(lead: ParentRun, junction: ParentRun) -> None:
    # pwcond.x sorts by z, then by index
    positions = np.vstack([junction.positions[5:], junction.positions[:5]])
    check_parents(lead, replace(junction, positions=positions))


def test_pwcond_sorts_by_height_what_is_flat_to_the_eye(lead: ParentRun, junction: ParentRun) -> None:
    # 1e-8 alat is 6e-8 Å here
    check_parents(lead, moved(junction, 0, (0, 0, 3e-8)))
    refused(lead, moved(junction, 0, (0, 0, 3e-7)), "junction.structure", "another order")


def test_boundary_atoms_in_another_unit_cell_are_refused(lead: ParentRun, junction: ParentRun) -> None:
    # an Ag wire moved by a lateral vector in the junction: 0.0024 instead of 2 at k = (0.5, 0), with T + R = 1
    shift = tuple(junction.cell[0])
    refused(lead, moved(junction, 1, shift), "junction.structure", "other unit cells.*wrap the atoms")
    # where no sphere reaches, images are alike
    second = int(np.flatnonzero(junction.positions[:, 2] > 2.0)[0])
    check_parents(lead, moved(junction, second, shift))


def test_a_boundary_atom_off_its_place_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    refused(lead, moved(junction, 2, (2e-6, 0, 0)), "junction.structure", "atom by atom")
    check_parents(lead, moved(junction, 2, (5e-7, 0, 0)))


def test_a_boundary_layer_without_one_of_its_atoms_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    fewer = replace(junction, positions=junction.positions[1:], elements=junction.elements[1:])
    refused(lead, fewer, "junction.structure", "3 atoms.*lead's 4")


def test_atoms_whose_spheres_reach_the_boundary_count(lead: ParentRun, junction: ParentRun) -> None:
    second = int(np.flatnonzero(junction.positions[:, 2] > 2.0)[0])
    shifted = moved(junction, second, (2e-6, 0, 0))
    check_parents(lead, shifted)
    wide = {"Ag": 2.5}
    refused(replace(lead, sphere_radii=wide), replace(shifted, sphere_radii=wide), "junction.structure", "12 atoms")


def test_a_boundary_layer_of_another_element_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    refused(lead, renamed(junction, slice(0, 4), "Cu"), "junction.structure", "Cu at z = 0.*lead's element.*Ag")
    refused(lead, renamed(junction, slice(0, 1), "Cu"), "junction.structure", "that is not the lead's")
    alloys = renamed(lead, slice(0, 1), "Cu"), renamed(junction, slice(1, 2), "Cu")
    refused(*alloys, "junction.structure", "that is not the lead's")


def test_a_junction_that_begins_with_another_stacking_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    positions = junction.positions.copy()
    second = np.abs(positions[:, 2] - LATTICE.layer_spacing) < 0.1
    assert second.sum() == 4
    # C in the place of B
    positions[second] += LATTICE.stacking_shift(1)
    refused(lead, replace(junction, positions=positions), "junction.structure", "second layer.*must close")


def test_a_junction_whose_stacking_does_not_close_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    positions = junction.positions.copy()
    last = np.abs(junction.cell[2, 2] - LATTICE.layer_spacing - positions[:, 2]) < 0.1
    assert last.sum() == 4
    # B in the place of C
    positions[last] -= LATTICE.stacking_shift(1)
    refused(lead, replace(junction, positions=positions), "junction.structure", "last layer.*must close")


@pytest.mark.parametrize("height", [1.2, -1.2])
def test_an_atom_between_boundary_layer_and_next_is_refused(
    lead: ParentRun, junction: ParentRun, height: float
) -> None:
    z = height % junction.cell[2, 2]
    positions = np.vstack([junction.positions, [[2.0, 1.0, z]]])
    more = replace(junction, positions=positions, elements=(*junction.elements, "Ag"), sphere_radii={"Ag": 1.0})
    refused(
        replace(lead, sphere_radii={"Ag": 1.0}), more, "junction.structure", "layer that is not that of left_lead"
    )


def test_another_right_lead_continues_the_right_end_alone(lead: ParentRun, junction: ParentRun) -> None:
    height = lead.cell[2, 2]
    # A B C A C B upwards: its first layer is the left lead's, its last one is not
    twin = np.vstack(
        [LATTICE.layer(s, k * LATTICE.layer_spacing) for k, s in enumerate((0, 1, 2, 0, 2, 1))],
    )
    mirrored = run("right_lead", lead.cell + np.diag([0, 0, height]), twin, 128)
    check_parents(lead, junction, replace(lead, name="right_lead"))
    refused(lead, junction, "junction.structure", "last layer that is not that of right_lead", mirrored)
    closing = junction.positions.copy()
    last = np.abs(junction.cell[2, 2] - LATTICE.layer_spacing - closing[:, 2]) < 0.1
    closing[last] -= LATTICE.stacking_shift(1)
    check_parents(lead, replace(junction, positions=closing), mirrored)


def test_another_right_lead_has_the_junctions_boundary_layer(lead: ParentRun, junction: ParentRun) -> None:
    right = replace(lead, name="right_lead", positions=lead.positions + LATTICE.stacking_shift(1))
    refused(lead, junction, "junction.structure", r"at z = 17.2071 Å.* \(right_lead\)", right)
    refused(lead, junction, "junction.cell", "of right_lead", replace(lead, name="right_lead", cell=1.1 * lead.cell))
    finer = replace(lead, name="right_lead", smooth_fft_grid=(30, 27, 32))
    refused(lead, junction, "junction.smooth_fft_grid", "of right_lead, 30 x 27", finer)


# what pwcond.x 6.7 did with Ag wires and two atoms on a line of their own, frozen-d, spheres of 1.368 Å
THIN = [
    (2.8, [], True),
    (2.0, [], True),
    (1.3, [], False),
    (2.6, [1.3], False),
    (3.6, [1.8], True),
]


@pytest.mark.parametrize(("length", "others", "runs"), THIN)
def test_a_region_thinner_than_its_spheres_is_refused(length: float, others: list[float], runs: bool) -> None:
    positions = np.array([[0.0, 0.0, 0.0], *([3.0, 3.0, z] for z in others)])
    thin = run("left_lead", np.diag([6.0, 6.0, length]), positions, 15)
    if runs:
        check_region(thin)
        return
    with pytest.raises(InvalidInput, match=r"sphere of 1.3681 Å.*longer than its nonlocal spheres reach"):
        check_region(thin)


def bounded(whole: ParentRun, boundaries: list[float], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check_whole(whole, boundaries)


def test_a_whole_calculation_is_cut_at_its_layers() -> None:
    # atoms at 0, 2.8, 5.6, 9.1, 12.4, 15.6, 18.4 and 21.2 Å, the end of the cell at 24 Å, alat 6 Å
    whole = wire("dimerised-wire")
    check_whole(whole, [2.8 / 6, 21.2 / 6])
    check_whole(whole, [2.8 / 6, 4.0])
    check_whole(whole, [2.8 / 6, 18.4 / 6, 21.2 / 6])
    bounded(whole, [2.8, 21.2], "in units of alat")
    bounded(whole, [3.0 / 6, 21.2 / 6], "no atom at z = 3.0000 Å")
    bounded(whole, [2.8 / 6, 12.4 / 6], "a boundary layer at z = 12.4000 Å.*not the lead's")
    bounded(whole, [2.8 / 6, 12.4 / 6, 15.6 / 6], "a boundary layer at z = 12.4000 Å.*right lead")


@pytest.mark.parametrize(
    "boundaries",
    [[], [2.8 / 6], [21.2 / 6, 2.8 / 6], [0.0, 2.8 / 6], [2.8 / 6, 4.1], [0.4, 1.0, 2.0, 3.0], [np.nan] * 2],
)
def test_boundaries_that_cut_nothing_are_refused(boundaries: list[float]) -> None:
    bounded(wire("dimerised-wire"), boundaries, "bdl < bds .< bdr., above 0 and at most")


def test_the_parts_of_a_whole_calculation_hold_their_spheres() -> None:
    positions = np.column_stack([np.zeros((10, 2)), 1.3 * np.arange(10)])
    dense = run("whole", np.diag([6.0, 6.0, 13.0]), positions, 60)
    bounded(dense, [1.3 / 6, 13.0 / 6], "whole .left lead..structure = 1.3000 Å long, with a sphere of 1.3681 Å")


def test_a_whole_calculation_closes_its_stacking(lead: ParentRun) -> None:
    h = LATTICE.layer_spacing

    def stacked(stacking: list[int]) -> ParentRun:
        layers = [LATTICE.layer(s, k * h) for k, s in enumerate(stacking)]
        return run("whole", LATTICE.cell(len(stacking) * h), np.vstack(layers), 180)

    unit = 1 / lead.alat
    good = stacked([0, 1, 2, 0, 1, 2, 0, 1, 2])
    check_whole(good, [3 * h * unit, 9 * h * unit])
    check_whole(good, [3 * h * unit, 6 * h * unit, 9 * h * unit])
    bounded(good, [2 * h * unit, 9 * h * unit], "boundary layer at z = 4.8036 Å of 4 atoms")
    bounded(stacked([0, 1, 2, 0, 2, 1, 2, 1, 2]), [3 * h * unit, 9 * h * unit], "second layer that is not")
    bounded(stacked([0, 1, 2, 0, 1, 2, 0, 2, 1]), [3 * h * unit, 9 * h * unit], "last layer that is not")
    bounded(stacked([0, 1, 2, 0, 1, 0, 2, 1, 2]), [3 * h * unit, 6 * h * unit, 9 * h * unit], "z = 14.4107 Å")
    bounded(
        stacked([0, 1, 2, 0, 1, 2, 0, 2, 1]), [3 * h * unit, 6 * h * unit, 9 * h * unit], "last layer.*right lead"
    )
    # the layer at bds is the lead's, but two atoms are swapped
    swapped = good.positions.copy()
    swapped[[24, 25]] = swapped[[25, 24]]
    bounded(replace(good, positions=swapped), [3 * h * unit, 6 * h * unit], "another order")
    bounded(moved(good, 12, (0, 0, 0.1)), [3 * h * unit, 6 * h * unit], "one flat layer at z = 7.2053 Å")
