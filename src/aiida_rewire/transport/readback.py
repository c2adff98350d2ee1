"""Whether the density that pw.x wrote is the one that is read, and whether lead and junction meet in potential.

pw.x writes rho(G) with its Miller indices. The reader in pw.x, pp.x and pwcond.x (6.7 to 7.5) skips them and trusts
its own order of G, which a cell with rounded digits changes: the density is then scrambled without a message. Here
the indices are read, so that their Fourier sum says what the density is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

RYDBERG_EV = 13.605693122994
"""CODATA 2018."""

READBACK_TOLERANCE = 1e-6
"""Of `readback_difference`. Measured with Quantum ESPRESSO 6.7: right ones 6e-11 to 5e-10, which is the ten digits
that pp.x prints; scrambled ones 4e-2 to 1.3e-1."""

SPIN_COMPONENTS = (1, 2, 4)
LARGEST_INDEX = 1 << 20
MARKER = struct.Struct("<i")
OF_NUMBERS = b"-+.0123456789Ee \t\n\r\v\f"
LONGEST_WORD = 32
"""Characters; a longer one is no number of pp.x."""
BARE_EXPONENT = re.compile(rb"(?<=\d)([-+]\d{3})(?=\s|$)")
"""Fortran drops the E of an exponent of three digits."""


class UnreadableDensity(ValueError):
    """A file that holds no whole density or potential."""


@dataclass(frozen=True)
class ChargeDensity:
    """The density as pw.x writes it.

    Attributes
    ----------
    miller
        Miller indices of the vectors G, shape (n, 3).
    coefficients
        rho(G) in e/bohr^3, shape (nspin, n): the total density, then the magnetisation.
    reciprocal_vectors
        Rows b_1, b_2, b_3 in 1/bohr, 2 pi included, shape (3, 3).
    gamma_only
        Whether only one of G and -G is there.
    """

    miller: NDArray[np.int64]
    coefficients: NDArray[np.complex128]
    reciprocal_vectors: NDArray[np.float64]
    gamma_only: bool


def read_charge_density(path: Path) -> ChargeDensity:
    """Read ``NAME.save/charge-density.dat`` of Quantum ESPRESSO 6.4 and later (``write_rhog`` in its sources).

    Parameters
    ----------
    path
        The file, unformatted Fortran, little-endian; not the HDF5 form.

    Raises
    ------
    UnreadableDensity
        If it is missing, empty, truncated, or anything else than such a file.
    """
    data = _bytes_of(path)
    records = list(_records(data, path))
    if len(records) < 4 or len(records[0]) != 12 or len(records[1]) != 72:
        raise UnreadableDensity(f"{path}: not the head of a charge density")
    gamma_only, n_vectors, n_spin = struct.unpack("<iii", records[0])
    vectors = np.frombuffer(records[1], "<f8").reshape(3, 3).copy()
    lengths = [len(record) for record in records[2:]]
    if gamma_only not in (-1, 0, 1) or n_spin not in SPIN_COMPONENTS or n_vectors < 1:
        raise UnreadableDensity(f"{path}: gamma_only, n(G), nspin = {gamma_only}, {n_vectors}, {n_spin}")
    if lengths != [12 * n_vectors, *[16 * n_vectors] * n_spin]:
        raise UnreadableDensity(f"{path}: records of {lengths} bytes for {n_vectors} vectors G and nspin = {n_spin}")
    miller = np.frombuffer(records[2], "<i4").reshape(-1, 3).astype(np.int64)
    coefficients = np.array([np.frombuffer(record, "<c16") for record in records[3:]])
    if not (np.isfinite(vectors).all() and np.isfinite(coefficients).all()):
        raise UnreadableDensity(f"{path}: numbers that are not finite")
    if np.abs(miller).max() > LARGEST_INDEX:
        raise UnreadableDensity(f"{path}: a Miller index of {np.abs(miller).max()}")
    return ChargeDensity(miller, coefficients, vectors, bool(gamma_only))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDensity(f"{path}: {error.strerror}") from error


def _records(data: bytes, path: Path) -> Iterator[memoryview]:
    """Yield the records of an unformatted Fortran file; each stands between two markers of its length."""
    view, at = memoryview(data), 0
    while at < len(view):
        end = at + MARKER.size
        length = MARKER.unpack(view[at:end])[0] if end <= len(view) else -1
        close = end + length
        if length < 0 or close + MARKER.size > len(view) or view[at:end] != view[close : close + MARKER.size]:
            raise UnreadableDensity(f"{path}: truncated or damaged at byte {at} of {len(view)}")
        yield view[end:close]
        at = close + MARKER.size


def density_on_grid(density: ChargeDensity, fft_grid: tuple[int, int, int]) -> NDArray[np.float64]:
    """Sum the total density over its plane waves at the points of a grid.

    Parameters
    ----------
    density
        As written.
    fft_grid
        nr1, nr2, nr3.

    Returns
    -------
    NDArray
        e/bohr^3, shape (nr1, nr2, nr3).

    Raises
    ------
    InvalidInput
        If the grid is too coarse for a plane wave.
    """
    least = 2 * np.abs(density.miller).max(axis=0) + 1
    if (np.array(fft_grid) < least).any():
        raise InvalidInput("fft_grid", fft_grid, f"at least {tuple(least.tolist())}", "take that of the SCF")
    waves = np.zeros(fft_grid, dtype=np.complex128)
    waves[tuple(density.miller.T)] = density.coefficients[0]
    if density.gamma_only:
        waves[tuple(-density.miller.T)] = density.coefficients[0].conj()
    summed: NDArray[np.float64] = np.fft.ifftn(waves, norm="forward").real
    return summed


def read_pp_grid(path: Path) -> NDArray[np.float64]:
    """Read what pp.x wrote to its ``filplot`` (``plot_io`` in its sources).

    Parameters
    ----------
    path
        The text file.

    Returns
    -------
    NDArray
        As written, e/bohr^3 for ``plot_num = 0`` and Ry for ``plot_num = 1``, shape (nr1, nr2, nr3).

    Raises
    ------
    UnreadableDensity
        If it is missing, empty, truncated, or anything else than such a file.
    """
    lines = _bytes_of(path).split(b"\n", 3)
    try:
        sizes = [int(lines[1][k : k + 8]) for k in range(0, 64, 8)]
        bravais = int(lines[2][:6])
        body = lines[3]
    except (IndexError, ValueError) as error:
        raise UnreadableDensity(f"{path}: not the head of a plot by pp.x") from error
    allocated, grid, n_atoms, n_types = sizes[:3], sizes[3:6], sizes[6], sizes[7]
    count = allocated[0] * allocated[1] * allocated[2]
    if any(not 0 < n <= m for n, m in zip(grid, allocated, strict=True)):
        raise UnreadableDensity(f"{path}: {grid} points of {allocated} that are stored")
    head = (3 if bravais == 0 else 0) + 1 + n_types + n_atoms
    rows = body.split(b"\n", head)[-1]
    # a file cut in its last number still has them all
    if not _is_numbers(rows) or not rows.endswith(b"\n"):
        raise UnreadableDensity(f"{path}: words that are no numbers, or its end is missing")
    try:
        values = np.fromstring(rows.decode("ascii"), sep=" ")
    except ValueError:
        values = _numbers_without_e(rows, path)
    if len(values) != count:
        raise UnreadableDensity(f"{path}: {len(values)} values for {allocated} points")
    if not np.isfinite(values).all():
        raise UnreadableDensity(f"{path}: values that are not finite")
    return np.ascontiguousarray(values.reshape(allocated, order="F")[: grid[0], : grid[1], : grid[2]])


def _is_numbers(rows: bytes) -> bool:
    """Whether there is nothing but what numbers are made of, in words of their length."""
    if rows.translate(None, OF_NUMBERS):
        return False
    spaces = np.flatnonzero(np.frombuffer(rows, np.uint8) <= ord(" "))
    return bool((np.diff(spaces, prepend=-1, append=len(rows)) <= LONGEST_WORD + 1).all())


def _numbers_without_e(rows: bytes, path: Path) -> NDArray[np.float64]:
    try:
        return np.fromstring(BARE_EXPONENT.sub(rb"E\1", rows).decode("ascii"), sep=" ")
    except ValueError as error:
        raise UnreadableDensity(f"{path}: words that are no numbers") from error


def readback_difference(as_read: NDArray[np.float64], written: NDArray[np.float64]) -> float:
    """Largest difference of two densities, in units of the largest density written; dimensionless.

    Parameters
    ----------
    as_read, written
        From `read_pp_grid` and `density_on_grid`, shapes (nr1, nr2, nr3).

    Raises
    ------
    InvalidInput
        If the grids differ.
    """
    if as_read.shape != written.shape:
        raise InvalidInput("as_read.shape", as_read.shape, f"that of the SCF, {written.shape}", "take its grid")
    largest = float(np.abs(written).max())
    return float(np.abs(as_read - written).max()) / largest if largest > 0 else float("inf")


def layer_potential(
    potential_ry: NDArray[np.float64], cell: NDArray[np.float64], fermi_energy_ev: float, thickness: float
) -> tuple[float, float]:
    """Average V - E_F over a slab at either end of a region.

    The planar average is summed as its Fourier series, so that the slabs may end between two planes of the grid and
    regions with other nr3 compare.

    Parameters
    ----------
    potential_ry
        From `read_pp_grid`, ``plot_num = 1``, Ry, shape (nr1, nr2, nr3).
    cell
        Å, shape (3, 3), the third vector along z.
    fermi_energy_ev
        Of the same SCF, eV.
    thickness
        Of each slab, Å.

    Returns
    -------
    tuple of float
        eV, of [0, thickness] and of [L - thickness, L], L the height of the cell.

    Raises
    ------
    InvalidInput
        If a slab is thicker than the cell is high, or the third vector is not along z.
    """
    height = float(cell[2, 2])
    if np.abs(cell[2, :2]).max() > 1e-6 or np.abs(cell[:2, 2]).max() > 1e-6:
        raise InvalidInput("cell", cell.tolist(), "with the third vector along z, the others across", "turn it")
    if not 0 < thickness <= height:
        raise InvalidInput("thickness", f"{thickness} Å", f"above 0 and at most {height} Å", "take one layer")
    planes = potential_ry.mean(axis=(0, 1))
    orders = np.arange(1, len(planes) // 2 + 1)
    waves = np.fft.rfft(planes, norm="forward")
    share = np.where(2 * orders == len(planes), 1.0, 2.0) * waves[1:]
    width = 2j * np.pi * orders * thickness / height
    # mean of exp(2 pi i m z / L) over [0, t]; over [L - t, L] it is the complex conjugate
    mean = np.expm1(width) / width
    left, right = (float(waves[0].real + (share * m).real.sum()) for m in (mean, mean.conj()))
    return left * RYDBERG_EV - fermi_energy_ev, right * RYDBERG_EV - fermi_energy_ev


def potential_mismatch(lead: tuple[float, float], junction: tuple[float, float]) -> float:
    """Larger difference (eV) at the two ends between a lead and a junction, each from `layer_potential`."""
    return max(abs(a - b) for a, b in zip(lead, junction, strict=True))
