"""What is typed and read when a group's database is set up: names, files of passwords, invitations, units."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from aiida_rewire.cli.setup.invitation import Invitation, read_invitation, write_invitation
from aiida_rewire.cli.setup.passwords import Passwords, read_passwords
from aiida_rewire.cli.setup.sharing import people_of
from aiida_rewire.cli.setup.units import Service, quoted, units_of
from aiida_rewire.database.roles import Person, Roles
from aiida_rewire.errors import InvalidInput

BAD_NAMES = [
    "a b",
    "a'; DROP TABLE x; --",
    'a"b',
    "$(id)",
    "`id`",
    "a\nb",
    "a\n",
    "../a",
    "-x",
    "Ada",
    "x" * 40,
    "",
    "é",
]
BAD_EMAILS = ["a'b@x", "x", "a@b\nc", "a@b\n", "a b@c", "$(id)@x;", "@x", "a@", "x" * 300 + "@x"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_are_refused_that_mean_something_elsewhere(name: str) -> None:
    with pytest.raises(InvalidInput, match="must be at most 30 small letters") as refused:
        people_of([f"{name}=x@uni.example"], [])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("email", BAD_EMAILS)
def test_emails_are_refused_that_are_none(email: str) -> None:
    with pytest.raises(InvalidInput, match="must be an e-mail") as refused:
        people_of([], [f"zoe={email}"])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["owner", "member", "viewer"])
def test_nobody_is_called_as_a_role_is(name: str) -> None:
    with pytest.raises(InvalidInput, match="none of owner, member, viewer"):
        people_of([], [f"{name}=x@uni.example"])


def test_everybody_is_one_thing() -> None:
    ada = Person("ada", "ada@uni.example", "member")
    assert people_of(["ada=ada@uni.example"], []) == [ada]
    for viewers in (["ada=other@uni.example"], ["vic=ada@uni.example"]):
        with pytest.raises(InvalidInput, match="must be given once"):
            people_of(["ada=ada@uni.example"], viewers)


def test_roles_begin_with_the_database() -> None:
    roles = Roles("lab")
    assert (roles.owner, roles.of_kind("member"), roles.of_person("ada")) == ("lab_owner", "lab_member", "lab_ada")


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_passwords_are_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    file = written(tmp_path / "passwords", "# of the group\n\nada:  pass:word%40#x \nbroker: abcdefgh\n")
    assert read_passwords(file) == {"ada": "pass:word%40#x", "broker": "abcdefgh"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o777])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path / "passwords", "ada: abcdefgh\n", mode)
    with pytest.raises(InvalidInput, match=rf"mode = {mode:o} of .*: must be 600.*; chmod 600"):
        read_passwords(file)


@pytest.mark.parametrize("line", ["ada", "ada:", "ada: short", ": abcdefgh", "ada: with blank", "ada: " + "x" * 201])
def test_a_line_that_is_none_is_told_by_its_number_alone(tmp_path: Path, line: str) -> None:
    file = written(tmp_path / "passwords", f"ben: abcdefgh\n{line}\n")
    with pytest.raises(InvalidInput, match="line 2 = one of") as refused:
        read_passwords(file)
    password = line.partition(":")[2].strip()
    assert not password or password not in str(refused.value)


def test_nobody_is_asked_where_nobody_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", (tmp_path / "x").open("w+"))
    with pytest.raises(InvalidInput, match=r"put a line `broker: \.\.\.` into the file of --passwords"):
        Passwords({}).of("broker", "lab at RabbitMQ", new=False)
    assert Passwords({"broker": "abcdefgh"}).of("broker", "lab at RabbitMQ", new=False) == "abcdefgh"


def test_an_invitation_is_read_back_and_holds_no_password(tmp_path: Path) -> None:
    there = Invitation("lab", "db.uni.example", 5432, str(tmp_path))
    file = write_invitation(there)
    assert oct(file.stat().st_mode & 0o777) == "0o640"
    assert read_invitation(file) == read_invitation(tmp_path) == there
    assert set(json.loads(file.read_text())) == {"group", "host", "port", "folder"}
    assert there.storage("lab_ada", "secret")["repository_uri"] == f"{tmp_path.as_uri()}/repository"


@pytest.mark.parametrize(
    "change",
    [{"group": "a; b"}, {"port": "5432"}, {"folder": "here"}, {"host": "a\nb"}, {"more": 1}, {"host": None}],
)
def test_an_invitation_that_says_something_else_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    values = {"group": "lab", "host": "localhost", "port": 5432, "folder": str(tmp_path), **change}
    file = tmp_path / "join.json"
    file.write_text(json.dumps(values))
    with pytest.raises(InvalidInput):
        read_invitation(file)
    file.write_text("not JSON")
    with pytest.raises(InvalidInput, match="ask the owner where"):
        read_invitation(file)


SERVICE = Service("lab", "daemon", "/bin/python3", '/srv/it\'s 100% "lab" $HOME', 3)


def test_units_say_what_runs_as_whom() -> None:
    daemon, campaigns = units_of(SERVICE).values()
    assert "User=daemon\nUMask=0027\n" in daemon
    assert "ExecStart=/bin/python3 -m aiida --profile lab daemon start 3\n" in daemon
    assert "ExecStop=/bin/python3 -m aiida --profile lab daemon stop\n" in daemon
    assert "ExecStart=/bin/python3 -m aiida_rewire.cli campaign --profile lab serve\n" in campaigns
    assert 'Environment="AIIDA_PATH=/srv/it\'s 100%% \\"lab\\" $HOME"' in campaigns


def test_a_value_is_quoted_as_systemd_reads_it() -> None:
    assert quoted('a\nUser=root "b" \\ %n') == '"a\\nUser=root \\"b\\" \\\\ %%n"'


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    files = []
    for name, text in units_of(SERVICE).items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, files)], capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "rewire-lab" in line and "not found" not in line]
    assert complaints == [], done.stderr
