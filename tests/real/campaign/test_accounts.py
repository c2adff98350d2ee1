"""Accounts of jobs from a real Slurm with accounting: asked too early, and again when they are complete."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from tests.real.services.program import await_that, running
from tests.real.services.slurm import Slurm

from aiida_rewire.campaign.accounting import EXTRA
from aiida_rewire.campaign.cost import Source, cost_of
from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.database.marks import CHAIN_PROCESS

pytestmark = pytest.mark.nightly

SECONDS = 4
CODES = {name: f"{name}@accounts" for name in ("md", "pw", "pp", "pwcond")}
SPEC = {
    "label": "accounts",
    "protocol": "demo",
    "codes": CODES,
    "pseudo_family": "rewire/frozen-d",
    "md": {"voltages": [2.0], "seeds": [1]},
}


@pytest.fixture(scope="module")
def slurm(services_folder: Path) -> Iterator[Slurm]:
    """Slurm with slurmdbd."""
    with running(Slurm(services_folder / "accounted", accounting=True)) as service:
        yield service


@pytest.fixture
def lane(aiida_profile: Any, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> orm.WorkChainNode:
    """A lane of a campaign on that cluster, whose jobs the test submits."""
    monkeypatch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
    computer = orm.Computer("accounts", "localhost", transport_type="core.local", scheduler_type="core.slurm")
    computer.set_workdir(str(tmp_path))
    computer.store().configure(safe_interval=0.0, use_login_shell=False)
    record_campaign(CampaignSpec.model_validate(SPEC), "")
    chain = orm.WorkChainNode(label="accounts/2V-s1", process_type=CHAIN_PROCESS).store()
    made = orm.WorkChainNode(label="accounts/2V-s1/lane_0", process_type="aiida.workflows:rewire.lane")
    made.base.links.add_incoming(chain, link_type=LinkType.CALL_WORK, link_label="lane_0")
    return made.store()


def submit(slurm: Slurm, lane: orm.WorkChainNode, number: int, script: Path) -> orm.CalcJobNode:
    """The job of a snapshot, submitted under the name that AiiDA gives it."""
    node = orm.CalcJobNode(process_type="aiida.calculations:rewire.junction")
    node.computer = orm.load_computer("accounts")
    node.base.links.add_incoming(lane, link_type=LinkType.CALL_CALC, link_label=f"snapshot_{number:04d}")
    node.store()
    name = f"--job-name=aiida-{node.pk}"
    job = slurm.client("sbatch", "--parsable", "--ntasks=2", "--output=/dev/null", name, str(script)).strip()
    node.set_job_id(job)
    node.set_process_state("killed")
    node.seal()
    return node


def test_accounts_are_asked_for_until_they_are_complete_and_kept(
    slurm: Slurm, lane: orm.WorkChainNode, tmp_path: Path
) -> None:
    group = orm.load_group("accounts")
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/sh\nsleep {SECONDS}\n")
    jobs = [submit(slurm, lane, number, script) for number in range(2)]
    told: list[str] = []
    early = cost_of(group, told.append)
    assert told == ["asking accounts for the accounts of 2 jobs"]
    assert early.notes == ("sacct knows nothing final of 2 jobs yet: ask again later",)
    assert {one.source for one in early.spent} == {Source.UNKNOWN}
    assert EXTRA not in jobs[0].base.extras.all
    await_that(lambda: not slurm.jobs(), "both jobs have ended", 60)
    deadline = time.monotonic() + 60
    while (cost := cost_of(group, told.append)).notes and time.monotonic() < deadline:
        time.sleep(1)
    # two cores each, for as long as the job slept and a little more
    assert [one.source for one in cost.spent] == [Source.SACCT] * 2
    for one, job in zip(cost.spent, jobs, strict=True):
        assert SECONDS - 1 <= one.wall_s <= SECONDS + 15
        assert one.core_s == 2 * one.wall_s
        assert job.base.extras.get(EXTRA)["state"] == "COMPLETED"
    # what is kept is not asked for again
    slurm.stop_controller()
    assert cost_of(group, pytest.fail).spent == cost.spent
