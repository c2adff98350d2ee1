"""Codes, force field and pseudopotentials by the names that people give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida import orm

MD_PLUGIN = "rewire.md"
SYMBOL = "Ag"
MD_PROGRAMS = {
    "driver": "a Python that can import LAMMPS's module",
    "native": "a LAMMPS with fix echemdid",
    "none": "LAMMPS",
}
"""What runs the dynamics, by who spreads the potential."""

LARGEST_PK = 2**31 - 1
ANY_CODE = "`verdi code list` shows all"
OWN_FORCE_FIELD = "leave it out for silver's own"


class Unsuitable(ValueError):
    """Something in the database that is not there, or not what it is taken for.

    Attributes
    ----------
    value
        What was asked for.
    reason, way_out
        Why it will not do, and what will.
    """

    def __init__(self, value: str, reason: str, way_out: str) -> None:
        super().__init__(f"{value!r}: {reason}; {way_out}")
        self.value = value
        self.reason = reason
        self.way_out = way_out


def load_code(label: str, plugins: Sequence[str]) -> orm.AbstractCode:
    """Return the code of that label.

    Parameters
    ----------
    label
        As AiiDA takes it.
    plugins
        Entry points of which one has to be the code's; a code that says none may be for any.

    Raises
    ------
    Unsuitable
        If there is none, more than one, or if it is for something else.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        refuse_large_number(label)
        code: orm.AbstractCode = orm.load_code(label)
    except MultipleObjectsError as error:
        raise Unsuitable(label, "several have that label", "write LABEL@COMPUTER") from error
    except (NotExistent, ValueError) as error:
        raise Unsuitable(label, "there is none of that label", ANY_CODE) from error
    plugin = code.default_calc_job_plugin
    if plugin not in (None, *plugins):
        raise Unsuitable(label, f"must be for {' or '.join(plugins)}, not {plugin}", ANY_CODE)
    return code


def load_md_code(label: str, bias: str) -> orm.AbstractCode:
    """Return the code of that label for the dynamics.

    Parameters
    ----------
    label
        As AiiDA takes it.
    bias
        Who spreads the potential.

    Raises
    ------
    Unsuitable
        If there is none, more than one, or if it is of another program.
    """
    code = load_code(label, (MD_PLUGIN,))
    if of_other_program(code, bias):
        raise Unsuitable(label, f"must be {MD_PROGRAMS[bias]} with `bias: {bias}`", "choose another")
    return code


def of_other_program(code: orm.AbstractCode, bias: str) -> bool:
    """Whether a code's name says that it is LAMMPS where Python is needed, or the reverse."""
    name = PurePath(str(code.get_executable())).name
    return name.startswith("lmp") if bias == "driver" else name.startswith("python")


def refuse_large_number(identifier: str) -> None:
    """Refuse a number that is no PK: databases take none as large, and their sessions end with the error.

    Raises
    ------
    NotExistent
        As AiiDA does for a PK that is not there.
    """
    from aiida.common.exceptions import NotExistent

    try:
        number = int(identifier)
    except ValueError:
        return
    if not 0 < number <= LARGEST_PK:
        raise NotExistent(identifier)


def load_force_field(uuid: str | None) -> Any:
    """Return the force field of that UUID; None, for the project's silver, without one.

    Raises
    ------
    Unsuitable
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
        raise Unsuitable(uuid, "several nodes begin so", "give the whole UUID") from error
    except (NotExistent, ValueError) as error:
        raise Unsuitable(uuid, "there is no such node", OWN_FORCE_FIELD) from error
    if not isinstance(node, LammpsPotentialData):
        raise Unsuitable(uuid, f"must be a LammpsPotentialData, not {type(node).__name__}", OWN_FORCE_FIELD)
    # after get_or_create the properties of the class are those of the node that it made last, for all nodes
    style, species = (node.base.attributes.get(name) for name in ("pair_style", "species"))
    if style != "reaxff":
        raise Unsuitable(uuid, f"must be of pair style reaxff, not {style}", OWN_FORCE_FIELD)
    if SYMBOL not in species:
        raise Unsuitable(uuid, f"must hold {SYMBOL}, not only {', '.join(species)}", OWN_FORCE_FIELD)
    return node


def load_pseudo(family: str) -> Any:
    """Return the pseudopotential of silver from a family.

    Raises
    ------
    Unsuitable
        If there is no such family, or if it holds none of silver.
    """
    from aiida import orm

    wanted = {"label": family, "type_string": {"like": "pseudo.family%"}}
    # the class of the group, which would be asked, brings a library of units that takes longer than the question
    query = orm.QueryBuilder().append(orm.Group, filters=wanted, tag="family")
    query.append(orm.Data, with_group="family", filters={"attributes.element": SYMBOL})
    if (pseudo := query.first(flat=True)) is not None:
        return pseudo
    group = orm.QueryBuilder().append(orm.Group, filters=wanted).first(flat=True)
    if group is None:
        raise Unsuitable(family, "there is no such family of pseudopotentials", "`aiida-pseudo list` shows all")
    elements = ", ".join(sorted(group.elements)) or "nothing"
    reason = f"must hold {SYMBOL}, not only {elements}"
    raise Unsuitable(family, reason, "`aiida-pseudo list` shows other families")
