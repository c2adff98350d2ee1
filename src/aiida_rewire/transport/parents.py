"""The guards: what lead and junction must share before pwcond.x may join them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

CELL_TOLERANCE = 1e-6
"""Å."""

CUTOFF_TOLERANCE = 1e-6
"""eV."""


@dataclass(frozen=True)
class ParentRun:
    """A converged pw.x run of one region.

    Attributes
    ----------
    name
        ``left_lead`` or ``junction``.
    cell, positions
        Å, shapes (3, 3) and (n, 3).
    elements
        Of every atom.
    fft_grid, smooth_fft_grid
        nr1, nr2, nr3 that pw.x used for the density and for the wavefunctions.
    wavefunction_cutoff, density_cutoff
        eV.
    fermi_energy
        eV, None where the run has none.
    pseudo_types
        What the headers of the pseudopotentials say: NC, US, PAW...
    pseudo_digests
        Checksum of the pseudopotential of every element.
    """

    name: str
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    elements: tuple[str, ...]
    fft_grid: tuple[int, int, int]
    smooth_fft_grid: tuple[int, int, int]
    wavefunction_cutoff: float
    density_cutoff: float
    fermi_energy: float | None
    pseudo_types: frozenset[str]
    pseudo_digests: Mapping[str, str] = field(default_factory=dict)

    def boundary_layer(self) -> tuple[NDArray[np.float64], list[str]]:
        """Positions (Å) and elements of the atoms at z = 0, in the order of the input."""
        rows = np.flatnonzero(np.abs(self.positions[:, 2]) < CELL_TOLERANCE)
        return self.positions[rows], [self.elements[row] for row in rows]


def check_parents(lead: ParentRun, junction: ParentRun) -> None:
    """Refuse regions that pwcond.x would join silently to a wrong transmission.

    Parameters
    ----------
    lead, junction
        The two runs.

    Raises
    ------
    InvalidInput
        Names the run, what it has and what it must have.
    """
    for run in (lead, junction):
        if run.pseudo_types - {"NC", "US", "USPP"}:
            raise InvalidInput(
                f"{run.name}.pseudos",
                ", ".join(sorted(run.pseudo_types)),
                "norm-conserving or ultrasoft",
                "pwcond.x runs PAW without a warning, and wrongly; take other pseudopotentials",
            )
        if run.fermi_energy is None:
            raise InvalidInput(f"{run.name}.fermi_energy", "none", "known", "use smearing in the SCF")
        if not run.boundary_layer()[1]:
            raise InvalidInput(f"{run.name}.structure", "no atom at z = 0", "with a layer at z = 0", "shift it")
    for element in sorted(set(lead.pseudo_digests) & set(junction.pseudo_digests)):
        if lead.pseudo_digests[element] != junction.pseudo_digests[element]:
            raise InvalidInput(
                "junction.pseudos",
                f"another pseudopotential of {element}",
                "those of the lead",
                "run both SCF with one family",
            )
    if np.abs(lead.cell[:2] - junction.cell[:2]).max() > CELL_TOLERANCE:
        raise InvalidInput(
            "junction.cell",
            np.round(junction.cell[:2], 6).tolist(),
            f"laterally that of the lead, {np.round(lead.cell[:2], 6).tolist()}",
            "build both from one lattice",
        )
    for kind in ("fft_grid", "smooth_fft_grid"):
        ours, theirs = getattr(junction, kind)[:2], getattr(lead, kind)[:2]
        if ours != theirs:
            raise InvalidInput(
                f"junction.{kind}",
                f"{ours[0]} x {ours[1]}",
                f"laterally that of the lead, {theirs[0]} x {theirs[1]}",
                "set nr1, nr2, nr1s and nr2s in both SCF runs",
            )
    for kind in ("wavefunction_cutoff", "density_cutoff"):
        ours, theirs = getattr(junction, kind), getattr(lead, kind)
        if abs(ours - theirs) > CUTOFF_TOLERANCE:
            raise InvalidInput(f"junction.{kind}", f"{ours} eV", f"that of the lead, {theirs} eV", "use one cutoff")
    (ours, our_elements), (theirs, their_elements) = junction.boundary_layer(), lead.boundary_layer()
    if our_elements != their_elements or np.abs(ours - theirs).max() > CELL_TOLERANCE:
        raise InvalidInput(
            "junction.structure",
            f"a boundary layer of {len(ours)} atoms that is not the lead's {len(theirs)}",
            "the lead's boundary layer, atom by atom",
            "pwcond.x pairs the atoms by their order: list them in the same one",
        )
