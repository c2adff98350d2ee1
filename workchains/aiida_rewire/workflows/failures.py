"""How a failed step of the chain ends its own branch, and only that."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, Process, ProcessHandlerReport, ProcessSpec

FIRST_OWN_EXIT_CODE = 200
"""Below lie those of AiiDA itself."""

FIRST_RECOVERABLE_EXIT_CODE = 400
"""From here on a restart, other numerics or another try may help."""


def end_with_exit_code_of(calculation: orm.CalcJobNode) -> ProcessHandlerReport:
    """End a restart work chain with the exit code of the calculation that failed."""
    return ProcessHandlerReport(True, ExitCode(calculation.exit_status, calculation.exit_message))


def declare_exit_codes_of(spec: ProcessSpec, process: type[Process]) -> None:
    """Declare the exit codes of a calculation for the work chain that passes them on."""
    for label, code in process.spec().exit_codes.items():
        if label not in spec.exit_codes and code.status >= FIRST_OWN_EXIT_CODE:
            spec.exit_code(code.status, label, message=code.message)


def why_failed(process: orm.ProcessNode) -> str:
    """Say in one line why a process failed: its deepest failed step, with the exit code of that."""
    failed = [child for child in process.called if child.is_finished and not child.is_finished_ok]
    failed += [child for child in process.called if child.is_killed or child.is_excepted]
    if failed:
        return why_failed(failed[-1])
    name = process.process_label or process.node_type
    if process.is_killed:
        return f"{name} <{process.pk}> was killed"
    if process.is_excepted:
        return f"{name} <{process.pk}> excepted; see `verdi process report {process.pk}`"
    return f"{name} <{process.pk}> [{process.exit_status}] {process.exit_message}"
