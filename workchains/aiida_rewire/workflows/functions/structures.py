"""Tips, leads and scattering regions as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from aiida_rewire.data.labels import LABELS, labels_of_snapshot
from aiida_rewire.junction.assembly import AtomsOverlap, CellTooNarrow, FlatGap, assemble_scattering_region
from aiida_rewire.junction.fingerprint import FilledGap, fingerprint
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.tips import Region
from aiida_rewire.junction.tips import build_tips as build_tip_pair

SYMBOL = "Ag"
SILVER_MASS = float(atomic_masses[atomic_numbers[SYMBOL]])

EXIT_OVERLAP = 210
EXIT_TOO_NARROW = 211


def _silver(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    kinds: list[str] | None = None,
    pbc: bool = True,
) -> orm.StructureData:
    structure = orm.StructureData(cell=cell.tolist(), pbc=[pbc] * 3)
    for index, position in enumerate(positions.tolist()):
        name = kinds[index] if kinds else SYMBOL
        structure.append_atom(position=position, symbols=SYMBOL, mass=SILVER_MASS, name=name)
    return structure


@calcfunction
def build_tips(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Build the two tips.

    Parameters
    ----------
    parameters
        Keywords of :func:`aiida_rewire.junction.tips.build_tips`.

    Returns
    -------
    dict
        ``structure``: the tips, their kinds named by region; ``geometry``: heights of the apexes, Å.
    """
    tips = build_tip_pair(**parameters.get_dict())
    extent = np.ptp(tips.positions, axis=0)
    structure = _silver(tips.positions, np.diag(extent), [str(r) for r in tips.regions], pbc=False)
    geometry = {"lower_apex": tips.lower_apex, "upper_apex": tips.upper_apex}
    return {"structure": structure, "geometry": orm.Dict(geometry)}


@calcfunction
def build_lead(parameters: orm.Dict) -> orm.StructureData:
    """Build the lead: ``lattice_constant`` (Å) and ``supercell`` of three Ag(111) layers."""
    cell, positions = Fcc111(parameters["lattice_constant"], parameters["supercell"]).lead()
    return _silver(positions, cell)


@calcfunction
def assemble_junction(
    snapshots: orm.TrajectoryData, index: orm.Int, geometry: orm.Dict, parameters: orm.Dict
) -> dict[str, orm.Data] | ExitCode:
    """Make the scattering region of one snapshot.

    Parameters
    ----------
    snapshots
        All snapshots of the chain.
    index
        Which of them.
    geometry
        Heights of the tips' apexes, Å.
    parameters
        ``lattice_constant`` (Å), ``supercell``, ``lower_layers``, ``upper_layers``.

    Returns
    -------
    dict
        ``structure``: for pw.x; ``assembly``: atoms in the gap, what was done to them, those left out, and the
        fingerprint under which repeats of the contact are looked for.
    """
    try:
        structure, assembly = assembled(
            snapshots.get_array("positions")[index.value], geometry.get_dict(), parameters.get_dict()
        )
    except CellTooNarrow as error:
        return ExitCode(EXIT_TOO_NARROW, str(error))
    except AtomsOverlap as error:
        return ExitCode(EXIT_OVERLAP, str(error))
    return {"structure": structure, "assembly": orm.Dict(assembly)}


STRUCTURE, ASSEMBLY, REFUSED = "structure_", "assembly_", "refused"
"""Outputs of `assemble_junctions`: the first two end with the snapshot's number."""


@calcfunction
def assemble_junctions(
    snapshots: orm.TrajectoryData, indices: orm.List, geometry: orm.Dict, **lattices: orm.Dict
) -> dict[str, orm.Data]:
    """Make the scattering regions of many snapshots.

    Parameters
    ----------
    snapshots
        All snapshots of the chain.
    indices
        Which of them.
    geometry
        Heights of the tips' apexes, Å.
    lattices
        Flat layers by supercell, ``n3`` and so on: the narrowest that holds a contact is taken for it.

    Returns
    -------
    dict
        ``structure_0003`` and ``assembly_0003``, as of :func:`assemble_junction`, for each snapshot that can be
        made, the assembly with ``labels`` besides: what its conductance takes over from the snapshot;
        ``refused``: by snapshot number the exit code and the reason of those that cannot.
    """
    outputs: dict[str, orm.Data] = {}
    refused: dict[str, list[Any]] = {}
    positions = snapshots.get_array("positions")
    for index in indices.get_list():
        name = lattice_name(snapshots, index, lattices)
        number = f"{index:04d}"
        try:
            structure, assembly = assembled(positions[index], geometry.get_dict(), lattices[name].get_dict())
        except CellTooNarrow as error:
            refused[number] = [EXIT_TOO_NARROW, str(error)]
        except AtomsOverlap as error:
            refused[number] = [EXIT_OVERLAP, str(error)]
        else:
            assembly[LABELS] = labels_of_snapshot(snapshots, orm.Int(index), assembly)
            outputs |= {f"{STRUCTURE}{number}": structure, f"{ASSEMBLY}{number}": orm.Dict(assembly)}
    return {**outputs, REFUSED: orm.Dict(refused)}


def supercell_name(supercell: int) -> str:
    """Name of the flat layers of a supercell."""
    return f"n{supercell}"


def lattice_name(snapshots: orm.TrajectoryData, index: int, lattices: Mapping[str, orm.Dict]) -> str:
    """Return the name of the flat layers that a snapshot's contact needs."""
    width = supercell_name(int(snapshots.get_array("supercell")[index]))
    # a contact that fits nowhere is tried in the narrowest, and is refused with its reason
    return width if width in lattices else min(lattices, key=lambda name: int(lattices[name]["supercell"]))


def assembled(
    positions: NDArray[np.float64], geometry: Mapping[str, float], values: Mapping[str, Any]
) -> tuple[orm.StructureData, dict[str, Any]]:
    """Return a scattering region and what was done to its atoms; see `assemble_junction`.

    Raises
    ------
    AtomsOverlap, CellTooNarrow
        If there is none.
    """
    lattice = Fcc111(values["lattice_constant"], values["supercell"])
    gap = FlatGap.behind_apexes(lattice, geometry["lower_apex"], geometry["upper_apex"])
    layers = {name: values[name] for name in ("lower_layers", "upper_layers")}
    region = assemble_scattering_region(positions, gap, lattice, **layers)
    assembly = {
        "gap_length": gap.length,
        "atoms_in_gap": region.atoms_in_gap,
        "snapshot_atoms": list(region.snapshot_atoms),
        "atoms_left_out": region.atoms_left_out,
        "flank_atoms": region.flank_atoms,
        "floating_atoms": region.floating_atoms,
        "atoms_pushed": region.atoms_pushed,
        "largest_push": region.largest_push,
        "closest_pair": region.closest_pair,
        "fingerprint": fingerprint(FilledGap.of_region(region.cell, region.positions, lattice, **layers)),
    }
    return _silver(region.positions, region.cell), assembly


@calcfunction
def with_supercell(junction: orm.Dict, supercell: orm.Int) -> orm.Dict:
    """Return the flat layers of another lateral multiplicity."""
    return orm.Dict({**junction.get_dict(), "supercell": supercell.value})


def filled_gap(structure: orm.StructureData, junction: orm.Dict) -> FilledGap:
    """Return the contact of a scattering region that was assembled with these flat layers."""
    return FilledGap.of_region(
        np.array(structure.cell),
        np.array([site.position for site in structure.sites]),
        Fcc111(junction["lattice_constant"], junction["supercell"]),
        lower_layers=junction["lower_layers"],
        upper_layers=junction["upper_layers"],
    )


def base_kinds() -> tuple[str, str]:
    """Kind names of the two fixed bases."""
    return str(Region.LOWER_BASE), str(Region.UPPER_BASE)
