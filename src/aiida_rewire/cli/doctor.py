"""`aiida-rewire doctor`: is everything there that a campaign needs, and if not, what to do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from aiida_rewire.cli.checks import Check, Status, code_checks, machine_checks
from aiida_rewire.cli.embedded_profile import profile_checks

_COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command("doctor")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(".rewire"),
    show_default=".rewire",
    help="Folder of the project's embedded AiiDA profile (its AIIDA_PATH). Nothing in it is changed.",
)
@click.option("--json", "as_json", is_flag=True, help='Print an object {"ok", "checks"} for programs to read.')
@click.pass_context
def doctor_command(context: click.Context, directory: Path, as_json: bool) -> None:
    """Check the external programs, the machine and the embedded profile.

    A line for each check: ok, warning or failure, and the way out. The exit status is 1 when anything fails.
    """
    place = directory.absolute()
    checks = [*machine_checks(place), *code_checks(), *profile_checks(place)]
    failures = sum(check.status == "failure" for check in checks)
    if as_json:
        listed = [dataclasses.asdict(check) for check in checks]
        click.echo(json.dumps({"ok": failures == 0, "checks": listed}, indent=2))
    else:
        warnings = sum(check.status == "warning" for check in checks)
        for check in checks:
            _show(check)
        click.echo(f"{_counted(failures, 'failure')}, {_counted(warnings, 'warning')}")
    if failures:
        context.exit(1)


def _show(check: Check) -> None:
    status = click.style(f"{check.status:8}", fg=_COLOURS[check.status])
    click.echo(f"{status} {check.name:15} {_printable(check.message)}")
    if check.fix:
        click.echo(f"{'':24} -> {_printable(check.fix)}")


def _printable(text: str) -> str:
    # names of files may hold bytes that are no text
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
