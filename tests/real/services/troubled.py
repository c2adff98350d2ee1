"""Chains of stand-in jobs on a daemon that has trouble: each of them is to run once."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.campaign.harness import HERE, with_bash
from tests.real.services.profile import NAME, Profile

CHAINS, JOBS = 6, 4
PATIENCE_S = 240

Process = tuple[int, str, str, int]
"""PK, class, state and exit status."""

SUBMIT = """
import json, sys
from aiida import load_profile
load_profile()
from aiida.engine import submit
from rewire_stand_in import StandInChain
chains, jobs, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
common = {"file": file, "seconds": 1.0, "jobs": jobs, "labels": {}, "status": 0}
print(json.dumps([submit(StandInChain, line=f"chain-{number}", **common).pk for number in range(chains)]))
"""

LOOK = """
import json, sys
from aiida import load_profile, orm
load_profile()
found = []
for pk in json.loads(sys.argv[1]):
    top = orm.load_node(pk)
    for node in [top, *top.called_descendants]:
        state = node.process_state.value if node.process_state else "stillborn"
        found.append([node.pk, node.process_label, state, node.exit_status])
print(json.dumps(found))
"""


@contextmanager
def hardened_profile(folder: Path, create: Callable[[Profile], None], services: str) -> Iterator[Profile]:
    """Make a profile, with the code of the stand-in, that `aiida-rewire harden` changes; the daemon runs."""
    profile = Profile(folder, {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])})
    try:
        create(profile)
        with_bash(profile)
        done = profile.command(sys.executable, "-m", "aiida_rewire.cli", "harden")
        assert (done.status, done.output) == (0, f"{NAME}: {services}\n"), done.errors
        profile.start_daemon(2)
        yield profile
    finally:
        profile.stop_daemon()


def run_with(profile: Profile, file: Path, trouble: Callable[[], None], *, chains: int = CHAINS) -> list[Process]:
    """Run chains, make trouble when their jobs are under way, and return the processes that came of it."""
    pks = profile.python(SUBMIT, str(chains), str(JOBS), str(file)).splitlines()[-1]
    until(lambda: file.exists() and len(lines(file)) >= chains // 2, "the first jobs end")
    trouble()
    found: list[Process] = []

    def ended() -> bool:
        found[:] = json.loads(profile.python(LOOK, pks).splitlines()[-1])
        tops = [state for _, label, state, _ in found if label == "StandInChain"]
        return all(state in ("finished", "excepted", "killed") for state in tops)

    until(ended, "all chains end")
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def lines(file: Path) -> list[str]:
    return sorted(file.read_text().splitlines())


def check(processes: list[Process], file: Path, *, chains: int = CHAINS) -> None:
    """Every process once, every one finished, every job's line there."""
    lived = [row for row in processes if row[2] != "stillborn"]
    assert {tuple(row[2:4]) for row in lived} == {("finished", 0)}
    assert Counter(row[1] for row in lived) == {
        "StandInChain": chains,
        "StandInLane": chains,
        "LineJob": chains * JOBS,
    }
    assert set(lines(file)) == {f"chain-{chain} {job + 1}" for chain in range(chains) for job in range(JOBS)}
