"""How large a database is, by the types of its nodes and by campaigns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.database.marks import CAMPAIGN_GROUP
from aiida_rewire.database.queries import fetch
from aiida_rewire.database.storage import KEYS, POSTGRESQL, SQLITE, Storage

if TYPE_CHECKING:
    from disk_objectstore import Container

COLUMNS = ("attributes", "extras", "repository_metadata", "label", "description", "node_type", "process_type")

BYTES = {
    POSTGRESQL: "coalesce(pg_column_size(node.{column}), 0)",
    SQLITE: "coalesce(length(CAST(node.{column} AS BLOB)), 0)",
}
"""By database: bytes of a column of a node, as it is stored."""

MADE_BY = """
WITH RECURSIVE part(id) AS (
  SELECT dbnode_id FROM db_dbgroup_dbnodes WHERE dbgroup_id = :pk
  UNION
  SELECT id FROM db_dbnode WHERE label LIKE :below ESCAPE '\\' AND node_type LIKE 'process.%'
  UNION
  SELECT link.output_id FROM part JOIN db_dblink AS link ON link.input_id = part.id
  WHERE link.type IN ('call_calc', 'call_work', 'create')
)
"""
"""Members of a campaign, processes that carry its label, and what these called and made."""

BATCH = 5000
"""So many objects are looked up at a time."""


@dataclass(frozen=True)
class Share:
    """What a type, a campaign or the whole takes.

    Attributes
    ----------
    name
        Of the type or the campaign.
    nodes
        How many.
    database_bytes
        Of their rows, as they are stored, without indices.
    objects, repository_bytes
        Files that they own, and the length of those; what several own counts for each.
    """

    name: str
    nodes: int
    database_bytes: int
    objects: int
    repository_bytes: int


@dataclass(frozen=True)
class Sizes:
    """What a database takes.

    Attributes
    ----------
    types, campaigns
        The largest first. Nodes that a campaign was given, such as potentials, belong to no campaign.
    whole
        All nodes; each file counts once.
    database_bytes
        On the disk: tables, indices and all.
    repository_bytes
        On the disk: loose files, packs and their index.
    loose
        Files that are not packed.
    unowned, unowned_bytes
        Files that no node owns, and their length.
    missing
        Files that nodes own and that are not there.
    """

    types: list[Share]
    campaigns: list[Share]
    whole: Share
    database_bytes: int
    repository_bytes: int
    loose: int
    unowned: int
    unowned_bytes: int
    missing: int


def sizes(storage: Storage) -> Sizes:
    """Measure the database of a profile; nothing is changed."""
    size = " + ".join(BYTES[storage.dialect].format(column=column) for column in COLUMNS)
    keys, key = KEYS[storage.dialect]
    rows = fetch(
        storage.session,
        f"SELECT node.node_type, count(*), sum({size}) FROM db_dbnode AS node GROUP BY node.node_type",  # noqa: S608
        {},
    )
    owned: dict[str, set[str]] = defaultdict(set)
    for node_type, found in fetch(
        storage.session,
        f"SELECT DISTINCT node.node_type, {key} FROM db_dbnode AS node {keys}",  # noqa: S608
        {},
    ):
        owned[node_type].add(found)
    every = set().union(*owned.values())
    with storage.files() as container:
        length = lengths(container, every)
        total = container.get_total_size()
        loose = container.count_objects().loose
        unowned = set(container.list_all_objects()) - every
        unowned_bytes = sum(lengths(container, unowned).values())
    types = [share(name, nodes, size, owned[name], length) for name, nodes, size in rows]
    campaigns = []
    for pk, label in fetch(
        storage.session, "SELECT id, label FROM db_dbgroup WHERE type_string = :type", {"type": CAMPAIGN_GROUP}
    ):
        given = {"pk": pk, "below": f"{escaped(label)}/%"}
        joined = "FROM part JOIN db_dbnode AS node ON node.id = part.id"
        nodes, bytes_there = fetch(storage.session, f"{MADE_BY} SELECT count(*), sum({size}) {joined}", given)[0]
        files = fetch(storage.session, f"{MADE_BY} SELECT DISTINCT {key} {joined} {keys}", given)
        campaigns.append(share(label, nodes, bytes_there, {row[0] for row in files}, length))
    storage.session.rollback()
    return Sizes(
        types=ordered(types),
        campaigns=ordered(campaigns),
        whole=share("all", sum(one.nodes for one in types), sum(one.database_bytes for one in types), every, length),
        database_bytes=on_disk(storage),
        repository_bytes=total.total_size_packfiles_on_disk
        + total.total_size_packindexes_on_disk
        + total.total_size_loose,
        loose=loose,
        unowned=len(unowned),
        unowned_bytes=unowned_bytes,
        missing=len(every - set(length)),
    )


def share(name: str, nodes: int, size: Any, keys: Iterable[str], length: Mapping[str, int]) -> Share:
    """Return what some nodes take.

    Parameters
    ----------
    name, nodes, size
        Of the type or the campaign, how many, and bytes of their rows.
    keys
        Of their files.
    length
        Of all files by their keys, bytes.
    """
    there = [length[key] for key in keys if key in length]
    return Share(name, int(nodes), int(size or 0), len(there), sum(there))


def ordered(shares: Iterable[Share]) -> list[Share]:
    """Return the largest first."""
    return sorted(shares, key=lambda one: (-one.database_bytes - one.repository_bytes, one.name))


def lengths(container: Container, keys: Iterable[str]) -> dict[str, int]:
    """Return the length of files in bytes, of those that are there."""
    found: dict[str, int] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), BATCH):
        some = container.get_objects_meta(wanted[start : start + BATCH], skip_if_missing=True)
        found |= {key: int(meta.size or 0) for key, meta in some}
    return found


def on_disk(storage: Storage) -> int:
    """Return what the database takes on the disk, bytes."""
    if storage.is_postgresql:
        return int(fetch(storage.session, "SELECT pg_database_size(current_database())", {})[0][0])
    return storage.database_file.stat().st_size


def escaped(label: str) -> str:
    """Return a label as it stands in a pattern of LIKE."""
    return label.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
