"""Recorded logs, whole, cut off and damaged: reading one never raises.

In ``fixtures/md``: ``two-frames.log`` of a run of ten steps; ``lost-atoms.log`` of one begun at 80,000 K;
``no-force-field.log`` of one whose ReaxFF file was missing.
"""

import random
from pathlib import Path

import pytest

from aiida_rewire.md.log import RunLog, read_log


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> bytes:
    """Log of a run that ended well."""
    return (fixtures / "md" / "two-frames.log").read_bytes()


def read(tmp_path: Path, content: bytes) -> RunLog:
    path = tmp_path / "log.lammps"
    path.write_bytes(content)
    return read_log(path)


def test_a_log_says_how_the_run_ended(fixtures: Path) -> None:
    log = read_log(fixtures / "md" / "two-frames.log")
    assert log.version == "22 Jul 2025 - Update 4"
    assert log.complete
    assert log.error is None
    assert not log.lost_atoms
    assert log.wall_time_s is not None
    assert 0 < log.wall_time_s < 10


def test_the_thermodynamic_values_are_those_of_the_last_step(recorded: bytes, tmp_path: Path) -> None:
    row = recorded.decode().split("\nLoop time")[0].splitlines()[-1]
    step, temperature, potential, total, anode, cathode = (float(word) for word in row.split())
    thermo = read(tmp_path, recorded).thermo
    assert step == 10
    assert thermo["Step"] == step
    assert thermo["c_mobile_temperature"] == temperature
    assert (thermo["PotEng"], thermo["TotEng"]) == (potential, total)
    assert (thermo["v_anode_charge"], thermo["v_cathode_charge"]) == (anode, cathode)


def test_lost_atoms_are_told_from_other_errors(fixtures: Path) -> None:
    lost = read_log(fixtures / "md" / "lost-atoms.log")
    assert lost.lost_atoms
    assert lost.error == "ERROR: Lost atoms: original 28 current 27"
    assert not lost.complete
    missing = read_log(fixtures / "md" / "no-force-field.log")
    assert not missing.lost_atoms
    assert missing.error is not None
    assert missing.error.startswith("ERROR on proc 0: The ReaxFF parameter file ffield.reax cannot be opened")
    assert missing.thermo == {}
    assert missing.wall_time_s is None


def test_a_log_that_is_cut_off_is_not_complete(tmp_path: Path, recorded: bytes) -> None:
    last = recorded.rindex(b"rewire: run complete")
    for cut in {*range(0, last, 37), last, last + 19}:
        log = read(tmp_path, recorded[:cut])
        assert not log.complete
        assert log.error is None
    assert read(tmp_path, recorded[: last + 20]).complete


def test_the_echo_of_the_command_is_not_the_end(tmp_path: Path) -> None:
    assert not read(tmp_path, b'LAMMPS (1 Jan 2025)\nprint "rewire: run complete"\n').complete


def test_a_run_that_did_not_end_has_no_thermodynamic_values(tmp_path: Path, recorded: bytes) -> None:
    log = read(tmp_path, recorded[: recorded.index(b"Loop time")])
    assert log.thermo == {}
    assert log.version == "22 Jul 2025 - Update 4"


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff\xfe" * 500, bytes(range(256)) * 10, b"LAMMPS ("])
def test_what_is_no_log_reads_as_an_unfinished_run(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == RunLog(None, False, None, {}, None)


def test_a_missing_log_reads_as_an_unfinished_run(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == RunLog(None, False, None, {}, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Loop time of 0.", b"Loop time of e.e+ on 1 procs\nLoop time of 0."),
        (b"Per MPI rank", b"Per NPI rank"),
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
