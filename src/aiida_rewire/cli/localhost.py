"""How jobs are asked for on the machine that AiiDA runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida import orm

POLL_INTERVAL_S = 1.0


def configure_localhost(computer: orm.Computer) -> None:
    """Let jobs of this machine be started and asked for without delay and without a login shell.

    What a login shell would set stands in the environment that the daemon was started from already, and reading its
    start-up files each second costs more than all else that is done for a running job.
    """
    computer.configure(safe_interval=0.0, use_login_shell=False)
    computer.set_minimum_job_poll_interval(POLL_INTERVAL_S)
