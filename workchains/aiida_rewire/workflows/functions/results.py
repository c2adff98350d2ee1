"""The trace of a chain as a node."""

from __future__ import annotations

import math

from aiida import orm
from aiida.engine import calcfunction

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import REUSED_FROM
from aiida_rewire.data.trace import TraceData, TraceRow


@calcfunction
def collect_trace(
    snapshots: orm.TrajectoryData, labels: orm.Dict, missing: orm.Dict, **conductances: ConductanceData
) -> TraceData:
    """Put the conductances of a chain in the order of time, those that are missing with the reason.

    Parameters
    ----------
    snapshots
        All snapshots of the chain.
    labels
        What is common to the chain.
    missing
        Reason by snapshot name.
    conductances
        By snapshot name.
    """
    rows: list[TraceRow] = []
    reasons = missing.get_dict()
    stages = snapshots.base.attributes.get("stages")
    for index, stage in enumerate(stages):
        name = snapshot_name(index)
        conductance = conductances.get(name)
        rows.append(
            TraceRow(
                time_ps=float(snapshots.get_array("time_ps")[index]),
                step=int(snapshots.get_array("steps")[index]),
                bonds=int(snapshots.get_array("bonds")[index]),
                gap_left_a=float(snapshots.get_array("gap_left")[index]),
                stage=stage,
                conductance_g0=conductance.conductance_g0 if conductance else math.nan,
                unitarity=conductance.base.attributes.get("unitarity_max") if conductance else math.nan,
                conductance_uuid=conductance.uuid if conductance else "",
                reused_from=conductance.base.attributes.get(REUSED_FROM, "") if conductance else "",
                missing="" if conductance else reasons.get(name, "no reason recorded"),
            )
        )
    return TraceData.from_rows(rows, labels.get_dict())


def snapshot_name(index: int) -> str:
    """Name of a snapshot as a link label."""
    return f"snapshot_{index:04d}"
