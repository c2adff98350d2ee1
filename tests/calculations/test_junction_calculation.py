"""The one job of a junction: its input files, its script, and what is refused before it."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.junction import LEAD_FILES, MISSING_FILE, JunctionCalculation

Prepare = Callable[..., tuple[Path, CalcInfo]]
Cell = tuple[np.ndarray, np.ndarray]
HEIGHT = np.sqrt(1.5)
"""Three layers of an fcc(111) lead in units of the 2 x 2 cell."""


@pytest.fixture(scope="module")
def job_inputs(
    cluster: orm.Computer,
    finished_pw: Callable[..., orm.RemoteData],
    upf: Callable[..., UpfData],
    silver: Callable[..., orm.StructureData],
    lead_cell: Cell,
    junction_cell: Cell,
) -> dict[str, Any]:
    """Inputs of a junction of two leads in a row."""
    mesh, lateral = orm.KpointsData(), orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    lateral.set_kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], weights=[0.25, 0.75])
    codes = {
        name: orm.InstalledCode(computer=cluster, filepath_executable=f"/opt/{program}", label=f"one-job-{program}")
        for name, program in (("code", "pw.x"), ("pp_code", "pp.x"), ("pwcond_code", "pwcond.x"))
    }
    system = {"ecutwfc": 15.0, "occupations": "smearing", "degauss": 0.02, "nr1": 27, "nr2": 27, "nr3": 180}
    return {
        **codes,
        "structure": silver(*junction_cell),
        "parameters": orm.Dict(
            {"CONTROL": {"calculation": "scf"}, "SYSTEM": system, "ELECTRONS": {"mixing_beta": 0.4}}
        ),
        "kpoints": mesh,
        "pseudos": {"Ag": upf(1)},
        "left_lead": finished_pw(*lead_cell),
        "lead_readback": orm.Dict({"layer_potential_ev": [-7.0, -7.0]}),
        "pwcond": {
            "parameters": orm.Dict({"ewind": 0.5, "nz1": 3}),
            "kpoints": lateral,
            "energies": orm.List([0.0, 0.1, -0.2]),
        },
        "potential_tolerance": orm.Float(0.03),
    }


@pytest.fixture
def ready(job_inputs: dict[str, Any], prepare: Prepare) -> Callable[..., tuple[Path, CalcInfo]]:
    """Write the input files of the job with some inputs changed."""

    def make(pwcond: Mapping[str, Any] | None = None, **changes: Any) -> tuple[Path, CalcInfo]:
        inputs = {**job_inputs, **changes, "pwcond": {**job_inputs["pwcond"], **(pwcond or {})}}
        return prepare("rewire.junction", inputs)

    return make


def beside(shards: int) -> dict[str, Any]:
    """Return the metadata of a job with so many runs of pwcond.x."""
    return {"options": {"shards": shards}}


def namelist(path: Path) -> dict[str, str]:
    lines = path.read_text().split("/\n")[0].splitlines()[1:]
    return dict(line.strip().split(" = ", 1) for line in lines)


def real(text: str) -> float:
    return float(text.replace("d", "e"))


def test_all_programs_find_their_input(ready: Prepare, job_inputs: dict[str, Any]) -> None:
    folder, job = ready()
    assert {path.name for path in folder.iterdir()} == {
        "aiida.in", "density.in", "potential.in", "pwcond.in", "cond.0", "out", "pseudo",
    }  # fmt: skip
    text = (folder / "aiida.in").read_text()
    for line in (
        "  ecutwfc =   1.5000000000d+01",
        "  nr3 = 180",
        "  prefix = 'aiida'",
        "  outdir = './out/'",
        "2 2 1 0 0 0",
    ):
        assert line in text.splitlines()
    assert "startingpot" not in text
    # what pw.x reads is the structure to its last digit
    heights = [job_inputs["structure"].cell[2][2], *(site.position[2] for site in job_inputs["structure"].sites)]
    assert all(f"{height:.15f}" in text for height in heights)
    for plot, number in (("density", 0), ("potential", 1)):
        keys = namelist(folder / f"{plot}.in")
        assert keys == {
            "prefix": "'aiida'", "outdir": "'./out'", "filplot": f"'{plot}.grid'", "plot_num": str(number)
        }  # fmt: skip
    keys = namelist(folder / "pwcond.in")
    assert (keys["ikind"], keys["prefixl"], keys["prefixs"], keys["outdir"]) == (
        "1", "'left'", "'junction'", "'./cond.0'",
    )  # fmt: skip
    assert (real(keys["ewind"]), real(keys["epsproj"]), keys["nz1"]) == (0.5, 1e-5, "3")
    assert (real(keys["bdl"]), real(keys["bds"])) == pytest.approx((HEIGHT, 2 * HEIGHT), abs=1e-12)
    assert [keys[key] for key in ("start_k", "last_k", "start_e", "last_e")] == ["1", "2", "1", "3"]
    cards = (folder / "pwcond.in").read_text().split("/\n", 1)[1].splitlines()
    assert cards[3:] == ["3", "0.1000000", "0.0000000", "-0.2000000"]
    (pseudo,) = job.local_copy_list
    assert (pseudo[0], pseudo[2]) == (job_inputs["pseudos"]["Ag"].uuid, "./pseudo/Ag.upf")


def test_the_lead_is_linked_and_what_came_out_is_fetched(ready: Prepare, job_inputs: dict[str, Any]) -> None:
    _, job = ready(metadata=beside(2))
    lead = job_inputs["left_lead"]
    assert {target: source for _, source, target in job.remote_symlink_list} == {
        f"cond.{shard}/left.save": f"{lead.get_remote_path()}/out/aiida.save" for shard in (0, 1)
    }
    assert {computer for computer, _, _ in job.remote_symlink_list} == {lead.computer.uuid}
    assert job.remote_copy_list == []
    assert job.retrieve_list == [
        "lead_files_missing.txt",
        "aiida.out",
        "out/aiida.save/data-file-schema.xml",
        "pwcond.out",
        "pwcond.1.out",
        "density.out",
        "potential.out",
    ]
    # megabytes, read once and left behind
    assert job.retrieve_temporary_list == ["out/aiida.save/charge-density.dat", "density.grid", "potential.grid"]


def test_shards_share_the_grid_between_them(ready: Prepare) -> None:
    folder, _ = ready(metadata=beside(4))
    names = ["pwcond.in", "pwcond.1.in", "pwcond.2.in", "pwcond.3.in"]
    keys = [namelist(folder / name) for name in names]
    covered = [
        (k, e)
        for key in keys
        for k in range(int(key["start_k"]), int(key["last_k"]) + 1)
        for e in range(int(key["start_e"]), int(key["last_e"]) + 1)
    ]
    assert sorted(covered) == [(k, e) for k in (1, 2) for e in (1, 2, 3)]
    assert [key["outdir"] for key in keys] == [f"'./cond.{shard}'" for shard in range(4)]
    assert len({(folder / name).read_text().split("/\n", 1)[1] for name in names}) == 1


def test_there_are_no_more_shards_than_points(ready: Prepare) -> None:
    lateral = orm.KpointsData()
    lateral.set_kpoints([[0.1, 0.2, 0.0]], weights=[1.0])
    folder, job = ready({"kpoints": lateral, "energies": orm.List([0.0])}, metadata=beside(8))
    assert [path.name for path in folder.glob("pwcond*")] == ["pwcond.in"]
    assert len(job.remote_symlink_list) == 1


def test_a_mesh_of_lateral_points_is_reduced_by_what_lead_and_junction_share(ready: Prepare) -> None:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    folder, _ = ready({"kpoints": mesh})
    cards = (folder / "pwcond.in").read_text().split("/\n", 1)[1].splitlines()
    # threefold: Gamma, and the three M points as one
    assert [float(line.split()[2]) for line in cards[1:3]] == [0.25, 0.75]
    assert cards[0] == "2"


def test_a_warm_start_is_from_density_and_xml_of_another_scf(
    ready: Prepare, finished_pw: Callable[..., orm.RemoteData], junction_cell: Cell
) -> None:
    before = finished_pw(*junction_cell)
    folder, job = ready(density_folder=before)
    assert "  startingpot = 'file'" in (folder / "aiida.in").read_text().splitlines()
    assert "  mixing_beta =   4.0000000000d-01" in (folder / "aiida.in").read_text().splitlines()
    path = before.get_remote_path()
    assert job.remote_copy_list == [
        (before.computer.uuid, f"{path}/out/aiida.save/{name}", f"out/aiida.save/{name}")
        for name in ("charge-density.dat", "data-file-schema.xml")
    ]
    # a copy: pw.x writes over them
    assert all("aiida.save" in source for _, source, _ in job.remote_symlink_list)
    assert before.get_remote_path() not in str(job.remote_symlink_list)


PW = """
mkdir -p out/aiida.save
touch out/aiida.save/charge-density.dat out/aiida.save/wfc1.dat
"""
PP = "touch out/aiida.wfc1"
PWCOND = """
folder=cond.0
if [ "$2" = pwcond.1.in ]; then folder=cond.1; fi
test -e $folder/junction.save/charge-density.dat
touch $folder/scratch
"""
MEET = """
touch "started.$2"
for _ in $(seq 200); do
  if [ -e started.pwcond.in ] && [ -e started.pwcond.1.in ]; then exit 0; fi
  sleep 0.05
done
exit 1
"""


class Machine:
    """Runs the script of a job with programs in the place of the real ones, in a folder whose name has a space."""

    def __init__(self, folder: Path, computer: orm.Computer, inputs: dict[str, Any]) -> None:
        self.folder, self.computer, self.inputs = folder, computer, inputs
        self.log = folder / "log"

    def install(self, name: str, body: str, **options: Any) -> orm.InstalledCode:
        """Write a program that notes its arguments, and ends with an error if its body does."""
        path = self.folder / "the programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/bash\nset -e\necho "{name} $*" >> "{self.log}"\necho printed by {name} $2\n{body}\n')
        path.chmod(0o755)
        return orm.InstalledCode(computer=self.computer, filepath_executable=str(path), label=name, **options)

    def run(
        self, pw: str = PW, pp: str = PP, pwcond: str = PWCOND, lead: Sequence[str] = LEAD_FILES, **changes: Any
    ) -> tuple[Path, list[str]]:
        """Run a job beside what is left of its lead; return its folder and the command lines as they began."""
        codes = {
            "code": self.install("pw.x", pw, prepend_text="export OF_PW=1"),
            "pp_code": self.install("pp.x", pp, prepend_text="export OF_PP=1"),
            "pwcond_code": self.install("pwcond.x", pwcond, prepend_text="export OF_PWCOND=1"),
        }
        inputs = {**self.inputs, **codes, **changes}
        process = instantiate_process(get_manager().get_runner(), JunctionCalculation, **inputs)
        work = self.folder / "work"
        work.mkdir()
        process.presubmit(Folder(str(work)))
        for folder in work.glob("cond.*"):
            (folder / "left.save").mkdir()
            for name in lead:
                (folder / "left.save" / name).touch()
        done = subprocess.run(["bash", "_aiidasubmit.sh"], cwd=work, timeout=60, check=False)
        self.status = done.returncode
        return work, self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path, cluster: orm.Computer, job_inputs: dict[str, Any]) -> Machine:
    """A machine for one job."""
    return Machine(tmp_path, cluster, job_inputs)


def test_the_programs_run_in_their_order_and_leave_what_a_neighbour_starts_from(machine: Machine) -> None:
    work, begun = machine.run()
    assert begun == [
        "pw.x -in aiida.in", "pp.x -in density.in", "pp.x -in potential.in", "pwcond.x -in pwcond.in"
    ]  # fmt: skip
    assert machine.status == 0
    for name, printed in (
        ("aiida", "pw.x aiida.in"),
        ("density", "pp.x density.in"),
        ("pwcond", "pwcond.x pwcond.in"),
    ):
        assert (work / f"{name}.out").read_text() == f"printed by {printed}\n"
    # wavefunctions and the scratch of pwcond.x are gone, the density is there
    assert [path.name for path in (work / "out" / "aiida.save").iterdir()] == ["charge-density.dat"]
    assert not (work / "cond.0").exists()
    assert not (work / "out" / "aiida.wfc1").exists()


def test_shards_run_side_by_side_and_are_waited_for(machine: Machine) -> None:
    work, begun = machine.run(pwcond=f"{PWCOND}\ntest $OMP_NUM_THREADS = 1\n{MEET}", metadata=beside(2))
    assert sorted(begun[3:]) == ["pwcond.x -in pwcond.1.in", "pwcond.x -in pwcond.in"]
    assert machine.status == 0
    assert {path.name for path in work.glob("started.*")} == {"started.pwcond.in", "started.pwcond.1.in"}
    assert not list(work.glob("cond.*"))


@pytest.mark.parametrize(
    ("broken", "begun"),
    [
        ("pw", ["pw.x -in aiida.in"]),
        ("pp", ["pw.x -in aiida.in", "pp.x -in density.in"]),
        (
            "pwcond",
            ["pw.x -in aiida.in", "pp.x -in density.in", "pp.x -in potential.in", "pwcond.x -in pwcond.in"],
        ),
    ],
)
def test_a_program_that_fails_ends_the_job(machine: Machine, broken: str, begun: list[str]) -> None:
    assert machine.run(**{broken: "exit 3"})[1] == begun
    assert machine.status == 3


@pytest.mark.parametrize("left", [(), LEAD_FILES[:1], LEAD_FILES[1:]])
def test_without_the_files_of_the_lead_nothing_is_run(machine: Machine, left: Sequence[str]) -> None:
    work, begun = machine.run(lead=left)
    assert (begun, machine.status) == ([], 1)
    missing = [name for name in LEAD_FILES if name not in left]
    assert (work / MISSING_FILE).read_text().split() == missing


def test_what_each_program_wants_done_first_is_done_for_all(machine: Machine) -> None:
    work, _ = machine.run(pw=f"{PW}\ntest $OF_PW = 1", pp=f"{PP}\ntest $OF_PP = 1", pwcond="test $OF_PWCOND = 1")
    assert machine.status == 0
    # loading modules may fail and mean nothing
    script = (work / "_aiidasubmit.sh").read_text()
    assert max(script.index(f"OF_{name}") for name in ("PW", "PP", "PWCOND")) < script.index("set -e")


@pytest.mark.parametrize("nspin", [2, 4])
def test_two_spins_take_two_runs_of_pwcond(ready: Prepare, job_inputs: dict[str, Any], nspin: int) -> None:
    parameters = job_inputs["parameters"].get_dict()
    polarised = {**parameters, "SYSTEM": {**parameters["SYSTEM"], "nspin": nspin}}
    with pytest.raises(ValueError, match=f"SYSTEM.nspin = {nspin}: must be 1; take separate jobs: one_job = false"):
        ready(parameters=orm.Dict(polarised))
    ready(parameters=orm.Dict({**parameters, "SYSTEM": {**parameters["SYSTEM"], "nspin": 1}}))


@pytest.mark.parametrize(
    ("pwcond", "words"),
    [
        ({"energies": [0.1, -0.2]}, "with 0.0, the Fermi energy, among them"),
        ({"energies": []}, "must be finite numbers"),
        ({"energies": [0.0, 0.0]}, "free of repetitions"),
        ({"parameters": {"prefixl": "x"}}, "left to the plugin"),
        ({"unitarity_tolerance": 0.5}, "unitarity_tolerance = 0.5"),
    ],
)
def test_inputs_of_pwcond_are_checked_as_its_own_job_does(ready: Prepare, pwcond: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ready(pwcond)


@pytest.mark.parametrize("shards", [0, -1])
def test_less_than_one_shard_is_refused(ready: Prepare, shards: int) -> None:
    with pytest.raises(ValueError, match=f"shards = {shards}: must be at least 1"):
        ready(metadata=beside(shards))


def test_a_label_that_would_hide_a_result_is_refused(ready: Prepare) -> None:
    with pytest.raises(ValueError, match="labels = conductance_g0"):
        ready(labels=orm.Dict({"conductance_g0": 1.0}))


@pytest.mark.parametrize("name", ["pp_code", "pwcond_code", "left_lead"])
def test_everything_is_on_one_computer(
    ready: Prepare,
    aiida_localhost: orm.Computer,
    finished_pw: Callable[..., orm.RemoteData],
    lead_cell: Cell,
    name: str,
) -> None:
    elsewhere: orm.Node = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/true", label=name)
    if name == "left_lead":
        elsewhere = finished_pw(*lead_cell, computer=aiida_localhost)
    with pytest.raises(ValueError, match=rf"{name} on {aiida_localhost.label}.*: must be of one computer"):
        ready(**{name: elsewhere})


def test_only_good_jobs_are_reused(job_inputs: dict[str, Any]) -> None:
    process = instantiate_process(get_manager().get_runner(), JunctionCalculation, **job_inputs)
    node = process.node
    node.set_process_state("finished")
    for status, good in ((420, False), (0, True)):
        node.set_exit_status(status)
        node.seal() if good else None
        assert JunctionCalculation.is_valid_cache(node) is good
