"""All services in one folder, and an AiiDA profile on them."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real.services.postgres import Postgres
from tests.real.services.profile import MPI, Profile
from tests.real.services.program import running, where_is
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.slurm import Slurm
from tests.real.services.ssh import Ssh

CLUSTER = "cluster"
OVER_SSH = "cluster-ssh"
ACCOUNTING = ("slurmdbd", "mariadbd")
DATABASE = "aiida"


@dataclass(frozen=True)
class Services:
    """What runs, and the profile on it."""

    postgres: Postgres
    rabbitmq: RabbitMQ
    slurm: Slurm
    ssh: Ssh
    profile: Profile


@contextlib.contextmanager
def all_services(folder: Path) -> Iterator[Services]:
    """Start all services, make a profile with their cluster as a computer, and stop them again.

    The computer is there twice: `cluster` reaches Slurm on this machine, `cluster-ssh` over SSH. Slurm keeps accounts
    where the programs for it are installed.

    Parameters
    ----------
    folder
        Exists, is empty, and may be entered by the accounts of the services.
    """
    postgres, rabbitmq = Postgres(folder / "postgres"), RabbitMQ(folder / "rabbitmq")
    slurm = Slurm(folder / "slurm", accounting=all(map(where_is, ACCOUNTING)))
    ssh = Ssh(folder / "ssh", {**slurm.environment, **MPI})
    profile = Profile(folder / "aiida", {**slurm.environment, **ssh.environment})
    with contextlib.ExitStack() as stack:
        for service in (postgres, rabbitmq, slurm, ssh):
            stack.enter_context(running(service))
        stack.callback(profile.stop_daemon)
        profile.create(postgres, rabbitmq, DATABASE)
        profile.add_computer(CLUSTER, "core.slurm")
        profile.add_computer_over_ssh(OVER_SSH, "core.slurm", ssh)
        yield Services(postgres, rabbitmq, slurm, ssh, profile)


def environment_file(services: Services) -> str:
    """Return what a shell reads so that `verdi`, `aiida-rewire`, `squeue` and so on find these services."""
    variables = {"AIIDA_PATH": str(services.profile.folder), **services.profile.variables}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
