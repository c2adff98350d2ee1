"""What `aiida-rewire setup check-group` looks at: people, database, repository, broker and files with passwords."""

from __future__ import annotations

import grp
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.setup.founding import FOLDER_MODE, refuse_broker
from aiida_rewire.database.connecting import Server, session
from aiida_rewire.database.roles import Person, Roles, wrong_grants
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile
    from psycopg import Connection

MOST_SHOWN = 3
MOST_FILES = 200_000
AGAIN = "the owner: aiida-rewire setup group, once more as it was"
USERS = "SELECT email FROM db_dbuser"
ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def some(things: Sequence[str]) -> str:
    """Name some things, and say how many more there are."""
    more = f" and {len(things) - MOST_SHOWN} more" if len(things) > MOST_SHOWN else ""
    return ", ".join(things[:MOST_SHOWN]) + more


def database_checks(opened: Connection, roles: Roles, people: Sequence[Person], server: Server) -> Iterator[Check]:
    """Look at grants, the users of AiiDA and the connection."""
    wrong = wrong_grants(opened, roles, people)
    if wrong:
        yield Check("grants", "failure", some(wrong), AGAIN)
    else:
        yield Check("grants", "ok", "members record campaigns, viewers read, the owner alone does more")
    known = {email for (email,) in opened.execute(USERS)}
    lacking = [person.name for person in people if person.email not in known]
    if lacking:
        yield Check("users", "failure", f"AiiDA has no user for {some(lacking)}", AGAIN)
    else:
        yield Check("users", "ok", f"{len(people)} people, each with a user of AiiDA")
    row = opened.execute(ENCRYPTED).fetchone()
    encrypted = bool(row and row[0])
    if server.is_here or encrypted:
        yield Check("connection", "ok", "encrypted" if encrypted else f"stays on this machine ({server.host})")
    else:
        fix = "in postgresql.conf ssl = on, and hostssl in the place of host in pg_hba.conf"
        yield Check("connection", "failure", f"to {server.host} goes unencrypted", fix)


def password_check(server: Server, database: str, role: str, password: str) -> Check:
    """Look whether the server asks for a password, and in the way that does not give it away."""
    fix = "pg_hba.conf: scram-sha-256 in the place of trust, password and md5, for this database"
    try:
        with session(server, database, role, password=secrets.token_urlsafe(16)):
            return Check("passwords", "failure", f"the server lets {role} in with any password", fix)
    except InvalidInput:
        # as it should
        pass
    try:
        with session(server, database, role, password=password, require_auth="scram-sha-256"):
            return Check("passwords", "ok", "asked for by scram-sha-256")
    except InvalidInput:
        return Check("passwords", "failure", "the server does not ask for them by scram-sha-256", fix)


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def secret_files(profile_folder: Path) -> list[Path]:
    """Return the files of an account that hold passwords: AiiDA's configuration, its backups, those of libpq."""
    libpq = [Path.home() / ".pgpass", Path.home() / ".pg_service.conf"]
    return [*sorted(profile_folder.glob("config.json*")), *(file for file in libpq if file.is_file())]


def secrets_check(files: Sequence[Path]) -> Check:
    """Look whether files with passwords are kept from others."""
    open_ones = [file for file in files if mode_of(file) & 0o077]
    if open_ones:
        names = " ".join(map(str, open_ones))
        shown = some([f"{file} is {mode_of(file):03o}" for file in open_ones])
        fix = f"chmod 600 {names}, then change the passwords"
        return Check("secrets", "failure", f"{shown}: others may read passwords", fix)
    return Check("secrets", "ok", f"{', '.join(map(str, files))}: yours alone")


def repository_checks(repository: Path) -> Iterator[Check]:
    """Look whether one account writes the files and the Unix group reads them, and nobody else either."""
    for folder in (repository.parent, repository):
        if not folder.is_dir():
            yield Check("repository", "failure", f"{folder} is not there", "mount it, or set the group up")
            return
        seen = mode_of(folder)
        if seen != FOLDER_MODE:
            fix = f"the owner: chmod {FOLDER_MODE:o} {folder}"
            yield Check("repository", "failure", f"{folder} is {seen:o}, not {FOLDER_MODE:o}", fix)
            return
    gid = repository.stat().st_gid
    unreadable, writable, looked = [], [], 0
    for path in below(repository):
        looked += 1
        if looked > MOST_FILES:
            break
        found = path.lstat()
        reads = stat.S_IRGRP | (stat.S_IXGRP if stat.S_ISDIR(found.st_mode) else 0)
        if found.st_gid != gid or found.st_mode & reads != reads:
            unreadable.append(str(path))
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            writable.append(str(path))
    group = grp.getgrgid(gid).gr_name
    for wrong, what, change in (
        (unreadable, f"not for {group} to read", f"chgrp -R {group} {repository}; chmod -R g+rX {repository}"),
        (writable, "for others to write", f"chmod -R g-w,o-w {repository}"),
    ):
        if wrong:
            fix = f"the owner: {change}; and umask 027 for the daemon and in its shells"
            yield Check("repository", "failure", f"{some(wrong)}: {what}", fix)
            return
    yield Check(
        "repository", "ok", f"{repository}: its owner writes, {group} reads ({min(looked, MOST_FILES)} looked at)"
    )


def below(folder: Path) -> Iterator[Path]:
    """Yield all that is in a folder, except what is being written this moment."""
    for where, folders, files in os.walk(folder):
        if Path(where).name == "sandbox":
            continue
        yield from (Path(where) / name for name in (*folders, *files))


def broker_checks(profile: Profile) -> Iterator[Check]:
    """Look at the broker of the owner; members and viewers have none."""
    config: dict[str, Any] = profile.process_control_config
    where = f"RabbitMQ at {config.get('broker_host')}, port {config.get('broker_port')}"
    try:
        refuse_broker(config)
    except InvalidInput as error:
        yield Check("broker", "failure", str(error), error.way_out)
        return
    if config.get("broker_username") == "guest" and config.get("broker_password") == "guest":
        fix = "rabbitmqctl add_user, set_permissions, then `verdi profile configure-broker rewire.rabbitmq`"
        yield Check(
            "broker", "failure", f"{where}: guest with its known password; whoever reaches it runs programs", fix
        )
        return
    if config.get("broker_protocol") != "amqps" and not Server(str(config.get("broker_host")), 0).is_here:
        yield Check("broker", "warning", f"{where}: unencrypted", "amqps, or the broker on this machine")
        return
    yield Check("broker", "ok", f"{where}, as {config.get('broker_username')}")


def open_config_check(folder: Path) -> Check:
    """Look at the folder of AiiDA's configuration."""
    seen = mode_of(folder)
    if seen & 0o022:
        return Check("configuration", "failure", f"{folder} is {seen:o}: others may write it", f"chmod go-w {folder}")
    return Check("configuration", "ok", f"{folder} is {seen:o}")
