"""`aiida-rewire setup group`, `join` and `check-group`: a database that several people share."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import answer, json_option, say, say_aside, told_in_a_line
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.profile import PROFILE_KEY
from aiida_rewire.cli.setup.passwords import passwords_option

if TYPE_CHECKING:
    from aiida_rewire.database.roles import Kind, Person

EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,150}")
EMAIL_BOUND = "NAME=EMAIL, such as ada=ada@uni.example"


def email_of(what: str, text: str) -> str:
    """Return an e-mail as it stands.

    Raises
    ------
    InvalidInput
        If it is none.
    """
    from aiida_rewire.errors import InvalidInput

    if not EMAIL.fullmatch(text):
        raise InvalidInput(what, repr(text[:80]), "an e-mail", "it tells people apart; nothing is sent to it")
    return text


def people_of(members: Sequence[str], viewers: Sequence[str]) -> list[Person]:
    """Return people from ``NAME=EMAIL``.

    Raises
    ------
    InvalidInput
        If one is none, or there twice.
    """
    from aiida_rewire.database.roles import RESERVED, Person, checked_name
    from aiida_rewire.errors import InvalidInput

    found: list[Person] = []
    kinds: tuple[tuple[Kind, Sequence[str]], ...] = (("member", members), ("viewer", viewers))
    for kind, texts in kinds:
        for text in texts:
            name, parted, email = text.partition("=")
            if not parted:
                raise InvalidInput(kind, repr(text[:80]), EMAIL_BOUND, "give both")
            checked_name(kind, name)
            if name in RESERVED:
                raise InvalidInput(kind, name, f"none of {', '.join(RESERVED)}", "choose another")
            found.append(Person(name, email_of(kind, email), kind))
    for what in ("name", "email"):
        values = [getattr(person, what) for person in found]
        if twice := [value for value in values if values.count(value) > 1]:
            raise InvalidInput(what, twice[0], "given once", "everybody is one thing, a member or a viewer")
    return found


@contextmanager
def told_in_lines() -> Iterator[None]:
    """Tell errors in a line, those of PostgreSQL and AiiDA too."""
    with told_in_a_line():
        import psycopg
        from aiida.common.exceptions import AiidaException

        try:
            yield
        except (psycopg.Error, AiidaException) as error:
            raise DemoFailure(" ".join(str(error).split())) from error


@click.command("group")
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For files of the group; made if new.")
@click.option("--unix-group", required=True, metavar="GROUP", help="Unix group that may read the files.")
@click.option("--email", help="Of the group's account, as AiiDA knows it; needed once.")
@click.option("--member", "members", multiple=True, metavar="NAME=EMAIL", help="Who records campaigns; repeatable.")
@click.option("--viewer", "viewers", multiple=True, metavar="NAME=EMAIL", help="Who reads; repeatable.")
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Who may no longer come in; repeatable.")
@click.option("--host", default="localhost", show_default=True, help="Of PostgreSQL.")
@click.option("--port", type=click.IntRange(1, 65535), default=5432, show_default=True, help="Of PostgreSQL.")
@click.option("--admin", metavar="ROLE", help="Superuser that makes the roles. Default: postgres, or the service's.")
@click.option(
    "--admin-service", metavar="SERVICE", help="Section of ~/.pg_service.conf by which the superuser connects."
)
@click.option("--broker-protocol", type=click.Choice(["amqp", "amqps"]), default="amqp", show_default=True)
@click.option("--broker-user", help="Of RabbitMQ. Default: the name of the group.")
@click.option("--broker-host", default="127.0.0.1", show_default=True, help="Of RabbitMQ.")
@click.option("--broker-port", type=click.IntRange(1, 65535), default=5672, show_default=True, help="Of RabbitMQ.")
@click.option("--broker-vhost", help="Virtual host of RabbitMQ. Default: the name of the group.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Of the daemon, in its unit."
)
@passwords_option
@click.option("--units", type=click.Path(path_type=Path, file_okay=False), help="Write the units here too.")
def group_command(
    name: str,
    folder: Path,
    unix_group: str,
    email: str | None,
    members: tuple[str, ...],
    viewers: tuple[str, ...],
    removed: tuple[str, ...],
    file: Path | None,
    workers: int,
    units: Path | None,
    **where: Any,
) -> None:
    """Make the database of a group, for the account that is to own it: database, roles, files, profile, people.

    Run it as that account. Again it changes nothing that is as it should be, adds who is new and removes who goes.
    Units for systemd are printed, not installed. Passwords are asked for, or stand in the file of --passwords:
    `admin` (the superuser's), `broker`, and one for each person by name.
    """
    with told_in_lines():
        from aiida_rewire.cli.setup.founding import Broker, Plan, found_group
        from aiida_rewire.cli.setup.invitation import Invitation
        from aiida_rewire.cli.setup.passwords import Passwords
        from aiida_rewire.database.roles import checked_name

        checked_name("name", name)
        plan = Plan(
            invitation=Invitation(name, where["host"], where["port"], str(folder.absolute())),
            unix_group=unix_group,
            email=None if email is None else email_of("email", email),
            admin=where["admin"] or (None if where["admin_service"] else "postgres"),
            service=where["admin_service"],
            broker=Broker(
                protocol=where["broker_protocol"],
                username=where["broker_user"] or name,
                host=where["broker_host"],
                port=where["broker_port"],
                virtual_host=name if where["broker_vhost"] is None else where["broker_vhost"],
            ),
            people=people_of(members, viewers),
            removed=[checked_name("remove", one) for one in removed],
        )
        found_group(plan, Passwords.of_file(file), say_aside)
        show_units(name, workers, units)


def show_units(name: str, workers: int, folder: Path | None) -> None:
    """Print the units of systemd, and write them where they are wanted."""
    from aiida.manage.configuration import get_config

    from aiida_rewire.cli.setup.units import Service, units_of

    aiida_path = str(Path(get_config().dirpath).parent)
    texts = units_of(Service(name, getpass.getuser(), sys.executable, aiida_path, workers))
    for unit, text in texts.items():
        say(f"# /etc/systemd/system/{unit}")
        say(text)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / unit).write_text(text)
    say_aside(f"the units are not installed; as root: put them there, then systemctl enable --now {' '.join(texts)}")


@click.command("join")
@click.argument("place", type=click.Path(path_type=Path))
@click.option(
    "--as", "kind", type=click.Choice(["member", "viewer"]), required=True, help="What the owner made of you."
)
@click.option("--user", metavar="NAME", help="By which the owner knows you. Default: your login name.")
@click.option("--name", "profile", help="Of your profile. Default: that of the group.")
@passwords_option
@json_option
def join_command(
    place: Path, kind: Kind, user: str | None, profile: str | None, file: Path | None, as_json: bool
) -> None:
    """Make a profile of your own on the database of a group; PLACE is its folder, or the join.json in it.

    The password is asked for, or stands in the file of --passwords by your name. Nothing is written into the
    database. Again with another password the profile takes it.
    """
    with told_in_lines():
        from aiida_rewire.cli.setup.invitation import read_invitation
        from aiida_rewire.cli.setup.joining import Joining, join_group
        from aiida_rewire.cli.setup.passwords import Passwords

        invitation = read_invitation(place)
        joining = Joining(invitation, kind, user or getpass.getuser(), profile or invitation.group)
        passwords = Passwords.of_file(file)
        role = joining.role
        made, person = join_group(joining, passwords.of(joining.name, f"{role} at PostgreSQL", new=False))
        can = "record campaigns and read all" if kind == "member" else "read all"
        lines = [
            f"profile {made.name}: {person.email}, a {kind} of {invitation.group}; you {can}",
            f"aiida-rewire campaign --profile {made.name} status",
        ]
        answer({"profile": made.name, "role": role, "kind": kind, "email": person.email}, lines, as_json=as_json)


@click.command("check-group")
@json_option
@click.pass_context
def check_group_command(context: click.Context, as_json: bool) -> None:
    """Look at the group of a profile: who is there, and whether everything is closed that should be.

    Anybody of the group may ask; the broker is looked at for the owner. The exit status is 1 if something failed.
    """
    with told_in_lines():
        from aiida_rewire.cli.check_lines import as_values, number_of_failures, show_checks
        from aiida_rewire.cli.setup.checking import look_at_group

        seen = look_at_group(context.meta.get(PROFILE_KEY))
        if as_json:
            people = [{"name": one.name, "email": one.email, "kind": one.kind} for one in seen.people]
            answer({"group": seen.group, "people": people, "checks": as_values(seen.checks)}, [], as_json=True)
        else:
            from aiida_rewire.cli.campaign.showing import Sheet, show

            rows = [(seen.owner, "owner", "", seen.sessions_of(seen.owner))]
            rows += [(one.name, one.kind, one.email, seen.sessions_of(one.name)) for one in seen.people]
            show(Sheet(columns=("who", "is", "e-mail", ">sessions"), rows=rows))
            show_checks(seen.checks)
    if number_of_failures(seen.checks):
        context.exit(1)
