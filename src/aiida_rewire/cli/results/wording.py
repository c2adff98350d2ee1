"""Numbers of things, and texts of labels, in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """Return a number of things: 1 point, 2 points."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return a text in one line of letters that a terminal draws."""
    return text if text.isprintable() else repr(text)
