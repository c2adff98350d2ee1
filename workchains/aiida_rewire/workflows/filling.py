"""Builders filled with what a protocol says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.orm import AbstractCode

from aiida_rewire.calculations.pwcond_inputs import to_energies


def fill_scf(namespace: Any, code: AbstractCode, values: Mapping[str, Any]) -> None:
    """Fill the namespace of an SCF in a builder with what a protocol says, pseudopotentials aside."""
    kpoints = orm.KpointsData()
    # pw.x shifts a mesh by whole half-steps
    kpoints.set_kpoints_mesh(values["kpoints_mesh"], offset=[0.5 * shift for shift in values["kpoints_offset"]])
    namespace.kpoints = kpoints
    namespace.pw.code = code
    namespace.pw.parameters = orm.Dict(values["parameters"])
    namespace.pw.metadata.options = values["options"]


def fill_pwcond(namespace: Any, code: AbstractCode, values: Mapping[str, Any]) -> None:
    """Fill the namespace of pwcond.x in a builder with what a protocol says."""
    kpoints = orm.KpointsData()
    if "mesh" in values["kpoints"]:
        mesh, offset = values["kpoints"]["mesh"], values["kpoints"].get("offset", [0.0, 0.0])
        kpoints.set_kpoints_mesh([*mesh, 1], offset=[*offset, 0.0])
    else:
        listed = values["kpoints"]["list"]
        kpoints.set_kpoints([[kx, ky, 0.0] for kx, ky, _ in listed], weights=[weight for _, _, weight in listed])
    namespace.pwcond.kpoints = kpoints
    namespace.pwcond.code = code
    namespace.pwcond.energies = to_energies(values["energies"])
    namespace.pwcond.unitarity_tolerance = float(values["unitarity_tolerance"])
    namespace.pwcond.parameters = values["parameters"]
    namespace.pwcond.metadata.options = values["options"]
    namespace.max_shards = values["max_shards"]
    namespace.shards_per_job = values["shards_per_job"]


def fill_readback(namespace: Any, code: AbstractCode, values: Mapping[str, Any]) -> None:
    """Fill the namespace of the read-back in a builder with what a protocol says."""
    namespace.code = code
    namespace.metadata.options = values["options"]
