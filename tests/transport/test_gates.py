"""The gates: recorded outputs of pwcond.x pass whole, and every contradiction is refused by the gate that fits."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.transport.gates import (
    BrokenUnitarity,
    IncompleteTransmission,
    InconsistentTransmission,
    NonFiniteTransmission,
    RefusedTransmission,
    TooMuchTransmission,
    gate_states,
    grid_of,
)
from aiida_rewire.transport.pwcond_output import ScatteringState, read_pwcond

TOLERANCE = 1e-3
LEAD = ([0.1, -0.2], [(0.1, 0.2), (0.3, 0.1)], [1.0, 3.0])
WIRE = ([1.0, 0.0, -1.0], [(0.0, 0.0), (0.1, 0.2)], [1.0, 1.0])
SHARD = {(1, 1), (2, 1)}

ERROR = """
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine gep_x (1):
      error on zggev
"""


@pytest.fixture(scope="module")
def outputs(fixtures: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((fixtures / "pwcond").glob("*.out"))}


@pytest.fixture(scope="module")
def dimer(outputs: dict[str, str]) -> str:
    return outputs["dimer"]


@pytest.fixture(scope="module")
def wire(outputs: dict[str, str]) -> str:
    """The junction of two wires: a T of its own at each of two k-points and three energies."""
    return outputs["wire-junction"]


def gate(
    text: str,
    energies: Sequence[float] = (0.0,),
    kpoints: Sequence[tuple[float, float]] = ((0.1, 0.2),),
    weights: Sequence[float] = (1.0,),
    *,
    wanted: Collection[tuple[int, int]] | None = None,
    spin_polarised: bool = False,
    tolerance: float = TOLERANCE,
) -> tuple[ScatteringState, ...]:
    return gate_states(
        read_pwcond(text),
        energies=np.array(energies),
        kpoints=np.array(kpoints),
        weights=np.array(weights),
        wanted=wanted,
        spin_polarised=spin_polarised,
        unitarity_tolerance=tolerance,
    )


def edited(text: str, *pairs: tuple[str, str]) -> str:
    """Replace first occurrences; the text must hold them."""
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_whole_outputs_pass(outputs: dict[str, str]) -> None:
    assert [s.transmission for s in gate(outputs["dimer"])] == pytest.approx([1.00065935], abs=1e-9)
    assert [s.transmission for s in gate(outputs["lead-two-k-two-energies"], *LEAD)] == [3.0] * 4
    junction = [0.88487285, 0.9349111, 0.49962045, 0.90894435, 0.93009565, 0.3021781]
    assert [s.transmission for s in gate(outputs["wire-junction"], *WIRE)] == pytest.approx(junction, abs=1e-9)
    two_leads = gate(outputs["wire-junction-two-leads"], (1.0, -1.0, -2.0), *WIRE[1:])
    assert [s.transmission for s in two_leads] == pytest.approx([*junction[:3:2], 0, *junction[3::2], 0], abs=1e-9)
    assert [s.transmission for s in gate(outputs["wire-closed-right-lead"], (1.0, 0.0), ((0.0, 0.0),))] == [0.0, 0.0]


def test_one_spin(outputs: dict[str, str]) -> None:
    spin = ((0.0, -3.0), ((0.0, 0.0), (0.1, 0.2)), (1.0, 3.0))
    states = gate(outputs["wire-spin"], *spin, spin_polarised=True)
    assert [s.transmission for s in states] == [1.0, 0.0, 1.0, 0.0]
    with pytest.raises(InconsistentTransmission, match="LSDA"):
        gate(outputs["wire-spin"], *spin)
    with pytest.raises(InconsistentTransmission, match="LSDA"):
        gate(outputs["dimer"], spin_polarised=True)
    spinor = edited(outputs["wire-spin"], ("LSDA calculations, spin index =     1", "Noncollinear calculations"))
    for polarised in (True, False):
        with pytest.raises(InconsistentTransmission):
            gate(spinor, *spin, spin_polarised=polarised)


def test_transmission_of_both_spins_is_said_to_be(dimer: str, outputs: dict[str, str]) -> None:
    with pytest.raises(InconsistentTransmission, match=r"T = 2\.00131"):
        gate(edited(dimer, ("E-Ef(ev), T(x2 spins) =", "E-Ef(ev), T =")))
    half = edited(
        dimer, ("E-Ef(ev), T(x2 spins) =    0.0000000   2.0013187", "E-Ef(ev), T =    0.0000000   1.0006594")
    )
    with pytest.raises(InconsistentTransmission, match="not for both spins"):
        gate(half)
    nothing = outputs["wire-junction-out-of-time"]
    with pytest.raises(InconsistentTransmission, match="without channels"):
        gate(edited(nothing, ("T =   -2.0", "T(x2 spins) =   -2.0")), (1.0, 0.5, 0.0, -1.0, -1.5, -2.0), *WIRE[1:])


def test_a_shard_passes_as_the_part_it_is(outputs: dict[str, str]) -> None:
    text = outputs["wire-junction-shard"]
    states = gate(text, *WIRE, wanted=SHARD)
    assert [s.transmission for s in states] == pytest.approx([0.93009565, 0.3021781], abs=1e-9)
    with pytest.raises(IncompleteTransmission, match="4 of 6"):
        gate(text, *WIRE)
    with pytest.raises(IncompleteTransmission, match="1 of 3"):
        gate(text, *WIRE, wanted=SHARD | {(0, 1)})
    with pytest.raises(InconsistentTransmission, match="not asked for"):
        gate(text, *WIRE, wanted={(1, 1)})
    with pytest.raises(InconsistentTransmission, match="not asked for"):
        gate(text, *WIRE, wanted={(0, 0), (1, 0), (2, 0)})


def test_the_totals_of_a_shard_are_partial_sums(outputs: dict[str, str]) -> None:
    for old, new in (("0.93010E+00", "0.18602E+01"), ("0.93010E+00", "0.93030E+00"), ("0.93010E+00", "0.93010E-01")):
        text = edited(
            outputs["wire-junction-shard"], ("T_tot     0.00000      " + old, "T_tot     0.00000      " + new)
        )
        with pytest.raises(InconsistentTransmission, match="T_tot"):
            gate(text, *WIRE, wanted=SHARD)


def test_out_of_time_keeps_what_was_computed(outputs: dict[str, str]) -> None:
    energies = (1.0, 0.5, 0.0, -1.0, -1.5, -2.0)
    states = gate(outputs["wire-junction-out-of-time"], energies, *WIRE[1:])
    assert [(s.energy_index, s.kpoint_index) for s in states] == [(e, 0) for e in range(6)]
    assert [round(s.transmission, 4) for s in states] == [0.8849, 0.9752, 0.9349, 0.4996, 0.0025, 0.0]


def test_a_fatal_error_keeps_what_was_computed(wire: str) -> None:
    head = wire[: wire.index("---  E-Ef =   -1.0000000  k =    0.1")]
    assert len(gate(head + ERROR, *WIRE)) == 5
    # after the transmission an error proves it whole; before, there is none
    after = wire[: wire.index(" ngper, shell number =          151")]
    assert len(gate(after + ERROR, *WIRE)) == 3
    assert len(gate(after[: after.rindex("E-Ef(ev)")] + ERROR, *WIRE)) == 2
    assert len(gate(wire + ERROR, *WIRE)) == 6


def test_the_last_state_of_a_cut_output_is_not_taken(wire: str) -> None:
    begin = wire.index("---  E-Ef =    0.0000000  k =    0.0")
    end = wire.index("---  E-Ef =   -1.0000000  k =    0.0")
    for cut in range(begin + len("---  E-Ef"), end + len("---  E-Ef")):
        assert [s.energy_index for s in gate(wire[:cut], *WIRE)] == [0]
    assert [s.energy_index for s in gate(wire[: end + len("---  E-Ef")], *WIRE)] == [0, 1]


@pytest.mark.parametrize("own", ["0.04015", "0.01789", "0.00000"])
def test_broken_unitarity_is_refused(dimer: str, own: str) -> None:
    # of R_1 = 0.19111, R_11 = 0.03901
    reflection = f"{float(own) + 0.15210:.5f}"
    refusal = r"^k = \(0\.1000000, 0\.2000000\), E = 0\.0000000 eV: .* above the tolerance of 1\.00e-03$"
    with pytest.raises(BrokenUnitarity, match=refusal):
        gate(edited(dimer, ("0.03901", own), ("0.80889  0.19111", f"0.80889  {reflection}")))


def test_the_largest_deviation_counts(dimer: str) -> None:
    text = edited(dimer, ("0.03901", "0.03970"), ("0.80889  0.19111", "0.80889  0.19180"))
    assert gate(text)[0].unitarity == pytest.approx(6.9e-4)
    with pytest.raises(BrokenUnitarity, match=r"6\.90e-04"):
        gate(text, tolerance=6e-4)


def test_more_transmission_than_channels_is_refused(dimer: str, outputs: dict[str, str]) -> None:
    with pytest.raises(TooMuchTransmission, match=r"T = 3\.5000000 per spin with 3 channels"):
        gate(edited(dimer, ("  2.0013187", "  7.0000000")))
    with pytest.raises(TooMuchTransmission, match=r"T = -0\.0500000"):
        gate(edited(dimer, ("  2.0013187", " -0.1000000")))
    closed = edited(outputs["wire-closed-right-lead"], ("T =    1.0000000   0.0", "T =    1.0000000   0.5"))
    with pytest.raises(TooMuchTransmission, match="0 channels"):
        gate(closed, (1.0, 0.0), ((0.0, 0.0),))


def test_a_channel_beyond_one_is_refused(dimer: str) -> None:
    # T_1 and R_1 still sum to one
    text = edited(dimer, ("0.64643     0.03901", "0.89643    -0.21099"), ("0.80889  0.19111", "1.05889 -0.05889"))
    text = edited(text, ("2.0013187", "2.5013187"), ("0.00065\n", "0.25065\n"), ("0.20013E+01", "0.25013E+01"))
    with pytest.raises(TooMuchTransmission, match=r"1\.05889, not from 0 to 1"):
        gate(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "*********", "1.0E+999", "0.9", ""])
@pytest.mark.parametrize("place", ["2.0013187", "0.80889", "0.90502", "0.08045", "0.80575", "0.99994"])
def test_a_number_that_is_not_finite_is_refused(dimer: str, number: str, place: str) -> None:
    text = edited(dimer, (place, number.rjust(len(place))[-len(place) :]))
    with pytest.raises(NonFiniteTransmission if number else RefusedTransmission):
        gate(text)


def test_numbers_that_contradict_each_other_are_refused(dimer: str) -> None:
    for old, new, what in (
        ("2.0013187", "2.0013587", "T_j sum"),
        ("0.99994", "0.99990", "tau_n sum"),
        ("0.64643", "0.64647", "T_1 = 0.80889, but the T_ij sum"),
        ("0.80575", "0.80579", "R_2 = 0.90502, but the R_ij sum"),
        ("0.20013E+01", "0.20015E+01", "T_tot"),
        ("0.20013E+01", "NaN        ", "T_tot"),
        ("T_tot     0.00000", "T_tot     0.00010", "T_tot"),
    ):
        with pytest.raises(InconsistentTransmission, match=what):
            gate(edited(dimer, (old, new)))


def test_a_state_as_pwcond_never_prints_it_is_refused(dimer: str) -> None:
    for old, new in (
        ("  -0.3938474  -0.0000000   0.0000000\n", ""),
        ("E-Ef(ev), T(x2 spins) =    0.0000000", "E-Ef(ev), T(x2 spins) =    0.0000001"),
        ("                      0.19088\n", ""),
        ("    2 -->     1", "    2 -->     2"),
    ):
        with pytest.raises(InconsistentTransmission, match="not what pwcond"):
            gate(edited(dimer, (old, new)))


def test_the_input_must_be_that_of_the_output(dimer: str, wire: str) -> None:
    for energies in ((0.05,), (-0.001,), (2e-5,)):
        with pytest.raises(InconsistentTransmission, match="the energy asked for here is"):
            gate(dimer, energies)
    for kpoint in ((0.2, 0.1), (0.1, 0.200002)):
        with pytest.raises(InconsistentTransmission, match="the k-point asked for here is"):
            gate(dimer, kpoints=(kpoint,))
    for weights in ((1.0, 3.0), (3.0, 1.0), (1.0, 1.001)):
        with pytest.raises(InconsistentTransmission, match="weights"):
            gate(wire, *WIRE[:2], weights)
    with pytest.raises(InconsistentTransmission, match="weights"):
        gate(dimer, (0.0,), ((0.1, 0.2), (0.3, 0.1)), (1.0, 1.0))
    assert len(gate(wire, *WIRE[:2], (7.0, 7.0))) == 6


@pytest.mark.parametrize(("energy", "kpoint"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_a_missing_block_is_refused(wire: str, energy: int, kpoint: int) -> None:
    places = [match.start() for match in re.finditer("---  E-Ef", wire)] + [wire.index("   T_tot")]
    number = 3 * (kpoint - 1) + energy - 1
    with pytest.raises(IncompleteTransmission, match=r"^1 of 6 "):
        gate(wire[: places[number]] + wire[places[number + 1] :], *WIRE)


def test_a_block_printed_twice_is_refused(dimer: str) -> None:
    begin, end = dimer.index("---  E-Ef"), dimer.index("   T_tot")
    with pytest.raises(InconsistentTransmission, match="energy 1, k-point 1 was printed twice"):
        gate(dimer[:end] + dimer[begin:end] + dimer[end:])


def test_a_block_at_another_index_is_refused(dimer: str, wire: str) -> None:
    for old, new in (("ie =          1", "ie =          2"), ("ik =          1", "ik =          0")):
        with pytest.raises(InconsistentTransmission, match="not asked for"):
            gate(edited(dimer, (old, new)))
    swapped = re.sub(r"ik =          (\d)", lambda match: f"ik =          {3 - int(match.group(1))}", wire)
    with pytest.raises(InconsistentTransmission, match="the k-point asked for here is"):
        gate(swapped, *WIRE)


def test_a_total_too_few_or_too_many_is_refused(wire: str) -> None:
    line = "   T_tot    -1.00000      0.80180E+00\n"
    for text in (edited(wire, (line, "")), edited(wire, (line, 2 * line))):
        with pytest.raises(InconsistentTransmission, match="totals are printed for 3 energies"):
            gate(text, *WIRE)


def test_eigenchannels_of_some_states_only_are_refused(wire: str) -> None:
    part = " Eigenchannel decomposition:\n#    1  0.00000  0.93491\n                      1.00000\n"
    with pytest.raises(InconsistentTransmission, match="some states only"):
        gate(edited(wire, (part, "")), *WIRE)


def test_the_right_leads_channels_of_some_states_only_are_refused(outputs: dict[str, str]) -> None:
    text = outputs["wire-junction-two-leads"]
    begin = text.index(" Nchannels of the right")
    end = text.index(" to transmit")
    with pytest.raises(InconsistentTransmission, match="right lead"):
        gate(text[:begin] + text[end:], (1.0, -1.0, -2.0), *WIRE[1:])


def test_the_grid_has_every_number_at_its_place(wire: str) -> None:
    grid = grid_of(gate(wire, *WIRE), *map(np.array, WIRE))
    expected = [[0.88487285, 0.90894435], [0.9349111, 0.93009565], [0.49962045, 0.3021781]]
    assert grid.transmission == pytest.approx(np.array(expected), abs=1e-9)
    assert grid.channels.tolist() == [[1, 1]] * 3
    assert grid.channels.dtype == np.int64
    assert grid.computed.all()
    assert grid.eigenchannels.shape == (3, 2, 1)
    assert grid.eigenchannels[:, :, 0] == pytest.approx(np.array(expected), abs=5.1e-6)
    assert grid.unitarity.max() < 1e-12


def test_the_grid_has_holes(outputs: dict[str, str]) -> None:
    energies = (1.0, 0.5, 0.0, -1.0, -1.5, -2.0)
    states = gate(outputs["wire-junction-out-of-time"], energies, *WIRE[1:])
    grid = grid_of(states, np.array(energies), *map(np.array, WIRE[1:]))
    assert grid.computed.tolist() == [[True, False]] * 6
    assert grid.channels.tolist() == [[1, -1]] * 5 + [[0, -1]]
    assert np.isnan(grid.transmission[:, 1]).all()
    assert np.isnan(grid.unitarity[:, 1]).all()
    assert np.isnan(grid.eigenchannels[5, 0, 0])
    empty = grid_of((), np.array(energies), *map(np.array, WIRE[1:]))
    assert not empty.computed.any()
    assert empty.eigenchannels.shape == (6, 2, 1)


def test_eigenchannels_are_padded(dimer: str) -> None:
    (state,) = gate(dimer)
    grid = grid_of([state], np.array([0.0, -1.0]), np.array([(0.1, 0.2)]), np.array([1.0]))
    assert grid.eigenchannels[0, 0].tolist() == [0.99994, 0.00065, 0.00007]
    assert np.isnan(grid.eigenchannels[1]).all()


def test_shards_fit_together_and_must_not_overlap(wire: str, outputs: dict[str, str]) -> None:
    shard = gate(outputs["wire-junction-shard"], *WIRE, wanted=SHARD)
    whole = gate(wire, *WIRE)
    rest = [s for s in whole if (s.energy_index, s.kpoint_index) not in SHARD]
    merged, grid = (grid_of(states, *map(np.array, WIRE)) for states in ([*shard, *rest], whole))
    assert np.array_equal(merged.transmission, grid.transmission)
    with pytest.raises(InconsistentTransmission, match="two runs"):
        grid_of([*shard, *whole], *map(np.array, WIRE))
