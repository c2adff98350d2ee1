"""Backups of a profile: its database and its files, such that each file that the database names is there.

The files are copied by disk-objectstore's own backup, which knows in what order a container in use is read, and links
what the backup before has already. Around it AiiDA's backup does what is not wanted here. It tidies the repository
first, which deletes each file that no node owns: a node that is being stored at that moment loses its files. It
copies SQLite as a file while it is written to, and after the files instead of before. It writes the database's
password.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiida_rewire.database.dump import FILES, Content, dump, program
from aiida_rewire.database.storage import CONTAINER, Storage, upkeep
from aiida_rewire.database.tables import batched
from aiida_rewire.errors import InvalidInput

RECORD = "backup.json"
"""In a folder of backups, and in each of them."""

LIVE = "live-backup"
"""What disk-objectstore calls a backup that is not finished."""

UNFINISHED = "sandbox"
"""Where disk-objectstore writes a file before it is one of the repository."""


@dataclass(frozen=True)
class Record:
    """What a backup says of itself.

    Attributes
    ----------
    repository
        UUID of the file repository: of which database it is.
    profile, backend, database
        Name of the profile and of its storage's plugin, and ``postgresql`` or ``sqlite``.
    schema, aiida
        Versions.
    began
        As of when the database is (ISO 8601).
    counts, files
        Rows of the main tables, and how many files the nodes own.
    """

    repository: str
    profile: str
    backend: str
    database: str
    schema: str
    aiida: str
    began: str
    counts: dict[str, int]
    files: int

    @classmethod
    def read(cls, file: Path) -> Record:
        """Read a record.

        Raises
        ------
        InvalidInput
            If there is none.
        """
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return cls(**{name: found[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                "folder",
                file.parent,
                f"a finished backup, with a readable {RECORD}",
                "`aiida-rewire database backup` makes them; what is called live-backup was not finished",
            ) from error

    def write(self, file: Path) -> None:
        """Write it."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def back_up(storage: Storage, folder: Path, *, keep: int | None, tell: Callable[[str], None]) -> tuple[Path, Record]:
    """Make a backup in a folder of backups; the profile may be in use.

    Parameters
    ----------
    storage
        Of the profile.
    folder
        Of this profile's backups; it is made if it is not there.
    keep
        So many older ones stay; all by default.
    tell
        Told of each step.

    Returns
    -------
    Folder of the backup, and its record.

    Raises
    ------
    InvalidInput
        If the folder cannot hold it, a program fails, or a file that the database names is not in the repository.
    """
    from aiida import __version__
    from disk_objectstore import backup_utils

    program("rsync")
    if storage.is_postgresql:
        program("pg_dump")
    folder = folder.absolute()
    refuse_place(storage, folder)
    with storage.files() as container:
        repository = container.container_id
    with private_files(), upkeep(storage):
        refuse_others(folder, repository)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / LIVE, ignore_errors=True)
        manager = manager_of(folder, keep)

        def make(live: Path, before: Path | None) -> None:
            live.mkdir()
            began = datetime.now(UTC).isoformat(timespec="seconds")
            tell("copying the database ...")
            # first: files only grow, so that what it names is there when they are copied
            content = dump(storage, live)
            tell(f"copying {len(content.keys)} files ...")
            with storage.files() as container:
                backup_utils.backup_container(
                    manager, container, live / CONTAINER, None if before is None else before / CONTAINER
                )
            refuse_incomplete(live / CONTAINER, content)
            record = Record(
                repository=repository,
                profile=storage.name,
                backend=storage.backend,
                database=storage.dialect,
                schema=content.schema,
                aiida=__version__,
                began=began,
                counts=content.counts,
                files=len(content.keys),
            )
            record.write(live / RECORD)

        (folder / RECORD).write_text(json.dumps({"repository": repository}) + "\n", encoding="utf-8")
        try:
            manager.backup_auto_folders(make)
        except backup_utils.BackupError as error:
            raise InvalidInput("folder", folder, f"one that rsync can write to ({error})", "see its disk") from error
    return backup_in(folder)


def manager_of(folder: Path, keep: int | None) -> Any:
    """Return disk-objectstore's manager of a folder of backups, which leaves out files that are being written.

    They are in a folder of their own until they are whole, and vanish from it while rsync reads it, which then fails.
    """
    from disk_objectstore.backup_utils import BackupManager

    class Manager(BackupManager):
        def call_rsync(
            self,
            src: Path,
            dest: Path,
            link_dest: Path | None = None,
            src_trailing_slash: bool = False,
            dest_trailing_slash: bool = False,
            extra_args: list[str] | None = None,
        ) -> None:
            some = [*(extra_args or []), f"--exclude={UNFINISHED}/*"]
            super().call_rsync(src, dest, link_dest, src_trailing_slash, dest_trailing_slash, some)

    return Manager(str(folder), keep=keep)


def refuse_place(storage: Storage, folder: Path) -> None:
    """Refuse a folder that cannot be one of backups.

    Raises
    ------
    InvalidInput
        If it is none, or lies within what is to be copied.
    """
    if ":" in str(folder):
        raise InvalidInput(
            "folder", folder, "a local one, without ':' in its path", "copy finished backups to other hosts by rsync"
        )
    if folder.exists() and not folder.is_dir():
        raise InvalidInput("folder", folder, "a folder", "choose another")
    inside = [storage.container.parent]
    if any(folder.resolve().is_relative_to(place.resolve()) for place in inside):
        raise InvalidInput("folder", folder, f"outside of {storage.container.parent}", "choose one on another disk")


def refuse_others(folder: Path, repository: str) -> None:
    """Refuse a folder that holds something else than backups of this profile.

    Raises
    ------
    InvalidInput
        If it does.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        whose = json.loads((folder / RECORD).read_text(encoding="utf-8"))["repository"]
    except (OSError, ValueError, KeyError, TypeError):
        whose = None
    if whose != repository:
        raise InvalidInput(
            "folder", folder, "empty, or one of backups of this profile", "give each profile a folder of its own"
        )


def refuse_incomplete(folder: Path, content: Content) -> None:
    """Refuse a copy of a repository that lacks files which the database names.

    Raises
    ------
    InvalidInput
        If it does.
    """
    from disk_objectstore import Container

    with Container(folder) as container:
        missing = missing_in(content.keys, container.has_objects)
    if missing:
        raise InvalidInput(
            "files of nodes",
            f"{len(missing)} of {len(content.keys)}, {missing[0]} the first",
            "in the repository, and are not",
            "if `verdi storage maintain` ran meanwhile try again; else the database has lost files",
        )


def missing_in(keys: Iterable[str], has: Callable[[list[str]], list[bool]]) -> list[str]:
    """Return the keys of files that are not there."""
    missing = []
    for some in batched(sorted(keys)):
        missing += [key for key, there in zip(some, has(list(some)), strict=True) if not there]
    return missing


def backup_in(folder: Path) -> tuple[Path, Record]:
    """Return a backup and its record; of a folder of backups the latest.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    if not (folder / CONTAINER).is_dir():
        made = sorted(path for path in folder.glob("backup_*_*") if (path / RECORD).is_file())
        folder = made[-1] if made else folder
    record = Record.read(folder / RECORD)
    if record.database not in FILES or not (folder / FILES[record.database]).is_file():
        raise InvalidInput("folder", folder, "a backup with its database", "choose another backup")
    return folder, record


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Let files that are made in a block be read by their owner alone: a database holds all that people wrote."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
