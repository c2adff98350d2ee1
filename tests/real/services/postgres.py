"""PostgreSQL in a folder."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from tests.real.services.program import (
    LOOPBACK,
    Program,
    ServiceFailure,
    account,
    find_program,
    free_ports,
    own_folder,
    write_secret,
)

PACKAGE = "postgresql"
SUPERUSER = "postgres"

# what is lost when the machine goes down may be lost in tests; what is lost by kill -9 may not, and is not
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "listen_addresses": LOOPBACK,
    "password_encryption": "scram-sha-256",
}


def find_server_program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL; Debian keeps those of the server off the path."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)
    return find_program(name, *map(str, newest), package=PACKAGE)


class Postgres:
    """A cluster of its own: a superuser with a password, and nobody else.

    Parameters
    ----------
    folder
        Made by `start`; must not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self.password_file = folder / "password"
        user = account("postgres")
        self._user = user
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._server = Program(
            [
                find_server_program("postgres"),
                *("-D", str(folder / "data"), "-p", str(self.port), "-k", str(folder)),
                *settings,
            ],
            folder=folder,
            log=folder.with_name(f"{folder.name}.log"),
            user=user,
            stop_signal=signal.SIGINT,  # fast: sessions are ended, nothing is waited for
        )

    @property
    def password(self) -> str:
        """Of the superuser."""
        return self.password_file.read_text()

    def start(self) -> None:
        """Make the cluster and start the server.

        Raises
        ------
        ServiceFailure
            If either fails.
        """
        own_folder(self.folder, self._user)
        write_secret(self.password_file, secrets.token_urlsafe(24), self._user)
        done = subprocess.run(
            [
                find_server_program("initdb"),
                *("-D", str(self.folder / "data"), "-U", SUPERUSER, "--auth=scram-sha-256", "--no-sync"),
                *(f"--pwfile={self.password_file}", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            cwd=self.folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceFailure(f"initdb failed: {done.stderr}")
        self._server.start(self.answers)

    def answers(self) -> bool:
        """Whether a session can be opened."""
        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a session of the superuser, each statement a transaction of its own."""
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def create_database(self, name: str) -> str:
        """Make a database, and a role of the same name that owns it and nothing else; return its password."""
        password = secrets.token_urlsafe(24)
        quoted, literal = psycopg.sql.Identifier(name), psycopg.sql.Literal(password)
        with self.connect() as session:
            session.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(quoted, literal))
            session.execute(psycopg.sql.SQL("CREATE DATABASE {} OWNER {}").format(quoted, quoted))
        return password

    def restart(self, down_s: float = 0.0) -> None:
        """Stop the server, ending all sessions, and start it again after some seconds."""
        self._server.stop()
        time.sleep(down_s)
        self._server.start(self.answers)

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()
