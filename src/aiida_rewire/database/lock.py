"""One at a time among all who share a database, whatever ends it: a campaign's controller, or who submits a lead.

On PostgreSQL the lock is an advisory one of a session, lost with its connection; with SQLite it is one of a file
beside the database, which the kernel takes back from a process that ends. Neither outlives its holder, not even a
``kill -9``.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import filelock

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

APPLICATION = "aiida-rewire campaign"
"""Name of the lock's connection among those of the server."""

KEEPALIVE_S = {"idle": 30, "interval": 10, "count": 3}
"""How soon both ends notice that the other is gone without a word: after idle + count x interval, s."""

CONNECT_TIMEOUT_S = 10


class ControllerLock(Protocol):
    """The lock of a campaign."""

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it is ours."""

    def is_held(self) -> bool:
        """Whether the lock is still ours."""

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not ours."""

    def is_free(self) -> bool:
        """Whether nobody holds the lock."""


def lock_of(uuid: str) -> ControllerLock:
    """Return the lock of a campaign in the loaded profile.

    Parameters
    ----------
    uuid
        Of its group.
    """
    from aiida.manage import get_manager

    storage = get_manager().get_profile_storage()
    if storage.get_session().get_bind().dialect.name == "postgresql":
        return DatabaseLock(lock_engine(storage.profile.storage_config), key_of(uuid))
    return FileLock(Path(storage.profile.storage_config["filepath"]) / f"rewire-campaign-{uuid}.lock")


LOOK_AGAIN_S = 0.1


@contextlib.contextmanager
def alone(name: str, longest_s: float) -> Iterator[bool]:
    """Keep others out of a block for a moment; yields whether they are kept out.

    Parameters
    ----------
    name
        Of the matter; blocks of other names do not wait for each other.
    longest_s
        After so many seconds of waiting the block begins all the same.
    """
    lock, begin = lock_of(name), time.monotonic()
    while not (ours := lock.acquire()) and time.monotonic() - begin < longest_s:
        time.sleep(LOOK_AGAIN_S)
    try:
        yield ours
    finally:
        lock.release()


def key_of(uuid: str) -> int:
    """Return the key of a campaign's advisory lock: 64 bits with a sign."""
    return int.from_bytes(hashlib.sha256(uuid.encode()).digest()[:8], "big", signed=True)


def lock_engine(configuration: dict[str, Any]) -> Engine:
    """Return an engine for a connection of its own to the database of a profile."""
    from aiida.storage.psql_dos.utils import create_sqlalchemy_engine
    from sqlalchemy.pool import NullPool

    given = dict(configuration.get("engine_kwargs") or {})
    kept = {name: value for name, value in given.items() if not name.startswith(("pool", "max_overflow"))}
    connect = {
        "application_name": APPLICATION,
        "connect_timeout": CONNECT_TIMEOUT_S,
        **{f"keepalives_{name}": value for name, value in KEEPALIVE_S.items()},
        "tcp_user_timeout": 1000 * (KEEPALIVE_S["idle"] + KEEPALIVE_S["count"] * KEEPALIVE_S["interval"]),
        **kept.pop("connect_args", {}),
    }
    kept |= {"poolclass": NullPool, "isolation_level": "AUTOCOMMIT", "connect_args": connect}
    engine: Engine = create_sqlalchemy_engine({**configuration, "engine_kwargs": kept})
    return engine


class DatabaseLock:
    """An advisory lock of PostgreSQL, on a connection of its own.

    A connection pooler that shares connections among transactions would share the lock as well: the profile must
    reach the server itself.
    """

    def __init__(self, engine: Engine, key: int) -> None:
        self._engine = engine
        self._key = key
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it is ours.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database does not answer.
        """
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        self.release()
        connection = self._engine.connect()
        try:
            # the server must notice a host that vanished, else nobody could take over
            for name, value in KEEPALIVE_S.items():
                connection.execute(text(f"SET tcp_keepalives_{name} = {value:d}"))
            taken = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar())
        except DBAPIError:
            connection.close()
            raise
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def is_held(self) -> bool:
        """Whether the lock is still ours: whether the session that took it lives."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        if self._connection is None:
            return False
        held = f"{self._found()} AND pid = pg_backend_pid()"
        try:
            return bool(self._connection.execute(text(held), self._parts()).scalar())
        except SQLAlchemyError:
            self.release()
            return False

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not ours."""
        from sqlalchemy.exc import SQLAlchemyError

        if self._connection is None:
            return
        try:
            self._connection.close()
        except SQLAlchemyError:
            self._connection.invalidate()
        self._connection = None

    def is_free(self) -> bool:
        """Whether nobody holds the lock.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database does not answer.
        """
        from sqlalchemy import text

        with self._engine.connect() as connection:
            return not connection.execute(text(self._found()), self._parts()).scalar()

    def _found(self) -> str:
        return (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = :high AND objid::bigint = :low"
        )

    def _parts(self) -> dict[str, int]:
        return {"high": (self._key >> 32) & 0xFFFFFFFF, "low": self._key & 0xFFFFFFFF}


class FileLock:
    """A lock of a file.

    Parameters
    ----------
    path
        The file; it is made if it is not there, and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = filelock.FileLock(path, timeout=0, thread_local=False)
        self._inode: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it is ours."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            return False
        self._inode = self._inode_there()
        return True

    def is_held(self) -> bool:
        """Whether the lock is still ours; a file that somebody removed guards nothing."""
        return self._lock.is_locked and self._inode is not None and self._inode == self._inode_there()

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not ours."""
        self._lock.release(force=True)
        self._inode = None

    def is_free(self) -> bool:
        """Whether nobody holds the lock."""
        if self._lock.is_locked:
            return False
        probe = FileLock(self._path)
        if not probe.acquire():
            return False
        probe.release()
        return True

    def _inode_there(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return None
