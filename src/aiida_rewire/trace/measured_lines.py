"""Lines of a measured file: read all at once where they are good, one by one where some are bad."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.measured_columns import EXAMPLE, Column

LONGEST_HEAD = 1 << 16
"""Bytes within which the header must end."""

SHOWN_BAD_LINES = 5

SHOWN_CHARACTERS = 40
"""Of a value that is no number."""

LARGEST_CYCLE = 2**53
"""Above it numbers that are read as floating-point ones are no longer told apart."""


@dataclass(frozen=True)
class Head:
    """What the beginning of a file says of the rest.

    Attributes
    ----------
    titles
        Of the columns.
    lines
        How many lines the header and what is above it take.
    delimiter, decimal
        Between columns; in a number.
    encoding
        Of the file.
    """

    titles: tuple[str, ...]
    lines: int
    delimiter: str
    decimal: str
    encoding: str


@dataclass
class Table:
    """Columns as numbers, in the unit of the file.

    Attributes
    ----------
    numbers
        Quantity and its values, shape (n,).
    points
        n.
    devices, device_names
        Index of each point's device, shape (n,), and the names; None and () without such a column.
    bad_lines, first_bad
        How many lines could not be read, and what is wrong with the first five.
    """

    numbers: Mapping[str, NDArray[np.float64]]
    points: int
    devices: NDArray[np.int64] | None = None
    device_names: tuple[str, ...] = ()
    bad_lines: int = 0
    first_bad: list[str] = field(default_factory=list)


def head_of(path: Path) -> Head:
    """Read the header of a file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidInput
        If there is no such file, it is no text, or has no header within 64 kB.
    """
    if not path.is_file():
        raise InvalidInput("file", path, "a file that exists", "check its name")
    with path.open("rb") as handle:
        begin = handle.read(LONGEST_HEAD)
    if b"\0" in begin:
        raise InvalidInput("file", path.name, "text", "export it as CSV in UTF-8")
    encoding = "utf-8-sig"
    # a character that the end of the piece cuts in two is no other encoding
    complete = begin[: begin.rfind(b"\n") + 1] or begin
    try:
        text = complete.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = complete.decode(encoding, errors="replace")
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            delimiter = max(("\t", ";", ","), key=line.count)
            titles = tuple(title.strip() for title in _split(line, delimiter))
            following = next((line for line in lines[number + 1 :] if line.strip()), "")
            decimal = "," if delimiter != "," and "," in following else "."
            return Head(titles, number + 1, delimiter, decimal, encoding)
    raise InvalidInput("file", path.name, "with a line that names the columns", f"write {EXAMPLE}")


def read_table(path: Path, head: Head, columns: Mapping[str, Column]) -> Table | None:
    """Read all lines at once.

    Parameters
    ----------
    path, head
        The file.
    columns
        Quantity and the column it is read from.

    Returns
    -------
    Table or None
        None if any line is bad; :func:`read_lines` says which.
    """
    # imported here: units and columns of measured files are asked for where nothing is read
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import csv as arrow_csv

    names = [str(index) for index in range(len(head.titles))]
    wanted = {quantity: names[column.index] for quantity, column in columns.items()}
    types = {
        name: pyarrow.string() if quantity == "device" else pyarrow.float64() for quantity, name in wanted.items()
    }
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(
                skip_rows=head.lines, column_names=names, encoding=head.encoding.removesuffix("-sig")
            ),
            # a quotation mark that is never closed would swallow lines: files that have any are read line by line
            parse_options=arrow_csv.ParseOptions(delimiter=head.delimiter, quote_char=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(wanted.values()), decimal_point=head.decimal
            ),
        )
    except (pyarrow.ArrowInvalid, UnicodeDecodeError):
        return None
    numbers = {}
    for quantity, name in wanted.items():
        column = table.column(name)
        if column.null_count:
            return None
        if quantity != "device":
            numbers[quantity] = column.to_numpy()
            if not np.isfinite(numbers[quantity]).all():
                return None
    if "cycle" in numbers and not _whole(numbers["cycle"]).all():
        return None
    if "device" not in wanted:
        return Table(numbers, table.num_rows)
    coded = table.column(wanted["device"]).combine_chunks().dictionary_encode()
    if isinstance(coded, pyarrow.ChunkedArray):
        coded = coded.combine_chunks()
    device_names = tuple(name.strip() for name in coded.dictionary.to_pylist())
    odd = any(not name or '"' in name for name in device_names)
    if odd or len(set(device_names)) < len(device_names):
        return None
    return Table(numbers, table.num_rows, coded.indices.to_numpy().astype(np.int64), device_names)


def read_lines(path: Path, head: Head, columns: Mapping[str, Column]) -> Table:
    """Read line by line, and say which cannot be read.

    Parameters
    ----------
    path, head, columns
        As for :func:`read_table`.
    """
    values = {quantity: array("d") for quantity in columns if quantity != "device"}
    names: dict[str, int] = {}
    devices = array("q")
    table = Table({}, 0)
    for number, line in _lines(path, head):
        cells = _split(line, head.delimiter)
        fault = None
        if len(cells) != len(head.titles):
            fault = f"{len(cells)} column{'' if len(cells) == 1 else 's'} instead of {len(head.titles)}"
        row = {}
        for quantity, column in columns.items() if fault is None else ():
            cell = cells[column.index].strip()
            if quantity == "device":
                fault = fault or (None if cell else f"no {column.title}")
                continue
            row[quantity] = _number(cell, head.decimal)
            good = bool(_whole(row[quantity])) if quantity == "cycle" else math.isfinite(row[quantity])
            if not good:
                kind = "whole number" if quantity == "cycle" else "finite number"
                fault = f"{column.title} is {cell[:SHOWN_CHARACTERS]!r}, no {kind}"
                break
        if fault is not None:
            table.bad_lines += 1
            if len(table.first_bad) < SHOWN_BAD_LINES:
                table.first_bad.append(f"line {number}: {fault}")
            continue
        table.points += 1
        for quantity, value in row.items():
            values[quantity].append(value)
        if "device" in columns:
            devices.append(names.setdefault(cells[columns["device"].index].strip(), len(names)))
    table.numbers = {quantity: np.frombuffer(kept, dtype=np.float64) for quantity, kept in values.items() if kept}
    if "device" in columns and devices:
        table.devices, table.device_names = np.frombuffer(devices, dtype=np.int64), tuple(names)
    return table


def _lines(path: Path, head: Head) -> Iterator[tuple[int, str]]:
    """Lines after the header that are not empty, with their numbers from 1."""
    with path.open(encoding=head.encoding, errors="replace") as handle:
        for number, line in enumerate(handle, start=1):
            if number > head.lines and line.strip():
                yield number, line.rstrip("\r\n")


def _split(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return line.split(delimiter)


def _number(cell: str, decimal: str) -> float:
    """NaN for what is no number."""
    # Python would also take 1_000
    if "_" in cell:
        return math.nan
    try:
        return float(cell if decimal == "." else cell.replace(decimal, "."))
    except ValueError:
        return math.nan


def _whole(number: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    whole: NDArray[np.bool_] = np.equal(np.floor(number), number) & (np.abs(number) < LARGEST_CYCLE)
    return whole
