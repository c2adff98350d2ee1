"""What `aiida-rewire setup join` does: a person's own profile on the database of a group."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_rewire.cli.setup.invitation import Invitation
from aiida_rewire.database.connecting import Server, session
from aiida_rewire.database.roles import Kind, Person, checked_name, person_of
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

USER = "SELECT 1 FROM db_dbuser WHERE email = %s"


@dataclass(frozen=True)
class Joining:
    """Who joins.

    Attributes
    ----------
    invitation
        To which group.
    kind
        As what.
    name
        By which the owner knows them.
    profile
        Name of their profile.
    """

    invitation: Invitation
    kind: Kind
    name: str
    profile: str

    @property
    def role(self) -> str:
        """By which they log in."""
        return self.invitation.roles.of_person(checked_name("user", self.name))


def join_group(joining: Joining, password: str) -> tuple[Profile, Person]:
    """Make a profile, or give it another password; nothing is written into the database.

    Returns
    -------
    The profile, and who joined.

    Raises
    ------
    InvalidInput
        If the server, the database or the files do not let them in.
    """
    person = person_joining(joining, password)
    refuse_closed_files(joining.invitation)
    return make_profile(joining, person, password), person


def person_joining(joining: Joining, password: str) -> Person:
    """Return who joins, as the database knows them.

    Raises
    ------
    InvalidInput
        If it does not, or as something else.
    """
    invitation = joining.invitation
    server = Server(invitation.host, invitation.port)
    with session(server, invitation.group, joining.role, password=password) as opened:
        person = person_of(opened, invitation.roles, joining.role)
        if person is None:
            raise InvalidInput("user", joining.name, f"in the group {invitation.group}", "ask its owner")
        if person.kind != joining.kind:
            raise InvalidInput(
                "as", joining.kind, f"what the owner made of you: {person.kind}", f"--as {person.kind}"
            )
        if opened.execute(USER, [person.email]).fetchone() is None:
            way_out = "ask the owner to run `aiida-rewire setup group` with you once more"
            raise InvalidInput("user", person.email, "a user of AiiDA there", way_out)
    return person


def refuse_closed_files(invitation: Invitation) -> None:
    """Refuse a repository that this account cannot read.

    Raises
    ------
    InvalidInput
        If so.
    """
    file = invitation.repository / "container" / "config.json"
    if not os.access(file, os.R_OK):
        raise InvalidInput(
            "repository",
            invitation.repository,
            "a folder that you can read here",
            "ask the owner to put your account into its Unix group, and log in again; it must be mounted here",
        )


def make_profile(joining: Joining, person: Person, password: str) -> Profile:
    """Make the profile, or change it; it has no broker, and no daemon.

    Raises
    ------
    InvalidInput
        If a profile of that name is something else, or AiiDA cannot use the database.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage.configuration import get_config
    from aiida.manage.configuration.profile import Profile

    config = get_config(create=True)
    storage = joining.invitation.storage(joining.role, password)
    if joining.profile in config.profile_names:
        there = config.get_profile(joining.profile).storage_config
        if {**there, "database_password": ""} != {**storage, "database_password": ""}:
            raise InvalidInput("profile", joining.profile, "free, or yours in this group", "give another by --name")
        profile = config.get_profile(joining.profile)
        profile.set_storage("rewire.psql_dos", storage)
    else:
        values = {
            "storage": {"backend": "rewire.psql_dos", "config": storage},
            "process_control": {"backend": None, "config": {}},
            "test_profile": False,
        }
        profile = Profile(joining.profile, values)
    profile.default_user_email = person.email
    try:
        profile.storage_cls(profile).close()
    except AiidaException as error:
        reason = " ".join(str(error).split())[:300]
        raise InvalidInput(
            "database", joining.invitation.group, f"of this version of AiiDA ({reason})", "use the owner's version"
        ) from error
    config.update_profile(profile)
    if config.default_profile_name is None:
        config.set_default_profile(profile.name)
    config.store()
    return profile
