"""What every parser here does: read what came back, and end with an exit code where it is not good."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

FIRST_OF_PARSERS = 200
"""Exit statuses below are those that AiiDA and its schedulers give."""

LONGEST_DETAIL = 1000
"""Characters in a message of what a file says."""


def copy_object(folder: orm.FolderData, name: str, path: Path) -> None:
    """Copy a file out of a folder node, a piece at a time."""
    with folder.base.repository.open(name, "rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)


class RetrievedFilesParser(Parser):
    """A parser that reads files of any bytes and names its exit codes."""

    @cached_property
    def folder(self) -> orm.FolderData:
        """What was retrieved; looked up in the database once."""
        return self.retrieved

    @cached_property
    def file_names(self) -> frozenset[str]:
        """Names of the retrieved files."""
        return frozenset(self.folder.base.repository.list_object_names())

    def stdout(self) -> str | None:
        """Return what the code printed, None where the file is missing."""
        return self.text(self.node.get_option("output_filename"))

    def text(self, name: str) -> str | None:
        """Return a retrieved file, None where it is missing; bytes that are no text are replaced."""
        if name not in self.file_names:
            return None
        content: bytes = self.folder.base.repository.get_object_content(name, mode="rb")
        return content.decode("utf-8", errors="replace")

    def exit_code(self, key: str, **details: object) -> ExitCode:
        """Return an exit code of the process, its message filled in, and what the scheduler says of the job."""
        code: ExitCode = getattr(self.exit_codes, key)
        code = code.format(**{name: fit_for_message(detail) for name, detail in details.items()})
        # AiiDA notes the scheduler's own exit code on the node before it asks the parser, whose word it takes
        said = self.node.exit_status
        if said is None or not 0 < said < FIRST_OF_PARSERS:
            return code
        return ExitCode(code.status, f"{code.message}; the scheduler: {self.node.exit_message}")


def fit_for_message(detail: object) -> object:
    """Return what a file says as a database and a terminal can hold it; numbers as they are."""
    if isinstance(detail, (int, float)):
        return detail
    text = str(detail)
    kept = text[:LONGEST_DETAIL] + (" ..." if len(text) > LONGEST_DETAIL else "")
    return "".join(letter if letter.isprintable() else " " for letter in kept)
