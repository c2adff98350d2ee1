"""SQLite that others read and write while workers are busy: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.services.profile import Profile
from tests.real.services.troubled import check, hardened_profile, run_with

pytestmark = pytest.mark.real

FEW = 2
LONGER_THAN_AIIDA_WAITS_S = 8
LONGER_THAN_WORKERS_WAIT_S = 65

LEFT_EARLY = """
import sys
from aiida import load_profile, orm
load_profile()
for number in range(3):
    orm.Int(number).store()
rows = orm.QueryBuilder().append(orm.Int).iterall()
first = next(rows)
print("reads", flush=True)
sys.stdin.readline()
del rows
orm.Int(first[0].value).store()
print("wrote", flush=True)
"""


@pytest.fixture(scope="module")
def embedded(services_folder: Path) -> Iterator[Profile]:
    """Profile on SQLite that `aiida-rewire harden` has changed; the daemon runs."""
    with hardened_profile(
        services_folder / "busy", Profile.create_embedded, "rewire.sqlite_dos, core.zeromq"
    ) as profile:
        yield profile


def database_of(profile: Profile) -> Path:
    (file,) = profile.folder.glob(".aiida/repository/*/database.sqlite")
    return file


@contextlib.contextmanager
def transaction(profile: Profile, first: str) -> Iterator[None]:
    """Hold a transaction of the database that begins so."""
    with contextlib.closing(sqlite3.connect(database_of(profile), isolation_level=None, timeout=60)) as connection:
        for statement in first.split(";"):
            connection.execute(statement).fetchone()
        yield
        connection.execute("ROLLBACK")


def test_whoever_reads_keeps_nobody_from_writing(embedded: Profile) -> None:
    with transaction(embedded, "BEGIN; SELECT count(*) FROM db_dbnode"):
        begin = time.monotonic()
        with transaction(embedded, "BEGIN IMMEDIATE; UPDATE db_dbsetting SET val = val"):
            pass
        assert time.monotonic() - begin < 1


def test_who_left_a_query_early_writes_after_others_did(embedded: Profile) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", LEFT_EARLY],
        env=embedded.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "reads\n"
        with transaction(embedded, "BEGIN IMMEDIATE; UPDATE db_dbsetting SET val = val; COMMIT; BEGIN"):
            print(file=program.stdin, flush=True)
            assert program.stdout.readline() == "wrote\n"


def test_whoever_writes_for_longer_than_aiida_waits_is_waited_for(embedded: Profile, tmp_path: Path) -> None:
    before = {worker.pid for worker in embedded.workers()}

    def kept() -> None:
        with transaction(embedded, "BEGIN IMMEDIATE"):
            time.sleep(LONGER_THAN_AIIDA_WAITS_S)

    check(run_with(embedded, tmp_path / "lines", kept, chains=FEW), tmp_path / "lines", chains=FEW)
    assert {worker.pid for worker in embedded.workers()} == before


@pytest.mark.nightly
def test_workers_that_could_not_write_end_and_others_take_their_place(embedded: Profile, tmp_path: Path) -> None:
    before = {worker.pid for worker in embedded.workers()}

    def kept() -> None:
        with transaction(embedded, "BEGIN IMMEDIATE"):
            time.sleep(LONGER_THAN_WORKERS_WAIT_S)

    check(run_with(embedded, tmp_path / "lines", kept), tmp_path / "lines")
    assert not before & {worker.pid for worker in embedded.workers()}


def test_a_copy_of_the_file_alone_is_refused(embedded: Profile, tmp_path: Path) -> None:
    done = embedded.command(sys.executable, "-m", "aiida", "storage", "backup", str(tmp_path / "backup"))
    assert done.status == 1
    assert "`aiida-rewire database backup`" in done.output + done.errors
