"""Conductances and the junctions that they are of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.results.wording import counted
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from ase import Atoms

    from aiida_rewire.database.junctions import Junction
    from aiida_rewire.database.selected import Selected

COLUMNS = (
    "conductance_uuid",
    "structure_uuid",
    "computed_as",
    "campaign",
    "chain",
    "snapshot",
    "protocol",
    "voltage_v",
    "time_ps",
    "step",
    "stage",
    "bonds",
    "transmission",
)
"""What is known of a junction. ``computed_as`` is the conductance that was computed of these atoms, another one where
that was taken over."""

WHOLE = ("snapshot", "step", "bonds")

AT_A_TIME = 100
"""So many structures are held as they are read."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Junctions of a selection.

    Attributes
    ----------
    selected
        Their conductances.
    rows
        By the names of `COLUMNS`; None where something is not known.
    """

    selected: Selected
    rows: Sequence[Row]

    @property
    def known(self) -> list[int]:
        """Places of those whose atoms the database has."""
        return [place for place, row in enumerate(self.rows) if row["structure_uuid"] is not None]

    @property
    def unknown_text(self) -> list[str]:
        """A line that says of how many it has none, if there are any."""
        number = len(self.rows) - len(self.known)
        if not number:
            return []
        return [f"{counted(number, 'conductance')} without a junction here: made by hand, or imported without it"]

    def require_known(self) -> None:
        """Refuse a selection of which the database has no junction.

        Raises
        ------
        InvalidInput
            If it has none.
        """
        if not self.known:
            raise InvalidInput(
                "structures",
                f"none of {counted(len(self.rows), 'conductance')}",
                "known to the database",
                "they were made by hand, or imported without what they come from",
            )


def find(selected: Selected) -> Found:
    """Return the junctions of conductances.

    Parameters
    ----------
    selected
        The conductances.
    """
    from aiida_rewire.database.junctions import junctions_of

    pks = selected.pk.tolist()
    junctions = junctions_of(pks)
    return Found(selected, [row_at(selected, place, junctions.get(pk)) for place, pk in enumerate(pks)])


def row_at(selected: Selected, place: int, junction: Junction | None) -> Row:
    """Return what is known of a junction."""
    row: Row = {
        "conductance_uuid": selected.uuid[place],
        "structure_uuid": None if junction is None else junction.structure,
        "computed_as": selected.reused_from[place] or selected.uuid[place],
    }
    for name in COLUMNS[3:]:
        value = getattr(selected, name)[place]
        if isinstance(value, str):
            row[name] = value or None
        elif not math.isfinite(value):
            row[name] = None
        else:
            row[name] = int(value) if name in WHOLE else float(value)
    return row


def atoms_of(rows: Sequence[Row]) -> Iterator[tuple[Row, Atoms]]:
    """Yield rows with their atoms, some structures at a time.

    Parameters
    ----------
    rows
        Of junctions that the database has.
    """
    from aiida import orm

    for start in range(0, len(rows), AT_A_TIME):
        some = rows[start : start + AT_A_TIME]
        wanted = {row["structure_uuid"] for row in some}
        query = orm.QueryBuilder().append(orm.StructureData, filters={"uuid": {"in": list(wanted)}})
        atoms = {node.uuid: node.get_ase() for node in query.all(flat=True)}
        for row in some:
            yield row, atoms[row["structure_uuid"]]
