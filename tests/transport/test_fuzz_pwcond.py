"""Damaged outputs of pwcond.x: whatever is done to a recorded one, no state passes the gates as another."""

import random
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.transport.gates import RefusedTransmission, gate_states
from aiida_rewire.transport.pwcond_output import PwcondOutput, ScatteringState, read_pwcond

TOLERANCE = 1e-3
PER_MUTATION = 12
GARBAGE = "0123456789.-+ENaN*#>= \n"

Place = tuple[int, int]


class Recorded:
    """An output and the input it belongs to."""

    def __init__(self, text: str, energies: list[float], places: set[Place] | None = None) -> None:
        self.text = text
        self.output = read_pwcond(text)
        self.energies = np.array(energies)
        self.places = places
        self.states = {(s.energy_index, s.kpoint_index): s for s in self.gate(self.output)}

    def gate(self, output: PwcondOutput) -> tuple[ScatteringState, ...]:
        return gate_states(
            output,
            energies=self.energies,
            kpoints=np.array(self.output.kpoints),
            weights=np.array(self.output.weights),
            wanted=self.places,
            spin_polarised=self.output.spin is not None,
            unitarity_tolerance=TOLERANCE,
        )


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> dict[str, Recorded]:
    """Three channels with eigenchannels and without, a shard, a time-out, one spin, two leads, no channels."""
    shard = {(1, 1), (2, 1)}
    cases: list[tuple[str, list[float], set[Place] | None]] = [
        ("dimer", [0.0], None),
        ("lead-two-k-two-energies", [0.1, -0.2], None),
        ("wire-junction", [1.0, 0.0, -1.0], None),
        ("wire-junction-shard", [1.0, 0.0, -1.0], shard),
        ("wire-junction-out-of-time", [1.0, 0.5, 0.0, -1.0, -1.5, -2.0], None),
        ("wire-spin", [0.0, -3.0], None),
        ("wire-junction-two-leads", [1.0, -1.0, -2.0], None),
        ("wire-closed-right-lead", [1.0, 0.0], None),
        ("wire-junction-loop-ek", [1.0, 0.0, -1.0], None),
    ]
    return {
        name: Recorded((fixtures / "pwcond" / f"{name}.out").read_text(), energies, places)
        for name, energies, places in cases
    }


def somewhere(text: str, rng: random.Random) -> int:
    """Choose a place, mostly among the results."""
    results = text.index("---  E-Ef")
    return rng.randrange(results, len(text)) if rng.random() < 0.85 else rng.randrange(len(text))


def line_at(text: str, at: int) -> tuple[list[str], int]:
    return text.splitlines(keepends=True), text.count("\n", 0, at)


def cut(text: str, rng: random.Random) -> str:
    return text[: somewhere(text, rng)]


def cut_and_ended(text: str, rng: random.Random) -> str:
    """Lose the end of a line, and all lines down to one further below."""
    at = somewhere(text, rng)
    return text[:at] + "\n" + text[text.find("\n", somewhere(text, rng)) + 1 :]


def digit(text: str, rng: random.Random) -> str:
    digits = [match.start() for match in re.finditer("[0-9]", text)]
    at = rng.choice(digits[len(digits) // 2 :])
    return text[:at] + rng.choice("0123456789") + text[at + 1 :]


def number(text: str, rng: random.Random) -> str:
    """Another number of the same width."""
    numbers = [
        match.span() for match in re.finditer(r"-?[0-9]+\.[0-9]+", text) if match.start() > text.index("---  E")
    ]
    begin, end = rng.choice(numbers)
    decimals = len(text[begin:end].split(".")[1])
    return text[:begin] + f"{rng.random():.{decimals}f}".rjust(end - begin)[: end - begin] + text[end:]


def word(text: str, rng: random.Random) -> str:
    numbers = [match.span() for match in re.finditer(r"-?[0-9]+\.[0-9]+", text)]
    begin, end = rng.choice(numbers)
    return text[:begin] + rng.choice(["NaN", "*" * (end - begin), "Infinity", "", "-", "1d0", "1e999"]) + text[end:]


def bits(text: str, rng: random.Random) -> str:
    raw = bytearray(text.encode())
    for _ in range(rng.choice([1, 1, 1, 3, 100])):
        raw[somewhere(text, rng)] ^= 1 << rng.randrange(8)
    return raw.decode("utf-8", errors="replace")


def dropped(text: str, rng: random.Random) -> str:
    lines, first = line_at(text, somewhere(text, rng))
    del lines[first : first + rng.choice([1, 1, 2, 5, 12, 20])]
    return "".join(lines)


def doubled(text: str, rng: random.Random) -> str:
    lines, first = line_at(text, somewhere(text, rng))
    lines[first:first] = lines[max(0, first - rng.choice([1, 2, 8, 20, 30])) : first]
    return "".join(lines)


def swapped(text: str, rng: random.Random) -> str:
    lines, one = line_at(text, somewhere(text, rng))
    other = min(one + rng.choice([1, 1, 2, 5, 30]), len(lines) - 1)
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def characters_swapped(text: str, rng: random.Random) -> str:
    at = somewhere(text, rng)
    other = min(at + rng.randint(1, 40), len(text) - 1)
    letters = list(text)
    letters[at], letters[other] = letters[other], letters[at]
    return "".join(letters)


def lost(text: str, rng: random.Random) -> str:
    at = somewhere(text, rng)
    return text[:at] + text[at + rng.randint(1, 400) :]


def inserted(text: str, rng: random.Random) -> str:
    at = somewhere(text, rng)
    return text[:at] + "".join(rng.choice(GARBAGE) for _ in range(rng.randint(1, 30))) + text[at:]


def moved(text: str, rng: random.Random) -> str:
    """Two blocks change place, with their headers; or without, if they are for different energies.

    Below its header, nothing in a block says whose k-point it is.
    """
    begins = [match.start() for match in re.finditer("---  E-Ef", text)] + [text.index("     PWCOND   ")]
    parts = [text[a:b] for a, b in pairwise(begins)]
    one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    head = len("---  E-Ef =    0.0000000  k =    0.1000000   0.2000000\n---  ie =          1  ik =          1\n")
    if rng.random() < 0.5 or parts[one][:27] == parts[other][:27]:
        parts[one], parts[other] = parts[other], parts[one]
    else:
        parts[one], parts[other] = parts[one][:head] + parts[other][head:], parts[other][:head] + parts[one][head:]
    return text[: begins[0]] + "".join(parts) + text[begins[-1] :]


def twice(text: str, rng: random.Random) -> str:
    return text + text[: somewhere(text, rng)]


MUTATIONS: list[Callable[[str, random.Random], str]] = [
    cut, cut_and_ended, digit, number, word, bits, dropped, doubled, swapped, characters_swapped, lost, inserted,
    moved, twice,
]  # fmt: skip


def same(found: ScatteringState, original: ScatteringState) -> bool:
    """Compare to the digits that a changed last digit may hide in: sums of numbers with five decimals."""
    rounding = 1e-5 * (original.channels + 1)
    return (
        (found.channels, found.channels_right, len(found.eigenchannels))
        == (original.channels, original.channels_right, len(original.eigenchannels))
        and abs(found.transmission - original.transmission) <= rounding
        and abs(found.energy - original.energy) <= 1e-5
        and np.allclose(found.kpoint, original.kpoint, rtol=0, atol=1e-6)
        and np.allclose(found.channel_transmissions, original.channel_transmissions, rtol=0, atol=rounding)
        and np.allclose(found.eigenchannels, original.eigenchannels, rtol=0, atol=rounding)
    )


NAMES = [
    "dimer",
    "lead-two-k-two-energies",
    "wire-junction",
    "wire-junction-shard",
    "wire-junction-out-of-time",
    "wire-spin",
    "wire-junction-two-leads",
    "wire-closed-right-lead",
    "wire-junction-loop-ek",
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_damage_never_passes_as_another_state(
    recorded: dict[str, Recorded], name: str, mutation: Callable[[str, random.Random], str]
) -> None:
    case = recorded[name]
    for seed in range(PER_MUTATION):
        rng = random.Random(f"{name} {mutation.__name__} {seed}")  # noqa: S311
        text = mutation(case.text, rng)
        try:
            states = case.gate(read_pwcond(text))
        except RefusedTransmission:
            continue
        for state in states:
            assert same(state, case.states[state.energy_index, state.kpoint_index]), seed


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_output_gives_the_states_that_were_whole(recorded: dict[str, Recorded], name: str) -> None:
    case = recorded[name]
    begin = case.text.index("---  E-Ef")
    counts = []
    for at in range(begin, len(case.text), 17):
        states = case.gate(read_pwcond(case.text[:at]))
        assert all(state == case.states[state.energy_index, state.kpoint_index] for state in states)
        counts.append(len(states))
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == len(case.states)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\x00" * 1000,
        "é" * 1000,
        "\ufeff\u2028\x0b\x1c" * 100,
        "     PWCOND       :      0.58s CPU  0.5s WALL\n",
    ],
    ids=["empty", "blank", "zeros", "letters", "separators", "timing alone"],
)
def test_what_is_no_output_has_no_states(recorded: dict[str, Recorded], text: str) -> None:
    output = read_pwcond(text)
    assert not output.complete
    assert recorded["dimer"].gate(output) == ()
