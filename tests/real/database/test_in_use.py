"""What needs a profile for itself alone is refused while a daemon or somebody else uses it, and changes nothing."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.real.database.databases import POSTGRESQL, SQLITE, UNOWNED, USE, Database, running
from tests.real.services.profile import NAME, Profile
from tests.real.services.program import service_folder

pytestmark = [pytest.mark.real, pytest.mark.nightly]


@contextmanager
def with_a_broker(kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Make an empty profile that can have a daemon."""
    with service_folder() as folder:
        profile = Profile(folder / "aiida")
        try:
            if kind == POSTGRESQL:
                profile.create(*map(request.getfixturevalue, ("postgres", "rabbitmq")), "in_use")
            else:
                profile.create_embedded()
            yield Database(profile, NAME, kind, add=pytest.fail)
        finally:
            profile.stop_daemon()


def all_of(database: Database) -> tuple[Any, dict[str, tuple[int, int]]]:
    """Return what a profile holds, and each file of its repository with size and time of its last change."""
    files = [path for path in database.container.rglob("*") if path.is_file()]
    kept = {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
    return database.content(), kept


@contextmanager
def left_as_it_is(database: Database) -> Iterator[None]:
    """Hold that a block changes nothing in a profile."""
    before = all_of(database)
    yield
    assert all_of(database) == before


@contextmanager
def used_from_elsewhere(database: Database, folder: Path) -> Iterator[None]:
    """Let another configuration, of another account or host, use the database."""
    other = Profile(folder / "elsewhere")
    shutil.copytree(
        database.profile.folder / ".aiida", other.folder / ".aiida", ignore=shutil.ignore_patterns("access")
    )
    with running(replace(database, profile=other), USE):
        yield


@pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL])
def test_restore_and_full_upkeep_wait_for_the_daemon_and_for_others_to_be_gone(
    kind: str, filled: Callable[[str], Database], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = filled(kind)
    before = source.content()
    backups = str(tmp_path / "backups")
    source.answer("backup", backups)
    stop = f"`verdi -p {NAME} daemon stop`"
    with with_a_broker(kind, request) as database:
        profile = database.profile
        profile.start_daemon()
        with left_as_it_is(database):
            said = database.refusal("restore", backups)
            assert said.startswith(f"profile = {NAME}: must be without a daemon, and has one with PID ")
            assert said.endswith(f"; {stop}")
            assert len(profile.workers()) == 1
        profile.verdi("-p", NAME, "daemon", "stop")
        with left_as_it_is(database), running(database, USE):
            said = database.refusal("restore", backups)
            assert "used by nobody else, and is by: pid " in said
            assert said.endswith("; end these")
        assert database.answer("restore", backups)["complete"] is True
        assert database.content() == before

        database.python(UNOWNED)
        profile.start_daemon()
        for full in (["maintain", "--full"], ["maintain", "--full", "--dry-run"]):
            with left_as_it_is(database):
                assert database.refusal(*full).endswith(f"; {stop}, or leave out --full")
        # one that was killed leaves its PID behind: it might be that of another machine
        profile.kill_daemon()
        with left_as_it_is(database):
            assert database.refusal("maintain", "--full").endswith(f"; {stop}, or leave out --full")
        profile.verdi("-p", NAME, "daemon", "stop")
        if kind == POSTGRESQL:
            with left_as_it_is(database), used_from_elsewhere(database, tmp_path):
                said = database.refusal("maintain", "--full")
                assert "used by nobody else, and its database is by: in_use (" in said
                assert said.endswith("; end these, or leave out --full")
        assert database.answer("size")["unowned"] == 1
        assert database.answer("maintain", "--full")["deleted"] == 1
        assert database.answer("size")["unowned"] == 0
        assert database.content() == before
