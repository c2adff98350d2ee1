"""Sessions with PostgreSQL that set a group's database up, or look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from psycopg import Connection

CONNECT_TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """Where PostgreSQL is.

    Attributes
    ----------
    host, port
        Of the server; a folder is that of its socket.
    """

    host: str
    port: int

    @property
    def is_here(self) -> bool:
        """Whether nothing that is said to it leaves the machine."""
        return self.host in LOOPBACK or self.host.startswith("/")


@contextmanager
def session(server: Server, database: str, user: str | None, **more: Any) -> Iterator[Connection]:
    """Open a session, each statement a transaction of its own.

    Parameters
    ----------
    server
        The server.
    database
        Name of a database.
    user
        Name of a role; None for what libpq finds.
    **more
        Of libpq: ``password``, ``service``, ``require_auth``.

    Raises
    ------
    InvalidInput
        If the server refuses it, or does not answer.
    """
    import psycopg

    given = {"host": server.host, "port": server.port, "user": user, **more}
    try:
        opened = psycopg.connect(
            # what a service says counts, and what is not said is libpq's own
            **{name: value for name, value in given.items() if value is not None},
            dbname=database,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="aiida-rewire setup",
        )
    except psycopg.OperationalError as error:
        raise refused(server, user, str(error)) from error
    with opened:
        yield opened


def refused(server: Server, user: str | None, said: str) -> InvalidInput:
    """Return the error for a session that was not opened."""
    reason = " ".join(said.split())
    shown = reason if len(reason) <= 200 else f"{reason[:197]}..."
    where = f"PostgreSQL at {server.host}, port {server.port}" if server.host else "PostgreSQL of that service"
    if "password authentication failed" in reason or "no password supplied" in reason:
        what = "no password" if "no password supplied" in reason else "the password"
        return InvalidInput(
            f"password of {user or 'the administrator'}", what, f"the one that {where} knows", "try again with it"
        )
    if "pg_hba.conf" in reason:
        return InvalidInput(
            "role", user or "the administrator", f"let in by {where} ({shown})", "its administrator edits pg_hba.conf"
        )
    return InvalidInput("host", where, f"a server that answers ({shown})", "start it, or give --host and --port")
