"""Two facing pyramids, of (100) or of (111) layers: the tips of the molecular dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.placement import CLOSEST_PAIR

MINIMUM_MOBILE_LAYERS = 2

LARGEST_BASE = 60
"""Atoms a side; a square pyramid on it has 73 810 atoms, sixty times as many as the paper's."""


class Region(StrEnum):
    """Part of the tips an atom was built into; it keeps this label wherever it moves."""

    LOWER_BASE = "Ag_lower_base"
    LOWER = "Ag_lower"
    UPPER = "Ag_upper"
    UPPER_BASE = "Ag_upper_base"


@dataclass(frozen=True)
class TipPair:
    """Two tips along z.

    Attributes
    ----------
    positions
        Å, shape (n, 3); the tips' axis is x = y = 0, the lower base is at z = 0.
    regions
        The region of every atom, n of them.
    lower_apex, upper_apex
        Height of the apexes as built, Å.
    """

    positions: NDArray[np.float64]
    regions: tuple[Region, ...]
    lower_apex: float
    upper_apex: float


@dataclass(frozen=True)
class Orientation:
    """How a tip is made of crystal layers across its axis.

    Attributes
    ----------
    layer
        Lateral places of a layer with so many atoms a side, in nearest-neighbour distances, shape (n, 2), centred
        on the axis. The next smaller layer, centred as well, sits in the hollows of this one.
    spacing
        Distance of layers in lattice constants.
    facing
        Signs of x, y and z that turn the lower tip into the upper one: the reflection in a point, which leaves
        both tips pieces of crystals of the same orientation. (A mirror would make (111) tips twins.)
    """

    layer: Callable[[int], NDArray[np.float64]]
    spacing: float
    facing: tuple[float, float, float]


def _square(side: int) -> NDArray[np.float64]:
    line = np.arange(side) - (side - 1) / 2
    x, y = np.meshgrid(line, line, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel()])


def _triangle(side: int) -> NDArray[np.float64]:
    i, j = np.array([(i, j) for i in range(side) for j in range(side - i)]).T
    # the centre of a triangle of hollows is that of the triangle below: one layer after the other is A, B, C
    return np.column_stack([i + j / 2 - (side - 1) / 2, (j - (side - 1) / 3) * np.sqrt(3) / 2])


ORIENTATIONS: Mapping[str, Orientation] = {
    # a square pyramid turned about its axis is itself: its mirror image is its reflection in a point
    "100": Orientation(_square, 1 / 2, (1.0, 1.0, -1.0)),
    "111": Orientation(_triangle, 1 / np.sqrt(3), (-1.0, -1.0, -1.0)),
}
"""The tips that can be built, by the layers across their axis."""


def build_tips(
    *,
    orientation: str = "100",
    lattice_constant: float = 4.09,
    base_side: int = 15,
    apex_side: int = 1,
    fixed_layers: int = 1,
    gap: float = 8.3,
) -> TipPair:
    """Build two pyramids whose apexes face each other; by default those of Milano et al. 2024, 2 x 1240 atoms.

    Parameters
    ----------
    orientation
        Layers across the axis: ``"100"``, squares, or ``"111"``, triangles stacked A B C.
    lattice_constant
        Cubic lattice constant of the fcc metal, Å.
    base_side, apex_side
        Atoms along an edge of the base layer and of the apex layer; each layer has one atom less a side.
    fixed_layers
        Layers of each base that the dynamics holds fixed.
    gap
        Distance between the apex layers, Å.

    Raises
    ------
    InvalidInput
        If the orientation is unknown, if a size is no whole number or out of bounds, if a length is no positive
        number, if atoms of a crystal with this lattice constant or of the two apexes would lie nearer than
        `CLOSEST_PAIR`, or if a tip is too small for its fixed layers and two mobile ones.
    """
    if not isinstance(orientation, str) or orientation not in ORIENTATIONS:
        known = " or ".join(f'"{name}"' for name in ORIENTATIONS)
        raise InvalidInput("orientation", repr(orientation), known, "write it as a text, in quotes")
    _check_length("lattice_constant", lattice_constant, CLOSEST_PAIR * np.sqrt(2), "silver has 4.09 Å")
    _check_length("gap", gap, CLOSEST_PAIR, "nearer apexes overlap; the demo uses 6.5 Å, the paper 8.3 Å")
    _check_size("apex_side", apex_side, "1 gives a single apex atom")
    _check_size("fixed_layers", fixed_layers, "without a fixed base the tips drift away")
    _check_size("base_side", base_side, "the paper's tips have 15")
    least = apex_side + fixed_layers + MINIMUM_MOBILE_LAYERS - 1
    if base_side < least:
        raise InvalidInput(
            "base_side",
            f"{base_side} atoms",
            f"at least {least} for {fixed_layers} fixed and {MINIMUM_MOBILE_LAYERS} mobile layers under "
            f"an apex of {apex_side}",
            "take a larger base or fewer fixed layers",
        )
    crystal = ORIENTATIONS[orientation]
    neighbour_distance = lattice_constant / np.sqrt(2)
    layers = [crystal.layer(side) * neighbour_distance for side in range(base_side, apex_side - 1, -1)]
    heights = np.arange(len(layers)) * lattice_constant * crystal.spacing
    lower = np.column_stack([np.vstack(layers), np.repeat(heights, [len(layer) for layer in layers])])
    height = float(heights[-1])
    upper = lower * crystal.facing + [0.0, 0.0, 2 * height + gap]
    n_fixed = sum(len(layer) for layer in layers[:fixed_layers])
    n_mobile = len(lower) - n_fixed
    regions = (
        [Region.LOWER_BASE] * n_fixed
        + [Region.LOWER] * n_mobile
        + [Region.UPPER_BASE] * n_fixed
        + [Region.UPPER] * n_mobile
    )
    return TipPair(np.vstack([lower, upper]), tuple(regions), height, height + gap)


def _check_length(name: str, length: float, least: float, way_out: str) -> None:
    if not isinstance(length, (int, float)) or not least <= length < np.inf:
        raise InvalidInput(name, f"{length} Å", f"a number from {least:.2f} Å on", way_out)


def _check_size(name: str, size: int, way_out: str) -> None:
    if type(size) is not int or not 1 <= size <= LARGEST_BASE:
        raise InvalidInput(name, size, f"a whole number from 1 to {LARGEST_BASE}", way_out)
