"""What a conductance is found by: the labels that it takes over from its snapshot."""

from __future__ import annotations

import math
from typing import Any

from aiida import orm

from aiida_rewire.transport.readback import potential_mismatch

FINGERPRINT = "fingerprint"
REUSED_FROM = "reused_from"
"""Attributes: the key of equal contacts; the conductance that one was taken over from."""

SNAPSHOT = "snapshot"
"""Attribute: which of the chain's snapshots."""

COUNTS = ("atoms_in_gap", "filament_atoms", "floating_atoms", "clusters")
"""Descriptors of a contact that are whole numbers, as attributes of its conductance."""


def labels_of_snapshot(
    snapshots: orm.TrajectoryData | None, index: orm.Int | None, assembly: orm.Dict | None
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
    at = index.value
    coordination = float(snapshots.get_array("bottleneck_coordination")[at])
    return {
        SNAPSHOT: at,
        "step": int(snapshots.get_array("steps")[at]),
        "time_ps": float(snapshots.get_array("time_ps")[at]),
        "voltage_v": float(snapshots.get_array("voltage_v")[at]),
        "stage": snapshots.base.attributes.get("stages")[at],
        "min_cut": int(snapshots.get_array("bonds")[at]),
        "gap_left_a": float(snapshots.get_array("gap_left")[at]),
        "bottleneck_coordination": None if math.isnan(coordination) else coordination,
        **{name: int(snapshots.get_array(name)[at]) for name in COUNTS},
        "atoms_left_out": assembly["atoms_left_out"],
        FINGERPRINT: assembly[FINGERPRINT],
    }


def mismatch_at_ends(left_lead: orm.Dict, junction: orm.Dict, right_lead: orm.Dict | None = None) -> float:
    """Return the larger difference of V - E_F (eV) between junction and leads, from the results of read-backs."""
    right = left_lead if right_lead is None else right_lead
    ends = (left_lead["layer_potential_ev"][0], right["layer_potential_ev"][1])
    return potential_mismatch(ends, tuple(junction["layer_potential_ev"]))
