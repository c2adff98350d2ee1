"""The diffusing potential against the series solutions of the diffusion equation."""

import re

import numpy as np
import pytest
from metal_bars import Contact, bar
from numpy.typing import NDArray

from aiida_rewire.bias.bonds import BondList, Bonds, normalisation
from aiida_rewire.bias.diffusion import check_stability, diffuse
from aiida_rewire.bias.electrodes import Electrodes
from aiida_rewire.errors import InvalidInput

VOLTAGE = 8.0
CUTOFF = 4.0
STEP = {"k": 6.0, "timestep_fs": 0.5, "n_electron": 10}
PUBLISHED_NORM = 0.629967


def bonds_of(contact: Contact, norm: float) -> Bonds:
    metal = np.ones(len(contact.positions), dtype=bool)
    bond_list = BondList(metal, cutoff=CUTOFF, norm=norm, skin=0.4, box_lengths=contact.box_lengths)
    return bond_list.update(contact.positions)


def between_two_electrodes(
    x: NDArray[np.float64], time: float, length: float, diffusivity: float
) -> NDArray[np.float64]:
    """+V/2 at 0, -V/2 at the length, 0 at the start."""
    phi = VOLTAGE / 2 * (1 - 2 * x / length)
    for n in range(2, 400, 2):
        wave = n * np.pi / length
        phi = phi - 2 * VOLTAGE / (n * np.pi) * np.sin(wave * x) * np.exp(-diffusivity * wave**2 * time)
    return phi


def into_a_plate(x: NDArray[np.float64], time: float, length: float, diffusivity: float) -> NDArray[np.float64]:
    """+V/2 at 0, nothing flows through the free end at the length, 0 at the start."""
    phi = np.full_like(x, VOLTAGE / 2)
    for n in range(1, 400, 2):
        wave = n * np.pi / (2 * length)
        phi = phi - 2 * VOLTAGE / (n * np.pi) * np.sin(wave * x) * np.exp(-diffusivity * wave**2 * time)
    return phi


@pytest.mark.parametrize(
    ("lattice", "a", "norm", "electrode_layers", "tolerance"),
    [
        ("bcc", 3.0, PUBLISHED_NORM, 3, 0.01),
        ("bcc", 3.0, PUBLISHED_NORM, 1, 0.02),
        ("fcc", 4.09, normalisation("fcc", 4.09, CUTOFF), 1, 0.002),
    ],
    ids=["published bcc", "bcc, thin electrodes", "fcc silver"],
)
def test_bar_follows_the_diffusion_equation(
    lattice: str, a: float, norm: float, electrode_layers: int, tolerance: float
) -> None:
    """The electrodes end at their innermost layers; the largest error of any atom counts, against V."""
    contact = bar(lattice, a, side=3, length=20, electrode_layers=electrode_layers)
    edge = (electrode_layers - 1) * a / 2
    length = 20 * a - 2 * edge
    electrodes, bonds = Electrodes(contact.anode, contact.cathode), bonds_of(contact, norm)
    inside = (contact.z >= edge) & (contact.z <= edge + length)
    phi = np.zeros(len(contact.z))
    errors = {}
    for step in range(1, 801):
        phi, _ = diffuse(bonds, phi, electrodes, VOLTAGE, **STEP)
        if step in (10, 40, 200, 800):
            exact = between_two_electrodes(contact.z[inside] - edge, step * 0.5, length, 6.0)
            errors[step] = np.max(np.abs(phi[inside] - exact)) / VOLTAGE
    assert max(errors.values()) < tolerance, errors
    # early on the middle of the bar has nothing yet, in the end the profile is straight: both were seen
    assert np.max(np.abs(phi[inside] - VOLTAGE * (0.5 - (contact.z[inside] - edge) / length))) < 0.03 * VOLTAGE


def test_published_capacitor_fills_from_its_contacts() -> None:
    """Two plates of 81 layers, 15 Å apart, each held at its outer 3 layers; 100 fs as in the authors' example."""
    plate = bar("bcc", 3.0, side=3, length=40, electrode_layers=3)
    other = plate.positions + np.array([0.0, 0.0, 45 * 3.0])
    none = np.zeros(len(plate.positions), dtype=bool)
    capacitor = Contact(
        np.vstack([plate.positions, other]),
        np.concatenate([plate.anode, none]),
        np.concatenate([none, plate.cathode]),
        plate.box_lengths,
    )
    electrodes, bonds = Electrodes(capacitor.anode, capacitor.cathode), bonds_of(capacitor, PUBLISHED_NORM)
    phi = np.zeros(len(capacitor.z))
    depth, length = plate.z - 3.0, 117.0
    inside = depth >= 0
    for step in range(1, 201):
        phi, _ = diffuse(bonds, phi, electrodes, VOLTAGE, **STEP)
        if step % 20 == 0:
            exact = into_a_plate(depth[inside], step * 0.5, length, 6.0)
            assert np.max(np.abs(phi[: len(depth)][inside] - exact)) < 0.01 * VOLTAGE
    # 10.5 Å in, after 100 fs, erfc(10.5 / sqrt(4 k t)) of the contact's 4 V; the far end has nothing
    assert phi[np.isclose(depth, 10.5).nonzero()[0][0]] == pytest.approx(4 * 0.7618, rel=0.01)
    assert np.max(np.abs(phi[: len(depth)][depth > 116])) < 0.03
    assert np.allclose(np.sort(phi[len(depth) :]), np.sort(-phi[: len(depth)]), atol=1e-12)


def test_two_atoms_by_hand() -> None:
    """A free atom on the anode, c = k dt g / nelec = 0.25: the difference loses a quarter each electron step."""
    bonds = Bonds(3, np.array([0]), np.array([1]), np.array([0.5]))
    electrodes = Electrodes(np.array([True, False, False]), np.array([False, False, True]))
    start = np.array([9.0, -1.0, 9.0])
    phi, mean = diffuse(bonds, start, electrodes, 2.0, k=1.0, timestep_fs=1.0, n_electron=2)
    assert phi == pytest.approx([1.0, 1 - 2 * 0.75**2, -1.0])
    assert mean == pytest.approx([1.0, 1 - 2 * (1 + 0.75) / 2, -1.0])
    assert start.tolist() == [9.0, -1.0, 9.0]
    assert electrodes.fluxes(bonds, mean, 1.0) == pytest.approx((0.5 * 1.75, 0.0))


def test_what_flows_out_of_the_anode_stays_in_the_metal() -> None:
    """The electrodes' fluxes times the time are what the potentials of all other atoms add up to."""
    contact = bar("fcc", 4.09, side=3, length=6, electrode_layers=1)
    electrodes, bonds = Electrodes(contact.anode, contact.cathode), bonds_of(contact, 0.4555)
    phi = np.random.default_rng(2).uniform(-1, 1, len(contact.z))
    gained = 0.0
    start = phi[contact.between].sum()
    for _ in range(30):
        phi, mean = diffuse(bonds, phi, electrodes, 2.0, **STEP)
        out, into = electrodes.fluxes(bonds, mean, STEP["k"])
        gained += (out - into) * STEP["timestep_fs"]
    assert abs(gained) > 0.1
    assert phi[contact.between].sum() - start == pytest.approx(gained, rel=1e-10)


def test_potential_of_loose_metal_is_conserved_and_of_a_lone_atom_the_same() -> None:
    """A loose pair keeps its sum; an atom alone keeps its potential to the last bit."""
    bonds = Bonds(5, np.array([2]), np.array([3]), np.array([0.3]))
    electrodes = Electrodes(np.arange(5) == 0, np.arange(5) == 1)
    phi, _ = diffuse(bonds, np.array([0, 0, 0.7, -0.1, 0.123456789]), electrodes, 2.0, **STEP)
    assert phi[2] + phi[3] == pytest.approx(0.6, abs=1e-15)
    assert 0.3 < phi[2] < 0.7
    assert phi[4] == 0.123456789


def test_silver_at_one_electron_step_is_refused_with_the_number_that_would_do() -> None:
    """12 neighbours: k dt sum(g) = 6 · 1 · 12 w / (norm r²) = 6 · 6 / r², r² = 4.09² / 2: 4.304."""
    silver = bar("fcc", 4.09, side=3, length=4, electrode_layers=1)
    degree = bonds_of(silver, normalisation("fcc", 4.09, CUTOFF)).degree()
    with pytest.raises(InvalidInput, match=r"4\.304.*take 5 electron steps"):
        check_stability(degree, k=6.0, timestep_fs=1.0, n_electron=1)
    with pytest.raises(InvalidInput, match="n_electron"):
        check_stability(degree, k=6.0, timestep_fs=1.0, n_electron=4)
    check_stability(degree, k=6.0, timestep_fs=1.0, n_electron=5)


def test_steps_that_the_check_refuses_leave_the_range_of_the_electrodes() -> None:
    """The bound is no mere formality: beyond it the very next potential may overshoot."""
    bonds = Bonds(3, np.array([0]), np.array([1]), np.array([1.0]))
    electrodes = Electrodes(np.arange(3) == 0, np.arange(3) == 2)
    phi, _ = diffuse(bonds, np.array([0, -1.0, 0]), electrodes, 2.0, k=0.99, timestep_fs=1.0, n_electron=1)
    assert phi[1] == pytest.approx(0.98)
    with pytest.raises(InvalidInput) as caught:
        diffuse(bonds, phi, electrodes, 2.0, k=1.01, timestep_fs=1.0, n_electron=1)
    enough = int(re.findall(r"take (\d+)", str(caught.value))[0])
    diffuse(bonds, phi, electrodes, 2.0, k=1.01, timestep_fs=1.0, n_electron=enough)
