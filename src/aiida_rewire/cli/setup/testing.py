"""Whether a computer can be used, and a test job of each of its codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.setup.in_process import LATE, one_line, run_all
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


def code_checks(runner: Any, tested: Sequence[Tested], options: Mapping[str, Any], timeout_s: float) -> list[Check]:
    """Run a test job of each code, all at the same time, and judge what they say.

    Parameters
    ----------
    runner
        Of AiiDA.
    tested
        Codes of one computer.
    options
        What the jobs ask the scheduler for beside ranks.
    timeout_s
        After which jobs that have not ended are killed.
    """
    from aiida.manage.caching import disable_caching
    from aiida.plugins import CalculationFactory

    job = CalculationFactory(JOB)
    with disable_caching():
        processes = [runner.instantiate_process(job, **inputs_of(each, options)) for each in tested]
        killed = run_all(runner, processes, timeout_s)
    return [
        check
        for each, process in zip(tested, processes, strict=True)
        for check in checks_of(each, process.node, killed.get(process.node.pk), timeout_s)
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


def checks_of(tested: Tested, node: orm.CalcJobNode, killed: str | None, timeout_s: float) -> list[Check]:
    """Judge a test job that has ended; `killed` says why it was killed, if it was."""
    label, path = tested.code.label, str(tested.code.filepath_executable)
    report = f"see `verdi process report {node.pk}`"
    if killed not in (None, LATE):
        return [Check(label, "failure", f"its test job was refused: {killed}", report)]
    if killed == LATE or not node.is_terminated:
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
