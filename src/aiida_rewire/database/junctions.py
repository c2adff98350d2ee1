"""From conductances back to the junctions that they are of: the atoms that pw.x and pwcond.x saw.

The one way there, of lists and files of structures as of the page of a campaign. Links alone are followed, by their
labels: among a hundred thousand nodes on PostgreSQL a query that looks at those between took over ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.selected import dashed
from aiida_rewire.database.tables import CREATE, INPUT, Tables, batched, profile_tables

if TYPE_CHECKING:
    from sqlalchemy import Select

STRUCTURE_TYPE = "data.core.structure.StructureData."
CONDUCTANCE, STRUCTURE, READBACK, FOLDER = "conductance", "structure", "junction", "parent_folder"
"""Labels of inputs: of what took a conductance over, of jobs from structure to conductance and of SCF runs, of what
stored the conductance of separate jobs, of the read-back of a density."""


@dataclass(frozen=True)
class Junction:
    """The junction of a conductance.

    Attributes
    ----------
    pk
        Of the structure of the scattering region.
    structure
        Its UUID.
    """

    pk: int
    structure: str


def junctions_of(conductances: Iterable[int]) -> dict[int, Junction]:
    """Return the junctions of conductances, in three queries for each five thousand; no node is loaded.

    Of a conductance that was taken over from an equal contact it is the one that was computed, not the contact of its
    own snapshot: T belongs to those atoms. The two are alike within what `aiida_rewire.junction.fingerprint` allows,
    a translation along the flat layers included. The own one is what was made together with the input ``assembly`` of
    the function that took it over.

    Parameters
    ----------
    conductances
        PKs.

    Returns
    -------
    dict
        By the PK of the conductance. One that was made by hand, or imported without what it comes from, has none.
    """
    tables = profile_tables()
    found: dict[int, Junction] = {}
    for some in batched(sorted(set(map(int, conductances)))):
        # what was computed itself is its own source
        sources = {pk: pk for pk in some} | dict(map(tuple, tables.rows(_taken_over(tables, some))))
        computed = sorted(set(sources.values()))
        structures = _structures(tables, _of_one_job(tables, computed))
        left = [pk for pk in computed if pk not in structures]
        structures |= _structures(tables, _of_separate_jobs(tables, left)) if left else {}
        found |= {pk: structures[source] for pk, source in sources.items() if source in structures}
    return found


def _structures(tables: Tables, statement: Select[Any]) -> dict[int, Junction]:
    return {pk: Junction(structure, dashed(str(uuid))) for pk, structure, uuid in tables.rows(statement)}


def _taken_over(tables: Tables, pks: Sequence[int]) -> Select[Any]:
    """Conductances with those that they were taken over from."""
    from sqlalchemy import select

    made, used = tables.links.alias("made"), tables.links.alias("used")
    return (
        select(made.c.output_id, used.c.input_id)
        .join(used, used.c.output_id == made.c.input_id)
        .where(made.c.output_id.in_(pks), made.c.type == CREATE, used.c.type == INPUT, used.c.label == CONDUCTANCE)
    )


def _of_one_job(tables: Tables, pks: Sequence[int]) -> Select[Any]:
    """Conductances with the structures that went into jobs from structure to conductance."""
    from sqlalchemy import select

    nodes, made, given = tables.nodes, tables.links.alias("made"), tables.links.alias("given")
    return (
        select(made.c.output_id, nodes.c.id, nodes.c.uuid)
        .join(given, given.c.output_id == made.c.input_id)
        .join(nodes, nodes.c.id == given.c.input_id)
        .where(
            *(made.c.output_id.in_(pks), made.c.type == CREATE),
            *(given.c.type == INPUT, given.c.label == STRUCTURE, nodes.c.node_type == STRUCTURE_TYPE),
        )
    )


def _of_separate_jobs(tables: Tables, pks: Sequence[int]) -> Select[Any]:
    """Conductances with the structures of SCF runs whose density was read back before pwcond.x ran."""
    from sqlalchemy import select

    nodes = tables.nodes
    # stored from results of the read-back of a folder, which an SCF of the structure left
    made, used, told, read, left, given = (
        tables.links.alias(name) for name in ("made", "used", "told", "read", "left", "given")
    )
    return (
        select(made.c.output_id, nodes.c.id, nodes.c.uuid)
        .join(used, used.c.output_id == made.c.input_id)
        .join(told, told.c.output_id == used.c.input_id)
        .join(read, read.c.output_id == told.c.input_id)
        .join(left, left.c.output_id == read.c.input_id)
        .join(given, given.c.output_id == left.c.input_id)
        .join(nodes, nodes.c.id == given.c.input_id)
        .where(
            made.c.output_id.in_(pks),
            *(link.c.type == CREATE for link in (made, told, left)),
            *(link.c.type == INPUT for link in (used, read, given)),
            *(used.c.label == READBACK, read.c.label == FOLDER, given.c.label == STRUCTURE),
            nodes.c.node_type == STRUCTURE_TYPE,
        )
    )
