"""`aiida-rewire doctor`: is everything there that a campaign needs, and if not, what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from aiida_rewire.cli.check_lines import as_values, number_of_failures, show_checks
from aiida_rewire.cli.checks import Check, code_checks, machine_checks
from aiida_rewire.cli.embedded_profile import profile_checks
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.profile import PROFILE_KEY, open_profile


@click.command("doctor")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(".rewire"),
    show_default=".rewire",
    help="Folder of the project's embedded AiiDA profile (its AIIDA_PATH). Nothing in it is changed.",
)
@click.option("--computer", metavar="LABEL", help="Judge the codes of this computer instead, by a test job of each.")
@click.option(
    "-p",
    "--profile",
    metavar="NAME",
    help="With --computer, the AiiDA profile that knows it; without, and without --directory, the default one.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=600,
    show_default=True,
    help="With --computer, seconds for its test jobs, time in the queue among them.",
)
@click.option("--json", "as_json", is_flag=True, help='Print an object {"ok", "checks"} for programs to read.')
@click.pass_context
def doctor_command(
    context: click.Context, directory: Path, computer: str | None, profile: str | None, timeout: float, as_json: bool
) -> None:
    """Check the external programs, the machine and the embedded profile; or the codes of a computer.

    A line for each check: ok, warning or failure, and the way out. The exit status is 1 when anything fails.
    With --computer the codes say their versions in test jobs of about a second, on as many ranks as the file of the
    site says, and their BLAS and MPI are judged where they run.
    """
    given = context.get_parameter_source("directory") is ParameterSource.COMMANDLINE
    checks: Sequence[Check]
    if computer is not None:
        context.meta[PROFILE_KEY] = profile
        checks = computer_checks(computer, directory if given else None, timeout)
    elif profile is not None:
        raise DemoFailure(f"profile = {profile}: must be given with --computer, or left out")
    else:
        place = directory.absolute()
        checks = [*machine_checks(place), *code_checks(), *profile_checks(place)]
    failures = number_of_failures(checks)
    if as_json:
        click.echo(json.dumps({"ok": failures == 0, "checks": as_values(checks)}, indent=2))
    else:
        show_checks(checks)
    if failures:
        context.exit(1)


def computer_checks(label: str, directory: Path | None, timeout_s: float) -> list[Check]:
    """Return what there is to say of a computer and its codes.

    Raises
    ------
    DemoFailure
        If there is no such computer.
    """
    from aiida_rewire.cli.campaign.opening import told_in_a_line

    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.cli.setup.judging import judge_computer

        return judge_computer(label, timeout_s)
