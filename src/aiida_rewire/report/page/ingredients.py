"""The codes, force fields and pseudopotentials that a campaign's chains were given."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiida_rewire.database.tables import Tables
from aiida_rewire.report.page.model import Ingredient

INPUT = "input_work"
KINDS = {
    "data.core.code.": "code",
    "data.lammps.potential.": "force field",
    "data.pseudo.": "pseudopotential",
}
"""Beginnings of the types of nodes."""


def ingredients_of(tables: Tables, attempts: Collection[int]) -> tuple[Ingredient, ...]:
    """Return what attempts at chains were given, each once, by kind and name.

    Parameters
    ----------
    tables
        Of the profile.
    attempts
        Their PKs.
    """
    from sqlalchemy import or_, select

    nodes, links, computers = tables.nodes, tables.links, tables.computers
    digest, filename, title = (tables.attribute(name) for name in ("md5", "filename", "title"))
    statement = (
        select(nodes.c.uuid, nodes.c.node_type, nodes.c.label, computers.c.label, digest, filename, title)
        .join(links, links.c.input_id == nodes.c.id)
        .outerjoin(computers, computers.c.id == nodes.c.dbcomputer_id)
        .where(links.c.type == INPUT, or_(*(nodes.c.node_type.like(f"{kind}%") for kind in KINDS)))
        .distinct()
    )
    found = {str(row[0]): row[1:] for row in tables.rows_of(statement, links.c.output_id, attempts)}
    return tuple(
        sorted(
            (ingredient(uuid, *row) for uuid, row in found.items()), key=lambda one: (one.kind, one.name, one.uuid)
        )
    )


def ingredient(
    uuid: str, node_type: str, label: str, computer: str | None, digest: Any, filename: Any, title: Any
) -> Ingredient:
    """Return an ingredient from the columns of its node."""
    kind = next(word for beginning, word in KINDS.items() if node_type.startswith(beginning))
    name = f"{label}@{computer}" if kind == "code" and computer else str(label or filename or title or "")
    return Ingredient(kind, name, uuid, str(digest or ""))
