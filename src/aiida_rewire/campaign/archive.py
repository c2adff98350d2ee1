"""A campaign as files for a data repository: an AiiDA archive, its table, and their checksums."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.campaign.members import add_members
from aiida_rewire.campaign.processes import living_of
from aiida_rewire.campaign.table import conductance_rows, description_of, write_csv, write_parquet
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

TABLES = ("csv", "parquet")

OWN_CHAINS_ALONE = {"call_calc_backward": False, "call_work_backward": False}
"""Of other campaigns, from which leads or contacts were taken over, the calculations go along, not the chains.

Data lead back to the tips without them, and what else those campaigns did may not be public, or may still run.
"""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files
        By what they are: archive, csv, parquet, description, checksums.
    rows
        Of the table.
    living
        Processes below the campaign that have not ended; while there are some there is no archive.
    """

    files: dict[str, Path]
    rows: int
    living: int


def export_campaign(
    group: orm.Group, folder: Path, *, tables: Collection[str] = TABLES, archive: bool = True
) -> Exported:
    """Write a campaign to a folder; a file that is there is replaced when its successor is complete.

    Parameters
    ----------
    group
        Of the campaign.
    folder
        Made if it is not there.
    tables
        ``csv``, ``parquet``.
    archive
        Also write the archive, if nothing of the campaign runs.

    Raises
    ------
    InvalidInput
        If a snapshot has two conductances, or a process has not ended that the archive needs.
    OSError
        If the files cannot be written.
    """
    rows = conductance_rows(group.label)
    living, _ = living_of(group.label)
    description = description_of(group.label, read_extras(group), rows)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    sums: dict[str, str] = {}

    @contextmanager
    def replacing(kind: str, suffix: str) -> Iterator[Path]:
        path = folder / f"{group.label}.{suffix}"
        with replaced(path) as partial:
            yield partial
            sums[path.name] = sha256_of(partial)
        files[kind] = path

    if archive and not living:
        with replacing("archive", "aiida") as path:
            write_archive(group, path)
    if "csv" in tables:
        with replacing("csv", "csv") as path, path.open("w", newline="", encoding="utf-8") as text:
            write_csv(rows, text)
    if "parquet" in tables:
        with replacing("parquet", "parquet") as path, path.open("wb") as binary:
            write_parquet(rows, description, binary)
    with replacing("description", "json") as path:
        path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    checksums = folder / f"{group.label}.sha256"
    with replaced(checksums) as path:
        path.write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), encoding="utf-8")
    return Exported({**files, "checksums": checksums}, len(rows), len(living))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the name of a file that takes the place of another once the block is left without an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_archive(group: orm.Group, path: Path) -> None:
    """Write the archive of a campaign: its chains, all below them, and all that went into those, back to the tips.

    Raises
    ------
    InvalidInput
        If it would hold a process that has not ended.
    """
    from aiida.tools.archive import create_archive
    from aiida.tools.archive.exceptions import ExportValidationError

    add_members(group, process_type=CHAIN_PROCESS)
    with quiet():
        try:
            create_archive([group], filename=path, overwrite=True, include_authinfos=False, **OWN_CHAINS_ALONE)
        except ExportValidationError as error:
            reason = " ".join(str(error).split())
            way_out = "wait for their end, or leave the archive out with --no-archive"
            raise InvalidInput("label", group.label, f"of processes that have ended ({reason})", way_out) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep AiiDA from telling of each step of an export or import."""
    log = logging.getLogger("aiida.export")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
