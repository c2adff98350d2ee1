"""Recorded outputs of pwcond.x 6.7, read: whole, cut off, out of time, with fatal errors.

In ``fixtures/pwcond``: ``dimer.out``, an Ag dimer between 2 x 2 leads at one k-point; ``lead-two-k-two-energies``,
a lead as its own junction; ``wire-*``, monatomic Ag wires (one s electron) and a junction of two of them, as a
whole, as a shard, out of time, for one spin, with two leads of their own, with a right lead that is closed, and
with the energies as the outer loop;
``fatal``, what pwcond.x printed when it was given what the file is named after.
"""

import math
import time
from dataclasses import replace
from pathlib import Path

import pytest

from aiida_rewire.transport.pwcond_output import FatalKind, PwcondOutput, ScatteringState, read_pwcond


@pytest.fixture(scope="module")
def outputs(fixtures: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((fixtures / "pwcond").glob("*.out"))}


@pytest.fixture(scope="module")
def dimer(outputs: dict[str, str]) -> str:
    return outputs["dimer"]


def only(output: PwcondOutput) -> ScatteringState:
    (state,) = output.states
    return state


def edited(text: str, old: str, new: str) -> str:
    """Replace the first occurrence; the text must hold it."""
    assert old in text
    return text.replace(old, new, 1)


def test_the_dimers_output(dimer: str) -> None:
    output = read_pwcond(dimer)
    assert output.version == "6.7MaX"
    assert output.complete
    assert not output.out_of_time
    assert output.error is None
    assert output.totals == ((0.0, pytest.approx(1.00065)),)
    assert output.spin is None
    assert (output.kpoints, output.weights) == (((0.1, 0.2),), (1.0,))
    assert output.n2d == (104,)
    assert output.n_ranks == 1
    assert output.wall_seconds == 6.31
    assert output.timings == {
        "init": 0.33, "poten": 0.01, "local": 1.93, "scatter_forw": 3.63, "compbs": 0.37, "compbs_2": 0.31,
    }  # fmt: skip
    assert output.memory_mb is None


def test_the_dimers_state(dimer: str) -> None:
    state = only(read_pwcond(dimer))
    assert (state.energy_index, state.kpoint_index) == (0, 0)
    assert (state.energy, state.kpoint) == (0.0, (0.1, 0.2))
    assert state.transmission == pytest.approx(1.00065935, abs=1e-9)
    assert (state.channels, state.channels_right) == (3, None)
    assert state.channel_transmissions == (0.80889, 0.09498, 0.09679)
    assert state.channel_reflections == (0.19111, 0.90502, 0.90321)
    assert state.pair_transmissions[2] == (0.08208, 0.00799, 0.00672)
    assert state.pair_reflections[1] == (0.07807, 0.02120, 0.80575)
    assert state.eigenchannels == (0.99994, 0.00065, 0.00007)
    assert state.decomposed
    assert state.both_spins
    assert state.unitarity < 1e-12
    assert state.channel_sum == pytest.approx(1.00066)
    assert state.damaged is None
    assert state.closed


def test_a_lead_as_its_own_junction_has_no_eigenchannels_printed(outputs: dict[str, str]) -> None:
    states = read_pwcond(outputs["lead-two-k-two-energies"]).states
    assert [(s.energy_index, s.kpoint_index, s.energy) for s in states] == [
        (0, 0, 0.1), (1, 0, -0.2), (0, 1, 0.1), (1, 1, -0.2),
    ]  # fmt: skip
    assert {(s.transmission, s.channels, s.eigenchannels, s.decomposed) for s in states} == {(3.0, 3, (), False)}


def test_a_single_channel_is_its_own_eigenchannel(outputs: dict[str, str]) -> None:
    states = read_pwcond(outputs["wire-spin"]).states
    assert [(s.decomposed, s.eigenchannels) for s in states] == [(False, (1.0,)), (False, ())] * 2


def test_a_shard_is_indexed_as_the_whole(outputs: dict[str, str]) -> None:
    whole, shard = read_pwcond(outputs["wire-junction"]), read_pwcond(outputs["wire-junction-shard"])
    assert shard.complete
    assert shard.kpoints == whole.kpoints == ((0.0, 0.0), (0.1, 0.2))
    assert shard.states == whole.states[4:]
    assert [(s.energy_index, s.kpoint_index) for s in shard.states] == [(1, 1), (2, 1)]
    # half the weight of the k-points
    assert [t for _, t in shard.totals] == pytest.approx([0.5 * s.transmission for s in shard.states], rel=1e-4)


def test_out_of_time(outputs: dict[str, str]) -> None:
    output = read_pwcond(outputs["wire-junction-out-of-time"])
    assert output.out_of_time
    assert not output.complete
    assert output.totals == ()
    assert [s.energy for s in output.states] == [1.0, 0.5, 0.0, -1.0, -1.5, -2.0]
    assert all(s.closed and s.kpoint == (0.0, 0.0) for s in output.states)
    last = output.states[-1]
    assert (last.transmission, last.channels, last.unitarity, last.eigenchannels) == (0.0, 0, 0.0, ())
    whole = {(s.energy, s.kpoint): s for s in read_pwcond(outputs["wire-junction"]).states}
    assert output.states[2].transmission == whole[0.0, (0.0, 0.0)].transmission


def test_one_spin_is_not_halved(outputs: dict[str, str]) -> None:
    # unpolarised, so that either spin has the one channel of the wire
    output = read_pwcond(outputs["wire-spin"])
    assert output.spin == 1
    assert [s.transmission for s in output.states] == [1.0, 0.0, 1.0, 0.0]
    assert output.totals == ((0.0, 1.0), (-3.0, 0.0))
    assert not any(s.both_spins for s in output.states)


def test_two_leads_have_channels_of_their_own(outputs: dict[str, str]) -> None:
    equal = {(s.energy, s.kpoint): s.transmission for s in read_pwcond(outputs["wire-junction"]).states}
    output = read_pwcond(outputs["wire-junction-two-leads"])
    assert [(s.channels, s.channels_right) for s in output.states] == [(1, 1), (1, 1), (0, 0)] * 2
    assert all(s.damaged is None for s in output.states)
    both = [s for s in output.states if (s.energy, s.kpoint) in equal]
    assert [s.transmission for s in both] == [equal[s.energy, s.kpoint] for s in both]
    assert len(both) == 4


def test_a_closed_right_lead_transmits_nothing(outputs: dict[str, str]) -> None:
    for state in read_pwcond(outputs["wire-closed-right-lead"]).states:
        assert (state.transmission, state.channels, state.channels_right) == (0.0, 1, 0)
        assert not state.conducting
        assert state.unitarity == 0.0
        assert state.damaged is None


@pytest.mark.parametrize(
    ("name", "routine", "kind"),
    [
        ("atomic-spheres", "init_orbitals", FatalKind.ATOMIC_SPHERES),
        ("cutoffs", "do_cond", FatalKind.CUTOFFS),
        ("cutoffs-right", "do_cond", FatalKind.CUTOFFS),
        ("first-layer", "init_cond", FatalKind.FIRST_LAYER),
        ("hermitian-eigenproblem", "hev_ab", FatalKind.HERMITIAN_EIGENPROBLEM),
        ("lorb", "do_cond", FatalKind.INPUT),
        ("no-charge-density", "read_rhog", FatalKind.PARENT_FILES),
        ("no-save", "read_xml_file", FatalKind.PARENT_FILES),
        ("no-wavefunctions", "read_wfc", FatalKind.PARENT_FILES),
        ("nrztot", "in init_cond", FatalKind.NRZTOT),
        ("pools", "pwcond", FatalKind.POOLS),
        ("ranks", "pwcond", FatalKind.RANKS),
        ("recover", "do_cond", FatalKind.INPUT),
        ("start-e", "do_cond", FatalKind.SHARD_BOUNDS),
        ("start-k", "do_cond", FatalKind.SHARD_BOUNDS),
        ("too-few-energies", "do_cond", FatalKind.INPUT),
        ("too-few-kpoints", "do_cond", FatalKind.INPUT),
        ("unknown-key", "do_cond", FatalKind.INPUT),
    ],
)
def test_fatal_errors_that_were_provoked(fixtures: Path, name: str, routine: str, kind: FatalKind) -> None:
    output = read_pwcond((fixtures / "pwcond" / "fatal" / f"{name}.out").read_text())
    assert output.error is not None
    assert (output.error.routine, output.error.kind) == (routine, kind)
    assert len(output.error.message) > 8
    assert not output.complete
    assert output.states == ()


def fatal(routine: str, message: str, code: str = "1") -> str:
    """As errore prints it."""
    bar = " " + 78 * "%" + "\n"
    return f"\n{bar}     Error in routine {routine} ({code}):\n     {message}\n{bar}\n     stopping ...\n"


@pytest.mark.parametrize(
    ("routine", "message", "kind"),
    [
        ("gep_x", "error on zggev", FatalKind.GENERALISED_EIGENPROBLEM),
        ("gramsh", " negative norm in S ", FatalKind.GRAM_SCHMIDT),
        ("compbs_2", "problems with the linear system", FatalKind.LINEAR_EQUATIONS),
        ("transmit", "problems with the linear system", FatalKind.LINEAR_EQUATIONS),
        ("pwcond", "Spin-orbit flag in left lead and scattering region do not match", FatalKind.SPIN_ORBIT),
        ("pwcond", "Spin-orbit flag in left, right lead and scattering region do not match", FatalKind.SPIN_ORBIT),
        ("pw_readfile", "error opening xml data file", FatalKind.PARENT_FILES),
        ("readpp", "pseudopotential file Ag.UPF not found", FatalKind.PARENT_FILES),
        ("pwcond", "The pwcond code with constrained magnetization is not yet available", FatalKind.OTHER),
        ("fft_type_set", "unexpected", FatalKind.OTHER),
    ],
)
def test_fatal_errors_in_the_words_of_the_sources(dimer: str, routine: str, message: str, kind: FatalKind) -> None:
    output = read_pwcond(dimer[:10000] + fatal(routine, message, code="******"))
    assert output.error is not None
    assert (output.error.routine, output.error.message, output.error.kind) == (routine, message.strip(), kind)


def test_the_first_fatal_error_counts_and_denies_completeness(dimer: str) -> None:
    for text in (dimer + fatal("gep_x", "error on zggev"), fatal("gep_x", "error on zggev") + dimer):
        output = read_pwcond(text + fatal("hev_ab", "info =/= 0"))
        assert output.error is not None
        assert output.error.kind is FatalKind.GENERALISED_EIGENPROBLEM
        assert not output.complete


def test_an_error_closes_the_state_before_it(dimer: str) -> None:
    head = dimer[: dimer.index("   T_tot")]
    assert not only(read_pwcond(head)).closed
    assert replace(only(read_pwcond(head)), closed=True) == only(read_pwcond(head + fatal("gep_x", "error on zggev")))


def test_a_state_says_what_is_wrong_with_it(dimer: str) -> None:
    for old, new, why in (
        ("    2 -->     1     0.08054     0.07807\n", "", "2 -->     2"),
        ("   Total T_j, R_j =    0.09498  0.90502\n", "", "3 -->     1"),
        ("  -0.3938474  -0.0000000   0.0000000\n", "", "propagating states"),
        ("#    2  0.00000  0.00065\n", "", "#    3"),
        ("                      0.19088\n", "", "eigenchannels"),
        ("E-Ef(ev), T(x2 spins) =    0.0000000", "E-Ef(ev), T(x2 spins) =    0.1000000", "E-Ef"),
        ("#    2  0.00000", "#    2  0.10000", "#    2"),
        (" to transmit\n", " to transmit\n something else\n", "something else"),
    ):
        damaged = only(read_pwcond(edited(dimer, old, new))).damaged
        assert damaged is not None, why
        assert why in damaged


def test_off_diagonal_elements_of_the_s_matrix(dimer: str) -> None:
    # sunitary prints those of S^+ S that are off by more than 1e-4, diagonal ones as well
    lines = " to transmit\n    1    1   1.0005000\n    1    2   0.0003100\n    2    1   0.0003000\n"
    state = only(read_pwcond(edited(dimer, " to transmit\n", lines)))
    assert (state.overlap, state.damaged) == (0.00031, None)
    assert only(read_pwcond(dimer)).overlap == 0.0


def test_energies_as_the_outer_loop_and_projections_on_orbitals(outputs: dict[str, str]) -> None:
    # loop_ek builds the basis below each header; orbj_in, orbj_fin print after the eigenchannels
    output = read_pwcond(outputs["wire-junction-loop-ek"])
    assert output.complete
    assert [(s.energy_index, s.kpoint_index) for s in output.states] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    assert all(s.damaged is None and s.decomposed for s in output.states)
    # its size follows the energy, so that T does, a little
    assert output.n2d == (34, 36, 32, 34, 32, 36)
    whole = {(s.energy, s.kpoint): s.transmission for s in read_pwcond(outputs["wire-junction"]).states}
    assert [s.transmission for s in output.states[:2]] == [whole[s.energy, s.kpoint] for s in output.states[:2]]
    for state in output.states[2:]:
        assert state.transmission == pytest.approx(whole[state.energy, state.kpoint], abs=1e-3)


def test_a_number_that_lost_a_digit_is_none(dimer: str) -> None:
    assert math.isnan(only(read_pwcond(edited(dimer, "   2.0013187\n", "   2.001318\n"))).transmission)
    assert math.isnan(only(read_pwcond(edited(dimer, "  2.0013187\n", "***********\n"))).transmission)
    assert math.isnan(only(read_pwcond(edited(dimer, "0.80889  0.19111", "    NaN  0.19111"))).unitarity)


@pytest.mark.parametrize(
    ("words", "seconds"), [("0.59s", 0.59), ("1m 4.63s", 64.63), ("1h12m", 4320.0), ("1d 2h 3m", 93780.0)]
)
def test_wall_times(dimer: str, words: str, seconds: float) -> None:
    line = next(line for line in dimer.splitlines() if line.startswith("     PWCOND       :"))
    assert read_pwcond(edited(dimer, line, f"     PWCOND       :  {words} CPU  {words} WALL")).wall_seconds == seconds


def test_ranks(dimer: str) -> None:
    several = edited(dimer, "running on     1 processors", "running on     4 processors")
    assert read_pwcond(several).n_ranks == 4


@pytest.mark.parametrize(
    ("piece", "megabytes"),
    [("x", 10), ("*", 10), ("1", 10), (" ", 10), ("\x00", 10), ("\n", 10), ("-\n", 1), ("     \n", 1), ("#\n", 1),
     ("---  E-Ef\n", 1), ("     Error in routine \n", 1)],
)  # fmt: skip
def test_garbage_is_read_in_linear_time(dimer: str, piece: str, megabytes: int) -> None:
    garbage = piece * (megabytes * 1_000_000 // len(piece))
    begin = time.process_time()
    for text in (garbage, dimer[: dimer.index(" Nchannels")] + garbage):
        assert not read_pwcond(text).complete
    assert time.process_time() - begin < 4


def test_a_line_without_its_end_is_not_read(dimer: str) -> None:
    line = " ngper, n2d =          125         104\n"
    end = dimer.index(line) + len(line) - 2
    assert read_pwcond(dimer[:end]).n2d == ()
    assert read_pwcond(dimer[: end + 2]).n2d == (104,)
    closing = dimer.index("6.31s WALL") + len("6.31s WALL")
    assert not read_pwcond(dimer[:closing]).complete
    assert read_pwcond(dimer[: closing + 1]).complete
