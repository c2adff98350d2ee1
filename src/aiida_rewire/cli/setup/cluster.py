"""`aiida-rewire setup cluster`: a computer and its codes from the file of a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import directory_option, json_option, say, say_aside, told_in_a_line
from aiida_rewire.cli.campaign.spec import printable
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.profile import open_profile

if TYPE_CHECKING:
    from aiida_rewire.cli.setup.site import Site


@click.command("cluster")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--update", is_flag=True, help="Take the file's values where AiiDA has others.")
@click.option("--no-test", is_flag=True, help="Run no test jobs.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=600,
    show_default=True,
    help="Seconds for the test jobs, time in the queue among them.",
)
@directory_option
@json_option
@click.pass_context
def cluster_command(
    context: click.Context,
    file: Path,
    update: bool,
    no_test: bool,
    timeout: float,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Make a computer and its codes in AiiDA from the FILE of a site, and test each code by a job.

    All that is wrong with the file is said at once. The same file again changes nothing, and tests again; values that
    AiiDA has otherwise are said, and taken with --update: codes are never changed, another takes their label.
    `aiida-rewire setup example` writes a file.
    """
    site = checked_site(file, as_json=as_json)
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.cli.check_lines import as_values, number_of_failures, show_checks
        from aiida_rewire.cli.setup.judging import judge_codes
        from aiida_rewire.cli.setup.registering import site_differences, write_site
        from aiida_rewire.cli.setup.testing import Tested

        differs = [str(difference) for difference in site_differences(site)]
        if differs and not update:
            refuse(file, differs, as_json=as_json)
        done, codes = write_site(site)
        label = site.computer.label
        lines = done or [f"computer {label} and its {len(codes)} codes: as the file says, nothing changed"]
        for line in [] if as_json else lines:
            say(line)
        checks = []
        if not no_test:
            given = site.named_codes()
            tested = [Tested(code, name, given[name].test_ranks) for name, code in codes.items()]
            from aiida import orm

            checks = judge_codes(orm.load_computer(label), tested, timeout)
    failures = number_of_failures(checks)
    if as_json:
        values: dict[str, Any] = {"ok": failures == 0, "errors": [], "differences": differs, "computer": label}
        values |= {"codes": {name: code.full_label for name, code in codes.items()}, "done": done}
        click.echo(json.dumps({**values, "tested": not no_test, "checks": as_values(checks)}, indent=2))
    elif not no_test:
        show_checks(checks)
    if failures:
        context.exit(1)


def checked_site(file: Path, *, as_json: bool) -> Site:
    """Return the site of a file.

    Raises
    ------
    DemoFailure
        If it is wrong; every error has been printed.
    """
    from aiida_rewire.campaign.files import FileErrors
    from aiida_rewire.cli.setup.site_file import read_site

    try:
        return read_site(file)
    except FileErrors as error:
        errors = error.errors
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": errors}, indent=2))
    for line in [] if as_json else errors:
        say_aside(line)
    raise DemoFailure(f"{len(errors)} error{'s' * (len(errors) != 1)} in {printable(file)}")


def refuse(file: Path, differs: list[str], *, as_json: bool) -> None:
    """Say what AiiDA has otherwise than a file says, and leave it so.

    Raises
    ------
    DemoFailure
        Always.
    """
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": [], "differences": differs}, indent=2))
    for line in [] if as_json else differs:
        say_aside(line)
    count = f"{len(differs)} value{'s' * (len(differs) != 1)}"
    raise DemoFailure(f"AiiDA has {count} otherwise than {printable(file)}; --update takes the file's")
