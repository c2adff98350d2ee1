"""What whoever has opened a profile may do in its database."""

from __future__ import annotations

from enum import StrEnum

NODES, CAMPAIGNS = "db_dbnode", "db_dbgroup"

MAY = f"SELECT has_table_privilege('{NODES}', 'INSERT'), has_table_privilege('{CAMPAIGNS}', 'INSERT')"


class Standing(StrEnum):
    """What somebody is in a database."""

    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


def standing_of_profile() -> Standing:
    """Return what the user of the loaded profile is, by what the database lets them do.

    Whoever has a database to themselves, SQLite or PostgreSQL, is its owner.
    """
    from aiida.manage import get_manager
    from sqlalchemy import text

    session = get_manager().get_profile_storage().get_session()
    if session.get_bind().dialect.name != "postgresql":
        return Standing.OWNER
    nodes, campaigns = session.execute(text(MAY)).one()
    if nodes:
        return Standing.OWNER
    return Standing.MEMBER if campaigns else Standing.VIEWER


def is_refused(error: BaseException) -> bool:
    """Whether an error tells that the database does not let its user do something."""
    from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

    return isinstance(getattr(error, "orig", error), (InsufficientPrivilege, ReadOnlySqlTransaction))


def refusal_text(error: BaseException) -> str:
    """Say in a line that the database refused something, and what to do."""
    reason = " ".join(str(getattr(error, "orig", error)).split())
    shown = reason if len(reason) <= 120 else f"{reason[:117]}..."
    return (
        f"the database does not let you do that ({shown}): a viewer reads, a member records campaigns; "
        "ask the owner of the group's database"
    )
