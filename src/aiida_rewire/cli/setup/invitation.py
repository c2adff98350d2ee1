"""Where a group's database is: a file without secrets, beside its repository, by which people join."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from aiida_rewire.database.roles import Roles, checked_name
from aiida_rewire.errors import InvalidInput

FILE = "join.json"
REPOSITORY = "repository"


@dataclass(frozen=True)
class Invitation:
    """Where a group's database is.

    Attributes
    ----------
    group
        Name of the group, its database and its profiles.
    host, port
        Of PostgreSQL.
    folder
        That of the group; the repository is in it.
    """

    group: str
    host: str
    port: int
    folder: str

    @property
    def roles(self) -> Roles:
        """Of the database."""
        return Roles(self.group)

    @property
    def repository(self) -> Path:
        """Folder of the repository."""
        return Path(self.folder) / REPOSITORY

    def storage(self, role: str, password: str) -> dict[str, object]:
        """Return the configuration of AiiDA's storage for somebody."""
        return {
            "database_engine": "postgresql_psycopg",
            "database_hostname": self.host,
            "database_port": self.port,
            "database_username": role,
            "database_password": password,
            "database_name": self.group,
            "repository_uri": self.repository.as_uri(),
        }


def write_invitation(invitation: Invitation) -> Path:
    """Write the file into the folder of the group, whose members may read it."""
    file = Path(invitation.folder) / FILE
    partial = file.with_name(f".{FILE}.partial")
    partial.write_text(json.dumps(asdict(invitation), indent=2) + "\n")
    partial.chmod(0o640)
    return partial.rename(file)


def read_invitation(path: Path) -> Invitation:
    """Read the file, or the one in a folder.

    Raises
    ------
    InvalidInput
        If it is none.
    OSError
        If it cannot be read.
    """
    file = path / FILE if path.is_dir() else path
    with file.open("rb") as opened:
        text = opened.read(10_000)
    wrong = InvalidInput("file", file, "one that `aiida-rewire setup group` wrote", f"ask the owner where {FILE} is")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise wrong from error
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(Invitation)}:
        raise wrong
    if not isinstance(values["port"], int) or not all(
        isinstance(values[name], str) and values[name].isprintable() for name in ("group", "host", "folder")
    ):
        raise wrong
    checked_name("group", values["group"])
    if not Path(values["folder"]).is_absolute():
        raise wrong
    return Invitation(**values)
