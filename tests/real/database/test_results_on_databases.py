"""Every command that shows results says the same of the same on SQLite and on PostgreSQL."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.database.new_profiles import add_on_postgresql, add_on_sqlite
from tests.real.database.databases import BEGIN, POSTGRESQL, SQLITE
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile

pytestmark = pytest.mark.real

ASK = f"""{BEGIN}
import json
from tests.real.database.asked_results import ask_all
print(json.dumps(ask_all(sys.argv[1], thorough=sys.argv[2] == "thorough")))
"""

REFUSED = {"quick": 10, "thorough": 11}
"""So many questions are answered by a line that says what is wrong."""


def asked(kind: str, how: str, folder: Path, postgres: Postgres) -> dict[str, Any]:
    """What is answered in a profile of its own on a kind of database."""
    profile, name = Profile(folder / kind), f"results_{how}"
    if kind == POSTGRESQL:
        add_on_postgresql(profile, postgres, name)
    else:
        add_on_sqlite(profile, name)
    said: dict[str, Any] = json.loads(profile.python(ASK, name, how, timeout_s=600).strip().splitlines()[-1])
    return said


@pytest.mark.parametrize("how", ["quick", pytest.param("thorough", marks=pytest.mark.nightly)])
def test_both_databases_say_the_same(how: str, tmp_path: Path, postgres: Postgres) -> None:
    with ThreadPoolExecutor() as both:
        kinds = (SQLITE, POSTGRESQL)
        on_sqlite, on_postgresql = both.map(lambda kind: asked(kind, how, tmp_path, postgres), kinds)
    refused = [said for said in on_sqlite.values() if isinstance(said, str)]
    assert len(refused) == REFUSED[how]
    assert all(said.startswith("1 Error: ") for said in refused)
    assert on_postgresql.keys() == on_sqlite.keys()
    for question, said in on_sqlite.items():
        assert on_postgresql[question] == said, question
