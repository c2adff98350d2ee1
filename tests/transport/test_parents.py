"""The guards on lead and junction, one by one."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.parents import ParentRun, check_parents

LATTICE = Fcc111(4.16, 2)


def run(name: str, cell: np.ndarray, positions: np.ndarray, nr3: int) -> ParentRun:
    return ParentRun(
        name=name,
        cell=cell,
        positions=positions,
        elements=("Ag",) * len(positions),
        fft_grid=(54, 54, nr3),
        smooth_fft_grid=(27, 27, nr3 // 2),
        wavefunction_cutoff=204.0,
        density_cutoff=1632.0,
        fermi_energy=-1.5,
        pseudo_types=frozenset({"NC"}),
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


def refused(lead: ParentRun, junction: ParentRun, name: str, words: str = "") -> None:
    with pytest.raises(InvalidInput, match=words) as refusal:
        check_parents(lead, junction)
    assert refusal.value.name == name


def test_regions_of_one_lattice_pass(lead: ParentRun, junction: ParentRun) -> None:
    check_parents(lead, junction)
    check_parents(replace(lead, pseudo_types=frozenset({"US"})), replace(junction, pseudo_types=frozenset({"USPP"})))
    assert len(lead.boundary_layer()[1]) == len(junction.boundary_layer()[1]) == 4


def test_a_lead_may_be_its_own_junction(lead: ParentRun) -> None:
    check_parents(lead, replace(lead, name="junction"))


def test_fermi_energies_may_differ(lead: ParentRun, junction: ParentRun) -> None:
    check_parents(lead, replace(junction, fermi_energy=0.0))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 2), (1, 0), (1, 1)])
def test_another_lateral_cell_is_refused(lead: ParentRun, junction: ParentRun, row: int, column: int) -> None:
    cell = junction.cell.copy()
    cell[row, column] += 1e-5
    refused(lead, replace(junction, cell=cell), "junction.cell", "laterally that of the lead")


def test_another_length_is_not_refused(lead: ParentRun, junction: ParentRun) -> None:
    check_parents(lead, replace(junction, cell=junction.cell + np.diag([0, 0, 3.0])))


@pytest.mark.parametrize("kind", ["fft_grid", "smooth_fft_grid"])
@pytest.mark.parametrize("axis", [0, 1])
def test_other_lateral_grids_are_refused(lead: ParentRun, junction: ParentRun, kind: str, axis: int) -> None:
    grid = list(getattr(junction, kind))
    grid[axis] = 30
    refused(lead, replace(junction, **{kind: tuple(grid)}), f"junction.{kind}", "30.*set nr1, nr2, nr1s and nr2s")


@pytest.mark.parametrize("kind", ["wavefunction_cutoff", "density_cutoff"])
def test_other_cutoffs_are_refused(lead: ParentRun, junction: ParentRun, kind: str) -> None:
    refused(lead, replace(junction, **{kind: getattr(junction, kind) + 0.01}), f"junction.{kind}", "one cutoff")


@pytest.mark.parametrize("types", [{"PAW"}, {"NC", "PAW"}, {"unknown"}])
def test_paw_is_refused_in_either_region(lead: ParentRun, junction: ParentRun, types: set[str]) -> None:
    refused(replace(lead, pseudo_types=frozenset(types)), junction, "left_lead.pseudos", "norm-conserving")
    refused(lead, replace(junction, pseudo_types=frozenset(types)), "junction.pseudos", "norm-conserving")


def test_a_run_without_fermi_energy_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    refused(replace(lead, fermi_energy=None), junction, "left_lead.fermi_energy", "use smearing")
    refused(lead, replace(junction, fermi_energy=None), "junction.fermi_energy", "use smearing")


def test_a_region_without_a_layer_at_zero_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    up = np.array([0.0, 0.0, 0.01])
    refused(replace(lead, positions=lead.positions + up), junction, "left_lead.structure", "no atom at z = 0")
    refused(lead, replace(junction, positions=junction.positions + up), "junction.structure", "no atom at z = 0")


def test_boundary_atoms_in_another_order_are_refused(lead: ParentRun, junction: ParentRun) -> None:
    positions = junction.positions.copy()
    positions[[0, 1]] = positions[[1, 0]]
    refused(lead, replace(junction, positions=positions), "junction.structure", "list them in the same")


def test_boundary_atoms_elsewhere_in_the_list_are_fine(lead: ParentRun, junction: ParentRun) -> None:
    # pwcond.x sorts by z, then by index
    positions = np.vstack([junction.positions[5:], junction.positions[:5]])
    check_parents(lead, replace(junction, positions=positions))


def test_a_boundary_atom_off_its_place_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    positions = junction.positions.copy()
    positions[2, 0] += 1e-4
    refused(lead, replace(junction, positions=positions), "junction.structure")


def test_a_boundary_layer_without_one_of_its_atoms_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    refused(lead, replace(junction, positions=junction.positions[1:]), "junction.structure", "3 atoms.*lead's 4")


def test_a_boundary_layer_of_another_element_is_refused(lead: ParentRun, junction: ParentRun) -> None:
    elements = ("Cu",) * 4 + junction.elements[4:]
    refused(lead, replace(junction, elements=elements), "junction.structure")
