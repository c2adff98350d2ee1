"""All services in one folder, and an AiiDA profile on them."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm

CLUSTER = "cluster"
DATABASE = "aiida"


@dataclass(frozen=True)
class Services:
    """What runs, and the profile on it."""

    postgres: Postgres
    rabbitmq: RabbitMQ
    slurm: Slurm
    profile: Profile


@contextlib.contextmanager
def all_services(folder: Path) -> Iterator[Services]:
    """Start all services, make a profile whose computer `cluster` is the Slurm of this folder, and stop them again.

    Parameters
    ----------
    folder
        Exists, is empty, and may be entered by the accounts of the services.
    """
    postgres, rabbitmq = Postgres(folder / "postgres"), RabbitMQ(folder / "rabbitmq")
    slurm = Slurm(folder / "slurm")
    profile = Profile(folder / "aiida", slurm.environment)
    with contextlib.ExitStack() as stack:
        for service in (postgres, rabbitmq, slurm):
            stack.callback(service.stop)
            service.start()
        stack.callback(profile.stop_daemon)
        profile.create(postgres, rabbitmq, DATABASE)
        profile.add_computer(CLUSTER, "core.slurm")
        yield Services(postgres, rabbitmq, slurm, profile)


def environment_file(services: Services) -> str:
    """Return what a shell reads so that `verdi`, `aiida-rewire`, `squeue` and so on find these services."""
    variables = {"AIIDA_PATH": str(services.profile.folder), **services.slurm.environment}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
