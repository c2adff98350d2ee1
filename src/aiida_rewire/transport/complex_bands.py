"""Complex bands of a lead (pwcond.x with ikind = 0)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.transport.gates import IncompleteTransmission, InconsistentTransmission, NonFiniteTransmission
from aiida_rewire.transport.pwcond_output import read_pwcond
from aiida_rewire.transport.pwcond_state import BAND, CHANNELS, HEADER, PLACE, fixed

FILE_ROUNDING = 0.51e-4
"""The band file has four decimals."""

LONGEST_LINE = 80
"""Characters; no line read here is as long."""

ROW = re.compile(r"(.{10})(.{10})(.{10})\s*$")
KPOINT = re.compile(r"# k-point([ 0-9]{5})\s*$")


@dataclass(frozen=True)
class ComplexBands:
    """The k_z that solve the lead at a given E and lateral k: propagating states (real k_z) and evanescent ones.

    Attributes
    ----------
    energies
        eV from the Fermi energy, in the order of the run, shape (E,).
    kpoints
        Lateral k-points in crystal coordinates, shape (k, 2).
    wave_vectors
        k_z in units of 2 pi / L, L the length of the lead (``bdl``), real parts from -0.5 to 0.5, shape (n,).
        Seven decimals for propagating states, which come first at each (E, k) as pairs of a right- and a
        left-moving one; four for evanescent ones. Those with |Im k_z| above ``cutplot`` (2) are not written.
    energy_index, kpoint_index
        Where each stands in the lists, from 0, shape (n,).
    channels
        Right-moving propagating states, shape (E, k).
    """

    energies: NDArray[np.float64]
    kpoints: NDArray[np.float64]
    wave_vectors: NDArray[np.complex128]
    energy_index: NDArray[np.int64]
    kpoint_index: NDArray[np.int64]
    channels: NDArray[np.int64]


@dataclass
class _Block:
    """What the standard output says of one energy and k-point."""

    energy: float
    kpoint: tuple[float, float]
    channels: int
    right: list[complex]
    left: list[complex]


def read_complex_bands(stdout: str, bands_3d: str) -> ComplexBands:
    """Read the complex bands.

    Parameters
    ----------
    stdout
        Standard output of pwcond.x with ikind = 0.
    bands_3d
        The file ``band_file.3d``: Re k, Im k, E. Nothing tells how many evanescent states it must have.

    Raises
    ------
    IncompleteTransmission
        If the run has not ended, or an energy or a k-point is missing in either text.
    InconsistentTransmission
        If the two texts contradict each other.
    NonFiniteTransmission
        If a number is not finite, or not one that pwcond.x prints.
    """
    output = read_pwcond(stdout)
    if output.wall_seconds is None or output.error is not None or not output.kpoints:
        raise IncompleteTransmission("the output of pwcond.x is cut off, or ends with an error")
    blocks = _blocks(stdout)
    n_energies, n_kpoints = (max((place[i] for place in blocks), default=-1) + 1 for i in (0, 1))
    if not blocks or n_kpoints != len(output.kpoints) or len(blocks) != n_energies * n_kpoints:
        raise IncompleteTransmission(
            f"{len(blocks)} blocks are printed for {n_energies} energies and {len(output.kpoints)} k-points"
        )
    energies = np.array([blocks[e, 0].energy for e in range(n_energies)])
    rows = _rows(bands_3d, energies, n_kpoints)
    vectors: list[complex] = []
    places: list[tuple[int, int]] = []
    for k, kpoint in enumerate(output.kpoints):
        for e in range(n_energies):
            block = blocks[e, k]
            if block.energy != energies[e] or block.kpoint != kpoint:
                raise InconsistentTransmission(f"k-point {k + 1}, energy {e + 1}: not those of the other blocks")
            found = _at(block, rows[e, k])
            vectors += found
            places += [(e, k)] * len(found)
    index = np.array(places, dtype=np.int64).reshape(-1, 2)
    channels = [[blocks[e, k].channels for k in range(n_kpoints)] for e in range(n_energies)]
    return ComplexBands(
        energies=energies,
        kpoints=np.array(output.kpoints),
        wave_vectors=np.array(vectors, dtype=np.complex128),
        energy_index=index[:, 0],
        kpoint_index=index[:, 1],
        channels=np.array(channels, dtype=np.int64),
    )


def _at(block: _Block, rows: list[complex]) -> list[complex]:
    """Take the propagating states with the digits of the standard output, after comparing them with the file's."""
    where = f"k = {block.kpoint}, E = {block.energy:.7f} eV"
    if len(block.right) != block.channels or len(block.left) != block.channels:
        raise InconsistentTransmission(f"{where}: not as many propagating states as channels are printed")
    fine = [k for pair in zip(block.right, block.left, strict=True) for k in pair]
    coarse, evanescent = rows[: len(fine)], rows[len(fine) :]
    if not np.isfinite(np.array(fine + rows)).all():
        raise NonFiniteTransmission(f"{where}: a wave vector is not finite or cannot be read")
    if len(coarse) < len(fine) or any(k.imag == 0.0 for k in evanescent):
        count = sum(k.imag == 0.0 for k in rows)
        raise InconsistentTransmission(f"{where}: {block.channels} channels, {count} propagating states in the file")
    for one, other in zip(fine, coarse, strict=True):
        if max(abs(one.real - other.real), abs(one.imag - other.imag)) > FILE_ROUNDING:
            raise InconsistentTransmission(f"{where}: a propagating k = {one}, but {other} in the file")
    return fine + evanescent


def _blocks(text: str) -> dict[tuple[int, int], _Block]:
    lines = [line if len(line) <= LONGEST_LINE else "" for line in text.split("\n")]
    blocks: dict[tuple[int, int], _Block] = {}
    block: _Block | None = None
    side: list[complex] = []
    for number, line in enumerate(lines):
        if header := HEADER.match(line):
            energy, kx, ky = (fixed(word, 7) for word in header.groups())
            block, side = _Block(energy, (kx, ky), -1, [], []), []
            place = PLACE.match(lines[number + 1] if number + 1 < len(lines) else "")
            if not np.isfinite([energy, kx, ky]).all() or place is None:
                raise NonFiniteTransmission(f"an energy, a k-point or its index cannot be read: {line.strip()!r}")
            indices = [word.strip() for word in place.groups()]
            if not all(word.isdigit() for word in indices):
                raise NonFiniteTransmission(f"an index cannot be read: {place.group()!r}")
            key = (int(indices[0]) - 1, int(indices[1]) - 1)
            if key in blocks or min(key) < 0:
                raise InconsistentTransmission(f"energy {indices[0]}, k-point {indices[1]} stand twice, or below 1")
            blocks[key] = block
        elif block and (channels := CHANNELS.match(line)):
            block.channels = int(channels.group(2))
        elif block and line.strip() in ("Right moving states:", "Left moving states:"):
            side = block.right if "Right" in line else block.left
        elif block and "2pi" not in line and (band := BAND.match(line)):
            side.append(complex(fixed(band.group(1), 7), fixed(band.group(2), 7)))
            if fixed(band.group(3), 7) != block.energy:
                raise InconsistentTransmission(f"E = {block.energy:.7f} eV, but a state at {band.group(3).strip()}")
    return blocks


def _rows(text: str, energies: NDArray[np.float64], n_kpoints: int) -> dict[tuple[int, int], list[complex]]:
    """Sort the rows of the band file by place: k-points are headed, and energies stand in every row."""
    if len(set(np.round(energies, 4))) != len(energies):
        raise InconsistentTransmission("two energies are the same to four decimals, all that the band file has")
    if not text.endswith("\n"):
        raise IncompleteTransmission("the band file is cut off")
    rows: dict[tuple[int, int], list[complex]] = {(e, k): [] for e in range(len(energies)) for k in range(n_kpoints)}
    e, k = -1, -1
    for line in text.split("\n"):
        if not line.strip() or line.startswith("# Re(k)"):
            continue
        match = ROW.match(line) if len(line) <= LONGEST_LINE else None
        if head := KPOINT.match(line[:LONGEST_LINE]):
            if e not in (-1, len(energies) - 1) or head.group(1).strip() != str(k + 2):
                raise IncompleteTransmission(f"the band file has not all of k-point {k + 1}")
            e, k = 0, k + 1
        elif match is None or not 0 <= k < n_kpoints:
            raise InconsistentTransmission(f"not a line of a band file: {line.strip()[:60]!r}")
        else:
            real, imag, energy = (fixed(word, 4) for word in match.groups())
            if not np.isfinite(energy):
                raise NonFiniteTransmission(f"an energy in the band file cannot be read: {line.strip()!r}")
            while e < len(energies) - 1 and abs(energies[e] - energy) > FILE_ROUNDING:
                e += 1
            if abs(energies[e] - energy) > FILE_ROUNDING:
                raise InconsistentTransmission(
                    f"k-point {k + 1}: no energy of the run is {energy:.4f} eV, or not here"
                )
            rows[e, k].append(complex(real, imag))
    if k != n_kpoints - 1 or e != len(energies) - 1:
        raise IncompleteTransmission(f"the band file ends at k-point {k + 1} of {n_kpoints}, energy {e + 1}")
    return rows
