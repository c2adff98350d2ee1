"""The computers and codes of a profile, judged by test jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.ingredients import PROGRAMS
from aiida_rewire.cli.setup.in_process import errors_of_processes, own_runner
from aiida_rewire.cli.setup.registering import TEST, found_computer
from aiida_rewire.cli.setup.site import TestJobs
from aiida_rewire.cli.setup.testing import Tested, code_checks, connection_checks

if TYPE_CHECKING:
    from aiida import orm

SCHEDULER_OPTIONS = {"account": "account", "partition": "queue_name", "qos": "qos"}
"""What a test job asks for, and what AiiDA calls it."""


def judge_computer(label: str, timeout_s: float) -> list[Check]:
    """Return what there is to say of a computer and of all codes on it that the project can run.

    Raises
    ------
    DemoFailure
        If there is no such computer.
    """
    from aiida import orm

    computer = found_computer(label)
    if computer is None:
        labels = orm.QueryBuilder().append(orm.Computer, project="label").all(flat=True)
        known = ", ".join(sorted(labels)) or "none"
        raise DemoFailure(
            f"computer = {label!r}: must be one of the profile's: {known}; `aiida-rewire setup cluster`"
        )
    return judge_codes(computer, tested_codes(computer), timeout_s)


def judge_codes(computer: orm.Computer, tested: list[Tested], timeout_s: float) -> list[Check]:
    """Return what there is to say of a computer and of some codes on it."""
    if not computer.is_configured:
        fix = f"`verdi computer configure {computer.transport_type} {computer.label}`"
        return [Check(computer.label, "failure", "not configured for this user", fix)]
    with own_runner() as runner:
        with errors_of_processes():
            checks = connection_checks(computer)
        if any(check.status == "failure" for check in checks):
            return checks
        if not tested:
            fix = "`aiida-rewire setup cluster FILE`"
            return [*checks, Check("codes", "warning", "there are none that the project runs", fix)]
        return [*checks, *code_checks(runner, tested, options_of(computer), timeout_s)]


def tested_codes(computer: orm.Computer) -> list[Tested]:
    """Return the codes on a computer that the project can run, without hidden ones."""
    from aiida import orm

    query = orm.QueryBuilder().append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    query.append(orm.InstalledCode, with_computer="computer", tag="code")
    query.order_by({"code": "label"})
    found = []
    for code in query.all(flat=True):
        program = program_of(code)
        if program is not None and not code.is_hidden:
            found.append(Tested(code, program, int(code.base.extras.get(TEST, {}).get("ranks", 1))))
    return found


def program_of(code: orm.InstalledCode) -> str | None:
    """Return what a code is for, by what was noted of it or by its plugin; None if it is none of the project's."""
    noted = code.base.extras.get(TEST, {}).get("program")
    if noted in PROGRAMS:
        return str(noted)
    plugin = code.default_calc_job_plugin
    if plugin == PROGRAMS["md"][1]:
        return "md" if code.filepath_executable.name.startswith("python") else "lmp"
    return next((name for name, (_, entry_point) in PROGRAMS.items() if entry_point == plugin), None)


def options_of(computer: orm.Computer) -> dict[str, Any]:
    """Return what the test jobs on a computer ask its scheduler for."""
    asked = {**TestJobs().model_dump(), **computer.get_property(TEST, {})}
    options = {name: asked[key] for key, name in SCHEDULER_OPTIONS.items() if asked.get(key)}
    return {**options, "max_wallclock_seconds": int(asked["walltime_min"]) * 60}
