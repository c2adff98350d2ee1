"""`aiida-rewire campaign serve`: the service that runs what the members of a group ask for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import FrameType

import click

from aiida_rewire.cli.campaign.interval import interval_option
from aiida_rewire.cli.campaign.opening import (
    profile_arguments,
    refuse_all_but_the_owner,
    refuse_no_broker,
    told_in_a_line,
)
from aiida_rewire.cli.campaign.running import log_path, stamp
from aiida_rewire.cli.profile import open_profile
from aiida_rewire.cli.signals import on_stopping_signals


@click.command("serve")
@interval_option
def serve_command(interval: float) -> None:
    """Run the campaigns that the members of a group record, each by a controller, until it is stopped.

    It is for the account that owns the group's database and runs the daemon, beside which it runs for good:
    `aiida-rewire setup group` prints a unit for systemd.
    """
    with told_in_a_line():
        open_profile(None)
        refuse_all_but_the_owner("serve")
        refuse_no_broker()
        from aiida_rewire.campaign.serving import Service

        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        arguments = profile_arguments(None)
        with on_stopping_signals(ask_to_stop):
            stamp("serves the members of the group")
            Service(lambda label: start(label, arguments, interval), stamp, interval_s=interval, stop=stop).run()


def start(label: str, arguments: list[str], interval_s: float) -> subprocess.Popen[bytes]:
    """Start the controller of a campaign, which writes to its log file and ends with the service."""
    log = log_path(label)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", "campaign", *arguments),
        *("run", "--interval", str(interval_s), "--log", "--", label),
    ]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        return subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor)
    finally:
        os.close(descriptor)
