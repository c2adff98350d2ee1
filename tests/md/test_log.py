"""Recorded logs, whole, cut off and damaged: reading one never raises.

In ``fixtures/md``, of 28 atoms: ``two-blocks`` by the driver (40 steps, checkpoints every 20), ``first-job`` and
``second-job`` the same in two jobs, ``unbiased`` by LAMMPS alone; ``killed`` and ``unbiased-killed`` in their second
block; ``out-of-time`` in its seventh; ``lost-atoms`` begun at 200,000 K; ``unconverged`` with three iterations of the
charges; ``no-force-field`` without that file.
"""

import random
from pathlib import Path

import pytest

from aiida_rewire.md.log import RunLog, read_log

EMPTY = RunLog(version=None, complete=False, error=None)


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> bytes:
    """Log of a run that ended well."""
    return (fixtures / "md" / "two-blocks.log").read_bytes()


def read(tmp_path: Path, content: bytes) -> RunLog:
    path = tmp_path / "log.lammps"
    path.write_bytes(content)
    return read_log(path)


@pytest.mark.parametrize("name", ["two-blocks", "unbiased"])
def test_a_log_says_how_the_run_ended(fixtures: Path, name: str) -> None:
    log = read_log(fixtures / "md" / f"{name}.log")
    assert log.version == "22 Jul 2025 - Update 4"
    assert log.complete
    assert log.error is None
    assert not log.lost_atoms
    assert log.unconverged == ()
    assert log.checkpoints == ((20, "checkpoint.0.restart"), (40, "checkpoint.1.restart"))
    assert log.checkpoint == (40, "checkpoint.1.restart")
    assert log.ranks == 1


def test_wall_times_of_all_blocks_are_added(tmp_path: Path, recorded: bytes) -> None:
    times = [float(part.split()[0]) for part in recorded.split(b"\nLoop time of ")[1:]]
    assert len(times) == 2
    assert read(tmp_path, recorded).wall_time_s == pytest.approx(sum(times), abs=1e-12)
    on_four = recorded.replace(b"on 1 procs", b"on 4 procs")
    assert read(tmp_path, on_four).ranks == 4


def test_a_run_in_two_jobs_ends_as_the_run_in_one(fixtures: Path, tmp_path: Path, recorded: bytes) -> None:
    first, second = (read_log(fixtures / "md" / f"{name}-job.log") for name in ("first", "second"))
    whole = read(tmp_path, recorded)
    assert (first.complete, second.complete) == (False, True)
    # each job begins with the first of the two files
    assert (first.checkpoint, second.checkpoint) == ((20, "checkpoint.0.restart"), (40, "checkpoint.0.restart"))
    assert second.thermo == whole.thermo
    assert first.temperatures + second.temperatures == whole.temperatures


def test_the_thermodynamic_values_are_those_of_the_last_checkpoint(recorded: bytes, tmp_path: Path) -> None:
    row = recorded.decode().split("\nLoop time")[1].splitlines()[-1]
    step, temperature, potential, total, anode, cathode = (float(word) for word in row.split())
    thermo = read(tmp_path, recorded).thermo
    assert step == 40
    assert thermo["Step"] == step
    assert thermo["c_mobile_temperature"] == temperature
    assert (thermo["PotEng"], thermo["TotEng"]) == (potential, total)
    assert (thermo["v_anode_charge"], thermo["v_cathode_charge"]) == (anode, cathode)
    # 8 V
    assert anode > 0.1


@pytest.mark.parametrize("name", ["killed", "unbiased-killed"])
def test_a_killed_run_is_read_to_its_checkpoint_and_judged_beyond(fixtures: Path, name: str) -> None:
    log = read_log(fixtures / "md" / f"{name}.log")
    assert not log.complete
    assert log.error is None
    assert log.checkpoints == ((2000, "checkpoint.0.restart"),)
    # the row with which the first block ended, of rows up to step 3000
    assert log.thermo["Step"] == 2000
    assert len(log.temperatures) == 5 + 3
    assert log.temperatures[4] == log.thermo["c_mobile_temperature"]


def test_the_row_of_a_checkpoint_is_that_of_the_block_it_ends(tmp_path: Path, fixtures: Path) -> None:
    log = (fixtures / "md" / "killed.log").read_bytes()
    at = log.rindex(b"      2000 ")
    changed = log[:at] + log[at:].replace(b"483.26446", b"555.55555", 1)
    assert read(tmp_path, changed).thermo["c_mobile_temperature"] == 483.26446
    assert 555.55555 in read(tmp_path, changed).temperatures


def test_a_run_out_of_time_has_its_checkpoints(fixtures: Path) -> None:
    log = read_log(fixtures / "md" / "out-of-time.log")
    assert not log.complete
    assert log.error is None
    assert [step for step, _ in log.checkpoints] == [1000, 2000, 3000, 4000, 5000, 6000]
    assert log.thermo["Step"] == 6000


def test_charges_that_do_not_converge_are_counted(fixtures: Path) -> None:
    log = read_log(fixtures / "md" / "unconverged.log")
    assert log.complete
    assert len(log.unconverged) == 22
    assert log.unconverged[0].startswith("WARNING: Fix qeq/reaxff CG convergence failed after 3 iterations at step 0")
    # the warnings between the rows of a table do not end it
    assert len(log.temperatures) == 2
    assert log.thermo["Step"] == 10


def test_lost_atoms_are_told_from_other_errors(fixtures: Path) -> None:
    lost = read_log(fixtures / "md" / "lost-atoms.log")
    assert lost.lost_atoms
    assert lost.error is not None
    assert lost.error.startswith("ERROR: Lost atoms: original 28 current 26")
    assert not lost.complete
    assert lost.checkpoint == (100, "checkpoint.0.restart")
    missing = read_log(fixtures / "md" / "no-force-field.log")
    assert not missing.lost_atoms
    assert missing.error is not None
    assert missing.error.startswith("ERROR on proc 0: The ReaxFF parameter file ffield.reax cannot be opened")
    assert (missing.thermo, missing.temperatures, missing.checkpoint, missing.wall_time_s) == ({}, (), None, 0.0)


def test_a_log_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, recorded: bytes) -> None:
    whole = read(tmp_path, recorded)
    last = recorded.rindex(b"rewire: run complete")
    places = [recorded.index(b"\n" + line) + 1 for line in (
        b"rewire: checkpoint 20 checkpoint.0.restart", b"rewire: checkpoint 40 checkpoint.1.restart"
    )]  # fmt: skip
    length = len(b"rewire: checkpoint 20 checkpoint.0.restart")
    cuts = {*range(0, last, 37), last, last + 19}
    for place in places:
        cuts |= set(range(place, place + length + 1))
    for cut in sorted(cuts):
        log = read(tmp_path, recorded[:cut])
        assert not log.complete
        assert log.error is None
        count = sum(cut >= place + length for place in places)
        assert log.checkpoints == whole.checkpoints[:count], cut
        # a last number may be cut off, of rows that nobody asks for
        assert log.temperatures[:-1] == whole.temperatures[: max(0, len(log.temperatures) - 1)]
        assert log.thermo.get("Step") == (whole.checkpoints[count - 1][0] if count else None)
    assert read(tmp_path, recorded[: last + 20]).complete


def test_echoes_of_commands_are_no_messages(tmp_path: Path) -> None:
    echoes = (
        b'LAMMPS (1 Jan 2025)\nprint "rewire: run complete"\nprint "rewire: checkpoint 20 checkpoint.0.restart"\n'
        b'if "${next} == ${total}" then "print \'rewire: run complete\'"\n'
    )
    assert read(tmp_path, echoes) == RunLog(version="1 Jan 2025", complete=False, error=None)


@pytest.mark.parametrize(
    "line",
    [
        b"rewire: checkpoint 20",
        b"rewire: checkpoint 20 ",
        b"rewire: checkpoint 20 checkpoint.0.resta",
        b"rewire: checkpoint x checkpoint.0.restart",
        b"rewire: checkpoint -20 checkpoint.0.restart",
        b"rewire: checkpoint 20 /etc/passwd",
        b"rewire: checkpoint 20 ../checkpoint.0.restart",
        b"rewire: checkpoint " + b"9" * 5000 + b" checkpoint.0.restart",
        b" rewire: checkpoint 20 checkpoint.0.restart",
    ],
)
def test_a_line_that_names_no_checkpoint_is_none(tmp_path: Path, line: bytes) -> None:
    assert read(tmp_path, b"LAMMPS (1 Jan 2025)\n" + line + b"\n").checkpoint is None


def test_the_first_row_of_a_relaxation_is_no_temperature(tmp_path: Path, recorded: bytes) -> None:
    relaxation = (
        b"   Step          Temp          E_pair\n         0   99999          -1386.73\nLoop time of 1 on 1 procs\n"
    )
    at = recorded.index(b"write_restart start.restart")
    log = read(tmp_path, recorded[:at] + relaxation + recorded[at:])
    assert log.temperatures == read(tmp_path, recorded).temperatures


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff\xfe" * 500, bytes(range(256)) * 10, b"LAMMPS ("])
def test_what_is_no_log_reads_as_an_unfinished_run(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == EMPTY


def test_a_missing_log_reads_as_an_unfinished_run(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == EMPTY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Loop time of 0.", b"Loop time of e.e+ on 1 procs\nLoop time of 0."),
        (b"   Step ", b"  --- Step "),
        (b"        10   ", b"        1x   "),
        (b"\nLoop time", b"\nWARNING: something (src/some.cpp:12)\nLoop time"),
        (b"Loop time of", b"Loop time of 1 on\nLoop time of"),
        (b"   Step ", b"------------ Step 0 ------------\n"),
        (b"   Step ", b"\xff\xff\n   Step "),
    ],
)
def test_a_damaged_log_never_raises(tmp_path: Path, recorded: bytes, old: bytes, new: bytes) -> None:
    assert old in recorded
    assert read(tmp_path, recorded.replace(old, new)).complete


def test_random_damage_never_raises(tmp_path: Path, recorded: bytes) -> None:
    rng = random.Random(11)  # noqa: S311
    thermo = recorded.index(b"Per MPI rank")
    for _ in range(300):
        content = bytearray(recorded)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(thermo, thermo + 600) if rng.random() < 0.7 else rng.randrange(len(content))
            if rng.random() < 0.5:
                content[at : at + rng.randint(0, 60)] = rng.randbytes(rng.randint(0, 5))
            else:
                content[at:at] = b"\n" * rng.randint(1, 3)
        assert isinstance(read(tmp_path, bytes(content)), RunLog)
