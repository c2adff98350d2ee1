"""The driver with a stock LAMMPS: the sign, restarts to the last bit, several ranks, an end in time."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.real.md.conftest import LOG, command, environment_of_a_job

from aiida_rewire.bias.outputs import SERIES_FILE
from aiida_rewire.md.bias_series import read_series
from aiida_rewire.md.driven import COMPRESSED_DUMP, SETTINGS_FILE
from aiida_rewire.md.dump import Frame, read_frames
from aiida_rewire.md.log import read_log
from aiida_rewire.md.script import FIRST_CHECKPOINT, Start

pytestmark = pytest.mark.real

Fill = Callable[..., Path]
Drive = Callable[..., str]


def frames_of(folder: Path) -> dict[int, Frame]:
    return {frame.step: frame for frame in read_frames(folder / COMPRESSED_DUMP)}


def text_of_frames(folder: Path) -> str:
    return gzip.decompress((folder / COMPRESSED_DUMP).read_bytes()).decode()


def last_checkpoint(folder: Path) -> tuple[int, Path]:
    checkpoint = read_log(folder / LOG).checkpoint
    assert checkpoint is not None
    return checkpoint[0], folder / checkpoint[1]


@pytest.fixture(scope="module")
def electrodes(small_tips: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which atoms are of the lower (anode) and of the upper tip."""
    lower = np.array([region.startswith("Ag_lower") for region in small_tips.regions])
    return lower, ~lower


@pytest.mark.parametrize("voltage", [8.0, -8.0])
def test_the_tip_at_plus_v_becomes_positive(
    tmp_path: Path, fill: Fill, drive: Drive, electrodes: tuple[np.ndarray, np.ndarray], voltage: float
) -> None:
    drive(fill(tmp_path / "run", steps=10, voltage_v=voltage))
    last = frames_of(tmp_path / "run")[10]
    anode, cathode = (float(last.charges[tip].mean()) for tip in electrodes)
    assert anode * voltage > 0.05 * abs(voltage)
    assert cathode == pytest.approx(-anode, abs=1e-4)
    # what is added to the electronegativity is lower at the anode
    assert last.potentials[electrodes[0]] == pytest.approx(-voltage / 2)
    assert last.potentials[electrodes[1]] == pytest.approx(voltage / 2)


@pytest.fixture(scope="module", params=["steady", "diffusion"])
def uninterrupted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fill: Fill, drive: Drive
) -> tuple[str, Path]:
    """Folder of a run of one job."""
    folder = fill(tmp_path_factory.mktemp("whole") / "run", potential=request.param)
    drive(folder)
    return request.param, folder


def test_a_run_in_three_jobs_is_the_run_in_one_to_the_last_bit(
    uninterrupted: tuple[str, Path], tmp_path: Path, fill: Fill, drive: Drive
) -> None:
    potential, whole = uninterrupted
    text, start = "", Start.ATOMS
    series: dict[str, str] = {}
    checkpoint = Path()
    for number in range(3):
        folder = fill(tmp_path / f"job{number}", start=start, potential=potential, job_steps=35)
        if number:
            shutil.copy(checkpoint, folder / FIRST_CHECKPOINT)
        drive(folder)
        reached, checkpoint = last_checkpoint(folder)
        assert reached == min(35 * (number + 1), 100)
        text += text_of_frames(folder)
        series |= {row.split(",")[0]: row for row in (folder / SERIES_FILE).read_text().splitlines()}
        start = Start.CHECKPOINT
    assert text == text_of_frames(whole)
    assert checkpoint.read_bytes() == last_checkpoint(whole)[1].read_bytes()
    assert list(series.values()) == (whole / SERIES_FILE).read_text().splitlines()


def test_a_killed_job_is_gone_on_from_its_last_checkpoint(
    uninterrupted: tuple[str, Path], tmp_path: Path, fill: Fill, drive: Drive
) -> None:
    potential, whole = uninterrupted
    folder = fill(tmp_path / "killed", potential=potential, steps=100_000)
    settings = json.loads((folder / SETTINGS_FILE).read_text())
    with subprocess.Popen(command(), cwd=folder, env=environment_of_a_job()) as job:
        deadline = time.monotonic() + 60
        while read_log(folder / LOG).checkpoint is None and time.monotonic() < deadline:
            time.sleep(0.02)
        job.kill()
    reached, checkpoint = last_checkpoint(folder)
    assert 35 <= reached < settings["steps"]
    # the frames up to the checkpoint are whole, whatever came after
    kept = {frame.step for frame in read_frames(folder / COMPRESSED_DUMP, last_step=reached)}
    assert kept == set(range(0, reached + 1, 10))
    if reached >= 100:
        pytest.fail("the job came too far before it was killed")
    following = fill(tmp_path / "following", potential=potential, start=Start.CHECKPOINT)
    shutil.copy(checkpoint, following / FIRST_CHECKPOINT)
    drive(following)
    assert last_checkpoint(following)[1].read_bytes() == last_checkpoint(whole)[1].read_bytes()


def test_two_ranks_give_the_charges_of_one(
    uninterrupted: tuple[str, Path], tmp_path: Path, fill: Fill, drive: Drive
) -> None:
    potential, whole = uninterrupted
    drive(fill(tmp_path / "two", potential=potential), ranks=2)
    assert read_log(tmp_path / "two" / LOG).ranks == 2
    one, two = frames_of(whole), frames_of(tmp_path / "two")
    assert one.keys() == two.keys()
    for step in (10, 50, 100):
        # the dump has six digits
        assert two[step].charges == pytest.approx(one[step].charges, abs=1.1e-6)
        assert two[step].potentials == pytest.approx(one[step].potentials, abs=1e-4)


def test_without_a_voltage_the_driver_changes_nothing(tmp_path: Path, fill: Fill, drive: Drive) -> None:
    drive(fill(tmp_path / "biased", voltage_v=0.0))
    drive(fill(tmp_path / "again", voltage_v=0.0, potential="diffusion"))
    assert text_of_frames(tmp_path / "biased") == text_of_frames(tmp_path / "again")
    series = read_series((tmp_path / "again" / SERIES_FILE).read_text().splitlines(), 100)
    assert not series["anode_flux"].any()


def test_a_ramp_is_followed(tmp_path: Path, fill: Fill, drive: Drive) -> None:
    ramp = [[0.0, 2.0], [0.05, 8.0], [0.05, -4.0], [0.1, -4.0]]
    folder = fill(tmp_path / "run", voltage_v=ramp, potential_interval=5)
    drive(folder)
    series = read_series((folder / SERIES_FILE).read_text().splitlines(), 100)
    expected = [2.0, 3.2, 4.4, 5.6, 6.8, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0]
    assert series["step"].tolist() == list(range(0, 101, 10))
    assert series["voltage_v"] == pytest.approx(expected)
    assert frames_of(folder)[40].potentials[0] == pytest.approx(-6.8 / 2)


def test_a_job_ends_at_a_checkpoint_before_its_time_is_up(tmp_path: Path, fill: Fill, drive: Drive) -> None:
    folder = fill(tmp_path / "run", steps=1_000_000, checkpoint_interval=100, seconds=4.0)
    begun = time.monotonic()
    log = drive(folder)
    assert time.monotonic() - begun < 20
    assert "rewire: out of time" in log.splitlines()
    assert not read_log(folder / LOG).complete
    reached, checkpoint = last_checkpoint(folder)
    assert reached > 0
    assert checkpoint.is_file()


def test_what_is_missing_is_said_in_a_line(tmp_path: Path, fill: Fill) -> None:
    folder = fill(tmp_path / "run")
    # a package of that name without LAMMPS in it
    (folder / "lammps.py").write_text("raise ImportError('no LAMMPS here')\n")
    done = subprocess.run(
        command(), cwd=folder, env=environment_of_a_job(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("rewire: LAMMPS's Python module cannot be imported by ")
    assert "no LAMMPS here" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_while_the_potential_spreads_ends_the_job(tmp_path: Path, fill: Fill) -> None:
    folder = fill(tmp_path / "run", potential="diffusion")
    settings = json.loads((folder / SETTINGS_FILE).read_text())
    # too few electron steps: the diffusion would be unstable
    settings["potential"]["n_electron"] = 1
    settings["potential"]["k"] = 60.0
    (folder / SETTINGS_FILE).write_text(json.dumps(settings))
    done = subprocess.run(
        command(), cwd=folder, env=environment_of_a_job(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 4
    assert "InvalidInput" in done.stderr.splitlines()[-1]
    assert read_log(folder / LOG).checkpoint is None
    error = read_log(folder / LOG).error
    assert error is not None
    assert error.startswith("ERROR: of the driver: InvalidInput(")


def test_atoms_that_leave_the_box_are_lost_at_once(tmp_path: Path, fill: Fill) -> None:
    folder = fill(tmp_path / "run", dump_interval=100)
    settings = json.loads((folder / SETTINGS_FILE).read_text())
    # 1 Å/fs: out of the box, 15 Å around the tips, in 20 steps; LAMMPS itself would look after 35
    settings["block"] += ["unfix thermostat", "fix push mobile move linear 1.0 0.0 0.0"]
    (folder / SETTINGS_FILE).write_text(json.dumps(settings))
    done = subprocess.run(
        command(), cwd=folder, env=environment_of_a_job(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    log = read_log(folder / LOG)
    assert log.lost_atoms
    assert log.error is not None
    assert log.error.startswith("ERROR: Lost atoms: original 60 current ")
