"""Indices on conductances in PostgreSQL, made and dropped while the database is used.

AiiDA's own indices are those of columns; what campaigns ask for are attributes. SQLite is not given any: AiiDA's
migrations copy tables there, and a database of one person is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_rewire.database.attributes import CONDUCTANCE, Words
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "rewire_"
TABLE = "db_dbnode"
LOCK_TIMEOUT_S = 300
"""So long an index waits for transactions that began before it, s."""


@dataclass(frozen=True)
class Index:
    """An index that may be made.

    Attributes
    ----------
    name
        In the database.
    definition
        What comes behind the name of the table in ``CREATE INDEX``.
    helps
        Which questions.
    """

    name: str
    definition: str
    helps: str


def _indices() -> tuple[Index, ...]:
    words = Words("postgresql")
    conductance = f"node_type = '{CONDUCTANCE}'"
    numbers = " AND ".join(words.is_number(name) for name in ("voltage_v", "transmission_fermi"))
    return (
        Index(
            f"{PREFIX}conductance_chain",
            f"({words.key('campaign')}, {words.key('chain')}) WHERE {conductance}",
            "the trace of a chain, and all that asks for one campaign",
        ),
        Index(
            f"{PREFIX}conductance_transmission",
            f"({words.value('voltage_v')}, {words.value('transmission_fermi')}) WHERE {conductance} AND {numbers}",
            "transmissions between two values at a voltage",
        ),
    )


INDICES = _indices()


@dataclass(frozen=True)
class Standing:
    """An index in the database, or one that is not there.

    Attributes
    ----------
    index
        Which.
    size
        Bytes; None if it is not there.
    valid
        Whether it is used; one whose making was interrupted is not.
    """

    index: Index
    size: int | None
    valid: bool


def standing(connection: Connection) -> list[Standing]:
    """Return which indices there are."""
    from sqlalchemy import text

    found = connection.execute(
        text(
            "SELECT relation.relname, pg_relation_size(relation.oid), state.indisvalid FROM pg_index AS state"
            " JOIN pg_class AS relation ON relation.oid = state.indexrelid"
            " WHERE state.indrelid = CAST(:table AS regclass)"
        ),
        {"table": TABLE},
    )
    there = {name: (size, valid) for name, size, valid in found}
    return [Standing(index, *there.get(index.name, (None, False))) for index in INDICES]


def make_indices(connection: Connection, tell: Callable[[str], None]) -> list[str]:
    """Make the indices that are not there, and return their names; others read and write meanwhile.

    Parameters
    ----------
    connection
        In which each statement is a transaction of its own.
    tell
        Told of each index before it is made.

    Raises
    ------
    InvalidInput
        If the role does not own the table.
    sqlalchemy.exc.DBAPIError
        If a transaction that began before does not end in time.
    """
    from sqlalchemy import text

    refuse_stranger(connection)
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S:d}s'"))
    made = []
    for one in standing(connection):
        if one.valid:
            continue
        if one.size is not None:
            # what an interrupted run left costs at each insertion and helps nobody
            connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {one.index.name}"))
        tell(f"making {one.index.name} ...")
        connection.execute(text(f"CREATE INDEX CONCURRENTLY {one.index.name} ON {TABLE} {one.index.definition}"))
        made.append(one.index.name)
    if made:
        # an index of expressions has statistics of its own
        connection.execute(text(f"ANALYZE {TABLE}"))
    return made


def drop_indices(connection: Connection) -> list[str]:
    """Drop the indices that are there, and return their names.

    Raises
    ------
    InvalidInput
        If the role does not own the table.
    """
    from sqlalchemy import text

    refuse_stranger(connection)
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S:d}s'"))
    dropped = [one.index.name for one in standing(connection) if one.size is not None]
    for name in dropped:
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
    return dropped


def refuse_stranger(connection: Connection) -> None:
    """Refuse a role that may not change the table.

    Raises
    ------
    InvalidInput
        If it does not own it.
    """
    from sqlalchemy import text

    row = connection.execute(
        text(
            "SELECT current_user, pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE') FROM pg_class"
            " WHERE oid = CAST(:table AS regclass)"
        ),
        {"table": TABLE},
    ).one()
    role, owner, may = row
    if not may:
        raise InvalidInput("role", role, f"{owner}, who owns the tables", "ask whoever keeps the group's database")
