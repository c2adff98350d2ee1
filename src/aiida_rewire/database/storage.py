"""Where the loaded profile keeps its data: a database, and a container of files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.lock import lock_of
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from disk_objectstore import Container
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

UPKEEP = "rewire-upkeep"
"""Name of the lock of what copies or tidies the whole of a database."""

DATABASE_FILE = "database.sqlite"
CONTAINER = "container"

POSTGRESQL, SQLITE = "postgresql", "sqlite"

KEYS = {
    POSTGRESQL: (
        "CROSS JOIN LATERAL jsonb_path_query(node.repository_metadata, '$.**.k') AS found(value)"
        " WHERE jsonb_typeof(found.value) = 'string'",
        "(found.value #>> '{}')",
    ),
    SQLITE: (
        "CROSS JOIN json_tree(node.repository_metadata) AS found WHERE found.key = 'k' AND found.type = 'text'",
        "found.value",
    ),
}
"""By database: how the keys of the files of nodes are found, and a key."""


@dataclass(frozen=True)
class Storage:
    """What the loaded profile keeps its data in.

    Attributes
    ----------
    name
        Of the profile.
    backend
        Name of the storage's plugin.
    configuration
        Of the storage; holds a password.
    session
        Of the database.
    container
        Folder of the file repository.
    """

    name: str
    backend: str
    configuration: dict[str, Any]
    session: Session
    container: Path

    @classmethod
    def of_profile(cls) -> Storage:
        """Return that of the loaded profile.

        Raises
        ------
        InvalidInput
            If it is an archive or of an unknown kind.
        """
        from aiida.manage import get_manager

        storage = get_manager().get_profile_storage()
        profile = storage.profile
        configuration = dict(profile.storage_config)
        if "repository_uri" in configuration:
            from aiida.storage.psql_dos.backend import get_filepath_container

            container = Path(get_filepath_container(profile))
        elif (Path(str(configuration.get("filepath", ""))) / CONTAINER).is_dir():
            container = Path(configuration["filepath"]) / CONTAINER
        else:
            raise InvalidInput(
                "profile",
                f"{profile.name} on {profile.storage_backend}",
                "one on PostgreSQL or SQLite with a repository of its own",
                "choose another with --profile",
            )
        return cls(profile.name, profile.storage_backend, configuration, storage.get_session(), container)

    @property
    def dialect(self) -> str:
        """Which database it is: ``postgresql`` or ``sqlite``."""
        return str(self.session.get_bind().dialect.name)

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL."""
        return self.dialect == POSTGRESQL

    @property
    def database_file(self) -> Path:
        """The database, if it is SQLite."""
        return Path(self.configuration["filepath"]) / DATABASE_FILE

    def owned(self) -> set[str]:
        """Return the keys of all files that nodes own."""
        from sqlalchemy import text

        found, key = KEYS[self.dialect]
        rows = self.session.execute(text(f"SELECT DISTINCT {key} FROM db_dbnode AS node {found}"))  # noqa: S608
        return {row[0] for row in rows}

    @contextlib.contextmanager
    def files(self) -> Iterator[Container]:
        """Open the container."""
        from disk_objectstore import Container

        with Container(self.container) as container:
            yield container

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection of its own, in which each statement is a transaction; PostgreSQL alone."""
        from aiida_rewire.database.lock import lock_engine

        with lock_engine(self.configuration).connect() as connection:
            yield connection


@contextlib.contextmanager
def upkeep(storage: Storage) -> Iterator[None]:
    """Keep whatever else copies or tidies the database out of a block, on whatever host it is started.

    Raises
    ------
    InvalidInput
        If such a thing is going on.
    """
    lock = lock_of(UPKEEP)
    if not lock.acquire():
        raise InvalidInput(
            "profile", storage.name, "left alone by other backups and upkeep, of which one is going on", "wait for it"
        )
    try:
        # this session's own transaction would keep what is tidied from being given back
        storage.session.rollback()
        yield
    finally:
        lock.release()
