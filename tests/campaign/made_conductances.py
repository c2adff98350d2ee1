"""Chains and conductances made by hand, in the profile that is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.database.marks import CHAIN_PROCESS

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def make_chain(campaign: str, chain: str, *, state: str = "finished", exit_status: int | None = 0) -> Any:
    """A chain's attempt that is stored, and sealed if it has ended."""
    node = orm.WorkChainNode(label=f"{campaign}/{chain}", process_type=CHAIN_PROCESS)
    node.store()
    node.set_process_state("running")
    return node if state == "running" else end_process(node, state, exit_status)


def end_process(node: Any, state: str = "finished", exit_status: int | None = 0) -> Any:
    """End a process that was made as a running one."""
    node.set_process_state(state)
    if state == "finished" and exit_status is not None:
        node.set_exit_status(exit_status)
    node.seal()
    return node


def make_conductance(
    campaign: str,
    chain: str,
    snapshot: int,
    transmission: float = 1.0,
    *,
    caller: Any = None,
    lead: Any = None,
    **labels: Any,
) -> ConductanceData:
    """A stored conductance; with a caller it was made by a calculation of this chain from its tips, and a lead."""
    node = ConductanceData.from_transmission(
        energies=np.array([0.0]),
        transmission=np.array([[transmission]]),
        kpoints=np.array([[0.1, 0.2]]),
        weights=np.array([1.0]),
        channels=np.array([[7]]),
        unitarity=np.array([[1.25e-4]]),
        potential_mismatch_ev=-0.0123456789,
        labels={
            "campaign": campaign,
            "chain": chain,
            "seed": 1,
            "voltage_v": 2.0,
            "protocol": "demo",
            "pseudo_family": "rewire/frozen-d",
            "time_ps": 0.1 * snapshot,
            "step": 100 * snapshot,
            "snapshot": snapshot,
            "stage": "contact",
            "min_cut": 3,
            **labels,
        },
    )
    if caller is None:
        return node.store()
    tips = orm.StructureData(cell=np.eye(3).tolist()).store()
    job = orm.CalcFunctionNode(label=f"{campaign}/{chain}/snapshot_{snapshot:04d}")
    job.base.links.add_incoming(tips, link_type=LinkType.INPUT_CALC, link_label="tips")
    if lead is not None:
        job.base.links.add_incoming(lead, link_type=LinkType.INPUT_CALC, link_label="lead")
    if not caller.is_sealed:
        job.base.links.add_incoming(caller, link_type=LinkType.CALL_CALC, link_label=f"snapshot_{snapshot:04d}")
    job.store()
    node.base.links.add_incoming(job, link_type=LinkType.CREATE, link_label="conductance")
    node.store()
    end_process(job)
    return node


def make_conductances(
    campaign: str,
    chain: str,
    transmissions: Sequence[float],
    own: Sequence[Mapping[str, Any]] = (),
    **labels: Any,
) -> list[str]:
    """Conductances of a chain's snapshots, written at once: copies of the first whose attributes are their own.

    Parameters
    ----------
    campaign, chain, transmissions
        Of them.
    own
        Attributes of each, beside those that follow from its place.
    labels
        Of all.

    Returns
    -------
    list of str
        UUIDs. The arrays of all are those of the first.
    """
    from aiida.manage import get_manager
    from aiida.orm.entities import EntityTypes

    each = list(own) or [{}] * len(transmissions)
    labels_of_first = {key: value for key, value in {**labels, **each[0]}.items() if key != "snapshot"}
    first = make_conductance(campaign, chain, each[0].get("snapshot", 0), transmissions[0], **labels_of_first)
    rows = []
    for snapshot, (transmission, more) in enumerate(zip(transmissions, each, strict=True)):
        numbers = {"transmission_fermi": transmission, "conductance_g0": transmission}
        place = {"snapshot": snapshot, "time_ps": 0.1 * snapshot, "step": 100 * snapshot}
        attributes = {**first.base.attributes.all, **labels, **numbers, **place, **more}
        rows.append(
            {
                "uuid": str(uuid4()),
                "node_type": first.node_type,
                "attributes": attributes,
                "repository_metadata": first.base.repository.metadata,
                "user_id": first.user.pk,
            }
        )
    get_manager().get_profile_storage().bulk_insert(EntityTypes.NODE, rows[1:], allow_defaults=True)
    return [first.uuid, *(row["uuid"] for row in rows[1:])]


def after(minutes: float) -> datetime:
    """A time of a made-up history."""
    return BEGIN + timedelta(minutes=minutes)
