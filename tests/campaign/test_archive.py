"""Campaigns as archives: what is written, and what comes of it in another profile."""

import hashlib
import json
import shutil
import sqlite3
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiida import load_profile, orm
from aiida.manage import get_manager
from aiida.manage.configuration import create_profile
from aiida.tools.archive import create_archive
from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec

from aiida_rewire.campaign.archive import export_campaign, replaced
from aiida_rewire.campaign.attempts import attempts_of
from aiida_rewire.campaign.control import resume
from aiida_rewire.campaign.extras import change_extras, read_extras
from aiida_rewire.campaign.importing import import_campaign
from aiida_rewire.campaign.progress import progress_of
from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.campaign.retrying import grant_retries
from aiida_rewire.campaign.runners import runners_of
from aiida_rewire.cli.campaign.progress_text import runner_lines
from aiida_rewire.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("aiida_profile")

CREDENTIAL = "what-a-cluster-asks-for"

OF_A_PROFILE = tuple(
    f"_{name}"
    for name in ("profile", "profile_storage", "broker", "process_controller", "daemon_client", "persister", "runner")
)
"""What AiiDA's manager holds of the profile that is loaded."""


Elsewhere = Callable[[], AbstractContextManager[None]]


@contextmanager
def nothing_loaded() -> Iterator[None]:
    """Set the loaded profile aside: a switch would close its storage, with the nodes that other tests share."""
    manager = get_manager()
    own = {name: getattr(manager, name) for name in OF_A_PROFILE}
    for name in OF_A_PROFILE:
        setattr(manager, name, None)
    try:
        yield
    finally:
        manager.unload_profile()
        for name, value in own.items():
            setattr(manager, name, value)


@pytest.fixture(scope="module")
def other_profile(aiida_profile: Any, aiida_config: Any) -> str:
    with nothing_loaded():
        create_profile(
            aiida_config,
            storage_backend="core.sqlite_dos",
            storage_config={"filepath": str(Path(aiida_config.dirpath) / "other" / "storage")},
            name="other",
            email="reader@localhost",
        )
    return "other"


@pytest.fixture
def elsewhere(other_profile: str) -> Elsewhere:
    """Return a context in which another profile is loaded."""

    @contextmanager
    def loaded() -> Iterator[None]:
        with nothing_loaded():
            load_profile(other_profile)
            yield

    return loaded


def nodes_here() -> int:
    return orm.QueryBuilder().append(orm.Node).count()


def groups_of(label: str) -> list[str]:
    found: list[str] = orm.QueryBuilder().append(orm.Group, filters={"label": label}, project="uuid").all(flat=True)
    return found


@pytest.fixture
def campaign() -> orm.Group:
    """A finished campaign of two chains, one tried twice, with two conductances each."""
    group, _ = record_campaign(make_spec(description="what for"), "text of the file")
    fill(group.label)
    return group


def fill(label: str) -> None:
    computer = orm.Computer(
        label=f"computer-{uuid.uuid4().hex[:8]}",
        hostname="localhost",
        workdir="/scratch/{username}",
        transport_type="core.local",
        scheduler_type="core.direct",
    ).store()
    authinfo = computer.configure(use_login_shell=False)
    authinfo.set_auth_params({**authinfo.get_auth_params(), "proxy_command": CREDENTIAL})
    lead = orm.RemoteData(remote_path="/scratch/me/ab/cd", computer=computer).store()
    for voltage in (2.0, 8.0):
        name = f"{voltage:g}V-s1"
        chain = make_chain(label, name, state="running")
        make_conductance(label, name, 0, 1 / 3, caller=chain, lead=lead, voltage_v=voltage)
        end_process(chain, exit_status=500)
        again = make_chain(label, name, state="running")
        make_conductance(label, name, 1, 2 / 7, caller=again, lead=lead, voltage_v=voltage)
        end_process(again)


def attempts_in_time(label: str) -> dict[str, list[str]]:
    """UUIDs by chain; PKs are other ones, in another order, in each profile."""
    return {
        name: [one.uuid for one in sorted(those, key=lambda one: one.ctime)]
        for name, those in attempts_of(label).items()
    }


@pytest.fixture(scope="module")
def to_break(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the export of a campaign that is imported nowhere."""
    folder = tmp_path_factory.mktemp("export")
    group, _ = record_campaign(make_spec("to-break"), "text")
    fill(group.label)
    export_campaign(group, folder)
    return folder


def stray_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_all_files_are_written_with_their_checksums(campaign: orm.Group, tmp_path: Path) -> None:
    done = export_campaign(campaign, tmp_path / "new")
    names = {f"{campaign.label}.{suffix}" for suffix in ("aiida", "csv", "parquet", "json", "sha256")}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names
    assert (done.rows, done.living) == (4, 0)
    lines = done.files["checksums"].read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "new" / name).read_bytes()).hexdigest() == digest
    described = json.loads(done.files["description"].read_text())
    assert described["campaign"] == campaign.label
    assert described["digest"] == read_extras(campaign)["digest"]
    assert described["versions"]["aiida-core"]
    assert described["rows"] == 4


def test_an_archive_gives_the_same_table_elsewhere(campaign: orm.Group, tmp_path: Path, elsewhere: Elsewhere) -> None:
    done = export_campaign(campaign, tmp_path)
    label, group_uuid, extras = campaign.label, campaign.uuid, read_extras(campaign)
    attempts = attempts_in_time(label)
    with elsewhere():
        group, is_new = import_campaign(done.files["archive"])
        assert is_new
        assert (group.uuid, group.label, group.description) == (group_uuid, label, "what for")
        assert find_campaign(label).pk == group.pk
        there = read_extras(group)
        came = there.pop("imported")
        assert came["archive"] == done.files["archive"].name
        assert came["sha256"] == hashlib.sha256(done.files["archive"].read_bytes()).hexdigest()
        # nobody starts what failed, nor lets it be started
        refused = f"label = {label}: must be that of a campaign recorded here; it came in an archive"
        with pytest.raises(InvalidInput, match=refused):
            resume(group, (), print)
        with pytest.raises(InvalidInput, match=refused):
            grant_retries(group, ["8V-s1"], None)
        said = runner_lines(progress_of(group), runners_of(group.uuid, None))
        assert said == ["it came in an archive, to be looked at: nothing of it runs here"]
        assert there.pop("paused") is True
        assert there == {name: value for name, value in extras.items() if name != "paused"}
        assert attempts_in_time(label) == attempts
        assert group.count() == 8
        again = export_campaign(group, tmp_path / "again")
        assert again.files["csv"].read_bytes() == done.files["csv"].read_bytes()
        assert again.rows == 4
        # from every conductance one comes to the tips
        for line in done.files["csv"].read_text().splitlines()[1:]:
            conductance = orm.load_node(line.split(",")[0])
            assert isinstance(conductance.creator.inputs.tips, orm.StructureData)
            assert conductance.creator.caller.uuid == line.split(",")[2]


def test_importing_twice_is_the_same_as_once(campaign: orm.Group, tmp_path: Path, elsewhere: Elsewhere) -> None:
    path = export_campaign(campaign, tmp_path).files["archive"]
    campaign_label = campaign.label
    with elsewhere():
        group, _ = import_campaign(path)
        before = (read_extras(group), group.count(), nodes_here())
        again, _ = import_campaign(path)
        assert again.pk == group.pk
        assert (read_extras(again), again.count(), nodes_here()) == before
        assert groups_of(campaign_label) == [group.uuid]


def test_a_later_archive_adds_to_what_was_imported_and_an_earlier_one_takes_nothing_back(
    campaign: orm.Group, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    first = export_campaign(campaign, tmp_path / "first").files["archive"]
    label = campaign.label
    chain = make_chain(label, "9V-s1", state="running")
    make_conductance(label, "9V-s1", 0, caller=chain)
    end_process(chain)
    change_extras(campaign, lambda there: {**there, "amendments": [{"added": ["9V-s1"]}], "digest": "later"})
    second = export_campaign(campaign, tmp_path / "second")
    with elsewhere():
        import_campaign(first)
        assert export_campaign(find_campaign(label), tmp_path / "a", archive=False).rows == 4
        for archive in (second.files["archive"], first):
            group, _ = import_campaign(archive)
            assert read_extras(group)["digest"] == "later"
            done = export_campaign(group, tmp_path / "b", archive=False)
            assert done.files["csv"].read_bytes() == second.files["csv"].read_bytes()


def test_the_campaign_of_ones_own_is_left_alone(campaign: orm.Group, tmp_path: Path) -> None:
    before = read_extras(campaign)
    group, is_new = import_campaign(export_campaign(campaign, tmp_path).files["archive"])
    assert (group.pk, is_new) == (campaign.pk, False)
    assert read_extras(group) == before
    assert "imported" not in before


def test_another_campaign_of_the_same_label_is_not_mixed_up(
    campaign: orm.Group, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    path = export_campaign(campaign, tmp_path).files["archive"]
    label = campaign.label
    with elsewhere():
        own, _ = record_campaign(make_spec(label), "text")
        before = nodes_here()
        with pytest.raises(InvalidInput, match="free: another campaign of this profile has it"):
            import_campaign(path)
        assert groups_of(label) == [own.uuid]
        assert nodes_here() == before


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = bytes(255 - byte for byte in content[middle : middle + 40])
    path.write_bytes(bytes(content))


def replaced_by_text(path: Path) -> None:
    path.write_text("no archive")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")


@pytest.mark.parametrize("damage", [truncated, flipped, replaced_by_text, emptied, other_zip])
@pytest.mark.parametrize("with_sums", [True, False])
def test_a_broken_archive_is_refused_in_a_line_and_leaves_nothing(
    to_break: Path, tmp_path: Path, elsewhere: Elsewhere, damage: Callable[[Path], None], with_sums: bool
) -> None:
    archive = Path(shutil.copy(to_break / "to-break.aiida", tmp_path))
    if with_sums:
        shutil.copy(to_break / "to-break.sha256", tmp_path)
    damage(archive)
    with elsewhere():
        before = nodes_here()
        with pytest.raises(InvalidInput) as error:
            import_campaign(archive)
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"archive = {archive}: must be ")
        assert groups_of("to-break") == []
        assert nodes_here() == before


def test_an_archive_without_a_campaign_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    path = create_archive([orm.Int(1).store()], filename=tmp_path / "other.aiida")
    with pytest.raises(InvalidInput, match="of one campaign, not of 0"):
        import_campaign(path)
    with pytest.raises(InvalidInput, match="must be a file"):
        import_campaign(tmp_path / "none.aiida")


def test_processes_that_could_go_on_are_not_let_in(campaign: orm.Group, tmp_path: Path) -> None:
    node = orm.WorkChainNode(label=f"{campaign.label}/evil").store()
    node.set_checkpoint("!!python/object/apply:os.system [true]")
    node.set_process_state("finished")
    node.base.attributes.set("sealed", True)
    campaign.add_nodes(node)
    path = create_archive([campaign], filename=tmp_path / "evil.aiida", strip_checkpoints=False)
    with pytest.raises(InvalidInput, match="without processes that could go on"):
        import_campaign(path)


def test_while_it_runs_there_is_a_table_of_what_is_there_and_no_archive(campaign: orm.Group, tmp_path: Path) -> None:
    live = make_chain(campaign.label, "9V-s1", state="running")
    done = export_campaign(campaign, tmp_path)
    assert (done.rows, done.living) == (4, 1)
    assert "archive" not in done.files
    assert not (tmp_path / f"{campaign.label}.aiida").exists()
    end_process(live, "killed", None)
    assert "archive" in export_campaign(campaign, tmp_path).files


def test_no_credentials_and_no_paths_of_the_profile_go_out(campaign: orm.Group, tmp_path: Path) -> None:
    path = export_campaign(campaign, tmp_path).files["archive"]
    profile = get_manager().get_profile()
    assert profile is not None
    secrets = [CREDENTIAL, profile.dictionary["storage"]["config"]["filepath"], str(Path(__file__).parents[2])]
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "out")
    everything = b"".join(entry.read_bytes() for entry in (tmp_path / "out").rglob("*") if entry.is_file())
    # the computer is in, with its work directory, and not how one comes to it
    assert b"/scratch/{username}" in everything
    assert b"/scratch/me/ab/cd" in everything
    for secret in secrets:
        assert secret.encode() not in everything
    with sqlite3.connect(tmp_path / "out" / "db.sqlite3") as database:
        assert database.execute("select count(*) from db_dbauthinfo").fetchall() == [(0,)]
        assert database.execute("select count(*) from db_dbgroup").fetchall() == [(1,)]


def test_a_file_is_replaced_when_its_successor_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def interrupted() -> Iterator[None]:
        with replaced(path) as partial:
            partial.write_text("half")
            yield
            raise KeyboardInterrupt

    write = interrupted()
    next(write)
    assert path.read_text() == "old"
    with pytest.raises(KeyboardInterrupt):
        next(write)
    assert path.read_text() == "old"
    assert stray_files(tmp_path) == []
    with replaced(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert stray_files(tmp_path) == []
