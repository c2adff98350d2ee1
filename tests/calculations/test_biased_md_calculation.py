"""What reaches LAMMPS, and what is refused before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.junction.tips import Region, build_tips
from aiida_rewire.md.driven import DRIVER_MODULE, SETTINGS_FILE, driver_files
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import (
    DATA_FILE,
    DUMP_FILE,
    FIRST_CHECKPOINT,
    FORCE_FIELD_FILE,
    PARENT_RESTART_FILE,
)

Prepare = Callable[..., tuple[Path, Any]]
GROUPS = {
    "fixed": ["Ag_lower_base", "Ag_upper_base"],
    "anode": ["Ag_lower_base", "Ag_lower"],
    "cathode": ["Ag_upper", "Ag_upper_base"],
}


@pytest.fixture(scope="module")
def inputs(cluster: orm.Computer, potential: LammpsPotentialData) -> dict[str, Any]:
    """Inputs of a run of two small tips."""
    tips = build_tips(base_side=3, gap=5.0)
    structure = orm.StructureData(pbc=[False] * 3)
    for position, region in zip(tips.positions.tolist(), tips.regions, strict=True):
        structure.append_atom(position=position, symbols="Ag", name=str(region))
    return {
        "code": orm.InstalledCode(computer=cluster, filepath_executable="/bin/true", label="lmp"),
        "structure": structure,
        "potential": potential,
        "groups": orm.Dict(GROUPS),
        "parameters": orm.Dict({"steps": 100, "seed": 7, "voltage_v": 4.0}),
    }


UNBIASED = {"steps": 100, "seed": 7, "bias": "none"}


def test_the_folder_of_the_driver_holds_all_it_needs(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.md", inputs)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {SETTINGS_FILE, DATA_FILE, FORCE_FIELD_FILE, *driver_files()}
    # the kinds are numbered in the order in which the structure has them
    names = [kind.name for kind in inputs["structure"].kinds]
    assert names == [str(r) for r in (Region.LOWER_BASE, Region.LOWER, Region.UPPER_BASE, Region.UPPER)]
    told = json.loads((folder / SETTINGS_FILE).read_text())
    assert (told["anode"], told["cathode"]) == ([1, 2], [4, 3])
    assert "group fixed type 1 3" in told["preparation"]
    assert f"pair_coeff * * {FORCE_FIELD_FILE} Ag Ag Ag Ag" in told["block"]
    assert (told["voltage_v"], told["log"]) == (4.0, "log.lammps")
    assert (folder / FORCE_FIELD_FILE).read_text() == force_field_text(silver_parameters())
    assert "28 atoms" in (folder / DATA_FILE).read_text()
    (code,) = job.codes_info
    assert code.cmdline_params == ["-m", DRIVER_MODULE, SETTINGS_FILE]
    assert job.retrieve_list == ["log.lammps", (f"{DUMP_FILE}*", ".", 0), "bias.csv"]


@pytest.mark.parametrize("bias", ["native", "none"])
def test_lammps_alone_gets_a_script_and_its_frames_are_compressed(
    prepare: Prepare, inputs: dict[str, Any], bias: str
) -> None:
    parameters = {**UNBIASED, "bias": bias, "voltage_v": 4.0 if bias == "native" else 0.0}
    folder, job = prepare("rewire.md", {**inputs, "parameters": orm.Dict(parameters)})
    assert sorted(path.name for path in folder.iterdir()) == sorted(["md.in", DATA_FILE, FORCE_FIELD_FILE])
    script = (folder / "md.in").read_text()
    assert {"group fixed type 1 3", "group anode type 1 2", "group cathode type 4 3"} < set(script.splitlines())
    assert ("cathode anode volt 4.0" in script) == (bias == "native")
    (code,) = job.codes_info
    assert code.cmdline_params == ["-in", "md.in", "-log", "log.lammps", "-screen", "none"]
    assert job.retrieve_list == ["log.lammps", (f"{DUMP_FILE}*", ".", 0)]
    assert job.append_text == (
        f"if [ -f {DUMP_FILE} ]; then gzip -c {DUMP_FILE} > {DUMP_FILE}.gz && rm {DUMP_FILE}; fi"
    )


def test_without_a_bias_electrodes_may_be_left_out(prepare: Prepare, inputs: dict[str, Any]) -> None:
    groups = orm.Dict({"fixed": GROUPS["fixed"]})
    folder, _ = prepare("rewire.md", {**inputs, "groups": groups, "parameters": orm.Dict(UNBIASED)})
    assert "anode" not in (folder / "md.in").read_text()


@pytest.mark.parametrize(
    ("limit", "seconds"), [(None, 1e8), (86400, 86100.0), (3000, 2700.0), (1000, 900.0), (60, 54.0)]
)
def test_a_job_ends_before_its_wall_time(
    prepare: Prepare, inputs: dict[str, Any], limit: int | None, seconds: float
) -> None:
    metadata = {"options": {"max_wallclock_seconds": limit}} if limit else {}
    folder, _ = prepare("rewire.md", {**inputs, "metadata": metadata})
    assert json.loads((folder / SETTINGS_FILE).read_text())["seconds"] == pytest.approx(seconds)


def test_atoms_have_the_type_of_their_region_and_the_mass_of_silver(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, _ = prepare("rewire.md", inputs)
    lines = (folder / DATA_FILE).read_text().splitlines()
    rows = [line.split() for line in lines[lines.index("Atoms # charge") + 2 :]]
    assert [int(row[1]) for row in rows] == [1] * 9 + [2] * 5 + [3] * 9 + [4] * 5
    masses = lines[lines.index("Masses") + 2 :][:4]
    assert [float(mass.split()[1]) for mass in masses] == pytest.approx([107.8682] * 4, abs=1e-3)


@pytest.fixture
def after(inputs: dict[str, Any], cluster: orm.Computer) -> Callable[..., dict[str, Any]]:
    """Inputs of a run that goes on from another."""

    def factory(complete: bool, last_step: int = 40, **parameters: Any) -> dict[str, Any]:
        results = {"complete": complete, "last_step": last_step, "checkpoint_file": "checkpoint.1.restart"}
        return {
            **inputs,
            "parent_folder": orm.RemoteData(remote_path="/scratch/parent", computer=cluster),
            "parent_results": orm.Dict(results),
            "parameters": orm.Dict({"steps": 100, "seed": 7, "voltage_v": 4.0, **parameters}),
        }

    return factory


@pytest.mark.parametrize("bias", ["driver", "native"])
@pytest.mark.parametrize(("complete", "target"), [(True, PARENT_RESTART_FILE), (False, FIRST_CHECKPOINT)])
def test_a_run_that_goes_on_copies_the_checkpoint_and_needs_no_atoms(
    prepare: Prepare,
    after: Callable[..., dict[str, Any]],
    cluster: orm.Computer,
    complete: bool,
    target: str,
    bias: str,
) -> None:
    folder, job = prepare("rewire.md", after(complete, bias=bias))
    assert not (folder / DATA_FILE).exists()
    assert job.remote_copy_list == [(cluster.uuid, "/scratch/parent/checkpoint.1.restart", target)]
    text = (folder / ("md.in" if bias == "native" else SETTINGS_FILE)).read_text()
    assert ("reset_timestep 0" in text) == complete
    assert (f"read_restart {PARENT_RESTART_FILE}" in text) == complete
    assert "velocity mobile" not in text


def test_a_run_from_atoms_copies_nothing(prepare: Prepare, inputs: dict[str, Any]) -> None:
    assert not prepare("rewire.md", inputs)[1].remote_copy_list


def test_a_run_after_a_complete_one_does_not_relax_the_atoms_again(
    prepare: Prepare, after: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match="minimize = True: must be false when going on from another run"):
        prepare("rewire.md", after(True, minimize=True))


def test_the_next_job_of_a_run_that_was_relaxed_goes_on(
    prepare: Prepare, after: Callable[..., dict[str, Any]]
) -> None:
    folder, _ = prepare("rewire.md", after(False, minimize=True))
    assert json.loads((folder / SETTINGS_FILE).read_text())["preparation"] == []


@pytest.mark.parametrize("last_step", [100, 101])
def test_an_unfinished_run_that_came_farther_is_refused(
    prepare: Prepare, after: Callable[..., dict[str, Any]], last_step: int
) -> None:
    words = f"steps = 100: must be above the {last_step} that the unfinished parent has made"
    with pytest.raises(ValueError, match=words):
        prepare("rewire.md", after(False, last_step))


@pytest.mark.parametrize("missing", ["parent_folder", "parent_results"])
def test_half_a_parent_is_refused(prepare: Prepare, after: Callable[..., dict[str, Any]], missing: str) -> None:
    given = after(True)
    del given[missing]
    with pytest.raises(
        ValueError, match="parent_folder = without parent_results, or the reverse: must be given with"
    ):
        prepare("rewire.md", given)


def test_results_of_something_else_are_no_parent(prepare: Prepare, after: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"parent_results = \['energy'\]: must be results of a rewire.md job"):
        prepare("rewire.md", {**after(True), "parent_results": orm.Dict({"energy": 1.0})})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"seed": 7}, "no steps.*give steps"),
        ({"steps": 100}, "no seed.*give seed"),
        ({"steps": 100, "seed": 7, "voltage": 4.0}, "parameters = voltage: must be among"),
        ({"steps": 100, "seed": 7, "voltage_v": 80.0}, "voltage_v = 80.0: must be from -50 to 50 V"),
        ({"steps": 100, "seed": 7, "voltage_v": "4"}, "voltage_v = '4': must be of type float"),
        ({"steps": 100, "seed": 7, "temperature_k": 2000.0}, "temperature_k = 2000.0: must be above 0"),
        ({"steps": 10, "seed": 7, "dump_interval": 50}, "dump_interval = 50: must be from 1 to the 10 steps"),
        ({"steps": 0, "seed": 7}, "steps = 0"),
        ({"steps": 100, "seed": 7, "timestep_fs": 2.5}, "timestep_fs = 2.5: must be above 0 and at most 2 fs"),
        ({"steps": 100, "seed": 7, "bias": "gate"}, "bias = gate: must be one of driver, native, none"),
        ({**UNBIASED, "voltage_v": 1.0}, "voltage_v = 1.0: must be 0 V with `bias: none`"),
        (
            {**UNBIASED, "bias": "native", "voltage_v": [[0.0, 0.0], [1.0, 2.0]]},
            "must be one number with `bias: native`",
        ),
        ({"steps": 100, "seed": 7, "voltage_v": [[1.0, 0.0]]}, "must be points whose times begin with 0 ps"),
        ({"steps": 100, "seed": 7, "job_steps": 10}, "job_steps = 10: must be a multiple of the 1000 steps"),
    ],
)
def test_conditions_that_no_dynamics_survives_are_refused(
    prepare: Prepare, inputs: dict[str, Any], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare("rewire.md", {**inputs, "parameters": orm.Dict(parameters)})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"fixed": ["Ag_lower_base"], "anode": ["Ag_lower"]},
            "must be fixed, anode, cathode with a voltage; name the",
        ),
        ({"anode": ["Ag_lower"], "cathode": ["Ag_upper"]}, "must be among fixed, anode, cathode, with fixed"),
        ({**GROUPS, "gate": ["Ag_lower"]}, "must be among fixed, anode, cathode, with fixed"),
        ({**GROUPS, "fixed": "Ag_lower_base"}, "groups.fixed = Ag_lower_base: must be some of the kinds"),
        ({**GROUPS, "anode": 1}, "groups.anode = 1: must be some of the kinds"),
        ({**GROUPS, "fixed": ["Ag_base"]}, "groups.fixed = .*some of the kinds Ag_lower_base"),
        ({**GROUPS, "fixed": []}, r"groups.fixed = \[\]"),
        ({**GROUPS, "cathode": ["Ag_upper", "Ag_lower"]}, "anode and cathode overlap"),
    ],
)
def test_groups_that_do_not_fit_the_structure_are_refused(
    prepare: Prepare, inputs: dict[str, Any], groups: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare("rewire.md", {**inputs, "groups": orm.Dict(groups)})


def test_an_element_without_parameters_is_refused(prepare: Prepare, inputs: dict[str, Any]) -> None:
    structure = inputs["structure"].clone()
    structure.append_atom(position=(20.0, 0.0, 0.0), symbols="Cu", name="Cu")
    with pytest.raises(ValueError, match="structure = with Cu: must be of Ag"):
        prepare("rewire.md", {**inputs, "structure": structure})
