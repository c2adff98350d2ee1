"""Session fixtures: each service is started by the first test that asks for it, and stopped after the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.services.postgres import Postgres
from tests.real.services.profile import MPI, Profile
from tests.real.services.program import running, service_folder
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm
from tests.real.services.ssh import Ssh
from tests.real.services.together import CLUSTER, DATABASE


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """Folder of the services, gone afterwards."""
    with service_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(services_folder: Path) -> Iterator[Postgres]:
    """PostgreSQL."""
    with running(Postgres(services_folder / "postgres")) as service:
        yield service


@pytest.fixture(scope="session")
def rabbitmq(services_folder: Path) -> Iterator[RabbitMQ]:
    """RabbitMQ."""
    with running(RabbitMQ(services_folder / "rabbitmq")) as service:
        yield service


@pytest.fixture(scope="session")
def slurm(services_folder: Path) -> Iterator[Slurm]:
    """Slurm."""
    with running(Slurm(services_folder / "slurm")) as service:
        yield service


@pytest.fixture(scope="session")
def ssh(services_folder: Path, slurm: Slurm) -> Iterator[Ssh]:
    """SSH server, in whose sessions Slurm is found."""
    with running(Ssh(services_folder / "ssh", {**slurm.environment, **MPI})) as service:
        yield service


@pytest.fixture(scope="session")
def shared_profile(services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, slurm: Slurm) -> Iterator[Profile]:
    """Profile on PostgreSQL and RabbitMQ, with the computer `cluster` on Slurm; its daemon is the tests' business."""
    profile = Profile(services_folder / "aiida", slurm.environment)
    try:
        profile.create(postgres, rabbitmq, DATABASE)
        profile.add_computer(CLUSTER, "core.slurm")
        yield profile
    finally:
        profile.stop_daemon()
