"""A YAML file against its model: what is wrong with it, all at once, each with its line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aiida_rewire.campaign.source import BadSource, Place, Problem, Source, parse, read_text
from aiida_rewire.campaign.wording import problems_of

ROUNDS = 5

LEAVE_OUT = object()
"""What stands in for a value that may be left out."""

Model = TypeVar("Model", bound=BaseModel)


class FileErrors(ValueError):
    """What is wrong with a file, all of it.

    Attributes
    ----------
    errors
        A line for each: ``FILE:LINE: field.path = value: must be bound; way out``.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def source_in(path: Path, written_by: str) -> Source:
    """Read a file that holds a mapping.

    Parameters
    ----------
    path
        Of the file.
    written_by
        The command that writes one.

    Raises
    ------
    FileErrors
        If it cannot be read at all.
    """
    # a name may hold anything, a line of a message may not
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        text = read_text(path)
    except BadSource as error:
        raise FileErrors([f"{name}:{error.line}: {error}"]) from error
    except OSError as error:
        raise FileErrors(
            [f"{name}:1: cannot be read: {error.strerror or error}; `{written_by}` writes one"]
        ) from error
    return source_of(text, name, written_by)


def source_of(text: str, name: str, written_by: str) -> Source:
    """Read a text that holds a mapping.

    Parameters
    ----------
    text
        Of the file.
    name
        Of the file, for messages.
    written_by
        The command that writes one.

    Raises
    ------
    FileErrors
        If it cannot be read at all.
    """
    try:
        source = parse(text, name)
    except BadSource as error:
        raise FileErrors([f"{name}:{error.line}: {error}"]) from error
    if not isinstance(source.values, dict):
        kind = "empty" if source.values is None else "no mapping"
        raise FileErrors([f"{name}:1: the file is {kind}; `{written_by}` writes one"])
    return source


def validated(
    model: type[Model], values: dict[str, Any], stand_in: Callable[[Place], Any]
) -> tuple[Model | None, list[Problem]]:
    """Return what values mean, mended where they are wrong, and what is wrong with them.

    Parameters
    ----------
    model
        Of the file.
    values
        Plain ones; left as they are.
    stand_in
        Something harmless for a place whose value is wrong, so that the others are checked all the same; `LEAVE_OUT`
        for a place that may be empty.
    """
    problems: list[Problem] = []
    tried = copy.deepcopy(values)
    for _ in range(ROUNDS):
        try:
            return model.model_validate(tried), problems
        except ValidationError as error:
            found = problems_of(error, tried, model)
            problems += found
            for problem in found:
                _mend(tried, problem.place, stand_in)
    return None, problems


def _mend(values: Any, place: Place, stand_in: Callable[[Place], Any]) -> None:
    """Take a value out, or put its stand-in there."""
    *above, last = place or ("",)
    for part in above:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return
    mended = stand_in(place)
    if isinstance(values, dict):
        if mended is LEAVE_OUT:
            values.pop(last, None)
        else:
            values[last] = copy.deepcopy(mended)
    elif isinstance(values, list) and isinstance(last, int) and last < len(values):
        values[last] = None if mended is LEAVE_OUT else mended
