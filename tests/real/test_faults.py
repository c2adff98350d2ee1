"""What happens to a chain when somebody kills a part of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.real.conftest import COMMAND, environment, run, run_python

from aiida_rewire.cli.home import Home

pytestmark = pytest.mark.real

PATIENCE_S = 240
SHORT_CHAIN = Path(__file__).with_name("short_chain.py")


def await_that(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {PATIENCE_S} s")


def job(folder: Path, name: str, file: str, words: str) -> psutil.Process | None:
    """Find a running program by its name and by words in a file where it runs."""
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == name and str(process.info["cwd"]).startswith(str(folder)):
            text = Path(process.info["cwd"], file)
            if text.is_file() and words in text.read_text():
                return process
    return None


def chain_with_a_kill(
    folder: Path, name: str, file: str, words: str, steps: int = 200, what: str = "chain"
) -> dict[str, Any]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SHORT_CHAIN), str(steps), what],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as chain:
        victim = await_that(lambda: job(folder, name, file, words), f"{name} with {words}")
        victim.kill()
        printed, _ = chain.communicate(timeout=PATIENCE_S)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert Home.at(folder / ".rewire").leftovers() == []
    return result


BY_LABEL = """
import json
from aiida import load_profile, orm
load_profile()
lanes = {"attributes.process_label": "LaneWorkChain"}
query = orm.QueryBuilder().append(orm.WorkChainNode, filters=lanes, tag="lane")
query.append(orm.ProcessNode, with_incoming="lane", edge_filters={"label": {"like": "snapshot%"}}, tag="child",
             project=["attributes.process_label", "attributes.exit_status"], edge_project=["label"])
print(json.dumps(query.all()))
"""


@pytest.mark.nightly
def test_a_snapshot_whose_job_lost_pw_x_is_computed_in_separate_jobs(tmp_path: Path) -> None:
    # the lead has 27 atoms, every junction more
    result = chain_with_a_kill(tmp_path, "pw.x", "aiida.in", "nat = 4")
    assert result["status"] == 0, result["rows"]
    assert len(result["rows"]) == 3
    assert all(0 <= row["conductance_g0"] < 1 and not row["missing"] for row in result["rows"])
    children = sorted(json.loads(run_python(tmp_path, BY_LABEL)), key=lambda child: child[2])
    assert children == [
        ["JunctionCalculation", 420, "snapshot_0000"],
        ["SnapshotConductanceWorkChain", 0, "snapshot_0000_steps"],
        ["JunctionCalculation", 0, "snapshot_0001"],
        ["JunctionCalculation", 0, "snapshot_0002"],
    ]


def test_a_killed_dynamics_is_gone_on_from_its_checkpoint(tmp_path: Path) -> None:
    name, file, words = Path(sys.executable).name, "log.lammps", "rewire: checkpoint 400 "
    result = chain_with_a_kill(tmp_path, name, file, words, steps=1000, what="dynamics")
    assert result["status"] == 0, result["message"]
    segments = result["results"]["segments"]
    assert len(segments) == 2
    assert 400 <= segments[0]["last_step"] < segments[1]["last_step"] == 1000
    # every frame once, none of those that the killed job wrote after its checkpoint
    assert result["results"]["frames"] == 1000 // 50 + 1


REUSED = """
from aiida import load_profile, orm
load_profile()
from aiida.plugins import CalculationFactory
query = orm.QueryBuilder().append(CalculationFactory("rewire.md"))
print(sum(node.base.caching.is_created_from_cache for node in query.all(flat=True)))
active = {"attributes.process_state": {"in": ["created", "running", "waiting"]}}
print(orm.QueryBuilder().append(orm.ProcessNode, filters=active).count())
"""


def interrupted_demo(folder: Path, words: str) -> int:
    with subprocess.Popen(
        [*COMMAND, "demo"], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, bufsize=1
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if words in line:
                os.kill(demo.pid, signal.SIGINT)
                break
        demo.stdout.read()
        return demo.wait(timeout=PATIENCE_S)


def test_ctrl_c_leaves_nothing_running_and_a_second_run_goes_on(tmp_path: Path) -> None:
    home = Home.at(tmp_path / ".rewire")
    assert interrupted_demo(tmp_path, "production running") == 130
    assert home.leftovers() == []
    assert interrupted_demo(tmp_path, "production running") == 130
    assert home.leftovers() == []
    reused, active = run_python(tmp_path, REUSED).split()
    assert int(reused) >= 1, "the equilibration was found again"
    assert int(active) == 0
    ran = run(tmp_path, "demo", "--clean")
    assert ran.status == 0
    assert not (tmp_path / ".rewire").exists()
