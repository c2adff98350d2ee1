"""How many jobs a chain has at a time, and how many slots of the daemon it holds.

A process that waits holds a slot of a daemon worker. If chains took all slots while they wait for parts that have
none, all would wait for ever: so all that the active chains can hold at a time has to fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida_rewire.campaign.md_steps import length_ps
from aiida_rewire.errors import InvalidInput

CHAIN = 1
MD = 2
"""A base work chain and its job."""

LEAD = 2
SNAPSHOT = 2
"""The work chain of a snapshot and the base work chain below it, where separate jobs take over."""


def snapshots_in(values: Mapping[str, Any]) -> int:
    """Return how many snapshots a chain with these values of the protocol has, the one at 0 ps among them."""
    return int(length_ps(values["production"]) / values["snapshot_interval_ps"] + 1e-6) + 1


def lanes_in(values: Mapping[str, Any]) -> int:
    """Return how many lanes a chain has: none is empty."""
    return min(int(values["lanes"]), snapshots_in(values))


def leads_in(values: Mapping[str, Any]) -> int:
    """Return how many leads a chain needs at most: one of each width that a contact may need."""
    junction = values["junction"]
    return int(junction["largest_supercell"]) - int(junction["supercell"]) + 1


def jobs_of_snapshot(values: Mapping[str, Any]) -> int:
    """Return how many jobs a snapshot has at a time at most, in separate jobs.

    Raises
    ------
    InvalidInput
        If the numbers of shards are no numbers.
    """
    pwcond = values["pwcond"]
    for name in ("max_shards", "shards_per_job"):
        if type(pwcond[name]) is not int or pwcond[name] < 1:
            raise InvalidInput(name, repr(pwcond[name]), "a whole number, at least 1", "one shard is the whole grid")
    jobs: int = math.ceil(pwcond["max_shards"] / pwcond["shards_per_job"])
    return jobs


def dft_jobs_at_once(values: Mapping[str, Any]) -> int:
    """Return how many jobs of leads and snapshots a chain has at a time at most."""
    return max(lanes_in(values) * jobs_of_snapshot(values), leads_in(values))


def jobs_at_once(values: Mapping[str, Any]) -> int:
    """Return how many jobs a chain has at a time at most: dynamics and lead, wider leads, or those of its lanes."""
    return max(dft_jobs_at_once(values), 2)


def slots_of_chain(values: Mapping[str, Any]) -> int:
    """Return how many slots of the daemon a chain holds at most."""
    before = max(MD + LEAD, leads_in(values) * LEAD)
    lanes = lanes_in(values) * (1 + SNAPSHOT + jobs_of_snapshot(values))
    return CHAIN + max(before, lanes)
