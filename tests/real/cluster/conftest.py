"""A group's database whose cluster is reached by SSH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.cluster.over_ssh import add_computers, make_cluster_database
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm
from tests.real.services.ssh import Ssh


@pytest.fixture(scope="session")
def cluster_database(
    services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, slurm: Slurm, ssh: Ssh
) -> Iterator[Profile]:
    """Hardened profile whose daemon runs."""
    profile = Profile(services_folder / "behind_ssh", {**slurm.environment, **ssh.environment})
    yield from make_cluster_database(profile, postgres, rabbitmq, ssh)


@pytest.fixture(scope="session")
def ssh_profile(services_folder: Path, slurm: Slurm, ssh: Ssh) -> Profile:
    """Profile without services and without a daemon, that knows the cluster by both transports of AiiDA."""
    profile = Profile(services_folder / "by_ssh", {**slurm.environment, **ssh.environment})
    profile.create_embedded()
    add_computers(profile, ssh)
    return profile
