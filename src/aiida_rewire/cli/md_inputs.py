"""Code and force field of `aiida-rewire md submit`, as nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.md_runs import refuse_large_number

if TYPE_CHECKING:
    from aiida import orm

PLUGIN = "rewire.md"
SYMBOL = "Ag"
PROGRAMS = {
    "driver": "a Python that can import LAMMPS's module",
    "native": "a LAMMPS with fix echemdid",
    "none": "LAMMPS",
}
"""What runs the dynamics, by who spreads the potential."""


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
    query = orm.QueryBuilder().append(orm.AbstractCode, filters={"attributes.input_plugin": PLUGIN})
    found = [code for code in query.all(flat=True) if not code.is_hidden and not of_other_program(code, bias)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DemoFailure(
            f"no code for {PLUGIN}: register {PROGRAMS[bias]} with `verdi code create core.code.installed --label md "
            f"--computer COMPUTER --filepath-executable PATH --default-calc-job-plugin {PLUGIN}`"
        )
    names = ", ".join(sorted(code.full_label for code in found))
    raise DemoFailure(f"several codes for {PLUGIN} ({names}): choose {PROGRAMS[bias]} with --code")


def named_code(label: str, bias: str) -> orm.AbstractCode:
    """Return the code of that label.

    Raises
    ------
    DemoFailure
        If there is none, more than one, or if it is of another program.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        refuse_large_number(label)
        code = orm.load_code(label)
    except MultipleObjectsError as error:
        raise DemoFailure(f"code = {label!r}: several have that label; write LABEL@COMPUTER") from error
    except (NotExistent, ValueError) as error:
        raise DemoFailure(f"code = {label!r}: there is none of that label; `verdi code list` shows all") from error
    plugin = code.default_calc_job_plugin
    if plugin not in (None, PLUGIN):
        raise DemoFailure(f"code = {label!r}: must be for {PLUGIN}, not {plugin}; `verdi code list` shows all")
    if of_other_program(code, bias):
        raise DemoFailure(f"code = {label!r}: must be {PROGRAMS[bias]} with `bias: {bias}`; choose another")
    return code


def of_other_program(code: orm.AbstractCode, bias: str) -> bool:
    """Whether a code's name says that it is LAMMPS where Python is needed, or the reverse."""
    name = PurePath(str(code.get_executable())).name
    return name.startswith("lmp") if bias == "driver" else name.startswith("python")


def find_force_field(uuid: str | None) -> Any:
    """Return the force field of that UUID; None, for the project's silver, without one.

    Raises
    ------
    DemoFailure
        If there is none of that UUID, or if it is no ReaxFF of silver.
    """
    if uuid is None:
        return None
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida_lammps.data.potential import LammpsPotentialData

    try:
        refuse_large_number(uuid)
        node = orm.load_node(uuid)
    except MultipleObjectsError as error:
        raise DemoFailure(f"force-field = {uuid!r}: several nodes begin so; give the whole UUID") from error
    except (NotExistent, ValueError) as error:
        raise DemoFailure(f"force-field = {uuid!r}: there is no such node; leave it out for silver's own") from error
    way_out = "leave it out for silver's own"
    if not isinstance(node, LammpsPotentialData):
        kind = type(node).__name__
        raise DemoFailure(f"force-field = {uuid!r}: must be a LammpsPotentialData, not {kind}; {way_out}")
    # after get_or_create the properties of the class are those of the node that it made last, for all nodes
    style, species = (node.base.attributes.get(name) for name in ("pair_style", "species"))
    if style != "reaxff":
        raise DemoFailure(f"force-field = {uuid!r}: must be of pair style reaxff, not {style}; {way_out}")
    if SYMBOL not in species:
        raise DemoFailure(f"force-field = {uuid!r}: must hold {SYMBOL}, not only {', '.join(species)}; {way_out}")
    return node
