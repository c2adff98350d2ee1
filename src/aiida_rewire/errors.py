"""The error that a wrong input raises, everywhere in the project."""

from __future__ import annotations


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
