"""An SSH server in a folder, and what a client needs that asks it alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
from tests.real.services.program import (
    LOOPBACK,
    Program,
    ServiceFailure,
    answers,
    find_program,
    free_ports,
    write_secret,
)

PACKAGE = "openssh-server"
HOST = "login"
"""Name by which clients know the server."""

EMPTY = Path("/run/sshd")
"""What Debian's sshd wants to be there when root starts it; an empty folder, which its unit makes at boot."""

PATH = "/usr/local/bin:/usr/bin:/bin"

SERVER = """\
ListenAddress {loopback}:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys/%u
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
PermitTunnel no
DisableForwarding yes
# of the folders above these files /tmp is everybody's
StrictModes no
UsePAM no
PidFile none
PrintMotd no
UseDNS no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
SetEnv {variables}
"""

CLIENT = """\
Host {host}
  HostName {loopback}
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  BatchMode yes
"""


class Ssh:
    """A server that lets people in by key alone, and a client's folder in which it is the host ``login``.

    Started by root it lets anybody in whose key was given to it, else whoever starts it.

    Parameters
    ----------
    folder
        Made by `start`; must not exist.
    variables
        Environment of the sessions, by which programs find a cluster.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.programs = folder / "bin"
        self._variables = {"PATH": f"{self.programs}:{PATH}", **variables}
        self._server = Program(
            [find_program("sshd", package=PACKAGE), "-D", "-e", "-f", str(folder / "sshd_config")],
            folder=folder,
            log=folder.with_name(f"{folder.name}.log"),
        )

    @property
    def home(self) -> Path:
        """Home of the client: its settings, its key and the host it knows."""
        return self.folder / "home"

    @property
    def settings(self) -> Path:
        """What the client reads, ``~/.ssh/config`` for those whose home it is."""
        return self.home / ".ssh" / "config"

    @property
    def key(self) -> Path:
        """Private key of the client."""
        return self.folder / "user_key"

    @property
    def environment(self) -> dict[str, str]:
        """By which AiiDA finds the client's settings; `ssh` itself is told them by `-F`."""
        return {"HOME": str(self.home)}

    def start(self) -> None:
        """Make the keys and start the server.

        Raises
        ------
        ServiceFailure
            If the server does not start.
        """
        self.folder.mkdir(mode=0o755)
        for folder in (self.programs, self.folder / "authorized_keys", self.home, self.settings.parent):
            folder.mkdir(mode=0o755)
        public = {name: make_key(self.folder / name) for name in ("host_key", "user_key")}
        known = f"[{LOOPBACK}]:{self.port} {public['host_key']}\n"
        (self.folder / "known_hosts").write_text(known)
        # whoever does not read the settings looks for it here
        (self.settings.parent / "known_hosts").write_text(known)
        self.let_in(self.user, public["user_key"])
        values = {"loopback": LOOPBACK, "port": self.port, "folder": self.folder}
        write_secret(self.settings, CLIENT.format(host=HOST, user=self.user, **values), None)
        variables = " ".join(f'"{name}={value}"' for name, value in self._variables.items())
        (self.folder / "sshd_config").write_text(SERVER.format(variables=variables, **values))
        if os.geteuid() == 0:
            EMPTY.mkdir(mode=0o755, exist_ok=True)
        self.accept()

    def let_in(self, user: str, public_key: str) -> None:
        """Let somebody in by their key, in the place of the one they may have had."""
        (self.folder / "authorized_keys" / user).write_text(f"{public_key}\n")

    def shut_out(self, user: str) -> None:
        """Take somebody's key away: who is in stays, and does not come in again."""
        (self.folder / "authorized_keys" / user).unlink()

    def run(self, *command: str) -> str:
        """Run a program there and return what it prints.

        Raises
        ------
        ServiceFailure
            If it fails, or nobody answers.
        """
        done = subprocess.run(
            [find_program("ssh", package="openssh-client"), "-F", str(self.settings), HOST, shlex.join(command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise ServiceFailure(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def accept(self) -> None:
        """Start the server, or start it again."""
        self._server.start(lambda: answers(self.port))

    def refuse(self) -> None:
        """Stop the server and cut all sessions; what they had started goes on."""
        sessions = [one for one in self._processes() if one.name() == "sshd"]
        self._server.stop()
        for session in sessions:
            with contextlib.suppress(psutil.NoSuchProcess):
                session.kill()
        psutil.wait_procs(sessions, timeout=10)

    def _processes(self) -> list[psutil.Process]:
        if not self._server.runs:
            return []
        return psutil.Process(self._server.pid).children(recursive=True)

    def replace(self, name: str, script: str) -> Path:
        """Put a shell script in the place of a program of that name, and return it; without it all is as before."""
        file = self.programs / name
        partial = file.with_name(f".{name}-{secrets.token_hex(4)}")
        partial.write_text(f"#!/bin/sh\n{script}\n")
        partial.chmod(0o755)
        return partial.rename(file)

    def stop(self) -> None:
        """Stop the server and cut all sessions."""
        self.refuse()


def make_key(file: Path) -> str:
    """Make a pair of keys without a passphrase; return the public one."""
    subprocess.run(
        [find_program("ssh-keygen", package="openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file],
        check=True,
        capture_output=True,
    )
    return file.with_name(f"{file.name}.pub").read_text().strip()
