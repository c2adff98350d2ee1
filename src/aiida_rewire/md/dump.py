"""Reading the frames of a LAMMPS dump, one at a time."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.md.dump_bytes import read_pieces
from aiida_rewire.md.dump_rows import COLUMNS, BrokenRows, RowReader, finite, read_words, shown

__all__ = ["COLUMNS", "BrokenDump", "DumpReader", "Frame", "read_frames"]

_START = b"ITEM: TIMESTEP"
_NUMBERS = None
_HEADER = (
    _START,
    _NUMBERS,
    b"ITEM: NUMBER OF ATOMS",
    _NUMBERS,
    b"ITEM: BOX BOUNDS",
    _NUMBERS,
    _NUMBERS,
    _NUMBERS,
    b"ITEM: ATOMS " + " ".join(COLUMNS).encode(),
)
"""The lines before a frame's rows, of which the fifth goes on with the kind of the boundaries."""

_STEP_LINE, _ATOMS_LINE, _BOUNDS_LINE = 1, 3, 4
_COUNT = re.compile(rb"[0-9]{1,18}")
_PART_OF_NUMBERS = re.compile(rb"[0-9eE+\-. ]*")


class BrokenDump(ValueError):
    """A frame that is not what LAMMPS writes for the run in question."""


class _CutOff(Exception):
    """The file ends here, and as far as it goes all is well; the message says what is missing."""


@dataclass(frozen=True)
class Frame:
    """One frame; a zero's sign is not kept.

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
    types
        LAMMPS atom types, from 1 on, shape (n,).
    """

    step: int
    positions: NDArray[np.float64]
    charges: NDArray[np.float64]
    potentials: NDArray[np.float64]
    types: NDArray[np.int64]


def read_frames(
    path: Path,
    *,
    wanted: Callable[[int], bool] | None = None,
    last_step: int | None = None,
    atoms: int | None = None,
    types: NDArray[np.int64] | None = None,
) -> DumpReader:
    """Return an iterator over the frames of a dump: see `DumpReader`."""
    return DumpReader(path, wanted=wanted, last_step=last_step, atoms=atoms, types=types)


class DumpReader(Iterator[Frame]):
    """The frames of a dump, plain or gzip, of which one at a time is in memory.

    A last frame that is cut off, as when the run was killed, is left out, and ``broken`` says so.

    Parameters
    ----------
    path
        A dump with the columns ``id type x y z q v_phi``, its atoms numbered from 1 on, in any order.
    wanted
        Tells by its step whether a frame is to be read. Of the others the header and the number of rows are checked.
    last_step
        Frames of later steps are ignored, whole or not.
    after
        Last step of the file that this one continues: a first frame of the same step is left out.
    atoms
        How many atoms there must be.
    types
        What their types must be, in the order of the atoms' numbers, shape (n,).

    Attributes
    ----------
    broken
        What was left out at the end of the file, in one line; None as long as nothing was.
    step
        Step of the last whole frame that was read or passed over; ``after`` before the first.
    types
        Types of the atoms; None before the first frame, unless given.

    Raises
    ------
    BrokenDump
        While iterating, if a frame is malformed, holds numbers that are not finite or an atom twice, is cut off and
        followed by others, is not of a later step than the one before, or is of another structure.
    """

    def __init__(
        self,
        path: Path,
        *,
        wanted: Callable[[int], bool] | None = None,
        last_step: int | None = None,
        after: int | None = None,
        atoms: int | None = None,
        types: NDArray[np.int64] | None = None,
    ) -> None:
        self.broken: str | None = None
        self.step = after
        self.types = types
        self._path = path
        self._wanted = wanted
        self._last_step = last_step
        self.atoms = len(types) if atoms is None and types is not None else atoms
        self._structure_is_given = atoms is not None or types is not None
        self._rows = RowReader()
        self._packed_data_are_cut_off = False
        self._frames = self._read()

    def __next__(self) -> Frame:
        """Return the next frame that is wanted."""
        return next(self._frames)

    def _read(self) -> Generator[Frame, None, None]:
        number = 0
        name = self._path.name
        blocks = self._blocks()
        while True:
            try:
                block, is_last = next(blocks)
                header = _Header(block)
                step = header.step()
                if self._last_step is not None and step > self._last_step:
                    return
                is_repeated = number == 0 and step == self.step
                if self.step is not None and step <= self.step and not is_repeated:
                    raise BrokenRows(f"is of step {step}, after one of step {self.step}")
                self._check_atoms(header.atoms())
                header.check_rows(is_last)
                frame = None
                if not is_repeated and (self._wanted is None or self._wanted(step)):
                    frame = self._frame(step, header)
                self.step = step
            except StopIteration:
                break
            except _CutOff as cut:
                if not is_last:
                    raise BrokenDump(f"frame {number} of {name} {cut}, and others follow") from None
                self.broken = f"frame {number} of {name} {cut}: left out"
                return
            except (BrokenRows, zlib.error) as error:
                what = f"cannot be unpacked: {error}" if isinstance(error, zlib.error) else error
                raise BrokenDump(f"frame {number} of {name} {what}") from error
            if frame is not None:
                yield frame
            if self.step == self._last_step:
                return
            number += 1
        if self._packed_data_are_cut_off:
            self.broken = f"frame {number} of {name} and later ones are missing: its gzip data are cut off"

    def _blocks(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the bytes of one frame each, and whether they are the file's last."""
        waiting = b""
        pieces = read_pieces(self._path)
        while True:
            try:
                waiting += next(pieces)
            except StopIteration:
                break
            except EOFError:
                self._packed_data_are_cut_off = True
                break
            start = 0
            while (end := _end_of_frame(waiting, start)) != -1:
                yield waiting[start:end], False
                start = end
            waiting = waiting[start:]
        end = waiting.rfind(b"\n") + 1
        if end < len(waiting) and _START.startswith(waiting[end:]) and _HEADER[-1] in waiting:
            yield waiting[:end], False
            waiting = waiting[end:]
        if waiting:
            yield waiting, True

    def _check_atoms(self, atoms: int) -> None:
        if self.atoms is None:
            self.atoms = atoms
        if atoms != self.atoms:
            raise self._other_structure(f"{atoms} atoms instead of {self.atoms}")

    def _frame(self, step: int, header: _Header) -> Frame:
        table = self._rows.read(header.rows, header.atoms(), self.types)
        if self.types is None or not np.array_equal(table[:, 1], self.types):
            types = table[:, 1].astype(np.int64)
            if self.types is not None:
                atom = int(np.flatnonzero(types != self.types)[0])
                raise self._other_structure(f"atom {atom + 1} is of type {types[atom]} instead of {self.types[atom]}")
            self.types = types
        # adding zero copies, and makes a negative zero a plain one
        return Frame(step, table[:, 2:5] + 0.0, table[:, 5] + 0.0, table[:, 6] + 0.0, self.types)

    def _other_structure(self, difference: str) -> BrokenRows:
        if self._structure_is_given:
            return BrokenRows(f"is in a dump from another structure: {difference}")
        return BrokenRows(f"is not of the structure of those before: {difference}")


class _Header:
    """The lines before a frame's rows, each looked at when it is asked for, as a frame may be cut off behind it."""

    def __init__(self, block: bytes) -> None:
        *self._lines, self.rows = block.split(b"\n", len(_HEADER))

    def step(self) -> int:
        self._line(0)
        return self._integer(_STEP_LINE)

    def atoms(self) -> int:
        self._line(_ATOMS_LINE - 1)
        atoms = self._integer(_ATOMS_LINE)
        if atoms == 0:
            raise BrokenRows("has no atoms")
        return atoms

    def check_rows(self, is_last: bool) -> None:
        """Raise an error if the rest of the header is not as it should be, or rows are missing."""
        for index in range(_BOUNDS_LINE, len(_HEADER)):
            line = self._line(index)
            if _HEADER[index] is _NUMBERS:
                bounds = [finite(word, "in the box's bounds") for word in line.split()]
                if len(bounds) not in (2, 3):
                    raise BrokenRows(f"has {shown(line)} as bounds of the box")
        atoms = self.atoms()
        lines = int(np.count_nonzero(np.frombuffer(self.rows, dtype=np.uint8) == ord("\n")))
        if lines == atoms and self.rows.endswith(b"\n"):
            return
        if lines >= atoms:
            raise BrokenRows(f"has more than {atoms} rows")
        if not is_last:
            raise BrokenRows(f"has {lines} of {atoms} atoms")
        end = self.rows.rfind(b"\n") + 1
        read_words(self.rows[:end])
        _check_part_of_numbers(self.rows[end:])
        raise _CutOff(f"is cut off after {lines} of {atoms} atoms")

    def _integer(self, index: int) -> int:
        line = self._line(index).rstrip()
        if not _COUNT.fullmatch(line):
            raise BrokenRows(f"has {shown(line)} as a {'step' if index == _STEP_LINE else 'number of atoms'}")
        return int(line)

    def _line(self, index: int) -> bytes:
        """Return a line that has been written whole, and is the one that belongs here or numbers."""
        is_whole = index < len(self._lines)
        line = self._lines[index] if is_whole else self.rows
        expected = _HEADER[index]
        if expected is not _NUMBERS:
            goes_on = index == _BOUNDS_LINE and line.startswith(expected)
            fits = line.rstrip() == expected if is_whole else expected.startswith(line)
            if not (fits or goes_on):
                raise BrokenRows(f"has {shown(line)} in place of {shown(expected)}")
        if not is_whole:
            if expected is _NUMBERS:
                _check_part_of_numbers(line)
            raise _CutOff("is cut off within its header")
        return line


def _end_of_frame(dump: bytes, start: int) -> int:
    """Return where the next frame starts, or -1 if that is not known yet."""
    rows = dump.find(_HEADER[-1], start)
    # no row has this letter, and a search for one letter is faster by far
    end = dump.find(_START[:1], rows + len(_HEADER[-1])) if rows != -1 else -1
    return end if end != -1 and dump.startswith(_START, end) else dump.find(_START, start + 1)


def _check_part_of_numbers(line: bytes) -> None:
    if not _PART_OF_NUMBERS.fullmatch(line):
        raise BrokenRows(f"ends with {shown(line)}, which is no part of a row")
