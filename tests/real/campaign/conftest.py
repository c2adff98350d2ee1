"""A profile of its own with a daemon that knows the stand-in of the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.harness import HERE, WORKERS, Campaigns, Study, with_bash
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder


@pytest.fixture(scope="session")
def campaigns() -> Iterator[Campaigns]:
    """Campaigns on SQLite and the broker of the daemon, which runs."""
    with service_folder() as folder:
        profile = Profile(folder / "aiida", {"PYTHONPATH": str(HERE)})
        profile.create_embedded()
        with_bash(profile)
        those = Campaigns(profile)
        try:
            profile.start_daemon(WORKERS)
            yield those
        finally:
            those.close()


@pytest.fixture(scope="session")
def shared_campaigns(services_folder: Path, postgres: Any, rabbitmq: Any) -> Iterator[Campaigns]:
    """Campaigns on PostgreSQL and RabbitMQ; the daemon runs."""
    profile = Profile(services_folder / "campaigns", {"PYTHONPATH": str(HERE)})
    profile.create(postgres, rabbitmq, "campaigns")
    with_bash(profile)
    those = Campaigns(profile)
    try:
        profile.start_daemon(WORKERS)
        yield those
    finally:
        those.close()


@pytest.fixture
def study(campaigns: Campaigns, tmp_path: Path) -> Iterator[Callable[..., Study]]:
    """Make a campaign whose controllers end with the test."""
    made: list[Study] = []

    def make(label: str, *, on: Campaigns | None = None, **task: Any) -> Study:
        made.append(Study(on or campaigns, tmp_path / "lines", label, **task))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[str]]:
    """Lines that the jobs left, sorted."""
    return lambda: sorted((tmp_path / "lines").read_text().splitlines())
