"""Runs of the dynamics made by hand, whose times to contact are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

STEPS = 5000
"""Of a production, 1 fs each."""


def make_run(
    potential: Any,
    label: str,
    *,
    seed: int,
    voltage_v: Any = 2.0,
    first: float | None = None,
    lasting: float | None = None,
    gap: float = 6.0,
    state: str = "finished",
    steps: int = STEPS,
    campaign: str | None = None,
    **production: Any,
) -> orm.WorkChainNode:
    """Store a chain with its dynamics; ``first`` is its contact in ps, if it finished.

    A campaign is named in its labels.
    """
    node = orm.WorkChainNode(process_type="aiida.workflows:rewire.chain", label=label)
    inputs = {
        "tips": orm.Dict({"gap": gap, "orientation": "100"}),
        "equilibration": orm.Dict({"steps": 100, "seed": seed}),
        "production": orm.Dict({"steps": steps, "seed": seed, "voltage_v": voltage_v, **production}),
        "md__potential": potential,
        **({} if campaign is None else {"labels": orm.Dict({"campaign": campaign})}),
    }
    for name, data in inputs.items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, name)
    node.set_process_state("waiting" if state == "waiting" else "finished")
    if state != "waiting":
        node.set_exit_status(0 if state == "finished" else 311)
    node.store()
    if state == "finished":
        snapshots = orm.TrajectoryData()
        snapshots.set_trajectory(["Ag"], np.zeros((1, 1, 3)), stepids=np.array([0]), pbc=(False, False, False))
        snapshots.set_array("frame_gap_left", np.array([4.0, 0.0]))
        snapshots.base.attributes.set("first_contact_ps", first)
        snapshots.base.attributes.set("lasting_contact_ps", lasting)
        snapshots.store().base.links.add_incoming(node, LinkType.RETURN, "snapshots")
        results = orm.Dict({"last_step": steps, "steps_per_second": 100.0}).store()
        results.base.links.add_incoming(node, LinkType.RETURN, "results")
    return node
