"""Reading the standard output of pwcond.x; what may be believed of it is decided in ``gates``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aiida_rewire.transport.pwcond_errors import FatalError, FatalKind, fatal_error
from aiida_rewire.transport.pwcond_state import ELECTRONS_PER_CHANNEL, ScatteringState, fixed, read_state

__all__ = ["FatalError", "FatalKind", "PwcondOutput", "ScatteringState", "read_pwcond"]

LONGEST_LINE = 400
"""Characters; pwcond.x prints its lists in lines of up to a hundred, and paths."""

VERSION = re.compile(r" {5}Program PWCOND v\.(\S+) starts on")
RANKS = re.compile(r" {5}(?:Parallel version .*running on|Number of MPI processes:)\s+([0-9]{1,9})\b")
MEMORY = re.compile(r" {5}Estimated max dynamical RAM per process\s+>\s+([0-9]{1,9}\.?[0-9]{0,9})\s*([MG])B\s*$")
SPIN = re.compile(r" {9}LSDA calculations, spin index =\s*([12])\s*$")
KPOINTS = re.compile(r" {5}number of k_\|\| points=\s*([0-9]{1,9})\s*$")
KPOINT = re.compile(r" {8}k\(([ 0-9*]{5})\) = \((.{12})(.{12})\), wk =(.{12})\s*$")
BASIS = re.compile(r" ngper,(?: ngper\*npol,)? n2d =\s+(?:[0-9]{1,9}\s+){1,2}([0-9]{1,9})\s*$")
TOTAL = re.compile(r" {3}T_tot(.{12}) {3}(.{14})\s*$")
TOTAL_VALUE = re.compile(r" *(-?0?\.[0-9]{5})(?:E([-+][0-9]{2})|([-+][0-9]{3}))")
CLOCK = re.compile(r" {5}(\S{1,12}) *:.{1,20}CPU(.{1,20})WALL")
CLOCK_PART = re.compile(r"([0-9]{1,9}\.?[0-9]{0,3})([dhms])")
ERROR = re.compile(r" *Error in routine (.{1,60}) \([-0-9*]{1,12}\):")
OUT_OF_TIME = "Maximum CPU time exceeded"
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True)
class PwcondOutput:
    """The output.

    Attributes
    ----------
    version
        As printed.
    complete
        Whether the last total and the closing timing are there and no error: pwcond.x never prints JOB DONE.
    out_of_time
        Whether it stopped itself after ``max_seconds``; then it prints no totals.
    error
        The first fatal error.
    states
        Those whose transmission was printed, in that order.
    totals
        Pairs of energy (eV) and k-summed transmission per spin as pwcond.x prints them, to five digits; a
        shard's are its share of the sum over all k-points.
    spin
        1 or 2 in a spin-polarised run: the transmissions are those of this spin (``iofspin``).
    kpoints, weights
        As printed: crystal coordinates (kx, ky) of the whole list, and weights that sum to one.
    n2d
        Size of the two-dimensional basis, one for each k-point that was begun; with ``loop_ek`` for each state.
    n_ranks
        MPI ranks.
    wall_seconds
        Wall time of the whole run.
    timings
        Wall seconds by routine.
    memory_mb
        Memory per rank; None in versions that print none, such as 6.7.
    """

    version: str | None = None
    complete: bool = False
    out_of_time: bool = False
    error: FatalError | None = None
    states: tuple[ScatteringState, ...] = ()
    totals: tuple[tuple[float, float], ...] = ()
    spin: int | None = None
    kpoints: tuple[tuple[float, float], ...] = ()
    weights: tuple[float, ...] = ()
    n2d: tuple[int, ...] = ()
    n_ranks: int | None = None
    wall_seconds: float | None = None
    timings: dict[str, float] = field(default_factory=dict)
    memory_mb: float | None = None


def read_pwcond(text: str) -> PwcondOutput:
    """Read the standard output of pwcond.x; never raises, whatever the text holds.

    Parameters
    ----------
    text
        Standard output.
    """
    # a line that lacks its end may lack digits as well
    *lines, rest = text.split("\n")
    lines = [line if len(line) <= LONGEST_LINE else LONGEST_LINE * "?" for line in lines if line]
    whole = [line for line in lines if line.startswith(("     ", "   T_tot", " ngper"))]
    states = tuple(_states([*lines, rest[:LONGEST_LINE]] if rest else lines))
    printed = [(fixed(m.group(1), 5), _total(m.group(2))) for m in _matches(TOTAL, whole)]
    per_spin = ELECTRONS_PER_CHANNEL if any(state.both_spins for state in states) else 1
    timings = {m.group(1): clock_seconds(m.group(2)) for m in _matches(CLOCK, whole)}
    wall = timings.pop("PWCOND", None)
    error = _error(lines)
    kpoints = _kpoints(whole)
    version, ranks, memory, spin = (next(_matches(p, whole), None) for p in (VERSION, RANKS, MEMORY, SPIN))
    return PwcondOutput(
        version=version.group(1) if version else None,
        complete=bool(printed) and wall is not None and error is None,
        out_of_time=any(line.strip() == OUT_OF_TIME for line in whole),
        error=error,
        states=states,
        totals=tuple((energy, total / per_spin) for energy, total in printed),
        spin=int(spin.group(1)) if spin else None,
        kpoints=tuple((kx, ky) for kx, ky, _ in kpoints),
        weights=tuple(weight for _, _, weight in kpoints),
        n2d=tuple(int(m.group(1)) for m in _matches(BASIS, whole)),
        n_ranks=int(ranks.group(1)) if ranks else None,
        wall_seconds=wall,
        timings=timings,
        memory_mb=float(memory.group(1)) * (1024.0 if memory.group(2) == "G" else 1.0) if memory else None,
    )


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    return (match for line in lines if (match := pattern.match(line)))


def _states(lines: Sequence[str]) -> Iterator[ScatteringState]:
    begin: int | None = None
    for number, line in enumerate(lines):
        if not _ends_state(line, 0 if begin is None else number - begin):
            continue
        if begin is not None and (state := read_state(lines[begin:number], closed=True)):
            yield state
        begin = number if line.startswith("---  E-Ef") else None
    if begin is not None and (state := read_state(lines[begin:], closed=False)):
        yield state


def _ends_state(line: str, length: int) -> bool:
    """Tell what comes after a state; with ``loop_ek`` the basis is printed below its header."""
    if line.startswith(" ngper"):
        return length > 3
    ends = ("---  E-Ef", "   T_tot", "     PWCOND  ", " %%%%", "     Error in routine", "     " + OUT_OF_TIME)
    return line.startswith(ends)


def _total(word: str) -> float:
    match = TOTAL_VALUE.fullmatch(word)
    return float(f"{match.group(1)}e{match.group(2) or match.group(3)}") if match else math.nan


def clock_seconds(word: str) -> float:
    """Add up ``1d 2h 3m``, ``1h12m``, ``1m 4.63s`` or ``0.59s``."""
    return sum(float(number) * SECONDS[unit] for number, unit in CLOCK_PART.findall(word))


def _kpoints(lines: Sequence[str]) -> list[tuple[float, float, float]]:
    """Read the first list of k-points: those below the line that counts them."""
    begin = next((number for number, line in enumerate(lines) if KPOINTS.match(line)), len(lines))
    found: list[tuple[float, float, float]] = []
    for line in lines[begin + 2 :]:
        match = KPOINT.match(line)
        if match is None:
            break
        found.append((fixed(match.group(2), 7), fixed(match.group(3), 7), fixed(match.group(4), 7)))
    return found


def _error(lines: Sequence[str]) -> FatalError | None:
    for number, line in enumerate(lines):
        if "Error in routine" in line and (match := ERROR.match(line)):
            message = lines[number + 1].strip() if number + 1 < len(lines) else ""
            return fatal_error(match.group(1), "" if message.startswith("%%%%") else message)
    return None
