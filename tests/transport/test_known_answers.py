"""The known answers are consistent: structures that pwcond.x joins, tables as long as their energies."""

from collections.abc import Callable

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.fixtures import fixture_path
from aiida_rewire.transport.known_answers import (
    TABLE_ENERGIES,
    from_edges,
    known_answers,
    reciprocal_pairs,
    staircase,
)
from aiida_rewire.transport.known_setups import PSEUDOPOTENTIALS, KnownAnswer, TransmissionSetup
from aiida_rewire.transport.known_structures import (
    EXAMPLE_WIDTH,
    Structure,
    al_wire,
    al_wire_with_h,
    doubled,
    mirror,
    silver_dimer,
    silver_lead,
    wire,
    wire_junction,
)

ANSWERS = known_answers()
PAIRS = reciprocal_pairs()
SETUPS = [(answer.name, answer.setup) for answer in ANSWERS]
SETUPS += [
    (f"{pair.name} {side}", setup) for pair in PAIRS for side, setup in (("", pair.setup), ("m", pair.mirrored))
]
EVERY_SETUP = pytest.mark.parametrize("setup", [setup for _, setup in SETUPS], ids=[name for name, _ in SETUPS])
BUILDERS = [silver_lead, silver_dimer, al_wire, al_wire_with_h, lambda: wire(2.8, 3, 6.0)]
BOHR = 0.529177210903


def layers(structure: Structure) -> list[float]:
    return sorted(set(np.round(structure.positions[:, 2], 6).tolist()))


def first_step(structure: Structure) -> float:
    return [*layers(structure), structure.height][1]


def boundary(structure: Structure) -> tuple[np.ndarray, list[str]]:
    rows = np.flatnonzero(structure.positions[:, 2] == 0.0)
    return structure.positions[rows], [structure.elements[row] for row in rows]


def answer_of(name: str) -> KnownAnswer:
    return next(answer for answer in ANSWERS if answer.name == name)


def test_names_are_unique() -> None:
    names = [case.name for case in (*ANSWERS, *PAIRS)]
    assert len(set(names)) == len(names) == 18


@EVERY_SETUP
def test_regions_begin_with_their_leads_layers(setup: TransmissionSetup) -> None:
    regions = [region for region in (setup.lead, setup.junction, setup.right_lead) if region is not None]
    places, elements = boundary(setup.lead)
    for region in regions:
        assert np.array_equal(region.cell[:2], setup.lead.cell[:2])
        assert region.cell[2, :2].tolist() == [0.0, 0.0]
        assert (np.diff(region.positions[:, 2]) >= -1e-9).all()
        assert (region.positions[:, 2] >= 0.0).all()
        assert region.positions[-1, 2] < region.height
        assert len(region.elements) == len(region.positions)
        ours, our_elements = boundary(region)
        assert ours == pytest.approx(places, abs=1e-12)
        assert our_elements == elements


@EVERY_SETUP
def test_the_junction_ends_as_its_right_lead(setup: TransmissionSetup) -> None:
    junction, right = setup.junction or setup.lead, setup.right_lead or setup.lead
    assert junction.height - layers(junction)[-1] == pytest.approx(right.height - layers(right)[-1], abs=1e-5)
    assert first_step(junction) == pytest.approx(first_step(setup.lead), abs=1e-5)


@EVERY_SETUP
def test_kpoints_energies_and_pseudopotentials(setup: TransmissionSetup) -> None:
    assert sum(weight for _, _, weight in setup.kpoints) == pytest.approx(1.0)
    assert list(setup.energies) == sorted(set(setup.energies), reverse=True)
    atoms = {*setup.lead.elements, *(setup.junction.elements if setup.junction else ())}
    assert atoms <= set(setup.pseudos)
    assert set(setup.pseudos.values()) <= set(PSEUDOPOTENTIALS)
    assert (setup.junction is None) == (setup.junction_mesh is None)


def test_generated_pseudopotentials_are_those_their_inputs_name() -> None:
    for source in PSEUDOPOTENTIALS.values():
        if source.generation:
            assert f"'{source.file_name}'" in fixture_path("ld1", source.generation).read_text()


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer.name for answer in ANSWERS])
def test_a_transmission_for_every_energy(answer: KnownAnswer) -> None:
    assert len(answer.expected) == len(answer.setup.energies)
    assert min(answer.expected) >= 0
    assert 0 < answer.tolerance <= 0.05
    assert answer.source
    assert answer.slow == (answer.seconds > 60)


def test_pristine_leads_transmit_whole_channels() -> None:
    whole = [answer for answer in ANSWERS if answer.source.startswith("a pristine lead")]
    assert len(whole) == 9
    assert all(float(channels).is_integer() for answer in whole for channels in answer.expected)
    assert answer_of("Ag(111), frozen d, doubled").expected == (3.0,)


def test_the_staircase_is_the_published_one() -> None:
    assert len(TABLE_ENERGIES) == 100
    assert (TABLE_ENERGIES[0], TABLE_ENERGIES[-1]) == (2.95, -6.95)
    steps = [staircase(energy) for energy in TABLE_ENERGIES]
    # lines of each T in trans.alwire: 8, 6, 4, 0, 2, 0 for both spins
    assert [steps.count(n) for n in (4, 3, 2, 1)] == [4, 16, 12, 52]
    assert [staircase(energy) for energy in (2.65, 2.55, 1.05, 0.95, -0.15, -0.25)] == [4, 3, 3, 2, 2, 0]
    assert [staircase(energy) for energy in (-1.15, -1.25, -6.35, -6.45)] == [0, 1, 1, 0]
    assert from_edges(0.9) == pytest.approx(0.1)


def test_made_pseudopotentials_are_judged_off_the_band_edges() -> None:
    for name in ("Al wire", "Al wire with H"):
        energies = answer_of(name).setup.energies
        assert min(from_edges(energy) for energy in energies) > 0.14
        assert len(energies) >= 10


def test_published_transmissions_are_per_spin() -> None:
    answer, edge = answer_of("Al wire with H, example01"), answer_of("Al wire with H, example01, band edge")
    # the table's 18 energies, of which the second case has one
    assert len({*answer.setup.energies, *edge.setup.energies}) == 18
    assert answer.expected[answer.setup.energies.index(0.9)] == pytest.approx(2.8103 / 2)
    assert edge.expected[edge.setup.energies.index(1.0)] == pytest.approx(4.0172 / 2)


def test_aluminium_cells_are_those_of_the_example() -> None:
    assert pytest.approx(12 * BOHR, abs=1e-12) == EXAMPLE_WIDTH
    lead, junction = al_wire(), al_wire_with_h()
    assert np.diag(lead.cell) / BOHR == pytest.approx([12.0, 12.0, 4.5], abs=1e-9)
    assert np.diag(junction.cell) / BOHR == pytest.approx([12.0, 12.0, 22.5], abs=1e-9)
    assert junction.positions[3] / (12 * BOHR) == pytest.approx([0.19269012, 0.0, 0.9375], abs=1e-12)
    assert junction.elements == ("Al", "Al", "Al", "H", "Al", "Al")


@pytest.mark.parametrize("build", BUILDERS)
def test_a_mirrored_mirror_image_is_the_structure(build: Callable[[], Structure]) -> None:
    structure = build()
    twice = mirror(mirror(structure))
    assert twice.positions == pytest.approx(structure.positions, abs=1e-12)
    assert twice.elements == structure.elements
    assert np.array_equal(twice.cell, structure.cell)


def test_a_mirror_image_keeps_the_boundary_and_turns_the_gaps() -> None:
    junction = wire_junction((2.8, 3.5, 3.0), 6.0, shifts={2: 0.4})
    image = mirror(junction)
    assert image.positions.ravel().tolist() == pytest.approx([0, 0, 0, 0.4, 0, 3.0, 0, 0, 6.5])
    assert not np.allclose(image.positions, junction.positions)


@pytest.mark.parametrize("build", BUILDERS)
def test_two_periods_continue_each_other(build: Callable[[], Structure]) -> None:
    one = build()
    two = doubled(one)
    assert len(two.positions) == 2 * len(one.positions)
    assert two.elements == 2 * one.elements
    assert two.height == pytest.approx(2 * one.height)
    assert two.positions[len(one.positions) :] == pytest.approx(one.positions + one.cell[2])
    assert np.array_equal(two.cell[:2], one.cell[:2])


def test_the_dimer_stands_between_five_flat_layers() -> None:
    dimer = silver_dimer()
    assert len(dimer.positions) == 22
    assert dimer.positions[13, 2] - dimer.positions[12, 2] == pytest.approx(2.85)
    lead = silver_lead()
    assert dimer.positions[:12] == pytest.approx(lead.positions)
    assert dimer.positions[-8:] == pytest.approx(lead.positions[4:] + dimer.cell[2] - lead.cell[2])


def test_mirrored_setups_swap_the_leads() -> None:
    alike, unlike = PAIRS
    assert alike.mirrored.right_lead is None
    assert unlike.setup.right_lead is not None
    assert unlike.mirrored.right_lead is not None
    assert (unlike.setup.lead.height, unlike.setup.right_lead.height) == pytest.approx((2.8, 3.0))
    assert (unlike.mirrored.lead.height, unlike.mirrored.right_lead.height) == pytest.approx((3.0, 2.8))
    for pair in PAIRS:
        assert pair.setup.junction is not None
        assert pair.mirrored.junction is not None
        # a mirror image that is the structure itself would make the pair trivial
        assert not np.allclose(pair.setup.junction.positions, pair.mirrored.junction.positions, atol=0.1)


def test_the_spin_polarised_twin_is_the_same_wire() -> None:
    twin, plain = answer_of("Ag wire, frozen d, two spins"), answer_of("Ag wire, frozen d")
    assert twin.setup.system == {**plain.setup.system, "nspin": 2, "starting_magnetization": 0.0}
    assert twin.expected == plain.expected


@pytest.mark.parametrize(
    ("spacings", "width"), [((), 6.0), ((2.8, 0.0), 6.0), ((2.8,), -1.0), ((float("nan"),), 6.0)]
)
def test_lengths_that_make_no_wire_are_refused(spacings: tuple[float, ...], width: float) -> None:
    with pytest.raises(InvalidInput, match=r"^spacings"):
        wire_junction(spacings, width)
