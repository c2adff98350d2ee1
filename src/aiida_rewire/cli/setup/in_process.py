"""AiiDA's processes run in this one: no daemon is needed, nor the broker that starts with it."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

LATE = "late"
"""Why a process was killed that took too long."""

ATTEMPTS = "transport.task_maximum_attempts"
"""AiiDA's option."""

POLL_S = 0.2
ENDING_S = 1.0
KILLING_S = 30.0
LOGGERS = ("aiida", "plumpy", "kiwipy", "paramiko", "asyncssh", "asyncio")


@contextmanager
def own_runner() -> Iterator[Any]:
    """Let AiiDA run processes, and wait for asynchronous transports, on a loop of its own and without a broker."""
    from aiida.manage import get_manager

    manager = get_manager()
    loop = asyncio.new_event_loop()
    # jobs that were killed leave questions to the scheduler behind, of whose end nobody need hear
    loop.set_exception_handler(lambda *_: None)
    runner = manager.create_runner(communicator=None, loop=loop)
    manager.set_runner(runner)
    try:
        yield runner
    finally:
        manager.reset_runner()


def run_all(runner: Any, processes: Sequence[Any], timeout_s: float) -> Mapping[int, str]:
    """Run processes to their ends, all at the same time.

    Parameters
    ----------
    runner
        Of AiiDA, on which they were made.
    processes
        Instances, not started yet.
    timeout_s
        After which those that have not ended are killed.

    Returns
    -------
    Mapping
        By pk, why a process was killed: what its computer said, or `LATE`.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when all have been killed.
    """
    stop = asyncio.Event()
    with trying_once(), errors_of_processes() as errors:
        runner.loop.add_signal_handler(signal.SIGINT, stop.set)
        try:
            task = runner.loop.create_task(_all_ended(processes, errors, stop, timeout_s))
            killed: Mapping[int, str] = runner.run_until_complete(task)
        finally:
            runner.loop.remove_signal_handler(signal.SIGINT)
    if stop.is_set():
        raise KeyboardInterrupt
    return killed


async def _all_ended(
    processes: Sequence[Any], errors: Mapping[int, str], stop: asyncio.Event, timeout_s: float
) -> dict[int, str]:
    from plumpy import run_with_portal

    tasks = [asyncio.ensure_future(process.step_until_terminated()) for process in processes]
    deadline = time.monotonic() + timeout_s
    killed: dict[int, str] = {}
    while not all(process.has_terminated() for process in processes) and time.monotonic() < deadline + KILLING_S:
        if stop.is_set():
            deadline = min(deadline, time.monotonic())
        for process in processes:
            pk = process.node.pk
            # what its computer refused, AiiDA lets wait for somebody
            refused = errors.get(pk, "no reason is known") if process.paused else None
            reason = refused or (LATE if time.monotonic() >= deadline else None)
            if reason and pk not in killed and not process.has_terminated():
                killed[pk] = reason
                # it asks the scheduler to cancel the job, and waits for that
                with suppress(asyncio.InvalidStateError):
                    # unless the job ends in this very moment
                    await run_with_portal(process.kill, "the test of a code does not wait")
        await asyncio.wait(tasks, timeout=POLL_S)
    # that of a paused process that was killed waits for ever
    await asyncio.wait(tasks, timeout=ENDING_S)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=ENDING_S)
    return killed


@contextmanager
def trying_once() -> Iterator[None]:
    """Let transport and scheduler be asked once by this process: AiiDA would ask for minutes what was refused."""
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile is None:
        yield
        return
    before = profile.options
    profile.options = {**before, ATTEMPTS: 1}
    try:
        yield
    finally:
        profile.options = before


@contextmanager
def errors_of_processes() -> Iterator[dict[int, str]]:
    """Collect what goes wrong in processes, by their pk, and keep it from the terminal."""
    found: dict[int, str] = {}

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            pk = getattr(record, "dbnode_id", None)
            if pk is not None and record.exc_info and record.exc_info[1] is not None:
                found.setdefault(pk, one_line(record.exc_info[1]))

    with ExitStack() as stack:
        for name in LOGGERS:
            stack.enter_context(_only(logging.getLogger(name), Collector()))
        yield found


@contextmanager
def _only(logger: logging.Logger, collector: logging.Handler) -> Iterator[None]:
    """Let a logger write to the database and to a collector, and nowhere else."""
    silenced = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    propagated, logger.propagate = logger.propagate, False
    for handler in silenced:
        logger.removeHandler(handler)
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
        for handler in silenced:
            logger.addHandler(handler)
        logger.propagate = propagated


def one_line(error: BaseException) -> str:
    """Return what an error says, in a line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
