"""From conductances back to the junctions that they are of: the atoms that pw.x and pwcond.x saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiida_rewire.database.tables import batched

JOB = "aiida.calculations:rewire.junction"
"""Process type of a junction's only job."""

MOST_ASKED = 500
"""So many conductances are asked for at once."""


@dataclass(frozen=True)
class Junction:
    """The junction of a conductance.

    Attributes
    ----------
    conductance
        UUID of the conductance that was computed of it: another's, where that was taken over.
    structure
        UUID of the scattering region; empty where the database does not know it, of a conductance that was made by
        hand or of an archive that was cut.
    """

    conductance: str
    structure: str


def junctions_of(conductances: Mapping[str, str | None]) -> dict[str, Junction]:
    """Return the junction of each conductance, in two queries for each five hundred.

    Parameters
    ----------
    conductances
        UUIDs, and the UUID of the conductance that each was taken over from: None or empty where it was computed.
    """
    computed = {uuid: reused or uuid for uuid, reused in conductances.items()}
    structures: dict[str, str] = {}
    for some in batched(sorted(set(computed.values())), MOST_ASKED):
        structures |= _of_one_job(some)
        structures |= _of_separate_jobs([uuid for uuid in some if uuid not in structures])
    return {uuid: Junction(source, structures.get(source, "")) for uuid, source in computed.items()}


def _of_one_job(uuids: Sequence[str]) -> dict[str, str]:
    """Structures that went into jobs from structure to conductance."""
    from aiida import orm
    from aiida.plugins import DataFactory

    query = orm.QueryBuilder()
    query.append(orm.StructureData, tag="structure", project="uuid")
    query.append(
        orm.CalcJobNode,
        with_incoming="structure",
        edge_filters={"label": "structure"},
        filters={"process_type": JOB},
        tag="job",
    )
    query.append(
        DataFactory("rewire.conductance"), with_incoming="job", filters={"uuid": {"in": list(uuids)}}, project="uuid"
    )
    return {conductance: structure for structure, conductance in query.iterall()}


def _of_separate_jobs(uuids: Sequence[str]) -> dict[str, str]:
    """Structures of SCF runs whose density was read back before pwcond.x ran."""
    if not uuids:
        return {}
    from aiida import orm
    from aiida.plugins import DataFactory

    query = orm.QueryBuilder()
    query.append(orm.StructureData, tag="structure", project="uuid")
    query.append(orm.CalcJobNode, with_incoming="structure", edge_filters={"label": "structure"}, tag="scf")
    query.append(orm.RemoteData, with_incoming="scf", tag="folder")
    query.append(orm.CalcJobNode, with_incoming="folder", edge_filters={"label": "parent_folder"}, tag="readback")
    query.append(orm.Dict, with_incoming="readback", tag="results")
    query.append(orm.CalcFunctionNode, with_incoming="results", edge_filters={"label": "junction"}, tag="store")
    query.append(
        DataFactory("rewire.conductance"),
        with_incoming="store",
        filters={"uuid": {"in": list(uuids)}},
        project="uuid",
    )
    return {conductance: structure for structure, conductance in query.iterall()}
