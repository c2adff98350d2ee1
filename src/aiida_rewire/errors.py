"""The error that a wrong input raises, everywhere in the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class InvalidInput(ValueError):
    """An input outside the bounds within which a result would mean anything.

    Parameters
    ----------
    name
        The input as the user knows it.
    value
        What was given, with its unit where it has one.
    bound
        What it must satisfy.
    way_out
        What the user can do about it.
    """

    def __init__(self, name: str, value: object, bound: str, way_out: str) -> None:
        super().__init__(f"{name} = {value}: must be {bound}; {way_out}")
        self.name = name
        self.value = value
        self.bound = bound
        self.way_out = way_out


@contextmanager
def known_as(names: Mapping[str, str]) -> Iterator[None]:
    """Name inputs as who gave them knows them: by the options of a command, or a function's own arguments.

    Parameters
    ----------
    names
        By the names that errors of the body give to inputs; others stay.

    Raises
    ------
    InvalidInput
        In the place of one from the body, under its name here.
    """
    try:
        yield
    except InvalidInput as error:
        if error.name not in names:
            raise
        raise InvalidInput(names[error.name], error.value, error.bound, error.way_out) from error
