"""What earlier attempts at a chain finished, for the next one to take over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida import orm

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import SNAPSHOT
from aiida_rewire.workflows.functions.results import snapshot_name


def earlier_results(attempts: Sequence[orm.WorkChainNode]) -> dict[str, Any] | None:
    """Return dynamics and conductances of the earliest attempt that came to its snapshots; None if none did.

    Parameters
    ----------
    attempts
        The oldest first. Later ones have taken over the snapshots of that one, and added conductances.
    """
    for attempt in attempts:
        dynamics = _dynamics_of(attempt)
        if dynamics is not None:
            return {**dynamics, "conductances": conductances_from(dynamics["snapshots"], attempts)}
    return None


def _dynamics_of(attempt: orm.WorkChainNode) -> dict[str, orm.Data] | None:
    """Return what the dynamics of an attempt gave, which holds even if the attempt itself failed later."""
    if "snapshots" not in attempt.outputs:
        return None
    snapshots = attempt.outputs.snapshots
    extraction = snapshots.creator
    found = {
        "tips": attempt.outputs.tips,
        "geometry": extraction.inputs.geometry,
        "results": attempt.outputs.results,
        "snapshots": snapshots,
    }
    return found | ({"bias": attempt.outputs.bias} if "bias" in attempt.outputs else {})


def conductances_from(
    snapshots: orm.TrajectoryData, attempts: Sequence[orm.WorkChainNode]
) -> dict[str, ConductanceData]:
    """Return the conductances that attempts made of these snapshots, the first of each, by snapshot name.

    Also of attempts whose own processes were lost on the way: what counts is that a conductance was stored.
    """
    labels = attempts[0].inputs.labels
    mine = {f"attributes.{name}": labels.get_dict()[name] for name in ("campaign", "chain")}
    query = orm.QueryBuilder()
    query.append(orm.TrajectoryData, filters={"id": snapshots.pk}, tag="snapshots")
    query.append(orm.CalculationNode, with_incoming="snapshots", tag="made")
    query.append(ConductanceData, with_incoming="made", filters=mine, tag="conductance")
    query.add_projection("conductance", "*")
    query.order_by({"conductance": {"id": "asc"}})
    found: dict[str, ConductanceData] = {}
    for (conductance,) in query.iterall():
        found.setdefault(snapshot_name(conductance.base.attributes.get(SNAPSHOT)), conductance)
    return found
