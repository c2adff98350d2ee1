"""The group of a profile, looked at as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.setup.group_checks import (
    broker_checks,
    database_checks,
    open_config_check,
    password_check,
    repository_checks,
    secret_files,
    secrets_check,
)
from aiida_rewire.database.connecting import Server, session
from aiida_rewire.database.roles import KINDS, Person, Roles, exists, people_of
from aiida_rewire.errors import InvalidInput

SESSIONS = "SELECT usename, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY usename"


@dataclass(frozen=True)
class Seen:
    """What was seen of a group.

    Attributes
    ----------
    group
        Its name.
    owner
        Role that owns the database.
    people
        Members and viewers.
    sessions
        How many each role has now.
    checks
        What was looked at.
    """

    group: str
    owner: str
    people: Sequence[Person]
    sessions: Mapping[str, int]
    checks: Sequence[Check]

    def sessions_of(self, name: str) -> str:
        """Return how many sessions somebody has now, in a word."""
        roles = (name, f"{self.group}_{name}")
        number = sum(count for role, count in self.sessions.items() if role in roles)
        return str(number or "-")


def look_at_group(profile_name: str | None) -> Seen:
    """Look at the group of a profile, as whoever has it.

    Parameters
    ----------
    profile_name
        Name of the profile; None for the default one.

    Raises
    ------
    InvalidInput
        If it is no profile of a group, or its database does not let it in.
    """
    from aiida.manage.configuration import get_config

    config = get_config()
    profile = config.get_profile(profile_name)
    storage: dict[str, Any] = profile.storage_config
    wrong = InvalidInput(
        "profile", profile.name, "on the database of a group", "`aiida-rewire setup group` or `join` makes one"
    )
    if not profile.storage_backend.endswith("psql_dos"):
        raise wrong
    server = Server(str(storage["database_hostname"]), int(storage["database_port"]))
    database, role, password = (str(storage[f"database_{name}"]) for name in ("name", "username", "password"))
    roles = Roles(database)
    checks = [secrets_check(secret_files(Path(config.dirpath))), open_config_check(Path(config.dirpath))]
    with session(server, database, role, password=password) as opened:
        if not all(exists(opened, roles.of_kind(kind)) for kind in KINDS):
            raise wrong
        people = people_of(opened, roles)
        checks += database_checks(opened, roles, people, server)
        sessions = {str(name): int(count) for name, count in opened.execute(SESSIONS) if name is not None}
    checks.append(password_check(server, database, role, password))
    checks += repository_checks(Path(unquote(urlsplit(str(storage["repository_uri"])).path)))
    if profile.process_control_backend is not None:
        checks += broker_checks(profile)
    return Seen(database, roles.owner, people, sessions, checks)
