"""The conductances of a campaign as a table for a data repository."""

from __future__ import annotations

import csv
import json
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from aiida_rewire.campaign.attempts import attempts_of
from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

METHOD_DOI = "10.1039/d3nh00476g"
"""Milano et al., Nanoscale Horiz. 9, 416 (2024)."""

METADATA_KEY = b"aiida_rewire"
"""Under which the description of a table stands in the schema of a Parquet file."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    name
        With its unit, where it has one.
    kind
        Type of its values; any may be missing.
    unit
        In words; empty for texts, numbers of things and ratios.
    meaning
        What it holds.
    """

    name: str
    kind: type[str] | type[int] | type[float]
    unit: str
    meaning: str


COLUMNS = (
    Column("uuid", str, "", "of the conductance's node: `verdi node show UUID`"),
    Column("chain", str, "", "name of the chain: voltage and seed"),
    Column("chain_uuid", str, "", "of the work chain that computed it or took it over"),
    Column("seed", int, "", "of the initial velocities"),
    Column("voltage_v", float, "V", "of the snapshot; positive at the anode"),
    Column("time_ps", float, "ps", "since the voltage was switched on"),
    Column("step", int, "", "of the molecular dynamics"),
    Column("stage", str, "", "of the contact"),
    Column("min_cut", int, "", "bonds that have to be cut to part the tips"),
    Column("conductance_g0", float, "G0 = 2e^2/h", "at the Fermi energy"),
    Column("transmission_fermi", float, "", "per spin, at the Fermi energy"),
    Column("unitarity_max", float, "", "largest |T_j + R_j - 1| of all channels, energies and k-points"),
    Column("potential_mismatch_ev", float, "eV", "difference of V - E_F of lead and junction at their boundary"),
    Column("n_kpoints", int, "", "lateral k-points of the transmission"),
    Column("protocol", str, "", "of the chain"),
    Column("pseudo_family", str, "", "pseudopotentials"),
    Column("reused_from", str, "", "UUID of the conductance of an equal contact that was taken over; else missing"),
    Column("snapshot", int, "", "number among the chain's snapshots, from 0 on"),
)

DERIVED = frozenset({"uuid", "chain_uuid"})
"""Columns that are no attributes of the node."""

Row = dict[str, Any]


class Doubled(InvalidInput):
    """Two conductances of one snapshot.

    Parameters
    ----------
    first, second
        Their rows.
    """

    def __init__(self, first: Row, second: Row) -> None:
        super().__init__(
            "conductances",
            f"{first['uuid']} and {second['uuid']}, both of {first['chain']} at step {first['step']}",
            "one of each snapshot",
            f"set the extra {VOID_EXTRA} of the one that does not count to the reason",
        )


def conductance_rows(campaign: str) -> list[Row]:
    """Return the rows of the table, by chain and step; of each snapshot with a conductance there is one.

    One query with projections for the conductances and one for the chains: no node is loaded.

    Parameters
    ----------
    campaign
        Its label.

    Raises
    ------
    Doubled
        If a snapshot has two conductances.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    names = [column.name for column in COLUMNS if column.name not in DERIVED]
    query = orm.QueryBuilder()
    query.append(
        DataFactory("rewire.conductance"),
        filters={"attributes.campaign": campaign},
        project=["uuid", "ctime", f"extras.{VOID_EXTRA}", *(f"attributes.{name}" for name in names)],
    )
    begins = chain_begins(campaign)
    rows = []
    for uuid, ctime, void, *values in query.iterall():
        if void is not None:
            continue
        row = dict(zip(names, values, strict=True))
        row |= {"uuid": uuid, "chain_uuid": chain_at(begins.get(row["chain"], []), ctime)}
        rows.append({column.name: typed(column, row[column.name]) for column in COLUMNS})
    rows.sort(key=lambda row: (row["chain"] or "", row["step"] or 0, row["uuid"]))
    for first, second in pairwise(rows):
        if first["step"] is not None and (first["chain"], first["step"]) == (second["chain"], second["step"]):
            raise Doubled(first, second)
    return rows


def typed(column: Column, value: Any) -> Any:
    """Return a value in the type of its column: databases return 2 for 2.0."""
    return None if value is None else column.kind(value)


def chain_begins(campaign: str) -> dict[str, list[tuple[datetime, str]]]:
    """Return when the attempts of each chain began, and their UUIDs, in the order of time."""
    return {
        chain: sorted((attempt.ctime, attempt.uuid) for attempt in attempts)
        for chain, attempts in attempts_of(campaign).items()
    }


def chain_at(begins: Sequence[tuple[datetime, str]], time: datetime) -> str | None:
    """Return the UUID of the attempt that ran at a time: one begins after the one before has ended."""
    place = bisect(begins, time, key=lambda begin: begin[0])
    return begins[place - 1][1] if place else None


def write_csv(rows: Sequence[Row], handle: TextIO) -> None:
    """Write rows as RFC 4180 has it: a line of names, CRLF, missing values empty, floats to their last digit.

    Parameters
    ----------
    rows
        As `conductance_rows` returns them.
    handle
        Opened with ``newline=""``.
    """
    writer = csv.writer(handle, lineterminator="\r\n")
    writer.writerow(column.name for column in COLUMNS)
    # csv writes a float as repr does, so that it reads back as the same
    writer.writerows([row[column.name] for column in COLUMNS] for row in rows)


def parquet_table(rows: Sequence[Row], description: dict[str, Any]) -> pa.Table:
    """Return rows as an Arrow table whose schema holds units and meanings.

    Parameters
    ----------
    rows
        As `conductance_rows` returns them.
    description
        Goes as JSON to the metadata of the schema, under ``aiida_rewire``.
    """
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema(
        [
            pa.field(column.name, types[column.kind], metadata={"unit": column.unit, "meaning": column.meaning})
            for column in COLUMNS
        ],
        metadata={METADATA_KEY: json.dumps(description).encode()},
    )
    return pa.Table.from_pylist(list(rows), schema=schema)


def write_parquet(rows: Sequence[Row], description: dict[str, Any], handle: BinaryIO) -> None:
    """Write rows as a Parquet file.

    Parameters
    ----------
    rows, description
        As of `parquet_table`.
    handle
        Opened for bytes.
    """
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    pq.write_table(parquet_table(rows, description), handle)


def description_of(campaign: str, extras: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the companion of a table says: units, the campaign, and what computed it.

    Parameters
    ----------
    campaign
        Its label.
    extras
        Of its group.
    rows
        Of the table.
    """
    from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

    columns = {
        column.name: {"type": column.kind.__name__, "unit": column.unit or None, "meaning": column.meaning}
        for column in COLUMNS
    }
    return {
        "campaign": campaign,
        "description": extras.get("spec", {}).get("description", ""),
        "digest": extras.get("digest"),
        "versions": extras.get("versions", {}),
        "submitted_at": extras.get("submitted_at"),
        "method": {"doi": METHOD_DOI},
        "conductance_quantum_siemens": CONDUCTANCE_QUANTUM,
        "rows": len(rows),
        "columns": columns,
        "spec": extras.get("spec"),
        "amendments": extras.get("amendments", []),
    }
