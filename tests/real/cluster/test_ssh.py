"""The SSH server of the tests, as AiiDA meets one: by key alone, and by no other host's key."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.cluster.over_ssh import BY_PARAMIKO
from tests.real.services.profile import MPI, Profile
from tests.real.services.program import LOOPBACK, ServiceFailure, find_program
from tests.real.services.slurm import SHORT, Slurm
from tests.real.services.ssh import HOST, Ssh, make_key
from tests.real.services.together import OVER_SSH

pytestmark = pytest.mark.real

OPEN = """
import sys
from aiida import load_profile, orm
load_profile()
computer = orm.load_computer(sys.argv[1])
try:
    with computer.get_transport() as transport:
        status, out, errors = transport.exec_command_wait(sys.argv[2])
        print(out + errors)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def server(tmp_path: Path, slurm: Slurm) -> Iterator[Ssh]:
    """A server of the test's own, which it may change."""
    service = Ssh(tmp_path / "ssh", {**slurm.environment, **MPI})
    try:
        service.start()
        yield service
    finally:
        service.stop()


def ssh_with(server: Ssh, *options: str) -> str:
    """Try to come in with other options; return what the client says."""
    words = [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        [find_program("ssh", package="openssh-client"), "-F", str(server.settings), *words, HOST, "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 255, done.stderr
    return done.stderr


def test_sessions_find_the_cluster_and_nothing_else_of_ours(server: Ssh, slurm: Slurm) -> None:
    assert server.run("sinfo", "--noheader", "--format=%P %l").split() == ["test*", "infinite", SHORT, "10:00"]
    assert server.run("printenv", "SLURM_CONF").strip() == str(slurm.configuration)
    assert "AIIDA_PATH" not in server.run("env")
    # loopback alone
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0
    assert (server.key.stat().st_mode & 0o777, server.settings.stat().st_mode & 0o777) == (0o600, 0o600)


def test_nobody_comes_in_without_a_key_that_was_let_in(server: Ssh, tmp_path: Path) -> None:
    # IdentityFile adds to that of the settings
    make_key(tmp_path / "other")
    other = server.settings.read_text().replace(str(server.key), str(tmp_path / "other"))
    own = server.settings.read_text()
    server.settings.write_text(other)
    assert "Permission denied (publickey)" in ssh_with(server)
    assert "Permission denied (publickey)" in ssh_with(server, "PreferredAuthentications=password", "BatchMode=no")
    server.settings.write_text(own)
    assert server.run("echo", "in") == "in\n"
    server.shut_out(server.user)
    assert "Permission denied (publickey)" in ssh_with(server)


def test_a_server_with_another_key_is_refused(server: Ssh, tmp_path: Path) -> None:
    known = server.folder / "known_hosts"
    known.write_text(f"[{LOOPBACK}]:{server.port} {make_key(tmp_path / 'impostor')}\n")
    assert "Host key verification failed" in ssh_with(server)


def test_a_refusing_server_cuts_sessions_and_leaves_what_they_started(server: Ssh, tmp_path: Path) -> None:
    left = tmp_path / "left"
    there = f"nohup sh -c 'sleep 3; touch {left}' >/dev/null 2>&1 & echo started; sleep 60"
    session = subprocess.Popen(
        [find_program("ssh", package="openssh-client"), "-F", str(server.settings), HOST, there],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout is not None
    assert session.stdout.readline() == "started\n"
    server.refuse()
    assert session.wait(10) == 255
    with pytest.raises(ServiceFailure, match="Connection refused"):
        server.run("true")
    server.accept()
    assert server.run("sh", "-c", f"sleep 4; ls {left}") == f"{left}\n"


def test_more_than_a_partition_allows_is_refused(slurm: Slurm) -> None:
    with pytest.raises(ServiceFailure, match="Requested time limit is invalid"):
        slurm.client("sbatch", f"--partition={SHORT}", "--time=11", "--wrap=true")
    with pytest.raises(ServiceFailure, match="Node count specification invalid"):
        slurm.client("sbatch", f"--partition={SHORT}", "--nodes=2", "--wrap=true")


@pytest.mark.parametrize("computer", [OVER_SSH, BY_PARAMIKO])
def test_both_transports_of_aiida_come_in_and_refuse_another_host(
    cluster_database: Profile, ssh: Ssh, computer: str
) -> None:
    assert cluster_database.python(OPEN, computer, "sinfo --noheader --format=%P").split() == ["test*", SHORT]
    known = [ssh.folder / "known_hosts", ssh.settings.parent / "known_hosts"]
    before = known[0].read_text()
    key = make_key(ssh.folder / f"impostor-{computer}")
    try:
        for file in known:
            file.write_text(f"[{LOOPBACK}]:{ssh.port} {key}\n")
        said = cluster_database.python(OPEN, computer, "true")
    finally:
        for file in known:
            file.write_text(before)
    assert "host key" in said.lower()
