"""Locks and controllers on PostgreSQL and RabbitMQ, the server restarted below them."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.harness import HERE, SIGKILL, Campaigns, check_every_chain_ran_once, killed_at_random

pytestmark = [pytest.mark.real, pytest.mark.nightly]


def hold(campaigns: Campaigns, uuid: str) -> "subprocess.Popen[str]":
    """Start a program that wants the lock of a campaign."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE / "rewire_locking.py"), uuid],
        env=campaigns.profile.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_lock_is_one_of_the_session_and_lost_with_it(shared_campaigns: Campaigns, postgres: Any) -> None:
    uuid = "4b0f4a4e-9d0c-4d4e-8a39-0c2f7d1c8f11"
    first = hold(shared_campaigns, uuid)
    try:
        assert said(first) == "holds"
        second, other = hold(shared_campaigns, uuid), hold(shared_campaigns, f"{uuid[:-1]}2")
        try:
            # another campaign's lock is another
            assert (said(second), said(other)) == ("waits", "holds")
            first.kill()
            assert said(second) == "holds"
            # cut off, the holder knows at its next look, and takes the lock again when the server is back
            postgres.restart(down_s=1.0)
            assert [said(second), said(second)] == ["away", "holds"]
        finally:
            second.kill()
            other.kill()
    finally:
        first.kill()


def test_every_chain_runs_once_whenever_its_controller_is_killed(
    shared_campaigns: Campaigns, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    task = {"voltages": [1.0, 2.0, 3.0, 4.0, 5.0], "seed": 2, "kills": 5, "longest_s": 2.0}
    found, _ = killed_at_random(shared_campaigns, tmp_path, "killed", **task)
    assert found["ends"] == [SIGKILL] * 10
    assert found["last"] == 0
    check_every_chain_ran_once(found, [f"{volts}V-s1" for volts in (1, 2, 3, 4, 5)], lines(), jobs=1)


def test_a_restart_of_the_database_ends_neither_the_controller_nor_the_chains(
    study: Any, shared_campaigns: Campaigns, postgres: Any, lines: Callable[[], list[str]]
) -> None:
    voltages = [1.0, 2.0, 3.0, 4.0]
    one = study("restarted", on=shared_campaigns, voltages=voltages, active_chains=2, attempts=3, jobs=3, seconds=0.5)
    controller = one.start()
    controller.wait_for("2V-s1: attempt 1 submitted")
    time.sleep(3)
    postgres.restart(down_s=5.0)
    assert controller.status() == 0
    assert "the database does not answer" in controller.said
    assert "the workers of the daemon lost their database: they are started anew" in controller.said
    assert "it answers again" in controller.said
    assert lines() == [f"{volts}V-s1 {job}" for volts in (1, 2, 3, 4) for job in (1, 2, 3)]
