"""Profiles of their own on PostgreSQL and SQLite, with some of all that a database holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.database.new_profiles import add_on_postgresql, add_on_sqlite
from tests.real.database.databases import FILL, POSTGRESQL, Database
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder


@pytest.fixture(scope="session")
def databases() -> Iterator[Profile]:
    """Folder of the profiles."""
    with service_folder() as folder:
        yield Profile(folder / "aiida")


@pytest.fixture(scope="session")
def make_on(databases: Profile, request: pytest.FixtureRequest) -> Callable[[str, str], Database]:
    """Make a profile on a kind of database."""

    def make(kind: str, name: str) -> Database:
        if kind == POSTGRESQL:
            server: Postgres = request.getfixturevalue("postgres")
            add_on_postgresql(databases, server, name)
        else:
            add_on_sqlite(databases, name)
        return Database(databases, name, kind, lambda other: make(kind, other))

    return make


@pytest.fixture(scope="session")
def filled(make_on: Callable[[str, str], Database]) -> Callable[[str], Database]:
    """Return the profile of a kind that has some of everything; made once."""
    made: dict[str, Database] = {}

    def get(kind: str) -> Database:
        if kind not in made:
            made[kind] = make_on(kind, f"filled_{kind}")
            made[kind].python(FILL)
        return made[kind]

    return get
