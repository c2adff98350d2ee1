"""A group's database on PostgreSQL and RabbitMQ, hardened, with real codes on a Slurm cluster; campaigns on it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import psutil
from tests.real.services.profile import Profile

CLI = [sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli"]
CLUSTER = "cluster"
SMALL = "small-disk"
SNAPSHOTS = 3
LONGEST_S = 420.0

CODES = """
import sys
from aiida import load_profile, orm
load_profile()
from aiida_rewire.cli import ingredients
for computer in sys.argv[1:]:
    for label, path in ingredients.find_programs().items():
        orm.InstalledCode(
            label=label, computer=orm.load_computer(computer), filepath_executable=str(path),
            default_calc_job_plugin=ingredients.PROGRAMS[label][1], prepend_text=ingredients.ONE_THREAD,
        ).store()
"""

PSEUDO = """
import sys
from aiida import load_profile, orm
load_profile()
from aiida_rewire.cli import ingredients
ingredients.load_pseudo(orm.load_code(sys.argv[1]))
"""

FOUND = """
import json, sys
from aiida import load_profile, orm
load_profile()
from aiida.plugins import DataFactory
label = sys.argv[1]
made = orm.QueryBuilder().append(
    DataFactory("rewire.conductance"), filters={"attributes.campaign": label},
    project=["attributes.snapshot", "attributes.conductance_g0", "attributes.unitarity_max"],
).all()
below = {"label": {"like": f"{label}/%"}}
processes = orm.QueryBuilder().append(
    orm.ProcessNode, filters=below,
    project=["label", "attributes.process_label", "attributes.process_state", "attributes.exit_status", "id"],
).all()
jobs = orm.QueryBuilder().append(orm.CalcJobNode, filters=below, project=["label", "attributes.remote_workdir"]).all()
print(json.dumps({"made": sorted(made), "processes": processes, "jobs": jobs}))
"""

LEADS = """
import json
from aiida import load_profile, orm
load_profile()
from aiida.plugins import CalculationFactory
query = orm.QueryBuilder().append(CalculationFactory("rewire.pw"), tag="lead")
query.append(orm.RemoteData, with_incoming="lead", project=["attributes.remote_path"])
print(json.dumps(query.all(flat=True)))
"""


class Campaign:
    """A small campaign with the real codes: a chain, three snapshots.

    Parameters
    ----------
    profile
        Whose daemon runs.
    folder
        For its file and what its controllers say.
    label
        Of the campaign.
    computer
        Of its codes.
    scratch
        Folder below which its jobs run; by default that of the profile.
    sections
        Of its file, in the place of the usual ones.
    """

    chain = "12V-s1"

    def __init__(
        self,
        profile: Profile,
        folder: Path,
        label: str,
        *,
        computer: str = CLUSTER,
        scratch: Path | None = None,
        **sections: Any,
    ) -> None:
        self.profile, self.label = profile, label
        self._scratch = scratch or profile.folder
        self._log = folder / f"{label}.log"
        self._controllers: list[subprocess.Popen[bytes]] = []
        cutoffs = {"parameters": {"SYSTEM": {"ecutwfc": 6.0, "ecutrho": 24.0}}}
        file = folder / f"{label}.yaml"
        file.write_text(
            json.dumps(
                {
                    "label": label,
                    "protocol": "demo",
                    "codes": {name: f"{name}@{computer}" for name in ("md", "pw", "pp", "pwcond")},
                    "pseudo_family": "rewire/frozen-d",
                    "md": {"voltages": [12.0], "seeds": [1], "equilibration_ps": 0.1, "production_ps": 0.2},
                    "snapshots": {"interval_ps": 0.1, "lanes": 1},
                    # conductances of other campaigns here would be taken over
                    "reuse": {"contacts": False},
                    "overrides": {"lead": cutoffs, "scf": cutoffs},
                    **sections,
                }
            )
        )
        self.ask("submit", str(file), "--hold")

    def ask(self, command: str, *arguments: str, allowed: Collection[int] = (0,)) -> str:
        """Run a command of ``aiida-rewire campaign`` and return what it prints."""
        done = self.profile.command(*CLI, "campaign", command, *arguments)
        assert done.status in allowed, done.output + done.errors
        return done.output

    def start(self) -> subprocess.Popen[bytes]:
        """Start a controller."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*CLI, "campaign", "run", self.label, "--interval", "1"],
                cwd=self.profile.folder,
                env=self.profile.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._controllers.append(process)
        return process

    @property
    def said(self) -> str:
        """What its controllers said."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End its controllers."""
        for process in self._controllers:
            process.kill()
            process.wait()

    def status(self) -> dict[str, Any]:
        """What `status` says of its chain."""
        (chain,) = json.loads(self.ask("status", self.label, "--json"))["chains"]
        return dict(chain)

    def failures(self) -> list[dict[str, Any]]:
        """What `failures` lists."""
        return list(json.loads(self.ask("failures", self.label, "--json"))["failures"])

    def found(self) -> dict[str, Any]:
        """Its conductances, processes and jobs, as the database has them."""
        found: dict[str, Any] = json.loads(self.profile.python(FOUND, self.label).splitlines()[-1])
        return found

    def wait_for(self, condition: Callable[[], Any], what: str, *, longest_s: float = LONGEST_S) -> Any:
        """Wait until something is so."""
        deadline = time.monotonic() + longest_s
        while time.monotonic() < deadline:
            if there := condition():
                return there
            time.sleep(0.1)
        raise AssertionError(f"{what}: not in {longest_s} s; {self.said[-2000:]}")

    def end(self, process: subprocess.Popen[bytes], *, status: int = 0) -> None:
        """Wait until a controller ends."""
        self.wait_for(lambda: process.poll() is not None, "the controller ends")
        assert process.returncode == status, self.said

    def program(self, name: str, words: str = "") -> psutil.Process:
        """Wait for a program of a job, by its name and by words in its input."""
        found: psutil.Process = self.wait_for(lambda: running(self._scratch, name, words), f"{name} runs")
        return found


def running(folder: Path, name: str, words: str = "") -> psutil.Process | None:
    """Find a program that runs below a folder, by its name and by words in an input where it runs."""
    for process in psutil.process_iter(["name", "cwd"]):
        where = process.info["cwd"]
        if process.info["name"] != name or not str(where).startswith(str(folder)):
            continue
        try:
            texts = [file.read_text(errors="replace") for file in Path(where).glob("*.in")]
        except OSError:
            continue
        if not words or any(words in text for text in texts):
            return process
    return None


def lead_folders(profile: Profile) -> list[Path]:
    """Return where the jobs of `rewire.pw` ran."""
    return [Path(path) for path in json.loads(profile.python(LEADS).splitlines()[-1])]


def make_group_database(profile: Profile, postgres: Any, rabbitmq: Any, small: Path) -> Iterator[Profile]:
    """Make a profile with a cluster, and the same with its scratch on a small disk; its daemon runs."""
    try:
        profile.create(postgres, rabbitmq, "group")
        done = profile.command(*CLI, "harden")
        assert done.status == 0, done.errors
        # AiiDA's own first pause between two tries is 20 s, and it tries five times
        profile.verdi("config", "set", "transport.task_retry_initial_interval", "2")
        profile.verdi("config", "set", "transport.task_maximum_attempts", "3")
        profile.add_computer(CLUSTER, "core.slurm")
        profile.add_computer(SMALL, "core.slurm", work=small)
        profile.python(CODES, CLUSTER, SMALL)
        profile.start_daemon(2)
        profile.python(PSEUDO, f"ld1@{CLUSTER}")
        yield profile
    finally:
        profile.stop_daemon()
