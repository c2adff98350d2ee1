"""Accounts of Unix that a test makes: each runs programs with its own rights and nothing else."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.real.services.profile import MPI, ROOT, Done

CLI = [sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli"]

ENTER = """
set -e
covers=$1 needed=$2 hold=$3 user=$4
shift 4
for path in $needed; do mount --bind "$path" "$hold/$(echo "$path" | tr / _)"; done
for cover in $covers; do mount -t tmpfs -o mode=755 tmpfs "$cover"; done
for path in $needed; do mkdir -p "$path"; mount --move "$hold/$(echo "$path" | tr / _)" "$path"; done
exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --pdeathsig TERM "$@"
"""
"""Others cannot enter the folder of whoever owns the interpreter: in a view of their own it holds that alone."""


ENDS_WITH_US = ("--init-groups", "--pdeathsig", "TERM")


def closed_above(path: Path) -> Path | None:
    """Return the topmost folder above a path that other accounts cannot enter; None if they can enter all."""
    closed = [up for up in (*reversed(path.parents), path) if not up.stat().st_mode & 0o001]
    return closed[0] if closed else None


def hidden_paths() -> dict[Path, Path]:
    """Return what the tests need and other accounts cannot reach, each with the folder that they cannot enter."""
    found = {path: closed_above(path) for path in (Path(sys.base_prefix), Path(sys.prefix), ROOT)}
    return {path: closed for path, closed in found.items() if closed is not None}


def others_can_run() -> bool:
    """Whether other accounts reach the interpreter, or can be given a view of the files in which they do."""
    if not hidden_paths():
        return True
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "true"], check=False, capture_output=True
    )
    return tried.returncode == 0


@dataclass
class Account:
    """An account.

    Attributes
    ----------
    name
        Of the account.
    home
        Its home; AiiDA's configuration is in it.
    variables
        Environment of all that it runs.
    """

    name: str
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of all that it runs."""
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"])
        own = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name, "AIIDA_PATH": str(self.home)}
        return {"PATH": path, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **MPI, **own, **self.variables}

    def command(self, *command: str) -> list[str]:
        """Return a command that runs another as this account."""
        hidden = hidden_paths()
        if not hidden:
            return ["setpriv", f"--reuid={self.name}", f"--regid={self.gid}", *ENDS_WITH_US, *command]
        hold = self.home / ".hold"
        for path in hidden:
            (hold / str(path).replace("/", "_")).mkdir(parents=True, exist_ok=True)
        words = [" ".join(sorted(set(map(str, paths)))) for paths in (hidden.values(), hidden)]
        inside = ["bash", "-c", ENTER, "enter", *words, str(hold), self.name, *command]
        return ["unshare", "--mount", "--propagation", "private", *inside]

    @property
    def gid(self) -> int:
        """Of its own group."""
        return pwd.getpwnam(self.name).pw_gid

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a program that goes on; what it prints is in a file."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command(*command),
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def python(self, script: str, *arguments: str, timeout_s: float = 120) -> str:
        """Run a script and return what it prints."""
        done = self.run(sys.executable, "-W", "ignore", "-c", script, *arguments, timeout_s=timeout_s)
        assert done.status == 0, done.output + done.errors
        return done.output

    def run(self, *command: str, extra: Mapping[str, str] | None = None, timeout_s: float = 120) -> Done:
        """Run a program to its end."""
        done = subprocess.run(
            self.command(*command),
            cwd=self.home,
            env={**self.environment, **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            start_new_session=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def rewire(self, *arguments: str, status: int = 0) -> str:
        """Run `aiida-rewire`; return what it prints, or what it says aside where it is to fail."""
        done = self.run(*CLI, *arguments)
        assert done.status == status, done.output + done.errors
        return done.errors if status else done.output

    def verdi(self, *arguments: str) -> Done:
        """Run `verdi`."""
        return self.run(sys.executable, "-W", "ignore", "-m", "aiida", *arguments)

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file of its own."""
        file = self.home / name
        file.write_text(text)
        file.chmod(mode)
        shutil.chown(file, self.name, self.gid)
        return file


@contextlib.contextmanager
def made_accounts(folder: Path, readers: str, *names: str) -> Iterator[dict[str, Account]]:
    """Make accounts and a group that all of them are in; they are gone afterwards.

    Parameters
    ----------
    folder
        For their homes.
    readers
        Name of the group.
    names
        Of the accounts.
    """
    for name in names:
        remove_leftover(name)
    # of a run that was killed it may be there still
    subprocess.run(["groupadd", "--force", readers], check=True)
    made: dict[str, Account] = {}
    try:
        for name in names:
            home = folder / name
            subprocess.run(
                [
                    "useradd",
                    "--home-dir",
                    str(home),
                    "--create-home",
                    "--groups",
                    readers,
                    "--shell",
                    "/bin/sh",
                    name,
                ],
                check=True,
                capture_output=True,
            )
            home.chmod(0o700)
            made[name] = Account(name, home)
        yield made
    finally:
        for name in made:
            remove(name)
        subprocess.run(["groupdel", readers], check=False)


def remove_leftover(name: str) -> None:
    """Remove an account of a run that was killed; one that is somebody's is left alone, and cannot be made then."""
    with contextlib.suppress(KeyError):
        if Path(pwd.getpwnam(name).pw_dir).parent.parent.name.startswith("rewire-"):
            remove(name)


def remove(name: str) -> None:
    """End all that an account of a test still runs, and remove it; its home goes with the folder of the services."""
    uid = pwd.getpwnam(name).pw_uid
    running = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == uid:
                process.kill()
                running.append(process)
    psutil.wait_procs(running, timeout=10)
    subprocess.run(["userdel", name], check=True, capture_output=True)
