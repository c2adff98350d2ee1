"""Reading the output of pwcond.x, and the gates that a transmission must pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SPINS_PRINTED = 2
"""With nspin = 1 pwcond.x prints the transmission of both spins, and says so but for no channels."""

CHANNEL_ROUNDING = 1e-5
"""T_j is printed to five decimals."""

ENERGY_TOLERANCE = 1e-5
"""eV; pwcond.x prints seven decimals."""

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?|[Nn]a[Nn]|[-+]?[Ii]nf\w*|\*+)"
BLOCK_LINE = re.compile(r"^---\s+ie =\s*(\d{1,9})\s+ik =\s*(\d{1,9})\s*$", re.MULTILINE)
CHANNELS_LINE = re.compile(r"^\s*Nchannels of the left tip\s*=\s*(\d{1,9})\s*$", re.MULTILINE)
TRANSMISSION_LINE = re.compile(rf"E-Ef\(ev\), T(\(x2 spins\))?\s*=\s*{NUMBER}\s+{NUMBER}")
CHANNEL_LINE = re.compile(rf"Total T_j, R_j\s*=\s*{NUMBER}\s+{NUMBER}")
TOTAL_LINE = re.compile(rf"^\s*T_tot\s+{NUMBER}\s+{NUMBER}", re.MULTILINE)
WALL_LINE = re.compile(r"^\s*PWCOND\s*:.*WALL", re.MULTILINE)
ERROR_LINE = re.compile(r"Error in routine\s+(\S+)\s*\(([^)]*)\):\s*\n\s*(.*)")


@dataclass(frozen=True)
class ScatteringState:
    """What pwcond.x printed for one k-point at one energy.

    Attributes
    ----------
    energy_index, kpoint_index
        Place in the lists of the input file, from 0.
    energy
        eV from the Fermi energy.
    transmission
        Per spin, dimensionless.
    channels
        Propagating channels of the left lead.
    unitarity
        Largest |T_j + R_j - 1| of the channels; 0 without channels.
    channel_sum
        Sum of the T_j of the channels: the transmission per spin again, to five decimals a channel.
    """

    energy_index: int
    kpoint_index: int
    energy: float
    transmission: float
    channels: int
    unitarity: float
    channel_sum: float


@dataclass(frozen=True)
class PwcondOutput:
    """The output in short.

    Attributes
    ----------
    version
        As printed.
    complete
        Whether the last total and the closing timing are there; pwcond.x never prints JOB DONE.
    error
        ``routine: message`` of the first fatal error.
    states
        Those whose transmission was printed, in that order.
    totals
        Pairs of energy (eV) and k-summed transmission per spin as pwcond.x prints them, to five digits.
    """

    version: str | None
    complete: bool
    error: str | None
    states: tuple[ScatteringState, ...] = field(default=())
    totals: tuple[tuple[float, float], ...] = field(default=())


class RefusedTransmission(ValueError):
    """A transmission that must not be stored. Its class says which gate refused it."""


class IncompleteTransmission(RefusedTransmission):
    """A k-point or an energy is missing, or double."""


class InconsistentTransmission(RefusedTransmission):
    """Numbers that contradict each other, or the input."""


class NonFiniteTransmission(RefusedTransmission):
    """A number that is not finite."""


class BrokenUnitarity(RefusedTransmission):
    """T_j + R_j is not one."""


class TooMuchTransmission(RefusedTransmission):
    """More transmission than channels, or less than none."""


def _number(word: str) -> float:
    try:
        return float(word.replace("d", "e").replace("D", "e"))
    except ValueError:
        return float("nan")


def read_pwcond(text: str) -> PwcondOutput:
    """Read the standard output of pwcond.x for ikind = 1; never raises on what the text holds.

    Parameters
    ----------
    text
        Standard output.
    """
    version = re.search(r"Program PWCOND v\.(\S+)", text)
    error = ERROR_LINE.search(text)
    starts = [match.start() for match in BLOCK_LINE.finditer(text)]
    blocks = [text[a:b] for a, b in pairwise([*starts, len(text)])]
    states = [state for block in blocks if (state := _read_block(block)) is not None]
    totals = [(_number(e), _number(t) / SPINS_PRINTED) for e, t in TOTAL_LINE.findall(text)]
    return PwcondOutput(
        version=version.group(1) if version else None,
        complete=bool(totals) and WALL_LINE.search(text) is not None and error is None,
        error=f"{error.group(1)}: {error.group(3).strip()}" if error else None,
        states=tuple(states),
        totals=tuple(totals),
    )


def _read_block(block: str) -> ScatteringState | None:
    place, channels, line = (p.search(block) for p in (BLOCK_LINE, CHANNELS_LINE, TRANSMISSION_LINE))
    if place is None or channels is None or line is None:
        return None
    count = int(channels.group(1))
    pairs = [(_number(t), _number(r)) for t, r in CHANNEL_LINE.findall(block)]
    balance = np.array([t + r - 1.0 for t, r in pairs])
    # a NaN among the channels stays one; a channel that is not printed is one as well
    unitarity = float(np.abs(balance).max(initial=0.0)) if len(balance) == count else float("nan")
    return ScatteringState(
        energy_index=int(place.group(1)) - 1,
        kpoint_index=int(place.group(2)) - 1,
        energy=_number(line.group(2)),
        transmission=_number(line.group(3)) / (SPINS_PRINTED if line.group(1) else 1),
        channels=count,
        unitarity=unitarity,
        channel_sum=sum(t for t, _ in pairs),
    )


@dataclass(frozen=True)
class Transmission:
    """Transmission on the whole (energy, k) grid.

    Attributes
    ----------
    energies
        eV from the Fermi energy, descending, shape (n_energies,).
    transmission, channels, unitarity
        Per spin, shape (n_energies, n_kpoints).
    """

    energies: NDArray[np.float64]
    transmission: NDArray[np.float64]
    channels: NDArray[np.int64]
    unitarity: NDArray[np.float64]


def gate_transmission(
    output: PwcondOutput,
    energies: Sequence[float],
    weights: NDArray[np.float64],
    *,
    unitarity_tolerance: float,
) -> Transmission:
    """Arrange the transmission on its grid, or refuse it.

    Parameters
    ----------
    output
        What pwcond.x printed.
    energies
        The energies that were asked for, eV.
    weights
        Weights of the k-points that were asked for, shape (n_kpoints,).
    unitarity_tolerance
        Largest |T_j + R_j - 1| to accept.

    Raises
    ------
    IncompleteTransmission, InconsistentTransmission, NonFiniteTransmission, TooMuchTransmission, BrokenUnitarity
        The gate that refused.
    """
    wanted = np.sort(np.asarray(energies, dtype=float))[::-1]
    shape = (len(wanted), len(weights))
    places = {(state.energy_index, state.kpoint_index): state for state in output.states}
    grid = [(e, k) for e in range(shape[0]) for k in range(shape[1])]
    missing = [place for place in grid if place not in places]
    if missing or len(output.states) != len(grid) or not output.complete:
        raise IncompleteTransmission(
            f"{len(missing)} of {len(grid)} (energy, k) pairs are missing, "
            f"{len(output.states)} blocks printed{'' if output.complete else '; the output is cut off'}"
        )
    states = [places[place] for place in grid]
    found = np.array([state.energy for state in states]).reshape(shape)
    if not np.allclose(found, wanted[:, None], rtol=0, atol=ENERGY_TOLERANCE):
        raise InconsistentTransmission("the energies in the output are not those that were asked for")
    transmission = np.array([state.transmission for state in states]).reshape(shape)
    channels = np.array([state.channels for state in states]).reshape(shape)
    unitarity = np.array([state.unitarity for state in states]).reshape(shape)
    if not (np.isfinite(transmission).all() and np.isfinite(unitarity).all()):
        raise NonFiniteTransmission("a transmission or a channel's T_j + R_j is not a finite number")
    excess = float((transmission - channels).max())
    if excess > unitarity_tolerance * max(1, int(channels.max())) or transmission.min() < -unitarity_tolerance:
        raise TooMuchTransmission(
            f"T per spin from {transmission.min():.5f} to {transmission.max():.5f} with at most "
            f"{channels.max()} channels"
        )
    sums = np.array([state.channel_sum for state in states]).reshape(shape)
    if (np.abs(transmission - sums) > CHANNEL_ROUNDING * (channels + 1)).any():
        raise InconsistentTransmission(
            "a transmission is not what its channels sum to: not printed for both spins, or damaged"
        )
    if unitarity.max() > unitarity_tolerance:
        raise BrokenUnitarity(
            f"|T_j + R_j - 1| is up to {unitarity.max():.2e}, above the tolerance of {unitarity_tolerance:.2e}"
        )
    totals = np.array([total for _, total in output.totals])
    summed = transmission @ (weights / weights.sum())
    # T_tot is printed to five significant digits, so that half a unit of the last is up to 5e-5 of it
    if len(totals) != len(wanted) or not np.allclose(totals, summed, rtol=1e-4, atol=1e-7):
        raise InconsistentTransmission("the k-summed transmissions printed do not follow from those of the k-points")
    return Transmission(wanted, transmission, channels, unitarity)
