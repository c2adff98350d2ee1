"""What members of a group ask of the account that runs their campaigns.

A member's profile reaches the database alone. What is to run is written into the record of the campaign, and the
owner's service, which has the daemon, the broker and the files, sees to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.extras import Extras, change_extras
from aiida_rewire.campaign.ownership import me

if TYPE_CHECKING:
    from aiida import orm

WANTED = "wanted"
"""Extra of the group of a campaign that is to be run by the service: who asked, and when."""


def want(group: orm.Group) -> None:
    """Ask the service to run a campaign until it is over; twice is the same as once.

    Parameters
    ----------
    group
        Of the campaign.
    """
    wish = {"by": me(), "at": datetime.now(UTC).isoformat()}
    change_extras(group, lambda extras: {**extras, WANTED: wish})


def settle(group: orm.Group, wish: Mapping[str, Any]) -> None:
    """Take a wish away that was fulfilled; one that came later stays."""

    def settled(extras: Extras) -> Extras:
        if extras.get(WANTED) != dict(wish):
            return extras
        return {name: value for name, value in extras.items() if name != WANTED}

    change_extras(group, settled)


def wishes() -> dict[str, dict[str, Any]]:
    """Return the wishes of all campaigns that were recorded here, by label, the oldest first."""
    from aiida import orm
    from aiida.plugins import GroupFactory

    from aiida_rewire.campaign.extras import IMPORTED
    from aiida_rewire.database.marks import CAMPAIGN_GROUP

    query = orm.QueryBuilder().append(
        GroupFactory(CAMPAIGN_GROUP),
        filters={"and": [{"extras": {"has_key": WANTED}}, {"extras": {"!has_key": IMPORTED}}]},
        project=["label", f"extras.{WANTED}"],
    )
    found = [(label, wish) for label, wish in query.all() if isinstance(wish, dict)]
    return dict(sorted(found, key=lambda pair: str(pair[1].get("at"))))
