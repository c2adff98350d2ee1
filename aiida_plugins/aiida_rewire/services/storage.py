"""AiiDA's storage on PostgreSQL, for a server that is restarted now and then.

AiiDA's own holds a connection while nothing happens, and after the first query that fails it forgets all nodes that
are loaded: a worker of the daemon then fails for ever at whatever it does, and its tasks are lost.
"""

from __future__ import annotations

import logging
import select
import time
from typing import TYPE_CHECKING, Any

from aiida.storage.psql_dos.backend import PsqlDosBackend, get_filepath_container
from sqlalchemy import event

from aiida_rewire.services.repository import ReadingContainer, may_write
from aiida_rewire.services.worker import end_worker, is_worker

if TYPE_CHECKING:
    from aiida.repository.backend import DiskObjectStoreRepositoryBackend
    from psycopg import Connection
    from sqlalchemy.engine import Dialect, ExceptionContext
    from sqlalchemy.orm import Session

LOGGER = logging.getLogger("aiida.storage.rewire")

LOOK_AFTER_S = 0.05
"""A session that was used so recently is not looked at, s."""

TRY_EVERY_S = 0.5
SAY_EVERY_S = 600.0


class PostgresStorage(PsqlDosBackend):
    """The storage ``core.psql_dos`` with the same database, whose sessions survive their server.

    Before the session is used again it is looked whether the server ended it; if so it begins anew, and nodes that
    are loaded stay valid. A worker of the daemon waits for a server that is away: what a scheduler answers meanwhile
    is not lost. Where a session ends in the middle of a statement, nobody knows what was done: there a worker ends.
    Other programs than workers get the error at once.
    """

    _used = 0.0

    def _initialise_session(self) -> None:
        super()._initialise_session()
        engine = super().get_session().get_bind()
        event.listen(engine, "do_connect", wait_for_server)
        event.listen(engine, "checkout", refuse_ended)
        event.listen(engine, "handle_error", end_with_session)

    def get_repository(self) -> DiskObjectStoreRepositoryBackend:
        """Return the repository of files; who may not write there reads it."""
        from aiida.repository.backend import DiskObjectStoreRepositoryBackend

        folder = get_filepath_container(self.profile)
        if may_write(folder):
            return super().get_repository()
        return DiskObjectStoreRepositoryBackend(container=ReadingContainer(folder))

    def get_session(self) -> Session:
        """Return the session of this thread, alive as far as can be told without asking the server."""
        session: Session = super().get_session()
        now = time.monotonic()
        if now - self._used > LOOK_AFTER_S:
            renew_if_ended(session)
        self._used = now
        return session


def renew_if_ended(session: Session) -> None:
    """Begin anew with a session that has only read, if the server ended it."""
    if not session.is_active or not session.in_transaction() or session.in_nested_transaction():
        return
    connection = session.connection()
    driver: Any = connection.connection.dbapi_connection
    if not has_ended(driver) or session.new or session.dirty or session.deleted:
        return
    LOGGER.warning("the server ended the session with the database: another is begun")
    connection.invalidate()
    session.rollback()


def has_ended(connection: Connection) -> bool:
    """Whether the server closed a connection; that bytes wait to be read tells nothing, they may be TLS's own."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


def refuse_ended(connection: Connection, *_: Any) -> None:
    """Let the pool replace a connection that the server closed.

    Raises
    ------
    DisconnectionError
        If it did, which the pool understands.
    """
    from sqlalchemy.exc import DisconnectionError

    if has_ended(connection):
        raise DisconnectionError("closed by the server")


def wait_for_server(dialect: Dialect, _: Any, args: Any, kwargs: Any) -> Any:
    """Connect, in a worker of the daemon as soon as there is a server; elsewhere as usual (None)."""
    from psycopg import OperationalError

    if not is_worker():
        return None
    began = time.monotonic()
    said = -SAY_EVERY_S
    while True:
        try:
            connection = dialect.connect(*args, **kwargs)
        except OperationalError as error:
            waited = time.monotonic() - began
            if waited - said >= SAY_EVERY_S:
                said = waited
                LOGGER.warning("waiting for the database since %.0f s: %s", waited, " ".join(str(error).split()))
            time.sleep(TRY_EVERY_S)
            continue
        if said >= 0:
            LOGGER.warning("the database answers again, after %.1f s", time.monotonic() - began)
        return connection


def end_with_session(context: ExceptionContext) -> None:
    """End a worker of the daemon whose session ended in the middle of a statement."""
    if context.is_disconnect and is_worker():
        end_worker(f"the server ended the session with the database ({context.original_exception!r})")
