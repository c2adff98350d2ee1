"""All that the loaded profile holds, to be compared with another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from aiida import orm
from aiida.manage import get_manager

COLUMNS = (
    *("uuid", "node_type", "process_type", "label", "description", "ctime", "mtime", "attributes", "extras"),
    "repository_metadata",
)


def content() -> str:
    """Return nodes, links, groups, and the hashes of what is in the files, as JSON; no class of a node is loaded."""
    repository = get_manager().get_profile_storage().get_repository()
    nodes, files = {}, {}
    query = orm.QueryBuilder().append(orm.Node, project=list(COLUMNS), tag="node")
    query.append(orm.User, with_node="node", project="email")
    for uuid, *values, tree, email in query.all():
        nodes[uuid] = [*map(plain, values), email]
        files[uuid] = {
            path: hashlib.sha256(repository.get_object_content(key)).hexdigest() for path, key in paths_in(tree)
        }
    links = orm.QueryBuilder().append(orm.Node, tag="source", project="uuid")
    links.append(orm.Node, with_incoming="source", project="uuid", edge_project=["type", "label"])
    groups: dict[str, list[Any]] = {}
    members = orm.QueryBuilder().append(orm.Group, project=["label", "type_string", "extras"], tag="group")
    members.append(orm.Node, with_group="group", project="uuid")
    for label, type_string, extras, uuid in members.all():
        groups.setdefault(label, [type_string, extras, []])[2].append(uuid)
    for one in groups.values():
        one[2].sort()
    found = {"nodes": nodes, "files": files, "links": sorted(map(list, links.all())), "groups": groups}
    return json.dumps(found, sort_keys=True)


def paths_in(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield paths and keys of the files of a node."""
    for name, below in tree.get("o", {}).items():
        if "k" in below:
            yield f"{above}{name}", below["k"]
        else:
            yield from paths_in(below, f"{above}{name}/")


def plain(value: Any) -> Any:
    """Return what JSON has no word for as text."""
    return value if value is None or isinstance(value, dict | str) else str(value)
