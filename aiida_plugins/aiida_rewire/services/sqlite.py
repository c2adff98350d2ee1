"""AiiDA's storage on SQLite, for several programs that read and write at the same time.

By AiiDA's own way a transaction that has read is refused to write where another program writes, at once, and a
program that has to wait for longer than five seconds as well; a worker of the daemon that this happened to fails for
ever at whatever it does, and its tasks are lost.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aiida.common.exceptions import StorageBackupError
from aiida.storage.sqlite_dos.backend import SqliteDosStorage
from aiida.storage.sqlite_zip.orm import SqliteQueryBuilder
from sqlalchemy import event

from aiida_rewire.services.worker import end_worker, is_worker

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.orm import Session

PATIENCE_S = 60.0
"""So long others are waited for that write."""


class SqliteStorage(SqliteDosStorage):
    """The storage ``core.sqlite_dos`` with the same files, which several programs may use at once.

    A log of what is written stands beside the database (https://www.sqlite.org/wal.html), so that nobody who reads
    keeps others from writing. Whoever is to write takes the lock before anything is read, and waits a minute for it.
    A worker of the daemon that could not write even then ends.
    """

    def _initialise_session(self) -> None:
        super()._initialise_session()
        engine = self.get_session().get_bind()
        event.listen(engine, "connect", be_patient)
        event.listen(engine, "savepoint", begin_to_write)
        event.listen(engine, "handle_error", end_where_locked)

    def query(self) -> ReadingQueryBuilder:
        """Return a query that takes no lock."""
        return ReadingQueryBuilder(self)

    def _backup(self, dest: str, keep: int | None = None) -> None:
        """Refuse: AiiDA copies the database as a file, and what was written last is in the log beside it.

        Raises
        ------
        StorageBackupError
            Always.
        """
        raise StorageBackupError("must be made by `aiida-rewire database backup`, which copies it while others write")


class ReadingQueryBuilder(SqliteQueryBuilder):
    """Queries whose rows are read one after another without the lock of those who write."""

    def iterall(self, data: Any, batch_size: int | None) -> Iterable[list[Any]]:
        """Yield the rows; a loop that is left early leaves no transaction behind."""
        with reading(self._backend.get_session()):
            yield from super().iterall(data, batch_size)

    def iterdict(self, data: Any, batch_size: int | None) -> Iterable[dict[str, dict[str, Any]]]:
        """Yield the rows by tag and projection, likewise."""
        with reading(self._backend.get_session()):
            yield from super().iterdict(data, batch_size)


@contextlib.contextmanager
def reading(session: Session) -> Iterator[None]:
    """Read in a transaction that takes no lock to write, if none has begun; it ends with the block."""
    connection: Any = session.connection().connection.dbapi_connection
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        unfinished = session.new or session.dirty or session.deleted
        if connection.in_transaction and not session.in_nested_transaction() and not unfinished:
            session.rollback()


def be_patient(connection: sqlite3.Connection, _: Any) -> None:
    """Let a connection wait for others, and the database have a log; the latter lasts."""
    # while others have the database open in the old way, it stays as it is
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA busy_timeout = {1000 * PATIENCE_S:.0f}")
    connection.isolation_level = "IMMEDIATE"


def begin_to_write(connection: Connection, _: str) -> None:
    """Take the lock before the first savepoint: a transaction that has read cannot write after others did."""
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        driver.execute("BEGIN IMMEDIATE")


def end_where_locked(context: ExceptionContext) -> None:
    """End a worker of the daemon that could not write: what it has in memory is no longer what is stored."""
    error = context.original_exception
    if isinstance(error, sqlite3.OperationalError) and is_locked(error) and is_worker():
        end_worker(f"the database was locked ({error})")


def is_locked(error: sqlite3.OperationalError) -> bool:
    """Whether an error says that others kept the database."""
    # the lower byte is the kind, the others tell more
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
