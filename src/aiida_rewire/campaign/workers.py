"""Workers of the daemon that outlived their database, or the daemon's own broker: they are of no use any more.

A worker whose connection to PostgreSQL was cut goes on, fails at whatever it does next, and lets go of the tasks of
its processes, which nobody takes up then. One whose ZeroMQ broker was started again still talks to the old one. While
no worker runs the broker shows all tasks there are, so that those that are lacking can be told, and sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiida_rewire.campaign.attempts import TERMINAL
from aiida_rewire.campaign.outages import begin_anew, broker_mark, reset_broker
from aiida_rewire.campaign.processes import CHECKPOINT_KEY
from aiida_rewire.campaign.tasks import send_task, tasks_in_queue
from aiida_rewire.database.lock import lock_of

LOCK = "workers"
CIRCUS_TIMEOUT_S = 90
OTHERS_S = 300.0
START_S = 60.0
"""Within so long after each other broker and workers of a daemon that starts belong together, s."""

SETTLE_S = 2.0
"""Time in which the broker takes the tasks back of workers that ended, s."""


def on_postgresql() -> bool:
    """Whether the loaded profile is on a database that can be restarted without its workers."""
    from aiida.manage import get_manager

    bind = get_manager().get_profile_storage().get_session().get_bind()
    return bool(bind.dialect.name == "postgresql")


def workers_older_than(began: float) -> bool:
    """Whether workers run that were started before a time (s since the epoch)."""
    from aiida.manage import get_manager

    info = get_manager().get_daemon_client().get_worker_info(timeout=CIRCUS_TIMEOUT_S).get("info", {})
    workers = [worker for worker in info.values() if isinstance(worker, dict)]
    return any(float(worker.get("create_time", began)) < began for worker in workers)


def renew_workers(began: float, say: Callable[[str], None], *, what: str = "database") -> None:
    """Start workers anew that are older than an outage of what they need, and send all tasks again that were lost.

    Of several controllers one does it, for all processes of the profile; the others see that the workers are young.

    Parameters
    ----------
    began
        When the outage began, s since the epoch.
    say
        Takes a line for what happens.
    what
        They lost.

    Raises
    ------
    aiida.common.exceptions.AiidaException
        If the daemon does not answer.
    TimeoutError
        If another controller does not come to an end with it.
    """
    with mending():
        if not workers_older_than(began):
            return
        say(f"the workers of the daemon lost their {what}: they are started anew")
        ask_circus("stop")
        try:
            lost = [pk for pk in lost_ones() if send_task(pk)]
        finally:
            ask_circus("start")
    if lost:
        say(f"{len(lost)} processes had no task any more: they were sent again")


def broker_began() -> float | None:
    """Return when the broker that the daemon supervises was started, s since the epoch; None if it has another."""
    import psutil

    words = broker_mark().partition("|")[0].split()
    if not words:
        return None
    try:
        return float(psutil.Process(int(words[-1])).create_time())
    except (psutil.Error, ValueError):
        return None


def start_stopped_workers(say: Callable[[str], None]) -> None:
    """Start workers that somebody stopped who did not live to start them again; a daemon that is down stays so."""
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager

    client = get_manager().get_daemon_client()
    if not client.is_daemon_running:
        return
    lock = lock_of(LOCK)
    if not lock.acquire():
        return
    try:
        if client.get_status(timeout=CIRCUS_TIMEOUT_S).get("status") == "stopped":
            ask_circus("start")
            say("the workers of the daemon were stopped: they are started")
    except (AiidaException, RuntimeError):
        # it comes or goes
        return
    finally:
        lock.release()


@contextmanager
def mending() -> Iterator[None]:
    """Keep other controllers from doing the same at the same time.

    Raises
    ------
    TimeoutError
        If one does not come to an end with it.
    """
    lock = lock_of(LOCK)
    deadline = time.monotonic() + OTHERS_S
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise TimeoutError(f"another controller has been at the workers of the daemon for {OTHERS_S:g} s")
        time.sleep(SETTLE_S)
    try:
        yield
    finally:
        lock.release()


def ask_circus(what: str) -> dict[str, Any]:
    """Stop or start all workers, and wait until it is done; the broker and the daemon itself go on."""
    from aiida.manage import get_manager

    client = get_manager().get_daemon_client()
    command = {"command": what, "properties": {"name": client.daemon_name, "waiting": True}}
    answer: dict[str, Any] = client.call_client(command, timeout=CIRCUS_TIMEOUT_S)
    return answer


def lost_ones() -> list[int]:
    """Return all processes that live and have no task; no worker may run."""
    from aiida import orm

    time.sleep(SETTLE_S)
    reset_broker()
    there = tasks_in_queue()
    time.sleep(SETTLE_S)
    there |= tasks_in_queue()
    begin_anew()
    query = orm.QueryBuilder()
    query.append(
        (orm.WorkChainNode, orm.CalcJobNode),
        filters={
            "attributes.process_state": {"!in": list(TERMINAL)},
            "attributes": {"has_key": CHECKPOINT_KEY},
        },
        project="id",
    )
    return sorted(set(query.all(flat=True)) - there)
