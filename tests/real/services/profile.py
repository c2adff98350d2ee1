"""An AiiDA profile in a folder, used by programs of its own: the profile of the tests is not disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.real.services.postgres import Postgres
from tests.real.services.program import LOOPBACK, Program, ServiceFailure, await_that
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.ssh import HOST, Ssh

NAME = "services"
ROOT = Path(__file__).parents[3]
DAEMON_TIMEOUT_S = 60
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
"""What jobs run with; by SSH they get it from the server."""

COMPUTER = """
from aiida import load_profile, orm
load_profile()
computer = orm.Computer({label!r}, {host!r}, transport_type={transport!r}, scheduler_type={scheduler!r})
computer.set_workdir({work!r})
computer.set_mpirun_command(["/usr/bin/mpirun", "-np", "{{tot_num_mpiprocs}}"])
computer.set_default_mpiprocs_per_machine(1)
computer.set_minimum_job_poll_interval({poll_s})
computer.set_use_double_quotes(False)
computer.store().configure(safe_interval=0.0, use_login_shell=False, **{options!r})
"""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    status: int
    output: str
    errors: str


@dataclass
class Profile:
    """A profile, and its daemon.

    Attributes
    ----------
    folder
        AIIDA_PATH of all that uses it.
    variables
        Environment of all that uses it, beside that of this process.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    _keeper: Program | None = field(default=None, init=False, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Of all that uses the profile; a daemon finds `verdi` on the path."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AIIDA")}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
        return {**kept, **MPI, "PATH": path, "AIIDA_PATH": str(self.folder), **self.variables}

    def create(self, postgres: Postgres, rabbitmq: RabbitMQ, database: str, **engine: Any) -> None:
        """Make the profile on a database of its own.

        Parameters
        ----------
        postgres, rabbitmq
            Services that run.
        database
            Name of the database and of its owner; must not exist.
        engine
            What SQLAlchemy's `create_engine` is told beside the address.
        """
        self.folder.mkdir()
        self.verdi(
            *("profile", "setup", "core.psql_dos", "--non-interactive", "--profile-name", NAME, "--set-as-default"),
            *("--email", "tests@localhost", "--first-name", "T", "--last-name", "T", "--institution", "T"),
            *("--broker", "none", "--database-hostname", LOOPBACK, "--database-port", str(postgres.port)),
            *("--database-username", database, "--database-name", database),
            *("--database-password", postgres.create_database(database)),
            *("--repository-uri", (self.folder / "repository").as_uri()),
        )
        self.verdi(
            *("profile", "configure-broker", "core.rabbitmq", "--non-interactive", "--force", NAME),
            *("--broker-protocol", "amqp", "--broker-username", "guest", "--broker-password", "guest"),
            *("--broker-host", LOOPBACK, "--broker-port", str(rabbitmq.port), "--broker-virtual-host", ""),
        )
        if engine:
            self.set_engine(**engine)

    def create_embedded(self) -> None:
        """Make the profile on SQLite and the broker of the daemon."""
        self.folder.mkdir()
        self.verdi("presto", "--use-zeromq", "--non-interactive", "--profile-name", NAME)

    def set_engine(self, **engine: Any) -> None:
        """Set what SQLAlchemy's `create_engine` is told beside the address."""
        file = self.folder / ".aiida" / "config.json"
        configuration = json.loads(file.read_text())
        configuration["profiles"][NAME]["storage"]["config"]["engine_kwargs"] = engine
        file.write_text(json.dumps(configuration, indent=2))

    def add_computer(
        self,
        label: str,
        scheduler: str,
        *,
        poll_s: float = 0.5,
        work: Path | None = None,
        transport: str = "core.local",
        host: str = "localhost",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Register this machine as a computer, by default with its work directory in the folder of the profile.

        Parameters
        ----------
        label, scheduler, transport, host
            Of the computer.
        poll_s
            How often its scheduler is asked at most.
        work
            Where its jobs run.
        options
            Of the transport.
        """
        work = work or self.folder / f"scratch-{label}"
        values = {
            "label": label,
            "scheduler": scheduler,
            "transport": transport,
            "host": host,
            "options": dict(options or {}),
        }
        self.python(COMPUTER.format(work=str(work), poll_s=poll_s, **values))

    def add_computer_over_ssh(
        self, label: str, scheduler: str, ssh: Ssh, *, transport: str = "core.ssh_async", **settings: Any
    ) -> None:
        """Register this machine as a computer that is reached by SSH alone; the profile has the server's variables.

        AiiDA's two ways differ: ``core.ssh_async`` reads the settings of `ssh`, ``core.ssh`` is told all of it.
        """
        options: dict[str, Any] = {"host": HOST}
        host = HOST
        if transport == "core.ssh":
            host = LOOPBACK
            options = {"username": ssh.user, "port": ssh.port, "key_filename": str(ssh.key), "look_for_keys": False}
            options |= {"load_system_host_keys": True, "key_policy": "RejectPolicy"}
        self.add_computer(label, scheduler, transport=transport, host=host, options=options, **settings)

    def command(self, *command: str, timeout_s: float = 120) -> Done:
        """Run a program on the profile."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            start_new_session=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def verdi(self, *arguments: str) -> str:
        """Run verdi and return what it prints.

        Raises
        ------
        ServiceFailure
            If it fails.
        """
        done = self.command(sys.executable, "-W", "ignore", "-m", "aiida", *arguments)
        if done.status:
            raise ServiceFailure(f"verdi {' '.join(arguments[:3])}: {done.output}{done.errors}")
        return done.output

    def python(self, script: str, *arguments: str, timeout_s: float = 120) -> str:
        """Run a script and return what it prints.

        Raises
        ------
        ServiceFailure
            If it fails.
        """
        done = self.command(sys.executable, "-W", "ignore", "-c", script, *arguments, timeout_s=timeout_s)
        if done.status:
            raise ServiceFailure(f"{done.output}{done.errors}")
        return done.output

    def start_daemon(self, workers: int = 1) -> None:
        """Start the daemon; it is ready when its workers are, and killed if this process dies."""
        if self._keeper is None:
            self._keeper = Program(
                [sys.executable, "-m", "tests.real.services.keeper", str(self.folder)],
                folder=ROOT,
                log=self.folder / "keeper.log",
            )
            self._keeper.start(lambda: True)
        self.verdi("daemon", "start", "--timeout", str(DAEMON_TIMEOUT_S), str(workers))
        await_that(lambda: len(self.workers()) == workers, "all workers of the daemon run", DAEMON_TIMEOUT_S)

    def stop_daemon(self) -> None:
        """Stop the daemon and whatever is left of it."""
        done = self.command(sys.executable, "-W", "ignore", "-m", "aiida", "daemon", "stop")
        if done.status == 0:
            psutil.wait_procs(self.daemon_processes(), timeout=DAEMON_TIMEOUT_S)
        self.kill_daemon()
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper = None

    def kill_daemon(self) -> None:
        """Kill all that runs of the daemon: first what would start the others anew."""
        for process in self.daemon_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(self.daemon_processes(), timeout=10)

    def daemon_processes(self) -> list[psutil.Process]:
        """Return all that runs of the daemon: circus and its statistics, the workers, the embedded broker."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if " daemon " not in words and "circus" not in words:
                continue
            try:
                here = process.environ().get("AIIDA_PATH") in (str(self.folder), str(self.folder / ".aiida"))
            except psutil.Error:
                continue
            if here:
                found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """Return the workers of the daemon."""
        return [process for process in self.daemon_processes() if "worker" in process.cmdline()]

    @property
    def daemon_log(self) -> str:
        """What the workers wrote."""
        file = self.folder / ".aiida" / "daemon" / "log" / f"aiida-{NAME}.log"
        return file.read_text(errors="replace") if file.is_file() else ""
