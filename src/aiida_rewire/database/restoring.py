"""A backup put into a new profile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiida_rewire.database import dump
from aiida_rewire.database.backup import Record, backup_in, missing_in
from aiida_rewire.database.others import alone_in
from aiida_rewire.database.queries import fetch
from aiida_rewire.database.storage import CONTAINER, Storage, upkeep
from aiida_rewire.errors import InvalidInput

COPYING = f"{CONTAINER}.restoring"


def restore(storage: Storage, folder: Path, tell: Callable[[str], None]) -> tuple[Path, Record]:
    """Put a backup into a profile that is empty and that nobody else uses; the storage is closed afterwards.

    Parameters
    ----------
    storage
        Of the profile.
    folder
        Of a backup, or of backups, of which the latest is taken.
    tell
        Told of each step.

    Returns
    -------
    Folder of the backup, and its record.

    Raises
    ------
    InvalidInput
        If the profile is not empty, used by others or of the other database, or the backup is none.
    """
    from aiida.manage import get_manager

    backup, record = backup_in(folder.absolute())
    if record.database != storage.dialect:
        raise InvalidInput(
            "profile",
            f"{storage.name} on {storage.dialect}",
            f"one on {record.database}, as the backup is",
            "between the two, data go as archives: `aiida-rewire campaign export`, `verdi archive create`",
        )
    if storage.is_postgresql:
        dump.program("pg_restore")
    with upkeep(storage):
        refuse_filled(storage)
        with alone_in(storage):
            copy = storage.container.with_name(COPYING)
            shutil.rmtree(copy, ignore_errors=True)
            tell(f"copying {record.files} files ...")
            shutil.copytree(backup / CONTAINER, copy)
            tell("restoring the database ...")
            get_manager().reset_profile_storage()
            # from here on, what there was is gone: it was empty
            dump.restore(storage, backup)
            shutil.rmtree(storage.container)
            copy.rename(storage.container)
    return backup, record


def refuse_filled(storage: Storage) -> None:
    """Refuse a profile with data.

    Raises
    ------
    InvalidInput
        If it has any.
    """
    nodes = int(fetch(storage.session, "SELECT count(*) FROM db_dbnode", {})[0][0])
    groups = int(fetch(storage.session, "SELECT count(*) FROM db_dbgroup", {})[0][0])
    if nodes or groups:
        raise InvalidInput(
            "profile",
            f"{storage.name} with {nodes} nodes and {groups} groups",
            "empty: a backup takes the place of all that is there",
            "make a new one with `verdi profile setup`",
        )


@dataclass(frozen=True)
class Standing:
    """What a profile is after a restore.

    Attributes
    ----------
    complete
        Whether all is there that the backup has; None if AiiDA must migrate it first.
    missing
        What is not, in words.
    stranger
        Address of the profile's user, if the database does not know it.
    """

    complete: bool | None
    missing: list[str]
    stranger: str | None

    def lines(self, profile: str) -> list[str]:
        """Say it."""
        if self.complete is None:
            return [f"its schema is older than this AiiDA's: `verdi -p {profile} storage migrate`"]
        found = ["all is there"] if self.complete else [f"not as in the backup: {one}" for one in self.missing]
        if self.stranger is not None:
            found.append(f"{self.stranger} is no user there: `verdi -p {profile} user set-default ADDRESS`")
        return found


def standing_of(storage: Storage, record: Record) -> Standing:
    """Open a restored profile and compare it with what its backup says.

    Parameters
    ----------
    storage
        As it was given to `restore`.
    record
        Of the backup.
    """
    from aiida import orm
    from aiida.common.exceptions import IncompatibleStorageSchema
    from aiida.manage import get_manager

    try:
        get_manager().get_profile_storage()
    except IncompatibleStorageSchema:
        return Standing(None, [], None)
    there = Storage.of_profile()
    content = dump.content_of(there.session.connection(), there.dialect)
    missing = [
        f"{content.counts[name]} {name}, not {count}"
        for name, count in record.counts.items()
        if content.counts[name] != count
    ]
    with there.files() as container:
        lost = missing_in(content.keys, container.has_objects)
    if lost:
        missing.append(f"{len(lost)} files, {lost[0]} the first")
    there.session.rollback()
    address = get_manager().get_profile_storage().profile.default_user_email
    known = orm.QueryBuilder().append(orm.User, filters={"email": address}).count()
    return Standing(not missing, missing, None if known else address)
