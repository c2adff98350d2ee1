"""What the provenance of a remote folder says about the pw.x run that left it."""

from __future__ import annotations

import re

import numpy as np
from aiida import orm

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.parents import ParentRun

PSEUDO_TYPE = re.compile(r"pseudo_type\s*=\s*[\"']\s*([A-Z]+)", re.IGNORECASE)


def parent_run(name: str, remote: orm.RemoteData) -> ParentRun:
    """Collect what the guards need to know.

    Parameters
    ----------
    name
        The input's name, for messages.
    remote
        Folder of a finished pw.x run.

    Raises
    ------
    InvalidInput
        If no finished pw.x run of the database left the folder, or if it was cleaned.
    """
    creator = remote.creator
    if not isinstance(creator, orm.CalcJobNode) or "output_parameters" not in creator.outputs:
        raise InvalidInput(name, f"folder {remote.pk}", "left by a pw.x run of this database", "run its SCF first")
    if not creator.is_finished_ok:
        raise InvalidInput(name, f"pw.x run {creator.pk}", "finished without an error", "repeat its SCF")
    if remote.is_cleaned:
        raise InvalidInput(name, f"folder {remote.pk}", "still there", "it was cleaned: run its SCF again")
    results = creator.outputs.output_parameters.get_dict()
    structure = creator.inputs.structure
    pseudos = [creator.inputs.pseudos[kind.name] for kind in structure.kinds]
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    nr1, nr2, nr3 = results["fft_grid"]
    nr1s, nr2s, nr3s = results.get("smooth_fft_grid", results["fft_grid"])
    return ParentRun(
        name=name,
        cell=np.array(structure.cell),
        positions=np.array([site.position for site in structure.sites]),
        elements=tuple(symbols[site.kind_name] for site in structure.sites),
        fft_grid=(nr1, nr2, nr3),
        smooth_fft_grid=(nr1s, nr2s, nr3s),
        wavefunction_cutoff=float(results["wfc_cutoff"]),
        density_cutoff=float(results["rho_cutoff"]),
        fermi_energy=results.get("fermi_energy"),
        pseudo_digests={symbols[name]: creator.inputs.pseudos[name].md5 for name in symbols},
        pseudo_types=frozenset(_pseudo_type(pseudo.get_content()) for pseudo in pseudos),
    )


def _pseudo_type(upf: str) -> str:
    found = PSEUDO_TYPE.search(upf)
    if found:
        return found.group(1).upper()
    # UPF version 1 says it in a line of its header
    old = re.search(r"^\s*(NC|US|PAW)\s+.*(?:Norm|Ultrasoft|PAW|pseudopotential)", upf, re.MULTILINE)
    return old.group(1) if old else "unknown"
