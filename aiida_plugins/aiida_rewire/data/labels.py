"""What a conductance is found by: the labels that it takes over from its snapshot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aiida import orm

from aiida_rewire.transport.readback import potential_mismatch

FINGERPRINT = "fingerprint"
REUSED_FROM = "reused_from"
"""Attributes: the key of equal contacts; the conductance that one was taken over from."""

LABELS = "labels"
"""Key of an assembly: what the conductance of its junction takes over from the snapshot."""

SNAPSHOT = "snapshot"
"""Attribute: which of the chain's snapshots."""

COUNTS = ("atoms_in_gap", "filament_atoms", "floating_atoms", "clusters")
"""Descriptors of a contact that are whole numbers, as attributes of its conductance."""


DESCRIPTORS = {
    "step": "steps",
    "time_ps": "time_ps",
    "voltage_v": "voltage_v",
    "min_cut": "bonds",
    "gap_left_a": "gap_left",
    "bottleneck_coordination": "bottleneck_coordination",
}
"""Attributes of a conductance, and the array of the snapshots that each comes from."""


def labels_of_snapshot(
    snapshots: orm.TrajectoryData | None = None,
    index: orm.Int | None = None,
    assembly: Mapping[str, Any] | orm.Dict | None = None,
) -> dict[str, Any]:
    """Return time, voltage, stage and contact of a snapshot; nothing for a junction that was made of none.

    Parameters
    ----------
    snapshots, index
        The snapshot that the junction was made of.
    assembly
        What was done to its atoms.
    """
    if snapshots is None or index is None or assembly is None:
        return {}
    return {
        SNAPSHOT: index.value,
        **descriptors_of(snapshots.uuid)[index.value],
        "atoms_left_out": assembly["atoms_left_out"],
        FINGERPRINT: assembly[FINGERPRINT],
    }


@lru_cache(maxsize=16)
def descriptors_of(uuid: str) -> list[dict[str, Any]]:
    """Return the descriptors of all snapshots of a stored node, which many conductances ask for one after another."""
    snapshots = orm.load_node(uuid)
    names = {**DESCRIPTORS, **{name: name for name in COUNTS}}
    arrays = {label: snapshots.get_array(name).tolist() for label, name in names.items()}
    arrays["stage"] = snapshots.base.attributes.get("stages")
    rows = [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)]
    for row in rows:
        if math.isnan(row["bottleneck_coordination"]):
            row["bottleneck_coordination"] = None
    return rows


def mismatch_at_ends(left_lead: orm.Dict, junction: orm.Dict, right_lead: orm.Dict | None = None) -> float:
    """Return the larger difference of V - E_F (eV) between junction and leads, from the results of read-backs."""
    right = left_lead if right_lead is None else right_lead
    ends = (left_lead["layer_potential_ev"][0], right["layer_potential_ev"][1])
    return potential_mismatch(ends, tuple(junction["layer_potential_ev"]))
