"""One controller at a time on SQLite: a lock of a file, that a killed holder leaves to the next."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiida.manage import get_manager

from aiida_rewire.database.lock import FileLock, key_of, lock_of

HOLD = """
import sys, time
from pathlib import Path
from aiida_rewire.database.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
while not lock.acquire():
    print("waits", flush=True)
    time.sleep(0.05)
print("holds", flush=True)
time.sleep(60)
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    """Start a process that waits for the lock, then holds it."""
    return subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_second_waits_and_takes_over_when_the_first_is_killed_outright(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = hold(path)
    assert said(first) == "holds"
    second = hold(path)
    assert said(second) == "waits"
    mine = FileLock(path)
    assert not mine.acquire()
    assert not mine.is_free()
    assert not mine.is_held()
    first.send_signal(signal.SIGKILL)
    first.wait()
    start = time.monotonic()
    while said(second) == "waits":
        pass
    assert time.monotonic() - start < 5
    assert not mine.acquire()
    second.kill()
    second.wait()
    assert mine.acquire()
    assert mine.is_held()
    mine.release()
    assert not mine.is_held()
    assert mine.is_free()


def test_a_lock_whose_file_was_removed_or_replaced_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    mine = FileLock(path)
    assert mine.acquire()
    path.unlink()
    assert not mine.is_held()
    other = FileLock(path)
    assert other.acquire()
    assert (mine.is_held(), other.is_held()) == (False, True)
    mine.release()
    assert other.is_held()
    other.release()


def test_the_lock_of_a_campaign_is_beside_its_database(aiida_profile: Any) -> None:
    folder = Path(aiida_profile.storage_config["filepath"])
    one, other = lock_of("0a"), lock_of("0b")
    assert isinstance(one, FileLock)
    assert one.acquire()
    assert (folder / "rewire-campaign-0a.lock").exists()
    # of another campaign, and of the same
    assert other.acquire()
    assert not lock_of("0a").acquire()
    assert not lock_of("0a").is_free()
    one.release()
    other.release()
    assert lock_of("0a").is_free()
    get_manager().get_profile_storage().get_session().rollback()


@pytest.mark.parametrize("uuid", ["a", "b", "8f5f7d3a-8d1c-4b3a-9a43-3a4fd4c5ee11"])
def test_keys_are_signed_64_bit_numbers_that_tell_campaigns_apart(uuid: str) -> None:
    assert -(2**63) <= key_of(uuid) < 2**63
    assert key_of(uuid) != key_of(uuid + "x")
    # sha256(b"a") begins with ca978112ca1bbdca, of which the first bit is the sign
    assert key_of("a") == 0xCA978112CA1BBDCA - 2**64
