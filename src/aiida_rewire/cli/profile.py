"""The AiiDA profile that a command works on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.home import READY, DemoFailure, Home

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

PROFILE_KEY = "aiida_rewire.profile"
"""Under which a group of commands keeps the name of the profile that was asked for."""


def _keep_name(context: click.Context, _: click.Parameter, name: str | None) -> None:
    context.meta[PROFILE_KEY] = name


profile_option = click.option(
    "-p",
    "--profile",
    metavar="NAME",
    expose_value=False,
    callback=_keep_name,
    help="AiiDA profile; the default one by default.",
)
"""Of a group of commands, which find the name under `PROFILE_KEY`."""


@contextmanager
def importing_aiida() -> Iterator[None]:
    """Let no garbage be looked for while AiiDA is imported: modules stay, and looking takes a fifth of the time."""
    if "aiida" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def open_profile(directory: Path | None, *, make: bool = False) -> None:
    """Load the embedded profile of a folder, or the user's own: the one that was named, or the default.

    Parameters
    ----------
    directory
        Folder of an embedded profile.
    make
        Make it if it is not there.

    Raises
    ------
    DemoFailure
        If there is none.
    """
    context = click.get_current_context(silent=True)
    name = context.meta.get(PROFILE_KEY) if context else None
    if directory is not None:
        if name is not None:
            raise DemoFailure(f"profile = {name}: must be left out with --directory, which has its own")
        home = Home.at(directory)
        if not make and (not home.exists or READY not in home.marker.read_text()):
            raise DemoFailure(f"directory = {directory}: no profile there; `aiida-rewire setup local` makes one")
        home.enter()
        with importing_aiida():
            home.open_profile()
        return
    with importing_aiida():
        load_profile(name)


def load_profile(name: str | None) -> None:
    """Load a profile of the user's, the default one if none is named, and open its database.

    Raises
    ------
    DemoFailure
        If there is none.
    """
    import aiida
    from aiida.common.exceptions import AiidaException, IncompatibleStorageSchema, UnreachableStorage
    from aiida.manage import get_manager

    try:
        refuse_open_passwords(aiida.load_profile(name))
        get_manager().get_profile_storage()
    except UnreachableStorage as error:
        raise DemoFailure(unreachable_text(error)) from error
    except IncompatibleStorageSchema as error:
        raise DemoFailure(schema_text(error)) from error
    except AiidaException as error:
        raise DemoFailure(
            f"no AiiDA profile: {error}; make one with `verdi presto --use-zeromq`, or give --directory"
        ) from error


def refuse_open_passwords(profile: Profile) -> None:
    """Refuse the profile of a group whose password others may read.

    Raises
    ------
    DemoFailure
        If they may.
    """
    from aiida.manage.configuration import get_config

    if profile.storage_backend != "rewire.psql_dos":
        return
    file = Path(get_config().filepath)
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        raise DemoFailure(
            f"mode = {mode:03o} of {file}: must be 600, for it holds a password; chmod 600 {file}, and change it"
        )


def unreachable_text(error: BaseException) -> str:
    """Say in a line why the storage of a profile cannot be reached."""
    reason = " ".join(str(getattr(error.__cause__, "orig", error)).split())
    if "password authentication failed" in reason:
        return f"the database refuses your password ({reason[:200]}); `aiida-rewire setup join` takes another"
    return f"the database or the files of the profile cannot be reached ({reason[:200]}); see `aiida-rewire doctor`"


def schema_text(error: BaseException) -> str:
    """Say in a line that the storage of a profile is of another version of AiiDA, with AiiDA's own way out."""
    reason = " ".join(str(error).split())
    return f"the database is that of another version of AiiDA; back it up before you migrate it ({reason})"
