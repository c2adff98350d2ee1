"""Jobs of processes that were killed: whether their schedulers have let them go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """A job of a scheduler.

    Attributes
    ----------
    pk
        Of its process.
    computer
        Label of its computer.
    job_id
        The scheduler's name for it; None if it was not submitted.
    """

    pk: int
    computer: str
    job_id: str | None


def jobs_of(pks: Iterable[int]) -> dict[int, Job]:
    """Return the jobs of processes, by PK, as the database knows them now."""
    from aiida import orm

    wanted = sorted(set(pks))
    if not wanted:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={"id": {"in": wanted}}, project=["id", "attributes.job_id"], tag="job")
    query.append(orm.Computer, with_node="job", project="label")
    return {pk: Job(pk, computer, job_id) for pk, job_id, computer in query.iterall()}


def jobs_left(jobs: Mapping[int, Job], say: Callable[[str], None]) -> dict[int, Job]:
    """Return the jobs that their schedulers still have; those of a computer that does not answer are told of."""
    left = {}
    for computer, those in by_computer(jobs).items():
        try:
            with scheduler_of(computer) as scheduler:
                there = scheduler.get_jobs(jobs=[job.job_id for job in those], as_dict=True)
        except failures() as error:
            say(f"{computer} does not answer, so that nobody knows whether its jobs ended: {error}")
            continue
        for job in those:
            state = getattr(there.get(job.job_id), "job_state", None)
            if state is not None and state.value != "done":
                left[job.pk] = job
    return left


def cancel(jobs: Mapping[int, Job], say: Callable[[str], None]) -> None:
    """Cancel jobs."""
    for computer, those in by_computer(jobs).items():
        try:
            with scheduler_of(computer) as scheduler:
                for job in those:
                    scheduler.kill_job(job.job_id)
        except failures() as error:
            say(f"jobs on {computer} could not be cancelled: {error}")


def by_computer(jobs: Mapping[int, Job]) -> dict[str, list[Job]]:
    """Return the jobs that were submitted, by their computers."""
    found: dict[str, list[Job]] = {}
    for job in jobs.values():
        if job.job_id is not None:
            found.setdefault(job.computer, []).append(job)
    return found


@contextmanager
def scheduler_of(computer: str) -> Iterator[Any]:
    """Open the scheduler of a computer."""
    from aiida import orm

    node = orm.load_computer(computer)
    user = orm.User.collection.get_default()
    with node.get_authinfo(user).get_transport() as transport:
        scheduler = node.get_scheduler()
        scheduler.set_transport(transport)
        yield scheduler


def failures() -> tuple[type[Exception], ...]:
    """Return what a computer that does not answer raises."""
    from importlib import import_module

    from aiida.common.exceptions import AiidaException

    names = [("paramiko.ssh_exception", "SSHException"), ("asyncssh", "Error")]
    of_ssh = (getattr(import_module(module), name) for module, name in names)
    return AiidaException, OSError, *of_ssh
