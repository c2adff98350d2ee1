"""Recorded outputs of pwcond.x 6.7, whole, edited, cut off and damaged: no wrong transmission passes.

In ``fixtures/pwcond``: ``dimer.out``, an Ag dimer between 2 x 2 leads at one k-point; and
``lead-two-k-two-energies.out``, a lead as its own junction, weights 1 and 3, energies 0.1 and -0.2 eV.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.transport.pwcond_output import (
    BrokenUnitarity,
    IncompleteTransmission,
    InconsistentTransmission,
    NonFiniteTransmission,
    RefusedTransmission,
    TooMuchTransmission,
    Transmission,
    gate_transmission,
    read_pwcond,
)

TOLERANCE = 1e-3
LEAD_ENERGIES, LEAD_WEIGHTS = (0.1, -0.2), (1.0, 3.0)


@pytest.fixture(scope="module")
def dimer(fixtures: Path) -> str:
    """One k-point, one energy, three channels."""
    return (fixtures / "pwcond" / "dimer.out").read_text()


@pytest.fixture(scope="module")
def lead(fixtures: Path) -> str:
    """Two k-points, two energies."""
    return (fixtures / "pwcond" / "lead-two-k-two-energies.out").read_text()


def gate(
    text: str, energies: Sequence[float] = (0.0,), weights: Sequence[float] = (1.0,), tolerance: float = TOLERANCE
) -> Transmission:
    return gate_transmission(read_pwcond(text), energies, np.array(weights), unitarity_tolerance=tolerance)


def edited(text: str, old: str, new: str) -> str:
    """Replace the first occurrence; the text must hold it."""
    assert old in text
    return text.replace(old, new, 1)


def total(value: float) -> str:
    """As pwcond.x prints it."""
    exponent = len(str(int(value)))
    return f"{value / 10**exponent:.5f}E+{exponent:02d}"


def test_the_dimer_carries_one_quantum(dimer: str) -> None:
    result = gate(dimer)
    assert result.energies.tolist() == [0.0]
    assert result.transmission == pytest.approx(np.array([[1.00065935]]), abs=1e-9)
    assert result.channels.tolist() == [[3]]
    assert result.unitarity.max() < 1e-12


def test_the_dimers_output_in_short(dimer: str) -> None:
    output = read_pwcond(dimer)
    assert output.version == "6.7MaX"
    assert output.complete
    assert output.error is None
    assert output.totals == ((0.0, pytest.approx(1.00065)),)
    (state,) = output.states
    assert (state.energy_index, state.kpoint_index, state.channels) == (0, 0, 3)


def test_a_lead_as_its_own_junction_transmits_every_channel(lead: str) -> None:
    result = gate(lead, LEAD_ENERGIES, LEAD_WEIGHTS)
    assert result.energies.tolist() == [0.1, -0.2]
    assert result.transmission.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert result.channels.tolist() == [[3, 3], [3, 3]]
    assert result.unitarity.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_order_in_which_energies_are_asked_for_does_not_matter(lead: str) -> None:
    ascending = gate(lead, LEAD_ENERGIES[::-1], LEAD_WEIGHTS)
    assert ascending.energies.tolist() == [0.1, -0.2]


@pytest.fixture
def uneven(lead: str) -> str:
    """The lead's output as if the second k-point let two of three electrons through."""
    head, tail = lead[: lead.index("ik =          2")], lead[lead.index("ik =          2") :]
    tail = tail.replace("Total T_j, R_j =    1.00000  0.00000", "Total T_j, R_j =    0.66667  0.33333")
    tail = tail.replace("0.1000000   6.0000000", "0.1000000   4.0000200")
    tail = tail.replace("-0.2000000   6.0000000", "-0.2000000   4.0000200")
    return (head + tail).replace("0.60000E+01", "0.45000E+01")


def test_every_number_stands_at_its_k_point(uneven: str) -> None:
    result = gate(uneven, LEAD_ENERGIES, LEAD_WEIGHTS)
    assert result.transmission == pytest.approx(np.array([[3.0, 2.00001], [3.0, 2.00001]]))


@pytest.mark.parametrize("weights", [(3.0, 1.0), (1.0, 1.0), (1.0, 3.01)])
def test_other_weights_than_those_of_the_run_are_refused(uneven: str, weights: tuple[float, float]) -> None:
    with pytest.raises(InconsistentTransmission, match="do not follow"):
        gate(uneven, LEAD_ENERGIES, weights)


@pytest.mark.parametrize("reflection", ["0.19000", "0.19322", "0.09111", "0.00000"])
def test_broken_unitarity_is_refused(dimer: str, reflection: str) -> None:
    with pytest.raises(BrokenUnitarity, match=r"above the tolerance of 1\.00e-03"):
        gate(edited(dimer, "0.80889  0.19111", f"0.80889  {reflection}"))


def test_the_largest_deviation_is_kept(dimer: str) -> None:
    text = edited(dimer, "0.80889  0.19111", "0.80889  0.19180")
    assert gate(text).unitarity == pytest.approx(np.array([[6.9e-4]]))
    assert gate(edited(text, "0.09498  0.90502", "0.09498  0.90422")).unitarity.max() == pytest.approx(8e-4)
    with pytest.raises(BrokenUnitarity):
        gate(text, tolerance=5e-4)


@pytest.mark.parametrize("printed", [7.0, 6.1, 12.0])
def test_more_transmission_than_channels_is_refused(dimer: str, printed: float) -> None:
    text = edited(dimer, "2.0013187", f"{printed:.7f}")
    with pytest.raises(TooMuchTransmission, match="at most 3 channels"):
        gate(edited(text, "0.20013E+01", total(printed)))


def test_negative_transmission_is_refused(dimer: str) -> None:
    with pytest.raises(TooMuchTransmission, match=r"from -0\.05"):
        gate(edited(dimer, "  2.0013187", " -0.1000000"))


@pytest.mark.parametrize("number", ["NaN", "nan", "Infinity", "-Infinity", "*********", "1.0E+999"])
@pytest.mark.parametrize("place", ["2.0013187", "0.80889", "0.90502"])
def test_a_number_that_is_not_finite_is_refused(dimer: str, number: str, place: str) -> None:
    with pytest.raises(NonFiniteTransmission):
        gate(edited(dimer, place, number))


def test_numbers_that_ran_together_are_refused(dimer: str) -> None:
    with pytest.raises(RefusedTransmission):
        gate(edited(dimer, "   0.0000000   2.0013187", "   0.0000000************"))
    with pytest.raises(RefusedTransmission):
        gate(edited(dimer, "0.80889  0.19111", "******************"))


def test_a_total_that_is_not_finite_is_refused(dimer: str) -> None:
    for word in ("NaN", "************"):
        with pytest.raises(InconsistentTransmission):
            gate(edited(dimer, "0.20013E+01", word))


def test_a_channel_that_is_not_printed_is_refused(dimer: str) -> None:
    with pytest.raises(NonFiniteTransmission):
        gate(edited(dimer, "   Total T_j, R_j =    0.09498  0.90502\n", ""))
    with pytest.raises(NonFiniteTransmission):
        gate(edited(dimer, "Nchannels of the left tip =            3", "Nchannels of the left tip =            4"))


@pytest.mark.parametrize(("energy", "kpoint"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_a_missing_block_is_refused(lead: str, energy: int, kpoint: int) -> None:
    begin = lead.index(f"---  ie = {energy:10d}  ik = {kpoint:10d}")
    end = lead.index("E-Ef(ev), T", begin)
    with pytest.raises(IncompleteTransmission, match=r"^1 of 4 "):
        gate(lead[:begin] + lead[lead.index("\n", end) + 1 :], LEAD_ENERGIES, LEAD_WEIGHTS)


def test_a_block_without_its_transmission_is_refused(lead: str) -> None:
    with pytest.raises(IncompleteTransmission):
        gate(edited(lead, "E-Ef(ev), T(x2 spins) =   -0.2000000   6.0000000\n", ""), LEAD_ENERGIES, LEAD_WEIGHTS)


def test_a_block_printed_twice_is_refused(dimer: str) -> None:
    begin, end = dimer.index("---  E-Ef"), dimer.index("   T_tot")
    block = dimer[begin:end]
    with pytest.raises(IncompleteTransmission, match="2 blocks printed"):
        gate(dimer[:end] + block + dimer[end:])
    with pytest.raises(IncompleteTransmission):
        gate(dimer[:end] + block.replace("2.0013187", "1.0000000") + dimer[end:])


def test_two_outputs_in_one_file_are_refused(dimer: str) -> None:
    with pytest.raises(RefusedTransmission):
        gate(dimer + dimer)


def test_a_block_at_another_index_is_refused(dimer: str) -> None:
    for old, new in (("ie =          1", "ie =          2"), ("ik =          1", "ik =          0")):
        with pytest.raises(IncompleteTransmission):
            gate(edited(dimer, old, new))


@pytest.mark.parametrize("energies", [(0.05,), (-0.001,), (1e-4,)])
def test_another_energy_than_the_one_asked_for_is_refused(dimer: str, energies: tuple[float]) -> None:
    with pytest.raises(InconsistentTransmission, match="not those that were asked for"):
        gate(dimer, energies)


def test_energies_in_another_order_than_asked_for_are_refused(lead: str) -> None:
    swapped = re.sub(r"ie =          (\d)", lambda match: f"ie =          {3 - int(match.group(1))}", lead)
    with pytest.raises(InconsistentTransmission):
        gate(swapped, LEAD_ENERGIES, LEAD_WEIGHTS)


def test_fewer_or_more_points_than_asked_for_are_refused(dimer: str, lead: str) -> None:
    for energies, weights in (((0.0, -0.1), (1.0,)), ((0.0,), (1.0, 1.0))):
        with pytest.raises(IncompleteTransmission):
            gate(dimer, energies, weights)
    for energies, weights in (((0.1,), LEAD_WEIGHTS), (LEAD_ENERGIES, (1.0,))):
        with pytest.raises(IncompleteTransmission):
            gate(lead, energies, weights)


@pytest.mark.parametrize("word", ["0.20023E+01", "0.20003E+01", "0.20013E+00", "0.10006E+01", "0.00000E+00"])
def test_a_total_that_is_not_the_sum_is_refused(dimer: str, word: str) -> None:
    with pytest.raises(InconsistentTransmission, match="do not follow"):
        gate(edited(dimer, "0.20013E+01", word))


def test_a_total_too_few_or_too_many_is_refused(lead: str) -> None:
    line = "   T_tot    -0.20000      0.60000E+01\n"
    for text in (edited(lead, line, ""), edited(lead, line, 2 * line)):
        with pytest.raises(RefusedTransmission):
            gate(text, LEAD_ENERGIES, LEAD_WEIGHTS)


def test_a_transmission_that_is_not_the_sum_of_its_channels_is_refused(lead: str) -> None:
    # a point of small weight hardly shows in the total
    with pytest.raises(InconsistentTransmission):
        gate(edited(lead, "0.1000000   6.0000000", "0.1000000   5.8000000"), LEAD_ENERGIES, (1.0, 999.0))


def test_a_changed_digit_of_the_transmission_is_refused_or_beyond_the_fourth(dimer: str) -> None:
    start = dimer.index("2.0013187")
    for offset, digit in ((o, d) for o in (0, 2, 3, 4, 5, 6, 7, 8) for d in "0123456789"):
        text = dimer[: start + offset] + digit + dimer[start + offset + 1 :]
        try:
            passed = gate(text).transmission[0, 0]
        except RefusedTransmission:
            continue
        assert passed == pytest.approx(1.00065935, abs=1.1e-4)


def test_transmission_of_spin_polarised_runs_is_not_halved(dimer: str) -> None:
    # pwcond.x says "(x2 spins)" with nspin = 1 alone; else the printed number is that of one spin, or of a spinor
    with pytest.raises(RefusedTransmission):
        gate(edited(dimer, "E-Ef(ev), T(x2 spins) =", "E-Ef(ev), T ="))


def test_no_channels_is_no_transmission(dimer: str) -> None:
    # then pwcond.x prints neither bands nor "(x2 spins)"
    begin, end = dimer.index(" Nchannels of"), dimer.index("   T_tot")
    nothing = " Nchannels of the left tip =            0\n\n           E-Ef(ev), T =    0.0000000   0.0000000\n"
    text = edited(dimer[:begin] + nothing + dimer[end:], "0.20013E+01", "0.00000E+00")
    result = gate(text)
    assert (result.transmission[0, 0], result.channels[0, 0], result.unitarity[0, 0]) == (0.0, 0, 0.0)


ERROR = """
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine gep_x (1):
      error on zggev
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%

     stopping ...
"""


def test_a_fatal_error_is_read_and_refused(dimer: str) -> None:
    for text in (dimer[:10000] + ERROR, dimer + ERROR, ERROR + dimer):
        output = read_pwcond(text)
        assert output.error == "gep_x: error on zggev"
        assert not output.complete
        with pytest.raises(IncompleteTransmission):
            gate(text)


def test_an_output_cut_off_at_any_line_is_refused_until_it_is_complete(dimer: str, lead: str) -> None:
    for text, energies, weights in ((dimer, (0.0,), (1.0,)), (lead, LEAD_ENERGIES, LEAD_WEIGHTS)):
        whole = gate(text, energies, weights)
        lines = text.splitlines(keepends=True)
        last = next(number for number, line in enumerate(lines) if line.startswith("     PWCOND       :"))
        for number in range(len(lines) + 1):
            beginning = "".join(lines[:number])
            if number <= last:
                with pytest.raises(IncompleteTransmission):
                    gate(beginning, energies, weights)
            else:
                assert np.array_equal(gate(beginning, energies, weights).transmission, whole.transmission)


def test_an_output_cut_off_within_its_last_lines_is_refused(dimer: str) -> None:
    begin, end = dimer.index("E-Ef(ev), T"), dimer.index("WALL")
    for cut in range(begin, end + 4):
        with pytest.raises(IncompleteTransmission):
            gate(dimer[:cut])


@pytest.mark.parametrize(
    "text",
    ["", "\n", "PWCOND : WALL", "T_tot 0.0 1.0\n PWCOND : WALL", "\x00" * 100, "é" * 100],
    ids=["empty", "blank", "timing alone", "total alone", "zeros", "letters"],
)
def test_what_is_no_output_is_refused(text: str) -> None:
    with pytest.raises(IncompleteTransmission):
        gate(text)


def damaged(text: str, rng: random.Random) -> str:
    """Cut, delete, copy, swap or overwrite something, mostly among the results."""
    results = text.index("---  E-Ef")

    def somewhere() -> int:
        return rng.randrange(results, len(text)) if rng.random() < 0.8 else rng.randrange(len(text))

    kind = rng.randrange(8)
    at = somewhere()
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + text[at + rng.randint(1, 400) :]
    if kind == 2:
        lines = text.splitlines(keepends=True)
        first = text[:at].count("\n")
        del lines[first : first + rng.randint(1, 12)]
        return "".join(lines)
    if kind == 3:
        lines = text.splitlines(keepends=True)
        one, other = (text[: somewhere()].count("\n") for _ in range(2))
        lines[one], lines[other] = lines[other], lines[one]
        return "".join(lines)
    if kind == 4:
        lines = text.splitlines(keepends=True)
        first = text[:at].count("\n")
        lines[first:first] = lines[first - rng.randint(1, 30) : first]
        return "".join(lines)
    if kind == 5:
        other = min(at + rng.randint(1, 40), len(text) - 1)
        swapped = list(text)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        return "".join(swapped)
    if kind == 6:
        garbage = "".join(rng.choice("0123456789.-+ENaN*= \n") for _ in range(rng.randint(1, 30)))
        return text[:at] + garbage + text[at:]
    raw = bytearray(text.encode())
    for _ in range(rng.randint(1, 200)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return raw.decode("utf-8", errors="replace")


@pytest.mark.parametrize("seed", range(6))
def test_damage_never_passes_as_another_transmission(dimer: str, lead: str, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    passed = refused = 0
    for text, energies, weights in ((dimer, (0.0,), (1.0,)), (lead, LEAD_ENERGIES, LEAD_WEIGHTS)):
        whole = gate(text, energies, weights)
        for _ in range(120):
            damage = damaged(text, rng)
            try:
                result = gate(damage, energies, weights)
            except RefusedTransmission:
                refused += 1
                continue
            passed += 1
            # a digit of the transmission beyond the five of the total has no second witness
            spared = all(line in damage for line in text.splitlines() if "T(x2 spins)" in line)
            assert result.transmission == pytest.approx(whole.transmission, abs=1e-6 if spared else 1.1e-4)
            assert np.array_equal(result.channels, whole.channels)
    assert passed > 20
    assert refused > 50
