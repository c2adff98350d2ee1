"""`aiida-rewire harden`: a profile whose services may be restarted while its daemon runs, and whose Slurm may err."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.opening import told_in_a_line
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.storages import STORAGES

if TYPE_CHECKING:
    from aiida import orm

BROKERS = {"core.rabbitmq": "rewire.rabbitmq"}
SCHEDULERS = {"core.slurm": "rewire.slurm"}


@click.command("harden")
@click.option("-p", "--profile", "name", metavar="NAME", help="AiiDA profile; the default one by default.")
@click.option("--undo", is_flag=True, help="Back to AiiDA's own ways, for instance before this package is removed.")
def harden_command(name: str | None, undo: bool) -> None:
    """Let the workers of a profile survive restarts of PostgreSQL and RabbitMQ, a busy SQLite, and a Slurm that errs.

    By AiiDA's own ways a worker whose database was restarted, or could not be written to for five seconds as SQLite
    may be, fails for ever after; one whose RabbitMQ was restarted goes on with processes that another worker runs as
    well; and a job that squeue does not name has ended. The data stay where they are; only how they are reached
    changes. Programs that have the profile open go on as before until they are started again. Computers that are set
    up later are changed when this is called again.
    """
    from aiida.common.exceptions import ConfigurationError
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    config = get_config()
    try:
        profile = get_manager().load_profile(name)
    except ConfigurationError as error:
        raise DemoFailure(
            f"profile = {name or 'the default one'}: {error}; `verdi profile list` shows them"
        ) from error
    storage, broker, scheduler = (
        {ours: theirs for theirs, ours in ways.items()} if undo else ways for ways in (STORAGES, BROKERS, SCHEDULERS)
    )
    new_storage, new_broker = storage.get(profile.storage_backend), broker.get(profile.process_control_backend)
    with told_in_a_line():
        computers = computers_with(scheduler)
    if new_storage is None and new_broker is None and not computers:
        click.echo(f"{profile.name}: {profile.storage_backend}, {profile.process_control_backend}; nothing to change")
        return
    if get_manager().get_daemon_client().is_daemon_running:
        raise DemoFailure(
            f"profile = {profile.name}: its daemon runs; `verdi daemon stop` first, and start it again after"
        )
    for computer in computers:
        computer.scheduler_type = scheduler[computer.scheduler_type]
        click.echo(f"{computer.label}: {computer.scheduler_type}")
    if new_storage is not None:
        profile.set_storage(new_storage, profile.storage_config)
    if new_broker is not None:
        profile.set_process_controller(new_broker, profile.process_control_config)
    config.update_profile(profile)
    config.store()
    click.echo(f"{profile.name}: {profile.storage_backend}, {profile.process_control_backend}")


def computers_with(schedulers: Collection[str]) -> list[orm.Computer]:
    """Return the computers whose scheduler is one of these."""
    from aiida import orm

    return [computer for computer in orm.Computer.collection.all() if computer.scheduler_type in schedulers]
