"""The tables of the loaded profile, for questions about thousands of rows at a time.

AiiDA's query builder turns each value that it returns into its own types; here that would be most of the time. What
is asked is the same: columns, and attributes by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from aiida import orm
    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.orm import Session

CALLS = ("call_calc", "call_work")
CREATE = "create"
INPUT = "input_calc"
RETURN = "return"

Name = TypeVar("Name", int, str)

MOST_NAMED = 5000
"""So many rows are named one by one in a statement."""


@dataclass(frozen=True)
class Tables:
    """Tables of nodes, links, log messages, users, computers and comments, and the session that reads them.

    Attributes
    ----------
    session
        Of the loaded profile.
    nodes, links, logs, users, computers
        As AiiDA's models have them.
    """

    session: Session
    nodes: Table
    links: Table
    logs: Table
    users: Table
    computers: Table

    @classmethod
    def of(cls, group: orm.Group) -> Tables:
        """Return the tables of the profile that holds a group."""
        from aiida.manage import get_manager

        named = type(group.backend_entity.bare_model).__table__.metadata.tables
        return cls(
            get_manager().get_profile_storage().get_session(),
            *(named[f"db_db{name}"] for name in ("node", "link", "log", "user", "computer")),
        )

    def rows(self, statement: Any) -> Sequence[Any]:
        """Return the rows of a statement."""
        found: Sequence[Any] = self.session.execute(statement).all()
        return found

    def rows_of(self, statement: Any, column: ColumnElement[int], pks: Iterable[int]) -> Iterator[Any]:
        """Yield the rows of a statement in which a column has one of these values, some thousands at a time."""
        for some in batched(sorted(pks)):
            yield from self.rows(statement.where(column.in_(some)))

    def attribute(self, name: str, table: Any = None) -> ColumnElement[Any]:
        """Return an attribute of nodes as text; other kinds of values are for the caller to read.

        Parameters
        ----------
        name
            Of the attribute.
        table
            Nodes, where they stand under an alias.
        """
        nodes = self.nodes if table is None else table
        column: ColumnElement[Any] = nodes.c.attributes[name].as_string()
        return column

    def extra_text(self, name: str, table: Any = None) -> ColumnElement[Any]:
        """Return an extra of nodes as text."""
        nodes = self.nodes if table is None else table
        column: ColumnElement[Any] = nodes.c.extras[name].as_string()
        return column

    def below(self, campaign: str) -> ColumnElement[bool]:
        """Return the condition that a node is labelled as a part of one of the campaign's chains.

        An underscore of the label matches any character, so that the index can be used everywhere: who asks looks
        at the labels once more.
        """
        condition: ColumnElement[bool] = self.nodes.c.label.like(f"{campaign}/%/%")
        return condition


def profile_tables() -> Tables:
    """Return the tables of the loaded profile."""
    from aiida import orm

    # any entity of the profile knows its tables
    entity: Any = orm.User.collection.get_default()
    return Tables.of(entity)


def batched(names: Sequence[Name], most: int = MOST_NAMED) -> Iterator[Sequence[Name]]:
    """Yield PKs or UUIDs, at most so many at a time: by default as many as every database takes in a statement."""
    for start in range(0, len(names), most):
        yield names[start : start + most]


def number(value: Any) -> float | None:
    """Return an attribute that should be a number as one; None if it is none."""
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def whole(value: Any) -> int | None:
    """Return an attribute that should be a whole number as one; None if it is none."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def flag(value: Any) -> bool:
    """Return an attribute that should be true or false as that: databases return it in words and numbers."""
    return value in (True, 1, "1", "true")


def plugin_of(process_type: str | None) -> str:
    """Return the name of a process's plugin: that of its entry point, or of its function or class."""
    _, parted, name = (process_type or "").rpartition(":")
    return name if parted else name.rpartition(".")[2]
