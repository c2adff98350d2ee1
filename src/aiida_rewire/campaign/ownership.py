"""Whose campaign it is: who recorded it. Nobody else changes it by accident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

RECORDED_BY = "submitted_by"
"""Extra of the group of a campaign: e-mail of who recorded it."""


def me() -> str:
    """Return the e-mail of the user of the loaded profile; empty if there is none."""
    from aiida.manage import get_manager

    user = get_manager().get_profile_storage().default_user
    return user.email if user is not None else ""


def owner_of(extras: Mapping[str, Any]) -> str:
    """Return the e-mail of who recorded a campaign; empty if nobody knows."""
    return str(extras.get(RECORDED_BY) or "")


def goes_by(email: str, name: str) -> bool:
    """Whether somebody is meant by a name: their e-mail, or what is before its @."""
    return bool(name) and name.casefold() in (email.casefold(), email.casefold().partition("@")[0])


def refuse_others(group: orm.Group, force: str | None) -> None:
    """Refuse to change a campaign that somebody else recorded.

    Parameters
    ----------
    group
        Of the campaign.
    force
        Whom the user named as its owner, to change it all the same.

    Raises
    ------
    InvalidInput
        If it is another's, and they were not named.
    """
    owner, mine = owner_of(read_extras(group)), me()
    if not owner or owner == mine:
        return
    if force is None:
        raise InvalidInput("label", group.label, f"a campaign of yours; {owner} recorded it", f"--force {owner}")
    if not goes_by(owner, force):
        raise InvalidInput("force", repr(force[:80]), f"who recorded {group.label}", f"that is {owner}")
