"""Attributes of nodes in SQL, by the words that PostgreSQL and SQLite have for them.

On PostgreSQL an index is used where a query names the very expression that it was made of: both take it from here. No
expression fails, whatever an attribute holds, for a node could not be stored beside an index whose expression fails.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiida_rewire.database.marks import VOID_EXTRA

CONDUCTANCE = "data.rewire.conductance.ConductanceData."
"""Type of the nodes of conductances."""

KEY_LENGTH = 128
"""So many characters of a text go into an index: an entry that is too long cannot be stored, nor can its node."""


@dataclass(frozen=True)
class Words:
    """How a database names attributes.

    Attributes
    ----------
    dialect
        ``postgresql`` or ``sqlite``.
    """

    dialect: str

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL."""
        return self.dialect == "postgresql"

    def text(self, name: str, column: str = "attributes") -> str:
        """Return an attribute as text; that of a number can be read as one."""
        if self.is_postgresql:
            return f"({column} ->> '{name}')"
        return f"json_extract({column}, '$.{name}')"

    def key(self, name: str) -> str:
        """Return the beginning of a text, as it stands in indices."""
        if self.is_postgresql:
            return f'"left"({self.text(name)}, {KEY_LENGTH})'
        return self.text(name)

    def value(self, name: str) -> str:
        """Return an attribute as the database keeps it, to be compared with numbers once it is one."""
        if self.is_postgresql:
            return f"(attributes -> '{name}')"
        return f"json_extract(attributes, '$.{name}')"

    def is_number(self, name: str) -> str:
        """Return the condition that an attribute is a number."""
        if self.is_postgresql:
            return f"jsonb_typeof(attributes -> '{name}') = 'number'"
        return f"json_type(attributes, '$.{name}') IN ('integer', 'real')"

    @property
    def counts(self) -> str:
        """Return the condition that nobody marked a node as not to count."""
        return f"{self.text(VOID_EXTRA, 'extras')} IS NULL"

    def given(self, name: str) -> str:
        """Return a number that is given with the query, as it is compared with a value."""
        if self.is_postgresql:
            return f"CAST(CAST(:{name} AS text) AS jsonb)"
        # read as attributes are: SQLite casts some texts to a neighbour of the number that JSON gives it
        return f"json_extract(:{name}, '$')"
