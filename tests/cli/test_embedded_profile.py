"""The embedded profile of a project, whole and broken in the ways that happen."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiida_rewire.cli import embedded_profile
from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.embedded_profile import profile_checks


@pytest.fixture(scope="module")
def made_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AIIDA_PATH with a profile as the demo makes it; copied by the tests that change it."""
    directory = tmp_path_factory.mktemp("profile") / ".rewire"
    directory.mkdir()
    verdi(directory, "presto", "--use-zeromq", "--profile-name", "rewire")
    return directory


@pytest.fixture
def profile(made_profile: Path, tmp_path: Path) -> Path:
    """A copy of the profile that a test may break."""
    directory = tmp_path / "work" / ".rewire"
    shutil.copytree(made_profile, directory)
    config = directory / ".aiida" / "config.json"
    config.write_text(config.read_text().replace(str(made_profile), str(directory)))
    return directory


def verdi(directory: Path, *arguments: str) -> None:
    # the daemon looks for verdi on PATH
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "AIIDA_PATH": str(directory), "PATH": path}
    subprocess.run([programs / "verdi", *arguments], env=environment, check=True, capture_output=True, timeout=120)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be a user without a ~/.aiida, and still be one afterwards."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("AIIDA_PATH", raising=False)
    yield
    assert list(folder.iterdir()) == []


def look_at(directory: Path) -> dict[str, Check]:
    listed = profile_checks(directory)
    found = {check.name: check for check in listed}
    assert len(found) == len(listed)
    assert all((check.fix is None) == (check.status == "ok") for check in listed)
    return found


def way_out(check: Check) -> str:
    assert check.fix is not None
    return check.fix


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


def test_profile_of_the_directory_is_opened_and_left_alone(profile: Path) -> None:
    before = snapshot(profile)
    found = look_at(profile)
    assert found["profile"].message == f"rewire in {profile}"
    assert found["storage"].status == "ok"
    assert found["storage"].message.startswith("core.sqlite_dos, schema main_")
    assert found["broker"].message == "ZeroMQ, embedded: starts with the daemon"
    assert found["daemon"].message == "stopped"
    assert snapshot(profile) == before


def test_folders_that_importing_aiida_makes_are_not_made(profile: Path) -> None:
    for folder in ("daemon", "access", "broker", "log"):
        shutil.rmtree(profile / ".aiida" / folder)
    before = snapshot(profile)
    assert look_at(profile)["storage"].status == "ok"
    assert snapshot(profile) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"profiles": {"rewire": 1}}', b"\xff"])
def test_corrupted_configuration(profile: Path, content: bytes) -> None:
    config = profile / ".aiida" / "config.json"
    config.write_bytes(content)
    before = snapshot(profile)
    found = look_at(profile)
    assert found["profile"].status == "failure"
    assert str(config) in found["profile"].message
    assert "aiida-rewire demo --clean" in way_out(found["profile"])
    assert snapshot(profile) == before


def test_configuration_gone_but_storage_left(profile: Path) -> None:
    (profile / ".aiida" / "config.json").unlink()
    found = look_at(profile)
    assert found["profile"].status == "failure"
    assert "is missing" in found["profile"].message


@pytest.mark.parametrize("lost", ["database.sqlite", "container", "."])
def test_missing_storage(profile: Path, lost: str) -> None:
    (storage,) = (profile / ".aiida" / "repository").iterdir()
    target = storage / lost
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
    before = snapshot(profile)
    found = look_at(profile)
    assert found["storage"].status == "failure"
    assert str(storage) in found["storage"].message
    assert "aiida-rewire demo --clean" in way_out(found["storage"])
    assert found["daemon"].status == "ok"
    assert snapshot(profile) == before


def test_storage_that_is_no_database(profile: Path) -> None:
    (storage,) = (profile / ".aiida" / "repository").iterdir()
    (storage / "database.sqlite").write_bytes(b"this is not SQLite" * 100)
    found = look_at(profile)
    assert found["storage"].status == "failure"
    assert "not a database" in found["storage"].message


def test_storage_of_another_schema_is_to_be_migrated(profile: Path) -> None:
    (storage,) = (profile / ".aiida" / "repository").iterdir()
    with sqlite3.connect(storage / "database.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = 'main_0001'")
    database.close()
    found = look_at(profile)
    assert found["storage"].status == "failure"
    assert "main_0001" in found["storage"].message
    assert f"AIIDA_PATH={profile} verdi storage migrate" in way_out(found["storage"])
    migrate = way_out(found["storage"]).split("    or: ")[0]
    subprocess.run(["/bin/sh", "-c", f"{migrate} --help"], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("backend", "status", "seen"),
    [(None, "failure", "none"), ("core.rabbitmq", "ok", "core.rabbitmq"), ("no.such", "failure", "no.such")],
)
def test_broker_of_another_kind(profile: Path, backend: str | None, status: str, seen: str) -> None:
    config = profile / ".aiida" / "config.json"
    content = json.loads(config.read_text())
    content["profiles"]["rewire"]["process_control"] = {"backend": backend, "config": {}}
    config.write_text(json.dumps(content))
    found = look_at(profile)
    assert found["profile"].status == "ok"
    assert found["broker"].status == status
    assert seen in found["broker"].message


@pytest.mark.parametrize("content", [str(os.getpid()), "999999999999999999999", "", "no number"])
def test_pid_file_left_over_is_no_daemon(profile: Path, content: str) -> None:
    (profile / ".aiida" / "daemon" / "circus-rewire.pid").write_text(content)
    assert look_at(profile)["daemon"].message == "stopped"


@pytest.mark.parametrize("left", [[], [".aiida"], [".aiida/daemon/log", ".aiida/access"]])
def test_directory_without_a_profile_is_no_defect(tmp_path: Path, left: list[str]) -> None:
    directory = tmp_path / ".rewire"
    directory.mkdir()
    for folder in left:
        (directory / folder).mkdir(parents=True)
    before = snapshot(directory)
    found = look_at(directory)
    assert list(found) == ["profile"]
    assert found["profile"].status == "ok"
    assert "none yet" in found["profile"].message
    assert snapshot(directory) == before


def test_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / ".rewire").touch()
    found = look_at(tmp_path / ".rewire")
    assert found["profile"].status == "failure"
    assert "Not a directory" in found["profile"].message


def test_database_that_does_not_answer(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_profile, "PROBE_TIMEOUT_S", 0.05)
    found = look_at(profile)
    assert found["profile"].status == "failure"
    assert "no answer within 0.05 s" in found["profile"].message


@pytest.fixture
def running_daemon(profile: Path) -> Iterator[Path]:
    """A profile whose real daemon, with the broker that it starts, is running."""
    verdi(profile, "daemon", "start", "1")
    yield profile
    verdi(profile, "daemon", "stop")


@pytest.mark.real
def test_running_daemon_and_its_broker(running_daemon: Path) -> None:
    found = look_at(running_daemon)
    pid = (running_daemon / ".aiida" / "daemon" / "circus-rewire.pid").read_text().strip()
    assert found["daemon"].message == f"running, PID {pid}"
    assert found["broker"].message.startswith("ZeroMQ, embedded: running, PID ")
    (broker_file,) = (running_daemon / ".aiida" / "broker").glob("*/broker.pid")
    recorded = broker_file.read_text()
    broker_file.write_text("aiida-zeromq-broker 999999999")
    found = look_at(running_daemon)
    broker_file.write_text(recorded)
    assert found["broker"].status == "failure"
    assert "verdi daemon restart" in way_out(found["broker"])
