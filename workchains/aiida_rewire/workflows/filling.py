"""Builders filled with what a protocol says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.orm import AbstractCode
from numpy.typing import NDArray

from aiida_rewire.calculations.pwcond_inputs import to_energies, to_kpoints
from aiida_rewire.errors import InvalidInput


def fill_scf(namespace: Any, code: AbstractCode, values: Mapping[str, Any]) -> None:
    """Fill the namespace of an SCF in a builder with what a protocol says, pseudopotentials aside.

    Raises
    ------
    InvalidInput
        If there is neither a mesh of k-points nor a distance between them.
    """
    if values["kpoints_mesh"] is not None:
        kpoints = orm.KpointsData()
        # pw.x shifts a mesh by whole half-steps
        kpoints.set_kpoints_mesh(values["kpoints_mesh"], offset=[0.5 * shift for shift in values["kpoints_offset"]])
        namespace.kpoints = kpoints
    elif values["kpoints_distance"] is not None:
        namespace.kpoints_distance = float(values["kpoints_distance"])
    else:
        raise InvalidInput("kpoints_mesh", "null", "a mesh, or kpoints_distance a number", "give one of them")
    namespace.pw.code = code
    namespace.pw.parameters = orm.Dict(values["parameters"])
    namespace.pw.metadata.options = values["options"]


def fill_pwcond(namespace: Any, code: AbstractCode, values: Mapping[str, Any], cell: NDArray[np.float64]) -> None:
    """Fill the namespace of pwcond.x in a builder with what a protocol says.

    Parameters
    ----------
    namespace
        Of `PwcondBaseWorkChain`.
    code
        pwcond.x.
    values
        Section ``pwcond`` of a protocol.
    cell
        Of the lead, Å, shape (3, 3).

    Raises
    ------
    InvalidInput
        If the k-points are none.
    """
    namespace.pwcond.kpoints = lateral_kpoints(values["kpoints"], cell)
    namespace.pwcond.code = code
    namespace.pwcond.energies = to_energies(values["energies"])
    namespace.pwcond.unitarity_tolerance = float(values["unitarity_tolerance"])
    namespace.pwcond.parameters = values["parameters"]
    namespace.pwcond.metadata.options = values["options"]
    namespace.max_shards = values["max_shards"]
    namespace.shards_per_job = values["shards_per_job"]


def lateral_kpoints(values: Mapping[str, Any], cell: NDArray[np.float64]) -> orm.KpointsData:
    """Return lateral k-points.

    Parameters
    ----------
    values
        ``{list: [[kx, ky, weight], ...]}``, ``{mesh: [n1, n2], offset: [o1, o2]}`` with the offset in steps, or
        ``{distance: d}``, 1/Å, for the coarsest mesh without a larger step.
    cell
        Of the lead, Å, shape (3, 3).

    Raises
    ------
    InvalidInput
        If it is none of these.
    """
    if set(values) == {"list"}:
        return to_kpoints(values["list"])
    if set(values) == {"distance"}:
        distance = values["distance"]
        if not isinstance(distance, (int, float)) or not distance > 0:
            raise InvalidInput("pwcond.kpoints.distance", distance, "above 0, in 1/Å", "0.3 is usual")
        reciprocal = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T[:2], axis=1)
        return to_kpoints({"mesh": np.ceil(reciprocal / distance - 1e-9).astype(int).tolist()})
    return to_kpoints(values)


def fill_readback(namespace: Any, code: AbstractCode, values: Mapping[str, Any]) -> None:
    """Fill the namespace of the read-back in a builder with what a protocol says."""
    namespace.code = code
    namespace.metadata.options = values["options"]
