"""Backups, restored into a second profile and compared; what cannot be restored is refused."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.real.database.databases import BEGIN, POSTGRESQL, SQLITE, Database

pytestmark = pytest.mark.real

KINDS = [SQLITE, POSTGRESQL]


@pytest.mark.parametrize("kind", [pytest.param(SQLITE, marks=pytest.mark.nightly), POSTGRESQL])
def test_what_is_restored_is_what_was_backed_up(
    kind: str, filled: Callable[[str], Database], tmp_path: Path, make_on: Callable[[str, str], Database]
) -> None:
    database = filled(kind)
    if kind == POSTGRESQL:
        database.answer("index")
    before = database.content()
    assert len(before["nodes"]) > 40
    assert len(before["links"]) > 10
    assert sum(map(len, before["files"].values())) > 40
    folder = tmp_path / "backups of ü"
    made = database.answer("backup", str(folder))
    assert made["counts"]["nodes"] == len(before["nodes"])
    assert database.content() == before
    check_private(folder, database.configuration.get("database_password"))

    copy = database.add(f"copy_{kind}")
    restored = copy.answer("restore", str(folder))
    assert (restored["folder"], restored["complete"]) == (made["folder"], True)
    assert copy.content() == before
    # it can be written to, and AiiDA finds its version right
    copy.python(f"{BEGIN}\norm.Int(1).store()")
    copy.profile.verdi("-p", copy.name, "storage", "version")
    if kind == POSTGRESQL:
        assert all(one["valid"] for one in copy.answer("index", "--show")["indices"])

    # a profile that holds something is left as it is
    refused = copy.refusal("restore", str(folder))
    assert "must be empty" in refused
    assert len(copy.content()["nodes"]) == len(before["nodes"]) + 1


def check_private(folder: Path, password: str | None) -> None:
    """Nobody else can read a backup, and no password is in it."""
    backups = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in backups] == [0o700]
    (backup,) = backups
    if password is not None:
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in files if password.encode() in path.read_bytes()]
    record = json.loads((backup / "backup.json").read_text())
    assert set(record) >= {"schema", "aiida", "repository", "counts", "began"}


@pytest.mark.nightly
def test_older_backups_go_and_packed_files_take_no_further_space(
    filled: Callable[[str], Database], tmp_path: Path
) -> None:
    database = filled(SQLITE)
    database.answer("maintain")
    folder = tmp_path / "backups"
    made = [Path(database.answer("backup", str(folder), "--keep", "1")["folder"]) for _ in range(3)]
    assert [path.is_dir() for path in made] == [False, True, True]
    packs = [next((path / "container" / "packs").iterdir()).stat() for path in made[1:]]
    assert packs[0].st_ino == packs[1].st_ino
    assert packs[0].st_size > 0
    # what broke off is not taken for a backup, and the next one begins anew
    (folder / "live-backup").mkdir()
    (folder / "live-backup" / "rest").touch()
    assert "finished backup" in database.refusal("restore", str(folder / "live-backup"))
    database.answer("backup", str(folder), "--keep", "1")
    assert not (folder / "live-backup").exists()


def test_folders_that_cannot_hold_backups_are_refused(filled: Callable[[str], Database], tmp_path: Path) -> None:
    database = filled(SQLITE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear ...")
    assert "one of backups of this profile" in database.refusal("backup", str(tmp_path / "mine"))
    assert "must be a folder" in database.refusal("backup", str(tmp_path / "mine" / "letter"))
    assert "without ':'" in database.refusal("backup", "host:/backups")
    assert "outside of" in database.refusal("backup", str(database.container / "backups"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter"]


@pytest.mark.nightly
def test_a_lost_file_makes_no_backup(make_on: Callable[[str, str], Database], tmp_path: Path) -> None:
    database = make_on(SQLITE, "lossy")
    database.python(f"{BEGIN}\nimport io\norm.SinglefileData(io.BytesIO(b'content')).store()")
    loose = [path for path in (database.container / "loose").rglob("*") if path.is_file()]
    assert len(loose) == 1
    loose[0].unlink()
    refused = database.refusal("backup", str(tmp_path / "backups"))
    assert "files of nodes = 1 of 1" in refused
    assert database.answer("size")["missing"] == 1


WRITE = f"""{BEGIN}
import io, itertools
print("begins", flush=True)
for number in itertools.count():
    text = f"{{number}} ".encode() * 5000
    orm.SinglefileData(io.BytesIO(text), label=str(number)).store()
"""

CHECK = f"""{BEGIN}
query = orm.QueryBuilder().append(orm.SinglefileData)
labels = []
for node in query.all(flat=True):
    assert node.get_content("rb") == f"{{node.label}} ".encode() * 5000, node.label
    labels.append(int(node.label))
assert sorted(labels) == list(range(len(labels))), "what is there is all up to a moment"
print(len(labels))
"""


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_of_what_is_being_written_to_is_whole(
    kind: str, make_on: Callable[[str, str], Database], tmp_path: Path
) -> None:
    import subprocess
    import sys

    database = make_on(kind, f"busy_{kind}")
    writer = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WRITE, database.name],
        env=database.profile.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begins\n"
        counts: list[Any] = []
        for turn in range(3):
            database.answer("maintain")
            database.answer("backup", str(tmp_path / "backups"))
            copy = database.add(f"busy_{kind}_{turn}")
            assert copy.answer("restore", str(tmp_path / "backups"))["complete"]
            counts.append(int(copy.python(CHECK).strip().splitlines()[-1]))
        assert writer.poll() is None
        assert 0 < counts[0] < counts[1] < counts[2]
    finally:
        writer.kill()
        writer.wait()


OLDER = """
import os, subprocess, sys
from aiida.manage.configuration import get_config
from aiida_rewire.database.dump import whereabouts
profile = get_config().get_profile(sys.argv[1])
with profile.storage_cls.migrator(profile) as migrator:
    migrator.migrate_down("main@main_0001")
found = {**os.environ, **whereabouts(profile.storage_config)}
subprocess.run(["pg_dump", "--format=custom", f"--file={sys.argv[2]}"], env=found, check=True)
"""
"""Takes a profile back to the schema of AiiDA 2.0 to 2.3, and dumps it."""


@pytest.mark.nightly
def test_a_backup_goes_through_the_migration_of_an_upgrade(
    filled: Callable[[str], Database], make_on: Callable[[str, str], Database], tmp_path: Path
) -> None:
    database = filled(POSTGRESQL)
    database.answer("index")
    backup = Path(database.answer("backup", str(tmp_path / "backups"))["folder"])
    older = make_on(POSTGRESQL, "older")
    older.answer("restore", str(backup))
    before = older.content()
    older.python(OLDER, str(backup / "database.pgdump"))
    assert "migrate" in older.refusal("size")

    copy = make_on(POSTGRESQL, "upgraded")
    restored = copy.rewire("restore", str(backup))
    assert restored.status == 0
    assert "its schema is older than this AiiDA's: `verdi -p upgraded storage migrate`" in restored.output
    copy.profile.verdi("-p", copy.name, "storage", "migrate", "--force")
    copy.profile.verdi("-p", copy.name, "storage", "version")
    assert copy.content() == before
    assert all(one["valid"] for one in copy.answer("index", "--show")["indices"])
