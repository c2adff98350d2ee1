"""What LAMMPS is told: the sign of the voltage above all."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.dump import read_frames
from aiida_rewire.md.log import read_log
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import (
    DATA_FILE,
    DUMP_FILE,
    FORCE_FIELD_FILE,
    LAST_LINE,
    PARENT_RESTART_FILE,
    RESTART_FILE,
    VACUUM,
    AtomTypes,
    data_file,
    input_script,
)


def script(types: AtomTypes, *, restart: bool = False, **changes: object) -> list[str]:
    values = {"steps": 100, "seed": 7, "voltage_v": 4.0, **changes}
    return input_script(MdConditions.from_mapping(values), types, restart=restart).splitlines()


def place(lines: list[str], beginning: str) -> int:
    found = [index for index, line in enumerate(lines) if line.startswith(beginning)]
    assert len(found) == 1, (beginning, found)
    return found[0]


def test_a_positive_voltage_lowers_the_electronegativity_of_the_anode(types: AtomTypes) -> None:
    lines = script(types, voltage_v=4.0)
    assert "set group anode d_phi -2.0" in lines
    assert "set group cathode d_phi 2.0" in lines


def test_a_negative_voltage_changes_the_signs(types: AtomTypes) -> None:
    lines = script(types, voltage_v=-3.0)
    assert "set group anode d_phi 1.5" in lines
    assert "set group cathode d_phi -1.5" in lines


def test_the_potentials_differ_by_the_voltage_to_the_last_digit(types: AtomTypes) -> None:
    text = "\n".join(script(types, voltage_v=0.1))
    phi = {name: float(value) for name, value in re.findall(r"^set group (\w+) d_phi (\S+)$", text, re.MULTILINE)}
    assert phi["cathode"] - phi["anode"] == 0.1


def test_the_bias_is_on_after_the_minimisation_and_before_the_dynamics(types: AtomTypes) -> None:
    lines = script(types, minimize=True)
    order = ["set group all d_phi 0.0", "minimize", "reset_timestep 0", "velocity", "set group anode", "run 100"]
    places = [place(lines, line) for line in order]
    assert places == sorted(places)


def test_without_minimisation_there_is_none(types: AtomTypes) -> None:
    assert not any(line.startswith(("minimize", "reset_timestep")) for line in script(types))


def test_groups_are_made_of_the_types(types: AtomTypes) -> None:
    lines = script(types)
    assert {"group fixed type 1 4", "group anode type 1 2", "group cathode type 3 4"} < set(lines)
    assert "group mobile subtract all fixed" in lines


def test_only_mobile_atoms_are_thermostatted_and_only_fixed_ones_held(types: AtomTypes) -> None:
    lines = script(types, temperature_k=500.0, thermostat_damping_fs=50.0)
    assert "fix thermostat mobile nvt temp 500.0 500.0 50.0" in lines
    assert "fix hold fixed setforce 0.0 0.0 0.0" in lines


def test_a_first_run_reads_the_data_file_and_draws_velocities(types: AtomTypes) -> None:
    lines = script(types, temperature_k=500.0)
    assert f"read_data {DATA_FILE}" in lines
    assert lines[place(lines, "velocity")].startswith("velocity mobile create 500.0 7 ")
    assert not any(line.startswith("read_restart") for line in lines)


def test_a_run_that_goes_on_reads_the_restart_file_and_keeps_its_velocities(types: AtomTypes) -> None:
    lines = script(types, restart=True)
    assert f"read_restart {PARENT_RESTART_FILE}" in lines
    assert not any(line.startswith(("read_data", "velocity", "group ")) for line in lines)
    assert "set group anode d_phi -2.0" in lines


def test_the_script_ends_with_the_line_that_the_log_is_searched_for(types: AtomTypes) -> None:
    lines = script(types, dump_interval=20)
    assert lines[-3:] == ["run 100", f"write_restart {RESTART_FILE}", f'print "{LAST_LINE}"']
    assert f"dump frames all custom 20 {DUMP_FILE} id type x y z q d_phi" in lines
    assert "thermo 20" in lines


def test_the_data_file_holds_the_atoms_and_the_vacuum(displaced_tips: tuple[np.ndarray, list[int]]) -> None:
    positions, numbers = displaced_tips
    lines = data_file(positions, numbers, [107.8682] * 4).splitlines()
    assert "182 atoms" in lines
    assert "4 atom types" in lines
    box = np.array([line.split()[:2] for line in lines if line.endswith("hi")], dtype=float)
    assert box[:, 0] == pytest.approx(positions.min(axis=0) - VACUUM, abs=1e-9)
    assert box[:, 1] == pytest.approx(positions.max(axis=0) + VACUUM, abs=1e-9)
    rows = np.array([line.split() for line in lines[place(lines, "Atoms") + 2 :]], dtype=float)
    assert rows[:, 0].tolist() == list(range(1, 183))
    assert rows[:, 1].tolist() == numbers
    assert rows[:, 3:] == pytest.approx(positions, abs=1e-11)
    assert lines[place(lines, "Masses") + 2] == "1 107.868200"


@pytest.fixture(scope="module")
def biased_run(
    tmp_path_factory: pytest.TempPathFactory,
    lammps: Callable[[Path, str], str],
    types: AtomTypes,
    displaced_tips: tuple[np.ndarray, list[int]],
) -> Path:
    """Folder of a run of ten steps at 4 V, and of one that goes on from it at -4 V."""
    folder = tmp_path_factory.mktemp("biased")
    positions, numbers = displaced_tips
    # the tips apart, so that no charge flows between them
    positions = positions + np.where(np.array(numbers)[:, None] > 2, [0.0, 0.0, 3.0], 0.0)
    (folder / DATA_FILE).write_text(data_file(positions, numbers, [107.8682] * 4))
    (folder / FORCE_FIELD_FILE).write_text(force_field_text(silver_parameters()))
    lammps(folder, "\n".join(script(types, steps=10, dump_interval=10)))
    (folder / "md.log").rename(folder / "first.log")
    (folder / DUMP_FILE).rename(folder / "first.lammpstrj")
    (folder / RESTART_FILE).rename(folder / PARENT_RESTART_FILE)
    lammps(folder, "\n".join(script(types, steps=10, dump_interval=10, voltage_v=-4.0, restart=True)))
    return folder


def charges(path: Path) -> tuple[float, float]:
    """Mean charge (e) of anode and cathode in the last frame, from the dump itself."""
    lines = path.read_text().splitlines()[-182:]
    table = np.array([line.split() for line in lines], dtype=float)
    anode = table[:, 1] <= 2
    return float(table[anode, 5].mean()), float(table[~anode, 5].mean())


@pytest.mark.real
def test_the_anode_of_a_positive_voltage_is_positively_charged(biased_run: Path) -> None:
    anode, cathode = charges(biased_run / "first.lammpstrj")
    assert anode > 0.01
    assert cathode == pytest.approx(-anode, abs=1e-4)
    log = read_log(biased_run / "first.log")
    assert log.complete
    assert log.thermo["v_anode_charge"] == pytest.approx(anode, abs=1e-5)
    assert log.thermo["v_cathode_charge"] == pytest.approx(cathode, abs=1e-5)


@pytest.mark.real
def test_a_run_that_goes_on_takes_its_own_voltage_and_counts_on(biased_run: Path) -> None:
    anode, cathode = charges(biased_run / DUMP_FILE)
    assert anode < -0.01
    assert cathode > 0.01
    log, first = read_log(biased_run / "md.log"), read_log(biased_run / "first.log")
    assert log.complete
    assert log.thermo["Step"] == 20
    end, begin = list(read_frames(biased_run / "first.lammpstrj"))[-1], next(read_frames(biased_run / DUMP_FILE))
    assert (end.step, begin.step) == (10, 10)
    assert begin.positions == pytest.approx(end.positions, abs=1e-5)
    # it keeps its velocities: without them the 364 kcal/mol of 1120 K would be gone
    assert log.thermo["TotEng"] == pytest.approx(first.thermo["TotEng"], abs=20.0)
