"""Tables for people: drawn on a terminal, plain columns where the output goes to a file or a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLES = {
    "finished": "green",
    "running": "cyan",
    "failed": "red",
    "excepted": "red",
    "killed": "red",
    "ended": "red",
    "paused": "yellow",
    "retrying": "yellow",
}
"""Of words that tell a state, on a terminal."""


@dataclass(frozen=True)
class Sheet:
    """Lines, a table, and lines after it.

    Attributes
    ----------
    columns
        Titles; those of numbers begin with ``>``.
    rows
        Cells.
    before, after
        Lines.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    before: Sequence[str] = ()
    after: Sequence[str] = field(default_factory=tuple)


def drawn(sheet: Sheet) -> RenderableType:
    """Return a sheet as it is drawn on a terminal; what stands in it is never read as markup."""
    parts: list[RenderableType] = [Text(line, style=STYLES.get(first_word(line), "")) for line in sheet.before]
    if sheet.rows:
        table = Table(box=box.SIMPLE, padding=(0, 1), collapse_padding=True)
        for title in sheet.columns:
            table.add_column(Text(title.removeprefix(">")), justify="right" if title.startswith(">") else "left")
        for row in sheet.rows:
            table.add_row(*(Text(cell, style=STYLES.get(first_word(cell), "")) for cell in row))
        parts.append(table)
    parts += [Text(line) for line in sheet.after]
    return Group(*parts)


def first_word(text: str) -> str:
    """Return the first word of a text."""
    return text.partition(" ")[0].rstrip(":,;")


def plain_lines(sheet: Sheet) -> Iterable[str]:
    """Yield a sheet line by line: cells in columns, two blanks between them."""
    yield from sheet.before
    if sheet.rows:
        titles = [title.removeprefix(">") for title in sheet.columns]
        widths = [max(map(len, column)) for column in zip(titles, *sheet.rows, strict=True)]
        for row in (titles, *sheet.rows):
            cells = [
                cell.rjust(width) if title.startswith(">") else cell.ljust(width)
                for cell, width, title in zip(row, widths, sheet.columns, strict=True)
            ]
            yield "  ".join(cells).rstrip()
    yield from sheet.after


def show(*sheets: Sheet) -> None:
    """Print sheets with an empty line between them."""
    console = Console()
    for number, sheet in enumerate(sheets):
        if number:
            console.print()
        if console.is_terminal:
            console.print(drawn(sheet))
        else:
            # a file keeps what a terminal would break or cut off
            for line in plain_lines(sheet):
                print(line)  # noqa: T201 (rich would wrap it)


def duration_text(seconds: float | None) -> str:
    """Say a time in its two largest units; a dash where nobody knows it."""
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    if minutes < 1:
        return "< 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours:02d} h"
