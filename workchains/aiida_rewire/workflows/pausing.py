"""Lanes that hold before their next snapshot while people have their campaign paused.

To ask a process to pause from outside, as AiiDA can, is not safe: a work chain that is asked in the moment in which
what it waits for ends, waits for ever; a job that is asked while its scheduler is polled finds its poll dead
afterwards. A work chain that pauses itself, within a step, is in neither place.
"""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_rewire.groups.campaign import CampaignGroup

PAUSED = "paused by aiida-rewire campaign"
"""Status of a process that holds; who resumes the campaign plays those of this status."""


class HoldsWhilePaused:
    """A work chain with an input ``labels`` that holds while the campaign or the chain named there is paused."""

    def hold_if_paused(self: Any) -> None:
        """Pause after this step, if people paused the campaign; to be called at the end of a step."""
        labels = self.inputs.labels.get_dict()
        if is_paused(labels.get("campaign", ""), labels.get("chain", "")):
            self.pause(PAUSED)


def is_paused(campaign: str, chain: str) -> bool:
    """Whether people paused a campaign, or one of its chains.

    Parameters
    ----------
    campaign, chain
        Label of the campaign's group, and name of the chain; a group that is not there pauses nothing.
    """
    query = orm.QueryBuilder()
    query.append(CampaignGroup, filters={"label": campaign}, project=["extras.paused", "extras.paused_chains"])
    found = query.first()
    return found is not None and (bool(found[0]) or chain in (found[1] or []))
