"""Junctions of conductances on SQLite; what is found on PostgreSQL is checked by the same code elsewhere."""

from typing import Any

from tests.database.junction_checks import check_all


def test_each_way_leads_to_the_junction_in_as_many_queries(aiida_profile: Any) -> None:
    check_all()
