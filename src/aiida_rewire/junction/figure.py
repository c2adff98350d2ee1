"""A picture of the stages of a filament's growth: the atoms of snapshots, seen from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.visualize.plot import plot_atoms
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.contact import Stage
from aiida_rewire.junction.tips import Region

COLOURS = {
    Region.LOWER_BASE: "#7a5195",
    Region.LOWER: "#b9a3cc",
    Region.UPPER: "#f2c879",
    Region.UPPER_BASE: "#d98f1d",
}
"""Of the tip an atom was built into, the fixed base darker; told apart by the colour-blind."""

SILVER_RADIUS = 1.44
"""Å, half the distance of neighbours."""

WIDTH_INCH = 1.75
HEIGHT_INCH = 3.3


@dataclass(frozen=True)
class StageView:
    """A snapshot that stands for a stage.

    Attributes
    ----------
    stage, time_ps, bonds
        What is written above it.
    positions
        Å, shape (n, 3).
    """

    stage: Stage
    time_ps: float
    bonds: int
    positions: NDArray[np.float64]


def first_of_each_stage(stages: Sequence[str]) -> dict[Stage, int]:
    """Return the index of the first snapshot of each stage that occurs, in the order of the growth."""
    return {stage: stages.index(stage) for stage in Stage if stage in stages}


def draw_stages(views: Sequence[StageView], regions: Sequence[Region], *, title: str) -> Figure:
    """Draw snapshots beside each other, the lower tip below.

    Parameters
    ----------
    views
        At least one.
    regions
        The region that each atom was built into, n of them.
    title
        Above all.

    Raises
    ------
    InvalidInput
        If there is no view.
    """
    if not views:
        raise InvalidInput("views", "none", "at least one snapshot", "take a run that has snapshots")
    figure = Figure(figsize=(WIDTH_INCH * len(views), HEIGHT_INCH), layout="constrained")
    colours = [COLOURS[region] for region in regions]
    for axes, view in zip(np.atleast_1d(figure.subplots(1, len(views))), views, strict=True):
        atoms = Atoms("Ag" * len(view.positions), positions=view.positions)
        # x to the right, z upwards
        plot_atoms(atoms, axes, radii=SILVER_RADIUS, colors=colours, rotation="-90x")
        bonds = "1 bond" if view.bonds == 1 else f"{view.bonds} bonds"
        axes.set_title(f"{view.stage}\n{view.time_ps:.2f} ps, {bonds}", fontsize=9)
        axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure
