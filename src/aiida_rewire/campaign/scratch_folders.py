"""Folders of jobs on their computers: where they really are, how large they are, and their removal.

Paths reach a shell quoted, many in a command; the same commands go through a local transport and through SSH.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida.transports import Transport

MARK = "rewire-scratch"
"""Begins the lines that are answers: a login shell may print others."""

LONGEST_COMMAND = 60_000
"""Characters; Linux takes 131 072 in an argument."""

WHERE = f"""\
for path in {{paths}}; do
  if [ -L "$path" ]; then echo '{MARK} link'
  elif [ -d "$path" ]; then echo "{MARK} there $(cd -P -- "$path" && pwd -P)"
  elif [ -e "$path" ]; then echo '{MARK} file'
  else echo '{MARK} gone'
  fi
done"""

SIZES = "du -s -k -- {paths} 2>/dev/null"


class State(StrEnum):
    """What is at a path."""

    THERE = "there"
    GONE = "gone"
    STRANGE = "strange"


@dataclass(frozen=True)
class WorkDirectory:
    """Where a computer keeps its jobs.

    Attributes
    ----------
    path
        As AiiDA writes it before the names of jobs.
    real
        The same, links resolved.
    """

    path: str
    real: str


@contextmanager
def opened(computer: int, user: int) -> Iterator[tuple[Transport, WorkDirectory]]:
    """Open a computer by the account of a user.

    Parameters
    ----------
    computer, user
        PKs.

    Raises
    ------
    InvalidInput
        If its work directory is not there: all folders would seem to be gone.
    AiidaException, OSError
        If it is not configured for the user, or does not answer.
    """
    from aiida import orm

    node = orm.load_computer(computer)
    account = orm.User.collection.get(id=user)
    with node.get_authinfo(account).get_transport() as transport:
        path = node.get_workdir().format(username=transport.whoami())
        state, real = ask_where(transport, [path])[0]
        if state == "link":
            # the work directory itself may be one
            state, real = ask_where(transport, [f"{path}/."])[0]
        if state != "there" or not PurePosixPath(path).is_absolute():
            raise InvalidInput("work directory", path, f"a folder of {node.label} that is there", "mount it")
        yield transport, WorkDirectory(str(PurePosixPath(path)), real)


def ask_where(transport: Transport, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Return of each path what is there (link, there, file, gone), and where a folder really is.

    Raises
    ------
    OSError
        If the computer's shell does not answer for each.
    """
    found: list[tuple[str, str]] = []
    for some in in_commands(paths):
        lines = run(transport, WHERE.format(paths=quoted(some)))
        answers = [line.removeprefix(f"{MARK} ") for line in lines if line.startswith(f"{MARK} ")]
        if len(answers) != len(some):
            raise OSError(f"{len(answers)} answers of the shell for {len(some)} folders")
        for answer in answers:
            state, _, real = answer.partition(" ")
            found.append((state, real))
    return found


def states_of(transport: Transport, work: WorkDirectory, paths: Sequence[str]) -> dict[str, State]:
    """Return what is at these paths; strange is all that is not a folder below the work directory itself.

    A link on the way leads elsewhere, and so does a path with ``..``: neither is followed.

    Parameters
    ----------
    transport
        An open one.
    work
        The computer's work directory.
    paths
        Without doubled or trailing slashes.
    """
    below = {path: inner for path in paths if (inner := part_below(path, work)) is not None}
    found = dict.fromkeys(paths, State.STRANGE)
    for path, (state, real) in zip(below, ask_where(transport, list(below)), strict=True):
        expected = str(PurePosixPath(work.real) / below[path])
        if state == "gone":
            found[path] = State.GONE
        elif state == "there" and real == expected:
            found[path] = State.THERE
    return found


def part_below(path: str, work: WorkDirectory) -> PurePosixPath | None:
    """Return the part of a path below the work directory, by its name; None if it is none, or fits on no line."""
    parts = PurePosixPath(path)
    if ".." in parts.parts or not path.isprintable():
        return None
    for top in (work.path, work.real):
        if parts.is_relative_to(top) and parts != PurePosixPath(top):
            return parts.relative_to(top)
    return None


def sizes_of(transport: Transport, paths: Sequence[str]) -> dict[str, int]:
    """Return how much room folders take on the disk, bytes; those of which nothing is known are left out.

    Parameters
    ----------
    transport
        An open one.
    paths
        Of folders that are there.
    """
    found: dict[str, int] = {}
    for some in in_commands(paths):
        wanted = set(some)
        for line in run(transport, SIZES.format(paths=quoted(some))):
            size, _, path = line.partition("\t")
            if path in wanted and size.isdecimal():
                found[path] = int(size) * 1024
    return found


def run(transport: Any, command: str) -> list[str]:
    """Return the lines that a command prints."""
    _, output, _ = transport.exec_command_wait(command)
    lines: list[str] = output.splitlines()
    return lines


def quoted(paths: Sequence[str]) -> str:
    """Return paths as words of a shell."""
    return " ".join(map(shlex.quote, paths))


def in_commands(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield as many paths at a time as a command takes."""
    some: list[str] = []
    length = 0
    for path in paths:
        size = len(shlex.quote(path).encode()) + 1
        if some and length + size > LONGEST_COMMAND:
            yield some
            some, length = [], 0
        some.append(path)
        length += size
    if some:
        yield some
