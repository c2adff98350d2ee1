"""The demo, run for real in a folder of its own, once for all tests that look at what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from tests.real.campaign.group_database import Campaign
from tests.real.services.profile import Profile
from tests.real.services.together import OVER_SSH

COMMAND = [sys.executable, "-m", "aiida_rewire.cli"]
DEMO_TIMEOUT_S = 900
OPTIONS = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, "withmpi": False}


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    folder: Path
    status: int
    output: str
    seconds: float


def environment(**extra: str) -> dict[str, str]:
    """Environment of a user who has no AiiDA of their own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIIDA")}
    return {**kept, **extra}


def run(folder: Path, *arguments: str, **extra: str) -> Ran:
    """Run `aiida-rewire` in a folder."""
    start = time.monotonic()
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        check=False,
    )
    return Ran(folder, done.returncode, done.stdout, time.monotonic() - start)


def run_python(folder: Path, script: str) -> str:
    """Run a script on the profile of a demo's folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=folder,
        env=environment(AIIDA_PATH=str(folder / ".rewire")),
        capture_output=True,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the demo to its end."""
    ran = run(tmp_path_factory.mktemp("demo"), "demo")
    assert ran.status == 0, ran.output
    return ran


@pytest.fixture(scope="session")
def computer(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """This machine."""
    made = orm.Computer("here", "localhost", transport_type="core.local", scheduler_type="core.direct")
    made.set_workdir(str(tmp_path_factory.mktemp("scratch")))
    made.store().configure(safe_interval=0.0)
    made.set_minimum_job_poll_interval(0.2)
    return made


@pytest.fixture(scope="session")
def install(computer: orm.Computer) -> Callable[[str, str, str], orm.InstalledCode]:
    """Register a program."""

    def make(label: str, path: str, plugin: str) -> orm.InstalledCode:
        code = orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=path,
            default_calc_job_plugin=plugin,
            prepend_text="export OMP_NUM_THREADS=1",
        )
        return code.store()

    return make


@pytest.fixture
def campaign_on(tmp_path: Path) -> Iterator[Callable[..., Campaign]]:
    """Make campaigns on a profile, by default over AiiDA's asynchronous SSH; their controllers end with the test."""
    made: list[Campaign] = []

    def make(profile: Profile, label: str, *, computer: str = OVER_SSH, **sections: Any) -> Campaign:
        made.append(Campaign(profile, tmp_path, label, computer=computer, **sections))
        return made[-1]

    yield make
    for one in made:
        one.close()
