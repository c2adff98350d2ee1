"""A real Slurm whose squeue says nothing: jobs that are there have not ended, and jobs that have ended have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida.schedulers import SchedulerError
from aiida.schedulers.datastructures import JobState
from aiida.schedulers.plugins.slurm import SlurmScheduler
from aiida.transports.plugins.local import LocalTransport
from tests.real.campaign.group_database import CLI
from tests.real.cluster.over_ssh import BY_PARAMIKO
from tests.real.services.profile import Profile
from tests.real.services.program import await_that
from tests.real.services.slurm import Slurm as Cluster
from tests.real.services.together import OVER_SSH

from aiida_rewire.services.slurm import Slurm

pytestmark = pytest.mark.real


@pytest.fixture
def silent(slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of programs before all others, with a squeue that says nothing."""
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\nexit 0\n")
    squeue.chmod(0o755)
    return squeue


@pytest.fixture
def transport() -> Iterator[LocalTransport]:
    with LocalTransport(use_login_shell=False) as made:
        yield made


@pytest.fixture
def submit(slurm: Cluster) -> Iterator[Callable[..., str]]:
    """Submit a job that sleeps, and return its number."""
    jobs: list[str] = []

    def make(*options: str) -> str:
        words = ("--parsable", "--output=/dev/null", *options, "--wrap=sleep 60")
        jobs.append(slurm.client("sbatch", *words).strip())
        return jobs[-1]

    yield make
    for job in jobs:
        slurm.cancel(job)
    await_that(slurm.is_idle, "all jobs have ended", 30)


def asked(kind: type[SlurmScheduler], transport: LocalTransport, *jobs: str) -> dict[str, JobState]:
    """Ask a scheduler for jobs."""
    scheduler = kind()
    scheduler.set_transport(transport)
    found: Any = scheduler.get_jobs(jobs=list(jobs), as_dict=True)
    return {job: info.job_state for job, info in found.items()}


def test_a_job_that_squeue_does_not_name_has_not_ended(
    slurm: Cluster, submit: Any, silent: Path, transport: LocalTransport
) -> None:
    runs, waits, cancelled = submit(), submit("--begin=now+1hour"), submit("--begin=now+1hour")
    slurm.cancel(cancelled)
    scontrol = ("scontrol", "--oneliner", "show", "job")
    await_that(lambda: "JobState=RUNNING" in slurm.client(*scontrol, runs), "the job runs", 30)
    # AiiDA's own takes all of them as ended
    assert asked(SlurmScheduler, transport, runs, waits) == {}
    there = {runs: JobState.RUNNING, waits: JobState.QUEUED}
    assert asked(Slurm, transport, runs, waits, cancelled, "4000000") == there
    assert asked(Slurm, transport, "4000000") == {}
    # what squeue names is not doubted
    silent.unlink()
    assert asked(Slurm, transport, runs, waits, cancelled) == {**there, waits: JobState.QUEUED_HELD}


@pytest.mark.nightly
def test_where_nobody_knows_nothing_is_said_of_a_job(
    slurm: Cluster, submit: Any, silent: Path, transport: LocalTransport
) -> None:
    job = submit()
    slurm.stop_controller()
    try:
        with pytest.raises(
            SchedulerError, match=f"squeue names none of {job}, and scontrol says: .*[Uu]nable to con"
        ):
            asked(Slurm, transport, job)
    finally:
        slurm.start_controller()


def test_without_scontrol_the_word_of_squeue_is_taken(
    submit: Any, silent: Path, transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit()
    for name in ("bash", "env"):
        (silent.parent / name).symlink_to(f"/usr/bin/{name}")
    with monkeypatch.context() as changed:
        changed.setenv("PATH", str(silent.parent))
        assert asked(Slurm, transport, job) == {}


def test_harden_changes_computers_and_changes_them_back(ssh_profile: Profile) -> None:
    def harden(*options: str) -> list[str]:
        done = ssh_profile.command(*CLI, "harden", *options)
        assert done.status == 0, done.errors
        return sorted(done.output.splitlines())

    ours, theirs = (f"services: {storage}.sqlite_dos, core.zeromq" for storage in ("rewire", "core"))
    both = (BY_PARAMIKO, OVER_SSH)
    assert harden() == [*(f"{computer}: rewire.slurm" for computer in both), ours]
    assert "rewire.slurm" in ssh_profile.verdi("computer", "show", OVER_SSH)
    assert harden() == [f"{ours}; nothing to change"]
    assert harden("--undo") == [*(f"{computer}: core.slurm" for computer in both), theirs]
    assert "core.slurm" in ssh_profile.verdi("computer", "show", OVER_SSH)
