"""Further profiles beside one another, each on a database of its own."""

from __future__ import annotations

from pathlib import Path

from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.program import LOOPBACK

PERSON = ("--email", "tests@localhost", "--first-name", "T", "--last-name", "T", "--institution", "T")


def add_on_postgresql(profile: Profile, postgres: Postgres, name: str) -> None:
    """Make a profile without a broker on a new database, both of this name, in the folder of another profile."""
    profile.folder.mkdir(exist_ok=True)
    profile.verdi(
        *("profile", "setup", "core.psql_dos", "--non-interactive", "--profile-name", name, *PERSON),
        *("--broker", "none", "--database-hostname", LOOPBACK, "--database-port", str(postgres.port)),
        *("--database-username", name, "--database-name", name),
        *("--database-password", postgres.create_database(name)),
        *("--repository-uri", (profile.folder / f"repository-{name}").as_uri()),
    )


def add_on_sqlite(profile: Profile, name: str) -> Path:
    """Make a profile without a broker on SQLite; return its folder."""
    profile.folder.mkdir(exist_ok=True)
    folder = profile.folder / f"storage-{name}"
    profile.verdi(
        *("profile", "setup", "core.sqlite_dos", "--non-interactive", "--profile-name", name, *PERSON),
        *("--broker", "none", "--filepath", str(folder)),
    )
    return folder
