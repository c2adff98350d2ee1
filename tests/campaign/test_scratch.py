"""Scratch of campaigns: what nobody will need goes, and what anybody may need stays."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.tools import delete_nodes
from click.testing import CliRunner, Result
from small_campaigns import make_spec

from aiida_rewire.campaign import cleaning
from aiida_rewire.campaign.cleaning import clean, measure
from aiida_rewire.campaign.extras import change_extras
from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.scratch import Also, Kept, choose_folders, entangled
from aiida_rewire.campaign.scratch_folders import LONGEST_COMMAND, in_commands
from aiida_rewire.cli.campaign.group import campaign_group
from aiida_rewire.database.marks import CHAIN_PROCESS, VOID_EXTRA

JOB = "rewire.junction"
CONTENT = b"x" * 200_000
"""Of the one file of a folder: 200 704 bytes on a disk of blocks of 4096."""

FOLDER_BYTES = 200_704


@pytest.fixture(scope="module")
def machine(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """A computer whose work directory has a name that a shell would take apart."""
    work = tmp_path_factory.mktemp("scratch") / "it's a $(work) directory"
    work.mkdir()
    return computer_in(work)


class Campaign:
    """A recorded campaign of chains 2V-s1 and 8V-s1, with processes and folders as a test wants them."""

    def __init__(self, machine: orm.Computer, **changes: Any) -> None:
        self.machine = machine
        spec = make_spec(**changes)
        self.label = spec.label
        self.group, _ = record_campaign(spec, "")

    def chain(self, name: str = "8V-s1", state: str = "finished", status: int | None = 0) -> orm.WorkChainNode:
        """Store an attempt at a chain."""
        return process(f"{self.label}/{name}", state, status, process_type=CHAIN_PROCESS)

    def folder(self, job: orm.ProcessNode, path: str | None = None, *, make: bool = True) -> orm.RemoteData:
        """Store the folder of a job, and put a file there."""
        where = path or f"{self.machine.get_workdir()}/{uuid.uuid4().hex[:2]}/{uuid.uuid4()}"
        if make:
            Path(where).mkdir(parents=True)
            (Path(where) / "charge density.dat").write_bytes(CONTENT)
        remote = orm.RemoteData(remote_path=where, computer=self.machine)
        remote.base.links.add_incoming(job, LinkType.CREATE, "remote_folder")
        return remote.store()

    def left(
        self,
        chain: orm.ProcessNode,
        link: str = "lane_0",
        state: str = "finished",
        status: int | None = 0,
        *,
        plugin: str = JOB,
        path: str | None = None,
        make: bool = True,
    ) -> orm.RemoteData:
        """Store a job two levels below a chain, and return its folder."""
        middle = process("", "finished", 0, caller=chain, link=link)
        return self.folder(job(middle, state, status, plugin), path, make=make)

    def gone(self, **also: bool) -> set[str]:
        """Which folders would go."""
        scratch = measure(choose_folders(self.group, Also(**also)), print)
        return {folder.path for folder in scratch.gone}

    def kept(self, **also: bool) -> dict[str, Kept]:
        """Which stay, and why."""
        scratch = measure(choose_folders(self.group, Also(**also)), print)
        return {folder.path: why for folder, why in scratch.kept}


def process(
    label: str,
    state: str = "finished",
    status: int | None = 0,
    *,
    caller: orm.ProcessNode | None = None,
    link: str = "CALL",
    kind: Any = orm.WorkChainNode,
    process_type: str = "aiida.workflows:rewire.lane",
) -> Any:
    node = kind(label=label, process_type=process_type)
    node.set_process_state(state)
    if status is not None and state == "finished":
        node.set_exit_status(status)
    if caller is not None:
        calls = LinkType.CALL_CALC if kind is orm.CalcJobNode else LinkType.CALL_WORK
        node.base.links.add_incoming(caller, calls, link)
    return node.store()


def job(
    caller: orm.ProcessNode | None, state: str = "finished", status: int | None = 0, plugin: str = JOB
) -> orm.CalcJobNode:
    made: orm.CalcJobNode = process(
        "", state, status, caller=caller, kind=orm.CalcJobNode, process_type=f"aiida.calculations:{plugin}"
    )
    return made


def taking(
    remote: orm.RemoteData, state: str = "waiting", caller: orm.ProcessNode | None = None, label: str = "left_lead"
) -> orm.CalcJobNode:
    """A job that takes a folder as an input."""
    node = orm.CalcJobNode(process_type=f"aiida.calculations:{JOB}")
    node.set_process_state(state)
    if state == "finished":
        node.set_exit_status(0)
    node.base.links.add_incoming(remote, LinkType.INPUT_CALC, label)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_CALC, "CALL")
    return node.store()


def end(node: orm.ProcessNode) -> None:
    """End a process, so that it does not live on in other tests."""
    node.set_process_state("killed")


@pytest.fixture
def campaign(machine: orm.Computer) -> Campaign:
    return Campaign(machine)


def test_folders_of_a_finished_chain_go_and_those_of_one_that_goes_on_stay(campaign: Campaign) -> None:
    done, running = campaign.chain(), campaign.chain("2V-s1", "waiting", None)
    goes = [campaign.left(done), campaign.left(done, "production", plugin="rewire.md")]
    stays = [campaign.left(running), campaign.left(running, "production", plugin="rewire.md")]
    assert campaign.gone() == {remote.get_remote_path() for remote in goes}
    assert campaign.kept() == {remote.get_remote_path(): Kept.LIVE for remote in stays}
    end(running)


def test_a_job_that_outlives_its_chain_keeps_all_of_it(campaign: Campaign) -> None:
    chain = campaign.chain()
    other = campaign.left(chain)
    assert other.get_remote_path() in campaign.gone()
    lane = process("", "waiting", caller=chain, link="lane_1")
    assert campaign.kept() == {other.get_remote_path(): Kept.LIVE}
    end(lane)
    assert campaign.gone() == {other.get_remote_path()}


def test_what_a_live_process_takes_as_an_input_stays_whosever_it_is(campaign: Campaign) -> None:
    chain = campaign.chain()
    taken, free = campaign.left(chain), campaign.left(chain)
    stranger = taking(taken)
    assert campaign.gone() == {free.get_remote_path()}
    assert campaign.kept() == {taken.get_remote_path(): Kept.LIVE}
    end(stranger)
    assert campaign.gone() == {taken.get_remote_path(), free.get_remote_path()}


def test_what_a_chain_of_another_campaign_has_taken_that_may_be_tried_again_stays(
    campaign: Campaign, machine: orm.Computer
) -> None:
    taken = campaign.left(campaign.chain())
    # 400 may be mended by another try, of which a campaign has one by default
    other = Campaign(machine)
    attempt = other.chain(status=400)
    taking(taken, "finished", attempt)
    assert campaign.kept() == {taken.get_remote_path(): Kept.UNFINISHED}
    # a second attempt finished: nothing is tried again
    other.chain()
    assert campaign.gone() == {taken.get_remote_path()}


def test_what_a_finished_job_of_a_chain_that_lives_has_taken_stays(campaign: Campaign, machine: orm.Computer) -> None:
    lead = campaign.left(campaign.chain(), "lead").get_remote_path()
    assert campaign.gone(leads=True) == {lead}
    attempt = Campaign(machine).chain(state="waiting", status=None)
    taking(remotes_at([lead])[0], "finished", attempt)
    assert campaign.kept(leads=True) == {lead: Kept.LIVE}
    end(attempt)


def test_what_failed_in_another_campaign_is_that_ones_evidence(campaign: Campaign, machine: orm.Computer) -> None:
    own = campaign.left(campaign.chain(), status=330).get_remote_path()
    other = Campaign(machine)
    other.left(other.chain(), status=330, path=own, make=False)
    assert campaign.kept(failed=True) == {own: Kept.FAILED}


@pytest.mark.parametrize(("attempts", "why"), [(2, Kept.UNFINISHED), (1, Kept.FAILED)])
def test_a_chain_with_attempts_left_keeps_its_folders(machine: orm.Computer, attempts: int, why: Kept) -> None:
    campaign = Campaign(machine, retries={"attempts": attempts})
    remote = campaign.left(campaign.chain(status=400))
    assert campaign.kept() == {remote.get_remote_path(): why}
    # as long as it may be tried again, also with --failed
    assert (campaign.gone(failed=True) == {remote.get_remote_path()}) == (attempts == 1)


def test_the_dynamics_of_a_chain_without_an_end_stays_whatever_is_asked(campaign: Campaign) -> None:
    failed = campaign.chain(status=310)
    path = campaign.left(failed, "equilibration", status=400, plugin="rewire.md").get_remote_path()
    assert campaign.kept(failed=True, leads=True) == {path: Kept.CHECKPOINT}


def test_what_failed_below_a_finished_chain_is_evidence(campaign: Campaign) -> None:
    chain = campaign.chain()
    failed = [campaign.left(chain, state="excepted"), campaign.left(chain, status=330)]
    # a job of a dynamics that others go on from has not failed
    part = campaign.left(chain, "production", status=400, plugin="rewire.md")
    wall = campaign.left(chain, status=400)
    evidence = {remote.get_remote_path() for remote in (*failed, wall)}
    assert campaign.gone() == {part.get_remote_path()}
    assert campaign.kept() == dict.fromkeys(evidence, Kept.FAILED)
    assert campaign.gone(failed=True) == {part.get_remote_path(), *evidence}


def test_leads_stay_until_they_are_asked_for_and_nothing_may_take_them(
    campaign: Campaign, machine: orm.Computer
) -> None:
    name = f"pw-{uuid.uuid4().hex[:6]}"
    code = orm.InstalledCode(label=name, computer=machine, filepath_executable="/usr/bin/pw.x").store()
    chain = campaign.chain()
    middle = process("", caller=chain, link="lead_n4")
    pw = orm.CalcJobNode(process_type="aiida.calculations:rewire.pw")
    pw.set_process_state("finished")
    pw.set_exit_status(0)
    pw.base.links.add_incoming(code, LinkType.INPUT_CALC, "code")
    pw.base.links.add_incoming(middle, LinkType.CALL_CALC, "iteration_01")
    lead = campaign.folder(pw.store()).get_remote_path()
    readback = campaign.left(chain, "readback_lead_n3").get_remote_path()
    assert campaign.gone() == {readback}
    assert campaign.kept() == {lead: Kept.LEAD}
    assert campaign.gone(leads=True) == {lead, readback}
    # a chain that has found it and not yet begun its lanes is linked to the code alone
    other = orm.WorkChainNode(label="", process_type=CHAIN_PROCESS)
    other.set_process_state("waiting")
    other.base.links.add_incoming(code, LinkType.INPUT_WORK, "lead__pw__code")
    other.store()
    assert campaign.kept(leads=True) == {lead: Kept.LEAD_IN_USE}
    end(other)
    assert campaign.gone(leads=True) == {lead, readback}


def test_clones_go_together_or_stay_together(campaign: Campaign, machine: orm.Computer) -> None:
    own = campaign.left(campaign.chain())
    path = own.get_remote_path()
    other = Campaign(machine)
    attempt = other.chain(state="waiting", status=None)
    clone = other.left(attempt, path=path, make=False)
    assert campaign.kept() == {path: Kept.LIVE}
    attempt.set_process_state("finished")
    attempt.set_exit_status(0)
    nobodys = orm.RemoteData(remote_path=f"{path}/", computer=machine).store()
    user = taking(nobodys)
    assert campaign.kept() == {path: Kept.LIVE}
    end(user)
    result = run(campaign, "--yes", "--json")
    assert json.loads(result.stdout)["removed"] == 1
    assert not Path(path).exists()
    assert [orm.load_node(node.pk).is_cleaned for node in (own, clone, nobodys)] == [True] * 3
    assert other.gone() == set()


def test_a_folder_that_a_run_outside_of_campaigns_left_is_not_the_campaigns_to_remove(campaign: Campaign) -> None:
    own = campaign.left(campaign.chain())
    campaign.folder(job(None), own.get_remote_path(), make=False)
    assert campaign.kept() == {own.get_remote_path(): Kept.ELSEWHERE}


def test_the_folders_of_a_campaign_from_an_archive_are_not_for_this_profile_to_remove(
    campaign: Campaign, machine: orm.Computer
) -> None:
    own = Campaign(machine)
    alone = campaign.left(campaign.chain()).get_remote_path()
    shared = campaign.left(campaign.chain("2V-s1")).get_remote_path()
    # a job of this profile that was taken from the cache
    own.left(own.chain(), path=shared, make=False)
    assert campaign.gone() == {alone, shared}
    assert own.gone() == {shared}
    change_extras(campaign.group, lambda there: {**there, "imported": {"archive": "a.aiida"}})
    assert campaign.kept(failed=True, leads=True) == {alone: Kept.ELSEWHERE, shared: Kept.ELSEWHERE}
    assert campaign.gone(failed=True, leads=True) == own.gone(failed=True, leads=True) == set()


def test_an_attempt_that_does_not_count_is_no_reason_to_clean(campaign: Campaign) -> None:
    chain = campaign.chain()
    chain.base.extras.set(VOID_EXTRA, "stillborn")
    path = campaign.left(chain).get_remote_path()
    assert campaign.kept() == {path: Kept.ELSEWHERE}


def test_a_folder_that_holds_one_that_stays_stays(campaign: Campaign) -> None:
    chain = campaign.chain()
    outer = campaign.left(chain).get_remote_path()
    inner = campaign.left(chain, path=f"{outer}/inner").get_remote_path()
    assert campaign.gone() == {outer, inner}
    failed = campaign.left(chain, status=330, path=f"{inner}/evidence").get_remote_path()
    assert campaign.kept() == {outer: Kept.ELSEWHERE, inner: Kept.ELSEWHERE, failed: Kept.FAILED}


def test_what_is_entangled_with_what_stays_is_found_in_turn() -> None:
    gone = [("a", path) for path in ("/w", "/w/x", "/w/x/y", "/v")]
    deep = [("a", "/w/x/y/z")]
    assert set(entangled(gone, below=deep, above=deep)) == set(gone[:3])
    # it keeps what is below it, and by that what holds it
    assert set(entangled([("a", "/w/x/y"), ("a", "/v")], below=[], above=[("a", "/w/x")])) == {("a", "/w/x/y")}
    assert set(entangled(gone, below=[], above=[("a", "/w/x")])) == set(gone[:3])
    others = [("b", "/w/x"), ("a", "/"), ("a", "/w2")]
    assert set(entangled(gone, below=others, above=others)) == set()


def test_a_note_of_the_whole_disk_keeps_nothing_back(campaign: Campaign, machine: orm.Computer) -> None:
    path = campaign.left(campaign.chain()).get_remote_path()
    note = orm.RemoteData(remote_path=machine.get_workdir(), computer=machine).store()
    assert campaign.gone() == {path}
    user = taking(note)
    assert campaign.kept() == {path: Kept.ELSEWHERE}
    delete_nodes([user.pk, note.pk], dry_run=False)


STRANGE = {
    "outside": "{outside}",
    "a link": "{work}/link",
    "below a link": "{work}/step/precious",
    "up and down": "{work}/../{up}/precious",
    "up and down again": "{work}/inner/../../{up}/precious",
    "a file": "{work}/file",
    "two lines": "{work}/two\nlines",
    "the work directory": "{work}",
    "the root": "/",
    "relative": "precious",
}


@pytest.mark.parametrize("path", STRANGE.values(), ids=STRANGE)
def test_nothing_but_folders_below_the_work_directory_is_touched(
    aiida_profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    work, outside = tmp_path / "work", tmp_path / "up" / "precious"
    for folder in (work / "inner", work / "two\nlines", outside):
        folder.mkdir(parents=True)
    monkeypatch.chdir(outside.parent)
    (outside / "thesis.tex").write_text("all of it")
    (work / "link").symlink_to(outside)
    (work / "step").symlink_to(outside.parent)
    (work / "file").write_text("no folder")
    campaign = Campaign(computer_in(work))
    path = path.format(work=work, outside=outside, up=outside.parent.name)
    remote = campaign.left(campaign.chain(), path=path, make=False)
    before = sorted(map(str, tmp_path.rglob("*")))
    assert campaign.kept() == {path: Kept.STRANGE}
    assert json.loads(run(campaign, "--yes", "--failed", "--leads", "--json").stdout)["removed"] == 0
    assert sorted(map(str, tmp_path.rglob("*"))) == before
    assert not orm.load_node(remote.pk).is_cleaned


def computer_in(work: Path) -> orm.Computer:
    """Store a computer of its own with a work directory."""
    name = f"scratch-{uuid.uuid4().hex[:8]}"
    computer = orm.Computer(name, name, transport_type="core.local", scheduler_type="core.direct", workdir=str(work))
    computer.store().configure(use_login_shell=False)
    return computer


def remotes_at(paths: list[str]) -> list[orm.RemoteData]:
    query = orm.QueryBuilder().append(orm.RemoteData, filters={"attributes.remote_path": {"in": paths}})
    found: list[orm.RemoteData] = query.all(flat=True)
    return found


def test_a_link_within_a_folder_goes_and_what_it_leads_to_stays(campaign: Campaign) -> None:
    chain = campaign.chain()
    lead = Path(campaign.left(chain, "lead", plugin="rewire.pw").get_remote_path())
    snapshot = Path(campaign.left(chain).get_remote_path())
    (snapshot / "left.save").symlink_to(lead)
    run(campaign, "--yes")
    assert not snapshot.exists()
    assert (lead / "charge density.dat").read_bytes() == CONTENT


def run(campaign: Campaign, *arguments: str, status: int = 0, text: str | None = None) -> Result:
    result = CliRunner().invoke(campaign_group, ["clean", campaign.label, *arguments], input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    return result


def test_sizes_are_those_of_the_disk_before_and_after_and_a_second_run_finds_nothing(campaign: Campaign) -> None:
    chain, label = campaign.chain(), campaign.label
    work = campaign.machine.get_workdir()
    names = [f"{work}/{label}/a 'quoted' \"name\"", f"{work}/{label}/$HOME; echo *", f"{work}/{label}/-rf µ"]
    for name in names:
        campaign.left(chain, path=name)
    campaign.left(chain, "lead", path=f"{work}/{label}/lead")
    there = json.loads(run(campaign, "--dry-run", "--json").stdout)
    assert there["dry_run"] and there["removed"] == 0
    each = there["folders"][0]["bytes"]
    # the file, and the folder's own entry where the file system counts it
    assert FOLDER_BYTES <= each <= FOLDER_BYTES + 8192
    assert [folder["path"] for folder in there["folders"]] == sorted(names)
    assert {folder["bytes"] for folder in there["folders"]} == {each}
    assert there["kept"] == {"lead": {"folders": 1, "bytes": each}}
    assert (there["bytes_before"], there["bytes_to_go"], there["bytes_after"]) == (4 * each, 3 * each, 4 * each)
    assert all(Path(name).is_dir() for name in names)
    done = json.loads(run(campaign, "--yes", "--json").stdout)
    assert (done["bytes_before"], done["bytes_after"], done["removed"]) == (4 * each, each, 3)
    assert not any(Path(name).exists() for name in names)
    assert all(remote.is_cleaned for remote in remotes_at(names))
    again = json.loads(run(campaign, "--yes", "--json").stdout)
    assert (again["folders"], again["removed"], again["bytes_before"], again["bytes_after"]) == ([], 0, each, each)
    assert run(campaign).stdout.splitlines() == [f"stays: 1 folder, {each / 1000:.0f} kB: {Kept.LEAD}"]


def test_killed_in_the_middle_it_goes_on(campaign: Campaign) -> None:
    chain = campaign.chain()
    first, second, third = (campaign.left(chain) for _ in range(3))
    # removed and not marked; half removed; not begun
    shutil.rmtree(first.get_remote_path())
    (Path(second.get_remote_path()) / "charge density.dat").unlink()
    assert json.loads(run(campaign, "--yes", "--json").stdout)["removed"] == 3
    for remote in (first, second, third):
        assert orm.load_node(remote.pk).is_cleaned
        assert not Path(remote.get_remote_path()).exists()


def test_what_somebody_came_to_need_since_it_was_measured_stays(campaign: Campaign) -> None:
    chain = campaign.chain()
    taken, free, changed = (campaign.left(chain) for _ in range(3))
    scratch = measure(choose_folders(campaign.group, Also()), print)
    user = taking(taken)
    shutil.rmtree(changed.get_remote_path())
    Path(changed.get_remote_path()).symlink_to(Path(taken.get_remote_path()))
    done = clean(campaign.group, Also(), scratch, print)
    assert [folder.path for folder in done.folders] == [free.get_remote_path()]
    assert {folder.path for folder in done.needed} == {taken.get_remote_path(), changed.get_remote_path()}
    assert (Path(taken.get_remote_path()) / "charge density.dat").exists()
    assert Path(changed.get_remote_path()).is_symlink()
    end(user)


def test_more_folders_than_are_removed_at_a_time(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "AT_A_TIME", 2)
    chain = campaign.chain()
    middle = process("", caller=chain, link="lane_0")
    folders = [campaign.folder(job(middle)) for _ in range(5)]
    assert json.loads(run(campaign, "--yes", "--json").stdout)["removed"] == len(folders)
    assert not any(Path(folder.get_remote_path()).exists() for folder in folders)


def test_a_work_directory_that_is_away_says_nothing_of_its_folders(campaign: Campaign) -> None:
    remote = campaign.left(campaign.chain())
    work = Path(campaign.machine.get_workdir())
    work.rename(work.with_name("unmounted"))
    try:
        result = run(campaign, "--yes", "--json")
    finally:
        work.with_name("unmounted").rename(work)
    assert "1 folders are left alone: work directory" in result.stderr
    said = json.loads(result.stdout)
    assert said["kept"] == {"unreachable": {"folders": 1, "bytes": 0}}
    assert not orm.load_node(remote.pk).is_cleaned
    assert Path(remote.get_remote_path()).is_dir()


def test_a_work_directory_that_is_a_link_is_one(aiida_profile: Any, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "work").symlink_to(tmp_path / "disk")
    campaign = Campaign(computer_in(tmp_path / "work"))
    remote = campaign.left(campaign.chain())
    assert campaign.gone() == {remote.get_remote_path()}
    run(campaign, "--yes")
    assert list((tmp_path / "disk").rglob("*.dat")) == []


def test_without_a_terminal_nothing_is_removed_unless_it_is_said_so(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(campaign.left(campaign.chain()).get_remote_path())
    for arguments in ([], ["--json"]):
        assert "give --yes, or --dry-run" in run(campaign, *arguments, status=1, text="y\n").output
        assert path.is_dir()
    monkeypatch.setattr("aiida_rewire.cli.campaign.cleaning.at_a_terminal", lambda: True)
    assert "remove 1 folder? [y/N]" in run(campaign, status=1, text="n\n").output
    assert path.is_dir()
    said = run(campaign, text="y\n").stdout.splitlines()
    assert said[0].startswith("goes: 1 folder, ") and said[0].endswith(": snapshots")
    assert said[-1].startswith("removed 1 folder; ") and said[-1].endswith(" before, 0 B after")
    assert not path.exists()


def test_commands_stay_below_what_a_system_takes() -> None:
    paths = [f"/scratch/{'µ' * 100}/{number}" for number in range(1000)]
    commands = list(in_commands(paths))
    assert [path for some in commands for path in some] == paths
    assert 1 < len(commands) < 10
    assert all(len(" ".join(some).encode()) <= LONGEST_COMMAND for some in commands)
