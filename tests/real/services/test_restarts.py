"""PostgreSQL and RabbitMQ restarted below workers that are busy: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.services.postgres import Postgres
from tests.real.services.profile import NAME, Profile
from tests.real.services.rabbitmq import RabbitMQ
from tests.real.services.troubled import check, hardened_profile, run_with

pytestmark = [pytest.mark.real, pytest.mark.nightly]

KEPT = """
import sys
from aiida import load_profile, orm
load_profile()
number = orm.Int(3).store()
number.base.extras.set("before", 1)
process = orm.WorkChainNode()
process.store()
for turn in range(int(sys.argv[1])):
    # the session is left in a transaction that has read, as AiiDA leaves it
    assert number.base.extras.get("before") == 1
    print("restart", flush=True)
    sys.stdin.readline()
    process.set_process_status(f"turn {turn}")
    assert process.process_status == f"turn {turn}"
    assert orm.load_node(number.pk).value == 3
    assert len(orm.QueryBuilder().append(orm.Int).all()) == turn + 1
    orm.Int(turn).store()
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def hardened(services_folder: Path, postgres: Postgres, rabbitmq: RabbitMQ) -> Iterator[Profile]:
    """Profile that `aiida-rewire harden` has changed; the daemon runs."""

    def create(profile: Profile) -> None:
        profile.create(postgres, rabbitmq, "hardened")

    with hardened_profile(services_folder / "hardened", create, "rewire.psql_dos, rewire.rabbitmq") as profile:
        yield profile


def test_nodes_in_memory_stay_valid_when_the_database_is_restarted(hardened: Profile, postgres: Postgres) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KEPT, "3"],
        env=hardened.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        said = []
        while line := program.stdout.readline().strip():
            said.append(line)
            if line == "restart":
                postgres.restart()
                print(file=program.stdin, flush=True)
    assert said == ["restart", "restart", "restart", "done"]


@pytest.mark.parametrize("down_s", [0.0, 5.0])
def test_a_restart_of_the_database_loses_and_doubles_nothing(
    hardened: Profile, postgres: Postgres, tmp_path: Path, down_s: float
) -> None:
    def twice() -> None:
        postgres.restart(down_s)
        time.sleep(3)
        postgres.restart(down_s)

    check(run_with(hardened, tmp_path / "lines", twice), tmp_path / "lines")


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_a_restart_of_the_broker_loses_and_doubles_nothing(
    hardened: Profile, rabbitmq: RabbitMQ, tmp_path: Path, how: str
) -> None:
    before = {worker.pid for worker in hardened.workers()}
    check(run_with(hardened, tmp_path / "lines", getattr(rabbitmq, how)), tmp_path / "lines")
    assert before.isdisjoint(worker.pid for worker in hardened.workers()), "workers that lost their tasks have ended"


def test_the_profile_goes_back_to_the_ways_of_aiida_when_its_daemon_is_stopped(hardened: Profile) -> None:
    harden = (sys.executable, "-m", "aiida_rewire.cli", "harden")
    refused = hardened.command(*harden, "--undo")
    assert refused.status == 1
    assert f"profile = {NAME}: its daemon runs; `verdi daemon stop` first" in refused.errors
    assert hardened.command(*harden).output == f"{NAME}: rewire.psql_dos, rewire.rabbitmq; nothing to change\n"
    hardened.stop_daemon()
    assert hardened.command(*harden, "--undo").output == f"{NAME}: core.psql_dos, core.rabbitmq\n"
    assert "core.psql_dos" in hardened.verdi("profile", "show")
    assert hardened.command(*harden).output == f"{NAME}: rewire.psql_dos, rewire.rabbitmq\n"
    hardened.start_daemon(2)
