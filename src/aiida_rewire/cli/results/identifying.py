"""Nodes that a user names."""

from __future__ import annotations

from typing import Any

from aiida_rewire.errors import InvalidInput

LONGEST_SHOWN = 80


def load_named(identifier: str, entry_point: str, what: str, shown_by: str) -> Any:
    """Return the node of a kind that a user named.

    Parameters
    ----------
    identifier
        PK, UUID or its beginning, or label.
    entry_point
        Of the kind.
    what
        It in words: ``a conductance``.
    shown_by
        The command that lists those there are.

    Raises
    ------
    InvalidInput
        If there is no such node, there are several, or it holds something else.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.plugins import DataFactory

    from aiida_rewire.campaign.ingredients import refuse_large_number

    said, wanted = repr(identifier[:LONGEST_SHOWN]), f"that of {what}"
    way_out = f"`{shown_by}` shows those there are"
    try:
        refuse_large_number(identifier)
        node = orm.load_node(identifier)
    except MultipleObjectsError as error:
        raise InvalidInput("identifier", said, "that of one node", "give more of the UUID") from error
    except (NotExistent, ValueError) as error:
        raise InvalidInput("identifier", said, wanted, way_out) from error
    if not isinstance(node, DataFactory(entry_point)):
        raise InvalidInput("identifier", f"{said}, of type {type(node).__name__}", wanted, way_out)
    return node
