"""The group of a campaign."""

from __future__ import annotations

from aiida import orm


class CampaignGroup(orm.Group):
    """A campaign: its file in the extras, its chains and what they gave as members.

    The label is unique among campaigns, by a constraint of the database.
    """
