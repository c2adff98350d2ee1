"""What reaches pwcond.x."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.datastructures import CodeRunMode

Prepare = Callable[..., tuple[Path, Any]]
Finished = Callable[..., orm.RemoteData]
Cell = tuple[np.ndarray, np.ndarray]

HEIGHT = math.sqrt(1.5)
"""Three layers of an fcc(111) lead in units of the 2 x 2 cell: sqrt(3) a / (sqrt(2) a)."""


def read_namelist(path: Path) -> dict[str, str]:
    lines = path.read_text().split("/\n")[0].splitlines()[1:]
    return dict(line.strip().split(" = ", 1) for line in lines)


def cards(path: Path) -> tuple[list[list[float]], list[str]]:
    """The k-points with their weights, and the lines of the energies."""
    lines = path.read_text().split("/\n", 1)[1].splitlines()
    count = int(lines[0])
    energies = lines[count + 1 :]
    assert int(energies[0]) == len(energies) - 1
    return [[float(word) for word in line.split()] for line in lines[1 : count + 1]], energies[1:]


def real(text: str) -> float:
    return float(text.replace("d", "e"))


def links(job: Any) -> dict[str, str]:
    return {target: source for _, source, target in job.remote_symlink_list}


def save_of(folder: orm.RemoteData) -> str:
    return f"{folder.get_remote_path()}/out/aiida.save"


def test_the_input_file_holds_what_pwcond_needs(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.pwcond", inputs)
    assert (folder / "pwcond.in").read_text().startswith("&inputcond\n")
    namelist = read_namelist(folder / "pwcond.in")
    assert set(namelist) == {
        "ikind", "outdir", "prefixl", "prefixs", "bdl", "bds", "energy0", "denergy", "ewind", "epsproj", "nz1",
        "tran_prefix", "start_k", "last_k", "start_e", "last_e",
    }  # fmt: skip
    assert namelist["prefixl"] == "'left'"
    assert namelist["prefixs"] == "'junction'"
    assert namelist["outdir"] == "'./out'"
    assert namelist["ikind"] == "1"
    assert real(namelist["ewind"]) == 0.5
    assert real(namelist["epsproj"]) == 1e-4
    assert namelist["nz1"] == "3"
    assert (real(namelist["energy0"]), real(namelist["denergy"])) == (0.0, 0.0)
    assert real(namelist["bdl"]) == pytest.approx(HEIGHT, abs=1e-12)
    assert real(namelist["bds"]) == pytest.approx(2 * HEIGHT, abs=1e-12)
    # the whole grid, counted from 1
    assert [namelist[key] for key in ("start_k", "last_k", "start_e", "last_e")] == ["1", "2", "1", "3"]
    points, energies = cards(folder / "pwcond.in")
    assert points == [[0.1, 0.2, 0.25], [0.3, 0.1, 0.75]]
    assert energies == ["0.1000000", "0.0000000", "-0.2000000"]
    (code,) = job.codes_info
    assert code.code_uuid == inputs["code"].uuid
    assert code.cmdline_params == ["-in", "pwcond.in"]
    assert code.stdout_name == "pwcond.out"
    assert job.retrieve_list == ["pwcond.out"]
    assert job.codes_run_mode == CodeRunMode.SERIAL
    # what was printed before a run was killed is kept
    assert job.prepend_text == "export GFORTRAN_UNBUFFERED_PRECONNECTED=y"


def test_what_is_not_said_is_written_all_the_same(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, _ = prepare("rewire.pwcond", {**inputs, "parameters": orm.Dict({"ewind": 2.0})})
    namelist = read_namelist(folder / "pwcond.in")
    # pwcond.x's own epsproj, 1e-3, loses a tenth of T where it matters
    assert [real(namelist[key]) for key in ("ewind", "epsproj", "nz1")] == [2.0, 1e-5, 11]


def test_each_parent_is_linked_under_a_name_of_its_own(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.pwcond", inputs)
    assert (folder / "out").is_dir()
    assert links(job) == {
        "out/left.save": save_of(inputs["left_lead"]),
        "out/junction.save": save_of(inputs["junction"]),
    }
    assert {computer for computer, _, _ in job.remote_symlink_list} == {inputs["junction"].computer.uuid}


def test_two_leads_that_differ(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    right = finished_pw(*junction_cell)
    folder, job = prepare("rewire.pwcond", {**inputs, "right_lead": right})
    namelist = read_namelist(folder / "pwcond.in")
    assert namelist["ikind"] == "2"
    assert (namelist["prefixl"], namelist["prefixs"], namelist["prefixr"]) == ("'left'", "'junction'", "'right'")
    # each of its own length
    assert [real(namelist[key]) for key in ("bdl", "bds", "bdr")] == pytest.approx([HEIGHT, 2 * HEIGHT, 2 * HEIGHT])
    assert links(job)["out/right.save"] == save_of(right)
    assert len(links(job)) == 3


def test_the_complex_bands_of_a_lead(prepare: Prepare, inputs: dict[str, Any]) -> None:
    alone = {key: value for key, value in inputs.items() if key != "junction"}
    folder, job = prepare("rewire.pwcond", alone)
    namelist = read_namelist(folder / "pwcond.in")
    assert namelist["ikind"] == "0"
    assert namelist["band_file"] == "'bands'"
    assert not {"prefixs", "bds", "tran_prefix"} & set(namelist)
    assert links(job) == {"out/left.save": save_of(inputs["left_lead"])}
    assert job.retrieve_list == ["pwcond.out", "bands.3d"]


@pytest.mark.parametrize(("boundaries", "kind"), [([1, 3], "1"), ([1, 2, 3], "2")])
def test_one_scf_that_holds_leads_and_junction(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    lead_cell: Cell,
    boundaries: list[int],
    kind: str,
) -> None:
    cell, positions = lead_cell
    whole = finished_pw(cell * [[1], [1], [3]], np.vstack([positions + n * cell[2] for n in range(3)]))
    cuts = dict(zip(("bdl", "bds", "bdr"), [n * HEIGHT for n in boundaries], strict=False))
    given = {key: value for key, value in inputs.items() if key not in ("left_lead", "junction")}
    folder, job = prepare("rewire.pwcond", {**given, "whole": whole, "boundaries": orm.Dict(cuts)})
    namelist = read_namelist(folder / "pwcond.in")
    assert namelist["ikind"] == kind
    assert namelist["prefixt"] == "'whole'"
    assert not {"prefixl", "prefixs", "prefixr"} & set(namelist)
    assert {key: real(namelist[key]) for key in ("bdl", "bds", "bdr") if key in namelist} == pytest.approx(cuts)
    assert links(job) == {"out/whole.save": save_of(whole)}


def test_a_boundary_that_is_given_replaces_that_of_the_cell(prepare: Prepare, inputs: dict[str, Any]) -> None:
    # the junction ends after its first three layers
    folder, _ = prepare("rewire.pwcond", {**inputs, "boundaries": orm.Dict({"bds": HEIGHT})})
    namelist = read_namelist(folder / "pwcond.in")
    assert real(namelist["bds"]) == pytest.approx(HEIGHT, abs=1e-12)
    assert real(namelist["bdl"]) == pytest.approx(HEIGHT, abs=1e-12)


@pytest.mark.parametrize(("spin", "index"), [("up", "1"), ("down", "2")])
def test_a_spin_becomes_its_index(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    lead_cell: Cell,
    junction_cell: Cell,
    spin: str,
    index: str,
) -> None:
    polarised = {"left_lead": finished_pw(*lead_cell, lsda=True), "junction": finished_pw(*junction_cell, lsda=True)}
    folder, _ = prepare("rewire.pwcond", {**inputs, **polarised, "spin": orm.Str(spin)})
    assert read_namelist(folder / "pwcond.in")["iofspin"] == index


@pytest.mark.parametrize("ordered", [[0.1, 0.0, -0.2], [-0.2, 0.0, 0.1], [0.0, 0.1, -0.2]])
def test_energies_are_written_in_descending_order(
    prepare: Prepare, inputs: dict[str, Any], ordered: list[float]
) -> None:
    folder, _ = prepare("rewire.pwcond", {**inputs, "energies": orm.List(ordered)})
    assert cards(folder / "pwcond.in")[1] == ["0.1000000", "0.0000000", "-0.2000000"]


@pytest.mark.parametrize(
    "energies", [[0.5, 0.0, -0.5], np.array([-0.5, 0.0, 0.5]), {"start": -0.5, "stop": 0.5, "step": 0.5}]
)
def test_energies_are_taken_in_any_form(prepare: Prepare, inputs: dict[str, Any], energies: Any) -> None:
    folder, _ = prepare("rewire.pwcond", {**inputs, "energies": energies})
    assert cards(folder / "pwcond.in")[1] == ["0.5000000", "0.0000000", "-0.5000000"]


def test_without_energies_the_fermi_energy_is_computed(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, _ = prepare("rewire.pwcond", {key: value for key, value in inputs.items() if key != "energies"})
    assert cards(folder / "pwcond.in")[1] == ["0.0000000"]


def test_a_mesh_is_reduced_by_time_reversal_and_symmetry(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell, tmp_path: Path
) -> None:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    folder, _ = prepare("rewire.pwcond", {**inputs, "kpoints": mesh})
    # three-fold around z: the centre, and one of three M points
    points, _ = cards(folder / "pwcond.in")
    assert points[0] == [0.0, 0.0, 0.25]
    assert len(points) == 2
    assert points[1][2] == 0.75
    assert read_namelist(folder / "pwcond.in")["last_k"] == "2"
    folder.rename(tmp_path / "threefold")
    # an atom off its place between the boundary layers leaves time reversal alone, by which the M points differ
    cell, positions = junction_cell
    positions = positions.copy()
    positions[13] += (0.3, 0.1, 0.2)
    folder, _ = prepare("rewire.pwcond", {**inputs, "junction": finished_pw(cell, positions), "kpoints": mesh})
    points, _ = cards(folder / "pwcond.in")
    assert sorted(points) == [[0.0, 0.0, 0.25], [0.0, 0.5, 0.25], [0.5, 0.0, 0.25], [0.5, 0.5, 0.25]]


def test_a_mesh_is_reduced_by_no_symmetry_that_the_right_lead_has_not(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    cell, positions = junction_cell
    positions = positions.copy()
    # of the six layers of the right lead, one in the middle
    positions[13] += (0.3, 0.1, 0.2)
    folder, _ = prepare("rewire.pwcond", {**inputs, "right_lead": finished_pw(cell, positions), "kpoints": mesh})
    assert len(cards(folder / "pwcond.in")[0]) == 4


def test_shards_run_side_by_side_each_in_a_scratch_of_its_own(prepare: Prepare, inputs: dict[str, Any]) -> None:
    shards = [[0, 0, 0, 2], [1, 1, 0, 0], [1, 1, 1, 2]]
    folder, job = prepare("rewire.pwcond", {**inputs, "shards": orm.List(shards)})
    names = ["pwcond.in", "pwcond.1.in", "pwcond.2.in"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "out", "out.1", "out.2"])
    namelists = [read_namelist(folder / name) for name in names]
    bounds = [[namelist[key] for key in ("start_k", "last_k", "start_e", "last_e")] for namelist in namelists]
    assert bounds == [["1", "1", "1", "3"], ["2", "2", "1", "1"], ["2", "2", "2", "3"]]
    assert [namelist["outdir"] for namelist in namelists] == ["'./out'", "'./out.1'", "'./out.2'"]
    # else pwcond.x does not look at max_seconds, and writes no shard
    assert all(namelist["tran_prefix"] == "'t'" for namelist in namelists)
    shared = [
        {k: v for k, v in n.items() if k not in ("start_k", "last_k", "start_e", "last_e", "outdir")}
        for n in namelists
    ]
    assert shared[0] == shared[1] == shared[2]
    # every shard knows the whole grid
    assert len({(folder / name).read_text().split("/\n", 1)[1] for name in names}) == 1
    assert job.codes_run_mode == CodeRunMode.PARALLEL
    assert [code.cmdline_params for code in job.codes_info] == [["-in", name] for name in names]
    outputs = ["pwcond.out", "pwcond.1.out", "pwcond.2.out"]
    assert [code.stdout_name for code in job.codes_info] == job.retrieve_list == outputs
    assert links(job) == {
        f"{scratch}/{name}.save": save_of(inputs[key])
        for scratch in ("out", "out.1", "out.2")
        for name, key in (("left", "left_lead"), ("junction", "junction"))
    }
    assert "export OMP_NUM_THREADS=1" in job.prepend_text.splitlines()


def test_one_shard_computes_its_part_alone(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.pwcond", {**inputs, "shards": orm.List([[1, 1, 0, 1]])})
    namelist = read_namelist(folder / "pwcond.in")
    assert [namelist[key] for key in ("start_k", "last_k", "start_e", "last_e")] == ["2", "2", "1", "2"]
    assert len(job.codes_info) == 1
    assert job.codes_run_mode == CodeRunMode.SERIAL


@pytest.mark.parametrize(("walltime", "seconds"), [(3600, 3420.0), (100, 95.0), (1000000, 950000.0)])
def test_pwcond_ends_in_order_before_the_wall_time(
    prepare: Prepare, inputs: dict[str, Any], walltime: int, seconds: float
) -> None:
    options = {"options": {"max_wallclock_seconds": walltime}}
    folder, _ = prepare("rewire.pwcond", {**inputs, "metadata": options})
    assert real(read_namelist(folder / "pwcond.in")["max_seconds"]) == seconds


@pytest.mark.parametrize("ranks", [1, 2, 4, 64])
def test_with_mpi_there_are_two_to_the_n_ranks(prepare: Prepare, inputs: dict[str, Any], ranks: int) -> None:
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": ranks}
    options = {"options": {"withmpi": True, "resources": resources}}
    _, job = prepare("rewire.pwcond", {**inputs, "metadata": options})
    assert len(job.codes_info) == 1
