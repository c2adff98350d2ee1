"""A group's database: what its roles may do, whoever tries what."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from tests.real.group.accounts import CLI, Account
from tests.real.group.conftest import ADA, BEN, EMAILS, NAME, OWNER, VIC, Group, lines_of
from tests.real.services.postgres import Postgres
from tests.real.services.program import LOOPBACK

pytestmark = pytest.mark.real

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
DDL = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE VIEW mine AS SELECT * FROM db_dbnode",
    "CREATE FUNCTION mine() RETURNS int AS 'SELECT 1' LANGUAGE sql",
    "CREATE EXTENSION pg_trgm",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "COPY db_dbnode TO PROGRAM 'id'",
    "COPY db_dbnode TO '/tmp/mine'",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'much')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(1)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT nextval('db_dbnode_id_seq')",
    "ALTER ROLE lab_owner PASSWORD 'mine'",
    "GRANT lab_owner TO CURRENT_USER",
    "SET ROLE lab_owner",
    "DROP DATABASE lab",
]
ON_TABLES = [
    "INSERT INTO {} DEFAULT VALUES",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "TRUNCATE {} CASCADE",
    "ALTER TABLE {} ADD COLUMN mine int",
    "ALTER TABLE {} OWNER TO CURRENT_USER",
    "CREATE INDEX mine ON {} ((1))",
    "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
    "DO $$ BEGIN LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; END $$",
    "SELECT * FROM {} FOR UPDATE",
    "GRANT ALL ON {} TO CURRENT_USER",
    "DROP TABLE {}",
]
REFUSED = (errors.InsufficientPrivilege, errors.InvalidGrantOperation)


@contextmanager
def logged_in(group: Group, postgres: Postgres, name: str, database: str = NAME) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        host=LOOPBACK,
        port=postgres.port,
        dbname=database,
        user=f"{NAME}_{name}",
        password=group.passwords[name],
        autocommit=True,
        require_auth="scram-sha-256",
    ) as session:
        yield session


def refused(session: psycopg.Connection, statement: Any) -> bool:
    """Whether the server refuses a statement to who says it."""
    try:
        session.execute(statement)
    except REFUSED:
        return True
    return False


def test_everybody_sees_who_is_there_and_that_all_is_closed(group: Group) -> None:
    for account in (group.owner, group.ada, group.vic):
        seen = json.loads(account.rewire("setup", "check-group", "--json"))
        assert {one["name"]: (one["email"], one["kind"]) for one in seen["people"]} == {
            name: (email, "viewer" if name == VIC else "member") for name, email in EMAILS.items()
        }
        assert [check for check in seen["checks"] if check["status"] != "ok"] == []
        names = {check["name"] for check in seen["checks"]}
        assert {"secrets", "grants", "users", "passwords", "repository"} <= names
        assert ("broker" in names) == (account is group.owner)


def test_a_viewer_changes_nothing_whatever_they_say(group: Group, postgres: Postgres) -> None:
    with logged_in(group, postgres, VIC) as session:
        tables = [name for (name,) in session.execute(TABLES)]
        assert {"db_dbnode", "db_dbgroup", "db_dbuser", "alembic_version"} <= set(tables)
        let = [text for text in DDL if not refused(session, text)]
        for table in tables:
            statements = [sql.SQL(text).format(sql.Identifier(table)) for text in ON_TABLES]
            column = session.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table))).description
            assert column is not None
            update = sql.SQL("UPDATE {} SET {} = NULL")
            statements.append(update.format(sql.Identifier(table), sql.Identifier(column[-1].name)))
            let += [
                f"{table}: {statement.as_string()}" for statement in statements if not refused(session, statement)
            ]
        # granting what one does not have says nothing but a warning
        assert [text for text in let if "GRANT ALL" not in text] == []
        for database in ("postgres", "template1"):
            assert refused_database(group, postgres, database)
    seen = json.loads(group.vic.rewire("setup", "check-group", "--json"))
    assert next(check for check in seen["checks"] if check["name"] == "grants")["status"] == "ok"


def refused_database(group: Group, postgres: Postgres, database: str) -> bool:
    """Whether nothing can be made in a database that is nobody's business."""
    with logged_in(group, postgres, VIC, database) as session:
        return refused(session, "CREATE TABLE mine (id int)")


def test_a_member_writes_the_record_of_campaigns_and_nothing_else(group: Group, postgres: Postgres) -> None:
    with logged_in(group, postgres, ADA) as session:
        assert [text for text in DDL if not refused(session, text)] == []
        for table in ("db_dbnode", "db_dblink", "db_dbuser", "db_dbcomputer", "db_dbauthinfo", "db_dbsetting"):
            for text in ("INSERT INTO {} DEFAULT VALUES", "UPDATE {} SET id = 1", "DELETE FROM {}", "TRUNCATE {}"):
                assert refused(session, sql.SQL(text).format(sql.Identifier(table))), (table, text)
        # a checkpoint in a node is a program that the daemon runs
        assert refused(session, """UPDATE db_dbnode SET attributes = '{"checkpoints": "!!python/object"}'""")
        assert refused(session, "UPDATE db_dbgroup SET user_id = 1")
        assert refused(session, "DELETE FROM db_dbgroup")
        session.execute("UPDATE db_dbgroup SET description = 'of mine' WHERE label = 'there is none'")


def test_tables_to_come_are_read_and_not_written(group: Group, postgres: Postgres) -> None:
    config = json.loads((group.owner.home / ".aiida" / "config.json").read_text())
    secret = config["profiles"][NAME]["storage"]["config"]["database_password"]
    with psycopg.connect(
        host=LOOPBACK, port=postgres.port, dbname=NAME, user="lab_owner", password=secret, autocommit=True
    ) as owner:
        owner.execute("CREATE TABLE later (id int)")
        try:
            with logged_in(group, postgres, VIC) as viewer, logged_in(group, postgres, ADA) as member:
                for session in (viewer, member):
                    assert session.execute("SELECT * FROM later").fetchall() == []
                    assert refused(session, "INSERT INTO later VALUES (1)")
        finally:
            owner.execute("DROP TABLE later")


def test_no_password_is_in_the_log_of_the_server_or_in_what_was_said(group: Group, postgres: Postgres) -> None:
    log = postgres.folder.with_name(f"{postgres.folder.name}.log").read_text(errors="replace")
    assert "ALTER ROLE" in log
    config = (group.owner.home / ".aiida" / "config.json").read_text()
    owner = json.loads(config)["profiles"][NAME]["storage"]["config"]["database_password"]
    for secret in (*group.passwords.values(), owner):
        assert secret not in log
        assert secret not in group.said
    with postgres.connect() as admin:
        kept = dict(admin.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'lab%'").fetchall())
    assert kept["lab_member"] is None
    assert all(kept[f"lab_{name}"].startswith("SCRAM-SHA-256$") for name in ("owner", ADA, BEN, VIC))


def test_files_with_passwords_are_their_owners_alone(group: Group) -> None:
    for account in (group.owner, group.ada, group.ben, group.vic):
        found = list((account.home / ".aiida").glob("config.json*"))
        assert found
        assert {oct(file.stat().st_mode & 0o777) for file in found} == {"0o600"}
    assert oct(group.folder.stat().st_mode & 0o7777) == "0o2750"
    assert group.passwords[ADA] not in (group.folder / "join.json").read_text()


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    assert "Traceback" not in line
    return line


@pytest.mark.nightly
def test_a_wrong_password_is_a_line(group: Group, postgres: Postgres) -> None:
    wrong = group.ben.write("wrong", f"{BEN}: not-{group.passwords[BEN]}\n")
    join = ("setup", "join", str(group.folder), "--as", "member", "--passwords", str(wrong))
    line = one_line(group.ben.rewire(*join, status=1))
    assert f"password of lab_{BEN} = the password: must be the one that PostgreSQL at {LOOPBACK}" in line
    assert group.passwords[BEN] not in line
    # and where it was changed later, of every command
    with postgres.connect() as admin:
        admin.execute(f"ALTER ROLE lab_{BEN} PASSWORD 'another-one'")
    try:
        for command in (("campaign", "status"), ("setup", "check-group")):
            assert "password" in one_line(group.ben.rewire(*command, status=1))
    finally:
        with postgres.connect() as admin:
            secret = sql.Literal(group.passwords[BEN])
            admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(f"lab_{BEN}"), secret))


@pytest.mark.nightly
def test_files_that_others_may_read_are_refused(group: Group) -> None:
    open_file = group.ada.write("open", lines_of({ADA: group.passwords[ADA]}), mode=0o644)
    join = ("setup", "join", str(group.folder), "--as", "member", "--passwords")
    assert one_line(group.ada.rewire(*join, str(open_file), status=1)) == (
        f"Error: mode = 644 of {open_file}: must be 600: it holds passwords; chmod 600 {open_file}"
    )
    link = group.ada.home / "link"
    link.symlink_to(group.ada.home / "password")
    assert "link" in one_line(group.ada.rewire(*join, str(link), status=1))
    config = group.ada.home / ".aiida" / "config.json"
    config.chmod(0o644)
    try:
        assert f"mode = 644 of {config}: must be 600" in one_line(group.ada.rewire("campaign", "status", status=1))
        seen = json.loads(group.ada.run(*CHECK).output)
        assert [check["name"] for check in seen["checks"] if check["status"] == "failure"] == ["secrets"]
    finally:
        config.chmod(0o600)


def typed(account: Account, command: list[str], answers: list[tuple[str, str]]) -> str:
    """Run a command at a terminal, where each question gets its answer; return what is shown there."""
    with subprocess.Popen(
        account.command("script", "--quiet", "--return", "--command", shlex.join(command), "/dev/null"),
        cwd=account.home,
        env=account.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        shown = b""
        for question, answer in answers:
            asked = shown.count(question.encode())
            while shown.count(question.encode()) == asked:
                more = terminal.stdout.read(1)
                assert more, shown
                shown += more
            # what is typed before the prompt is there is thrown away
            time.sleep(0.5)
            terminal.stdin.write(f"{answer}\n".encode())
            terminal.stdin.flush()
        terminal.stdin.close()
        return (shown + terminal.stdout.read()).decode()


@pytest.mark.nightly
def test_a_password_is_asked_for_at_a_terminal_and_not_shown(group: Group) -> None:
    join = [*CLI, "setup", "join", str(group.folder), "--as", "member", "--name", "typed"]
    shown = typed(group.ben, join, [(f"Password of lab_{BEN} at PostgreSQL:", group.passwords[BEN])])
    assert "profile typed: ben@uni.example, a member of lab" in shown
    assert group.passwords[BEN] not in shown
    assert listed_by(group, "typed")


@pytest.mark.nightly
def test_who_makes_the_roles_is_asked_for_one_password_once(group: Group, postgres: Postgres) -> None:
    at = group.options.index("--passwords")
    without = [*group.options[:at], *group.options[at + 2 :]]
    question = "Password of postgres at PostgreSQL:"
    shown = typed(group.owner, [*CLI, "setup", "group", NAME, *without], [(question, postgres.password)])
    assert shown.count(question) == 1
    assert f"people join by {group.folder}" in shown
    assert postgres.password not in shown


def listed_by(group: Group, profile: str) -> bool:
    """Whether a profile of a member reads the campaigns."""
    return group.ben.run(*CLI, "campaign", "--profile", profile, "status").status == 0


@pytest.mark.nightly
def test_the_superuser_is_found_by_the_files_of_libpq(group: Group, postgres: Postgres) -> None:
    rest = {name: secret for name, secret in group.passwords.items() if name != "admin"}
    file = group.owner.write("without-admin", lines_of(rest))
    alone = [word for word in group.options if word != str(group.owner.home / "passwords")]
    alone[alone.index("--passwords") : alone.index("--passwords") + 1] = ["--passwords", str(file)]
    run = ["setup", "group", NAME, *alone]
    asked = one_line(group.owner.rewire(*run, status=1))
    assert "password of postgres at PostgreSQL = none: must be given; put a line `admin: ...`" in asked
    where = f"host={LOOPBACK}\nport={postgres.port}\nuser=postgres\n"
    service = group.owner.write(".pg_service.conf", f"[makes-roles]\n{where}")
    secrets_of = group.owner.write(".pgpass", f"{LOOPBACK}:{postgres.port}:*:postgres:{postgres.password}\n")
    try:
        for more in ([], ["--admin-service", "makes-roles"]):
            group.owner.rewire(*run, *more)
        secrets_of.chmod(0o644)
        # libpq leaves a file alone that others may read
        assert "password of" in group.owner.rewire(*run, status=1)
    finally:
        service.unlink()
        secrets_of.unlink()
    no_superuser = [*run, "--admin", f"{NAME}_owner"]
    assert "admin" in one_line(group.owner.rewire(*no_superuser, status=1))


@pytest.mark.nightly
def test_nobody_joins_as_what_they_are_not(group: Group) -> None:
    mine = str(group.vic.home / "password")
    join = ("setup", "join", str(group.folder), "--as", "member", "--passwords", mine)
    line = one_line(group.vic.rewire(*join, status=1))
    assert line == "Error: as = member: must be what the owner made of you: viewer; --as viewer"


@pytest.mark.nightly
def test_the_repository_is_read_by_all_and_written_by_its_owner(group: Group) -> None:
    script = "import io\nfrom aiida import load_profile, orm\nload_profile()\n"
    made = "node = orm.SinglefileData(io.BytesIO(b'of the owner')).store()\nprint(node.pk)"
    pk = group.owner.run("python", "-W", "ignore", "-c", script + made, extra={}).output.split()[-1]
    read = f"print(orm.load_node({pk}).get_content())"
    for account in (group.ada, group.vic):
        done = account.run("python", "-W", "ignore", "-c", script + read)
        assert done.output.strip() == "of the owner", done.errors
        assert not (group.folder / "repository" / "container" / "packs.idx-wal").exists()
    packed = group.owner.verdi("storage", "maintain", "--full", "--force")
    assert packed.status == 0, packed.errors
    done = group.vic.run("python", "-W", "ignore", "-c", script + read)
    assert done.output.strip() == "of the owner", done.errors
    shown = group.vic.verdi("node", "show", pk)
    assert "SinglefileData" in shown.output, shown.errors
    # what verdi says of a write: the error of the server ends its traceback
    written = group.vic.verdi("group", "create", "mine")
    assert written.status != 0
    assert "permission denied for" in written.errors + written.output


@pytest.mark.nightly
def test_the_way_out_is_said_for_what_is_open(group: Group, postgres: Postgres) -> None:
    repository = group.folder / "repository"
    repository.chmod(0o2777)
    with postgres.connect(NAME) as admin:
        admin.execute(f"GRANT DELETE ON db_dbnode TO lab_{VIC}")
        admin.execute(f"GRANT UPDATE (attributes) ON db_dbnode TO lab_{ADA}")
    try:
        done = group.owner.run(*CHECK)
        failed = {check["name"]: check for check in json.loads(done.output)["checks"] if check["status"] == "failure"}
        assert done.status == 1
        assert set(failed) == {"repository", "grants"}
        assert failed["repository"]["fix"] == f"the owner: chmod 2750 {repository}"
        wrong = f"lab_{ADA} may UPDATE columns of db_dbnode, lab_{VIC} may DELETE db_dbnode"
        assert failed["grants"]["message"] == wrong
    finally:
        with postgres.connect(NAME) as admin:
            admin.execute(f"REVOKE DELETE ON db_dbnode FROM lab_{VIC}")
            admin.execute(f"REVOKE UPDATE (attributes) ON db_dbnode FROM lab_{ADA}")
    # setting it up again closes the folder
    group.set_up()
    assert oct(repository.stat().st_mode & 0o7777) == "0o2750"
    assert json.loads(group.owner.rewire("setup", "check-group", "--json"))["group"] == NAME


@pytest.mark.nightly
def test_who_is_removed_is_out_at_once_and_comes_back_with_a_new_password(group: Group, postgres: Postgres) -> None:
    secret = secrets.token_urlsafe(12)
    file = group.owner.write("more", lines_of({**group.passwords, "zoe": secret}))
    options = ["--passwords", str(file), "--viewer", "zoe=zoe@uni.example"]
    assert "viewer zoe, zoe@uni.example" in group.owner.run(*SET_UP, *group.options, *options).errors
    where = {"host": LOOPBACK, "port": postgres.port, "dbname": NAME, "user": "lab_zoe", "password": secret}
    session = psycopg.connect(**where, autocommit=True)  # type: ignore[arg-type]
    assert session.execute("SELECT count(*) FROM db_dbuser WHERE email = 'zoe@uni.example'").fetchone() == (1,)
    group.set_up("--remove", "zoe")
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**where)  # type: ignore[arg-type]
    assert "remove = zoe: must be the name of a member or viewer" in group.set_up("--remove", "zoe", status=1)


SET_UP = ("python", "-W", "ignore", "-m", "aiida_rewire.cli", "setup", "group", NAME)
CHECK = ("python", "-W", "ignore", "-m", "aiida_rewire.cli", "setup", "check-group", "--json")


@pytest.mark.nightly
def test_units_are_printed_for_the_account(group: Group) -> None:
    done = group.owner.run(*SET_UP, *group.options, "--units", str(group.owner.home / "units"))
    text = (group.owner.home / "units" / "rewire-lab-daemon.service").read_text()
    assert text in done.output
    assert f"User={OWNER}\nUMask=0027\n" in text
    assert "daemon start 2\n" in text
    assert "campaign --profile lab serve\n" in done.output
    assert not any(secret in done.output for secret in group.passwords.values())
