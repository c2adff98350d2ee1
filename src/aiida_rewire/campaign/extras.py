"""Extras of a campaign's group, changed by several people and a controller at the same time.

AiiDA writes the extras of an entity as a whole: of two changes at the same moment one would be lost. Here a change
locks the row first, reads, and writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

Extras = dict[str, Any]


IMPORTED = "imported"
"""Extra of the group of a campaign that ran elsewhere: from which archive it came, when, and by whom."""

LOCKED_S = 60.0
"""For so long others may write into an SQLite database before a change is given up, s."""


def refuse_imported(group: orm.Group) -> None:
    """Refuse a campaign that came in an archive: its chains may still run where it comes from.

    Raises
    ------
    InvalidInput
        If it did.
    """
    if IMPORTED in read_extras(group):
        raise InvalidInput(
            "label",
            group.label,
            "that of a campaign recorded here",
            "it came in an archive, to be looked at; submit its file under another label to run it here",
        )


def read_extras(group: orm.Group) -> Extras:
    """Return the extras of a group as they are now, whatever the session saw before.

    Raises
    ------
    aiida.common.exceptions.NotExistent
        If the group was deleted.
    """
    from aiida.manage import get_manager

    session = get_manager().get_profile_storage().get_session()
    session.rollback()
    try:
        return _extras_there(session, group)
    finally:
        session.rollback()


def change_extras(group: orm.Group, change: Callable[[Extras], Extras], **columns: Any) -> Extras:
    """Change the extras of a group, and return them as they are then.

    Parameters
    ----------
    group
        A stored group.
    change
        Returns the extras to be from those that are there; it may raise to leave all as it is, and may be asked
        again where somebody else wrote first.
    **columns
        Further columns to be set, such as ``description``.

    Raises
    ------
    aiida.common.exceptions.NotExistent
        If the group was deleted.
    """
    from sqlalchemy.exc import OperationalError

    deadline = time.monotonic() + LOCKED_S
    while True:
        try:
            return _change(group, change, columns)
        except OperationalError as error:
            if "database is locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _change(group: orm.Group, change: Callable[[Extras], Extras], columns: dict[str, Any]) -> Extras:
    from aiida.manage import get_manager
    from sqlalchemy import update

    session = get_manager().get_profile_storage().get_session()
    table = _table(group)
    mine = table.c.id == group.pk
    # on SQLite a transaction that has read cannot write after others did
    session.rollback()
    try:
        # an update that changes nothing takes the lock of the row, or of the database
        session.execute(update(table).where(mine).values(label=table.c.label))
        before = _extras_there(session, group)
        after = change(dict(before))
        if after != before or columns:
            session.execute(update(table).where(mine).values(extras=after, **columns))
        session.commit()
    finally:
        # what was not committed is undone; nothing happens otherwise
        session.rollback()
    return after


def _table(group: orm.Group) -> Any:
    return type(group.backend_entity.bare_model).__table__


def _extras_there(session: Any, group: orm.Group) -> Extras:
    from aiida.common.exceptions import NotExistent
    from sqlalchemy import select

    table = _table(group)
    extras = session.execute(select(table.c.extras).where(table.c.id == group.pk)).scalar_one_or_none()
    if extras is None:
        raise NotExistent(f"group <{group.pk}> was deleted")
    return dict(extras)
