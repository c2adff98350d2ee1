"""Who runs a campaign, and whether anything can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.marks import CAMPAIGN_GROUP

if TYPE_CHECKING:
    from aiida import orm

ACTIVE = ("created", "running", "waiting")


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


def controllers_at_work(campaign: orm.Group | None = None) -> list[str]:
    """Return the labels of the campaigns whose controllers run.

    Parameters
    ----------
    campaign
        Whose controller asks; it does not count.
    """
    from aiida import orm
    from aiida.plugins import GroupFactory

    from aiida_rewire.database.lock import lock_of

    groups: list[orm.Group] = orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP)).all(flat=True)
    others = [group for group in groups if campaign is None or group.uuid != campaign.uuid]
    return [group.label for group in others if not lock_of(group.uuid).is_free()]


def processes_of_others(campaign: orm.Group) -> list[int]:
    """Return the PKs of processes that live and were not begun by a campaign; those that they called go with them."""
    from aiida import orm

    active = {"attributes.process_state": {"in": ACTIVE}}
    living: list[orm.ProcessNode] = orm.QueryBuilder().append(orm.ProcessNode, filters=active).all(flat=True)
    others = [process for process in living if not process.label.startswith(f"{campaign.label}/")]
    return [process.pk for process in others if process.caller is None]


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
