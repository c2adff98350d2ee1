"""The profile and the campaign that a command is about, and errors as lines."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.home import DemoFailure, Home
from aiida_rewire.cli.profile import PROFILE_KEY, open_profile

if TYPE_CHECKING:
    from aiida import orm

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs to read.")
directory_option = click.option(
    "--directory", type=click.Path(path_type=Path), help="Work in the embedded profile of this folder."
)
chain_option = click.option(
    "--chain", "chains", multiple=True, metavar="NAME", help="Only this chain; may be repeated."
)
force_option = click.option(
    "--force", metavar="OWNER", help="Change a campaign that OWNER recorded: their e-mail, or what is before its @."
)


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Turn what a user can do something about into a line.

    Raises
    ------
    DemoFailure
        In the place of wrong inputs, of records that this version does not read, of databases and brokers that do not
        answer or let somebody only read, and of files that are none.
    """
    from aiida_rewire.campaign.files import FileErrors
    from aiida_rewire.campaign.outages import passing_errors, what_is_away
    from aiida_rewire.database.standing import is_refused, refusal_text
    from aiida_rewire.errors import InvalidInput

    # third parties' deprecations are not the user's business
    warnings.simplefilter("ignore")
    try:
        yield
    except InvalidInput as error:
        raise DemoFailure(str(error)) from error
    except FileErrors as error:
        more = f"; and {len(error.errors) - 1} more" if len(error.errors) > 1 else ""
        raise DemoFailure(f"{error.errors[0]}{more}") from error
    except BrokenPipeError:
        # whoever read the output has enough of it, which is no fault
        raise
    except OSError as error:
        raise DemoFailure(" ".join(str(error).split())) from error
    except passing_errors() as error:
        if is_refused(error):
            raise DemoFailure(refusal_text(error)) from error
        raise DemoFailure(f"{what_is_away(error)}; try again when it does") from error


@contextmanager
def campaign_of(label: str, directory: Path | None) -> Iterator[orm.Group]:
    """Open the profile and find a campaign; what goes wrong is told in a line."""
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.campaign.record import find_campaign

        yield find_campaign(label)


@contextmanager
def campaign_to_change(label: str, directory: Path | None, force: str | None) -> Iterator[orm.Group]:
    """Open the profile and find a campaign of the user's, or of the one that they name."""
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.ownership import refuse_others

        refuse_others(group, force)
        yield group


def refuse_all_but_the_owner(what: str) -> None:
    """Refuse what only the account that owns the database can do.

    Raises
    ------
    DemoFailure
        If the user of the profile is a member or a viewer.
    """
    from aiida_rewire.database.standing import Standing, standing_of_profile

    standing = standing_of_profile()
    if standing is not Standing.OWNER:
        raise DemoFailure(f"{what}: is for the account that owns the group's database; you are a {standing}: ask it")


def refuse_no_broker() -> None:
    """Refuse a profile by which nothing could ever reach a daemon.

    Raises
    ------
    DemoFailure
        If it has no broker.
    """
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        raise DemoFailure(
            f"profile = {profile.name if profile else 'none'}: must have a broker, by which chains reach the daemon; "
            "make one with `verdi presto --use-zeromq`, or give --directory"
        )


def say(text: str) -> None:
    """Print a line of plain text, at once."""
    click.echo(text)


def say_aside(text: str) -> None:
    """Print a line where it does not disturb what a program reads."""
    click.echo(text, err=True)


def answer(values: dict[str, Any], text: Sequence[str], *, as_json: bool) -> None:
    """Print what a command did, for people or for programs."""
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    for line in text:
        say(line)


def home_of(directory: Path | None) -> Home | None:
    """Return the home of an embedded profile, if that is what is used."""
    return None if directory is None else Home.at(directory)


def profile_arguments(directory: Path | None) -> list[str]:
    """Return the options by which another `aiida-rewire campaign` finds the same profile."""
    from aiida.manage import get_manager

    context = click.get_current_context()
    if directory is not None:
        return []
    profile = get_manager().get_profile()
    name = context.meta.get(PROFILE_KEY) or (profile.name if profile is not None else None)
    return ["--profile", name] if name else []
