"""A profile of its own with a daemon that knows the stand-in of the chain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder

HERE = Path(__file__).parent
COMPUTER = "campaign-host"
WORKERS = 2
TIMEOUT_S = 300

CODE = """
from aiida import load_profile, orm
load_profile()
computer = orm.load_computer("campaign-host")
orm.InstalledCode(label="bash", computer=computer, filepath_executable="/bin/bash").store()
"""


class Campaigns:
    """A profile, and programs of this folder that run on it."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._asking: subprocess.Popen[str] | None = None

    def start(self, program: str, *arguments: str, errors: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a program; what it says aside goes to `errors`."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / program), *arguments],
            env=self.profile.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def run(self, program: str, **task: Any) -> tuple[Any, str]:
        """Run a program on a task to its end; return what it printed as JSON, and what it said aside."""
        process = self.start(program, json.dumps(task))
        try:
            out, said = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        assert process.returncode == 0, said
        return json.loads(out.splitlines()[-1]), said

    def ask(self, **task: Any) -> Any:
        """Ask something of a campaign, of a program that answers many times."""
        if self._asking is None:
            self._asking = self.start("rewire_asking.py")
        assert self._asking.stdin is not None
        assert self._asking.stdout is not None
        print(json.dumps(task), file=self._asking.stdin, flush=True)
        line = self._asking.stdout.readline()
        if not line:
            raise AssertionError(self._asking.communicate()[1])
        return json.loads(line)

    def close(self) -> None:
        """End what runs."""
        if self._asking is not None:
            self._asking.communicate()
        self.profile.stop_daemon()


def with_bash(profile: Profile) -> Profile:
    """Register the computer and the code of the stand-in."""
    profile.add_computer(COMPUTER, "core.direct", poll_s=0.2)
    profile.python(CODE)
    return profile


@pytest.fixture(scope="session")
def campaigns() -> Iterator[Campaigns]:
    """Campaigns on SQLite and the broker of the daemon, which runs."""
    with service_folder() as folder:
        profile = Profile(folder / "aiida", {"PYTHONPATH": str(HERE)})
        profile.create_embedded()
        with_bash(profile)
        those = Campaigns(profile)
        try:
            profile.start_daemon(WORKERS)
            yield those
        finally:
            those.close()


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[str]]:
    """Lines that the jobs left, sorted."""
    return lambda: sorted((tmp_path / "lines").read_text().splitlines())
