"""SCF runs whose cells reach pw.x exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessSpec
from aiida_pseudo.data.pseudo import UpfData
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_rewire.calculations.parents import refuse_missing_files
from aiida_rewire.calculations.pw import ExactPwCalculation
from aiida_rewire.transport.grids import fft_dimensions
from aiida_rewire.workflows.steps import RepeatableSteps

BANDS_FACTOR = 1.5
SPARE_BANDS = 8
"""With fewer bands than these the highest of a small silver cell is still occupied, smeared by 0.02 Ry."""


class ExactPwBaseWorkChain(RepeatableSteps, PwBaseWorkChain):
    """`PwBaseWorkChain` that runs `ExactPwCalculation`."""

    _process_class = ExactPwCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Hand out the outputs of the exact calculation."""
        super().define(spec)
        spec.expose_outputs(ExactPwCalculation)


ALSO_DECISIVE = ("settings", "hubbard_file", "vdw_table")
"""Inputs of pw.x, beside the usual ones, that change what it computes."""


def for_region(inputs: AttributeDict, structure: orm.StructureData) -> AttributeDict:
    """Complete the inputs of an SCF for a region: its structure, FFT grids and bands."""
    inputs.pw.structure = structure
    inputs.pw.parameters = orm.Dict(region_parameters(inputs.pw.parameters.get_dict(), structure, inputs.pw.pseudos))
    return inputs


def find_scf(inputs: AttributeDict) -> orm.RemoteData | None:
    """Return the folder of a finished SCF with these inputs, if there is one whose files are still there.

    Parameters
    ----------
    inputs
        Of `ExactPwBaseWorkChain`, as `for_region` returns them. Found by content: structure, pseudopotentials,
        parameters, k-points, and code.
    """
    good = {"attributes.exit_status": 0, "attributes.process_state": "finished"}
    for scf in _runs_of(inputs, good):
        folder: orm.RemoteData = scf.outputs.remote_folder
        if refuse_missing_files("lead", folder) is None:
            return folder
    return None


def find_running_scf(inputs: AttributeDict) -> orm.WorkChainNode | None:
    """Return the oldest SCF with these inputs that was submitted and has not ended; None if there is none."""
    active = {"attributes.process_state": {"in": ["created", "running", "waiting"]}}
    return min(_runs_of(inputs, active), key=lambda scf: int(scf.pk), default=None)


def _runs_of(inputs: AttributeDict, filters: Mapping[str, Any]) -> Iterator[orm.WorkChainNode]:
    """Yield the SCF runs with these inputs, the latest first."""
    inputs.pw.structure.store()
    query = orm.QueryBuilder()
    query.append(
        orm.StructureData,
        filters={"extras._aiida_hash": inputs.pw.structure.base.caching.compute_hash()},
        tag="structure",
    )
    query.append(ExactPwBaseWorkChain, with_incoming="structure", filters=dict(filters), tag="scf")
    query.order_by({"scf": {"id": "desc"}})
    for scf in query.all(flat=True):
        if isinstance(scf, orm.WorkChainNode) and content_of(scf.inputs) == content_of(inputs):
            yield scf


def content_of(inputs: Any) -> dict[str, Any]:
    """Return what decides the result of an SCF, in a form that compares."""
    return {"structure": inputs.pw.structure.base.caching.compute_hash(), **recipe_of(inputs)}


def recipe_of(inputs: Any) -> dict[str, Any]:
    """Return what decides the result of an SCF but for the structure, in a form that compares."""
    pw = inputs.pw
    return {
        "pseudos": {kind: pseudo.md5 for kind, pseudo in dict(pw.pseudos).items()},
        "parameters": pw.parameters.get_dict(),
        "kpoints": inputs.kpoints.base.caching.compute_hash() if "kpoints" in inputs else None,
        "kpoints_distance": inputs.kpoints_distance.value if "kpoints_distance" in inputs else None,
        "code": pw.code.uuid,
        **{name: pw[name].base.caching.compute_hash() if name in pw else None for name in ALSO_DECISIVE},
    }


def region_parameters(
    parameters: dict[str, Any], structure: orm.StructureData, pseudos: Mapping[str, UpfData]
) -> dict[str, Any]:
    """Return the parameters of pw.x with the FFT grids of this cell and enough bands for its atoms.

    Parameters
    ----------
    parameters
        Namelists of pw.x, with ``ecutwfc`` (Ry) in SYSTEM; ``ecutrho`` is four times that by default.
    structure
        The region.
    pseudos
        By kind; their valence counts the electrons.
    """
    system = dict(parameters["SYSTEM"])
    smooth_cutoff = 4 * system["ecutwfc"]
    dense_cutoff = system.setdefault("ecutrho", smooth_cutoff)
    cell = np.array(structure.cell)
    smooth = fft_dimensions(cell, smooth_cutoff)
    same = math.isclose(dense_cutoff, smooth_cutoff)
    dense = smooth if same else fft_dimensions(cell, dense_cutoff)
    system |= {f"nr{axis}": n for axis, n in enumerate(dense, start=1)}
    system |= {f"nr{axis}s": n for axis, n in enumerate(smooth, start=1)}
    electrons = sum(pseudos[site.kind_name].z_valence for site in structure.sites)
    system.setdefault("nbnd", max(math.ceil(electrons / 2 * BANDS_FACTOR), math.ceil(electrons / 2) + SPARE_BANDS))
    return {**parameters, "SYSTEM": system}
