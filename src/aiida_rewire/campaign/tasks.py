"""Tasks by which processes reach the workers of the daemon: which there are, and sending one that was lost.

With the ZeroMQ broker the tasks are files, those that workers hold among them. RabbitMQ shows only the tasks that no
worker holds. AiiDA's own way to list them takes back the tasks that workers hold where the broker is ZeroMQ, and
takes tasks out of the queue for a moment where it is RabbitMQ: it is left for the case that one may be lost.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiida_rewire.campaign.decisions import Tasks

ZEROMQ = "core.zeromq"
ANSWER_S = 5.0
"""Time in which a process tells that a worker has it, s."""

FOLDERS = ("pending", "processing", "pending")
"""Where the tasks of ZeroMQ are; one that moves on while the first is read is in the second, or back in the first."""


def tasks_there(*, look_into_queue: bool) -> Tasks | None:
    """Return the tasks that the broker of the loaded profile shows.

    Parameters
    ----------
    look_into_queue
        Look even where that takes tasks out of the queue for a moment.
    """
    from aiida.manage import get_manager

    manager = get_manager()
    profile = manager.get_profile()
    backend = profile.process_control_backend if profile is not None else None
    if backend == ZEROMQ:
        return Tasks(tasks_in(zeromq_folder(profile)), complete=True)
    if backend is None or not look_into_queue:
        return None
    found = [pk_of(task.body) for task in manager.get_broker().iterate_tasks()]
    return Tasks(frozenset(pk for pk in found if pk is not None), complete=False)


def zeromq_folder(profile: Any) -> Path:
    """Return the folder in which the ZeroMQ broker of a profile keeps its tasks."""
    from aiida.manage.configuration import get_config

    return Path(get_config().filepaths(profile)["broker_service"]["dir"]) / "storage" / "tasks"


def tasks_in(folder: Path) -> frozenset[int]:
    """Return the PKs of the processes that have a task in a folder of the ZeroMQ broker."""
    pks = set()
    for name in FOLDERS:
        for file in (folder / name).glob("*.json"):
            try:
                pks.add(pk_of(json.loads(file.read_text())["body"]))
            except (FileNotFoundError, json.JSONDecodeError):
                # taken away, or taken in, this very moment
                continue
    return frozenset(pk for pk in pks if pk is not None)


def pk_of(body: Any) -> int | None:
    """Return the PK of the process that a task is about."""
    arguments = body.get("args") if isinstance(body, dict) else None
    return arguments.get("pid") if isinstance(arguments, dict) else None


def is_out_of_reach(pk: int) -> bool:
    """Whether the broker knows of no worker that runs a process; in doubt one may."""
    from concurrent import futures

    from aiida.manage import get_manager
    from plumpy.communications import DeliveryFailed

    try:
        future = get_manager().get_process_controller().get_status(pk)
        error = future.exception(timeout=ANSWER_S)
    except DeliveryFailed:
        return True
    except (futures.TimeoutError, futures.CancelledError):
        return False
    return isinstance(error, DeliveryFailed) or "Recipient not found" in str(error or "")


def answers(pk: int) -> bool:
    """Whether the worker that runs a process answers for it."""
    from concurrent import futures

    from aiida.manage import get_manager
    from plumpy.communications import DeliveryFailed

    try:
        future = get_manager().get_process_controller().get_status(pk)
        while isinstance(future, futures.Future):
            future = future.result(timeout=ANSWER_S)
    except (DeliveryFailed, futures.TimeoutError, futures.CancelledError, TimeoutError):
        return False
    return future is not None


def send_task(pk: int) -> bool:
    """Send the task of a process, unless a worker has it; return whether it was sent.

    The task is acknowledged when the process has ended, as that of a submission, so that it outlives its worker.
    """
    from aiida.manage import get_manager

    if not is_out_of_reach(pk):
        return False
    get_manager().get_process_controller().continue_process(pk, nowait=False, no_reply=True)
    return True
