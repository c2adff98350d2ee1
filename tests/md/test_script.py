"""What LAMMPS is told. ``tests/real/md`` tells whether it does it; for ``native`` no LAMMPS is at hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.script import (
    CHARGE_TOLERANCE,
    CHECKPOINTS,
    DATA_FILE,
    DUMP_FILE,
    FIRST_CHECKPOINT,
    FORCE_FIELD_FILE,
    LAST_LINE,
    OUT_OF_TIME_LINE,
    PARENT_RESTART_FILE,
    TIME_LIMIT,
    VACUUM,
    AtomTypes,
    Start,
    block,
    data_file,
    input_script,
    preparation,
    read_time_left,
)

VOLTAGES: dict[str, dict[str, Any]] = {
    "driver": {"voltage_v": [[0.0, 0.0], [1.0, 4.0]]},
    "native": {"voltage_v": 4.0},
    "none": {},
}
BIASES = list(VOLTAGES)


def conditions(bias: str = "driver", **changes: Any) -> MdConditions:
    return MdConditions(**{"steps": 100, "seed": 7, "bias": bias, **VOLTAGES[bias], **changes})


def begin(types: AtomTypes, start: Start = Start.ATOMS, bias: str = "driver", **changes: Any) -> list[str]:
    return preparation(conditions(bias, **changes), types, start)


def a_block(types: AtomTypes, bias: str = "driver", **changes: Any) -> list[str]:
    return block(conditions(bias, **changes), types, "some.restart", "some.lammpstrj")


def job(types: AtomTypes, start: Start = Start.ATOMS, seconds: float = 600.0, **changes: Any) -> list[str]:
    return input_script(conditions("native", **changes), types, start=start, seconds=seconds).splitlines()


def place(lines: list[str], beginning: str) -> int:
    found = [index for index, line in enumerate(lines) if line.startswith(beginning)]
    assert len(found) == 1, (beginning, found)
    return found[0]


def in_order(lines: list[str], *beginnings: str) -> bool:
    places = [place(lines, line) for line in beginnings]
    return places == sorted(places)


@pytest.mark.parametrize("bias", BIASES)
def test_a_run_begins_with_the_data_file_and_draws_velocities(types: AtomTypes, bias: str) -> None:
    lines = begin(types, bias=bias, temperature_k=500.0)
    assert lines[0] == "clear"
    assert in_order(lines, f"read_data {DATA_FILE}", "group fixed", "pair_style", "velocity", "write_restart")
    assert lines[place(lines, "velocity")].startswith("velocity mobile create 500.0 7 ")
    assert lines[-1] == f"write_restart {FIRST_CHECKPOINT}"
    assert not any(line.startswith(("read_restart", "minimize", "reset_timestep", "run")) for line in lines)


@pytest.mark.parametrize("bias", BIASES)
def test_atoms_are_relaxed_before_they_get_their_velocities(types: AtomTypes, bias: str) -> None:
    lines = begin(types, bias=bias, minimize=True)
    assert in_order(lines, "fix hold", "minimize", "reset_timestep 0", "velocity", "write_restart")


@pytest.mark.parametrize("bias", BIASES)
def test_a_run_that_goes_on_from_another_counts_from_zero_with_its_atoms_and_velocities(
    types: AtomTypes, bias: str
) -> None:
    lines = begin(types, Start.PARENT, bias)
    assert in_order(lines, f"read_restart {PARENT_RESTART_FILE}", "reset_timestep 0", "pair_style", "write_restart")
    assert lines[-1] == f"write_restart {FIRST_CHECKPOINT}"
    assert not any(line.startswith(("read_data", "velocity", "group ", "minimize")) for line in lines)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("minimize", [False, True])
def test_a_job_that_goes_on_from_a_checkpoint_needs_no_preparation(
    types: AtomTypes, bias: str, minimize: bool
) -> None:
    assert begin(types, Start.CHECKPOINT, bias, minimize=minimize) == []


def test_groups_are_made_of_the_types(types: AtomTypes) -> None:
    lines = begin(types)
    assert [line for line in lines if line.startswith("group")] == [
        "group fixed type 1 4",
        "group anode type 1 2",
        "group cathode type 3 4",
        "group mobile subtract all fixed",
    ]
    alone = begin(AtomTypes(("Ag",), fixed=(1,)), bias="none")
    assert [line for line in alone if line.startswith("group")] == [
        "group fixed type 1",
        "group mobile subtract all fixed",
    ]


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("lines_of", [begin, a_block])
def test_preparation_and_blocks_move_the_atoms_alike(types: AtomTypes, bias: str, lines_of: Any) -> None:
    lines = lines_of(types, bias=bias, temperature_k=500.0, thermostat_damping_fs=50.0, timestep_fs=0.5)
    assert "fix thermostat mobile nvt temp 500.0 500.0 50.0" in lines
    assert "fix hold fixed setforce 0.0 0.0 0.0" in lines
    assert "timestep 0.5" in lines
    assert f"pair_coeff * * {FORCE_FIELD_FILE} Ag Ag Ag Ag" in lines
    assert lines[:4] == ["clear", "units real", "atom_style charge", "boundary f f f"]


def test_elements_are_named_in_the_order_of_the_types() -> None:
    types = AtomTypes(("Ag", "Cu", "O"), fixed=(2,))
    assert f"pair_coeff * * {FORCE_FIELD_FILE} Ag Cu O" in a_block(types, "none")


@pytest.mark.parametrize("bias", ["driver", "none"])
def test_charges_follow_the_potential_on_a_stock_lammps_and_are_converged(types: AtomTypes, bias: str) -> None:
    lines = a_block(types, bias)
    # measured: with 1e-6 charges are off by 4e-6 e
    assert CHARGE_TOLERANCE == 1e-8
    assert "pair_style reaxff NULL checkqeq yes" in lines
    assert "fix charges all qeq/reaxff 1 0.0 10.0 1e-08 reaxff maxiter 1000" in lines
    assert in_order(lines, "read_restart", "fix potential", "variable phi", "fix bias", "fix charges")
    assert "fix potential all property/atom d_phi ghost yes" in lines
    assert "fix bias all efield v_zero v_zero v_zero potential v_phi" in lines
    assert "variable phi atom d_phi" in lines
    assert not any("echemdid" in line for line in lines)


@pytest.mark.parametrize("voltage", [4.0, -3.0])
def test_the_patched_lammps_adds_half_the_voltage_to_the_cathode(types: AtomTypes, voltage: float) -> None:
    lines = a_block(types, "native", voltage_v=voltage, diffusivity=5.5, bond_cutoff=4.5, electron_steps=12)
    # fix echemdid adds +V/2 to the electronegativity of its first group, which becomes negative
    assert lines[place(lines, "fix spreading")] == (
        f"fix spreading all echemdid 1 k 5.5 cut 4.5 norm 0.4555 nelec 12 cathode anode volt {voltage}"
    )
    assert in_order(lines, "fix potential", "fix charges", "fix spreading", "dump frames")
    assert "fix potential all property/atom d_locpot d_lap" in lines
    assert "fix charges all qeq/shielded 1 10.0 1e-08 1000 reax/c" in lines
    assert "pair_style reax/c NULL checkqeq yes" in lines


def test_nothing_spreads_before_the_dynamics(types: AtomTypes) -> None:
    for start in (Start.ATOMS, Start.PARENT):
        assert not any("echemdid" in line for line in begin(types, start, "native"))


def test_a_block_begins_with_its_checkpoint_and_appends_its_frames(types: AtomTypes) -> None:
    lines = a_block(types, dump_interval=20)
    assert lines[4] == "read_restart some.restart"
    assert "dump frames all custom 20 some.lammpstrj id type x y z q v_phi" in lines
    assert "dump_modify frames sort id append yes flush yes" in lines
    # the frame at the seam is the last of the block before
    assert lines[-1] == 'if "$(step) > 0" then "dump_modify frames delay $(step+1)"'
    assert "thermo 20" in lines
    # every row is there as soon as it is written, and a lost atom ends the run
    assert "thermo_modify lost error flush yes" in lines
    assert not any(line.startswith("run") for line in lines)


def test_the_potential_is_in_the_frames_of_the_patched_lammps_too(types: AtomTypes) -> None:
    lines = a_block(types, "native")
    assert "variable phi atom d_locpot" in lines
    assert lines[place(lines, "dump frames")].endswith(" id type x y z q v_phi")


def test_the_electrodes_charges_are_printed_where_there_are_electrodes(types: AtomTypes) -> None:
    beginning = "thermo_style custom step c_mobile_temperature pe etotal"
    assert f"{beginning} v_anode_charge v_cathode_charge" in a_block(types)
    assert "variable anode_charge equal charge(anode)/count(anode)" in a_block(types)
    lines = a_block(replace(types, anode=(), cathode=()), "none")
    assert beginning in lines
    assert not any("anode" in line or "cathode" in line for line in lines)


@pytest.mark.parametrize("start", list(Start))
def test_a_job_is_preparation_and_blocks_until_its_end(types: AtomTypes, start: Start) -> None:
    lines = job(types, start, dump_interval=20, checkpoint_interval=30)
    prepared = preparation(conditions("native", dump_interval=20, checkpoint_interval=30), types, start)
    label = lines.index("label block")
    assert lines[4 : 4 + len(prepared)] == prepared
    assert lines[4 + len(prepared) : label] == [
        f"variable checkpoint string {FIRST_CHECKPOINT}",
        f"variable other string {CHECKPOINTS[0]}",
        f"variable spare string {CHECKPOINTS[1]}",
        "variable end equal -1",
    ]
    repeated = block(
        conditions("native", dump_interval=20, checkpoint_interval=30), types, "${checkpoint}", DUMP_FILE
    )
    assert lines[label + 1 : label + 1 + len(repeated)] == repeated
    assert lines.count("run ${next} upto") == 1
    assert in_order(lines, "run", "write_restart ${other}", 'print "rewire: checkpoint ${next} ${other}"')


def test_a_job_knows_how_far_it_is_to_go(types: AtomTypes) -> None:
    lines = job(types, steps=5000, checkpoint_interval=500, job_steps=1500)
    assert {"variable total equal 5000", "variable most equal 1500", "variable length equal 500"} < set(lines)
    assert "variable most equal 5000" in job(types, steps=5000)
    # the files are written in turn
    swapped = lines[place(lines, 'print "rewire: checkpoint') + 1 :][:3]
    assert swapped == [
        "variable checkpoint string ${other}",
        "variable other string ${spare}",
        "variable spare string ${checkpoint}",
    ]


def test_a_job_says_whether_it_came_to_the_end_of_the_run_or_of_its_time(types: AtomTypes) -> None:
    lines = job(types)
    assert lines[-4:] == [
        f'if "${{next}} == ${{total}}" then "print \'{LAST_LINE}\'"',
        "quit",
        "label out_of_time",
        f'print "{OUT_OF_TIME_LINE}"',
    ]
    jump = [index for index, line in enumerate(lines) if line.endswith('then "jump SELF out_of_time"')]
    run = lines.index("run ${next} upto")
    # before a block for which no time is left, and after one that was ended by the clock
    assert jump == [run - 2, run + 1]
    assert lines[run - 1] == TIME_LIMIT
    assert lines[run + 1] == 'if "$(step) < ${next}" then "jump SELF out_of_time"'


def test_the_time_left_counts_from_the_beginning_of_the_job(types: AtomTypes) -> None:
    lines = job(types, seconds=86100.0)
    assert 'print "$(floor(86100.0-v_now+v_begun))" file seconds.left screen no' in lines
    assert in_order(lines, "variable begun timer", "label block", "variable now timer", "variable left file")
    # read back from a file, which is the same on all ranks
    assert read_time_left("12") == [
        'print "12" file seconds.left screen no',
        "variable left delete",
        "variable left file seconds.left",
    ]


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
