"""Pausing, resuming, killing and retrying chains that run, with a real daemon and real jobs."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.real.campaign.harness import LONGEST_S

pytestmark = pytest.mark.real


def jobs_on_this_machine(file: Path) -> list[str]:
    """Chains whose jobs the machine runs."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[:2] == ["/bin/bash", "-c"] and words[-1:] == [str(file)]:
            found.append(words[-2])
    return sorted(found)


@pytest.mark.nightly
def test_a_paused_campaign_holds_after_the_jobs_that_run_and_goes_on_when_resumed(
    study: Any, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    one = study("paused", voltages=[1.0, 2.0, 3.0], active_chains=2, jobs=2, seconds=3.0)
    controller = one.start()
    controller.wait_for("2V-s1: attempt 1 submitted")
    one.until(lambda found: len([job for *_, job in found["living"] if job]) == 2)
    asked = one.ask("pause")
    assert (asked["paused"], asked["answer"]["left"]) == (True, 6)
    # the jobs that ran end; their lanes hold, and nothing else begins
    held = one.until(lambda found: [state for *_, state, job in found["living"]].count("paused") == 2)
    assert not [job for *_, job in held["living"] if job]
    assert sorted(held["attempts"]) == ["1V-s1", "2V-s1"]
    assert lines() == ["1V-s1 1", "2V-s1 1"]
    # one chain goes on, then all
    asked = one.ask("resume", "1V-s1")
    assert (asked["answer"], asked["paused"], asked["paused_chains"]) == (
        {"done": 1, "left": 0, "jobs_left": 0, "daemon": True},
        False,
        ["2V-s1", "3V-s1"],
    )
    one.until(lambda found: found["attempts"]["1V-s1"] == [["finished", 0]])
    assert lines() == ["1V-s1 1", "1V-s1 2", "2V-s1 1"]
    asked = one.ask("resume")
    assert (asked["paused_chains"], asked["answer"]["done"]) == ([], 1)
    assert controller.status() == 0
    assert lines() == sorted(f"{volts}V-s1 {job}" for volts in (1, 2, 3) for job in (1, 2))
    assert "the campaign is paused" in controller.said


def test_killed_chains_end_with_their_jobs_and_are_tried_again_when_granted(
    study: Any, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    one = study("killed-by-people", voltages=[1.0, 2.0], jobs=1, seconds=600.0)
    controller = one.start()
    deadline = time.monotonic() + LONGEST_S
    while jobs_on_this_machine(one.file) != ["1V-s1 1", "2V-s1 1"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    asked = one.ask("kill", "1V-s1")
    assert asked["answer"] == {"done": 3, "left": 0, "jobs_left": 0, "daemon": True}
    assert (asked["killed_chains"], asked["attempts"]["1V-s1"]) == (["1V-s1"], [["killed", None]])
    assert jobs_on_this_machine(one.file) == ["2V-s1 1"]
    # a grant while the other runs; twice is the same as once
    for granted in (True, False):
        retried = one.ask("retry")
        assert {retry["chain"]: retry["granted"] for retry in retried["answer"]} == {"1V-s1": granted, "2V-s1": False}
        assert (retried["granted_retries"], retried["killed_chains"]) == ({"1V-s1": 1}, [])
    again = one.until(lambda found: len(found["attempts"]["1V-s1"]) == 2)
    assert again["attempts"]["1V-s1"][0] == ["killed", None]
    # all of them, also a controller that comes later starts nothing
    asked = one.ask("kill")
    assert (asked["answer"]["left"], asked["answer"]["jobs_left"], asked["living"]) == (0, 0, [])
    assert jobs_on_this_machine(one.file) == []
    assert controller.status() == 1
    assert "0 of 2 chains finished" in controller.said
    assert one.start().status() == 1
    assert [len(those) for those in one.ask("")["attempts"].values()] == [2, 1]
    assert not (tmp_path / "lines").exists()


@pytest.mark.nightly
def test_what_failed_is_tried_again_by_itself_and_by_request(study: Any, lines: Callable[[], list[str]]) -> None:
    statuses = {"1V-s1": [400, 401, 402], "2V-s1": [310]}
    one = study("failed", voltages=[1.0, 2.0, 3.0], attempts=2, jobs=1, seconds=0.0, statuses=statuses)
    first = one.start()
    assert first.status() == 1
    assert "1V-s1: attempt 1 ended ([400] as wanted); it is tried again" in first.said
    assert "1 of 3 chains finished" in first.said
    assert one.ask("")["attempts"] == {
        "1V-s1": [["failed", 400], ["failed", 401]],
        "2V-s1": [["failed", 310]],
        "3V-s1": [["finished", 0]],
    }
    # only those of an exit code
    retried = one.ask("retry", exit_code=401)
    assert {retry["chain"]: retry["why"] for retry in retried["answer"]} == {
        "1V-s1": "failed with exit code 401: attempt 3",
        "2V-s1": "failed with exit code 310, not with exit code 401",
        "3V-s1": "is finished",
    }
    assert retried["granted_retries"] == {"1V-s1": 1}
    assert one.ask("retry", exit_code=401)["granted_retries"] == {"1V-s1": 1}
    assert one.start().status() == 1
    assert one.ask("retry")["granted_retries"] == {"1V-s1": 2, "2V-s1": 1}
    assert one.start().status() == 0
    assert one.ask("")["attempts"]["2V-s1"] == [["failed", 310], ["finished", 0]]
    assert lines() == [*["1V-s1 1"] * 4, *["2V-s1 1"] * 2, "3V-s1 1"]


@pytest.mark.nightly
def test_of_two_controllers_one_waits_and_takes_over_and_a_daemon_that_is_down_is_waited_for(
    study: Any, campaigns: Any, lines: Callable[[], list[str]]
) -> None:
    one = study("two", voltages=[1.0, 2.0, 3.0, 4.0], active_chains=1, jobs=1, seconds=1.0)
    first = one.start()
    first.wait_for("submitted as")
    second = one.start()
    second.wait_for("another controller runs this campaign (")
    assert f"PID {first.process.pid}, since 20" in second.said
    campaigns.profile.stop_daemon()
    first.end()
    second.wait_for("the other controller ended: taking over")
    second.wait_for("the daemon does not run: nothing is submitted until `verdi daemon start`")
    campaigns.profile.start_daemon(2)
    second.wait_for("the daemon runs")
    assert second.status() == 0
    assert lines() == [f"{volts}V-s1 1" for volts in (1, 2, 3, 4)]


@pytest.mark.nightly
def test_a_controller_that_is_asked_to_stop_leaves_the_chains_alone(study: Any) -> None:
    one = study("stopped", voltages=[1.0], jobs=1, seconds=2.0)
    controller = one.start()
    controller.wait_for("submitted as")
    controller.end(signal.SIGTERM)
    assert controller.status() == 1
    assert "stopped; chains that were started go on" in controller.said
    one.until(lambda found: found["attempts"]["1V-s1"] == [["finished", 0]])


@pytest.mark.nightly
def test_what_a_machine_that_went_down_left_is_taken_up(
    study: Any, campaigns: Any, lines: Callable[[], list[str]]
) -> None:
    one = study("down", voltages=[1.0, 2.0, 3.0, 4.0], active_chains=2, attempts=3, jobs=2, seconds=0.5)
    controller = one.start()
    controller.wait_for("2V-s1: attempt 1 submitted")
    time.sleep(2)
    controller.end()
    for process in campaigns.profile.daemon_processes():
        process.kill()
    time.sleep(1)
    campaigns.profile.start_daemon(2)
    assert one.start().status() == 0
    assert set(lines()) == {f"{volts}V-s1 {job}" for volts in (1, 2, 3, 4) for job in (1, 2)}
    found = one.ask("")
    assert {chain: those[-1] for chain, those in found["attempts"].items()} == {
        f"{volts}V-s1": ["finished", 0] for volts in (1, 2, 3, 4)
    }


@pytest.mark.nightly
def test_workers_whose_broker_was_killed_are_started_anew(
    study: Any, campaigns: Any, lines: Callable[[], list[str]]
) -> None:
    one = study("broker", voltages=[1.0, 2.0, 3.0], active_chains=2, attempts=3, jobs=2, seconds=6.0)
    controller = one.start()
    controller.wait_for("2V-s1: attempt 1 submitted")
    one.until(lambda found: len([job for *_, job in found["living"] if job]) == 2)
    brokers = [found for found in campaigns.profile.daemon_processes() if "broker" in found.cmdline()]
    assert len(brokers) == 1
    brokers[0].kill()
    assert controller.status() == 0
    assert "the workers of the daemon lost their broker: they are started anew" in controller.said
    assert lines() == [f"{volts}V-s1 {job}" for volts in (1, 2, 3) for job in (1, 2)]
