"""The lines of outputs and logs that decide why a job failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida import orm

MOST_LINES = 6
LONGEST_LINE = 160
HEAD_BYTES, TAIL_BYTES = 64 * 1024, 256 * 1024
"""What is read of a file: programs say what stops them at the end, schedulers what they refuse at the beginning."""

MOST_FILES = 16
READ = re.compile(r"_scheduler-(stderr|stdout)\.txt|CRASH|log\.\w+|.*\.(out|log|err)")
"""Names of files in which programs and schedulers say what happened."""

LAST_WORDS = 2
"""Lines that are shown of an output in which nothing decides."""

FENCE = re.compile(r"%{8,}")
"""Quantum ESPRESSO writes an error between two lines of these."""

RANKS = (
    # whoever ended the job from outside, and the machine
    r"slurmstepd|DUE TO TIME LIMIT|oom[-_ ]kill|out of memory|exceeded.*memory limit|=>> PBS: job killed"
    r"|no space left on device|disk quota exceeded|stale file handle|input/output error",
    # programs
    r"error in routine|^\s*ERROR\b|ERROR on proc|convergence (NOT achieved|failed)|maximum CPU time exceeded"
    r"|^rewire: out of time|fortran runtime error|forrtl: severe|At line \d+ of file",
    # what they could not begin with
    r"command not found|error while loading shared libraries|permission denied|no such file or directory"
    r"|cannot open shared object|unable to locate a modulefile|^sbatch: error|^srun: error",
    r"segmentation fault|bus error|illegal instruction|floating point exception|\bkilled\b|\baborted\b"
    r"|MPI_ABORT|mpirun (noticed|has exited)|BAD TERMINATION|^\w+(\.\w+)*(Error|Exception|Interrupt)\b",
)
"""Patterns, the most decisive first."""

COMPILED = tuple(re.compile(pattern, re.IGNORECASE) for pattern in RANKS)
ERROR_BLOCK_RANK = 1
UNPRINTABLE = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Sequences and characters that would steer a terminal."""


@dataclass(frozen=True)
class Line:
    """A line, and the file or the report in which it stands."""

    source: str
    text: str


@dataclass(frozen=True)
class _Found:
    rank: int
    position: int
    line: Line


def cleaned(text: str) -> str:
    """Return a line as it may be shown: nothing that steers a terminal, blanks as one, not too long."""
    line = " ".join(UNPRINTABLE.sub("", text).split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..."


def decisive_lines(texts: Iterable[tuple[str, str]]) -> tuple[Line, ...]:
    """Return the lines that decide, in the order in which they stand, the most decisive where there are too many.

    Parameters
    ----------
    texts
        Names of files, and what is in them.
    """
    found: list[_Found] = []
    words: list[Line] = []
    said: set[str] = set()
    position = 0
    for source, text in texts:
        last = [line for line in map(cleaned, text.splitlines()) if line][-LAST_WORDS:]
        words += [Line(source, line) for line in last]
        for rank, line in ranked(text):
            position += 1
            if line not in said:
                said.add(line)
                found.append(_Found(rank, position, Line(source, line)))
    # of equal rank the last ones: what was said first may have been mended
    best = sorted(found, key=lambda one: (one.rank, -one.position))[:MOST_LINES]
    chosen = [one.line for one in sorted(best, key=lambda one: one.position)]
    return tuple(chosen or words[:MOST_LINES])


def ranked(text: str) -> Iterator[tuple[int, str]]:
    """Yield the decisive lines of a text with their ranks, 0 the most decisive."""
    left_of_block = 0
    for raw in text.splitlines():
        line = cleaned(raw)
        if FENCE.search(line):
            # a block that was cut off has no second fence
            left_of_block = 0 if left_of_block else MOST_LINES
            continue
        if not line:
            continue
        rank = next((number for number, pattern in enumerate(COMPILED) if pattern.search(line)), None)
        if rank is None and left_of_block:
            rank = ERROR_BLOCK_RANK
        left_of_block = max(left_of_block - 1, 0)
        if rank is not None:
            yield rank, line


def texts_of(retrieved: orm.FolderData) -> Iterator[tuple[str, str]]:
    """Yield names and contents of the files in which a job says what happened; of long ones beginning and end."""
    from aiida.repository import FileType

    objects = retrieved.base.repository.list_objects()
    names = [item.name for item in objects if item.file_type is FileType.FILE and READ.fullmatch(item.name)]
    # what the scheduler says comes first
    names.sort(key=lambda name: (not name.startswith("_scheduler"), name))
    for name in names[:MOST_FILES]:
        with retrieved.base.repository.open(name, "rb") as handle:
            yield name, ends_of(handle).decode("utf-8", errors="replace")


def ends_of(handle: Any) -> bytes:
    """Return what a file holds; of a long one its beginning and its end."""
    size = handle.seek(0, 2)
    handle.seek(0)
    if size <= HEAD_BYTES + TAIL_BYTES:
        content: bytes = handle.read()
        return content
    head = handle.read(HEAD_BYTES)
    handle.seek(size - TAIL_BYTES)
    both: bytes = head + b"\n" + handle.read()
    return both
