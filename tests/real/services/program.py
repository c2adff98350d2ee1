"""A program that runs in the foreground until it is stopped, or until whoever started it is gone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

LOOPBACK = "127.0.0.1"
STOP_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
_given: set[int] = set()


class ServiceFailure(RuntimeError):
    """A service did not start, or did not stop, or is not installed."""


def free_ports(number: int) -> list[int]:
    """Return consecutive ports of the loopback interface that nobody listens on, never the same ones twice.

    They lie below the range from which the kernel takes those of outgoing connections, so that none is lost to
    one between this call and its use.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports: list[int] = []
    start = 10_000 + os.getpid() * 16 % max(1, lowest - 10_000 - 500)
    for port in range(start, lowest):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
                free = port not in _given
            except OSError:
                free = False
        ports = [*ports, port] if free else []
        if len(ports) == number:
            _given.update(ports)
            return ports
    raise ServiceFailure(f"{number} free ports in a row were wanted between {start} and {lowest}")


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def find_program(name: str, *folders: str, package: str) -> str:
    """Return the path of a program.

    Raises
    ------
    ServiceFailure
        If it is not installed.
    """
    found = where_is(name, *folders)
    if found is None:
        raise ServiceFailure(f"{name} is not installed: `make services` as root, or apt-get install {package}")
    return found


def where_is(name: str, *folders: str) -> str | None:
    """Return the path of a program, looked for where servers are as well; None if it is not installed."""
    return shutil.which(name, path=os.pathsep.join([*folders, os.environ["PATH"], "/usr/sbin", "/sbin"]))


def account(name: str) -> str | None:
    """Return the account a service runs under: its own where root starts it, else that of whoever does (None)."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError as error:
        raise ServiceFailure(f"there is no account {name}: the package of the service is not installed") from error


def own_folder(path: Path, user: str | None) -> Path:
    """Make a folder that only a service may enter."""
    path.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    return path


def write_secret(path: Path, text: str | bytes, user: str | None) -> Path:
    """Write a file that only a service may read."""
    path.touch(mode=0o600)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    if user is not None:
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    return path


@contextlib.contextmanager
def service_folder() -> Iterator[Path]:
    """Make a folder for services, and remove it afterwards.

    It is short, because paths of sockets must be, and open, because each service has an account of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="rewire-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Service(Protocol):
    """What is started and stopped."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it, also where it did not start."""


Running = TypeVar("Running", bound=Service)


@contextlib.contextmanager
def running(service: Running) -> Iterator[Running]:
    """Start a service, and stop it again."""
    try:
        service.start()
        yield service
    finally:
        service.stop()


class Program:
    """A program in the foreground, its output in a file.

    Parameters
    ----------
    command
        The program and its arguments.
    folder
        Where it runs.
    log
        File for what it prints.
    user
        Account it runs under; None: that of this process.
    environment
        Variables beside PATH and LANG.
    stop_signal
        What makes it stop in good order.
    """

    def __init__(
        self,
        command: list[str],
        *,
        folder: Path,
        log: Path,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.command = command
        self.folder = folder
        self.log = log
        self.user = user
        self.environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LANG": "C.UTF-8", **(environment or {})}
        self.stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running program."""
        if self._process is None:
            raise ServiceFailure(f"{self.command[0]} was not started")
        return self._process.pid

    def start(self, ready: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Start it and wait until it is ready.

        Raises
        ------
        ServiceFailure
            If it ends, or is not ready in time.
        """
        number = int(self.stop_signal)

        def follow_parent() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, number)

        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
                preexec_fn=follow_parent,
            )
        try:
            await_that(ready, f"{self.command[0]} is ready", timeout_s, alive=lambda: self.runs)
        except BaseException as error:
            self.kill()
            if isinstance(error, ServiceFailure):
                raise ServiceFailure(f"{error}; its last words:\n{self.last_words()}") from error
            raise

    def stop(self) -> None:
        """Stop it in good order; kill it if that takes too long."""
        if self._process is None:
            return
        if self.runs:
            self._process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill it and what it has started in its session."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def last_words(self, lines: int = 20) -> str:
        """Return the end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def await_that(
    condition: Callable[[], bool], what: str, timeout_s: float, alive: Callable[[], bool] = lambda: True
) -> None:
    """Wait until a condition holds.

    Raises
    ------
    ServiceFailure
        If it does not come about in time, or what should bring it about has ended.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if not alive():
            raise ServiceFailure(f"waited for this in vain, its program ended: {what}")
        if time.monotonic() > deadline:
            raise ServiceFailure(f"waited for this in vain for {timeout_s:g} s: {what}")
        time.sleep(0.05)
