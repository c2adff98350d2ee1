"""What a controller decides, in every situation that can be thought of, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiida_rewire.campaign.attempts import Attempt, Ending
from aiida_rewire.campaign.decisions import (
    Bury,
    Decision,
    End,
    Kill,
    Need,
    Play,
    SendTask,
    Situation,
    Start,
    Tasks,
    Void,
    decide,
)
from aiida_rewire.campaign.outcomes import Outcome, is_mendable, judge, may_mend
from aiida_rewire.campaign.processes import OUR_PAUSE, TRANSPORT_PAUSE, Living

THEN = datetime(2025, 1, 1, tzinfo=UTC)


def attempt(pk: int, state: str = "finished", status: int | None = None) -> Attempt:
    """An attempt; `failed` ones have an exit status."""
    live = state in ("created", "waiting", "running", "paused")
    code = 0 if state == "finished" else status
    return Attempt(pk, f"uuid-{pk}", state, code, None, THEN, None if live else THEN + timedelta(hours=1))


def living(pk: int, chain: str = "a", **changes: Any) -> Living:
    values = {"attempt": pk, "parent": None, "state": "waiting", "status": None, "age_s": 1000.0}
    return Living(**{"pk": pk, "chain": chain, **values, **changes})


def need(name: str, jobs: int = 1, slots: int = 1, computer: str = "cluster") -> Need:
    return Need(name, {computer: jobs}, slots)


def situation(
    chains: str | list[Need] = "a", attempts: dict[str, list[Attempt]] | None = None, **changes: Any
) -> Situation:
    """A campaign whose daemon runs and has room; chains given by names ask for one job and one slot each."""
    needs = [need(name) if isinstance(name, str) else name for name in chains]
    values = {"chains": needs, "attempts": attempts or {}, "active_chains": 100}
    return Situation(**{**values, "slots": 1000, "tasks": Tasks(frozenset(), complete=True), **changes})


def started(decision: Decision) -> list[str]:
    return [action.chain for action in decision.actions if isinstance(action, Start)]


def test_chains_are_started_in_the_order_of_the_file_within_the_limit_of_chains() -> None:
    assert started(decide(situation("abcde", active_chains=2))) == ["a", "b"]
    one_runs = situation("abcde", {"d": [attempt(1, "waiting")]}, living=[living(1, "d")], active_chains=2)
    assert started(decide(one_runs)) == ["a"]
    full = situation("abc", {"a": [attempt(1, "created")], "b": [attempt(2, "paused")]}, active_chains=2)
    assert started(decide(full)) == []
    assert not decide(full).over


def test_the_first_attempt_has_none_before_it_and_a_further_one_takes_over_all() -> None:
    assert decide(situation()).actions == (Start("a", 1, ()),)
    failed = situation("a", {"a": [attempt(3, "excepted"), attempt(8, "failed", 400)]}, automatic=2)
    assert decide(failed).actions == (Start("a", 3, (3, 8)),)


def test_nothing_is_started_without_a_daemon_and_nobody_is_asked_anything() -> None:
    decision = decide(
        situation("ab", {"a": [attempt(1, "waiting")]}, living=[living(1)], killed_chains=frozenset("a"), slots=None)
    )
    assert decision.actions == ()
    assert not decision.over


def test_jobs_of_active_chains_stay_within_the_limit_of_each_computer() -> None:
    chains = [need("a", 3), need("b", 3), need("c", 2), need("d", 9, computer="other"), need("e", 1)]
    limits = {"cluster": 6}
    assert started(decide(situation(chains=chains, active_jobs=limits))) == ["a", "b", "d"]
    # a smaller one fits where a larger one does not
    runs = {"a": [attempt(1, "running")]}
    chains = [need("a", 3), need("b", 4), need("c", 2), need("e", 1)]
    assert started(decide(situation(chains=chains, attempts=runs, active_jobs=limits))) == ["c", "e"]
    two = Need("x", {"cluster": 1, "other": 2}, 1)
    assert started(decide(situation(chains=[two, need("y", 5)], active_jobs={"cluster": 6, "other": 1}))) == ["y"]


def test_a_chain_above_a_limit_of_jobs_by_itself_is_told() -> None:
    decision = decide(situation(chains=[need("a", 7), need("b", 6)], active_jobs={"cluster": 6}))
    assert started(decision) == ["b"]
    assert decision.notes == ("a runs up to 7 jobs on cluster, above the limit of 6: raise the limit",)
    assert not decision.over


def test_active_chains_never_hold_more_slots_than_the_daemon_has() -> None:
    chains = [need("a", slots=5), need("b", slots=5), need("c", slots=5), need("d", slots=2)]
    assert started(decide(situation(chains=chains, slots=13))) == ["a", "b", "d"]
    runs = {"c": [attempt(1, "waiting")]}
    assert started(decide(situation(chains=chains, attempts=runs, slots=9))) == ["d"]
    decision = decide(situation(chains=chains, slots=4))
    assert started(decision) == ["d"]
    assert decision.notes[0].startswith("a holds up to 5 slots of the daemon, of which 4 are there: ")
    # none at all: others of the profile hold them
    assert started(decide(situation(chains=chains, slots=0))) == []


def test_a_finished_chain_is_never_started_again_even_if_later_attempts_failed() -> None:
    attempts = {"a": [attempt(1), attempt(2, "failed", 400)]}
    decision = decide(situation("a", attempts, automatic=5, granted={"a": 5}))
    assert (decision.actions, decision.over) == ((), True)
    assert decision.standings["a"].outcome is Outcome.FINISHED


@pytest.mark.parametrize(
    ("state", "status", "mends"),
    [
        ("excepted", None, True),
        ("killed", None, False),
        ("failed", 1, True),
        ("failed", 11, True),
        ("failed", 110, True),
        ("failed", 120, True),
        ("failed", 199, True),
        ("failed", 200, False),
        ("failed", 310, False),
        # the next attempt computes a lead again whose files are gone
        ("failed", 319, True),
        ("failed", 399, False),
        ("failed", 400, True),
        ("failed", 500, True),
        ("failed", 599, True),
        ("failed", 600, False),
        ("failed", 701, False),
    ],
)
def test_which_failures_another_try_may_mend(state: str, status: int | None, mends: bool) -> None:
    assert is_mendable(attempt(1, state, status), None) is mends
    attempts = {"a": [attempt(1, state, status)]}
    assert bool(started(decide(situation("a", attempts, automatic=1)))) is mends
    # without automatic retries nothing is tried again, with a granted one everything
    assert started(decide(situation("a", attempts))) == []
    assert started(decide(situation("a", attempts, granted={"a": 1}))) == ["a"]


def test_missing_snapshots_are_tried_again_where_that_may_mend_one_of_them() -> None:
    last = attempt(7, "failed", 500)
    for ends, mends in [
        ([Ending("failed", 320), Ending("failed", 330)], False),
        ([Ending("failed", 320), Ending("failed", 410)], True),
        ([Ending("failed", 320), Ending("excepted", None)], True),
        ([Ending("failed", 320), Ending("failed", 120)], True),
        ([Ending("killed", None)], False),
        # a lane that ended early, for whatever reason
        ([Ending("failed", 320), Ending("killed", None, is_lane=True)], True),
        # all of them were refused before a process began
        ([], False),
        # nobody looked
        (None, True),
    ]:
        assert is_mendable(last, ends) is mends, ends
        missing = {} if ends is None else {7: ends}
        decision = decide(situation("a", {"a": [last]}, automatic=1, missing=missing))
        assert started(decision) == (["a"] if mends else [])
        assert decision.over is not mends


def test_automatic_retries_are_counted_over_all_attempts() -> None:
    for failures in range(1, 6):
        attempts = [attempt(pk, "failed", 400) for pk in range(1, failures + 1)]
        decision = decide(situation("a", {"a": attempts}, automatic=3))
        assert started(decision) == (["a"] if failures <= 3 else [])
        assert decision.over is (failures > 3)


def test_a_granted_retry_is_used_by_what_no_automatic_one_is_for() -> None:
    mendable, fatal = attempt(1, "failed", 400), attempt(2, "failed", 310)
    # the first failure takes the automatic retry, the second needs a granted one
    assert judge([mendable, fatal], automatic=1, granted=0, missing={}).outcome is Outcome.FAILED
    assert judge([mendable, fatal], automatic=1, granted=1, missing={}).outcome is Outcome.READY
    # which is used up by the third attempt
    third = attempt(3, "failed", 310)
    assert judge([mendable, fatal, third], automatic=1, granted=1, missing={}).outcome is Outcome.FAILED
    assert judge([mendable, fatal, third], automatic=1, granted=2, missing={}).outcome is Outcome.READY
    # a fatal failure first: the granted one is used, and the automatic one is left for the second
    assert judge([fatal, attempt(5, "excepted")], automatic=1, granted=1, missing={}).outcome is Outcome.READY
    # fewer retries than were made, after an amendment, are no reason to stumble
    many = [attempt(pk, "failed", 400) for pk in range(1, 6)]
    assert judge(many, automatic=0, granted=0, missing={}).outcome is Outcome.FAILED


def test_further_attempts_wait_until_all_of_the_earlier_ones_ended() -> None:
    # the chain died alone: its lanes go on by themselves
    left = [living(11, attempt=1, parent=1), living(12, attempt=1, parent=11)]
    tasks = Tasks(frozenset({11, 12}), complete=True)
    attempts = {"a": [attempt(1, "excepted")]}
    decision = decide(situation("ab", attempts, living=left, automatic=1, tasks=tasks))
    assert decision.actions == (Start("b", 1, ()),)
    assert decision.notes == ("a is tried again when 2 processes of its earlier attempt ended",)
    assert not decision.over
    # they hold slots and jobs as before
    decision = decide(situation("ab", attempts, living=left, automatic=1, tasks=tasks, active_chains=1))
    assert decision.actions == ()


def test_two_attempts_that_live_at_once_become_one() -> None:
    attempts = {"a": [attempt(1, "waiting"), attempt(2, "created"), attempt(3, "running")]}
    processes = [living(1), living(2, state="created"), living(3, state="running")]
    tasks = Tasks(frozenset({1, 2, 3}), complete=True)
    actions = decide(situation("a", attempts, living=processes, tasks=tasks)).actions
    assert [action for action in actions if isinstance(action, Kill)] == [Kill(2), Kill(3)]
    assert [action.pk for action in actions if isinstance(action, Void)] == [2, 3]
    # what is void already is asked again until it ended, and the chain goes on with the first
    voided = [living(1), living(2, void=True), living(4, attempt=2, parent=2, void=True)]
    decision = decide(
        situation("a", {"a": attempts["a"][:1]}, living=voided, tasks=Tasks(frozenset({1, 2, 4}), True))
    )
    assert decision.actions == (Kill(2),)


def test_a_paused_campaign_starts_nothing_and_leaves_what_lives_alone() -> None:
    processes = [living(1), living(11, attempt=1, parent=1, state="running"), living(12, parent=1, state="paused")]
    tasks = Tasks(frozenset({1, 11, 12}), complete=True)
    runs = {"a": [attempt(1, "waiting")]}
    decision = decide(situation("ab", runs, living=processes, tasks=tasks, paused=True))
    assert decision.actions == ()
    assert decision.notes == ("the campaign is paused",)
    assert not decision.over
    # one chain
    decision = decide(situation("abc", runs, living=processes, tasks=tasks, paused_chains=frozenset("ab")))
    assert decision.actions == (Start("c", 1, ()),)
    assert decision.notes == ("b is paused",)


def test_what_was_paused_here_goes_on_and_what_others_paused_stays() -> None:
    processes = [
        living(1, state="paused", status=OUR_PAUSE),
        living(2, state="paused", status="Paused through `verdi process pause`"),
        living(3, state="paused", status=None),
        living(4, state="paused", status=f"{TRANSPORT_PAUSE}: submit_calculation failed 5 times consecutively"),
    ]
    runs = {"a": [attempt(1, "paused")]}
    tasks = Tasks(frozenset({1, 2, 3, 4}), complete=True)
    paused_s = dict.fromkeys((1, 2, 3, 4), 59.0)
    assert decide(situation("a", runs, living=processes, tasks=tasks, paused_s=paused_s)).actions == (Play(1),)
    # a job whose computer did not answer is tried again after a rest
    paused_s[4] = 60.0
    actions = decide(situation("a", runs, living=processes, tasks=tasks, paused_s=paused_s)).actions
    assert actions == (Play(1), Play(4))

    # nothing of a paused chain goes on
    for pause in ({"paused": True}, {"paused_chains": frozenset("a")}):
        assert decide(situation("a", runs, living=processes, tasks=tasks, paused_s=paused_s, **pause)).actions == ()


def test_a_work_chain_that_missed_the_end_of_what_it_waits_for_is_ended() -> None:
    processes = [living(1), living(11, attempt=1, parent=1, idle=True)]
    tasks = Tasks(frozenset({1, 11}), complete=True)
    runs = {"a": [attempt(1, "waiting")]}

    def actions(seen_s: float, **changes: Any) -> tuple[Any, ...]:
        decided = decide(situation("a", runs, living=processes, tasks=tasks, idle_s={11: seen_s}, **changes))
        return decided.actions

    assert actions(299.0) == ()
    assert actions(300.0) == (End(11, "all that it waits for has ended, and it does not notice"),)
    # it may have waited before it called something new
    processes[1] = living(11, attempt=1, parent=1)
    assert actions(300.0) == ()


def test_a_killed_chain_is_killed_from_the_top_and_not_started_again() -> None:
    processes = [
        living(1),
        living(11, attempt=1, parent=1),
        living(12, attempt=1, parent=11),
        # its lane has ended
        living(14, attempt=1, parent=13),
        living(2, "b"),
    ]
    tasks = Tasks(frozenset({1, 11, 12, 14, 2}), complete=True)
    runs = {"a": [attempt(1, "waiting")], "b": [attempt(2, "waiting")]}
    decision = decide(situation("ab", runs, living=processes, tasks=tasks, killed_chains=frozenset("a")))
    assert decision.actions == (Kill(1), Kill(14))
    dead = {"a": [attempt(1, "killed")], "b": [attempt(2)]}
    decision = decide(situation("ab", dead, automatic=5, killed_chains=frozenset("a")))
    assert (decision.actions, decision.over) == ((), True)
    # killed before it was started
    decision = decide(situation("ab", {"b": [attempt(2)]}, killed_chains=frozenset("a")))
    assert (decision.actions, decision.over) == ((), True)
    # granted: the command takes it off the list
    assert started(decide(situation("ab", dead, granted={"a": 1}))) == ["a"]
    # what people killed by other means needs a grant as well
    assert started(decide(situation("ab", dead, automatic=5))) == []


def test_killing_wins_over_pausing() -> None:
    runs = {"a": [attempt(1, "paused")]}
    processes = [living(1, state="paused", status=OUR_PAUSE)]
    tasks = Tasks(frozenset({1}), complete=True)
    decision = decide(situation("a", runs, living=processes, tasks=tasks, paused=True, killed_chains=frozenset("a")))
    assert decision.actions == (Kill(1),)


def test_a_process_that_its_maker_left_unfinished_is_buried_after_a_minute_and_does_not_count() -> None:
    runs = {"a": [attempt(1, "created")]}

    def decided(age_s: float, seen_s: float, **changes: Any) -> Decision:
        process = living(1, state="created", has_checkpoint=False, age_s=age_s)
        return decide(
            situation("a", runs, living=[process], without_task_s={1: seen_s}, **changes),
        )

    assert decided(59.0, 59.0).actions == ()
    # old, but seen only now: its maker may have been held up
    assert decided(500.0, 0.0).actions == ()
    void, bury = decided(60.0, 60.0).actions
    why = "stillborn: its maker ended before it was ready to run"
    assert (void, bury) == (Void(1, why), Bury(1, "excepted", why))
    # a broker that shows only what no worker holds tells as well that there is no task
    assert len(decided(60.0, 60.0, tasks=Tasks(frozenset(), complete=False)).actions) == 2
    # one that has a task is alive
    assert decided(500.0, 500.0, tasks=Tasks(frozenset({1}), complete=True)).actions == ()
    assert decided(500.0, 500.0, tasks=None).actions == ()


def test_a_stillborn_child_is_buried_so_that_its_parent_does_not_take_it_for_one_that_failed() -> None:
    child = living(11, attempt=1, parent=1, state="created", has_checkpoint=False)
    tasks = Tasks(frozenset({1}), complete=True)
    runs = {"a": [attempt(1, "waiting")]}
    decision = decide(situation("a", runs, living=[living(1), child], tasks=tasks, without_task_s={11: 61.0}))
    assert [(type(action), action.pk) for action in decision.actions] == [(Void, 11), (Bury, 11)]  # type: ignore


@pytest.mark.parametrize("state", ["created", "running", "waiting", "paused"])
def test_a_lost_task_is_sent_again_where_all_tasks_are_seen(state: str) -> None:
    runs = {"a": [attempt(1, state)]}
    for seen_s, actions in [(0.0, ()), (29.0, ()), (30.0, (SendTask(1),))]:
        decision = decide(situation("a", runs, living=[living(1, state=state)], without_task_s={1: seen_s}))
        assert decision.actions == actions
    held = Tasks(frozenset({1}), complete=True)
    decision = decide(situation("a", runs, living=[living(1, state=state)], tasks=held, without_task_s={1: 900.0}))
    assert decision.actions == ()


def test_where_workers_hold_tasks_unseen_only_what_none_can_hold_is_sent_soon() -> None:
    incomplete = Tasks(frozenset(), complete=False)
    runs = {"a": [attempt(1, "created")]}

    def actions(process: Living, seen_s: float) -> tuple[Any, ...]:
        decided = decide(
            situation("a", runs, living=[process], tasks=incomplete, without_task_s={process.pk: seen_s})
        )
        return decided.actions

    # its controller died before it could say that the broker had the task
    assert actions(living(1, state="created"), 30.0) == (SendTask(1),)
    # its task was taken by the broker: a busy worker may hold it
    assert actions(living(1, state="created", sent=True), 899.0) == ()
    assert actions(living(1, state="created", sent=True), 900.0) == (SendTask(1),)
    # nobody knows of a child whether its task was sent
    child = living(11, attempt=1, parent=1, state="created")
    assert actions(child, 899.0) == ()
    assert actions(child, 900.0) == (SendTask(11),)
    # what has run lost its task if no worker knows of it for long
    assert actions(living(1, state="waiting"), 899.0) == ()
    assert actions(living(1, state="waiting"), 900.0) == (SendTask(1),)


def test_a_lost_process_in_whose_place_another_was_submitted_is_not_woken() -> None:
    lost = living(11, attempt=1, parent=1, state="created", superseded=True)
    tasks = Tasks(frozenset({1, 12}), complete=True)
    runs = {"a": [attempt(1, "waiting")]}
    processes = [living(1), lost, living(12, attempt=1, parent=1)]
    decision = decide(situation("a", runs, living=processes, tasks=tasks, without_task_s={11: 30.0}))
    assert decision.actions == (Bury(11, "killed", "another was submitted in its place"),)


def test_a_lost_process_of_a_killed_chain_ends_without_a_worker() -> None:
    lost = living(1, state="created")
    runs = {"a": [attempt(1, "created")]}
    decision = decide(situation("a", runs, living=[lost], without_task_s={1: 30.0}, killed_chains=frozenset("a")))
    assert decision.actions == (Bury(1, "killed", "its chain was killed before a worker took it"),)


def test_a_campaign_is_over_when_nothing_is_left_to_do() -> None:
    ended = {"a": [attempt(1)], "b": [attempt(2, "failed", 310)], "c": [attempt(3, "killed")]}
    decision = decide(situation("abc", ended, automatic=1))
    assert decision.over
    assert {name: one.outcome for name, one in decision.standings.items()} == {
        **{"a": Outcome.FINISHED, "b": Outcome.FAILED, "c": Outcome.FAILED}
    }
    # something still lives below a chain that ended
    left = [living(9, attempt=1, parent=1)]
    decision = decide(situation("abc", ended, living=left, tasks=Tasks(frozenset({9}), complete=True)))
    assert not decision.over
    assert decision.notes == ("1 process still lives below chains that ended",)
    # a chain whose inputs were refused is not tried again by this controller
    assert not decide(situation("d")).over
    decision = decide(situation("d", refused_chains=frozenset("d")))
    assert (decision.actions, decision.over) == ((), True)


def test_deciding_twice_on_the_same_is_the_same() -> None:
    one = situation("abcd", {"a": [attempt(1, "excepted")], "b": [attempt(2, "waiting")]}, automatic=1)
    assert decide(one) == decide(one)
    # what was decided first, done: nothing is left to do
    done = situation(
        "abcd",
        {
            "a": [attempt(1, "excepted"), attempt(3, "created")],
            "b": [attempt(2, "waiting")],
            "c": [attempt(4, "created")],
            "d": [attempt(5, "created")],
        },
        automatic=1,
    )
    assert [*started(decide(one))] == ["a", "c", "d"]
    assert decide(done).actions == ()


def test_exit_statuses_that_are_no_failure_mend_nothing() -> None:
    assert not may_mend(0)
    assert not may_mend(None)
