"""A group with an owner, two members and a viewer: accounts of Unix, on PostgreSQL and RabbitMQ."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.real.group.accounts import Account, made_accounts, others_can_run
from tests.real.services.postgres import Postgres
from tests.real.services.program import LOOPBACK
from tests.real.services.rabbitmq import RabbitMQ

NAME = "lab"
READERS = "rwreaders"
OWNER, ADA, BEN, VIC = "rwowner", "rwada", "rwben", "rwvic"
EMAILS = {ADA: "ada@uni.example", BEN: "ben@uni.example", VIC: "vic@uni.example"}


CODES = """
import io, sys
from aiida import load_profile, orm
load_profile()
from aiida.plugins import GroupFactory
from aiida_pseudo.data.pseudo import UpfData
from aiida_rewire.cli import ingredients
computer = orm.Computer("here", "localhost", transport_type="core.local", scheduler_type="core.direct")
computer.set_workdir(sys.argv[1])
computer.set_default_mpiprocs_per_machine(1)
computer.set_minimum_job_poll_interval(0.5)
computer.store().configure(safe_interval=0.0, use_login_shell=False)
for label, path in ingredients.find_programs().items():
    orm.InstalledCode(
        label=label, computer=computer, filepath_executable=str(path),
        default_calc_job_plugin=ingredients.PROGRAMS[label][1], prepend_text=ingredients.ONE_THREAD,
    ).store()
text = '<UPF version="2.0.1">\\n<PP_HEADER\\nelement="Ag"\\nz_valence="1.0"\\n/>\\n</UPF>\\n'
family = GroupFactory("pseudo.family")(label="stand-in").store()
family.add_nodes([UpfData(io.BytesIO(text.encode()), filename="Ag.upf").store()])
"""


@dataclass
class Group:
    """What was set up.

    Attributes
    ----------
    folder
        Of the group.
    options
        Of `setup group`, as the owner gave them.
    passwords
        By name.
    said
        What the owner was told.
    """

    folder: Path
    owner: Account
    ada: Account
    ben: Account
    vic: Account
    options: list[str]
    passwords: dict[str, str]
    said: str

    def set_up(self, *more: str, status: int = 0) -> str:
        """Let the owner set it up once more."""
        return self.owner.rewire("setup", "group", NAME, *self.options, *more, status=status)


def lines_of(passwords: dict[str, str]) -> str:
    return "".join(f"{name}: {password}\n" for name, password in passwords.items())


@pytest.fixture(scope="session")
def group(services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ) -> Iterator[Group]:
    """The group, everybody in it."""
    if os.geteuid() != 0:
        pytest.skip("only root makes accounts")
    if not others_can_run():
        pytest.skip("other accounts cannot reach the interpreter, and cannot be given a view in which they can")
    passwords = {name: secrets.token_urlsafe(18) for name in ("broker", ADA, BEN, VIC)}
    passwords["admin"] = postgres.password
    rabbitmq.control("add_vhost", NAME)
    rabbitmq.control("add_user", NAME, passwords["broker"])
    rabbitmq.control("set_permissions", "--vhost", NAME, NAME, ".*", ".*", ".*")
    # whatever is ever sent to the server is in its log
    with postgres.connect() as admin:
        admin.execute("ALTER SYSTEM SET log_statement = 'all'")
        admin.execute("SELECT pg_reload_conf()")
    homes = services_folder / "people"
    homes.mkdir(mode=0o755)
    with made_accounts(homes, READERS, OWNER, ADA, BEN, VIC) as those:
        owner = those[OWNER]
        file = owner.write("passwords", lines_of(passwords))
        owner.home.chmod(0o711)
        folder = owner.home / "shared"
        options = [
            *("--folder", str(folder), "--unix-group", READERS, "--email", "lab@uni.example"),
            *("--host", LOOPBACK, "--port", str(postgres.port)),
            *("--broker-port", str(rabbitmq.port), "--passwords", str(file)),
            *("--member", f"{ADA}={EMAILS[ADA]}", "--member", f"{BEN}={EMAILS[BEN]}"),
            *("--viewer", f"{VIC}={EMAILS[VIC]}"),
        ]
        said = owner.rewire("setup", "group", NAME, *options)
        one = Group(folder, owner, those[ADA], those[BEN], those[VIC], options, passwords, said)
        for account, kind in ((one.ada, "member"), (one.ben, "member"), (one.vic, "viewer")):
            mine = account.write("password", f"{account.name}: {passwords[account.name]}\n")
            account.rewire("setup", "join", str(folder), "--as", kind, "--passwords", str(mine))
        one.owner.python(CODES, str(one.owner.home / "scratch"))
        yield one
