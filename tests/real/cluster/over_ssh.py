"""A hardened profile on PostgreSQL and RabbitMQ whose codes are on a Slurm cluster behind SSH."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.real.campaign.group_database import CLI, CODES, PSEUDO
from tests.real.services.profile import Profile
from tests.real.services.ssh import Ssh
from tests.real.services.together import OVER_SSH

BY_PARAMIKO = f"{OVER_SSH}-paramiko"
"""The same cluster, reached by the older of AiiDA's two transports."""

WORKERS = 2

DEMO: dict[str, Any] = {
    "md": {"voltages": [12.0], "seeds": [1]},
    "snapshots": {},
    "overrides": {},
    "reuse": {},
}
"""Sections of a campaign that is the chain of `aiida-rewire demo`."""


def make_cluster_database(profile: Profile, postgres: Any, rabbitmq: Any, ssh: Ssh) -> Iterator[Profile]:
    """Make the profile, on a database named after its folder; its daemon runs."""
    try:
        profile.create(postgres, rabbitmq, profile.folder.name)
        # AiiDA's own first pause between two tries is 20 s, and it tries five times
        profile.verdi("config", "set", "transport.task_retry_initial_interval", "2")
        profile.verdi("config", "set", "transport.task_maximum_attempts", "3")
        add_computers(profile, ssh)
        put_codes_on(profile, OVER_SSH, BY_PARAMIKO)
        yield profile
    finally:
        profile.stop_daemon()


def add_computers(profile: Profile, ssh: Ssh) -> None:
    """Register the cluster by both transports of AiiDA."""
    profile.add_computer_over_ssh(OVER_SSH, "core.slurm", ssh)
    profile.add_computer_over_ssh(BY_PARAMIKO, "core.slurm", ssh, transport="core.ssh")


def put_codes_on(profile: Profile, *computers: str) -> None:
    """Harden the profile, register the codes on computers, start the daemon, and make a pseudopotential."""
    done = profile.command(*CLI, "harden")
    assert done.status == 0, done.errors
    profile.python(CODES, *computers)
    profile.start_daemon(WORKERS)
    profile.python(PSEUDO, f"ld1@{computers[0]}")
