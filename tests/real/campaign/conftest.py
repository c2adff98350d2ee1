"""A profile of its own with a daemon that knows the stand-in of the chain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Campaigns:
    """A profile, and programs of this folder that run on it."""

    profile: Profile

    def start(self, program: str, **task: Any) -> subprocess.Popen[str]:
        """Start a program; its task is JSON on its command line."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / program), json.dumps(task)],
            env=self.profile.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, **task: Any) -> tuple[Any, str]:
        """Run a program to its end; return what it printed as JSON, and what it said aside."""
        process = self.start(program, **task)
        try:
            out, said = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        assert process.returncode == 0, said
        return json.loads(out.splitlines()[-1]), said


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
        try:
            profile.start_daemon(WORKERS)
            yield Campaigns(profile)
        finally:
            profile.stop_daemon()


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[str]]:
    """Lines that the jobs left, sorted."""
    return lambda: sorted((tmp_path / "lines").read_text().splitlines())
