"""The folder that holds the embedded AiiDA profile, and what runs below it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from aiida_rewire.cli.localhost import configure_localhost
from aiida_rewire.cli.signals import on_stopping_signals
from aiida_rewire.cli.storages import folder_of_data, harden_storage

PROFILE = "rewire"
COMPUTER = "localhost"
MARKER = "aiida-rewire"
MARKER_TEXT = "This folder belongs to aiida-rewire; `aiida-rewire demo --clean` removes it.\n"
READY = "profile: ready"
VERDI_TIMEOUT_S = 120
TERMINATION_TIMEOUT_S = 10
DAEMON_TIMEOUT_S = 30


class DemoFailure(click.ClickException):
    """What a user must know, in a line."""


@dataclass(frozen=True)
class Home:
    """A folder with an AiiDA profile of its own: SQLite, the ZeroMQ broker, jobs on this machine.

    Attributes
    ----------
    folder
        Absolute path; it is AIIDA_PATH of everything the demo starts.
    """

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Home:
        """Return the home in a folder, which need not exist.

        Raises
        ------
        DemoFailure
            If AiiDA could not use a folder of that name, or if something else is in it.
        """
        folder = folder.absolute()
        if os.pathsep in str(folder):
            raise DemoFailure(f"directory = {folder}: must be free of '{os.pathsep}'; AiiDA splits its path there")
        if folder.exists() and not folder.is_dir():
            raise DemoFailure(f"directory = {folder}: must be a folder; choose another with --directory")
        home = cls(folder)
        if folder.is_dir() and any(folder.iterdir()) and not home.marker.is_file():
            raise DemoFailure(f"directory = {folder}: must be empty or made by aiida-rewire; choose another")
        return home

    @property
    def marker(self) -> Path:
        """File that tells a folder of ours from somebody's."""
        return self.folder / MARKER

    @property
    def configuration(self) -> Path:
        """AiiDA's own folder."""
        return self.folder / ".aiida"

    @property
    def exists(self) -> bool:
        """Whether anything was set up."""
        return self.marker.is_file()

    def enter(self) -> None:
        """Make the folder, and point AiiDA and all that is started from here to it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.exists:
            self.marker.write_text(MARKER_TEXT)
        os.environ["AIIDA_PATH"] = str(self.folder)
        # the daemon looks for `verdi` on PATH, where it need not be if the environment is not activated
        scripts = str(Path(sys.executable).parent)
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])

    def open_profile(self) -> None:
        """Load the profile; make it first where there is none.

        Raises
        ------
        DemoFailure
            If the profile cannot be used.
        """
        ready = READY in self.marker.read_text()
        if not ready:
            # what an interrupted set-up left holds nothing yet
            shutil.rmtree(self.configuration, ignore_errors=True)
            self.verdi("presto", "--use-zeromq", "--non-interactive", "--profile-name", PROFILE)
            # what an interrupted demo had finished is found again instead of run again
            self.verdi("--profile", PROFILE, "config", "set", "caching.default_enabled", "true")
        from aiida import orm
        from aiida.common.exceptions import AiidaException
        from aiida.manage.configuration import load_profile

        try:
            self.refuse_data_elsewhere()
            harden_storage(PROFILE)
            load_profile(PROFILE, allow_switch=True)
        except AiidaException as error:
            raise DemoFailure(
                f"the profile in {self.folder} cannot be used: {error}; see `aiida-rewire doctor`"
            ) from error
        if not ready:
            configure_localhost(orm.load_computer(COMPUTER))
            self.marker.write_text(f"{MARKER_TEXT}{READY}\n")

    def refuse_data_elsewhere(self) -> None:
        """Refuse a folder that was copied or moved: its profile still works on what it was made from.

        Raises
        ------
        DemoFailure
            If the data lie in another folder.
        """
        data = folder_of_data(PROFILE)
        if not data.resolve().is_relative_to(self.configuration.resolve()):
            raise DemoFailure(
                f"directory = {self.folder}: must be where it was made, since its profile has its data in {data}; "
                "take that folder, move this one back, or copy campaigns by `campaign export` and `import`"
            )

    def verdi(self, *arguments: str) -> str:
        """Run verdi in this home and return what it prints.

        Raises
        ------
        DemoFailure
            If it fails or does not answer.
        """
        command = [sys.executable, "-m", "aiida", *arguments]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, "AIIDA_PATH": str(self.folder)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=VERDI_TIMEOUT_S,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoFailure(f"`verdi {' '.join(arguments)}` gave no answer in {VERDI_TIMEOUT_S} s") from error
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise DemoFailure(f"`verdi {' '.join(arguments)}` failed: {lines[-1]}; see `aiida-rewire doctor`")
        return done.stdout

    def start_daemon(self) -> None:
        """Start the daemon, one worker; nothing happens if it runs."""
        self.verdi("--profile", PROFILE, "daemon", "start", "--timeout", str(DAEMON_TIMEOUT_S), "1")

    def repair(self) -> None:
        """Hand processes that a daemon killed outright was running back to the queue; nothing happens if one runs."""
        with contextlib.suppress(DemoFailure):
            self.verdi("--profile", PROFILE, "process", "repair", "--force")

    def stop_daemon(self) -> None:
        """Stop the daemon and whatever is still left of it or of its jobs."""
        # its answer may get lost while it goes down, so that its processes are watched instead
        with contextlib.suppress(DemoFailure):
            self.verdi("--profile", PROFILE, "daemon", "stop", "--no-wait")
        daemon = [process for process in self.leftovers() if _is_daemon(process)]
        psutil.wait_procs(daemon, timeout=DAEMON_TIMEOUT_S)
        self.terminate_leftovers()

    @contextlib.contextmanager
    def daemon(self) -> Iterator[None]:
        """Keep the daemon running in a block; afterwards nothing runs, whatever ended it, unless a campaign does."""
        from aiida_rewire.campaign.runners import controllers_at_work

        try:
            self.start_daemon()
            yield
        finally:
            with on_stopping_signals(signal.SIG_IGN):
                if not controllers_at_work():
                    self.stop_daemon()

    def leftovers(self) -> list[psutil.Process]:
        """Return the processes of this home: jobs, by the folder they run in, and the daemon, by its AIIDA_PATH.

        What has a terminal belongs to a person and is left alone.
        """
        found = []
        for process in psutil.process_iter():
            try:
                if process.terminal() is not None:
                    continue
                job = Path(process.cwd()).is_relative_to(self.configuration / "scratch")
                here = process.environ().get("AIIDA_PATH") in (str(self.folder), str(self.configuration))
                if job or (here and _is_daemon(process)):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def terminate_leftovers(self) -> None:
        """End whatever still runs here; ask first, then kill."""
        processes = self.leftovers()
        for process in processes:
            _signal(process, "terminate")
        _, alive = psutil.wait_procs(processes, timeout=TERMINATION_TIMEOUT_S)
        for process in alive:
            _signal(process, "kill")
        psutil.wait_procs(alive, timeout=TERMINATION_TIMEOUT_S)

    def remove(self) -> None:
        """Stop all that runs here and delete the folder."""
        if (self.configuration / "config.json").is_file():
            self.stop_daemon()
        shutil.rmtree(self.folder)


def _is_daemon(process: psutil.Process) -> bool:
    try:
        return "daemon" in process.cmdline()
    except psutil.Error:
        return False


def _signal(process: psutil.Process, action: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        getattr(process, action)()
