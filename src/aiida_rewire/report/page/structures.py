"""The atoms of the junctions on the page, read some hundred at a time."""

from __future__ import annotations

from collections.abc import Collection

from aiida_rewire.database.junctions import junctions_of
from aiida_rewire.database.tables import Tables, batched
from aiida_rewire.report.page.atoms import Junctions, Packing

AT_A_TIME = 100
"""So many structures are held as they are read: each has thousands of numbers."""


def packed_junctions(tables: Tables, pks: Collection[int]) -> Junctions:
    """Return the atoms of junctions, those of which there are any.

    They are those that were computed, as of `aiida_rewire.database.junctions`.

    Parameters
    ----------
    tables
        Of the profile.
    pks
        Of the conductances.
    """
    from sqlalchemy import select

    nodes = tables.nodes
    conductances: dict[int, list[int]] = {}
    for conductance, junction in junctions_of(pks).items():
        conductances.setdefault(junction.pk, []).append(conductance)
    packing = Packing()
    columns = (nodes.c.attributes["cell"].as_json(), nodes.c.attributes["sites"].as_json())
    for some in batched(sorted(conductances), AT_A_TIME):
        statement = select(nodes.c.id, *columns).where(nodes.c.id.in_(some))
        for structure, cell, sites in tables.rows(statement):
            for conductance in conductances[structure]:
                packing.add(conductance, cell, [site["position"] for site in sites])
    return packing.packed()
