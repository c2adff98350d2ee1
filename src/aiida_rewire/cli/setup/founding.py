"""What `aiida-rewire setup group` does: database, roles, folder, profile and people of a group."""

from __future__ import annotations

import grp
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.setup.invitation import Invitation, write_invitation
from aiida_rewire.cli.setup.passwords import Passwords
from aiida_rewire.database.connecting import Server, session
from aiida_rewire.database.roles import (
    Person,
    add_person,
    close_database,
    exists,
    grant_tables,
    make_roles,
    remove_person,
)
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

FOLDER_MODE = 0o2750
"""The owner writes, the Unix group reads, what is made inside belongs to the same Unix group."""

UMASK = 0o027

Say = Callable[[str], None]


@dataclass(frozen=True)
class Broker:
    """RabbitMQ, as AiiDA calls its settings."""

    protocol: str
    username: str
    host: str
    port: int
    virtual_host: str

    def config(self, password: str) -> dict[str, Any]:
        """Return the settings of a profile."""
        return {
            "broker_protocol": self.protocol,
            "broker_username": self.username,
            "broker_password": password,
            "broker_host": self.host,
            "broker_port": self.port,
            "broker_virtual_host": self.virtual_host,
            "broker_parameters": {},
        }


@dataclass(frozen=True)
class Plan:
    """What is wanted.

    Attributes
    ----------
    invitation
        Where the group's database is, or is to be.
    unix_group
        Whose members may read the files.
    email
        Of the owner's user in AiiDA; None where the profile is there.
    admin
        Role of a superuser; None for what libpq finds.
    service
        Section of libpq's file of services by which the superuser connects, if any.
    broker
        RabbitMQ.
    people
        To be added, or changed.
    removed
        Names of those who go.
    """

    invitation: Invitation
    unix_group: str
    email: str | None
    admin: str | None
    service: str | None
    broker: Broker
    people: Sequence[Person]
    removed: Sequence[str]


def found_group(plan: Plan, passwords: Passwords, say: Say) -> Profile:
    """Make what is not there yet; the same twice is the same as once.

    Returns
    -------
    The profile of the owner.

    Raises
    ------
    InvalidInput
        If something is not as it must be; what was made before stays, and is found again.
    """
    from aiida.manage.configuration import get_config

    os.umask(UMASK)
    invitation, roles = plan.invitation, plan.invitation.roles
    server = Server(invitation.host, invitation.port)
    config = get_config(create=True)
    profile = config.get_profile(invitation.group) if invitation.group in config.profile_names else None
    refuse_other_profile(profile, plan)
    gid = gid_of(plan.unix_group)
    with administrator(plan, passwords, "postgres") as admin:
        fresh = {person.name: not exists(admin, roles.of_person(person.name)) for person in plan.people}
        secret_of = {
            person.name: passwords.of(person.name, person.name, new=True)
            if fresh[person.name]
            else passwords.given(person.name)
            for person in plan.people
        }
        if profile is None:
            broker = plan.broker.config(passwords.of("broker", f"{plan.broker.username} at RabbitMQ", new=False))
            refuse_broker(broker)
            owner_password = secrets.token_urlsafe(24)
        else:
            owner_password = str(profile.storage_config["database_password"])
        make_roles(admin, roles, owner_password)
        say(f"database {invitation.group}, roles {roles.owner}, {roles.of_kind('member')}, {roles.of_kind('viewer')}")
        with administrator(plan, passwords, invitation.group) as inside:
            close_database(inside, roles)
        make_folders(invitation, gid, say)
        if profile is None:
            profile = make_profile(plan, owner_password, broker)
            say(f"profile {profile.name}: {profile.storage_backend}, {profile.process_control_backend}")
        with session(server, invitation.group, roles.owner, password=owner_password) as owner:
            grant_tables(owner, roles)
        for person in plan.people:
            add_person(admin, roles, person, secret_of[person.name])
            say(f"{person.kind} {person.name}, {person.email}")
        for name in plan.removed:
            remove_person(admin, roles, name)
            say(f"removed {name}; what they recorded stays")
    make_shared_nodes(profile, plan.people)
    say(f"people join by {write_invitation(invitation)}")
    return profile


@contextmanager
def administrator(plan: Plan, passwords: Passwords, database: str) -> Iterator[Any]:
    """Open a session of a superuser: by libpq's own files, by the file of passwords, or by a prompt."""
    where = Server(plan.invitation.host, plan.invitation.port)
    if plan.service is not None:
        opened = session(Server("", 0), database, plan.admin, host=None, port=None, service=plan.service)
    elif (known := passwords.given("admin")) is not None:
        opened = session(where, database, plan.admin, password=known)
    else:
        opened = by_passfile_or_prompt(plan, passwords, where, database)
    with opened as admin:
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper").fetchone() is None:
            raise InvalidInput(
                "admin",
                admin.info.user,
                "a superuser of PostgreSQL, who makes the roles",
                "name another with --admin",
            )
        yield admin


@contextmanager
def by_passfile_or_prompt(plan: Plan, passwords: Passwords, where: Server, database: str) -> Iterator[Any]:
    """Open a session by what libpq finds by itself; where it finds no password it is asked for."""
    try:
        opened = session(where, database, plan.admin)
        admin = opened.__enter__()
    except InvalidInput as error:
        if error.value != "no password":
            raise
        secret = passwords.of("admin", f"{plan.admin} at PostgreSQL", new=False)
        with session(where, database, plan.admin, password=secret) as asked:
            yield asked
        return
    try:
        yield admin
    finally:
        admin.close()


def refuse_other_profile(profile: Profile | None, plan: Plan) -> None:
    """Refuse a profile of the group's name that is something else, and a new one without an e-mail.

    Raises
    ------
    InvalidInput
        If so.
    """
    invitation = plan.invitation
    if profile is None:
        if plan.email is None:
            raise InvalidInput("email", "none", "that of the group's account, new in AiiDA", "give --email")
        return
    config = profile.storage_config
    wanted = invitation.storage(invitation.roles.owner, "")
    same = ("database_hostname", "database_port", "database_username", "database_name", "repository_uri")
    differing = [name for name in same if config.get(name) != wanted[name]]
    if differing:
        raise InvalidInput(
            "profile",
            profile.name,
            f"this group's owner's, or not there; it has another {differing[0]}: {config.get(differing[0])}",
            "name the group otherwise, or give the options that it was made with",
        )


def gid_of(unix_group: str) -> int:
    """Return the number of a Unix group that this account is in.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    try:
        gid = grp.getgrnam(unix_group).gr_gid
    except KeyError as error:
        raise InvalidInput("unix-group", repr(unix_group), "one of this machine's", "groupadd makes it") from error
    if os.geteuid() != 0 and gid not in (os.getegid(), *os.getgroups()):
        raise InvalidInput("unix-group", unix_group, "one that this account is in", "usermod -aG, then log in again")
    return gid


def refuse_broker(config: dict[str, Any]) -> None:
    """Refuse a broker that does not let this account in.

    Raises
    ------
    InvalidInput
        If it does not.
    """
    from aiida.brokers.rabbitmq.defaults import detect_rabbitmq_config

    given = {name.removeprefix("broker_"): value for name, value in config.items() if name != "broker_parameters"}
    try:
        detect_rabbitmq_config(**given)
    except ConnectionError as error:
        where = f"RabbitMQ at {config['broker_host']}, port {config['broker_port']}"
        reason = " ".join(str(error.__cause__).split())[:160]
        raise InvalidInput(
            "broker",
            where,
            f"one that lets {config['broker_username']} in ({reason})",
            "see `docs/howto`: a group's database, for the commands that make account and virtual host",
        ) from error


def make_folders(invitation: Invitation, gid: int, say: Say) -> None:
    """Make the folder of the group and that of the repository, for the Unix group to read.

    Raises
    ------
    InvalidInput
        If somebody else has it.
    """
    for folder in (Path(invitation.folder), invitation.repository):
        try:
            folder.mkdir(mode=0o700, parents=False)
        except FileExistsError:
            if not folder.is_dir() or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                raise InvalidInput("folder", folder, "yours, or not there", "give another with --folder") from None
        except (FileNotFoundError, PermissionError) as error:
            raise InvalidInput(
                "folder", folder, f"one that you can make ({error.strerror})", "let its parent be made for you first"
            ) from error
        os.chown(folder, -1, gid)
        folder.chmod(FOLDER_MODE)
    say(f"folder {invitation.folder}, mode {FOLDER_MODE & 0o7777:o}")


def make_profile(plan: Plan, owner_password: str, broker: dict[str, Any]) -> Profile:
    """Make the profile of the owner with its tables, repository and user."""
    from aiida.manage.configuration import create_profile, get_config

    config = get_config()
    invitation = plan.invitation
    profile = create_profile(
        config,
        storage_backend="rewire.psql_dos",
        storage_config=invitation.storage(invitation.roles.owner, owner_password),
        broker_backend="rewire.rabbitmq",
        broker_config=broker,
        name=invitation.group,
        email=plan.email or "",
        first_name=invitation.group,
        last_name="",
        institution="",
    )
    profile.default_user_email = plan.email
    if config.default_profile_name is None:
        config.set_default_profile(profile.name)
    config.update_profile(profile)
    config.store()
    return profile


def make_shared_nodes(profile: Profile, people: Sequence[Person]) -> None:
    """Make what members and viewers could not: their users of AiiDA, and the force field that campaigns have."""
    from aiida import orm
    from aiida.manage import get_manager
    from aiida.plugins import CalculationFactory

    get_manager().load_profile(profile.name, allow_switch=True)
    for person in people:
        created, user = orm.User.collection.get_or_create(email=person.email)
        if created:
            user.first_name = person.name
            user.store()
    # the check of a campaign takes it from the database, or would store it
    CalculationFactory("rewire.md").spec().inputs["potential"].default()
