"""Who runs a campaign, and whether anything can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Runners:
    """Who runs a campaign.

    Attributes
    ----------
    controller
        Whether a controller holds the campaign's lock.
    host, pid, user, since
        What it said of itself; None where nothing is known.
    daemon
        Whether the daemon of the profile runs on this machine; None in a profile without a broker.
    """

    controller: bool
    host: str | None
    pid: int | None
    user: str | None
    since: str | None
    daemon: bool | None


def runners_of(uuid: str, said: Mapping[str, Any] | None) -> Runners:
    """Return who runs a campaign.

    Parameters
    ----------
    uuid
        Of its group.
    said
        What the controller wrote there; it stays when one is killed, so that the lock alone decides.
    """
    from aiida_rewire.database.lock import lock_of

    held = not lock_of(uuid).is_free()
    known: Mapping[str, Any] = said if held and said else {}
    return Runners(
        controller=held,
        host=known.get("host"),
        pid=known.get("pid"),
        user=known.get("user"),
        since=known.get("since"),
        daemon=daemon_runs_here(),
    )


def daemon_runs_here() -> bool | None:
    """Whether the daemon of the loaded profile runs on this machine; None if it cannot have one."""
    import psutil
    from aiida.manage import get_manager

    from aiida_rewire.database.others import noted_daemon

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        return None
    pid = noted_daemon()
    # a machine that went down leaves the file with the PID behind
    return pid is not None and psutil.pid_exists(pid)
