"""Accounting for Slurm in a folder: MariaDB and slurmdbd."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import psutil
from tests.real.services.program import (
    LOOPBACK,
    Program,
    ServiceFailure,
    account,
    answers,
    find_program,
    free_ports,
    own_folder,
    write_secret,
)

DATABASE = "slurm_acct_db"
ROLE = "slurm"

CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={munge}
DbdHost=localhost
DbdAddr={loopback}
DbdPort={port}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost={loopback}
StoragePort={database_port}
StorageUser={role}
StoragePass={password}
StorageLoc={database}
"""

OPTIONS = [
    *("--innodb-buffer-pool-size=32M", "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"),
    *("--innodb-log-file-size=16M", "--skip-name-resolve", "--skip-log-bin", "--performance-schema=OFF"),
]


class Accounting:
    """What `sacct` asks.

    Parameters
    ----------
    folder
        Made by `start`; must not exist.
    munge
        Socket of the munged that the cluster uses.
    """

    def __init__(self, folder: Path, munge: Path) -> None:
        self.folder = folder
        self.munge = munge
        self.port, self._database_port = free_ports(2)
        self._user = account("mysql")
        self._password = secrets.token_urlsafe(24)
        log = folder.with_name(f"{folder.name}.log")
        self._data = folder / "mysql"
        self._mariadb = Program(
            [
                find_program("mariadbd", package="mariadb-server"),
                *("--no-defaults", f"--datadir={self._data / 'data'}", f"--socket={self._data / 'socket'}"),
                *(f"--port={self._database_port}", f"--bind-address={LOOPBACK}", f"--pid-file={self._data / 'pid'}"),
                f"--init-file={self._data / 'init.sql'}",
                *OPTIONS,
            ],
            folder=folder,
            log=log,
            user=self._user,
        )
        self._slurmdbd = Program(
            [find_program("slurmdbd", package="slurmdbd"), "-D"],
            folder=folder,
            log=log,
            environment={"SLURM_CONF": str(folder / "slurm.conf")},
        )

    @property
    def lines(self) -> str:
        """What the cluster's configuration says of it."""
        return "\n".join(
            (
                "AccountingStorageType=accounting_storage/slurmdbd",
                f"AccountingStorageHost={LOOPBACK}",
                f"AccountingStoragePort={self.port}",
                f"AccountingStoragePass={self.munge}",  # by whose credentials the cluster is known
                "JobAcctGatherType=jobacct_gather/linux",
                "JobAcctGatherFrequency=1",
            )
        )

    def start(self) -> None:
        """Start both; munged must run.

        Raises
        ------
        ServiceFailure
            If either does not start.
        """
        self.folder.mkdir(mode=0o755)
        own_folder(self._data, self._user)
        statements = [
            f"CREATE DATABASE {DATABASE};",
            f"CREATE USER '{ROLE}'@'{LOOPBACK}' IDENTIFIED BY '{self._password}';",
            f"GRANT ALL ON {DATABASE}.* TO '{ROLE}'@'{LOOPBACK}';",
        ]
        write_secret(self._data / "init.sql", "\n".join(statements), self._user)
        done = subprocess.run(
            [
                find_program("mariadb-install-db", package="mariadb-server"),
                *("--no-defaults", f"--datadir={self._data / 'data'}", "--skip-test-db"),
                *("--auth-root-authentication-method=socket", *OPTIONS),
            ],
            cwd=self.folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceFailure(f"mariadb-install-db failed: {done.stdout}{done.stderr}")
        self._mariadb.start(lambda: answers(self._database_port), timeout_s=60)
        write_secret(
            self.folder / "slurmdbd.conf",
            CONFIGURATION.format(
                munge=self.munge,
                loopback=LOOPBACK,
                port=self.port,
                user=psutil.Process().username(),
                folder=self.folder,
                database_port=self._database_port,
                role=ROLE,
                password=self._password,
                database=DATABASE,
            ),
            None,
        )
        # slurmdbd looks for its configuration beside that of the cluster
        self._slurmdbd.start(lambda: answers(self.port), timeout_s=60)

    def stop(self) -> None:
        """Stop both."""
        self._slurmdbd.stop()
        self._mariadb.stop()
