"""Upkeep of a profile: files into packs, what nobody owns away, the database vacuumed.

What AiiDA does while a profile is in use deletes each file that no node owns. A node's files are there a moment
before the node is: one that is being stored just then would lose them. So here nothing is deleted but in the full
upkeep, for which nobody else may use the profile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from aiida_rewire.database.others import alone_in
from aiida_rewire.database.storage import Storage, upkeep

LOCK_TIMEOUT_S = 60


@dataclass(frozen=True)
class Upkeep:
    """What upkeep found and did.

    Attributes
    ----------
    packed, packed_bytes
        Files that went into packs.
    deleted
        Files that no node owned; None if it was not looked for them.
    database_before, database_after
        Bytes on the disk.
    repository_before, repository_after
        The same.
    """

    packed: int
    packed_bytes: int
    deleted: int | None
    database_before: int
    database_after: int
    repository_before: int
    repository_after: int


def maintain(storage: Storage, *, full: bool, dry_run: bool, tell: Callable[[str], None]) -> Upkeep:
    """Tidy a profile.

    Parameters
    ----------
    storage
        Of the profile.
    full
        Also delete files that no node owns, write packs anew, and give space back that deletion left; nobody else may
        use the profile.
    dry_run
        Look, and change nothing.
    tell
        Told of each step.

    Raises
    ------
    InvalidInput
        If other upkeep or a backup goes on, or in full upkeep somebody uses the profile.
    """
    from aiida.manage import get_manager

    with upkeep(storage), alone_in(storage, "leave out --full") if full else contextlib.nullcontext():
        database, repository, loose, loose_bytes = measured(storage)
        files = get_manager().get_profile_storage().get_repository()
        unowned = sorted(set(files.list_objects()) - storage.owned()) if full else None
        if not dry_run:
            if unowned:
                tell(f"deleting {len(unowned)} files that belong to no node ...")
                files.delete_objects(unowned)
            tell("packing files ...")
            files.maintain(live=not full)
            storage.session.rollback()
            tell("vacuuming the database ...")
            vacuum(storage, full=full)
        after = measured(storage)
        storage.session.rollback()
    return Upkeep(
        loose, loose_bytes, None if unowned is None else len(unowned), database, after[0], repository, after[1]
    )


def measured(storage: Storage) -> tuple[int, int, int, int]:
    """Return bytes of database and repository on the disk, and number and bytes of loose files."""
    from aiida_rewire.database.size import on_disk

    with storage.files() as container:
        total, loose = container.get_total_size(), container.count_objects().loose
    packs = total.total_size_packfiles_on_disk + total.total_size_packindexes_on_disk
    return on_disk(storage), int(packs + total.total_size_loose), int(loose), int(total.total_size_loose)


def vacuum(storage: Storage, *, full: bool) -> None:
    """Let the database use again what was deleted, and learn how its values are distributed.

    PostgreSQL does the first beside others. SQLite would keep others out: there it is done in full upkeep alone.
    """
    from sqlalchemy import text

    if storage.is_postgresql:
        with storage.connection() as connection:
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S:d}s'"))
            connection.execute(text("VACUUM (ANALYZE)"))
        return
    engine = storage.session.get_bind()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:  # type: ignore[union-attr]
        if full:
            connection.execute(text("VACUUM"))
        connection.execute(text("ANALYZE"))
