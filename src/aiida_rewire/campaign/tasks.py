"""Tasks by which processes reach the workers of the daemon: which there are, and sending one that was lost.

With the ZeroMQ broker the tasks are files, those that workers hold among them. RabbitMQ shows only the tasks that no
worker holds, and whether a worker has taken a process up; a busy worker may hold a task and not have got to it yet.
AiiDA's own way to list tasks takes back those that workers hold where the broker is ZeroMQ, and takes tasks out of
the queue for a moment where it is RabbitMQ: there it is asked rarely.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida_rewire.campaign.decisions import Tasks

ZEROMQ = "core.zeromq"
ANSWER_S = 5.0
"""Time in which a process tells that a worker has it, s."""

FOLDERS = ("pending", "processing", "pending")
"""Where the tasks of ZeroMQ are; one that moves on while the first is read is in the second, or back in the first."""


def all_are_seen() -> bool:
    """Whether the broker of the loaded profile shows the tasks that workers hold, at no cost."""
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    return profile is not None and profile.process_control_backend == ZEROMQ


def tasks_there(living: Iterable[int]) -> Tasks:
    """Return which processes have a task, or a worker, as far as the broker of the loaded profile tells.

    Parameters
    ----------
    living
        PKs of the processes that are asked about.
    """
    from aiida.manage import get_manager

    manager = get_manager()
    if all_are_seen():
        return Tasks(tasks_in(zeromq_folder(manager.get_profile())), complete=True)
    queued = tasks_in_queue()
    taken = {pk for pk in living if pk not in queued and is_taken(pk)}
    return Tasks(queued | taken, complete=False)


def tasks_in_queue() -> frozenset[int]:
    """Return the PKs of the processes whose tasks no worker holds; with ZeroMQ of all that have one."""
    from aiida.manage import get_manager

    manager = get_manager()
    if all_are_seen():
        return tasks_in(zeromq_folder(manager.get_profile()))
    found = [pk_of(task.body) for task in manager.get_broker().iterate_tasks()]
    return frozenset(pk for pk in found if pk is not None)


def is_taken(pk: int) -> bool:
    """Whether RabbitMQ knows of a worker that has taken a process up; its answer is not waited for."""
    from aiida.manage import get_manager
    from plumpy.communications import DeliveryFailed

    try:
        get_manager().get_process_controller().get_status(pk)
    except DeliveryFailed:
        return False
    return True


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
        answer = get_manager().get_process_controller().get_status(pk)
        while isinstance(answer, futures.Future):
            if answer.exception(timeout=ANSWER_S) is not None:
                return False
            answer = answer.result()
    except (DeliveryFailed, futures.TimeoutError, futures.CancelledError):
        return False
    return answer is not None


def send_task(pk: int) -> bool:
    """Send the task of a process, unless a worker has it; return whether it was sent.

    The task is acknowledged when the process has ended, as that of a submission, so that it outlives its worker.
    """
    from aiida.manage import get_manager

    if not is_out_of_reach(pk):
        return False
    get_manager().get_process_controller().continue_process(pk, nowait=False, no_reply=True)
    return True
