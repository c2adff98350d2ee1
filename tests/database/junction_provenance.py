"""Conductances with the provenance of each way to compute one, made by hand in the profile that is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_rewire.data.conductance import ConductanceData

JOB = "aiida.calculations:rewire.junction"
INPUT, CREATE = LinkType.INPUT_CALC, LinkType.CREATE


def conductance(transmission: float, **labels: Any) -> ConductanceData:
    """One that is not stored."""
    return ConductanceData.from_transmission(
        energies=[0.0],
        transmission=[[transmission]],
        kpoints=[[0.1, 0.2]],
        weights=[1.0],
        channels=[[7]],
        unitarity=[[1.25e-4]],
        labels=labels,
    )


def structure(positions: np.ndarray, cell: np.ndarray) -> orm.StructureData:
    """A stored structure of silver."""
    node = orm.StructureData(cell=cell.tolist(), pbc=[True] * 3)
    for position in positions.tolist():
        node.append_atom(position=position, symbols="Ag")
    return node.store()


def process(kind: type, made: orm.Data, label: str, inputs: dict[str, orm.Data], **fields: Any) -> orm.Data:
    """Store what a process made of inputs."""
    node = kind(**fields)
    for name, one in inputs.items():
        node.base.links.add_incoming(one, link_type=INPUT, link_label=name)
    node.store()
    made.base.links.add_incoming(node, link_type=CREATE, link_label=label)
    return made.store()


def in_one_job(atoms: orm.StructureData, computer: orm.Computer, transmission: float, **labels: Any) -> orm.Data:
    """A conductance that a job computed of a structure."""
    made = conductance(transmission, **labels)
    return process(orm.CalcJobNode, made, "conductance", {"structure": atoms}, computer=computer, process_type=JOB)


def in_separate_jobs(
    atoms: orm.StructureData, computer: orm.Computer, transmission: float, **labels: Any
) -> orm.Data:
    """A conductance that was stored when SCF, read-back and pwcond.x had run."""
    folder = orm.RemoteData(remote_path="/scf", computer=computer)
    lead = structure(np.zeros((1, 3)), np.eye(3))
    process(orm.CalcJobNode, folder, "remote_folder", {"structure": atoms}, computer=computer)
    lead_folder = orm.RemoteData(remote_path="/lead", computer=computer)
    process(orm.CalcJobNode, lead_folder, "remote_folder", {"structure": lead}, computer=computer)
    readbacks = {}
    for name, parent in (("junction", folder), ("left_lead", lead_folder)):
        readbacks[name] = process(
            orm.CalcJobNode, orm.Dict({}), "results", {"parent_folder": parent}, computer=computer
        )
    return process(orm.CalcFunctionNode, conductance(transmission, **labels), "result", readbacks)


def taken_over(source: orm.Data, own: orm.StructureData | None = None, **labels: Any) -> orm.Data:
    """A conductance that was taken over from another one, where there is an own contact as its snapshot's."""
    made = conductance(source.base.attributes.get("transmission_fermi"), **labels, reused_from=source.uuid)
    inputs = {"conductance": source}
    if own is not None:
        inputs["assembly"] = process(orm.CalcFunctionNode, orm.Dict({}), "assembly", {})
        copy = own.clone()
        copy.base.links.add_incoming(inputs["assembly"].creator, link_type=CREATE, link_label="structure")
        copy.store()
    return process(orm.CalcFunctionNode, made, "result", inputs)
