"""Roles of a group's database on PostgreSQL, and what each may do.

Three roles stand for what people are: the owner, whose account runs everything; members, who record campaigns and ask
for what becomes of them; viewers, who read. A person has a role of their own that may log in, and is one of these by
it. Nobody but the owner writes nodes: a process goes on from a checkpoint in a node, and whoever writes one runs
programs as the owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

Kind = Literal["member", "viewer"]
KINDS: tuple[Kind, ...] = ("member", "viewer")

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
NAME_BOUND = "at most 30 small letters, digits and underscores, a letter first"
RESERVED = ("owner", "member", "viewer")

CAMPAIGNS = "db_dbgroup"
"""Table of groups; the record of a campaign is a row of it."""

RECORDED = ("label", "description", "extras")
"""Columns by which a record changes: whose it is, and what it is, stay."""

SESSIONS = 20
"""So many a person may have at a time."""

HARMLESS = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def checked_name(what: str, name: str) -> str:
    """Return a name that can be that of a role as it stands.

    Raises
    ------
    InvalidInput
        If it cannot.
    """
    if not NAME.fullmatch(name):
        shown = name if len(name) <= 40 else f"{name[:40]}..."
        raise InvalidInput(what, repr(shown), NAME_BOUND, "choose another")
    return name


@dataclass(frozen=True)
class Roles:
    """Names of the roles of a group.

    Attributes
    ----------
    database
        Name of the database, with which they begin.
    """

    database: str

    @property
    def owner(self) -> str:
        """Who owns database and tables."""
        return f"{self.database}_owner"

    def of_kind(self, kind: Kind) -> str:
        """Return the role that all members, or all viewers, are in; nobody logs in as it."""
        return f"{self.database}_{kind}"

    def of_person(self, name: str) -> str:
        """Return the role of a person."""
        return f"{self.database}_{name}"


@dataclass(frozen=True)
class Person:
    """Somebody beside the owner.

    Attributes
    ----------
    name
        Short; part of the role's name.
    email
        By which AiiDA knows them.
    kind
        What they are.
    """

    name: str
    email: str
    kind: Kind


def sql(template: str, *names: str, **literals: str) -> Composed:
    """Return a statement with names quoted in the place of ``{}``, and literals by their keywords."""
    from psycopg import sql as parts

    words = {key: parts.Literal(value) for key, value in literals.items()}
    return parts.SQL(template).format(*map(parts.Identifier, names), **words)


def verifier(session: Connection, role: str, password: str) -> str:
    """Return what the server keeps of a password: it is never sent, so that no log can hold it."""
    made: bytes = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()


def exists(session: Connection, role: str) -> bool:
    """Whether there is a role."""
    return session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def make_roles(admin: Connection, roles: Roles, owner_password: str) -> None:
    """Make the owner, the two kinds and the database; the same twice is the same as once, with another password.

    Parameters
    ----------
    admin
        Session of a superuser with any database, each statement a transaction of its own.
    roles
        Of the group.
    owner_password
        The owner's.
    """
    for role, login in ((roles.owner, "LOGIN"), *((roles.of_kind(kind), "NOLOGIN") for kind in KINDS)):
        if not exists(admin, role):
            admin.execute(sql("CREATE ROLE {}", role))
        admin.execute(sql(f"ALTER ROLE {{}} {login} {HARMLESS}", role))
    set_password(admin, roles.owner, owner_password)
    found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [roles.database]).fetchone()
    if found is None:
        admin.execute(
            sql("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0", roles.database, roles.owner)
        )
    admin.execute(sql("REVOKE ALL ON DATABASE {} FROM PUBLIC", roles.database))
    for kind in KINDS:
        admin.execute(sql("GRANT CONNECT ON DATABASE {} TO {}", roles.database, roles.of_kind(kind)))


def set_password(session: Connection, role: str, password: str) -> None:
    """Set a password."""
    session.execute(sql("ALTER ROLE {} PASSWORD {secret}", role, secret=verifier(session, role, password)))


CLOSED = """
SELECT oid::regprocedure::text, proname LIKE '%advisory%' FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
AND proname ~ '^(pg_(try_)?advisory|lo_(create|creat|from_bytea|put)$)'
"""
"""Functions by which who may only read could take a campaign's lock, or fill the disk with large objects."""


def close_database(admin: Connection, roles: Roles) -> None:
    """Take from everybody what PostgreSQL grants everybody in a new database.

    Parameters
    ----------
    admin
        Session of a superuser with the database of the group.
    roles
        Of the group.
    """
    from psycopg import sql as parts

    admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    admin.execute(sql("GRANT ALL ON SCHEMA public TO {}", roles.owner))
    for kind in KINDS:
        admin.execute(sql("GRANT USAGE ON SCHEMA public TO {}", roles.of_kind(kind)))
    for signature, is_lock in admin.execute(CLOSED).fetchall():
        function = parts.SQL(signature)
        admin.execute(parts.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(function))
        if is_lock:
            owner = parts.Identifier(roles.owner)
            admin.execute(parts.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(function, owner))


def grant_tables(owner: Connection, roles: Roles) -> None:
    """Let members and viewers read all tables, those to come as well, and members record campaigns.

    Parameters
    ----------
    owner
        Session of the owner with the database of the group, in which AiiDA's tables are.
    roles
        Of the group.
    """
    later = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT SELECT ON TABLES TO {}"
    member, viewer = map(roles.of_kind, KINDS)
    for kind in (member, viewer):
        owner.execute(sql("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}", kind))
        owner.execute(sql("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {}", kind))
        owner.execute(sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", kind))
        owner.execute(sql(later, roles.owner, kind))
    columns = ", ".join(RECORDED)
    owner.execute(sql(f"GRANT INSERT, UPDATE ({columns}) ON {{}} TO {{}}", CAMPAIGNS, member))
    owner.execute(sql("GRANT USAGE ON SEQUENCE {} TO {}", f"{CAMPAIGNS}_id_seq", member))


def add_person(admin: Connection, roles: Roles, person: Person, password: str | None) -> None:
    """Give a person a role of their own, or change what they are.

    Parameters
    ----------
    admin
        Session of a superuser, each statement a transaction of its own.
    roles
        Of the group.
    person
        The person.
    password
        Theirs; None to leave it as it is.

    Raises
    ------
    InvalidInput
        If a role of that name belongs to something else, or if it is new and has no password.
    """
    role = roles.of_person(person.name)
    if exists(admin, role):
        if person_of(admin, roles, role) is None:
            raise InvalidInput(
                person.kind, person.name, f"free, but the role {role} is there for something else", "choose another"
            )
    elif password is None:
        raise InvalidInput(f"password of {person.name}", "none", "given for who is new", "put it into the file")
    else:
        admin.execute(sql("CREATE ROLE {}", role))
    admin.execute(sql(f"ALTER ROLE {{}} LOGIN INHERIT CONNECTION LIMIT {SESSIONS:d} {HARMLESS}", role))
    for kind in KINDS:
        action = "GRANT {} TO {}" if kind == person.kind else "REVOKE {} FROM {}"
        admin.execute(sql(action, roles.of_kind(kind), role))
    admin.execute(sql("COMMENT ON ROLE {} IS {email}", role, email=person.email))
    if password is not None:
        set_password(admin, role, password)


def remove_person(admin: Connection, roles: Roles, name: str) -> None:
    """End the sessions of a person and take their role away; what they recorded stays.

    Raises
    ------
    InvalidInput
        If there is no such person.
    """
    role = roles.of_person(name)
    if person_of(admin, roles, role) is None:
        raise InvalidInput("remove", name, "the name of a member or viewer", "`setup check-group` lists them")
    admin.execute(sql("ALTER ROLE {} NOLOGIN", role))
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
    admin.execute(sql("DROP ROLE {}", role))


PEOPLE = """
SELECT login.rolname, coalesce(shobj_description(login.oid, 'pg_authid'), ''), kind.rolname
FROM pg_roles login JOIN pg_auth_members m ON m.member = login.oid JOIN pg_roles kind ON kind.oid = m.roleid
WHERE kind.rolname = ANY(%s) ORDER BY login.rolname
"""


def people_of(session: Connection, roles: Roles) -> list[Person]:
    """Return members and viewers, as the server has them; anybody who is connected may ask."""
    kinds = {roles.of_kind(kind): kind for kind in KINDS}
    rows = session.execute(PEOPLE, [list(kinds)]).fetchall()
    return [Person(role.removeprefix(f"{roles.database}_"), email, kinds[kind]) for role, email, kind in rows]


def person_of(session: Connection, roles: Roles, role: str) -> Person | None:
    """Return who logs in by a role; None if it is nobody of this group."""
    found = [person for person in people_of(session, roles) if roles.of_person(person.name) == role]
    return found[0] if found else None


WEAK = (
    "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
    " AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
)

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"

GRANTED = """
SELECT kind, c.relname, privilege FROM unnest(%s::text[]) kind, pg_class c,
  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND has_table_privilege(kind, c.oid, privilege)
"""


COLUMNS = """
SELECT kind, c.relname FROM unnest(%s::text[]) kind, pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND has_any_column_privilege(kind, c.oid, 'UPDATE')
"""

ABOVE = "SELECT kind FROM unnest(%s::text[]) kind WHERE pg_has_role(kind, %s::name, 'MEMBER')"


def wrong_grants(session: Connection, roles: Roles, people: Iterable[Person]) -> list[str]:
    """Say what is granted to anybody that should not be, or is not and should; empty if all is as it was set up.

    Parameters
    ----------
    session
        Of anybody with the database of the group.
    roles
        Of the group.
    people
        As the server has them.
    """
    everybody = {roles.of_person(person.name): person.kind for person in people}
    everybody |= {roles.of_kind(kind): kind for kind in KINDS}
    found = [f"{role} may more than log in" for (role,) in session.execute(WEAK, [[roles.owner, *everybody]])]
    found += [f"{role} is {roles.owner} as well" for (role,) in session.execute(ABOVE, [[*everybody], roles.owner])]
    changing = {(role, CAMPAIGNS) for role, kind in everybody.items() if kind == "member"}
    changed = set(map(tuple, session.execute(COLUMNS, [[*everybody]]).fetchall()))
    found += [f"{role} may UPDATE columns of {table}" for role, table in sorted(changed - changing)]
    found += [f"{role} may not UPDATE {table}" for role, table in sorted(changing - changed)]
    tables = [name for (name,) in session.execute(TABLES)]
    granted = set(map(tuple, session.execute(GRANTED, [list(everybody)]).fetchall()))
    wanted = {(role, table, "SELECT") for role in everybody for table in tables}
    wanted |= {(role, CAMPAIGNS, "INSERT") for role, kind in everybody.items() if kind == "member"}
    found += [f"{role} may {what} {table}" for role, table, what in sorted(granted - wanted)]
    found += [f"{role} may not {what} {table}" for role, table, what in sorted(wanted - granted)]
    return found
