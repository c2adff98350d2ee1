"""The potential as the driver calls it, step by step on moving atoms."""

import math

import numpy as np
import pytest
from metal_bars import Contact, pushed_tips
from numpy.typing import NDArray

from aiida_rewire.bias.electrodes import Electrodes
from aiida_rewire.bias.potential import ElectrochemicalPotential
from aiida_rewire.errors import InvalidInput

SETTINGS = {"cutoff": 4.0, "norm": 0.4555, "k": 6.0, "n_electron": 10, "timestep_fs": 1.0}


def potential(contact: Contact, mode: str, **options: object) -> ElectrochemicalPotential:
    return ElectrochemicalPotential(contact.anode, contact.cathode, mode=mode, **{**SETTINGS, **options})  # type: ignore[arg-type]


def swing(contact: Contact, step: int) -> NDArray[np.float64]:
    """Positions of atoms that swing by 0.2 Å, each at its own phase, while the upper tip is drawn back."""
    phases = np.random.default_rng(4).uniform(0, 2 * np.pi, contact.positions.shape)
    moved = contact.positions + 0.2 * np.sin(2 * np.pi * step / 150 + phases)
    upper = np.arange(len(moved)) >= len(moved) // 2
    moved[upper, 2] += 0.02 * step
    return moved


def trajectory(contact: Contact, mode: str, steps: int = 200, **options: object) -> NDArray[np.float64]:
    """Potentials and fluxes of every step, one row each."""
    bias = potential(contact, mode, **options)
    phi = np.zeros(len(contact.positions))
    rows = []
    for step in range(steps):
        phi, out, into = bias.advance(swing(contact, step), phi, 2.0)
        rows.append([*phi, out, into])
    return np.array(rows)


@pytest.fixture(scope="module")
def tips() -> Contact:
    return pushed_tips(base_side=6, apex_side=2, rattle=0.1)


@pytest.mark.parametrize("mode", ["diffusion", "steady"])
def test_two_runs_and_another_skin_give_the_same_bits(tips: Contact, mode: str) -> None:
    first = trajectory(tips, mode)
    assert np.array_equal(first, trajectory(tips, mode))
    assert np.array_equal(first, trajectory(tips, mode, skin=0.0))
    assert np.array_equal(first, trajectory(tips, mode, skin=2.0))


@pytest.mark.parametrize("mode", ["diffusion", "steady"])
def test_run_that_is_taken_up_again_gives_the_same_bits(tips: Contact, mode: str) -> None:
    whole = trajectory(tips, mode, steps=120)
    bias, phi = potential(tips, mode), whole[59, :-2]
    for step in range(60, 120):
        phi, out, into = bias.advance(swing(tips, step), phi, 2.0)
        assert np.array_equal([*phi, out, into], whole[step])


@pytest.mark.parametrize("mode", ["diffusion", "steady"])
def test_anode_is_positive_and_the_flux_runs_from_it(tips: Contact, mode: str) -> None:
    bias = potential(tips, mode)
    phi = np.zeros(len(tips.positions))
    for _ in range(100):
        phi, out, into = bias.advance(tips.positions, phi, 2.0)
        assert np.max(np.abs(phi)) <= 1.0 + 1e-12
    assert np.all(phi[tips.anode] == 1.0)
    assert np.all(phi[tips.cathode] == -1.0)
    assert out > 0
    assert into > 0


def test_steady_flux_is_the_same_by_either_count_and_ends_with_the_contact(tips: Contact) -> None:
    rows = trajectory(tips, "steady")
    out, into = rows[:, -2], rows[:, -1]
    in_contact = out > 0
    assert 20 < np.count_nonzero(in_contact) < 180
    assert np.allclose(out[in_contact], into[in_contact], rtol=1e-6, atol=1e-10)
    assert np.all(out[~in_contact] == 0)
    assert np.all(into[~in_contact] == 0)


def test_diffusion_comes_to_the_steady_state(tips: Contact) -> None:
    zeros = np.zeros(len(tips.positions))
    steady = potential(tips, "steady").advance(tips.positions, zeros, 2.0)
    bias, now = potential(tips, "diffusion"), steady._replace(phi=zeros)
    for _ in range(1500):
        now = bias.advance(tips.positions, now.phi, 2.0)
    assert np.max(np.abs(now.phi - steady.phi)) < 1e-3
    assert now.anode_flux == pytest.approx(steady.anode_flux, rel=5e-3)


def test_atoms_that_do_not_conduct_keep_their_potential_and_break_the_contact(tips: Contact) -> None:
    half = len(tips.positions) // 2
    metal = np.ones(2 * half, dtype=bool)
    metal[half - 13 : half] = False  # the lower tip's upper layers
    start = np.linspace(-0.5, 0.5, 2 * half)
    phi, out, into = potential(tips, "steady", conducting=metal).advance(tips.positions, start, 2.0)
    assert np.array_equal(phi[~metal], start[~metal])
    assert (out, into) == (0.0, 0.0)
    assert potential(tips, "steady").advance(tips.positions, start, 2.0).anode_flux > 0


@pytest.mark.parametrize("mode", ["diffusion", "steady"])
def test_no_voltage_is_a_voltage(tips: Contact, mode: str) -> None:
    phi, out, into = potential(tips, mode).advance(tips.positions, np.zeros(len(tips.positions)), 0.0)
    assert np.all(phi == 0)
    assert (out, into) == (0, 0)


def test_given_potential_is_not_changed(tips: Contact) -> None:
    for mode in ("diffusion", "steady"):
        start = np.full(len(tips.positions), 0.25)
        potential(tips, mode).advance(tips.positions, start, 2.0)
        assert np.all(start == 0.25)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"mode": "static"}, "mode"),
        ({"cutoff": 0.0}, "cutoff"),
        ({"norm": 0.0}, "norm"),
        ({"k": 0.0}, "k"),
        ({"k": math.inf}, "k"),
        ({"n_electron": 0}, "n_electron"),
        ({"n_electron": 2.5}, "n_electron"),
        ({"timestep_fs": 0.0}, "timestep_fs"),
        ({"conducting": np.ones(3, dtype=bool)}, "conducting"),
        ({"conducting": np.arange(180) > 5}, "conducting"),
        ({"box_lengths": (5.0, 0.0, 0.0)}, "box_lengths"),
    ],
)
def test_settings_out_of_bounds_are_named(tips: Contact, options: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        potential(tips, **{"mode": "steady", **options})  # type: ignore[arg-type]
    assert caught.value.name == name


def test_electrodes_that_are_none_are_named() -> None:
    one, other, none = np.array([True, False]), np.array([False, True]), np.array([False, False])
    for anode, cathode, name in (
        (none, other, "anode"),
        (one, none, "cathode"),
        (one, one, "cathode"),
        (one, np.array([False, True, False]), "cathode"),
        (np.array([1, 0]), other, "anode"),
    ):
        with pytest.raises(InvalidInput) as caught:
            Electrodes(anode, cathode)
        assert caught.value.name == name


@pytest.mark.parametrize(
    ("phi", "voltage", "name"),
    [(np.zeros(3), 2.0, "phi"), (np.full(180, math.nan), 2.0, "phi"), (np.zeros(180), math.nan, "voltage_v")],
)
def test_state_that_is_none_is_named(tips: Contact, phi: NDArray[np.float64], voltage: float, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        potential(tips, "steady").advance(tips.positions, phi, voltage)
    assert caught.value.name == name


def test_too_few_electron_steps_are_refused(tips: Contact) -> None:
    with pytest.raises(InvalidInput, match="n_electron"):
        potential(tips, "diffusion", n_electron=1).advance(tips.positions, np.zeros(180), 2.0)


def pair_on_the_anode(distance: float) -> Contact:
    """An anode atom with a free neighbour at this distance (Å), and a cathode far away."""
    row = np.array([[0.0, 0, 0], [distance, 0, 0], [30.0, 0, 0]])
    return Contact(row, np.arange(3) == 0, np.arange(3) == 2)


def test_call_of_the_diffusion_is_one_step_of_the_atoms() -> None:
    """The difference shrinks by 1 - k dt g / nelec each electron step; dt and nelec are the ones given."""
    pair = pair_on_the_anode(3.0)
    conductance = (7 / 16) ** 2 / (0.4555 * 9)
    shrink = (1 - 6.0 * 0.7 * conductance / 5) ** 5
    bias = potential(pair, "diffusion", timestep_fs=0.7, n_electron=5)
    phi, out, into = bias.advance(pair.positions, np.array([0.0, -0.2, 0.0]), 2.0)
    assert phi == pytest.approx([1.0, 1 - 1.2 * shrink, -1.0], rel=1e-12)
    assert out == pytest.approx(1.2 * (1 - shrink) / 0.7, rel=1e-12)
    assert into == 0.0


@pytest.mark.parametrize(("distance", "expected"), [(3.99, 1.0), (4.0, 0.3)])
def test_free_atom_joins_the_electrode_within_the_cutoff_alone(distance: float, expected: float) -> None:
    pair = pair_on_the_anode(distance)
    assert potential(pair, "steady").advance(pair.positions, np.array([0, 0.3, 0]), 2.0).phi[1] == expected


def test_bond_about_to_break_neither_connects_nor_carries_a_flux() -> None:
    """Beside a full bond, one that begins 0.0005 Å within the cutoff is none yet."""
    row = np.array([[0.0, 0, 0], [2.9, 0, 0], [2.9 + 3.9995, 0, 0]])
    link = Contact(row, np.arange(3) == 0, np.arange(3) == 2)
    phi, out, into = potential(link, "steady").advance(link.positions, np.zeros(3), 2.0)
    assert phi.tolist() == [1.0, 1.0, -1.0]
    assert (out, into) == (0.0, 0.0)


def test_skin_counts_for_what_a_periodic_length_must_exceed(tips: Contact) -> None:
    potential(tips, "steady", box_lengths=(8.5, 0.0, 0.0), skin=0.2)
    with pytest.raises(InvalidInput, match="box_lengths"):
        potential(tips, "steady", box_lengths=(8.5, 0.0, 0.0), skin=0.3)
