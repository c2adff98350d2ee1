"""What happens to a campaign on a group's database when something breaks: nothing is lost, nothing is there twice.

After each fault the conductances are those of a campaign that nothing happened to, and `status` tells the truth.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.real.campaign.after_faults import (
    JUNCTION,
    check_each_ran_once,
    check_nothing_is_lost,
    junctions,
    under_way,
    undisturbed_conductances,
)
from tests.real.campaign.group_database import (
    CLUSTER,
    SMALL,
    SNAPSHOTS,
    Campaign,
    lead_folders,
    make_group_database,
    running,
)
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm

pytestmark = [pytest.mark.real, pytest.mark.nightly]

DISK_MB = 48


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system of a few MB."""
    with service_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "none", folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def database(
    services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, slurm: Slurm, small_disk: Path
) -> Iterator[Profile]:
    profile = Profile(services_folder / "group", slurm.environment)
    yield from make_group_database(profile, postgres, rabbitmq, small_disk)


@pytest.fixture(scope="module")
def undisturbed(database: Profile, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, float]]:
    """Snapshots and conductances (G0) of a campaign that nothing happens to."""
    return undisturbed_conductances(Campaign(database, tmp_path_factory.mktemp("undisturbed"), "undisturbed"))


@pytest.fixture
def campaign(database: Profile, undisturbed: Any, campaign_on: Callable[..., Campaign]) -> Callable[..., Campaign]:
    return partial(campaign_on, database, computer=CLUSTER)


def ended(rows: list[dict[str, Any]], process: str) -> list[tuple[str, int | None, int, int]]:
    """Return state, exit status, count and how many are made up for, of what `failures` lists of a plugin."""
    return [
        (row["state"], row["exit_status"], row["count"], row["mended"]) for row in rows if row["process"] == process
    ]


def test_a_killed_worker(campaign: Any, database: Profile, undisturbed: Any) -> None:
    one = campaign("worker")
    controller = under_way(one)
    for worker in database.workers():
        worker.kill()
    one.end(controller)
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []


def test_a_killed_controller(campaign: Any, undisturbed: Any) -> None:
    one = campaign("controller")
    first = under_way(one)
    first.kill()
    first.wait()
    assert one.status()["state"] == "running"
    one.end(one.start())
    check_each_ran_once(one, undisturbed)


def test_a_killed_pw_x(campaign: Any, undisturbed: Any) -> None:
    one = campaign("pwx")
    controller = one.start()
    one.program("pw.x", JUNCTION).kill()
    one.end(controller)
    # separate jobs took over, and none of what they made differs
    found = check_nothing_is_lost(one, undisturbed)
    assert sorted(junctions(found)) == [0, 0, 420]
    assert ended(one.failures(), "rewire.junction") == [("failed", 420, 1, 1)]


def test_a_job_that_hangs_until_its_wall_time(campaign: Any, undisturbed: Any) -> None:
    one = campaign("walltime", resources={"scf": {"walltime_h": 0.0167}})
    controller = one.start()
    one.program("pw.x", JUNCTION).suspend()
    one.end(controller)
    found = check_nothing_is_lost(one, undisturbed)
    failed = [status for status in junctions(found) if status]
    assert len(failed) == 1
    assert ended(one.failures(), "rewire.junction") == [("failed", failed[0], 1, 1)]


def test_a_job_that_somebody_cancels(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("cancelled")
    controller = under_way(one)
    (job,) = slurm.jobs()
    slurm.cancel(job)
    one.end(controller)
    found = check_nothing_is_lost(one, undisturbed)
    assert len([status for status in junctions(found) if status]) == 1
    assert [row["mended"] for row in one.failures() if row["process"] == "rewire.junction"] == [1]


def test_a_scheduler_that_cannot_be_reached_for_minutes(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("unreachable")
    controller = under_way(one)
    slurm.stop_controller()
    try:
        away = one.wait_for(lambda: [note for note in one.status()["notes"] if "did not answer" in note], "a pause")
        assert len(away) == 1
        assert away[0].startswith("1 job waits for a computer that did not answer, or whose disk is full: `verdi")
        time.sleep(60)
    finally:
        slurm.start_controller()
    one.end(controller)
    check_each_ran_once(one, undisturbed)


def test_a_full_disk(campaign: Any, small_disk: Path, undisturbed: Any) -> None:
    one = campaign("full", computer=SMALL, scratch=small_disk)
    controller = under_way(one)
    filler = small_disk / "filler"
    try:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
        told = one.wait_for(lambda: one.status()["notes"] or one.failures(), "a word of it")
        made = one.found()["made"]
    finally:
        filler.unlink()
    assert told
    one.end(controller)
    found = check_nothing_is_lost(one, undisturbed, attempts=one.status()["attempts"])
    assert found["made"][: len(made)] == made


def test_a_lead_whose_scratch_somebody_removed(campaign: Any, database: Profile, undisturbed: Any) -> None:
    one = campaign("removed")
    for folder in lead_folders(database):
        shutil.rmtree(folder, ignore_errors=True)
    one.end(one.start())
    check_each_ran_once(one, undisturbed)


def test_a_lead_whose_scratch_is_removed_while_it_is_needed(
    campaign: Any, database: Profile, undisturbed: Any
) -> None:
    one = campaign("removing")
    controller = under_way(one)
    for folder in lead_folders(database):
        shutil.rmtree(folder, ignore_errors=True)
    one.end(controller)
    # the next attempt, which starts by itself, computes the lead again; no SCF was run in vain after the first
    found = check_nothing_is_lost(one, undisturbed, attempts=2)
    ends = junctions(found)
    assert sorted(ends) == [0] * SNAPSHOTS + [319] * (len(ends) - SNAPSHOTS)
    assert ended(one.failures(), "rewire.junction") == [("failed", 319, len(ends) - SNAPSHOTS, len(ends) - SNAPSHOTS)]


def test_a_restart_of_the_database(campaign: Any, postgres: Postgres, undisturbed: Any) -> None:
    one = campaign("database")
    controller = under_way(one)
    postgres.restart(down_s=5.0)
    one.end(controller)
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []


def test_a_restart_of_the_broker(campaign: Any, rabbitmq: RabbitMQ, undisturbed: Any) -> None:
    one = campaign("broker")
    controller = under_way(one)
    rabbitmq.restart(down_s=5.0)
    one.end(controller)
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []


def test_a_machine_that_goes_down(campaign: Any, database: Profile, undisturbed: Any) -> None:
    one = campaign("machine")
    controller = under_way(one)
    # all of it at once: daemon, controller and what the job runs
    controller.kill()
    database.kill_daemon()
    while (left := running(database.folder, "pw.x")) is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    database.start_daemon(2)
    one.end(one.start())
    check_nothing_is_lost(one, undisturbed)


def test_a_campaign_that_somebody_pauses_and_resumes(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("paused")
    controller = under_way(one)
    # 1: some have not answered yet, and the controller goes on asking
    one.ask("pause", one.label, allowed=(0, 1))
    # the job that runs comes to its end, and no other begins
    one.wait_for(lambda: one.status()["snapshots"]["done"] == 1, "its job ends")
    time.sleep(15)
    chain = one.status()
    assert (chain["state"], chain["snapshots"]["done"], chain["snapshots"]["running"]) == ("paused", 1, 0)
    assert slurm.jobs() == {}
    one.ask("resume", one.label)
    one.end(controller)
    check_each_ran_once(one, undisturbed)


def test_a_campaign_that_somebody_kills_and_tries_again(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("killed")
    controller = one.start()
    one.wait_for(lambda: one.status()["snapshots"]["done"] == 1, "the first snapshot")
    one.program("pw.x", JUNCTION)
    one.ask("kill", one.label, "--yes", allowed=(0, 1))
    one.end(controller, status=1)
    assert slurm.jobs() == {}
    chain = one.status()
    assert (chain["state"], chain["snapshots"]["done"]) == ("killed", 1)
    one.ask("retry", one.label)
    one.end(one.start())
    # what was there is not computed again
    found = check_nothing_is_lost(one, undisturbed, attempts=2)
    assert junctions(found).count(0) == SNAPSHOTS
