"""How far a campaign is: on a database of chains that have come through all that chains may, and by hand."""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec
from synthetic import synthetic_campaign
from synthetic_tables import Made

from aiida_rewire.campaign.attempts import Attempt
from aiida_rewire.campaign.branches import Alive, Segment
from aiida_rewire.campaign.census import Census, Conductance, Part, take_census
from aiida_rewire.campaign.chain_progress import ChainProgress, State
from aiida_rewire.campaign.chains import Chain, chains_of
from aiida_rewire.campaign.extras import change_extras
from aiida_rewire.campaign.progress import CampaignProgress, campaign_progress, progress_of
from aiida_rewire.campaign.record import find_campaign, record_campaign

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(aiida_profile: Any) -> Iterator[Made]:
    """A campaign of chains in all states."""
    with synthetic_campaign() as campaign:
        yield campaign


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def attempt(pk: int, state: str = "waiting", status: int | None = None) -> Attempt:
    ended = None if state in ("created", "waiting", "running", "paused") else at(500)
    return Attempt(pk, f"uuid-{pk}", state, status, "why" if status else None, at(0), ended)


def part(pk: int, name: str, state: str = "waiting", status: int | None = None, **more: Any) -> Part:
    live = state in ("created", "waiting", "running", "paused")
    plugin = {"s": "rewire.junction", "l": "rewire.lane"}.get(name[0], "rewire.md.base")
    values = {"attempt": 10, "chain": "2V-s1", "plugin": plugin, "began": at(pk), "ended": None if live else at(400)}
    return Part(pk=pk, name=name, state=state, exit_status=status, **{**values, **more})


def conductance(pk: int, time_ps: float, transmission: float = 1.0, minute: float = 100.0) -> Conductance:
    return Conductance(pk, time_ps, transmission, False, at(minute))


def segment(part: int, first: int | None, last: int | None, seconds: float, cached: bool) -> Segment:
    return Segment(100 + part, part, "finished", 0, first, last, seconds, cached)


def alive(pk: int, plugin: str, state: str = "waiting", **more: Any) -> Alive:
    values = {"chain": "2V-s1", "label": "", "status": None, "scheduler": None}
    return Alive(pk=pk, plugin=plugin, state=state, is_job=plugin.startswith("rewire.j"), **{**values, **more})


def make_process(label: str, *, status: int) -> None:
    """The job of a snapshot that failed."""
    node = orm.CalcJobNode(label=label, process_type="aiida.calculations:rewire.junction").store()
    end_process(node, exit_status=status)


def the_chain() -> Chain:
    """Of protocol demo: 1 ps, then 1.8 ps, a snapshot every 0.2 ps: ten."""
    return chains_of(make_spec("by-hand"))[0]


def look(census: Census, *, automatic: int = 1, chains: list[Chain] | None = None, **extras: Any) -> CampaignProgress:
    return campaign_progress("by-hand", chains or [the_chain()], census, extras, automatic=automatic, active_chains=2)


def one(census: Census, **more: Any) -> ChainProgress:
    return look(census, **more).chains[0]


def counts(chain: ChainProgress) -> Counter[str]:
    found = chain.snapshots
    return +Counter(done=found.done, reused=found.reused, running=found.running, failed=found.failed)


def test_each_chain_is_shown_as_what_it_is(made: Made) -> None:
    progress = progress_of(find_campaign(made.label))
    assert [chain.name for chain in progress.chains] == list(made.chains)
    for chain in progress.chains:
        expected = made.chains[chain.name]
        found = (chain.state.value, chain.step, chain.attempts, counts(chain))
        assert found == (expected.state, expected.step, expected.attempts, +expected.snapshots), chain.name
        assert chain.equilibration.done_ps + chain.production.done_ps == pytest.approx(expected.md_ps), chain.name
        assert (chain.equilibration.total_ps, chain.production.total_ps) == pytest.approx((1.0, 3.8))
        assert chain.snapshots.total == 20
    assert progress.state == "running"
    assert not progress.is_over


def test_a_chain_that_excepted_while_its_lanes_go_on_is_said_so(made: Made) -> None:
    progress = {chain.name: chain for chain in progress_of(find_campaign(made.label)).chains}
    noted = {name: chain.notes for name, chain in progress.items() if chain.notes}
    assert list(noted.values()) == [("its work chain excepted; 4 processes below it go on",)]


def test_what_people_asked_for_is_shown(made: Made) -> None:
    group = find_campaign(made.label)
    names = list(made.chains)
    before = {chain.name: chain.state for chain in progress_of(group).chains}
    change_extras(group, lambda extras: {**extras, "paused": True, "killed_chains": [names[-1]]})
    progress = progress_of(group)
    change_extras(group, lambda extras: {**extras, "paused": False, "killed_chains": []})
    after = {chain.name: chain.state for chain in progress.chains}
    assert progress.state == "paused"
    assert after[names[-1]] is State.KILLED
    assert before[names[-1]] is State.WAITING
    assert {before[name] for name in names if after[name] is State.PAUSED} == {State.RUNNING}
    assert all(after[name] is before[name] for name in names if before[name].is_over)


def test_transmissions_are_those_of_the_conductances(made: Made) -> None:
    query = orm.QueryBuilder()
    query.append(
        orm.Node,
        filters={"attributes.campaign": made.label, "attributes.chain": "8V-s1"},
        project=["attributes.time_ps", "attributes.transmission_fermi"],
    )
    rows = sorted(query.all())
    found = progress_of(find_campaign(made.label)).chains[0].transmissions
    assert found is not None
    assert (found.latest_ps, found.latest) == (pytest.approx(3.8), rows[-1][1])
    assert (found.least, found.largest) == (min(row[1] for row in rows), max(row[1] for row in rows))


def test_labels_that_only_look_alike_are_other_campaigns(aiida_profile: Any) -> None:
    # an underscore matches any character in a pattern of SQL
    end = uuid.uuid4().hex[:8]
    for number, label in enumerate((f"al_ike{end}", f"alxike{end}", f"AL_IKE{end}")):
        record_campaign(make_spec(label), "")
        make_chain(label, "2V-s1", exit_status=number)
        make_conductance(label, "2V-s1", 0, transmission=1.0 + number)
        make_process(f"{label}/2V-s1/snapshot_0001", status=420 + number)
    for number, label in enumerate((f"al_ike{end}", f"alxike{end}", f"AL_IKE{end}")):
        chain = progress_of(find_campaign(label)).chains[0]
        assert (chain.attempts, chain.exit_status or 0) == (1, number)
        assert counts(chain) == Counter(done=1, failed=1)
        assert chain.transmissions.latest == 1.0 + number


def test_nodes_that_came_in_another_order_from_an_archive_belong_to_the_same_attempts(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    # name, plugin, exit status, minute of its birth; in the order in which an archive gives them PKs
    history = [
        ("/lane_0", "workflows:rewire.lane", 0, 3),
        ("/snapshot_0001", "calculations:rewire.junction", 420, 4),
        ("", "workflows:rewire.chain", 0, 5),
        ("/production", "workflows:rewire.md.base", 0, 2),
        ("", "workflows:rewire.chain", 500, 1),
    ]
    for name, plugin, status, minute in history:
        kind = orm.CalcJobNode if plugin.startswith("calculations") else orm.WorkChainNode
        node = kind(label=f"{group.label}/2V-s1{name}", process_type=f"aiida.{plugin}").store()
        end_process(node, exit_status=status)
        node.backend_entity.bare_model.ctime = at(minute)
    get_manager().get_profile_storage().get_session().commit()
    census = take_census(group)
    first, second = census.attempts["2V-s1"]
    assert (first.exit_status, second.exit_status) == (500, 0)
    found = {part.name: part.attempt for part in census.parts["2V-s1"]}
    assert found == dict.fromkeys(("production", "lane_0", "snapshot_0001"), first.pk)
    assert progress_of(group).chains[0].state is State.FINISHED


def test_the_first_conductance_of_a_snapshot_counts_and_one_that_is_void_does_not(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    void = make_conductance(group.label, "2V-s1", 0, 5.0)
    void.base.extras.set("rewire_void", "a double")
    for value in (1.0, 2.0):
        make_conductance(group.label, "2V-s1", 0, value)
    chain = progress_of(group).chains[0]
    assert (chain.snapshots.done, chain.transmissions.largest) == (1, 1.0)


def test_attributes_that_are_none_are_passed_over(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    for time_ps, transmission, snapshot in ((None, 1.0, 0), ("soon", "much", 1), (0.4, None, 2), (0.2, 2.0, "x")):
        node = make_conductance(group.label, "2V-s1", 0)
        changed = {"time_ps": time_ps, "transmission_fermi": transmission, "snapshot": snapshot}
        attributes = {**node.base.attributes.all, **changed}
        node.backend_entity.bare_model.attributes = attributes
    get_manager().get_profile_storage().get_session().commit()
    chain = progress_of(group).chains[0]
    assert chain.snapshots.done == 3
    assert (chain.transmissions.latest, chain.transmissions.latest_ps) == (1.0, None)


def test_states_follow_from_attempts_and_requests() -> None:
    def state(attempts: list[Attempt], **more: Any) -> State:
        return one(Census({"2V-s1": attempts} if attempts else {}, {}, {}), **more).state

    lost = attempt(10, "failed", 311)
    cut_off = attempt(10, "failed", 420)
    assert state([]) is State.WAITING
    assert state([], paused=True) is State.PAUSED
    assert state([], paused_chains=["8V-s1"]) is State.WAITING
    assert state([], killed_chains=["2V-s1"]) is State.KILLED
    assert state([attempt(10)]) is State.RUNNING
    assert state([attempt(10)], paused_chains=["2V-s1"]) is State.PAUSED
    assert state([attempt(10, "finished", 0)], paused=True) is State.FINISHED
    assert state([lost]) is State.FAILED
    assert state([lost], granted_retries={"2V-s1": 1}) is State.RETRYING
    assert state([cut_off]) is State.RETRYING
    assert state([cut_off], paused=True) is State.PAUSED
    assert state([cut_off, attempt(20)]) is State.RUNNING
    assert state([cut_off, attempt(20, "failed", 420)]) is State.FAILED
    assert state([attempt(10, "killed")]) is State.KILLED
    assert state([attempt(10, "excepted")], automatic=0) is State.FAILED


def test_a_retry_depends_on_whether_it_may_mend_a_missing_snapshot() -> None:
    def state(*parts: Part) -> State:
        return one(Census({"2V-s1": [attempt(10, "failed", 500)]}, {"2V-s1": parts}, {})).state

    assert state(part(11, "snapshot_0003", "failed", 330)) is State.FAILED
    assert state(part(11, "snapshot_0003", "failed", 420)) is State.RETRYING
    assert state(part(11, "snapshot_0003", "failed", 420), part(12, "snapshot_0003", "failed", 330)) is State.FAILED
    assert state(part(11, "snapshot_0003", "failed", 420), part(12, "snapshot_0003", "finished", 0)) is State.FAILED
    assert state(part(11, "lane_0", "excepted")) is State.RETRYING


def test_steps_of_an_attempt_in_their_order() -> None:
    def step(*parts: Part, extracted: dict[int, int] | None = None) -> str | None:
        census = Census({"2V-s1": [attempt(10)]}, {"2V-s1": parts}, {}, extracted=extracted or {})
        return one(census).step

    assert step() == "starting"
    assert step(part(11, "equilibration")) == "equilibration"
    assert step(part(11, "equilibration", "finished", 0)) == "equilibration"
    assert step(part(11, "equilibration", "finished", 0), part(12, "production")) == "production"
    assert step(part(12, "production", "finished", 0)) == "lead"
    assert step(part(12, "production", "finished", 0), part(13, "lane_0")) == "snapshots"
    # an attempt that took over the dynamics of another has its lead computed first
    assert step(extracted={10: 10}) == "lead"


def test_a_snapshot_in_separate_jobs_is_running_and_one_between_the_two_ways_as_well() -> None:
    lane = part(11, "lane_0")
    failed = part(12, "snapshot_0003", "failed", 420)
    apart = part(13, "snapshot_0003", plugin="rewire.snapshot")
    for parts in ([lane, failed], [lane, failed, apart]):
        census = Census({"2V-s1": [attempt(10)]}, {"2V-s1": parts}, {})
        assert counts(one(census)) == Counter(running=1)
    # what no separate jobs mend, a fallback that failed, and what nobody is left to compute
    for parts in (
        [lane, part(12, "snapshot_0003", "failed", 330)],
        [lane, failed, replace(apart, state="failed", exit_status=310, ended=at(9))],
        [part(11, "lane_0", "excepted"), failed],
        [lane, failed, part(14, "snapshot_0004")],
    ):
        census = Census({"2V-s1": [attempt(10)]}, {"2V-s1": parts}, {})
        assert counts(one(census))["failed"] == 1, parts


def test_a_snapshot_counts_as_done_whatever_became_of_its_processes() -> None:
    parts = [part(12, "snapshot_0003", "failed", 420), part(13, "snapshot_0003", "excepted")]
    census = Census({"2V-s1": [attempt(10)]}, {"2V-s1": parts}, {"2V-s1": {3: conductance(14, 0.6)}})
    assert counts(one(census)) == Counter(done=1)


def test_what_an_earlier_attempt_could_not_compute_is_left_to_the_one_that_lives() -> None:
    parts = [
        part(11, "lane_0", "finished", 0),
        part(12, "snapshot_0003", "failed", 420),
        part(13, "snapshot_0004", "failed", 420),
        part(21, "lane_0", attempt=20),
        part(22, "snapshot_0003", "failed", 330, attempt=20),
    ]
    refused = {11: {5: (210, "an atom lies on another")}, 21: {}}
    census = Census(
        {"2V-s1": [attempt(10, "failed", 500), attempt(20)]}, {"2V-s1": parts}, {}, extracted={10: 9}, refused=refused
    )
    found = one(census).snapshots
    assert (found.total, found.failed, found.left) == (9, 1, 8)
    ended = replace(census, attempts={"2V-s1": [attempt(10, "failed", 500)]}, parts={"2V-s1": parts[:3]})
    assert (one(ended).snapshots.failed, one(ended).state) == (3, State.RETRYING)


def test_dynamics_count_from_their_last_checkpoint_and_from_the_attempt_that_took_the_snapshots() -> None:
    parts = [
        part(11, "equilibration", "finished", 0),
        part(12, "production", "failed", 401),
        part(21, "equilibration", attempt=20),
    ]
    segments = {
        11: [segment(11, 0, 1000, 60.0, False)],
        12: [segment(12, 0, 500, 60.0, False), segment(12, None, None, 5.0, False)],
    }
    attempts = [attempt(10, "failed", 311), attempt(20)]
    census = Census({"2V-s1": attempts[:1]}, {"2V-s1": parts[:2]}, {}, segments=segments)
    first = one(census)
    assert (first.equilibration.done_ps, first.production.done_ps) == (1.0, 0.5)
    assert (first.equilibration.total_ps, first.production.total_ps) == (1.0, 1.8)
    # the second attempt begins the dynamics anew
    second = one(replace(census, attempts={"2V-s1": attempts}, parts={"2V-s1": parts}))
    assert (second.equilibration.done_ps, second.production.done_ps, second.step) == (0.0, 0.0, "equilibration")
    # or takes it over
    whole = [parts[0], part(12, "production", "finished", 0), part(21, "lane_0", attempt=20)]
    third = one(replace(census, attempts={"2V-s1": attempts}, parts={"2V-s1": whole}, extracted={10: 10}))
    assert (third.equilibration.done_ps, third.production.done_ps, third.step) == (1.0, 1.8, "snapshots")


def test_time_left_at_the_pace_so_far() -> None:
    chains = chains_of(make_spec("by-hand"))
    parts = {
        "2V-s1": [
            part(11, "equilibration", "finished", 0),
            part(12, "production", "finished", 0),
            part(30, "lane_0"),
            part(31, "lane_1"),
        ],
        "8V-s1": [part(14, "equilibration", attempt=13, chain="8V-s1")],
    }
    # 1 ps and 1.8 ps in 280 s: 100 s a ps; the job from the cache tells nothing
    segments = {
        11: [segment(11, 0, 1000, 80.0, False)],
        12: [segment(12, 0, 900, 0.1, True), segment(12, 900, 1800, 110.0, False)],
    }
    # four conductances in 20 minutes from the first lane on: 300 s each
    found = {index: conductance(40 + index, 0.2 * index, minute=30 + 5 * (index + 1)) for index in range(4)}
    census = Census(
        {"2V-s1": [attempt(10)], "8V-s1": [attempt(13)]},
        parts,
        {"2V-s1": found},
        segments=segments,
        extracted={10: 10},
    )
    progress = look(census, chains=chains)
    assert progress.chains[0].left_s == pytest.approx(6 * 300.0)
    assert progress.chains[1].left_s == pytest.approx(2.8 * 100.0 + 10 * 300.0)
    # two at a time: the longer one
    assert progress.left_s == pytest.approx(3280.0)
    nothing = look(replace(census, segments={}), chains=chains)
    assert (nothing.chains[0].left_s, nothing.chains[1].left_s, nothing.left_s) == (1800.0, None, None)


def test_jobs_are_counted_in_the_words_of_their_scheduler_and_pauses_are_said() -> None:
    census = Census(
        {"2V-s1": [attempt(10)]},
        {},
        {},
        alive=[
            alive(10, "rewire.chain"),
            alive(11, "rewire.junction", scheduler="running"),
            alive(12, "rewire.junction", scheduler="queued"),
            alive(13, "rewire.junction", "paused", status="Pausing after failed transport task: upload_calculation"),
            alive(14, "rewire.lane", "paused", status="paused by aiida-rewire campaign"),
            alive(15, "rewire.lane", "paused", status="Paused through `verdi process pause`"),
        ],
    )
    chain = one(census)
    assert chain.jobs == {"running": 1, "queued": 1, "paused": 1}
    assert chain.living == 6
    assert chain.notes == (
        "1 job waits for a computer that did not answer, or whose disk is full: `verdi process report 13` says why",
        "somebody paused 1 process: `verdi process play` lets it go on",
    )


def test_a_campaign_is_over_when_nothing_of_it_lives() -> None:
    chains = chains_of(make_spec("by-hand"))
    good = {"2V-s1": [attempt(10, "finished", 0)], "8V-s1": [attempt(20, "finished", 0)]}
    assert (look(Census(good, {}, {}), chains=chains).state, look(Census({}, {}, {})).state) == (
        "finished",
        "waiting",
    )
    bad = {**good, "8V-s1": [attempt(20, "failed", 311)]}
    assert look(Census(bad, {}, {}), chains=chains).state == "ended"
    left = look(Census(bad, {}, {}, alive=[alive(21, "rewire.lane", chain="8V-s1")]), chains=chains)
    assert (left.state, left.is_over, left.chains[1].state) == ("running", False, State.RUNNING)
    assert left.chains[1].notes == ("its work chain ended with exit code 311; 1 process below it goes on",)
