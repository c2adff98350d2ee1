"""Code and force field of `aiida-rewire md submit`, as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.ingredients import (
    MD_PLUGIN,
    MD_PROGRAMS,
    Unsuitable,
    load_force_field,
    load_md_code,
    of_other_program,
)
from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from aiida import orm


def find_local_code(bias: str, open_profile: Callable[[], None]) -> orm.AbstractCode:
    """Return the program of this machine as a code of the embedded profile.

    Parameters
    ----------
    bias
        Who spreads the potential.
    open_profile
        Called when the programs are there, before anything is stored.

    Raises
    ------
    DemoFailure
        If a program is missing.
    """
    programs = ingredients.find_programs(("lmp",))
    open_profile()
    return ingredients.load_codes(programs)[ingredients.DRIVER if bias == "driver" else "lmp"]


def find_code(label: str | None, bias: str) -> orm.AbstractCode:
    """Return the code of that label, or the only one of the plugin that suits the bias.

    Raises
    ------
    DemoFailure
        If there is none, more than one, or if it is of another program.
    """
    from aiida import orm

    if label is not None:
        return named_code(label, bias)
    query = orm.QueryBuilder().append(orm.AbstractCode, filters={"attributes.input_plugin": MD_PLUGIN})
    found = [code for code in query.all(flat=True) if not code.is_hidden and not of_other_program(code, bias)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DemoFailure(
            f"no code for {MD_PLUGIN}: register {MD_PROGRAMS[bias]} with `verdi code create core.code.installed "
            f"--label md --computer COMPUTER --filepath-executable PATH --default-calc-job-plugin {MD_PLUGIN}`"
        )
    names = ", ".join(sorted(code.full_label for code in found))
    raise DemoFailure(f"several codes for {MD_PLUGIN} ({names}): choose {MD_PROGRAMS[bias]} with --code")


def named_code(label: str, bias: str) -> orm.AbstractCode:
    """Return the code of that label.

    Raises
    ------
    DemoFailure
        If there is none, more than one, or if it is of another program.
    """
    try:
        return load_md_code(label, bias)
    except Unsuitable as error:
        raise DemoFailure(f"code = {error}") from error


def find_force_field(uuid: str | None) -> Any:
    """Return the force field of that UUID; None, for the project's silver, without one.

    Raises
    ------
    DemoFailure
        If there is none of that UUID, or if it is no ReaxFF of silver.
    """
    try:
        return load_force_field(uuid)
    except Unsuitable as error:
        raise DemoFailure(f"force-field = {error}") from error
