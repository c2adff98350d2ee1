"""A look at a campaign asks the database as often for thousands of snapshots as for a few."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiida.manage import get_manager
from click.testing import CliRunner
from sqlalchemy import event
from synthetic import STORIES, synthetic_campaign
from synthetic_tables import Made

from aiida_rewire.campaign.record import find_campaign
from aiida_rewire.campaign.triage import failure_rows
from aiida_rewire.cli.campaign.watching import look
from aiida_rewire.cli.main import main

FEW, MANY = 12, 200
"""Snapshots of a chain."""

CHAINS = len(STORIES) + 8
MOST_QUERIES = 40


@pytest.fixture(scope="module")
def campaigns(aiida_profile: Any) -> Iterator[tuple[Made, Made]]:
    """Two campaigns that differ in the number of their snapshots alone, some hundred and more than two thousand."""
    few, many = (synthetic_campaign(chains=CHAINS, snapshots=snapshots) for snapshots in (FEW, MANY))
    with few as one, many as other:
        yield one, other


@contextmanager
def counted() -> Iterator[list[str]]:
    """List the statements that go to the database."""
    engine = get_manager().get_profile_storage().get_session().get_bind()
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def queries(action: Callable[[], Any]) -> int:
    with counted() as statements:
        action()
    return len(statements)


def test_there_are_thousands_of_snapshots(campaigns: tuple[Made, Made]) -> None:
    few, many = (sum(chain.snapshots["done"] for chain in made.chains.values()) for made in campaigns)
    assert few < 150 < 2000 <= many


def test_status_asks_as_often_for_many_snapshots_as_for_few(campaigns: tuple[Made, Made]) -> None:
    numbers = [queries(lambda made=made: look(find_campaign(made.label))) for made in campaigns]
    assert numbers[0] == numbers[1] <= MOST_QUERIES


def test_failures_ask_as_often_for_many_snapshots_as_for_few(campaigns: tuple[Made, Made]) -> None:
    numbers = [queries(lambda made=made: failure_rows(find_campaign(made.label))) for made in campaigns]
    # files of an example are read once for each kind of failure
    assert numbers[0] == numbers[1] <= 3 * MOST_QUERIES


def test_the_list_of_campaigns_asks_once_for_the_snapshots_of_all(campaigns: tuple[Made, Made]) -> None:
    with counted() as statements:
        assert CliRunner().invoke(main, ["campaign", "status"]).exit_code == 0
    assert sum("count(" in statement for statement in statements) == 1


def test_nothing_is_loaded_but_examples_of_failures(campaigns: tuple[Made, Made]) -> None:
    group = find_campaign(campaigns[1].label)
    with counted() as statements:
        look(group)
    # a node that is loaded comes with all its columns
    assert not any("repository_metadata" in statement for statement in statements)
