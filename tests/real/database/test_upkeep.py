"""Size, upkeep and indices of a database, on SQLite and PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.real.database.databases import BEGIN, POSTGRESQL, SQLITE, UNOWNED, USE, Database, running

pytestmark = pytest.mark.real

HOLD = f"""{BEGIN}
import time
from aiida_rewire.database.storage import Storage, upkeep
with upkeep(Storage.of_profile()):
    print("holds", flush=True)
    time.sleep(120)
"""

PLAN = f"""{BEGIN}
from sqlalchemy import event, text
from aiida_rewire.database import queries
session, _ = queries.opened()
session.execute(text("SET enable_seqscan = off"))
session.execute(text("SET enable_bitmapscan = off"))
fetch = queries.fetch
def explained(session, statement, values):
    print(*(row[0] for row in fetch(session, "EXPLAIN " + statement, values)))
    return fetch(session, statement, values)
queries.fetch = explained
queries.trace("a", "b")
queries.conductances(queries.Selection(voltage_v=2.0, transmission=(0.5, 1.0)))
"""


@pytest.mark.parametrize("kind", [SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.nightly)])
def test_sizes_are_those_of_all_nodes_and_files(kind: str, filled: Callable[[str], Database]) -> None:
    database = filled(kind)
    found, content = database.answer("size"), database.content()
    types: dict[str, int] = {}
    for node_type, *_ in content["nodes"].values():
        types[node_type] = types.get(node_type, 0) + 1
    assert {one["name"]: one["nodes"] for one in found["types"]} == types
    hashes = {sha for files in content["files"].values() for sha in files.values()}
    assert found["whole"]["nodes"] == len(content["nodes"])
    assert found["whole"]["objects"] == len(hashes)
    assert sum(one["database_bytes"] for one in found["types"]) == found["whole"]["database_bytes"] > 10_000
    assert found["missing"] == 0
    # the calculations of FILL: five folders of a file with 1000 digits
    (folders,) = [one for one in found["types"] if one["name"].startswith("data.core.folder")]
    assert (folders["nodes"], folders["objects"], folders["repository_bytes"]) == (5, 5, 5000)
    (campaign,) = found["campaigns"]
    assert campaign["name"].startswith("queries-")
    # two chains and ten conductances
    assert campaign["nodes"] == 12
    members = content["groups"][campaign["name"]][2]
    assert campaign["objects"] == len({sha for member in members for sha in content["files"][member].values()}) > 1
    assert 0 < campaign["repository_bytes"] < found["whole"]["repository_bytes"]
    shown = database.rewire("size")
    assert shown.status == 0
    assert "data.core.folder.FolderData" in shown.output
    assert campaign["name"] in shown.output


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL])
def test_upkeep_packs_and_deletes_nothing_but_when_nobody_else_is_there(
    kind: str, make_on: Callable[[str, str], Database]
) -> None:
    database = make_on(kind, f"kept_{kind}")
    database.python(f"{BEGIN}\nimport io\norm.SinglefileData(io.BytesIO(b'content')).store()")
    database.python(UNOWNED)
    before = database.content()
    assert database.answer("size")["unowned"] == 1

    planned = database.answer("maintain", "--full", "--dry-run")
    assert (planned["packed"], planned["deleted"]) == (2, 1)
    assert database.answer("size")["loose"] == 2

    # somebody may be there: packed, and nothing deleted
    with running(database, USE):
        database.answer("maintain")
        after = database.answer("size")
        assert (after["loose"], after["unowned"]) == (0, 1)
        assert "used by nobody else" in database.refusal("maintain", "--full")
    assert database.answer("maintain", "--full")["deleted"] == 1
    assert database.answer("size")["unowned"] == 0
    assert database.content() == before


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL])
def test_two_do_not_meet(kind: str, filled: Callable[[str], Database], tmp_path: Any) -> None:
    database = filled(kind)
    with running(database, HOLD):
        for command in (["maintain"], ["maintain", "--full"], ["backup", str(tmp_path / "backups")]):
            assert "one is going on" in database.refusal(*command)
    assert database.rewire("maintain").status == 0


@pytest.mark.nightly
def test_indices_are_made_used_and_dropped(filled: Callable[[str], Database], postgres: Any) -> None:
    database = filled(POSTGRESQL)
    database.answer("index", "--drop")
    with postgres.connect(database.name) as session:
        plain = session.execute("SELECT indexname FROM pg_indexes ORDER BY 1").fetchall()
    assert [one["bytes"] for one in database.answer("index", "--show")["indices"]] == [None, None]
    made = database.answer("index")["made"]
    assert len(made) == 2
    assert all(name.startswith("rewire_") for name in made)
    assert database.answer("index")["made"] == []
    plans = database.python(PLAN).strip().splitlines()
    assert [name for name, plan in zip(made, plans, strict=True) if name in plan] == made
    # all that campaigns store still can be, and AiiDA finds its schema as it was
    database.python(f"{BEGIN}\nfrom tests.database.query_checks import check_all\ncheck_all()")
    database.profile.verdi("-p", database.name, "storage", "version")
    # what an interrupted run leaves is made anew
    with postgres.connect(database.name) as session:
        session.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [made[0]])
    assert [one["valid"] for one in database.answer("index", "--show")["indices"]] == [False, True]
    assert database.answer("index")["made"] == made[:1]
    assert database.answer("index", "--drop")["dropped"] == made
    with postgres.connect(database.name) as session:
        assert session.execute("SELECT indexname FROM pg_indexes ORDER BY 1").fetchall() == plain


def test_sqlite_has_no_indices(filled: Callable[[str], Database]) -> None:
    assert "must be one on PostgreSQL" in filled(SQLITE).refusal("index")
