"""Campaigns with the real codes on Slurm behind SSH, on PostgreSQL and RabbitMQ."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from tests.real.campaign.group_database import SNAPSHOTS
from tests.real.cluster.over_ssh import BY_PARAMIKO
from tests.real.conftest import DEMO_TIMEOUT_S, environment
from tests.real.services.profile import ROOT, Profile
from tests.real.services.slurm import SHORT
from tests.real.services.together import OVER_SSH

pytestmark = pytest.mark.real

USED = """
import json, sys
from aiida import load_profile, orm
load_profile()
query = orm.QueryBuilder()
query.append(orm.Computer, project=["label", "transport_type", "scheduler_type"], tag="computer")
query.append(orm.CalcJobNode, filters={"label": {"like": f"{sys.argv[1]}/%"}}, with_computer="computer")
print(json.dumps(sorted({tuple(row) for row in query.all()})))
"""


def check(one: Any, transport: str, computer: str) -> None:
    """Run a campaign to its end and check that it is whole, and by which way it came about."""
    one.end(one.start())
    found = one.found()
    assert [snapshot for snapshot, _, _ in found["made"]] == list(range(SNAPSHOTS))
    for _, conductance, unitarity in found["made"]:
        assert 0.0 <= conductance < 4.0
        assert unitarity < 1e-3
    assert one.failures() == []
    chain = one.status()
    assert (chain["state"], chain["attempts"], chain["snapshots"]["done"]) == ("finished", 1, SNAPSHOTS)
    used = one.profile.python(USED, one.label).splitlines()[-1]
    assert used == f'[["{computer}", "{transport}", "rewire.slurm"]]'


@pytest.mark.nightly
def test_a_small_campaign(campaign_on: Any, cluster_database: Profile) -> None:
    steps = ("md", "lead", "scf", "readback", "pwcond")
    within = {step: {"partition": SHORT, "walltime_h": 0.1} for step in steps}
    check(campaign_on(cluster_database, "over-ssh", resources=within), "core.ssh_async", OVER_SSH)


@pytest.mark.nightly
def test_a_small_campaign_by_the_other_transport(campaign_on: Any, cluster_database: Profile) -> None:
    one = campaign_on(cluster_database, "over-paramiko", computer=BY_PARAMIKO)
    check(one, "core.ssh", BY_PARAMIKO)


@pytest.mark.nightly
def test_the_chain_of_the_demo_by_one_command() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.real.cluster"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    conductances = [float(found) for found in re.findall(r"snapshot \d+: G = ([\d.]+) G0", done.stdout)]
    # as in the demo: open junctions, and contacts
    assert len(conductances) >= 6, done.stdout
    assert sum(one < 0.05 for one in conductances) >= 2
    assert sum(one > 0.5 for one in conductances) >= 2
