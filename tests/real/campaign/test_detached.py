"""A controller in a session of its own outlives its command, and writes what it does where only its owner reads."""

import contextlib
import json
import stat
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.real.campaign.harness import LONGEST_S, Campaigns

pytestmark = pytest.mark.real
RECORD = """
import json, sys
from aiida import load_profile
load_profile()
from rewire_killing import spec_of
from aiida_rewire.campaign.record import record_campaign
record_campaign(spec_of(json.loads(sys.argv[1])), "recorded by a test")
"""


def command(campaigns: Campaigns, *arguments: str) -> Any:
    """Run `aiida-rewire campaign`; return what it printed as JSON."""
    done = campaigns.profile.command(sys.executable, "-m", "aiida_rewire.cli", "campaign", *arguments, "--json")
    assert done.status == 0, done.errors
    return json.loads(done.output)


def test_a_detached_controller_outlives_its_command_and_ends_with_the_campaign(campaigns: Campaigns) -> None:
    task = {"label": "detached", "voltages": [1.0, 2.0], "seeds": [1], "active_chains": 1, "attempts": 1}
    campaigns.profile.python(RECORD, json.dumps(task))
    # paused, it has nothing to do but to wait
    command(campaigns, "pause", "detached")
    first = command(campaigns, "run", "detached", "--detach", "--interval", "0.3")
    assert first["waits"] is False
    controller = psutil.Process(first["pid"])
    started = [controller]
    log = Path(first["log"])
    try:
        assert log.is_relative_to(campaigns.profile.folder / ".aiida" / "rewire")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
        assert (controller.terminal(), controller.cwd()) == (None, "/")
        # a second one waits, and says for whom
        second = command(campaigns, "run", "detached", "--detach", "--interval", "0.3")
        started.append(psutil.Process(second["pid"]))
        assert second["waits"] is True
        wait_for(log, "another controller runs this campaign (")
        assert f"PID {first['pid']}" in log.read_text()
        started[1].terminate()
        # the real chain finds none of what it needs: it is told, and the campaign ends
        command(campaigns, "resume", "detached")
        wait_for(log, "the campaign is at its end: 0 of 2 chains finished")
        gone, alive = psutil.wait_procs(started, timeout=LONGEST_S)
        assert (len(gone), alive) == (2, [])
    finally:
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    said = log.read_text().splitlines()
    assert any(line.split(" ", 1)[1].startswith("1V-s1: not submitted: 'rewire/frozen-d': ") for line in said)
    # each line begins with its time
    assert all(line[:2] == "20" and line[10] == "T" for line in said)


def wait_for(log: Path, text: str) -> None:
    """Wait until a log holds a text."""
    deadline = time.monotonic() + LONGEST_S
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
