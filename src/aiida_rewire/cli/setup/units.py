"""Units for systemd: the daemon of a group's profile, and the service that runs its members' campaigns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

UNIT = """\
[Unit]
Description={description}
Wants=network-online.target
After=network-online.target postgresql.service rabbitmq-server.service

[Service]
{kind}
User={user}
UMask=0027
Environment={path}
Environment={aiida}
ExecStart={command}
{stop}KillMode=mixed
TimeoutStopSec=120
Restart=on-failure
RestartSec=10
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Service:
    """Under what the units run.

    Attributes
    ----------
    profile
        Name of the profile, and of the group.
    user
        The account that owns the database.
    python
        Of the environment in which this package is.
    aiida_path
        Folder that holds AiiDA's configuration.
    workers
        Of the daemon.
    """

    profile: str
    user: str
    python: str
    aiida_path: str
    workers: int


def units_of(service: Service) -> dict[str, str]:
    """Return the text of each unit by its name."""
    name = service.profile
    verdi = [service.python, "-m", "aiida", "--profile", name, "daemon"]
    campaigns = [service.python, "-m", "aiida_rewire.cli", "campaign", "--profile", name, "serve"]
    pid_file = f"{service.aiida_path}/.aiida/daemon/circus-{name}.pid".replace("%", "%%")
    return {
        f"rewire-{name}-daemon.service": unit(
            service,
            f"AiiDA's daemon of the group {name}",
            # in the foreground it has one worker at most
            f"Type=forking\nPIDFile={pid_file}",
            [*verdi, "start", str(service.workers)],
            [*verdi, "stop"],
        ),
        f"rewire-{name}-campaigns.service": unit(
            service, f"Campaigns of the members of the group {name}", "Type=simple", campaigns
        ),
    }


def unit(service: Service, description: str, kind: str, command: Sequence[str], stop: Sequence[str] = ()) -> str:
    """Return the text of a unit."""
    folder = service.python.rpartition("/")[0]
    return UNIT.format(
        description=description,
        kind=kind,
        user=service.user,
        path=quoted(f"PATH={folder}:/usr/local/bin:/usr/bin:/bin"),
        aiida=quoted(f"AIIDA_PATH={service.aiida_path}"),
        command=" ".join(map(command_word, command)),
        stop=f"ExecStop={' '.join(map(command_word, stop))}\n" if stop else "",
    )


def quoted(text: str) -> str:
    """Return a value as systemd reads it back: quoted, its specifiers escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{escaped}"'


def command_word(text: str) -> str:
    """Return a word of a command, in which systemd replaces variables as well."""
    return text if re.fullmatch(r"[A-Za-z0-9_./-]+", text) else quoted(text.replace("$", "$$"))
