"""What reaches LAMMPS, and what is refused before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.junction.tips import Region, build_tips
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import (
    DATA_FILE,
    DUMP_FILE,
    FORCE_FIELD_FILE,
    PARENT_RESTART_FILE,
    RESTART_FILE,
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


def test_the_folder_holds_script_atoms_and_force_field(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.md", inputs)
    assert sorted(path.name for path in folder.iterdir()) == sorted(["md.in", DATA_FILE, FORCE_FIELD_FILE])
    script = (folder / "md.in").read_text().splitlines()
    # the kinds are numbered in the order in which the structure has them
    names = [kind.name for kind in inputs["structure"].kinds]
    assert names == [str(r) for r in (Region.LOWER_BASE, Region.LOWER, Region.UPPER_BASE, Region.UPPER)]
    assert {"group fixed type 1 3", "group anode type 1 2", "group cathode type 4 3"} <= set(script)
    assert "set group anode d_phi -2.0" in script
    assert f"pair_coeff * * {FORCE_FIELD_FILE} Ag Ag Ag Ag" in script
    assert (folder / FORCE_FIELD_FILE).read_text() == force_field_text(silver_parameters())
    assert "28 atoms" in (folder / DATA_FILE).read_text()
    (code,) = job.codes_info
    assert code.cmdline_params == ["-in", "md.in", "-log", "log.lammps", "-screen", "none"]
    assert set(job.retrieve_list) == {"log.lammps", DUMP_FILE}


def test_atoms_have_the_type_of_their_region_and_the_mass_of_silver(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, _ = prepare("rewire.md", inputs)
    lines = (folder / DATA_FILE).read_text().splitlines()
    rows = [line.split() for line in lines[lines.index("Atoms # charge") + 2 :]]
    assert [int(row[1]) for row in rows] == [1] * 9 + [2] * 5 + [3] * 9 + [4] * 5
    masses = lines[lines.index("Masses") + 2 :][:4]
    assert [float(mass.split()[1]) for mass in masses] == pytest.approx([107.8682] * 4, abs=1e-3)


def test_a_run_that_goes_on_copies_the_restart_file_and_needs_no_atoms(
    prepare: Prepare, inputs: dict[str, Any], cluster: orm.Computer
) -> None:
    parent = orm.RemoteData(remote_path="/scratch/parent", computer=cluster)
    folder, job = prepare("rewire.md", {**inputs, "parent_folder": parent})
    assert not (folder / DATA_FILE).exists()
    assert job.remote_copy_list == [(cluster.uuid, f"/scratch/parent/{RESTART_FILE}", PARENT_RESTART_FILE)]
    assert f"read_restart {PARENT_RESTART_FILE}" in (folder / "md.in").read_text()


def test_a_run_that_goes_on_does_not_relax_the_atoms_again(
    prepare: Prepare, inputs: dict[str, Any], cluster: orm.Computer
) -> None:
    parent = orm.RemoteData(remote_path="/scratch/parent", computer=cluster)
    relaxing = orm.Dict({"steps": 100, "seed": 7, "minimize": True})
    with pytest.raises(ValueError, match="minimize = True: must be false when going on"):
        prepare("rewire.md", {**inputs, "parent_folder": parent, "parameters": relaxing})


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
        ({"fixed": ["Ag_lower_base"], "anode": ["Ag_lower"]}, "exactly fixed, anode, cathode"),
        ({**GROUPS, "gate": ["Ag_lower"]}, "exactly fixed, anode, cathode"),
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
