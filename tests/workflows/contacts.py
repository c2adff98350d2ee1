"""Contacts of two silver atoms, as snapshots of a chain."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from aiida import orm

LAYERS = {"lower_layers": 3, "upper_layers": 2}
LATTICES = (4.16 + 0.001 * number for number in count())
"""Contacts of one test are not those of another: each has a lattice constant of its own, Å."""

GAP = 7.6
"""Length of the flat gap, Å."""

DIMER = np.array([[0.0, 0.0, 2.4], [0.3, 0.0, 5.2]])


def moved(distance: float, atom: int = 1) -> np.ndarray:
    """The dimer with one atom moved along the current by so much, Å; sideways the contact is centred."""
    contact = DIMER.copy()
    contact[atom, 2] += distance
    return contact


def snapshots_of(*contacts: np.ndarray, supercells: Sequence[int] | None = None) -> orm.TrajectoryData:
    """Snapshots of these atoms, with the descriptors that become labels; the first is at 0 ps."""
    node = orm.TrajectoryData()
    steps = np.arange(len(contacts)) * 500
    node.set_trajectory(["Ag"] * len(contacts[0]), np.array(contacts), stepids=steps, pbc=(False, False, False))
    number = np.arange(len(contacts))
    arrays = {
        "time_ps": steps / 1000,
        "voltage_v": 2.0 + number,
        "gap_left": number * 0.0,
        "bonds": 1 + number,
        "bottleneck_coordination": np.where(number == 0, np.nan, 2.5),
        "atoms_in_gap": 2 + number,
        "filament_atoms": 2 + number,
        "floating_atoms": number,
        "clusters": 1 + number,
        "supercell": np.array(supercells or [2] * len(contacts)),
    }
    for name, array in arrays.items():
        node.set_array(name, array)
    node.base.attributes.set("stages", ["contact", *["growth"] * (len(contacts) - 1)])
    return node


def store(inputs: Mapping[str, Any]) -> None:
    """Store the nodes of a namespace."""
    for value in inputs.values():
        if isinstance(value, orm.Data):
            value.store()
        elif isinstance(value, Mapping):
            store(value)
