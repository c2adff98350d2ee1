"""The guards: what lead and junction must share before pwcond.x may join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.boundaries import (
    CELL_TOLERANCE,
    Region,
    check_axes,
    check_crossing,
    check_joint,
    check_lateral_cell,
    check_layer,
    check_layer_above,
    check_layer_below,
    check_spheres,
)
from aiida_rewire.transport.pw_xml import PwRun

CUTOFF_TOLERANCE = 1e-6
"""eV."""

USABLE_TYPES = frozenset({"NC", "US", "USPP"})


@dataclass(frozen=True, kw_only=True)
class ParentRun(PwRun):
    """A run of pw.x of one region, and what its pseudopotentials are.

    Attributes
    ----------
    name
        The input: ``left_lead``, ``junction``, ``right_lead``.
    pseudo_types
        Of every element, what the header of its pseudopotential says: NC, US, PAW...
    pseudo_digests
        Of every element, the checksum of its pseudopotential.
    sphere_radii
        Of every element, Å: the largest nonlocal sphere.
    """

    name: str
    pseudo_types: Mapping[str, str]
    pseudo_digests: Mapping[str, str]
    sphere_radii: Mapping[str, float]

    @classmethod
    def from_xml(
        cls,
        name: str,
        run: PwRun,
        *,
        pseudo_types: Mapping[str, str],
        pseudo_digests: Mapping[str, str],
        sphere_radii: Mapping[str, float],
    ) -> Self:
        """Add to a run what its XML file does not hold.

        Raises
        ------
        InvalidInput
            If a mapping misses an element of the run.
        """
        for kind in (pseudo_types, pseudo_digests, sphere_radii):
            missing = sorted(set(run.elements) - set(kind))
            if missing:
                raise InvalidInput(
                    f"{name}.pseudos",
                    f"none known of {', '.join(missing)}",
                    "one for every element",
                    "give the files with which the SCF ran",
                )
        return cls(
            **vars(run),
            name=name,
            pseudo_types=pseudo_types,
            pseudo_digests=pseudo_digests,
            sphere_radii=sphere_radii,
        )

    def region(self, lower: float = 0.0, upper: float | None = None, part: str = "") -> Region:
        """Atoms between two heights (Å), by default of the whole cell."""
        return Region(
            name=f"{self.name}{part}",
            cell=self.cell,
            positions=self.positions,
            elements=self.elements,
            radii=np.array([self.sphere_radii[element] for element in self.elements]),
            alat=self.alat,
            lower=lower,
            upper=float(self.cell[2, 2]) if upper is None else upper,
        )


def check_region(run: ParentRun) -> None:
    """Refuse a region with which pwcond.x stops, or goes wrong without a word.

    Parameters
    ----------
    run
        The run of a lead or a junction, from z = 0 to the end of its cell.

    Raises
    ------
    InvalidInput
        Names what the run has and what it must have.
    """
    _check_settings(run)
    check_axes(run.region())
    check_layer(run.region(), 0.0)
    check_spheres(run.region())


def check_parents(
    left_lead: ParentRun,
    junction: ParentRun,
    right_lead: ParentRun | None = None,
    *,
    boundaries: Mapping[str, float] | None = None,
) -> None:
    """Refuse regions that pwcond.x would join to a wrong transmission, mostly without a word.

    Parameters
    ----------
    left_lead, junction
        The two runs.
    right_lead
        That of another right lead (``ikind = 2``).
    boundaries
        ``bdl``, ``bds``, ``bdr`` where they are not the ends of the cells, in units of alat. pwcond.x takes a
        region that is cut short for what it is not, without a word.

    Raises
    ------
    InvalidInput
        Names the run, what it has and what it must have.
    """
    leads = [left_lead] if right_lead is None else [left_lead, right_lead]
    for run in (*leads, junction):
        check_region(run)
    for lead in leads:
        _check_same_pseudos(lead, junction)
        check_lateral_cell(lead.region(), junction.region())
        _check_same_basis(lead, junction)
    cut = boundaries or {}
    left = _cut(left_lead, cut.get("bdl"))
    right = None if right_lead is None else _cut(right_lead, cut.get("bdr"))
    for region in (left,) if right is None else (left, right):
        check_crossing(region, region.lower, region, region.upper)
    check_joint(left, _cut(junction, cut.get("bds")), right)


def _cut(run: ParentRun, boundary: float | None) -> Region:
    length = float(run.cell[2, 2])
    if boundary is None:
        return run.region()
    upper = run.alat * boundary
    if not 0 < upper <= length + CELL_TOLERANCE:
        raise InvalidInput(
            "boundaries",
            f"{boundary} alat for {run.name}",
            f"above 0 and at most the length of its cell, {length / run.alat:.9f} alat",
            "leave it out to take the end of the cell",
        )
    region = run.region(upper=min(upper, length))
    check_spheres(region)
    return region


def check_whole(run: ParentRun, boundaries: Sequence[float]) -> None:
    """Refuse a single calculation (``prefixt``) that its boundaries do not cut into leads and junction.

    Parameters
    ----------
    run
        The run, from z = 0: left lead, junction, and a right lead if it is another.
    boundaries
        bdl, bds and, with another right lead, bdr, in units of alat.

    Raises
    ------
    InvalidInput
        Names what the run has and what it must have.
    """
    _check_settings(run)
    check_axes(run.region())
    length = float(run.cell[2, 2])
    planes = [0.0, *(run.alat * float(boundary) for boundary in boundaries)]
    ascending = all(low + CELL_TOLERANCE < high for low, high in pairwise(planes))
    if len(planes) not in (3, 4) or not ascending or not planes[-1] <= length + CELL_TOLERANCE:
        raise InvalidInput(
            f"{run.name}.boundaries",
            f"{[float(boundary) for boundary in boundaries]} alat",
            f"bdl < bds (< bdr), above 0 and at most the length of the cell, {length / run.alat:.6f} alat",
            "give where the leads end, in units of alat",
        )
    parts = ("left lead", "junction", "right lead")
    ends = pairwise(planes)
    regions = [run.region(low, high, f" ({part})") for (low, high), part in zip(ends, parts, strict=False)]
    left, junction, right = regions[0], regions[1], regions[-1]
    for plane in planes:
        # the end of the cell is the layer at z = 0 again
        check_layer(left, 0.0 if abs(plane - length) <= CELL_TOLERANCE else plane)
    for region in regions:
        check_spheres(region)
    check_crossing(left, left.lower, left, left.upper)
    check_layer_above(left, junction)
    if right is junction:
        check_crossing(left, left.lower, junction, junction.upper)
        check_layer_below(left, junction)
    else:
        check_crossing(right, right.upper, right, right.lower)
        check_layer_below(right, junction)


def _check_settings(run: ParentRun) -> None:
    if not run.converged:
        raise InvalidInput(f"{run.name}.converged", "false", "true", "converge the SCF")
    for element, kind in sorted(run.pseudo_types.items()):
        if kind == "PAW":
            raise InvalidInput(
                f"{run.name}.pseudos",
                f"PAW for {element}",
                "norm-conserving or ultrasoft",
                "pwcond.x runs PAW without a warning, and wrongly; take other pseudopotentials",
            )
        if kind not in USABLE_TYPES:
            raise InvalidInput(
                f"{run.name}.pseudos",
                f"a pseudopotential of type {kind} for {element}",
                "known to be norm-conserving or ultrasoft",
                "take one whose header says its type",
            )
    for flag, meaning in (("spinorbit", "spin-orbit coupling"), ("noncolin", "noncollinear spins")):
        if getattr(run, flag):
            raise InvalidInput(f"{run.name}.{flag}", "true", "false", f"{meaning} is not supported here")
    if run.smearing is None:
        raise InvalidInput(f"{run.name}.smearing", "none", "set", "use occupations = 'smearing' in the SCF")
    if run.two_fermi_energies is not None:
        raise InvalidInput(
            f"{run.name}.fermi_energy",
            "{:.4f} and {:.4f} eV".format(*run.two_fermi_energies),
            "one for both spins",
            "do not constrain the magnetisation (tot_magnetization)",
        )
    if run.fermi_energy is None:
        raise InvalidInput(f"{run.name}.fermi_energy", "none", "known", "use smearing in the SCF")


def _check_same_pseudos(lead: ParentRun, junction: ParentRun) -> None:
    for element in sorted(set(lead.pseudo_digests) & set(junction.pseudo_digests)):
        if lead.pseudo_digests[element] != junction.pseudo_digests[element]:
            raise InvalidInput(
                f"{junction.name}.pseudos",
                f"another pseudopotential of {element}",
                f"those of {lead.name}",
                "run both SCF with one family",
            )
    if lead.functional != junction.functional:
        raise InvalidInput(
            f"{junction.name}.functional",
            junction.functional,
            f"that of {lead.name}, {lead.functional}",
            "run both SCF with one functional",
        )
    if lead.lsda != junction.lsda:
        raise InvalidInput(
            f"{junction.name}.lsda",
            str(junction.lsda).lower(),
            f"that of {lead.name}, {str(lead.lsda).lower()}",
            "set one nspin in both SCF runs",
        )


def _check_same_basis(lead: ParentRun, junction: ParentRun) -> None:
    for kind in ("fft_grid", "smooth_fft_grid"):
        grid, wanted = getattr(junction, kind)[:2], getattr(lead, kind)[:2]
        if grid != wanted:
            raise InvalidInput(
                f"{junction.name}.{kind}",
                f"{grid[0]} x {grid[1]}",
                f"laterally that of {lead.name}, {wanted[0]} x {wanted[1]}",
                "set nr1, nr2, nr1s and nr2s in both SCF runs",
            )
    for kind in ("wavefunction_cutoff", "density_cutoff"):
        cutoff, wanted = getattr(junction, kind), getattr(lead, kind)
        if abs(cutoff - wanted) > CUTOFF_TOLERANCE:
            raise InvalidInput(
                f"{junction.name}.{kind}", f"{cutoff} eV", f"that of {lead.name}, {wanted} eV", "use one cutoff"
            )
