"""What happens to a campaign when its cluster, or the way to it, breaks: nothing is lost, nothing is there twice.

Each fault goes through the real daemon, by SSH, on a Slurm that keeps accounts. Afterwards the conductances are those
of a campaign that nothing happened to, and `status` and `failures` tell the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.after_faults import (
    check_each_ran_once,
    check_nothing_is_lost,
    junctions,
    under_way,
    undisturbed_conductances,
)
from tests.real.campaign.group_database import SNAPSHOTS, Campaign
from tests.real.cluster.over_ssh import make_cluster_database
from tests.real.services.postgres import Postgres
from tests.real.services.profile import MPI, Profile
from tests.real.services.program import await_that, running
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm
from tests.real.services.ssh import Ssh
from tests.real.services.together import OVER_SSH

pytestmark = [pytest.mark.real, pytest.mark.nightly]

A_MINUTE_S = 60
NODE_TIMEOUT_S = 10


@pytest.fixture(scope="module")
def slurm(services_folder: Path) -> Iterator[Slurm]:
    """Slurm with accounts, that soon takes a silent node as down."""
    with running(Slurm(services_folder / "faulty-slurm", accounting=True, node_timeout_s=NODE_TIMEOUT_S)) as service:
        yield service


@pytest.fixture(scope="module")
def ssh(services_folder: Path, slurm: Slurm) -> Iterator[Ssh]:
    """The way to it."""
    with running(Ssh(services_folder / "faulty-ssh", {**slurm.environment, **MPI})) as service:
        yield service


@pytest.fixture(scope="module")
def database(
    services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, slurm: Slurm, ssh: Ssh
) -> Iterator[Profile]:
    profile = Profile(services_folder / "faulty", {**slurm.environment, **ssh.environment})
    yield from make_cluster_database(profile, postgres, rabbitmq, ssh)


@pytest.fixture(scope="module")
def undisturbed(database: Profile, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, float]]:
    """Snapshots and conductances (G0) of a campaign that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return undisturbed_conductances(Campaign(database, folder, "undisturbed", computer=OVER_SSH))


@pytest.fixture
def campaign(database: Profile, undisturbed: Any, campaign_on: Callable[..., Campaign]) -> Callable[..., Campaign]:
    return partial(campaign_on, database)


def pause_of(one: Campaign) -> str:
    """Wait until `status` says that a job waits for the computer, and return what it says."""
    (note,) = one.wait_for(lambda: [note for note in one.status()["notes"] if "did not answer" in note], "a pause")
    return str(note)


def test_a_server_that_refuses_for_a_minute(campaign: Any, ssh: Ssh, undisturbed: Any) -> None:
    one = campaign("refused")
    controller = under_way(one)
    ssh.refuse()
    try:
        note = pause_of(one)
        assert note.startswith("1 job waits for a computer that did not answer, or whose disk is full: `verdi")
        assert one.status()["state"] == "running"
        time.sleep(A_MINUTE_S)
    finally:
        ssh.accept()
    one.end(controller)
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []


def test_a_scheduler_that_is_down_for_a_minute(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("down")
    controller = under_way(one)
    slurm.stop_controller()
    try:
        assert pause_of(one).startswith("1 job waits for a computer that did not answer")
        time.sleep(A_MINUTE_S)
    finally:
        slurm.start_controller()
    one.end(controller)
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []


def test_a_node_whose_power_fails(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("power")
    controller = under_way(one)
    (job,) = slurm.jobs()
    node = slurm.node_of(job)
    slurm.kill_node(node)
    try:
        one.wait_for(one.failures, "a word of it")
        one.end(controller)
    finally:
        slurm.start_node(node)
        await_that(slurm.is_idle, "the node is back", 60)
    check_node_failure(one, undisturbed)


def test_a_node_that_is_taken_down(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("drained")
    controller = under_way(one)
    (job,) = slurm.jobs()
    node = f"NodeName={slurm.node_of(job)}"
    slurm.client("scontrol", "update", node, "State=DOWN", "Reason=maintenance")
    try:
        one.end(controller)
    finally:
        # by and by it comes back by itself
        if not slurm.is_idle():
            slurm.client("scontrol", "update", node, "State=RESUME")
        await_that(slurm.is_idle, "the node is back", 60)
    check_node_failure(one, undisturbed)


def check_node_failure(one: Campaign, undisturbed: Any) -> None:
    """Nothing is lost, and a node failure is told, with what to do about it."""
    found = check_nothing_is_lost(one, undisturbed)
    failed = [status for status in junctions(found) if status]
    assert len(failed) == 1
    (row,) = [row for row in one.failures() if row["process"] == "rewire.junction"]
    assert (row["state"], row["count"], row["mended"]) == ("failed", 1, 1)
    assert row["way_out"].startswith("the machine failed, not the job"), row


def test_a_job_that_is_requeued(campaign: Any, slurm: Slurm, undisturbed: Any) -> None:
    lines = {"scf": {"scheduler_lines": ["#SBATCH --requeue"]}}
    one = campaign("requeued", resources=lines)
    controller = under_way(one)
    (job,) = slurm.jobs()
    slurm.client("scontrol", "requeue", job)
    one.end(controller)
    found = check_nothing_is_lost(one, undisturbed)
    assert len(junctions(found)) == SNAPSHOTS


def test_a_scheduler_that_says_nothing_of_a_job(campaign: Any, ssh: Ssh, slurm: Slurm, undisturbed: Any) -> None:
    one = campaign("silent")
    controller = under_way(one)
    silent = ssh.replace("squeue", "exit 0")
    try:
        time.sleep(10)
    finally:
        silent.unlink()
    one.end(controller)
    # the job was not taken as ended, and nothing was done beside it
    check_each_ran_once(one, undisturbed)
    assert one.failures() == []
    assert slurm.jobs() == {}
