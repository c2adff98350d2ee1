"""Chains and conductances as members of their campaign's group: for people to find, never to decide by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_rewire.campaign.attempts import attempts_of

if TYPE_CHECKING:
    from aiida import orm

BATCH = 200
"""So many nodes are held in memory at a time."""


def add_members(group: orm.Group, *, process_type: str) -> int:
    """Add the chains and conductances that the group lacks, and return how many; again does nothing.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of its chains.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    chains = [
        attempt.pk
        for attempts in attempts_of(group.label, process_type=process_type).values()
        for attempt in attempts
    ]
    conductances = orm.QueryBuilder().append(
        DataFactory("rewire.conductance"), filters={"attributes.campaign": group.label}, project="id"
    )
    members = orm.QueryBuilder().append(type(group), filters={"id": group.pk}, tag="group")
    members.append(orm.Node, with_group="group", project="id")
    missing = sorted({*chains, *conductances.all(flat=True)} - set(members.all(flat=True)))
    for start in range(0, len(missing), BATCH):
        nodes = orm.QueryBuilder().append(orm.Node, filters={"id": {"in": missing[start : start + BATCH]}})
        group.add_nodes(nodes.all(flat=True))
    return len(missing)
