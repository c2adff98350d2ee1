"""Test jobs of codes, run through AiiDA in this process: no daemon is needed."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.setup.probes import (
    INPUT,
    LIBRARIES,
    OUTPUT,
    Told,
    judged,
    libraries_script,
    probe_of,
)

if TYPE_CHECKING:
    from aiida import orm

JOB = "core.templatereplacer"
"""AiiDA's own calculation that runs any code with any input."""

ATTEMPTS = "transport.task_maximum_attempts"
"""AiiDA's option."""

POLL_S = 0.2
KILLING_S = 30.0


@dataclass(frozen=True)
class Tested:
    """A code that is to be tested.

    Attributes
    ----------
    code
        In AiiDA.
    program
        What it is for: md, lmp, pw, pp, pwcond or ld1.
    ranks
        MPI ranks of its test job; 1 is without mpirun.
    """

    code: orm.InstalledCode
    program: str
    ranks: int


def connection_checks(computer: orm.Computer) -> list[Check]:
    """Look whether a computer is reached, says nothing unasked, knows its scheduler, and has its work directory."""
    label = computer.label
    try:
        transport = computer.get_transport()
        with transport:
            account = transport.whoami()
            checks = [Check(label, "ok", f"reached as {account} by {computer.transport_type}")]
            status, said, errors = transport.exec_command_wait("echo -n")
            if status or said or errors:
                noise = " ".join((said or errors).split())[:100]
                message = f"a shell there prints {noise!r} unasked, which AiiDA takes for an answer"
                checks.append(Check("shell", "failure", message, "let ~/.bashrc and ~/.profile there print nothing"))
            scheduler = computer.get_scheduler()
            scheduler.set_transport(transport)
            jobs = len(list(scheduler.get_jobs(as_dict=True)))
            checks.append(Check("scheduler", "ok", f"{computer.scheduler_type} answers, {jobs} jobs"))
            folder = computer.get_workdir().format(username=account)
            transport.makedirs(folder, ignore_existing=True)
            checks.append(Check("work directory", "ok", folder))
            return checks
    except connection_errors() as error:
        return [Check(label, "failure", f"not usable: {one_line(error)}", connection_fix(computer))]


def connection_errors() -> tuple[type[Exception], ...]:
    """Return what transports and schedulers raise when they cannot do what they are asked."""
    import asyncssh
    import paramiko  # type: ignore[import-untyped]
    from aiida.common.exceptions import AiidaException
    from aiida.transports.transport import TransportInternalError

    return (OSError, ValueError, AiidaException, TransportInternalError, asyncssh.Error, paramiko.SSHException)


def connection_fix(computer: orm.Computer) -> str:
    """Say how to find out why a computer cannot be used."""
    if computer.transport_type == "core.local":
        return f"see `verdi computer test {computer.label}`"
    host = computer.get_configuration().get("host", computer.hostname)
    return f"try `ssh {host}` without a password and with the host known; then `verdi computer test {computer.label}`"


def one_line(error: BaseException) -> str:
    """Return what an error says, in a line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."


def code_checks(tested: Sequence[Tested], options: Mapping[str, Any], timeout_s: float) -> list[Check]:
    """Run a test job of each code, all at the same time, and judge what they say.

    Parameters
    ----------
    tested
        Codes of one computer.
    options
        What the jobs ask the scheduler for beside ranks.
    timeout_s
        After which jobs that have not ended are killed.
    """
    from aiida.manage import get_manager
    from aiida.manage.caching import disable_caching
    from aiida.plugins import CalculationFactory

    # on a loop of its own, which can be closed, and without a broker, which may not run
    loop = asyncio.new_event_loop()
    runner = get_manager().create_runner(communicator=None, loop=loop)
    job = CalculationFactory(JOB)
    with disable_caching(), trying_once(), errors_of_processes() as errors:
        processes = [runner.instantiate_process(job, **inputs_of(each, options)) for each in tested]
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGINT, stop.set)
        try:
            runner.run_until_complete(loop.create_task(all_ended(processes, errors, stop, timeout_s)))
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            runner.close()
    if stop.is_set():
        raise KeyboardInterrupt
    return [
        check
        for each, process in zip(tested, processes, strict=True)
        for check in checks_of(each, process.node, errors.get(process.node.pk), timeout_s)
    ]


def inputs_of(tested: Tested, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a test job."""
    from aiida import orm

    probe = probe_of(tested.program)
    template = {
        "input_file_template": "{text}",
        "input_file_name": INPUT,
        "output_file_name": OUTPUT,
        "cmdline_params": list(probe.arguments),
    }
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": tested.ranks}
    return {
        "code": tested.code,
        "template": orm.Dict(template),
        "parameters": orm.Dict({"text": probe.text}),
        "metadata": {
            "label": f"test of {tested.code.full_label}",
            "options": {
                **options,
                "resources": resources,
                "withmpi": tested.ranks > 1,
                "prepend_text": "export OMP_NUM_THREADS=1",
                "append_text": libraries_script(str(tested.code.filepath_executable)),
                "additional_retrieve_list": [LIBRARIES],
            },
        },
    }


async def all_ended(
    processes: Sequence[Any], errors: Mapping[int, str], stop: asyncio.Event, timeout_s: float
) -> None:
    """Run processes to their ends; kill those that take too long, or whose computer said no, and all at Ctrl-C."""
    tasks = [asyncio.ensure_future(process.step_until_terminated()) for process in processes]
    deadline = time.monotonic() + timeout_s
    while not all(task.done() for task in tasks) and time.monotonic() < deadline + KILLING_S:
        if stop.is_set():
            deadline = min(deadline, time.monotonic())
        for process in processes:
            # what failed waits for somebody, who is told
            if process.node.pk in errors or time.monotonic() >= deadline:
                _kill(process)
        await asyncio.wait(tasks, timeout=POLL_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _kill(process: Any) -> None:
    if not process.has_terminated() and not process.is_killing:
        process.kill("the test of a code does not wait")


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

    logger = logging.getLogger("aiida")
    silenced = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    collector = Collector()
    for handler in silenced:
        logger.removeHandler(handler)
    logger.addHandler(collector)
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        for handler in silenced:
            logger.addHandler(handler)


def checks_of(tested: Tested, node: orm.CalcJobNode, error: str | None, timeout_s: float) -> list[Check]:
    """Judge a test job that has ended."""
    label, path = tested.code.label, str(tested.code.filepath_executable)
    report = f"see `verdi process report {node.pk}`"
    if error is not None:
        return [Check(label, "failure", f"its test job was refused: {error}", report)]
    if node.is_killed or not node.is_terminated:
        message = f"its test job did not end in {timeout_s:g} s"
        return [Check(label, "failure", message, "look whether the queue moves, or give a longer --timeout")]
    if not node.is_finished or "retrieved" not in node.outputs:
        return [Check(label, "failure", f"its test job failed: {node.exception or node.exit_message}", report)]
    told = Told(*(text_of(node, name) for name in (OUTPUT, "_scheduler-stderr.txt", LIBRARIES)))
    if not told.output.strip() and node.exit_status:
        said = told.errors.strip() or node.exit_message
        told = Told("", str(said), told.libraries)
    return judged(tested.program, label, path, told, tested.ranks)


def text_of(node: orm.CalcJobNode, name: str) -> str:
    """Return a file that a job left, or '' if it left none."""
    try:
        content: bytes = node.outputs.retrieved.get_object_content(name, mode="rb")
    except FileNotFoundError:
        return ""
    return content.decode("utf-8", errors="replace")
