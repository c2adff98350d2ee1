"""Where the answer of a command goes: a table on the terminal, JSON, CSV, a figure with its caption."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiida_rewire.cli.campaign.opening import json_option, say, say_aside
from aiida_rewire.cli.campaign.showing import Sheet, show
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.report.caption import Caption

Command = TypeVar("Command", bound=Callable[..., Any])

STDOUT = "-"

WIDTHS = ("single", "double")

OPTIONS = (
    click.option(
        "-o",
        "--output",
        "figure",
        type=click.Path(path_type=Path),
        metavar="FIGURE",
        help="Draw into this file; its ending, .png, .svg or .pdf, is the format. A caption is written beside it.",
    ),
    click.option(
        "--width",
        type=click.Choice(WIDTHS),
        default="single",
        show_default=True,
        help="Column of a journal that the figure is as wide as: 89 or 183 mm.",
    ),
    click.option(
        "--csv",
        "csv_file",
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="FILE",
        help="Write the numbers as CSV; - is standard output.",
    ),
    click.option("--force", is_flag=True, help="Replace files that are there."),
    json_option,
)


@dataclass(frozen=True)
class Output:
    """Where the answer of a command goes.

    Attributes
    ----------
    figure
        File to draw into.
    width
        ``single`` or ``double``: column of a journal.
    csv
        File for the numbers; ``-`` is standard output.
    force
        Whether files that are there may be replaced.
    as_json
        Whether to print JSON.
    """

    figure: Path | None = None
    width: str = "single"
    csv: Path | None = None
    force: bool = False
    as_json: bool = False

    @property
    def csv_printed(self) -> bool:
        """Whether CSV goes to standard output."""
        return self.csv is not None and str(self.csv) == STDOUT

    def check(self) -> None:
        """Refuse what could not be written, before anything is asked for or computed.

        Raises
        ------
        DemoFailure
            If it could not.
        """
        from aiida_rewire.errors import InvalidInput
        from aiida_rewire.report.saving import check_figure_path, check_new

        if self.as_json and self.csv_printed:
            raise DemoFailure("--json and --csv -: must not both go to standard output; give --csv a file")
        try:
            if self.csv is not None and not self.csv_printed:
                check_new(self.csv, "csv", replace=self.force)
            if self.figure is not None:
                check_figure_path(self.figure, replace=self.force)
        except InvalidInput as error:
            raise DemoFailure(str(error)) from error


@dataclass(frozen=True)
class Answer:
    """What a command found, for all the ways in which it may be told.

    Attributes
    ----------
    values
        For --json, or what makes them: plain values, NumPy's and None; a NaN becomes null.
    sheets
        For people.
    columns, rows
        For --csv: names with their units, and cells; None and NaN are left empty.
    draw
        Draws the figure, within the style of a journal; None if there is none to draw.
    caption
        Makes its caption.
    """

    values: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    sheets: Sequence[Sheet]
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    draw: Callable[[], Figure] | None = None
    caption: Callable[[], Caption] | None = None


def output_options(command: Command) -> Command:
    """Give a command the options that say where its answer goes, as the argument ``output``; refused ones at once."""

    @functools.wraps(command)
    def with_output(
        *args: Any, figure: Path | None, width: str, csv_file: Path | None, force: bool, as_json: bool, **values: Any
    ) -> Any:
        # the profile of --directory is looked for from here, and so are files
        output = Output(absolute(figure), width, absolute(csv_file), force, as_json)
        output.check()
        return command(*args, output=output, **values)

    decorated: Any = with_output
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def absolute(path: Path | None) -> Path | None:
    """Return a path that stays the same when the working directory changes."""
    return path if path is None or str(path) == STDOUT else path.absolute()


def give(answer: Answer, output: Output) -> None:
    """Write the files that were asked for, and print the answer as it was asked for.

    Raises
    ------
    InvalidInput
        If a file cannot be written.
    """
    from aiida_rewire.cli.results.typed import typed_command
    from aiida_rewire.report.saving import save_figure, write_whole
    from aiida_rewire.report.style import journal_style

    written: list[Path] = []
    if output.csv is not None:
        text = csv_text(answer.columns, answer.rows)
        if output.csv_printed:
            click.echo(text, nl=False)
        else:
            write_whole(output.csv, lambda partial: _write_bytes(partial, text.encode()))
            written.append(output.csv)
    if output.figure is not None and answer.draw is not None:
        caption = None if answer.caption is None else replace(answer.caption(), command=typed_command())
        with journal_style():
            written += save_figure(answer.draw(), output.figure, caption, replace=output.force)
    if output.as_json:
        values = answer.values() if callable(answer.values) else answer.values
        files = [str(path) for path in written]
        click.echo(json.dumps(json_ready({**values, "files": files}), indent=2, allow_nan=False))
        return
    if not output.csv_printed:
        show(*answer.sheets)
    tell = say_aside if output.csv_printed else say
    for path in written:
        tell(f"wrote {path}")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as RFC 4180 has it: a line of names, CRLF, missing values empty, floats to their last digit."""
    handle = io.StringIO(newline="")
    writer = csv.writer(handle, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return handle.getvalue()


def json_ready(value: Any) -> Any:
    """Return a value as JSON has it: arrays as lists, numbers of NumPy as plain ones, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(one) for key, one in value.items()}
    if hasattr(value, "tolist"):
        return json_ready(value.tolist())
    if isinstance(value, (list, tuple)):
        return [json_ready(one) for one in value]
    if isinstance(value, Enum):
        return json_ready(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def _cell(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
