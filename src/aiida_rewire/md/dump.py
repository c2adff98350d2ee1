"""Reading the frames of a LAMMPS dump, one at a time."""

from __future__ import annotations

import glob
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("id", "type", "x", "y", "z", "q", "d_phi")


class BrokenDump(ValueError):
    """A frame that is not what LAMMPS writes, or is cut off."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes
    ----------
    step
        Time step.
    positions
        Å, shape (n, 3), in the order of the atoms' numbers.
    charges
        e, shape (n,).
    potentials
        What was added to the electronegativity, V, shape (n,).
    """

    step: int
    positions: NDArray[np.float64]
    charges: NDArray[np.float64]
    potentials: NDArray[np.float64]


def read_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a dump without holding more than one in memory.

    Parameters
    ----------
    path
        A dump with the columns ``id type x y z q d_phi``.

    Raises
    ------
    BrokenDump
        If a frame is malformed, cut off or holds numbers that are not finite.
    """
    # pymatgen's import takes a second that only those pay who read a dump
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    dumps = parse_lammps_dumps(glob.escape(str(path)))
    if not _ends_with_a_line(path):
        raise BrokenDump(f"{path.name} is cut off within a line")
    number = 0
    while True:
        try:
            dump = next(dumps)
            table = dump.data.sort_values("id")
            values = table[list(COLUMNS)].to_numpy(dtype=float)
        except StopIteration:
            return
        except (ValueError, IndexError, KeyError) as error:
            raise BrokenDump(f"frame {number} of {path.name} cannot be read: {error}") from error
        if len(values) != dump.natoms or dump.natoms == 0:
            raise BrokenDump(f"frame {number} of {path.name} has {len(values)} of {dump.natoms} atoms")
        if len(set(values[:, 0])) != len(values):
            raise BrokenDump(f"frame {number} of {path.name} has an atom twice")
        if not np.isfinite(values).all():
            raise BrokenDump(f"frame {number} of {path.name} holds numbers that are not finite")
        yield Frame(int(dump.timestep), values[:, 2:5], values[:, 5], values[:, 6])
        number += 1


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as handle:
        if not handle.seek(0, io.SEEK_END):
            return False
        handle.seek(-1, io.SEEK_END)
        return handle.read() == b"\n"
