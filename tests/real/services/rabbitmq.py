"""RabbitMQ in a folder."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path

from tests.real.services.program import (
    LOOPBACK,
    Program,
    account,
    answers,
    await_that,
    find_program,
    free_ports,
    own_folder,
    write_secret,
)

PROGRAMS = "/usr/lib/rabbitmq/bin"
PACKAGE = "rabbitmq-server"
A_YEAR_MS = 365 * 24 * 3600 * 1000
"""AiiDA acknowledges a task when its process has ended; a broker that waits less takes the task away."""


class RabbitMQ:
    """A broker with a port mapper of its own, for guest on the loopback interface.

    Parameters
    ----------
    folder
        Made by `start`; must not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, distribution, mapper = free_ports(3)
        self._mapper_port = mapper
        user = account("rabbitmq")
        self._user = user
        environment = {
            "HOME": str(folder),  # the cookie of Erlang is there
            "RABBITMQ_NODENAME": f"rewire{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # one process instead of a shell that waits for it: signals reach it
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }
        log = folder.with_name(f"{folder.name}.log")
        self._mapper = Program(
            [find_program("epmd", package="erlang-base"), "-port", str(mapper), "-address", LOOPBACK],
            folder=folder,
            log=log,
            user=user,
        )
        self._server = Program(
            [find_program("rabbitmq-server", PROGRAMS, package=PACKAGE)],
            folder=folder,
            log=log,
            user=user,
            environment=environment,
        )

    def start(self) -> None:
        """Start the broker.

        Raises
        ------
        ServiceFailure
            If it does not start.
        """
        own_folder(self.folder, self._user)
        write_secret(self.folder / ".erlang.cookie", secrets.token_hex(16), self._user).chmod(0o400)
        configuration = {
            "listeners.tcp.1": f"{LOOPBACK}:{self.port}",
            "consumer_timeout": str(A_YEAR_MS),
            "log.file.level": "info",
            "vm_memory_high_watermark.absolute": "512MB",
            "disk_free_limit.absolute": "50MB",
        }
        lines = [f"{name} = {value}\n" for name, value in configuration.items()]
        write_secret(self.folder / "rabbitmq.conf", "".join(lines), self._user)
        write_secret(self.folder / "enabled_plugins", "[].\n", self._user)
        self._mapper.start(lambda: answers(self._mapper_port))
        self._start_server()

    def _start_server(self) -> None:
        self._server.start(lambda: answers(self.port), timeout_s=60.0)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl and return what it prints."""
        done = subprocess.run(
            [find_program("rabbitmqctl", PROGRAMS, package=PACKAGE), "--quiet", *arguments],
            cwd=self.folder,
            env=self._server.environment,
            user=self._user,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def restart(self, down_s: float = 0.0) -> None:
        """Stop the broker in good order, and start it again after some seconds."""
        self._server.stop()
        time.sleep(down_s)
        self._start_server()

    def crash(self, down_s: float = 0.0) -> None:
        """Kill the broker outright, and start it again after some seconds."""
        self._server.kill()
        await_that(lambda: not answers(self.port), "the port of a killed broker is free", 10)
        time.sleep(down_s)
        self._start_server()

    def stop(self) -> None:
        """Stop broker and port mapper."""
        self._server.stop()
        self._mapper.stop()
