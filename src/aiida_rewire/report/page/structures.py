"""The scattering regions that conductances were computed of, by their provenance, many at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.tables import CREATE, Tables, batched
from aiida_rewire.report.page.atoms import Junctions, Packing

if TYPE_CHECKING:
    from sqlalchemy import Select

INPUT = "input_calc"
STRUCTURE, ASSEMBLY = "structure", "assembly"
"""Labels of the links: of what a job computed, and of what tells how it was made."""

AT_A_TIME = 100
"""So many structures are held as they are read: each has thousands of numbers."""


def junctions_of(tables: Tables, pks: Collection[int]) -> Junctions:
    """Return the atoms of junctions, those of which there are any.

    Parameters
    ----------
    tables
        Of the profile.
    pks
        Of the conductances.
    """
    from sqlalchemy import select

    nodes = tables.nodes
    structure_of = structures_by_conductance(tables, pks)
    conductances: dict[int, list[int]] = {}
    for conductance, structure in structure_of.items():
        conductances.setdefault(structure, []).append(conductance)
    packing = Packing()
    columns = (nodes.c.attributes["cell"].as_json(), nodes.c.attributes["sites"].as_json())
    for some in batched(sorted(conductances), AT_A_TIME):
        statement = select(nodes.c.id, *columns).where(nodes.c.id.in_(some))
        for structure, cell, sites in tables.rows(statement):
            for conductance in conductances[structure]:
                packing.add(conductance, cell, [site["position"] for site in sites])
    return packing.packed()


def structures_by_conductance(tables: Tables, pks: Collection[int]) -> dict[int, int]:
    """Return the PK of the structure of each conductance.

    Where a snapshot is one job, the structure is its input. Of one that was computed in separate jobs, or taken over
    from an equal contact, it is what was made together with the assembly that the conductance was stored with.
    """
    found: dict[int, int] = {}
    for some in batched(sorted(pks)):
        found |= dict(map(tuple, tables.rows(given(tables, some))))
    left = sorted(set(pks) - set(found))
    for some in batched(left):
        found |= dict(map(tuple, tables.rows(made_beside(tables, some))))
    return found


def given(tables: Tables, pks: Collection[int]) -> Select[Any]:
    """Return the statement that finds structures as inputs of what made the conductances."""
    from sqlalchemy import select

    made, used = tables.links.alias("made"), tables.links.alias("used")
    return (
        select(made.c.output_id, used.c.input_id)
        .join(used, used.c.output_id == made.c.input_id)
        .where(made.c.output_id.in_(pks), made.c.type == CREATE, used.c.type == INPUT, used.c.label == STRUCTURE)
    )


def made_beside(tables: Tables, pks: Collection[int]) -> Select[Any]:
    """Return the statement that finds structures beside the assemblies of the conductances."""
    from sqlalchemy import func, select

    made, used, told, beside = (tables.links.alias(name) for name in ("made", "used", "told", "beside"))
    return (
        select(made.c.output_id, beside.c.output_id)
        .join(used, used.c.output_id == made.c.input_id)
        .join(told, told.c.output_id == used.c.input_id)
        .join(beside, beside.c.input_id == told.c.input_id)
        .where(
            made.c.output_id.in_(pks),
            *(link.c.type == CREATE for link in (made, told, beside)),
            used.c.type == INPUT,
            used.c.label == ASSEMBLY,
            # one calculation function makes those of many snapshots, and labels them alike
            beside.c.label == func.replace(told.c.label, ASSEMBLY, STRUCTURE),
        )
    )
