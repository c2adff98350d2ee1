"""Conductances of a whole database by their attributes: rows and arrays, for pictures and for people.

Nothing is joined through provenance, and no node is loaded. The indices of `aiida_rewire.database.indices` are made
for these queries; without them the answers are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_rewire.database.attributes import CONDUCTANCE, KEY_LENGTH, Words
from aiida_rewire.database.marks import CAMPAIGN_GROUP, CHAIN_PROCESS
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Selection:
    """Which conductances are asked for; what is None does not matter.

    Attributes
    ----------
    campaign, chain
        Label of the campaign, name of the chain.
    voltage_v
        Exactly this voltage, V.
    transmission
        Lowest and highest T per spin at E_F, both included.
    stage
        Of the growth: gap, islands, contact or growth.
    protocol
        Of the chain.
    bonds
        That have to be cut to part the tips.
    """

    campaign: str | None = None
    chain: str | None = None
    voltage_v: float | None = None
    transmission: tuple[float, float] | None = None
    stage: str | None = None
    protocol: str | None = None
    bonds: int | None = None

    def __str__(self) -> str:
        said = [
            f"{name} = {value!r}"
            for name in ("campaign", "chain", "stage", "protocol")
            if (value := getattr(self, name)) is not None
        ]
        if self.voltage_v is not None:
            said.append(f"voltage = {self.voltage_v:g} V")
        if self.transmission is not None:
            said.append(f"T from {self.transmission[0]:g} to {self.transmission[1]:g}")
        if self.bonds is not None:
            said.append(f"bonds = {self.bonds}")
        return ", ".join(said) or "all conductances"


@dataclass(frozen=True)
class Conductances:
    """Conductances, a row each, in the order of campaign, chain and time; a number that is missing is NaN.

    Attributes
    ----------
    pk
        Of their nodes, shape (n,).
    campaign, chain
        Of each, n texts.
    voltage_v
        V, shape (n,).
    time_ps
        Since the voltage was switched on, ps, shape (n,).
    transmission
        T per spin at E_F, that is G/G0, shape (n,).
    """

    pk: NDArray[np.int64]
    campaign: tuple[str, ...]
    chain: tuple[str, ...]
    voltage_v: NDArray[np.float64]
    time_ps: NDArray[np.float64]
    transmission: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.pk)


@dataclass(frozen=True)
class Listed:
    """A campaign in a list.

    Attributes
    ----------
    label, owner
        Of the campaign, and the address of who submitted it.
    submitted_at
        When (ISO 8601); empty if the record does not say.
    chains, conductances
        Members of its group: attempts at chains, and conductances.
    """

    label: str
    owner: str
    submitted_at: str
    chains: int
    conductances: int


def conductances(selection: Selection) -> Conductances:
    """Return the conductances of a selection.

    Those that were marked as not to count (extra ``rewire_void``) are left out.

    Raises
    ------
    InvalidInput
        If a number of the selection is none.
    """
    session, words = opened()
    names = ("campaign", "chain", "voltage_v", "time_ps", "transmission_fermi")
    condition, values = conditions(selection, words)
    columns = ", ".join(words.text(name) for name in names)
    rows = fetch(session, f"SELECT id, {columns} FROM db_dbnode WHERE {condition}", values)  # noqa: S608
    # sorted here: a database would sort texts by the rules of its language
    ordered = sorted(rows, key=lambda row: (str(row[1]), str(row[2]), number(row[4]), row[0]))
    return Conductances(
        np.array([row[0] for row in ordered], dtype=np.int64),
        tuple(str(row[1]) for row in ordered),
        tuple(str(row[2]) for row in ordered),
        *(np.array([number(row[place]) for row in ordered], dtype=np.float64) for place in (3, 4, 5)),
    )


def trace(campaign: str, chain: str) -> Conductances:
    """Return the conductances of a chain in the order of time."""
    return conductances(Selection(campaign=campaign, chain=chain))


def histogram(edges: ArrayLike, selection: Selection | None = None) -> NDArray[np.int64]:
    """Count the conductances of a selection by their transmission; the database counts, and no row leaves it.

    Parameters
    ----------
    edges
        Of the bins in T per spin at E_F, ascending, shape (n + 1,); as with `numpy.histogram` a bin holds its lower
        edge, and the last one both.
    selection
        All by default.

    Returns
    -------
    Shape (n,).

    Raises
    ------
    InvalidInput
        If the edges are not finite and ascending.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not np.all(np.isfinite(bounds)) or not np.all(np.diff(bounds) > 0):
        raise InvalidInput("edges", bounds.tolist(), "two or more finite numbers, ascending", "sort them")
    session, words = opened()
    condition, values = conditions(selection or Selection(), words)
    value = words.value("transmission_fermi")
    if not words.is_postgresql:
        number_there = words.is_number("transmission_fermi")
        rows = fetch(session, f"SELECT {value} FROM db_dbnode WHERE {condition} AND {number_there}", values)  # noqa: S608
        return np.histogram(np.array([row[0] for row in rows], dtype=np.float64), bounds)[0].astype(np.int64)
    values |= {"first": written(bounds[0]), "last": written(bounds[-1]), "edges": bounds.tolist()}
    # between two numbers JSONB has numbers alone, and here such as a float holds: what is not inside is not cast
    inside = f"{value} BETWEEN {words.given('first')} AND {words.given('last')}"
    counted = fetch(
        session,
        f"SELECT width_bucket(CAST({value} AS double precision), CAST(:edges AS double precision[])), count(*)"  # noqa: S608
        f" FROM db_dbnode WHERE {condition} AND {inside} GROUP BY 1",
        values,
    )
    counts = np.zeros(len(bounds) - 1, dtype=np.int64)
    for bucket, count in counted:
        # what equals the last edge is beyond the last bucket
        counts[min(bucket, len(counts)) - 1] += count
    return counts


def campaigns() -> list[Listed]:
    """Return all campaigns, the newest first.

    How far each has come is not asked for: that is what `aiida_rewire.campaign.overview` does, chain by chain.
    """
    session, words = opened()
    members = (
        "SELECT member.dbgroup_id AS id, count(*) AS members FROM db_dbgroup_dbnodes AS member"
        " JOIN db_dbgroup AS grp ON grp.id = member.dbgroup_id WHERE grp.type_string = :type"
        " GROUP BY member.dbgroup_id"
    )
    chains = (
        "SELECT member.dbgroup_id AS id, count(*) AS members FROM db_dbnode AS node"
        " JOIN db_dbgroup_dbnodes AS member ON member.dbnode_id = node.id WHERE node.process_type = :chain"
        " GROUP BY member.dbgroup_id"
    )
    rows = fetch(
        session,
        "SELECT grp.label, owner.email, "  # noqa: S608
        f"{words.text('submitted_at', 'grp.extras')}, coalesce(chains.members, 0),"
        " coalesce(every.members, 0) - coalesce(chains.members, 0)"
        " FROM db_dbgroup AS grp JOIN db_dbuser AS owner ON owner.id = grp.user_id"
        f" LEFT JOIN ({members}) AS every ON every.id = grp.id LEFT JOIN ({chains}) AS chains ON chains.id = grp.id"
        " WHERE grp.type_string = :type ORDER BY grp.id DESC",
        {"type": CAMPAIGN_GROUP, "chain": CHAIN_PROCESS},
    )
    return [Listed(label, owner, at or "", int(chains), int(count)) for label, owner, at, chains, count in rows]


def conditions(selection: Selection, words: Words) -> tuple[str, dict[str, Any]]:
    """Return the condition of a selection in SQL, and what is given with it.

    Raises
    ------
    InvalidInput
        If a number of the selection is none.
    """
    # a literal, for an index of these nodes alone is used where the query says so
    parts = [f"node_type = '{CONDUCTANCE}'", words.counts]
    values: dict[str, Any] = {}
    for name, text in (("campaign", selection.campaign), ("chain", selection.chain)):
        if text is not None:
            parts += [f"{words.key(name)} = :{name}_key", f"{words.text(name)} = :{name}"]
            values |= {f"{name}_key": text[:KEY_LENGTH] if words.is_postgresql else text, name: text}
    for name, text in (("stage", selection.stage), ("protocol", selection.protocol)):
        if text is not None:
            parts.append(f"{words.text(name)} = :{name}")
            values[name] = text
    for name, wanted in (("voltage_v", selection.voltage_v), ("min_cut", selection.bonds)):
        if wanted is not None:
            values[name] = written(wanted)
            parts += [words.is_number(name), f"{words.value(name)} = {words.given(name)}"]
    if selection.transmission is not None:
        low, high = selection.transmission
        values |= {"low": written(low), "high": written(high)}
        name = "transmission_fermi"
        parts += [
            words.is_number(name),
            f"{words.value(name)} >= {words.given('low')}",
            f"{words.value(name)} <= {words.given('high')}",
        ]
    return " AND ".join(parts), values


def written(value: float) -> str:
    """Return a number as JSON has it.

    Raises
    ------
    InvalidInput
        If it is infinite or not a number, which JSON has not.
    """
    if not math.isfinite(value):
        raise InvalidInput("bound of a selection", value, "a finite number", "leave it out to have all")
    return repr(float(value))


def number(value: Any) -> float:
    """Return an attribute as a number; NaN if it is missing or none."""
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def opened() -> tuple[Session, Words]:
    """Return the session of the loaded profile, and the words of its database."""
    from aiida.manage import get_manager

    session = get_manager().get_profile_storage().get_session()
    return session, Words(session.get_bind().dialect.name)


def fetch(session: Session, statement: str, values: dict[str, Any]) -> Sequence[Any]:
    """Return the rows of a statement."""
    from sqlalchemy import text

    found: Sequence[Any] = session.execute(text(statement), values).all()
    return found
