"""What a chain would find in the database, before it is submitted; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.orm import AbstractCode
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.workflows.filling import fill_scf
from aiida_rewire.workflows.functions.structures import SYMBOL, build_lead
from aiida_rewire.workflows.pw import ALSO_DECISIVE, ExactPwBaseWorkChain, for_region

SAME = 1e-10
"""Lengths that differ by less are the same, Å."""


def leads_there(codes: Mapping[str, AbstractCode], pseudo: UpfData, values: Mapping[str, Any]) -> list[str]:
    """Return the UUIDs of the folders of finished SCF runs of the leads that a chain may need, the narrowest first.

    The chain itself also looks whether the files are still there; here a folder counts unless it is marked as
    cleaned, so that no computer has to be asked.

    Parameters
    ----------
    codes
        ``pw``.
    pseudo
        Of silver.
    values
        Of a protocol: ``lead`` and ``junction``.
    """
    junction = values["junction"]
    widths = range(junction["supercell"], junction["largest_supercell"] + 1)
    found = (_lead_there(codes["pw"], pseudo, values, width) for width in widths)
    return [folder for folder in found if folder is not None]


def _lead_there(code: AbstractCode, pseudo: UpfData, values: Mapping[str, Any], supercell: int) -> str | None:
    # the function itself, not the process that it is run as
    structure = build_lead.__wrapped__(orm.Dict({**values["junction"], "supercell": supercell}))
    inputs = AttributeDict({"pw": AttributeDict({"metadata": AttributeDict(), "pseudos": {SYMBOL: pseudo}})})
    fill_scf(inputs, code, values["lead"])
    if "kpoints_distance" in inputs:
        inputs.kpoints_distance = orm.Float(inputs.kpoints_distance)
    inputs = for_region(inputs, structure)
    query = orm.QueryBuilder()
    query.append(
        orm.StructureData, filters={"attributes.sites": {"of_length": len(structure.sites)}}, tag="structure"
    )
    good = {"attributes.exit_status": 0, "attributes.process_state": "finished"}
    query.append(ExactPwBaseWorkChain, with_incoming="structure", filters=good, tag="scf")
    query.order_by({"scf": {"id": "desc"}})
    for scf in query.all(flat=True):
        folder = scf.outputs.remote_folder
        if not folder.is_cleaned and _is_same(inputs, scf.inputs):
            return str(folder.uuid)
    return None


def _is_same(wanted: Any, there: Any) -> bool:
    """Whether two SCF runs compute the same; like `content_of`, but of nodes that are not stored and have no hash."""
    one, other = wanted.pw, there.pw
    return (
        _same_structure(one.structure, other.structure)
        and _md5_of(one.pseudos) == _md5_of(other.pseudos)
        and one.parameters.get_dict() == other.parameters.get_dict()
        and _kpoints_of(wanted) == _kpoints_of(there)
        and bool(one.code.uuid == other.code.uuid)
        and not any(name in other for name in ALSO_DECISIVE)
    )


def _same_structure(one: orm.StructureData, other: orm.StructureData) -> bool:
    kinds = [
        [(site.kind_name, structure.get_kind(site.kind_name).mass) for site in structure.sites]
        for structure in (one, other)
    ]
    places = [np.vstack([structure.cell, *(site.position for site in structure.sites)]) for structure in (one, other)]
    return kinds[0] == kinds[1] and np.allclose(places[0], places[1], rtol=0.0, atol=SAME)


def _md5_of(pseudos: Mapping[str, UpfData]) -> dict[str, str]:
    return {kind: pseudo.md5 for kind, pseudo in dict(pseudos).items()}


def _kpoints_of(inputs: Any) -> Any:
    if "kpoints" in inputs:
        return {name: inputs.kpoints.base.attributes.get(name, None) for name in ("mesh", "offset")}
    return inputs.kpoints_distance.value
