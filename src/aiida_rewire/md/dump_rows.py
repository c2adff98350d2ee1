"""The rows of a dump's frame as numbers, each the double nearest to what is written."""

from __future__ import annotations

import math

import numpy as np
import simdjson
from numpy.typing import NDArray

COLUMNS = ("id", "type", "x", "y", "z", "q", "v_phi")

_SPACE, _NEWLINE, _COMMA, _LAST_BYTE = (np.uint8(value) for value in (0x20, 0x0A, 0x2C, 0xFF))


class BrokenRows(ValueError):
    """Rows that are not those of a frame; the message continues "frame 3 of a.lammpstrj"."""


class RowReader:
    """Turns rows into numbers.

    Nearly all of a long dump's time is spent here. Read as one JSON array, the rows go through simdjson, which rounds
    correctly and is about fifteen times faster than splitting them. Whatever it or the checks refuse is read again
    word by word, which accepts other white space and otherwise says what is wrong.
    """

    def __init__(self) -> None:
        # one of its own, as a parser holds one document at a time
        self._json = simdjson.Parser()

    def read(self, rows: bytes, atoms: int, types: NDArray[np.int64] | None) -> NDArray[np.float64]:
        """Return the numbers of a whole frame.

        Parameters
        ----------
        rows
            What follows the header: as many lines as atoms, each with its newline.
        atoms
            How many.
        types
            Types of the atoms where they are known, in the order of the atoms' numbers.

        Returns
        -------
        NDArray
            Shape (atoms, 7), the columns as in ``COLUMNS``, in the order of the atoms' numbers. May be read-only.

        Raises
        ------
        BrokenRows
            If a row has not seven finite numbers, the atoms are not numbered from 1 on, each once, or a type is not a
            positive integer.
        """
        table = self._read_as_json(rows, atoms)
        # a row too short or too long would shift the numbers and types of the atoms in the rows after it
        if table is not None and types is not None and _has_atoms_in_order(table, types):
            return table
        if table is None or not _stands_in_rows(rows, atoms):
            table = read_words(rows)
        return in_order(table)

    def _read_as_json(self, rows: bytes, atoms: int) -> NDArray[np.float64] | None:
        """Return the numbers in the order of the rows, or nothing if they are not as many as they should be."""
        if b"]" in rows or b"}" in rows:
            return None
        text = np.frombuffer(b"[" + rows, dtype=np.uint8)
        columns = len(COLUMNS)
        if np.count_nonzero(text == _SPACE) != atoms * (columns - 1):
            return None
        # white space is all that comes before the comma, or there would be more numbers than wanted
        array = np.clip(text, _COMMA, _LAST_BYTE)
        array[-1] = ord("]")
        try:
            numbers = self._json.parse(array.tobytes())
            if not isinstance(numbers, simdjson.Array):
                return None
            values = np.frombuffer(numbers.as_buffer(of_type="d"), dtype=np.float64)
        except (ValueError, TypeError, OverflowError, RuntimeError):
            return None
        return values.reshape(atoms, columns) if values.size == atoms * columns else None


def _has_atoms_in_order(table: NDArray[np.float64], types: NDArray[np.int64]) -> bool:
    numbers = np.arange(1, len(table) + 1)
    return np.array_equal(table[:, 0], numbers) and np.array_equal(table[:, 1], types)


def _stands_in_rows(rows: bytes, atoms: int) -> bool:
    """Tell whether all white space is single, and every seventh a new line."""
    text = np.frombuffer(rows, dtype=np.uint8)
    separators = text[text < _COMMA]
    if separators.size != atoms * len(COLUMNS):
        return False
    table = separators.reshape(atoms, len(COLUMNS))
    return bool((table[:, :-1] == _SPACE).all() and (table[:, -1] == _NEWLINE).all())


def read_words(rows: bytes) -> NDArray[np.float64]:
    """Return the numbers of whole rows, in the order of the rows, shape (rows, 7).

    Raises
    ------
    BrokenRows
        If a row has not seven finite numbers.
    """
    table = []
    for number, line in enumerate(rows.split(b"\n")[:-1], start=1):
        words = line.split()
        if len(words) != len(COLUMNS):
            raise BrokenRows(f"has {len(words)} columns instead of {len(COLUMNS)} in row {number}")
        table.append([finite(word, f"in row {number}") for word in words])
    return np.array(table, dtype=np.float64).reshape(-1, len(COLUMNS))


def finite(word: bytes, where: str) -> float:
    """Return the number that a word is.

    Raises
    ------
    BrokenRows
        If it is none, or not finite.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or b"_" in word:
        raise BrokenRows(f"has {shown(word)} {where}, which is not a finite number")
    return value


def shown(text: bytes) -> str:
    """Return bytes for a message: on one line, and short."""
    return ascii(text[:40].decode("latin-1")) + ("..." if len(text) > 40 else "")


def in_order(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows in the order of their atoms' numbers.

    Raises
    ------
    BrokenRows
        If the atoms are not numbered from 1 on, each once, or a type is not a positive integer.
    """
    numbers = np.arange(1, len(table) + 1)
    if not np.array_equal(table[:, 0], numbers):
        table = table[np.argsort(table[:, 0], kind="stable")]
        if (np.diff(table[:, 0]) == 0).any():
            raise BrokenRows("has an atom twice")
        if not np.array_equal(table[:, 0], numbers):
            raise BrokenRows(f"has atoms that are not numbered 1 to {len(table)}")
    types = table[:, 1]
    if (types < 1).any() or (types != np.floor(types)).any() or (types > np.iinfo(np.int32).max).any():
        raise BrokenRows("has a type that is not a positive integer")
    return table
