"""Metal of known shape: uniform bars along z, and two tips pushed into each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.bias.bonds import CUBIC_BASES
from aiida_rewire.junction.tips import Region, build_tips


@dataclass(frozen=True)
class Contact:
    """Atoms and who of them is held; a periodic length is 0 along a free direction, all lengths in Å."""

    positions: NDArray[np.float64]
    anode: NDArray[np.bool_]
    cathode: NDArray[np.bool_]
    box_lengths: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def z(self) -> NDArray[np.float64]:
        return self.positions[:, 2]

    @property
    def between(self) -> NDArray[np.bool_]:
        return ~(self.anode | self.cathode)


def bar(lattice: str, lattice_constant: float, *, side: int, length: int, electrode_layers: int) -> Contact:
    """A bar of (100) layers, periodic across, `length` cells long and closed by one more layer; anode at z = 0."""
    corners = np.stack(np.meshgrid(*(np.arange(n) for n in (side, side, length + 1)), indexing="ij"), axis=-1)
    sites = (corners.reshape(-1, 1, 3) + np.array(CUBIC_BASES[lattice])).reshape(-1, 3)
    sites = sites[sites[:, 2] <= length]
    layer = np.rint(2 * sites[:, 2])
    across = side * lattice_constant
    return Contact(
        sites * lattice_constant,
        layer < electrode_layers,
        layer > 2 * length - electrode_layers,
        (across, across, 0.0),
    )


def pushed_tips(*, base_side: int = 8, apex_side: int = 3, gap: float = 1.9, rattle: float = 0.25) -> Contact:
    """Two blunt tips, the upper one shifted so that layers interlock, every atom displaced at random (Å).

    At a gap of 2.045 Å, with no displacements, the contact is a crystal's.
    """
    tips = build_tips(base_side=base_side, apex_side=apex_side, gap=10.0)
    generator = np.random.default_rng(3)
    anode = np.array([region == Region.LOWER_BASE for region in tips.regions])
    cathode = np.array([region == Region.UPPER_BASE for region in tips.regions])
    upper = cathode | np.array([region == Region.UPPER for region in tips.regions])
    positions = tips.positions.copy()
    positions[upper] += np.array([1.446, 1.446, gap - 10.0])
    positions += generator.normal(0, rattle, positions.shape)
    return Contact(positions, anode, cathode)
