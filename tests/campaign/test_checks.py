"""A campaign against a database: codes, computers, their limits, slots of the daemon, families and force fields."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.engine.daemon.client import DaemonClient
from aiida.manage import get_config_option, get_manager
from aiida.plugins import GroupFactory
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData
from campaign_files import changed, text_of

from aiida_rewire.campaign.checks import check_campaign
from aiida_rewire.campaign.computers import workers_and_slots
from aiida_rewire.campaign.specification import CampaignSpec

PROGRAMS = {
    "md": ("/usr/bin/python3", "rewire.md"),
    "lammps": ("/usr/bin/lmp", "rewire.md"),
    "pw": ("/usr/bin/pw.x", "rewire.pw"),
    "stockpw": ("/usr/bin/pw.x", "quantumespresso.pw"),
    "pp": ("/usr/bin/pp.x", "rewire.readback"),
    "pwcond": ("/usr/bin/pwcond.x", "rewire.pwcond"),
}


def install(label: str, computer: orm.Computer) -> orm.InstalledCode:
    path, plugin = PROGRAMS[label]
    return orm.InstalledCode(
        label=label, computer=computer, filepath_executable=path, default_calc_job_plugin=plugin
    ).store()


@pytest.fixture(scope="module")
def computers(aiida_profile: Any) -> dict[str, orm.Computer]:
    """A machine with all codes, another with some, and one that nobody configured."""
    made = {}
    for label in ("silo", "mill", "strange"):
        made[label] = orm.Computer(
            label, "localhost", transport_type="core.local", scheduler_type="core.slurm"
        ).store()
    for label in ("silo", "mill"):
        made[label].configure()
    for label in PROGRAMS:
        install(label, made["silo"])
    install("pwcond", made["mill"])
    install("md", made["mill"])
    install("pp", made["strange"])
    return made


@pytest.fixture(scope="module", autouse=True)
def pseudos(computers: Any) -> None:
    """Families with silver, and with gold alone."""
    for label, element in (("rewire/frozen-d", "Ag"), ("gold", "Au")):
        text = f'<UPF version="2.0.1">\n<PP_HEADER\nelement="{element}"\nz_valence="1.0"\n/>\n</UPF>\n'
        pseudo = UpfData(io.BytesIO(text.encode()), filename=f"{element}.upf").store()
        family = GroupFactory("pseudo.family")(label=label).store()
        orm.Dict({"input_plugin": None}).store()  # a datum, which is no code
        family.add_nodes([pseudo])


@pytest.fixture
def limits(computers: dict[str, orm.Computer]) -> Iterator[orm.Computer]:
    """The machine with all codes; what a test says of it is forgotten afterwards."""
    before = dict(computers["silo"].metadata)
    yield computers["silo"]
    computers["silo"].metadata = before


def said(changes: dict[str, Any] | None = None) -> list[str]:
    spec = CampaignSpec.model_validate(changed(changes))
    return [line.split(": ", 1)[1] for line in check_campaign(spec, text_of(changes), name="file")]


def test_a_campaign_that_can_be_run_is_left_alone() -> None:
    assert said() == []
    # silver's own force field is stored now, if it was not before; nothing else is
    nodes = orm.QueryBuilder().append(orm.Node).count()
    assert said({"protocol": "moderate", "codes.pw": "stockpw@silo"}) == []
    assert said({"md.bias": "none", "md.voltages": [0], "codes.md": "lammps@silo"}) == []
    # the dynamics may run elsewhere
    assert said({"codes.md": "md@mill", "limits.active_jobs": {"mill": 1, "silo": 2}}) == []
    assert orm.QueryBuilder().append(orm.Node).count() == nodes


def test_every_error_is_said_at_once_in_the_order_of_the_file() -> None:
    changes = {
        "codes.md": "mdd@silo",
        "codes.pwcond": "pwcond@mill",
        "limits.active_jobs": {"cluster": 4},
        "limits.active_chains": 500,
        "pseudo_family": "gold",
        "force_field": "c0ffee00-0000-4000-8000-000000000000",
    }
    spec = CampaignSpec.model_validate(changed(changes))
    lines = check_campaign(spec, text_of(changes), name="file")
    text = text_of(changes).splitlines()
    places = [(int(line.split(":")[1]), line.split(": ")[1].split(" = ")[0]) for line in lines]
    assert [name for _, name in places] == [
        *("codes", "codes.md", "pseudo_family", "limits.active_chains", "force_field")
    ]
    for line, name in places:
        assert f'"{name.rpartition(".")[2]}"' in text[line - 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes.md": "nothing@nowhere"}, "codes.md = 'nothing@nowhere': there is none of that label; there is "),
        ({"codes.pw": "pv@silo"}, "codes.pw = 'pv@silo': there is none of that label; did you mean pw@silo"),
        ({"codes.pwcond": "pw@silo"}, "codes.pwcond = 'pw@silo': must be for rewire.pwcond, not rewire.pw; did you"),
        (
            {"codes.md": "lammps@silo"},
            "codes.md = 'lammps@silo': must be a Python that can import LAMMPS's module",
        ),
        ({"codes.md": "md@silo", "md.bias": "none", "md.voltages": [0]}, "codes.md = 'md@silo': must be LAMMPS with"),
        ({"codes.pp": "pp@strange"}, "codes.pp = 'pp@strange': must be on a computer that is configured for"),
        ({"codes.pwcond": "pwcond@mill"}, "codes = pw on silo, pp on silo, pwcond on mill: must be on one"),
        ({"pseudo_family": "rewire/frozen"}, "no such family of pseudopotentials; did you mean rewire/frozen-d?"),
        (
            {"pseudo_family": "xyz"},
            "pseudo_family = 'xyz': there is no such family of pseudopotentials; `aiida-",
        ),
        ({"pseudo_family": "gold"}, "pseudo_family = 'gold': must hold Ag, not only Au; `aiida-pseudo list` shows"),
        (
            {"force_field": "c0ffee00-0000-4000-8000-000000000000"},
            "force_field = 'c0ffee00-0000-4000-8000-000000000000': there is no such node; leave it out",
        ),
        (
            {"limits.active_jobs": {"silos": 9}},
            "limits.active_jobs.silos = 9: must be of a computer of the codes; did you mean silo?",
        ),
        (
            {"limits.active_jobs": {"silo": 3}, "snapshots.lanes": 5},
            "limits.active_jobs.silo = 3: must be at least 5: so many jobs one chain has at a time; raise it",
        ),
        (
            {"limits.active_jobs": {"silo": 1}, "snapshots.lanes": 1},
            "limits.active_jobs.silo = 1: must be at least 2: so many jobs one chain has at a time",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is(changes: dict[str, Any], message: str) -> None:
    lines = said(changes)
    assert [message in line for line in lines if "codes = " not in line or "codes = " in message] == [True], lines


def test_codes_of_one_label_are_told_apart(computers: dict[str, orm.Computer]) -> None:
    second = install("pw", computers["silo"])
    try:
        (line,) = said()
        assert line.startswith("codes.pw = 'pw@silo': several have that label; did you mean stockpw@silo")
    finally:
        second.label = "pw-hidden"


def test_a_force_field_is_the_reaxff_of_silver(potential: LammpsPotentialData) -> None:
    assert said({"force_field": potential.store().uuid}) == []
    other = orm.Dict({}).store()
    (line,) = said({"force_field": other.uuid})
    assert line.endswith("must be a LammpsPotentialData, not Dict; leave it out for silver's own")


def test_a_user_who_was_shut_out_is_told(computers: dict[str, orm.Computer]) -> None:
    user = orm.User.collection.get_default()
    authinfo = computers["silo"].get_authinfo(user)
    authinfo.enabled = False
    try:
        lines = said()
        assert len(lines) == 4
        assert lines[0].endswith(
            f"'md@silo': must be on a computer that is enabled for {user.email}; "
            f"`verdi computer enable silo {user.email}`"
        )
    finally:
        authinfo.enabled = True


@pytest.mark.parametrize(
    ("properties", "changes", "message"),
    [
        (
            {"default_mpiprocs_per_machine": 16},
            {"resources.scf.ranks": 32},
            "resources.scf.ranks = 32 ranks: must be at most the 16 of a machine of silo; take more machines",
        ),
        (
            {"default_mpiprocs_per_machine": 4},
            {"protocol": "moderate"},
            "overrides.pwcond.shards_per_job = 8 shards, each on a core: must be at most the 4 of a machine of silo; "
            "set it to 4, or less",
        ),
        (
            {"default_memory_per_machine": 8_000_000},
            {"resources.md.memory_gb": 8.5},
            "resources.md.memory_gb = 8.5 GB: must be at most the 8.192 GB of a machine of silo; ask for less",
        ),
        (
            {"rewire": {"max_walltime_h": 0.5}},
            {"resources.md.walltime_h": 0.25, "resources.lead.walltime_h": 0.5, "resources.scf.walltime_h": 0.4}
            | {"resources.pwcond.walltime_h": 0.1},
            # the protocol's own hour, which the file does not shorten
            "resources.readback.walltime_h = 1 h: must be at most 0.5 h on silo; ask for less",
        ),
        (
            {"rewire": {"max_machines": 2, "max_walltime_h": 48}},
            {"resources.lead.machines": 3},
            "resources.lead.machines = 3 machines: must be at most 2 machines on silo; ask for less",
        ),
    ],
)
def test_more_than_a_computer_allows_is_refused(
    limits: orm.Computer, properties: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    for name, value in properties.items():
        limits.set_property(name, value)
    (line,) = said(changes)
    assert line.startswith(message)


@pytest.mark.parametrize("value", [3, {"max_nodes": 2}, {"max_machines": "two"}, {"max_walltime_h": True}])
def test_limits_of_a_computer_that_nobody_can_read_are_told(limits: orm.Computer, value: Any) -> None:
    limits.set_property("rewire", value)
    lines = said()
    assert len(lines) == 5
    for line in lines:
        assert line.startswith(
            f"property rewire of the computer silo = {value!r}: must be numbers of max_machines and"
        )


def test_more_chains_than_slots_are_refused_with_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, each = workers_and_slots()
    # the daemon of this profile does not run: as many as it would start with
    assert (workers, each) == (get_config_option("daemon.default_workers"), 200) == (1, 200)
    # demo: 9 slots a chain, 200 // 9 = 22
    assert said({"limits.active_chains": 22}) == []
    assert said({"limits.active_chains": 40}) == [
        "limits.active_chains = 40: must be at most 22: each holds up to 9 of the 200 slots (1 worker x 200) of the "
        "daemon; start more workers, 2 in all, with `verdi daemon incr 1`, or lower it"
    ]
    monkeypatch.setattr(DaemonClient, "is_daemon_running", True)
    monkeypatch.setattr(DaemonClient, "get_numprocesses", lambda _: {"numprocesses": 2})
    monkeypatch.setattr(type(get_manager()), "get_daemon_client", lambda _: object.__new__(DaemonClient))
    assert said({"limits.active_chains": 40}) == []
    assert "(2 workers x 200)" in said({"limits.active_chains": 45})[0]


def test_a_chain_that_alone_has_too_few_slots_is_refused() -> None:
    # 100 ps every 0.2 ps: 501 snapshots, 60 lanes of 4 slots and the chain itself
    changes = {"md.production_ps": 100.0, "snapshots.lanes": 60, "limits.active_chains": 1}
    assert said(changes) == [
        "snapshots.lanes = 60: must be fewer: a chain holds up to 241 slots, of 200 (1 x 200) of the daemon; start "
        "more workers, 2 in all, with `verdi daemon incr 1`, or take fewer lanes"
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"overrides.pwcond.kpoints": {"distance": -1}}, ["overrides.pwcond.kpoints.distance = -1: must be above 0"]),
        (
            {"overrides.pwcond.kpoints": {"list": [[0, 0, 0.5]]}},
            ["overrides.pwcond.kpoints: kpoints = weights that sum to 0.5: must be"],
        ),
        (
            {"overrides.pwcond.kpoints": {"mash": [1, 1]}},
            ["overrides.pwcond.kpoints = {", "must be a list of [kx, ky, weight]"],
        ),
        ({"overrides.pwcond.parameters.nz": 7}, ["overrides.pwcond.parameters: ", "nz"]),
        (
            {"overrides.pwcond.unitarity_tolerance": 5},
            ["overrides.pwcond.unitarity_tolerance: ", "above 0 and at most 0.1"],
        ),
        (
            {"overrides.scf.kpoints_mesh": None},
            ["overrides.scf.kpoints_mesh = null: must be a mesh, or kpoints_distance"],
        ),
        ({"overrides.scf.options.queue": "x"}, ["overrides.scf.options.queue: "]),
        ({"overrides.md.options.priority": 5}, ["overrides.md.options.priority: "]),
    ],
)
def test_the_work_chain_is_asked_about_what_only_it_knows(changes: dict[str, Any], words: list[str]) -> None:
    (line,) = said(changes)
    for word in words:
        assert word in line
    assert line.isprintable()
