"""Two facing (100) pyramids: the tips of the molecular dynamics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

MINIMUM_MOBILE_LAYERS = 2


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


def build_tips(
    *,
    lattice_constant: float = 4.09,
    base_side: int = 6,
    apex_side: int = 1,
    fixed_layers: int = 1,
    gap: float = 6.5,
) -> TipPair:
    """Build two (100) pyramids whose apexes face each other.

    Parameters
    ----------
    lattice_constant
        Cubic lattice constant of the metal, Å.
    base_side, apex_side
        Atoms along an edge of the base layer and of the apex layer; each layer has one atom less a side.
    fixed_layers
        Layers of each base that the dynamics holds fixed.
    gap
        Distance between the apex layers, Å.

    Raises
    ------
    InvalidInput
        If the gap or the lattice constant is no positive length, or if a tip is too small for its fixed layers
        and two mobile ones.
    """
    if not 0 < lattice_constant < np.inf:
        raise InvalidInput("lattice_constant", f"{lattice_constant} Å", "above 0 Å and finite", "silver has 4.09 Å")
    if not 0 < gap < np.inf:
        raise InvalidInput("gap", f"{gap} Å", "above 0 Å", "the demo uses 6.5 Å, the paper 8.3 Å")
    if apex_side < 1:
        raise InvalidInput("apex_side", apex_side, "at least 1 atom", "1 gives a single apex atom")
    if fixed_layers < 1:
        raise InvalidInput("fixed_layers", fixed_layers, "at least 1", "without a fixed base the tips drift away")
    least = apex_side + fixed_layers + MINIMUM_MOBILE_LAYERS - 1
    if base_side < least:
        raise InvalidInput(
            "base_side",
            f"{base_side} atoms",
            f"at least {least} for {fixed_layers} fixed and {MINIMUM_MOBILE_LAYERS} mobile layers under "
            f"an apex of {apex_side}",
            "take a larger base or fewer fixed layers",
        )
    sides = range(base_side, apex_side - 1, -1)
    spacing = lattice_constant / np.sqrt(2)
    layers = []
    for number, side in enumerate(sides):
        line = (np.arange(side) - (side - 1) / 2) * spacing
        x, y = np.meshgrid(line, line, indexing="ij")
        layers.append(np.column_stack([x.ravel(), y.ravel(), np.full(side**2, number * lattice_constant / 2)]))
    lower = np.vstack(layers)
    height = float(lower[:, 2].max())
    upper = lower * [1.0, 1.0, -1.0] + [0.0, 0.0, 2 * height + gap]
    n_fixed = sum(side**2 for side in sides[:fixed_layers])
    n_mobile = len(lower) - n_fixed
    regions = (
        [Region.LOWER_BASE] * n_fixed
        + [Region.LOWER] * n_mobile
        + [Region.UPPER_BASE] * n_fixed
        + [Region.UPPER] * n_mobile
    )
    return TipPair(np.vstack([lower, upper]), tuple(regions), height, height + gap)
