"""Attempts, living processes and members of a campaign, as the database has them."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import DataFactory
from aiida.tools import delete_nodes
from small_campaigns import make_spec

from aiida_rewire.campaign.attempts import SENT_EXTRA, Ending, attempts_of, failed_snapshots, like, state_of
from aiida_rewire.campaign.members import add_members
from aiida_rewire.campaign.processes import OUR_PAUSE, awaited_in, living_of
from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.database.marks import CHAIN_PROCESS, VOID_EXTRA
from aiida_rewire.workflows.pausing import PAUSED, is_paused

pytestmark = pytest.mark.usefixtures("aiida_profile")
Make = Callable[..., orm.ProcessNode]


@pytest.fixture
def campaign() -> str:
    """A label that no other test has, with all that LIKE takes for a pattern."""
    return f"a_b-{uuid.uuid4().hex[:8]}"


def make(
    label: str,
    state: str | None = "waiting",
    status: int | None = None,
    *,
    caller: orm.ProcessNode | None = None,
    link: str = "CALL",
    kind: type = orm.WorkChainNode,
    process_type: str | None = CHAIN_PROCESS,
    checkpoint: bool = True,
    **attributes: Any,
) -> Any:
    """Store a process."""
    node = kind(label=label, process_type=process_type)
    node.set_process_state(state)
    if status is not None:
        node.set_exit_status(status)
    for name, value in attributes.items():
        node.base.attributes.set(name, value)
    if caller is not None:
        links = LinkType.CALL_CALC if issubclass(kind, orm.CalculationNode) else LinkType.CALL_WORK
        node.base.links.add_incoming(caller, links, link)
    node.store()
    if checkpoint:
        node.set_checkpoint("a checkpoint")
    return node


def test_attempts_are_those_of_the_campaigns_chains_alone_oldest_first(campaign: str) -> None:
    first = make(f"{campaign}/8V-s1", "finished", 400)
    second = make(f"{campaign}/8V-s1", "waiting")
    other = make(f"{campaign}/-2.5V-s3", "excepted")
    for label in (
        f"{campaign}/8V-s1/lane_0",
        f"{campaign}",
        f"{campaign.replace('_', 'x')}/8V-s1",
        f"{campaign.upper()}/8V-s1",
        f"x{campaign}/8V-s1",
    ):
        make(label)
    make(f"{campaign}/8V-s1", process_type="aiida.workflows:rewire.lane")
    found = attempts_of(campaign)
    assert {name: [one.pk for one in those] for name, those in found.items()} == {
        "8V-s1": [first.pk, second.pk],
        "-2.5V-s3": [other.pk],
    }
    one, two = found["8V-s1"]
    assert (one.state, one.exit_status, one.uuid, one.is_live, one.is_ok) == ("failed", 400, first.uuid, False, False)
    assert (two.state, two.exit_status, two.ended, two.is_live) == ("waiting", None, None, True)
    assert one.ended is not None
    assert one.ended >= one.ctime
    assert list(attempts_of(campaign, chain="-2.5V-s3")) == ["-2.5V-s3"]
    assert attempts_of("nothing") == {}
    for label in ("%", "_", "a_b-%", "' OR 1=1 --", "\\"):
        assert attempts_of(label) == {}


@pytest.mark.parametrize(
    ("process_state", "status", "paused", "state"),
    [
        (None, None, False, "created"),
        ("created", None, False, "created"),
        ("waiting", None, True, "paused"),
        ("running", None, False, "running"),
        ("finished", 0, False, "finished"),
        ("finished", 500, False, "failed"),
        ("excepted", None, True, "excepted"),
        ("killed", None, True, "killed"),
    ],
)
def test_states_are_in_the_words_of_the_project(
    process_state: str | None, status: int | None, paused: bool, state: str
) -> None:
    assert state_of(process_state, status, paused=paused) == state


def test_patterns_match_nothing_but_the_text() -> None:
    assert like(r"a_b%c\d") == r"a\_b\%c\\d"


def test_attempts_that_do_not_count_are_left_out(campaign: str) -> None:
    stillborn, good = make(f"{campaign}/a", None), make(f"{campaign}/a", "created")
    stillborn.base.extras.set(VOID_EXTRA, "stillborn")
    good.base.extras.set(SENT_EXTRA, 7)
    (one,) = attempts_of(campaign)["a"]
    assert (one.pk, one.sent, one.void) == (good.pk, True, None)
    assert [(two.pk, two.void) for two in attempts_of(campaign, void=True)["a"]] == [
        (stillborn.pk, "stillborn"),
        (good.pk, None),
    ]


def test_snapshots_that_failed_belong_to_the_attempt_in_which_they_ran(campaign: str) -> None:
    chain = f"{campaign}/a"
    first = make(chain, "finished", 500)
    make(f"{chain}/snapshot_0000", "finished", 0)
    make(f"{chain}/snapshot_0001", "finished", 320)
    # in one job, then in separate ones
    make(f"{chain}/snapshot_0002", "finished", 400, kind=orm.CalcJobNode)
    make(f"{chain}/snapshot_0002", "finished", 0)
    make(f"{chain}/snapshot_0003", "excepted")
    make(f"{chain}/lane_0", "finished", 0)
    make(f"{chain}/lane_1", "killed")
    make(f"{chain}/snapshot_0004", None).base.extras.set(VOID_EXTRA, "stillborn")
    second = make(chain, "finished", 500)
    make(f"{chain}/snapshot_0001", "finished", 410)
    make(f"{chain}/snapshot_0003", "finished", 0)
    make(f"{chain}/snapshot_0005", "running")
    make(f"{campaign}/ab/snapshot_0009", "finished", 320)
    ends = failed_snapshots(campaign, "a", attempts_of(campaign)["a"])
    assert ends == {
        first.pk: {
            "lane_1": Ending("killed", None, is_lane=True),
            "snapshot_0001": Ending("failed", 320),
            "snapshot_0003": Ending("excepted", None),
        },
        second.pk: {"snapshot_0001": Ending("failed", 410)},
    }


def test_what_lives_below_a_campaign_is_found_whatever_it_is_called(campaign: str) -> None:
    _, elsewhere = living_of(campaign)
    top = make(f"{campaign}/a", "excepted")
    lane = make("", "waiting", caller=top, link="lane_0", process_status="Waiting for child processes: 1")
    job = make("", "waiting", caller=lane, link="snapshot_0001", kind=orm.CalcJobNode, process_type="x", paused=True)
    make("", "finished", 0, caller=lane, link="snapshot_0000", kind=orm.CalcJobNode)
    make("", "running", caller=lane, link="f", kind=orm.CalcFunctionNode)
    fresh = make(f"{campaign}/b", "created", checkpoint=False)
    fresh.base.extras.set(SENT_EXTRA, 9)
    # of others: a chain of another campaign that reserved slots, with two processes, and one of nobody
    foreign = make(f"x{campaign}/a", "waiting")
    foreign.base.extras.set(SENT_EXTRA, 12)
    make("", "waiting", caller=foreign, kind=orm.CalcJobNode)
    make("mine", "waiting", process_type="aiida.workflows:core.arithmetic.multiply_add")
    living, now_elsewhere = living_of(campaign)
    found = {one.pk: one for one in living}
    assert sorted(found) == [lane.pk, job.pk, fresh.pk]
    assert [(found[pk].chain, found[pk].attempt, found[pk].parent) for pk in sorted(found)] == [
        ("a", top.pk, top.pk),
        ("a", top.pk, lane.pk),
        ("b", fresh.pk, None),
    ]
    assert (found[job.pk].state, found[job.pk].is_job, found[job.pk].paused) == ("paused", True, True)
    assert (found[fresh.pk].is_attempt, found[fresh.pk].has_checkpoint, found[fresh.pk].sent) == (True, False, True)
    assert (found[lane.pk].has_checkpoint, found[lane.pk].is_attempt) == (True, False)
    assert 0 <= found[fresh.pk].age_s < 60
    assert now_elsewhere - elsewhere == 12 + 1


def test_a_work_chain_that_waits_for_what_has_ended_is_told_apart(campaign: str) -> None:
    top = make(f"{campaign}/a", "waiting")
    ended = make("", "finished", 0, caller=top)
    runs = make("", "waiting", kind=orm.CalcJobNode)
    status = f"Waiting for child processes: {ended.pk}, {runs.pk}"
    lanes = {
        "waits for a process of others": make("", "waiting", caller=top, process_status=status),
        "is stuck": make("", "waiting", caller=top, process_status=f"Waiting for child processes: {ended.pk}"),
        "is stuck, and does not know": make("", "waiting", caller=top),
        "runs": make("", "running", caller=top),
        "is paused": make("", "waiting", caller=top, paused=True),
    }
    living = {one.pk: one for one in living_of(campaign)[0]}
    assert {name: living[lane.pk].idle for name, lane in lanes.items()} == {
        name: name.startswith("is stuck") for name in lanes
    }
    # its lanes live
    assert not living[top.pk].idle
    assert awaited_in("Waiting for child processes: 12, 345") == {12, 345}
    assert awaited_in("Monitoring scheduler: job 12") == set()
    assert awaited_in(None) == set()


def test_a_process_in_whose_place_another_was_called_is_told_apart(
    campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiida_rewire.campaign.processes.SUPERSEDED_AFTER_S", 0.0)
    lane = make(f"{campaign}/a", "waiting")
    lost = make("", "created", caller=lane, link="snapshot_0001")
    same_name = make("", "created", caller=lane)
    make("", "waiting", caller=lane, link="snapshot_0001")
    make("", "waiting", caller=lane)
    last = make("", "created", caller=lane, link="snapshot_0002")
    time.sleep(0.01)
    found = {one.pk: one.superseded for one in living_of(campaign)[0] if one.state == "created"}
    # without a name of its own nobody knows
    assert found == {lost.pk: True, same_name.pk: False, last.pk: False}


def test_members_are_added_once() -> None:
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    chain = make(f"{spec.label}/2V-s1", "finished", 0)
    labels = {"campaign": spec.label, "chain": "2V-s1", "seed": 1, "voltage_v": 2.0}
    conductance_class = DataFactory("rewire.conductance")
    own, other = (orm.Data() for _ in range(2))
    for node, name in ((own, spec.label), (other, "another")):
        node.base.attributes.set_many({**labels, "campaign": name})
        node.backend_entity.bare_model.node_type = conductance_class.class_node_type
        node.backend_entity.store(clean=False)
    assert add_members(group, process_type=CHAIN_PROCESS) == 2
    assert add_members(group, process_type=CHAIN_PROCESS) == 0
    members = orm.QueryBuilder().append(orm.Group, filters={"id": group.pk}, tag="group")
    members.append(orm.Node, with_group="group", project="id")
    assert sorted(members.all(flat=True)) == sorted([chain.pk, own.pk])
    # they hold no arrays: nobody else is to find them
    delete_nodes([own.pk, other.pk], dry_run=False)


def test_lanes_and_controller_mean_the_same_by_a_pause() -> None:
    assert PAUSED == OUR_PAUSE
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    assert not is_paused(spec.label, "2V-s1")
    group.base.extras.set("paused_chains", ["2V-s1"])
    assert (is_paused(spec.label, "2V-s1"), is_paused(spec.label, "8V-s1")) == (True, False)
    group.base.extras.set("paused", True)
    assert is_paused(spec.label, "8V-s1")
    assert not is_paused("nothing", "8V-s1")
    assert not is_paused("", "")
