"""The steady potential: resistors by hand, uniform bars, and the limit of the diffusion."""

import numpy as np
import pytest
from metal_bars import Contact, bar, pushed_tips
from numpy.typing import NDArray

from aiida_rewire.bias.bonds import BondList, Bonds, normalisation
from aiida_rewire.bias.diffusion import diffuse
from aiida_rewire.bias.electrodes import Electrodes, effective_conductance
from aiida_rewire.bias.steady import solve_steady, without_vanishing

CUTOFF = 4.0
NORM = 0.4555
K = 6.0


def bonds_of(contact: Contact, norm: float = NORM) -> Bonds:
    metal = np.ones(len(contact.positions), dtype=bool)
    found = BondList(metal, cutoff=CUTOFF, norm=norm, box_lengths=contact.box_lengths).update(contact.positions)
    return without_vanishing(found)


@pytest.fixture(scope="module")
def rubble() -> Contact:
    """Disordered tips in contact, and beside them a loose dimer, a loose heap of 4 atoms and 2 lone atoms."""
    tips = pushed_tips()
    beside = 40.0 + np.array(
        [[0, 0, 0], [2.8, 0, 0], [0, 10, 0], [2.6, 10, 0], [0, 12.7, 0], [3.0, 12.4, 1], [0, 30, 0], [30, 0, 0]]
    )
    none = np.zeros(len(beside), dtype=bool)
    return Contact(np.vstack([tips.positions, beside]), np.append(tips.anode, none), np.append(tips.cathode, none))


def chain(conductances: list[float]) -> tuple[Bonds, Electrodes]:
    """Resistors in a row, the anode at one end and the cathode at the other."""
    n_bonds = len(conductances)
    atoms = np.arange(n_bonds + 1)
    return Bonds(n_bonds + 1, atoms[:-1], atoms[1:], np.array(conductances)), Electrodes(atoms == 0, atoms == n_bonds)


@pytest.mark.parametrize("conductances", [[1.0, 1.0], [0.1, 0.3, 0.2, 0.05], [2e-6, 1.0, 0.5, 0.7, 3e-6]])
def test_chain_divides_the_voltage_as_resistors_do(conductances: list[float]) -> None:
    """The last chain hangs between links that are about to break."""
    bonds, electrodes = chain(conductances)
    phi = solve_steady(bonds, np.zeros(bonds.n_atoms), electrodes, 3.0)
    resistance = np.concatenate(([0.0], np.cumsum(1 / np.array(conductances))))
    assert phi == pytest.approx(1.5 - 3.0 * resistance / resistance[-1], abs=1e-9)
    assert electrodes.fluxes(bonds, phi, K) == pytest.approx([K * 3.0 / resistance[-1]] * 2, rel=1e-6)


def test_bond_from_anode_to_cathode_carries_its_own_flux() -> None:
    bonds, electrodes = chain([0.2])
    phi = solve_steady(bonds, np.zeros(2), electrodes, 2.0)
    out, into = electrodes.fluxes(bonds, phi, K)
    assert (out, into) == pytest.approx((K * 0.2 * 2.0,) * 2)
    assert effective_conductance(out, K, 2.0) == pytest.approx(0.2)


@pytest.mark.parametrize("electrode_layers", [1, 2])
def test_uniform_bar_drops_the_voltage_linearly_and_conducts_as_a_continuum(electrode_layers: int) -> None:
    """Nearest neighbours alone link adjacent layers: the electrodes end exactly at their innermost layers."""
    a, side, length = 4.09, 3, 12
    contact = bar("fcc", a, side=side, length=length, electrode_layers=electrode_layers)
    electrodes = Electrodes(contact.anode, contact.cathode)
    bonds = bonds_of(contact, normalisation("fcc", a, CUTOFF))
    phi = solve_steady(bonds, np.zeros(len(contact.z)), electrodes, 2.0)
    edge = (electrode_layers - 1) * a / 2
    span = length * a - 2 * edge
    linear = 1.0 - 2.0 * (contact.z - edge) / span
    assert np.max(np.abs(phi - linear)[contact.between]) < 1e-10
    out, into = electrodes.fluxes(bonds, phi, K)
    density, area = 4 / a**3, (side * a) ** 2
    assert out == pytest.approx(K * density * area * 2.0 / span, rel=1e-10)
    assert into == pytest.approx(out, rel=1e-10)
    assert effective_conductance(out, K, 2.0) == pytest.approx(density * area / span, rel=1e-10)


def test_bcc_bar_with_second_neighbours_begins_an_eighth_of_an_angstrom_within_its_electrode() -> None:
    """Far from its ends the profile is straight and carries k n A times its slope, whatever the ends do."""
    contact = bar("bcc", 3.0, side=4, length=20, electrode_layers=3)
    electrodes = Electrodes(contact.anode, contact.cathode)
    bonds = bonds_of(contact, normalisation("bcc", 3.0, CUTOFF))
    phi = solve_steady(bonds, np.zeros(len(contact.z)), electrodes, 8.0)
    middle = (contact.z > 18) & (contact.z < 42)
    slope, offset = np.polyfit(contact.z[middle], phi[middle], 1)
    assert np.max(np.abs(phi - slope * contact.z - offset)[middle]) < 1e-9
    assert (4.0 - offset) / slope == pytest.approx(3.0 - 0.1227, abs=1e-3)
    out, _ = electrodes.fluxes(bonds, phi, K)
    assert out == pytest.approx(-K * (2 / 27) * 144 * slope, rel=1e-9)


def test_steady_state_is_the_limit_of_the_diffusion(rubble: Contact) -> None:
    electrodes, bonds = Electrodes(rubble.anode, rubble.cathode), bonds_of(rubble)
    start = np.random.default_rng(7).uniform(-1, 1, len(rubble.z))
    steady = solve_steady(bonds, start, electrodes, 2.0)
    longest, mean = start, start
    n_electron = 20_000
    for _ in range(2):
        longest, mean = diffuse(
            bonds, longest, electrodes, 2.0, k=K, timestep_fs=n_electron / 20, n_electron=n_electron
        )
    assert np.max(np.abs(longest - steady)) < 1e-3 * 2.0
    assert np.max(np.abs(longest - steady)) < 1e-9
    # the contact is one: both electrodes drive a flux, the same by either count and from either mode
    out, into = electrodes.fluxes(bonds, steady, K)
    assert out == pytest.approx(into, rel=1e-6)
    assert out > 0.1
    assert electrodes.fluxes(bonds, mean, K) == pytest.approx((out, into), rel=1e-6)
    # a large share of the tips lies between the two potentials, the loose atoms share their means
    assert np.count_nonzero(np.abs(steady) < 0.9) > 100
    loose = len(start) - 8
    assert steady[loose : loose + 2] == pytest.approx(start[loose : loose + 2].mean(), abs=1e-12)
    assert steady[loose + 2 : loose + 6] == pytest.approx(start[loose + 2 : loose + 6].mean(), abs=1e-12)
    assert steady[-2:].tolist() == start[-2:].tolist()


def test_residual_of_every_atom_is_below_1e_8(rubble: Contact) -> None:
    electrodes, bonds = Electrodes(rubble.anode, rubble.cathode), bonds_of(rubble)
    phi = solve_steady(bonds, np.zeros(len(rubble.z)), electrodes, 2.0)
    upper = bonds.upper()
    residual = upper @ phi + upper.T @ phi - bonds.degree() * phi
    assert np.max(np.abs(residual[~electrodes.held])) < 1e-8
    assert np.max(np.abs(residual[~electrodes.held])) < 1e-12


def test_no_potential_lies_beyond_the_electrodes_and_no_free_one_is_a_peak(rubble: Contact) -> None:
    electrodes, bonds = Electrodes(rubble.anode, rubble.cathode), bonds_of(rubble)
    phi = solve_steady(bonds, np.zeros(len(rubble.z)), electrodes, 2.0)
    assert np.max(np.abs(phi)) <= 1.0 + 1e-12
    highest = np.full(len(phi), -np.inf)
    np.maximum.at(highest, bonds.first, phi[bonds.second])
    np.maximum.at(highest, bonds.second, phi[bonds.first])
    bonded_free = ~electrodes.held & np.isfinite(highest)
    assert np.all(phi[bonded_free] <= highest[bonded_free] + 1e-12)


def test_order_of_the_atoms_does_not_matter(rubble: Contact) -> None:
    start = np.random.default_rng(8).uniform(-1, 1, len(rubble.z))
    order = np.random.default_rng(9).permutation(len(start))
    shuffled = Contact(rubble.positions[order], rubble.anode[order], rubble.cathode[order])
    results: list[list[NDArray[np.float64]]] = []
    for contact, phi in ((rubble, start), (shuffled, start[order])):
        electrodes, bonds = Electrodes(contact.anode, contact.cathode), bonds_of(contact)
        diffused, _ = diffuse(bonds, phi, electrodes, 2.0, k=K, timestep_fs=5.0, n_electron=100)
        results.append([solve_steady(bonds, phi, electrodes, 2.0), diffused])
    for plain, other in zip(*results, strict=True):
        assert np.max(np.abs(plain[order] - other)) < 1e-12


def test_tips_out_of_contact_have_their_electrodes_potential_and_no_flux() -> None:
    tips = pushed_tips(gap=8.3, rattle=0.1)
    electrodes, bonds = Electrodes(tips.anode, tips.cathode), bonds_of(tips)
    phi = solve_steady(bonds, np.full(len(tips.z), 0.3), electrodes, 2.0)
    half = len(tips.z) // 2
    assert np.all(phi[:half] == 1.0)
    assert np.all(phi[half:] == -1.0)
    assert electrodes.fluxes(bonds, phi, K) == (0.0, 0.0)


def test_without_voltage_connected_metal_is_at_zero(rubble: Contact) -> None:
    electrodes, bonds = Electrodes(rubble.anode, rubble.cathode), bonds_of(rubble)
    phi = solve_steady(bonds, np.full(len(rubble.z), 0.3), electrodes, 0.0)
    assert np.all(phi[:-8] == 0.0)
    assert phi[-8:] == pytest.approx(0.3, abs=1e-15)
    assert electrodes.fluxes(bonds, phi, K) == (0.0, 0.0)
    assert np.isnan(effective_conductance(0.0, K, 0.0))


def test_reversed_voltage_reverses_everything(rubble: Contact) -> None:
    electrodes, bonds = Electrodes(rubble.anode, rubble.cathode), bonds_of(rubble)
    zeros = np.zeros(len(rubble.z))
    forward, backward = (solve_steady(bonds, zeros, electrodes, volts) for volts in (2.0, -2.0))
    assert np.array_equal(forward, -backward)
    assert electrodes.fluxes(bonds, forward, K)[0] == -electrodes.fluxes(bonds, backward, K)[0]


def test_bond_that_has_only_just_formed_connects_nothing_yet() -> None:
    """Its weight is 6e-8 half a thousandth of an angstrom within the cutoff, 1.6e-6 two and a half within it."""
    for distance, connected in ((3.9995, False), (3.995, True)):
        row = np.array([[0.0, 0, 0], [2.9, 0, 0], [2.9 + distance, 0, 0], [20.0, 0, 0]])
        contact = Contact(row, np.arange(4) == 0, np.arange(4) == 3)
        phi = solve_steady(
            bonds_of(contact), np.array([0, 0, 0.3, 0]), Electrodes(contact.anode, contact.cathode), 2.0
        )
        assert phi[2] == (1.0 if connected else 0.3)
