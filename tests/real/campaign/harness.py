"""Campaigns on a profile of their own, their controllers, and what people ask of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.real.services.profile import Profile

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
USUAL = {"seeds": [1], "active_chains": 3, "attempts": 1, "statuses": {}, "stillborn_s": 5.0, "lost_s": 3.0}
LONGEST_S = 120.0
SIGKILL = -9
INSTANTS = ["stored", "checkpoint", "newborn", "sent"]


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


class Controller:
    """A controller that runs."""

    def __init__(self, campaigns: Any, task: dict[str, Any], log: Path) -> None:
        self.log = log
        with log.open("w") as errors:
            self.process: subprocess.Popen[str] = campaigns.start(
                "rewire_running.py", json.dumps(task), errors=errors
            )

    @property
    def said(self) -> str:
        """All that it said."""
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it says something."""
        deadline = time.monotonic() + LONGEST_S
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def status(self) -> int:
        """Wait for its end, and return the status that it reported."""
        out, _ = self.process.communicate(timeout=LONGEST_S)
        assert self.process.returncode == 0, self.said
        return int(json.loads(out)["status"])

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


class Study:
    """A campaign, its controllers, and what people ask of it."""

    def __init__(self, campaigns: Any, file: Path, label: str, **task: Any) -> None:
        self.campaigns, self.file, self.label = campaigns, file, label
        self.task = {**USUAL, "label": label, "file": str(file), **task}
        self.controllers: list[Controller] = []

    def start(self) -> Controller:
        """Start a controller."""
        log = self.file.with_name(f"{self.label}-{len(self.controllers)}.log")
        self.controllers.append(Controller(self.campaigns, self.task, log))
        return self.controllers[-1]

    def close(self) -> None:
        """End its controllers."""
        for controller in self.controllers:
            controller.process.kill()
            controller.process.communicate()

    def ask(self, what: str, *chains: str, exit_code: int | None = None) -> Any:
        """Ask for something, or look (what = nothing)."""
        asked = {"what": what, "chains": chains, "exit_code": exit_code}
        return self.campaigns.ask(label=self.label, file=str(self.file), **asked)

    def until(self, there: Callable[[Any], bool]) -> Any:
        """Look until something is so."""
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            found = self.ask("")
            if there(found):
                return found
            time.sleep(0.3)
        raise AssertionError(found)


def killed_at_random(campaigns: Any, tmp_path: Path, label: str, **task: Any) -> tuple[Any, str]:
    """Kill controllers of a campaign, then let one run to the end."""
    usual = {"seeds": [1], "active_chains": 3, "attempts": 2, "jobs": 1, "seconds": 0.1, "statuses": {}}
    times = {"stillborn_s": 3.0, "lost_s": 1.5}
    return campaigns.run("rewire_killing.py", label=label, file=str(tmp_path / "lines"), **{**usual, **times, **task})


def check_every_chain_ran_once(found: Any, chains: list[str], lines: list[str], *, jobs: int) -> None:
    """One attempt counts for each chain, it is finished, and each of its jobs ran once."""
    assert list(found["attempts"]) == chains or sorted(found["attempts"]) == sorted(chains)
    for chain, attempts in found["attempts"].items():
        counting = [(state, status) for _, state, status, void in attempts if void is None]
        assert counting == [("finished", 0)], chain
        for _, state, _, void in attempts:
            assert void is None or (state == "excepted" and void.startswith("stillborn"))
    assert lines == sorted(f"{chain} {number}" for chain in chains for number in range(1, jobs + 1))
    assert (found["living"], found["unsealed"], found["controller"]) == (0, 0, None)
    first = {attempts[-1][0] for attempts in found["attempts"].values()}
    assert first <= set(found["members"])
