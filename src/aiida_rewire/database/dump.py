"""A copy of the database of a profile as it is at one moment, and the way back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.storage import KEYS, POSTGRESQL, SQLITE, Storage
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

FILES = {POSTGRESQL: "database.pgdump", SQLITE: "database.sqlite"}
"""By database, the name of its copy."""

PACKAGE = "postgresql-client"
COUNTED = {"nodes": "db_dbnode", "links": "db_dblink", "groups": "db_dbgroup", "users": "db_dbuser"}


@dataclass(frozen=True)
class Content:
    """What a database holds at one moment.

    Attributes
    ----------
    counts
        Rows of its main tables.
    keys
        Of all files that its nodes own.
    schema
        Version of the schema.
    """

    counts: dict[str, int]
    keys: set[str]
    schema: str


def program(name: str) -> str:
    """Return the path of a program.

    Raises
    ------
    InvalidInput
        If it is not there.
    """
    path = shutil.which(name)
    if path is None:
        package = name if name == "rsync" else PACKAGE
        raise InvalidInput("program", name, "on PATH", f"on Debian: apt-get install {package}")
    return path


def content_of(connection: Connection, dialect: str) -> Content:
    """Return what a database holds."""
    from sqlalchemy import text

    def column(statement: str) -> list[Any]:
        return [row[0] for row in connection.execute(text(statement))]

    found, key = KEYS[dialect]
    return Content(
        {name: int(column(f"SELECT count(*) FROM {table}")[0]) for name, table in COUNTED.items()},  # noqa: S608
        set(column(f"SELECT DISTINCT {key} FROM db_dbnode AS node {found}")),  # noqa: S608
        str(column("SELECT version_num FROM alembic_version")[0]),
    )


def dump(storage: Storage, folder: Path) -> Content:
    """Copy the database into a folder as it is at one moment, whatever is written meanwhile; return what it holds.

    On PostgreSQL what is returned is read in the very transaction whose view `pg_dump` is given.

    Raises
    ------
    InvalidInput
        If the copy fails.
    """
    file = folder / FILES[storage.dialect]
    if not storage.is_postgresql:
        copy_sqlite(storage.database_file, file)
        with reading(file) as connection:
            return content_of(connection, SQLITE)
    from sqlalchemy import text

    with storage.connection() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            view = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            content = content_of(connection, POSTGRESQL)
            # no owner and no rights: roles are those of the server that it goes back to
            run(
                storage,
                "pg_dump",
                ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={view}", f"--file={file}"],
            )
    return content


def restore(storage: Storage, folder: Path) -> None:
    """Put the copy in a folder in the place of an empty database, to which nobody else may be connected.

    Raises
    ------
    InvalidInput
        If that fails.
    """
    file = folder / FILES[storage.dialect]
    if not storage.is_postgresql:
        copy_sqlite(file, storage.database_file)
        return
    from sqlalchemy import MetaData

    with storage.connection() as connection:
        # of another version the copy may have other tables than AiiDA has just made
        there = MetaData()
        there.reflect(connection)
        there.drop_all(connection)
    run(
        storage,
        "pg_restore",
        ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname=", str(file)],
    )


def run(storage: Storage, name: str, arguments: Sequence[str]) -> None:
    """Run a program of PostgreSQL on the database of a profile; it finds the password in its environment.

    Raises
    ------
    InvalidInput
        If it fails.
    """
    command = [program(name), "--no-password", *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **whereabouts(storage.configuration)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise InvalidInput(
            "database",
            storage.configuration["database_name"],
            f"one that {name} can use, which says: {lines[0].strip()}",
            f"{name} must not be older than the server, and its role must be allowed to read or write it",
        )


def whereabouts(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment by which programs of PostgreSQL find a database."""
    names = {
        "PGHOST": "database_hostname",
        "PGPORT": "database_port",
        "PGUSER": "database_username",
        "PGPASSWORD": "database_password",
        "PGDATABASE": "database_name",
    }
    return {name: str(configuration[key]) for name, key in names.items() if configuration.get(key) is not None}


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to, as it is at one moment."""
    with (
        contextlib.closing(sqlite3.connect(source)) as one,
        contextlib.closing(sqlite3.connect(target)) as other,
    ):
        one.backup(other)


@contextlib.contextmanager
def reading(file: Path) -> Iterator[Connection]:
    """Open a copy."""
    from aiida.storage.sqlite_zip.utils import create_sqla_engine

    engine = create_sqla_engine(file)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
