"""A repository of files that one account writes and others read.

The index of its packs is an SQLite file that keeps a journal beside it. Whoever opens it as AiiDA does writes there,
a reader too, so that who may only read is refused unless a writer has it open this very moment.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from disk_objectstore import Container
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool


class ReadingContainer(Container):
    """A container for who may only read it."""

    def _get_container_session(self) -> Session:
        if self._container_session is None:
            self._container_session = reading_session(self._get_pack_index_path())
        return self._container_session

    def _get_operation_session(self) -> Session:
        if self._operation_session is None:
            self._operation_session = reading_session(self._get_pack_index_path())
        return self._operation_session


def may_write(folder: Path) -> bool:
    """Whether this process may change a container."""
    return os.access(folder, os.W_OK) and os.access(folder / "sandbox", os.W_OK)


def reading_session(index: Path) -> Session:
    """Return a session with an index of packs, which writes nothing."""
    engine = create_engine("sqlite://", creator=lambda: connect_to_read(index), poolclass=NullPool)
    return Session(engine, autoflush=False)


def connect_to_read(index: Path) -> sqlite3.Connection:
    """Open an index of packs to read it.

    While a writer has it open its journal is read as well. Where there is no journal the file is all there is, and
    it is read without looking for one.

    Raises
    ------
    sqlite3.OperationalError
        If it cannot be read, or its journal cannot.
    """
    address = f"file:{quote(str(index))}?mode=ro"
    connection = sqlite3.connect(address, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        journal = index.with_name(f"{index.name}-wal")
        if journal.exists() and journal.stat().st_size:
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True)
    return connection
