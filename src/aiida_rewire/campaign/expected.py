"""What the jobs of a chain cost and leave on disks, expected from its protocol and from a table of measured runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from aiida_rewire.campaign.chains import ranks_in
from aiida_rewire.campaign.slots import snapshots_in
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.tips import build_tips
from aiida_rewire.transport.energies import energy_range
from aiida_rewire.transport.grids import BOHR_ANGSTROM, fft_dimensions

ATOMS_POWER = 2.5
CUTOFF_POWER = 1.5
AREA_POWER = 2
BANDS_FACTOR, SPARE_BANDS = 1.5, 8
"""Of the bands of an SCF to its occupied ones: as the workflows set them."""

COMPLEX_BYTES = 16


@cache
def table() -> Any:
    """Return the table of costs."""
    return yaml.safe_load(files(__package__).joinpath("expected.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Region:
    """A cell of the DFT.

    Attributes
    ----------
    cell
        Å, shape (3, 3).
    atoms
        In it.
    supercell
        Atoms along an edge of a layer.
    """

    cell: NDArray[np.float64]
    atoms: int
    supercell: int

    @property
    def volume(self) -> float:
        """Bohr³."""
        return float(abs(np.linalg.det(self.cell / BOHR_ANGSTROM)))

    def plane_waves(self, cutoff: float) -> float:
        """Return how many G vectors have a kinetic energy below a cutoff (Ry)."""
        return float(self.volume * cutoff**1.5 / (6 * math.pi**2))


def lead_of(values: Mapping[str, Any], supercell: int) -> Region:
    """Return a lead of a width."""
    cell, positions = Fcc111(values["junction"]["lattice_constant"], supercell).lead()
    return Region(cell, len(positions), supercell)


def junction_of(values: Mapping[str, Any]) -> Region:
    """Return the scattering region of a contact, in the narrowest cell."""
    junction = values["junction"]
    lattice = Fcc111(junction["lattice_constant"], junction["supercell"])
    layers = junction["lower_layers"] + junction["upper_layers"]
    # the surfaces lie a spacing behind the apexes
    height = (layers - 1 + 2) * lattice.layer_spacing + values["tips"]["gap"]
    atoms = layers * lattice.supercell**2 + table()["junction"]["gap_atoms"]
    return Region(lattice.cell(height), atoms, lattice.supercell)


def atoms_of_tips(values: Mapping[str, Any]) -> int:
    """Return how many atoms the dynamics has."""
    return len(build_tips(**values["tips"]).positions)


def scf_kpoints(values: Mapping[str, Any], region: Region) -> int:
    """Return how many k-points of an SCF time reversal leaves.

    Parameters
    ----------
    values
        Section ``lead`` or ``scf`` of a protocol.
    region
        Its cell.
    """
    mesh = values["kpoints_mesh"]
    offset = [shift / 2 for shift in values["kpoints_offset"]]
    if mesh is None:
        mesh, offset = mesh_of(region.cell, values["kpoints_distance"], 3), [0.0] * 3
    return reduced(mesh, offset)


def mesh_of(cell: NDArray[np.float64], distance: float, axes: int) -> list[int]:
    """Return the coarsest mesh without a larger step than `distance` (1/Å) along the first axes."""
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T[:axes], axis=1)
    return [max(1, math.ceil(round(float(length) / distance, 5))) for length in lengths]


def reduced(mesh: list[int], offset: list[float]) -> int:
    """Return how many points of a mesh are left if k and -k count once.

    Parameters
    ----------
    mesh
        Points along each axis.
    offset
        In steps.
    """
    own = 1
    for points, shift in zip(mesh, offset, strict=True):
        places = [(index + shift) / points for index in range(points)]
        own *= sum(abs(2 * place - round(2 * place)) < 1e-9 for place in places)
    return (math.prod(mesh) + own) // 2


def transmission_points(values: Mapping[str, Any]) -> int:
    """Return how many (energy, k) a snapshot's transmission has at the most, symmetry but for time reversal aside."""
    pwcond, energies = values["pwcond"], values["pwcond"]["energies"]
    count = len(energy_range(energies)) if isinstance(energies, Mapping) else len(energies)
    kpoints = pwcond["kpoints"]
    if "list" in kpoints:
        return count * len(kpoints["list"])
    if "distance" in kpoints:
        cell = lead_of(values, values["junction"]["supercell"]).cell
        return count * reduced(mesh_of(cell, kpoints["distance"], 2), [0.0, 0.0])
    return count * reduced(list(kpoints["mesh"]), list(kpoints.get("offset", [0.0, 0.0])))


def cores_of(options: Mapping[str, Any]) -> int:
    """Return how many cores a job holds."""
    return ranks_in({**options, "withmpi": True})


def lead_core_s(values: Mapping[str, Any], valence: float, supercell: int) -> float:
    """Return what the SCF of a lead costs, core-seconds."""
    return scf_core_s(values["lead"], "lead", valence, lead_of(values, supercell))


def scf_core_s(section: Mapping[str, Any], step: str, valence: float, region: Region) -> float:
    """Return what an SCF costs, core-seconds.

    Parameters
    ----------
    section
        ``lead`` or ``scf`` of a protocol.
    step
        Which of them.
    valence
        Electrons of an atom.
    region
        Its cell.
    """
    of_type = costs_of(valence)
    known = of_type[step]
    cutoff = section["parameters"]["SYSTEM"]["ecutwfc"] / of_type["ecutwfc_ry"]
    atoms, kpoints = region.atoms / known["atoms"], scf_kpoints(section, region) / known["kpoints"]
    return float(known["core_s"] * atoms**ATOMS_POWER * kpoints * cutoff**CUTOFF_POWER)


def readback_core_s(values: Mapping[str, Any], valence: float, region: Region) -> float:
    """Return what reading a density back costs, core-seconds."""
    known = costs_of(valence)["readback"]
    return float(known["core_s"] * region.atoms / known["atoms"])


def pwcond_core_s(values: Mapping[str, Any], valence: float) -> float:
    """Return what the transmission of a snapshot costs, core-seconds."""
    known = costs_of(valence)["pwcond"]
    area = (values["junction"]["supercell"] / known["supercell"]) ** 2
    return float(known["core_s"] * area**AREA_POWER * transmission_points(values))


def costs_of(valence: float) -> Any:
    """Return the costs of the kind of pseudopotential whose valence is the nearest."""
    known = table()["dft"]
    return known[min(known, key=lambda electrons: abs(electrons - valence))]


def md_core_s_per_atom_step(cores: int) -> float:
    """Return what a step of the dynamics costs for an atom, core-seconds."""
    known = table()["md"]
    return float(known["core_s_per_atom_step"] / (known["efficiency"] if cores > 1 else 1.0))


@dataclass(frozen=True)
class Disk:
    """Room on disks, bytes."""

    scratch: float = 0.0
    repository: float = 0.0

    def __add__(self, other: Disk) -> Disk:
        """Add both."""
        return Disk(self.scratch + other.scratch, self.repository + other.repository)

    def times(self, count: float) -> Disk:
        """Return that of so many."""
        return Disk(self.scratch * count, self.repository * count)


def md_disk(values: Mapping[str, Any], atoms: int) -> Disk:
    """Return what the dynamics of a chain leaves: frames, there and as they are retrieved, and its snapshots."""
    frames = sum(
        values[stage]["steps"] // values[stage]["dump_interval"] + 1 for stage in ("equilibration", "production")
    )
    dump = frames * atoms * table()["disk"]["dump_bytes_per_atom"]
    snapshots = snapshots_in(values) * atoms * 3 * 8
    return Disk(dump, dump + snapshots + 2 * table()["disk"]["job_bytes"])


def scf_disk(section: Mapping[str, Any], valence: float, region: Region, *, wavefunctions: bool) -> Disk:
    """Return what an SCF leaves: the charge density, and wavefunctions where nothing removes them.

    Parameters
    ----------
    section
        ``lead`` or ``scf`` of a protocol.
    valence
        Electrons of an atom.
    region
        Its cell.
    wavefunctions
        Whether they stay.
    """
    system = section["parameters"]["SYSTEM"]
    scratch = table()["disk"]["density_bytes_per_vector"] * region.plane_waves(density_cutoff(system))
    if wavefunctions:
        occupied = region.atoms * valence / 2
        bands = max(math.ceil(occupied * BANDS_FACTOR), math.ceil(occupied) + SPARE_BANDS)
        waves = region.plane_waves(system["ecutwfc"]) * scf_kpoints(section, region)
        scratch += COMPLEX_BYTES * bands * waves
    return Disk(scratch, table()["disk"]["job_bytes"])


def density_cutoff(system: Mapping[str, Any]) -> float:
    """Return the cutoff of the density, Ry."""
    return float(system.get("ecutrho", 4 * system["ecutwfc"]))


def snapshot_disk(values: Mapping[str, Any], valence: float, jobs: int) -> Disk:
    """Return what a snapshot leaves: density, the plots of pp.x, and the texts that are retrieved.

    Parameters
    ----------
    values
        Of a protocol.
    valence
        Electrons of an atom.
    jobs
        Of a snapshot.
    """
    region = junction_of(values)
    density = scf_disk(values["scf"], valence, region, wavefunctions=not values["one_job"])
    grid = math.prod(fft_dimensions(region.cell, density_cutoff(values["scf"]["parameters"]["SYSTEM"])))
    plots = 2 * grid * table()["disk"]["plot_bytes_per_point"]
    known = table()["disk"]
    return Disk(density.scratch + plots, known["snapshot_bytes"] + jobs * known["job_bytes"])
