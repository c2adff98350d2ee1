"""What a campaign costs: sums by hand, jobs in a database, and accounts asked for again."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.schedulers.plugins.slurm import SlurmScheduler
from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec

from aiida_rewire.campaign.accounting import (
    EXTRA,
    Account,
    Answer,
    Asked,
    Unknown,
    account_in_extra,
    ask_scheduler,
    store_accounts,
)
from aiida_rewire.campaign.cost import Cost, Source, cost_of, mended_of, spent_by, total
from aiida_rewire.campaign.jobs import Job, cores_in
from aiida_rewire.campaign.record import record_campaign

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SLURM_OPTIONS = {"num_machines": 1, "num_mpiprocs_per_machine": 4}


def job(plugin: str = "rewire.junction", **values: Any) -> Job:
    """A job of four cores that ended well."""
    usual: dict[str, Any] = {
        **{"pk": 1, "chain": "2V-s1", "branch": "lane_0", "plugin": plugin, "user": "a@b", "computer": "cluster"},
        **{"snapshot": None, "began": NOON},
        **{"state": "finished", "exit_status": 0, "job_id": "17", "cores": 4, "cached": False, "times": {}},
        **{"polled_s": None, "answer": Answer.NONE, "account": None},
    }
    return Job(**{**usual, **values})


def shown(made: Job) -> list[tuple[str, str, str, float, float]]:
    return [(one.step, one.status, str(one.source), one.core_s, one.wall_s) for one in spent_by(made)]


PARTS = {"scf_wall_s": 60.0, "readback_wall_s": 5.0, "pwcond_wall_s": 35.0}


def test_a_snapshot_in_one_job_is_divided_into_its_parts() -> None:
    assert shown(job(times=PARTS)) == [
        ("scf", "good", "program", 240.0, 60.0),
        ("readback", "good", "program", 20.0, 5.0),
        ("pwcond", "good", "program", 140.0, 35.0),
    ]
    # Slurm counts from the first to the last second: 125 s on eight cores
    account = Account("COMPLETED", 125.0, 8, 1000.0)
    assert shown(job(times=PARTS, account=account)) == [
        ("scf", "good", "sacct", pytest.approx(600.0), pytest.approx(75.0)),
        ("readback", "good", "sacct", pytest.approx(50.0), pytest.approx(6.25)),
        ("pwcond", "good", "sacct", pytest.approx(350.0), pytest.approx(43.75)),
    ]
    failed = job(times={"scf_wall_s": 60.0}, state="failed", exit_status=400, account=account)
    assert shown(failed) == [("scf", "failed", "sacct", 1000.0, 125.0)]
    nothing = job(state="killed", exit_status=None, account=account)
    assert shown(nothing) == [("snapshot", "killed", "sacct", 1000.0, 125.0)]


def test_separate_jobs_tell_their_times_each_in_its_own_way() -> None:
    assert shown(job("rewire.md", branch="production", times={"wall_time_s": 90.0})) == [
        ("md production", "good", "program", 360.0, 90.0)
    ]
    assert shown(job("rewire.pw", branch="lead_n4", times={"wall_time_seconds": 10.0}))[0][:2] == ("lead", "good")
    assert shown(job("rewire.pw", times={"wall_time_seconds": 10.0})) == [("scf", "good", "program", 40.0, 10.0)]
    # its shards run side by side, and end one after another
    shards = {"wall_seconds": 100.0, "core_seconds": 310.0}
    assert shown(job("rewire.pwcond", times=shards)) == [("pwcond", "good", "program", 310.0, 100.0)]
    assert shown(job("rewire.readback")) == [("readback", "good", "unknown", 0.0, 0.0)]


def test_a_job_that_the_next_one_goes_on_from_is_not_wasted() -> None:
    cut_off = {"plugin": "rewire.md", "branch": "production", "state": "failed", "exit_status": 400}
    assert shown(job(**cut_off, times={"wall_time_s": 90.0}))[0][:2] == ("md production", "good")
    assert shown(job(**cut_off))[0][:2] == ("md production", "failed")
    assert shown(job(**{**cut_off, "exit_status": 311}, times={"wall_time_s": 90.0}))[0][1] == "failed"


def test_what_another_job_made_up_for_is_told_apart_and_wasted_all_the_same() -> None:
    def at(pk: int, minute: int, **values: Any) -> Job:
        return job(pk=pk, began=NOON + timedelta(minutes=minute), **values)

    failed: dict[str, Any] = {"state": "failed", "exit_status": 420}
    of_dynamics: dict[str, Any] = {"plugin": "rewire.md", "branch": "production"}
    jobs = [
        at(1, 0, snapshot=3, **failed),
        at(2, 1, snapshot=4, **failed),
        at(3, 2, snapshot=5, times=PARTS),
        # an archive keeps no order of PKs: the one that ended well began after the first, before the last
        at(4, 5, **of_dynamics),
        at(5, 4, state="killed", exit_status=None, **of_dynamics),
        at(6, 6, state="excepted", exit_status=None, **of_dynamics),
        at(7, 3, state="killed", exit_status=None, **{**of_dynamics, "branch": "equilibration"}),
        at(8, 3, state="killed", exit_status=None, chain="8V-s1", **of_dynamics),
        at(9, 7, state="running", exit_status=None, snapshot=3),
    ]
    assert mended_of(jobs, {"2V-s1": {3: None, 5: None}, "8V-s1": {4: None}}) == {1, 5}
    spent = tuple(spent_by(job(times={"scf_wall_s": 60.0}, **failed), mended=True))
    assert [one.status for one in spent] == ["mended"]
    assert Cost(spent, (), 0, ()).wasted.core_s == 240.0


def test_of_what_never_ended_the_last_poll_tells_something() -> None:
    running = job(state="running", exit_status=None, polled_s=300.0)
    assert shown(running) == [("snapshot", "running", "last poll", 1200.0, 300.0)]
    assert shown(job(state="excepted", exit_status=None)) == [("snapshot", "excepted", "unknown", 0.0, 0.0)]


def test_sums_count_a_job_in_parts_once() -> None:
    spent = (*spent_by(job(times=PARTS)), *spent_by(job(pk=2, state="killed", exit_status=None)))
    cost = Cost(spent, (), 0, ())
    assert (total(spent).jobs, total(spent).core_s, total(spent).unknown) == (2, 400.0, 1)
    assert cost.wasted.is_unknown
    by_step = cost.by(lambda one: one.step)
    assert {step: list(there) for step, there in by_step.items()} == {
        **{step: ["good"] for step in ("scf", "readback", "pwcond")},
        "snapshot": ["killed"],
    }
    assert by_step["scf"]["good"].core_hours == pytest.approx(240 / 3600)
    assert cost.by(lambda one: one.user)["a@b"]["good"].jobs == 1


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        ({"num_machines": 2, "num_mpiprocs_per_machine": 4}, 8),
        ({"num_machines": 2, "tot_num_mpiprocs": 6}, 6),
        ({"num_machines": 1, "num_mpiprocs_per_machine": 4, "num_cores_per_mpiproc": 2}, 8),
        ({"num_machines": 2, "num_mpiprocs_per_machine": 4, "num_cores_per_machine": 16}, 32),
        ({"num_machines": "many"}, 1),
        (None, 1),
    ],
)
def test_cores_that_a_job_asks_for(resources: Any, cores: int) -> None:
    assert cores_in(resources) == cores


@pytest.fixture
def group(aiida_profile: Any) -> orm.Group:
    """A campaign without chains yet."""
    return record_campaign(make_spec(), "")[0]


@pytest.fixture(scope="module")
def cluster(aiida_profile: Any) -> orm.Computer:
    """A computer with Slurm that nobody configured: it cannot be asked."""
    made = orm.Computer("cost-cluster", "localhost", transport_type="core.local", scheduler_type="core.slurm")
    made.set_workdir("/scratch")
    return made.store()


def child(caller: Any, kind: type, plugin: str, link: str, **attributes: Any) -> Any:
    """A process that another one called."""
    of_job = kind is orm.CalcJobNode
    node = kind(process_type=f"aiida.{'calculations' if of_job else 'workflows'}:{plugin}")
    node.computer = attributes.pop("computer", None)
    node.base.links.add_incoming(
        caller, link_type=LinkType.CALL_CALC if of_job else LinkType.CALL_WORK, link_label=link
    )
    node.base.attributes.set_many(attributes)
    return node.store()


def give(node: Any, label: str, values: Mapping[str, Any]) -> None:
    """Give a job a result."""
    result = orm.Dict(dict(values))
    result.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label=label)
    result.store()


def recorded(fixtures: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fixtures / "sacct" / f"{name}.json").read_text())
    return found


def test_jobs_of_all_levels_and_attempts_are_found(group: orm.Group, fixtures: Path) -> None:
    chain = make_chain(group.label, "2V-s1", state="running")
    production = child(chain, orm.WorkChainNode, "rewire.md.base", "production")
    segment = child(production, orm.CalcJobNode, "rewire.md", "segment_0000", resources=SLURM_OPTIONS)
    give(segment, "results", {"wall_time_s": 3600.0, "mpi_ranks": 4})
    lead = child(chain, orm.WorkChainNode, "rewire.pw.base", "lead")
    of_lead = child(lead, orm.CalcJobNode, "rewire.pw", "iteration_01", resources=SLURM_OPTIONS)
    give(of_lead, "output_parameters", {"wall_time_seconds": 1800.0})
    lane = child(chain, orm.WorkChainNode, "rewire.lane", "lane_0")
    account = {"job_id": "1", "detailed_job_info": recorded(fixtures, "completed"), "resources": SLURM_OPTIONS}
    junction = child(lane, orm.CalcJobNode, "rewire.junction", "snapshot_0000", **account)
    give(junction, "results", PARTS)
    steps = child(lane, orm.WorkChainNode, "rewire.snapshot", "snapshot_0001_steps")
    base = child(steps, orm.WorkChainNode, "rewire.pw.base", "scf_junction")
    scf = child(base, orm.CalcJobNode, "rewire.pw", "iteration_01", last_job_info={"wallclock_time_seconds": 90})
    first = child(lane, orm.CalcJobNode, "rewire.junction", "snapshot_0007", resources=SLURM_OPTIONS)
    give(first, "results", {"scf_wall_s": 36.0})
    cached = child(base, orm.CalcJobNode, "rewire.pw", "iteration_02", resources=SLURM_OPTIONS)
    cached.base.extras.set("_aiida_cached_from", of_lead.uuid)
    give(cached, "output_parameters", {"wall_time_seconds": 900.0})
    for node in (segment, of_lead, junction, cached):
        end_process(node)
    end_process(first, exit_status=420)
    scf.set_process_state("killed")
    second = make_chain(group.label, "2V-s1", state="running")
    again = child(second, orm.WorkChainNode, "rewire.md.base", "equilibration")
    end_process(child(again, orm.CalcJobNode, "rewire.md", "segment_0000"), exit_status=401)
    make_conductance(group.label, "2V-s1", 7, reused_from="somewhere")
    cost = cost_of(group, pytest.fail)
    by_step = {
        (step, status): (found.jobs, found.core_hours, found.unknown)
        for step, there in cost.by(lambda one: one.step).items()
        for status, found in there.items()
    }
    assert by_step == {
        ("md production", "good"): (1, 4.0, 0),
        ("md equilibration", "failed"): (1, 0.0, 1),
        ("lead", "good"): (1, 2.0, 0),
        # eight core-seconds in all
        ("scf", "good"): (1, pytest.approx(8 * 0.60 / 3600), 0),
        ("readback", "good"): (1, pytest.approx(8 * 0.05 / 3600), 0),
        ("pwcond", "good"): (1, pytest.approx(8 * 0.35 / 3600), 0),
        # of the snapshot in separate jobs, which has no conductance; the other one got its later
        ("scf", "killed"): (1, 90 / 3600, 0),
        ("scf", "mended"): (1, 4 * 36 / 3600, 0),
    }
    assert cost.wasted.jobs == 3
    assert (total(cost.saved).jobs, total(cost.saved).core_hours, cost.reused) == (1, 1.0, 1)
    sources = cost.by(lambda one: str(one.source))
    assert {source: sum(found.jobs for found in there.values()) for source, there in sources.items()} == {
        "program": 3,
        "sacct": 1,
        "last poll": 1,
        "unknown": 1,
    }
    assert cost.notes == ()


def test_a_cluster_that_does_not_answer_is_said_and_no_error(group: orm.Group, cluster: orm.Computer) -> None:
    chain = make_chain(group.label, "2V-s1", state="running")
    lane = child(chain, orm.WorkChainNode, "rewire.lane", "lane_0")
    node = child(lane, orm.CalcJobNode, "rewire.junction", "snapshot_0000", computer=cluster, job_id="17")
    end_process(node, exit_status=420)
    told: list[str] = []
    cost = cost_of(group, told.append)
    assert told == ["asking cost-cluster for the accounts of 1 jobs"]
    assert cost.notes[0].startswith("cost-cluster does not answer: ")
    assert cost.wasted.unknown == 1
    assert cost_of(group, pytest.fail, ask=False).notes == ("1 jobs have no account yet, and nobody was asked",)
    # what was asked for before is taken from the job itself
    node.base.extras.set(EXTRA, Account("OUT_OF_MEMORY", 100.0, 4, 400.0)._asdict())
    known = cost_of(group, pytest.fail)
    assert (known.spent[0].source, known.wasted.core_s, known.notes) == (Source.SACCT, 400.0, ())


class RecordedSlurm(SlurmScheduler):
    """Slurm that says what it said when it was recorded, for the jobs that it is asked for."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []

    def get_detailed_job_info(self, job_id: str) -> dict[str, Any]:
        self.asked.append(job_id)
        return self.answers.pop(0)


def test_many_jobs_are_asked_for_in_one_command(fixtures: Path) -> None:
    scheduler = RecordedSlurm([recorded(fixtures, "many")])
    jobs = [Unknown(pk, "cluster", job_id) for pk, job_id in ((101, "1"), (102, "2"), (103, "3"), (1, "4"))]
    asked = Asked()
    ask_scheduler(scheduler, "cluster", jobs, asked)
    assert scheduler.asked == ["1,2,3,4"]
    # the second waits still; the fourth is another job of that number: its name is that of another process
    assert asked.accounts == {101: Account("COMPLETED", 4.0, 2, 8.0), 103: Account("FAILED", 0.0, 1, 0.0)}
    assert (asked.early, asked.notes) == (2, [])


def test_a_cluster_without_accounting_is_asked_once(fixtures: Path) -> None:
    scheduler = RecordedSlurm([recorded(fixtures, "no_accounting")])
    asked = Asked()
    ask_scheduler(scheduler, "cluster", [Unknown(pk, "cluster", str(pk)) for pk in range(1, 1001)], asked)
    assert scheduler.asked == [",".join(map(str, range(1, 201)))]
    assert asked.notes == ["sacct on cluster gives no account: Slurm accounting storage is disabled"]


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("\n\x1b[31mWelcome\x1b[0m\n\nsacct: error: Problem talking to the database\x07\n", "sacct: error: Problem"),
        ("\n  bash: line 1:\tno such command \u202e\n", "bash: line 1: no such command"),
        ("x" * 1000, "x" * 100),
        ("", "status 1"),
    ],
)
def test_what_a_cluster_says_instead_of_accounts_is_harmless(stderr: str, said: str) -> None:
    asked = Asked()
    scheduler = RecordedSlurm([{"retval": 1, "stdout": "", "stderr": stderr}])
    ask_scheduler(scheduler, "cluster", [Unknown(1, "cluster", "17")], asked)
    (note,) = asked.notes
    assert note.startswith(f"sacct on cluster gives no account: {said}")
    assert note.isprintable()
    assert len(note) < 200


def test_accounts_are_kept_beside_other_extras(aiida_profile: Any) -> None:
    jobs = [orm.CalcJobNode(label=f"kept {number}").store() for number in range(3)]
    jobs[0].base.extras.set("mine", 1)
    accounts = {one.pk: Account("COMPLETED", 10.0 * one.pk, 2, 20.0 * one.pk) for one in jobs}
    store_accounts(accounts)
    found = orm.QueryBuilder().append(
        orm.CalcJobNode, filters={"label": {"like": "kept %"}}, project=["id", "extras"]
    )
    extras = dict(found.all())
    assert {pk: account_in_extra(those[EXTRA]) for pk, those in extras.items()} == accounts
    assert extras[jobs[0].pk]["mine"] == 1
