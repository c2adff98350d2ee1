"""Where the answer of a command goes that draws nothing: a table on the terminal, JSON, CSV."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiida_rewire.cli.results.output import OPTIONS, Output, absolute

Command = TypeVar("Command", bound=Callable[..., Any])

OF_FIGURES = 2
"""So many of the first options of an answer are those of its figure."""


def table_options(command: Command) -> Command:
    """Give a command the options of an answer without a figure, as the argument ``output``; refused ones at once."""

    @functools.wraps(command)
    def with_output(*args: Any, csv_file: Path | None, force: bool, as_json: bool, **values: Any) -> Any:
        output = Output(csv=absolute(csv_file), force=force, as_json=as_json)
        output.check()
        return command(*args, output=output, **values)

    decorated: Any = with_output
    for option in reversed(OPTIONS[OF_FIGURES:]):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
