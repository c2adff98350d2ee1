"""What pwcond.x prints for one k-point at one energy: bands, T_ij, T(E, k), eigenchannels."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

ELECTRONS_PER_CHANNEL = 2
"""With nspin = 1 pwcond.x prints the transmission of both spins, and says so."""

ENERGY_ROUNDING = 1.1e-5
"""eV; the eigenchannels repeat the energy with five decimals, all else with seven."""

MOST_LINES = 200_000
"""Two for each pair of channels."""

HEADER = re.compile(r"---  E-Ef = (.{12})  k = (.{12})(.{12})\s*$")
PLACE = re.compile(r"---  ie = ([ 0-9]{10})  ik = ([ 0-9]{10})\s*$")
CHANNELS = re.compile(r" Nchannels of the (left|right) tip =\s+([0-9]{1,9})\s*$")
BAND = re.compile(r"(.{12})(.{12})(.{12})\s*$")
OVERLAP = re.compile(r"([ 0-9]{5})([ 0-9]{5})(.{12})\s*$")
PAIR = re.compile(r"([ 0-9]{5}) --> ([ 0-9]{5})(.{12})(.{12})?\s*$")
CHANNEL = re.compile(r"   Total T_j, R_j =  (.{9})(.{9})\s*$")
TRANSMISSION = re.compile(r" *E-Ef\(ev\), T(\(x2 spins\))? = (.{12})(.{12})\s*$")
EIGENCHANNEL = re.compile(r"#([ 0-9]{5})(.{9})(.{9})\s*$")
COMPONENT = re.compile(r" {20}(.{9})\s*$")
FIXED = re.compile(r"-?[0-9]{0,12}\.([0-9]{1,12})", re.ASCII)


@dataclass(frozen=True)
class ScatteringState:
    """What pwcond.x printed for one k-point at one energy.

    Attributes
    ----------
    energy_index, kpoint_index
        Place in the lists of the input file, from 0; those of the whole lists in a shard as well.
    energy
        eV from the Fermi energy.
    kpoint
        Crystal coordinates (kx, ky).
    transmission
        Per spin, dimensionless.
    channels, channels_right
        Propagating channels of the left and of the right lead; None where the leads are equal (ikind = 1).
    channel_transmissions, channel_reflections
        T_j and R_j of the left lead's channels, five decimals; none printed if a lead has no channel.
    eigenchannels
        tau_n, descending; the T_j of a single channel that has no decomposition printed.
    decomposed
        Whether the eigenchannels were printed: they are where lead and junction have different prefixes.
    both_spins
        Whether the transmission was printed for both spins.
    pair_transmissions, pair_reflections
        |T_ij|^2 and |R_ij|^2, a row for each channel j of the left lead.
    overlap
        Largest off-diagonal element of S^+ S; pwcond.x prints those above 1e-4, else this is 0.
    damaged
        Why the block is not what pwcond.x prints; None if it is.
    closed
        Whether something that pwcond.x prints after a state stands there: else its end may be cut off.
    """

    energy_index: int
    kpoint_index: int
    energy: float
    kpoint: tuple[float, float]
    transmission: float
    channels: int
    channels_right: int | None = None
    channel_transmissions: tuple[float, ...] = ()
    channel_reflections: tuple[float, ...] = ()
    eigenchannels: tuple[float, ...] = ()
    decomposed: bool = False
    both_spins: bool = False
    pair_transmissions: tuple[tuple[float, ...], ...] = ()
    pair_reflections: tuple[tuple[float, ...], ...] = ()
    overlap: float = 0.0
    damaged: str | None = None
    closed: bool = True

    @property
    def conducting(self) -> bool:
        """Whether both leads have a channel: else T = 0, and nothing else is printed."""
        return self.channels > 0 and self.channels_right != 0

    @property
    def unitarity(self) -> float:
        """Largest |T_j + R_j - 1|; 0 without channels, NaN if a channel is not printed or not a number."""
        if not self.conducting and not self.channel_transmissions:
            return 0.0
        if not len(self.channel_transmissions) == len(self.channel_reflections) == self.channels:
            return math.nan
        pairs = zip(self.channel_transmissions, self.channel_reflections, strict=True)
        deviations = [abs(t + r - 1.0) for t, r in pairs]
        return math.nan if any(map(math.isnan, deviations)) else max(deviations, default=0.0)

    @property
    def channel_sum(self) -> float:
        """Sum of the T_j: the transmission per spin again, to five decimals a channel."""
        return sum(self.channel_transmissions)


def fixed(word: str, decimals: int) -> float:
    """Read a number of a Fortran F format; NaN if a digit of it is missing, or for stars."""
    match = FIXED.fullmatch(word.strip())
    return float(match.group()) if match and len(match.group(1)) == decimals else math.nan


def read_state(lines: Sequence[str], *, closed: bool) -> ScatteringState | None:
    """Read one block; None if it has no transmission, or does not say whose it is.

    Parameters
    ----------
    lines
        From ``---  E-Ef =`` to before whatever comes after the state.
    closed
        Whether anything came.
    """
    header, place = HEADER.match(lines[0]), PLACE.match(lines[1] if len(lines) > 1 else "")
    if header is None or place is None or not (place.group(1).strip().isdigit() and place.group(2).strip().isdigit()):
        return None
    if len(lines) > MOST_LINES:
        return None
    block = _Block(fixed(header.group(1), 7))
    for line in lines[2:]:
        if not line.startswith(" ngper"):
            block.read(line)
    if block.transmission is None or "left" not in block.channels:
        return None
    channels, right = block.channels["left"], block.channels.get("right")
    eigenchannels = tuple(sorted(block.eigenchannels, reverse=True))
    if not block.decomposed and channels == 1:
        eigenchannels = tuple(t for t, _ in block.totals)
    return ScatteringState(
        energy_index=int(place.group(1)) - 1,
        kpoint_index=int(place.group(2)) - 1,
        energy=block.energy,
        kpoint=(fixed(header.group(2), 7), fixed(header.group(3), 7)),
        transmission=block.transmission / (ELECTRONS_PER_CHANNEL if block.both_spins else 1),
        channels=channels,
        channels_right=right,
        channel_transmissions=tuple(t for t, _ in block.totals),
        channel_reflections=tuple(r for _, r in block.totals),
        eigenchannels=eigenchannels,
        decomposed=block.decomposed,
        both_spins=block.both_spins,
        pair_transmissions=tuple(map(tuple, block.pair_transmissions[: len(block.totals)])),
        pair_reflections=tuple(map(tuple, block.pair_reflections[: len(block.totals)])),
        overlap=block.overlap,
        damaged=block.damaged or block.miscounted(),
        closed=closed,
    )


class _Block:
    """The lines of a state one after the other, each of which must stand where pwcond.x prints it."""

    def __init__(self, energy: float) -> None:
        self.energy = energy
        self.channels: dict[str, int] = {}
        self.bands: dict[str, list[int]] = {}
        self.totals: list[tuple[float, float]] = []
        self.pair_transmissions: list[list[float]] = [[]]
        self.pair_reflections: list[list[float]] = [[]]
        self.transmission: float | None = None
        self.both_spins = False
        self.decomposed = False
        self.eigenchannels: list[float] = []
        self.components: list[float] = []
        self.overlap = 0.0
        self.damaged: str | None = None
        self._side = "left"
        self._part = "bands"

    def read(self, line: str) -> None:
        """Take the next line."""
        if "Nchannels" in line:
            self._tip(line)
        elif "moving states:" in line:
            self.bands.setdefault(self._side, []).append(0)
        elif line.strip() == "to transmit":
            self._part = "overlaps"
        elif "-->" in line:
            self._pair(line)
        elif "T_j" in line:
            self._channel(line)
        elif "E-Ef(ev)" in line:
            self._transmission(line)
        elif line.split() == ["Nchannel,", "Norbital,", "projection"]:
            self._part = "projections"  # of the eigenchannels on orbitals (orbj_in), the last of a state
        elif self._part == "projections":
            return
        elif "Eigenchannel" in line:
            self._damage_if(self.transmission is None or self.decomposed, line)
            self.decomposed = True
        elif line.startswith("#"):
            self._eigenchannel(line)
        elif self.decomposed:
            if match := COMPONENT.match(line):
                self.components.append(fixed(match.group(1), 5))
            self._damage_if(match is None or not self.eigenchannels, line)
        elif self._part == "bands" and (match := BAND.match(line)) and "2pi" not in line:
            self._band(line, fixed(match.group(3), 7))
        elif self._part == "overlaps" and (match := OVERLAP.match(line)):
            self._overlap(line, match)
        else:
            self._damage_if(line.split() not in _PROSE, line)

    def _damage_if(self, condition: bool, line: str) -> None:
        if condition and self.damaged is None:
            self.damaged = line.strip()[:60] or "an empty line"

    def _tip(self, line: str) -> None:
        match = CHANNELS.match(line)
        self._damage_if(match is None or match.group(1) in self.channels or self._part != "bands", line)
        if match:
            self._side = match.group(1)
            self.channels[self._side] = int(match.group(2))

    def _band(self, line: str, energy: float) -> None:
        if self.bands.get(self._side):
            self.bands[self._side][-1] += 1
        self._damage_if(self._side not in self.bands or energy != self.energy, line)

    def _overlap(self, line: str, match: re.Match[str]) -> None:
        value = fixed(match.group(3), 7)
        self._damage_if(math.isnan(value), line)
        if match.group(1) != match.group(2):
            self.overlap = max(self.overlap, value)

    def _pair(self, line: str) -> None:
        match = PAIR.match(line)
        self._part = "pairs"
        transmissions, reflections = self.pair_transmissions[-1], self.pair_reflections[-1]
        expected = (str(len(self.totals) + 1), str(max(len(transmissions), len(reflections)) + 1))
        found = (match.group(1).strip(), match.group(2).strip()) if match else None
        self._damage_if(found != expected or self.transmission is not None, line)
        if match and match.group(3).strip():
            transmissions.append(fixed(match.group(3), 5))
        if match and (match.group(4) or "").strip():
            reflections.append(fixed(match.group(4), 5))

    def _channel(self, line: str) -> None:
        match = CHANNEL.match(line)
        self._damage_if(match is None or self.transmission is not None, line)
        self.totals.append((fixed(match.group(1), 5), fixed(match.group(2), 5)) if match else (math.nan, math.nan))
        self.pair_transmissions.append([])
        self.pair_reflections.append([])

    def _transmission(self, line: str) -> None:
        match = TRANSMISSION.match(line)
        self._damage_if(self.transmission is not None, line)
        if match is None:
            self.transmission = math.nan
            return
        self.both_spins = match.group(1) is not None
        self.transmission = fixed(match.group(3), 7)
        self._damage_if(fixed(match.group(2), 7) != self.energy, line)

    def _eigenchannel(self, line: str) -> None:
        match = EIGENCHANNEL.match(line)
        self._damage_if(match is None or not self.decomposed, line)
        if match:
            self._damage_if(match.group(1).strip() != str(len(self.eigenchannels) + 1), line)
            self._damage_if(not abs(fixed(match.group(2), 5) - self.energy) < ENERGY_ROUNDING, line)
            self.eigenchannels.append(fixed(match.group(3), 5))

    def miscounted(self) -> str | None:
        """Say what is not there as often as the channels want it."""
        left, right = self.channels["left"], self.channels.get("right", self.channels["left"])
        if any(self.bands.get(side) != [count, count] for side, count in self.channels.items()):
            return "not as many propagating states as channels"
        rows = left if left and right else 0
        if len(self.totals) != rows:
            return "not as many T_j as channels"
        if [len(row) for row in self.pair_transmissions] != [right] * rows + [0]:
            return "not as many T_ij as channels"
        if [len(row) for row in self.pair_reflections] != [left] * rows + [0]:
            return "not as many R_ij as channels"
        if self.decomposed and (len(self.eigenchannels), len(self.components)) != (rows, rows * rows):
            return "not as many eigenchannels as channels"
        return None


_PROSE = [
    [],
    ["k1(2pi/a)", "k2(2pi/a)", "E-Ef", "(eV)"],
    ["j", "i", "|T_ij|^2", "|R_ij|^2"],
    ["Band", "j", "to", "band", "i", "transmissions", "and", "reflections:"],
]
"""Lines of a state without numbers."""
