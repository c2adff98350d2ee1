"""A controller in the foreground, or in a session of its own that outlives the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from aiida_rewire.cli.campaign.opening import profile_arguments, say
from aiida_rewire.cli.home import DAEMON_TIMEOUT_S, PROFILE, DemoFailure, Home
from aiida_rewire.cli.signals import on_stopping_signals

if TYPE_CHECKING:
    from aiida import orm

START_TIMEOUT_S = 60.0
LONGEST_LOG_TAIL = 400


def run_here(
    group: orm.Group, home: Home | None, tell: Callable[[str], None], *, interval_s: float, stamped: bool
) -> int:
    """Run a campaign to its end, or until Ctrl-C; return the exit status.

    Parameters
    ----------
    group
        Of the campaign.
    home
        Of an embedded profile, whose daemon is started, and stopped at the end if this is a terminal's and nobody
        else needs it.
    tell
        Takes a line for each thing that happens.
    interval_s
        Time between two looks, s.
    stamped
        Begin each line with the time, as in a log; the daemon of an embedded profile is then left running.
    """
    from aiida_rewire.campaign.controller import Controller

    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    tell = stamp if stamped else tell
    with on_stopping_signals(ask_to_stop):
        if home is not None:
            start_embedded_daemon(home, group, tell)
        try:
            return Controller(group, tell, interval_s=interval_s, stop=stop).run()
        finally:
            if home is not None and not stamped:
                stop_embedded_daemon(home, group, tell, interrupted=stop.is_set())


def stamp(text: str) -> None:
    """Print a line with the time."""
    say(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text}")


def start_embedded_daemon(home: Home, group: orm.Group, tell: Callable[[str], None]) -> None:
    """Start the daemon of an embedded profile with the workers that the campaign needs, unless it runs."""
    from aiida_rewire.campaign.outages import daemon_slots

    # a machine that went down leaves the file behind by which AiiDA takes the daemon for running
    if daemon_slots() is None:
        workers = workers_for(group)
        home.verdi(
            *("--profile", PROFILE, "daemon", "start", "--timeout", str(DAEMON_TIMEOUT_S), str(workers)),
        )
        tell(f"started the daemon in {home.folder}")


def stop_embedded_daemon(home: Home, group: orm.Group, tell: Callable[[str], None], *, interrupted: bool) -> None:
    """Stop the daemon unless others need it; where the campaign goes on later, jobs that run are left to run."""
    from aiida_rewire.campaign.runners import controllers_at_work, processes_of_others

    others = [f"the controller of {label}" for label in controllers_at_work(group)]
    others += [f"process <{pk}>" for pk in processes_of_others(group)]
    if others:
        tell(f"the daemon goes on: {others[0]} needs it")
        return
    if not interrupted:
        home.stop_daemon()
        return
    with suppress(DemoFailure):
        home.verdi("--profile", PROFILE, "daemon", "stop")
    tell("stopped the daemon; jobs that run go on, and the same command takes up the rest")


def workers_for(group: orm.Group) -> int:
    """Return how many workers of the daemon it takes that the active chains of a campaign never wait for slots."""
    from aiida.manage.configuration import get_config_option

    from aiida_rewire.campaign.chains import chains_of
    from aiida_rewire.campaign.record import spec_of
    from aiida_rewire.campaign.slots import slots_of_chain

    spec = spec_of(group)
    each = max(slots_of_chain(chain.values) for chain in chains_of(spec))
    per_worker = int(get_config_option("daemon.worker_process_slots"))
    return max(1, -(-each * spec.limits.active_chains // per_worker))


def log_path(label: str) -> Path:
    """Return the log file of the detached controllers of a campaign, in the profile's folder."""
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    profile = get_manager().get_profile()
    name = profile.name if profile is not None else ""
    return Path(get_config().dirpath) / "rewire" / name / f"{label}.log"


def start_detached(group: orm.Group, directory: Path | None, *, interval_s: float) -> tuple[int, Path]:
    """Start a controller that outlives this command and its terminal.

    Parameters
    ----------
    group
        Of the campaign.
    directory
        Of an embedded profile.
    interval_s
        Time between two looks, s.

    Returns
    -------
    Its PID, and the file that it writes what it does to, which only its owner may read.

    Raises
    ------
    DemoFailure
        If it ends at once.
    """
    from aiida_rewire.database.lock import lock_of

    log = log_path(group.label)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    embedded = [] if directory is None else ["--directory", str(directory.absolute())]
    command = [
        *(sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", "campaign", *profile_arguments(directory)),
        *("run", group.label, "--interval", str(interval_s), "--log", *embedded),
    ]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        process = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    lock = lock_of(group.uuid)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if process.returncode in (0, 1):
                # it found nothing left to do
                break
            tail = " ".join(log.read_text(errors="replace")[-LONGEST_LOG_TAIL:].split())
            raise DemoFailure(f"the controller ended with status {process.returncode}: {tail}; see {log}")
        if not lock.is_free():
            break
        time.sleep(0.2)
    return process.pid, log
