"""Passwords: from a file that nobody else may read, or from a prompt; never from a command line."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from aiida_rewire.errors import InvalidInput

PASSWORD = re.compile(r"[!-~]{8,200}")
WHAT_IT_TAKES = "8 to 200 characters of ASCII without blanks"
LARGEST_BYTES = 100_000

passwords_option = click.option(
    "--passwords",
    "file",
    type=click.Path(path_type=Path),
    help="File with a line `NAME: PASSWORD` for each; it must be yours alone (chmod 600). Default: you are asked.",
)


def refuse_readable(path: Path, status: os.stat_result) -> None:
    """Refuse a file with secrets that others may read or change.

    Raises
    ------
    InvalidInput
        If it is not a file of this user's, or open to others.
    """
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput("file", path, "a file", "nothing else can be kept from others")
    if status.st_uid not in (os.geteuid(), 0):
        raise InvalidInput(
            "owner", f"UID {status.st_uid} of {path}", "you", "copy it, and change the passwords in it"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise InvalidInput("mode", f"{mode:03o} of {path}", "600: it holds passwords", f"chmod 600 {path}")


def read_passwords(path: Path) -> dict[str, str]:
    """Return the passwords of a file, by name.

    Raises
    ------
    InvalidInput
        If others may read it, or a line is none of a password; no message holds one.
    OSError
        If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        refuse_readable(path, os.fstat(descriptor))
        text = file.read(LARGEST_BYTES).decode("utf-8", errors="replace")
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, parted, password = (part.strip() for part in line.partition(":"))
        if not parted or not name or not PASSWORD.fullmatch(password):
            raise InvalidInput(
                f"line {number}", f"one of {path}", f"NAME: PASSWORD, of {WHAT_IT_TAKES}", "correct it"
            )
        found[name] = password
    return found


class Passwords:
    """Passwords by name.

    Parameters
    ----------
    known
        Those that a file holds; others are asked for, once.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)

    @classmethod
    def of_file(cls, path: Path | None) -> Passwords:
        """Return those of a file, if there is one."""
        return cls({} if path is None else read_passwords(path))

    def given(self, name: str) -> str | None:
        """Return a password that the file holds, or that was asked for."""
        return self._known.get(name)

    def of(self, name: str, what: str, *, new: bool) -> str:
        """Return a password; it is asked for if it is not known.

        Parameters
        ----------
        name
            In the file.
        what
            Whose it is, for people.
        new
            Whether it is chosen now, and so asked for twice.

        Raises
        ------
        InvalidInput
            If there is nobody to be asked, or it cannot be one.
        """
        if name in self._known:
            return self._known[name]
        if not sys.stdin.isatty():
            raise InvalidInput(
                f"password of {what}", "none", "given", f"put a line `{name}: ...` into the file of --passwords"
            )
        password: str = click.prompt(f"Password of {what}", hide_input=True, confirmation_prompt=new, err=True)
        if not PASSWORD.fullmatch(password):
            raise InvalidInput(f"password of {what}", "what you typed", WHAT_IT_TAKES, "choose another")
        self._known[name] = password
        return password
