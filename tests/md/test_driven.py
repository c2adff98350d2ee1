"""What the driver is told, and what travels with it; ``tests/real/md`` runs it."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiida_rewire.bias.outputs import BLOCK_DUMP, SERIES_FILE
from aiida_rewire.bias.potential import ElectrochemicalPotential
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.driven import COMPRESSED_DUMP, DRIVER_MODULE, driver_files, driver_settings
from aiida_rewire.md.script import AtomTypes, Start, block, preparation

RAMP = [[0.0, 0.0], [1.0, 4.0]]


def settings(types: AtomTypes, start: Start = Start.ATOMS, **changes: Any) -> dict[str, Any]:
    conditions = MdConditions(**{"steps": 100, "seed": 7, "voltage_v": RAMP, **changes})
    return driver_settings(conditions, types, start=start, seconds=540.0, log="log.lammps")


@pytest.mark.parametrize("start", list(Start))
def test_the_driver_runs_the_blocks_of_the_script(types: AtomTypes, start: Start) -> None:
    conditions = MdConditions(steps=100, seed=7, voltage_v=RAMP)
    told = settings(types, start)
    assert told["preparation"] == preparation(conditions, types, start)
    # the frames of a block are appended to the others when it is whole
    assert told["block"] == block(conditions, types, "${checkpoint}", BLOCK_DUMP)
    assert told["dump"] == COMPRESSED_DUMP == "trajectory.lammpstrj.gz"
    assert (told["first_checkpoint"], told["checkpoints"]) == (
        "start.restart",
        ["checkpoint.0.restart", "checkpoint.1.restart"],
    )
    assert len({told["dump"], BLOCK_DUMP, SERIES_FILE, told["log"]}) == 4


def test_the_driver_knows_steps_times_and_electrodes(types: AtomTypes) -> None:
    told = settings(
        types, steps=9000, job_steps=4000, checkpoint_interval=2000, dump_interval=20, timestep_fs=0.5,
    )  # fmt: skip
    assert (told["steps"], told["job_steps"], told["checkpoint_interval"]) == (9000, 4000, 2000)
    assert (told["seconds"], told["timestep_fs"], told["series_interval"]) == (540.0, 0.5, 20)
    assert (told["anode"], told["cathode"]) == ([1, 2], [3, 4])
    assert told["voltage_v"] == RAMP


@pytest.mark.parametrize(("potential", "every"), [("steady", 25), ("diffusion", 1)])
def test_the_potential_is_the_one_asked_for(types: AtomTypes, potential: str, every: int) -> None:
    told = settings(
        types, potential=potential, potential_interval=25, bond_cutoff=4.5, bond_norm=0.7, diffusivity=5.0,
        electron_steps=12, timestep_fs=0.5,
    )  # fmt: skip
    conditions = MdConditions(steps=100, seed=1, potential=potential, potential_interval=25)
    assert told["callback_interval"] == every == conditions.callback_interval
    assert told["potential"] == {
        "mode": potential, "cutoff": 4.5, "norm": 0.7, "k": 5.0, "n_electron": 12, "timestep_fs": 0.5,
    }  # fmt: skip
    masks = ([True, False], [False, True])
    assert ElectrochemicalPotential(*masks, **told["potential"])


def test_settings_survive_their_file(types: AtomTypes) -> None:
    told = settings(types)
    assert json.loads(json.dumps(told)) == told


def test_the_driver_travels_alone(tmp_path: Path) -> None:
    for name, text in driver_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # -I: nothing of this project's installation; only the folder of the job
    script = (
        "import sys; sys.path = [p for p in sys.path if 'aiida' not in p]; sys.meta_path = "
        "[f for f in sys.meta_path if 'editable' not in type(f).__module__ + getattr(f, '__module__', '')]; "
        f"sys.path.insert(0, {str(tmp_path)!r}); import {DRIVER_MODULE} as driver; print(driver.__file__); "
        "print([n for n, m in sys.modules.items() if n.startswith('aiida') and "
        f"not str(getattr(m, '__file__', None) or {str(tmp_path)!r}).startswith({str(tmp_path)!r})])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "aiida_rewire" / "bias" / "driver.py"), "[]"]


def test_what_travels_needs_no_more_than_numpy_and_scipy() -> None:
    allowed = {"numpy", "scipy", "lammps", "__future__", *sys.stdlib_module_names}
    for name, text in driver_files().items():
        for node in ast.walk(ast.parse(text)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for imported in names:
                here = imported.startswith(("aiida_rewire.bias", "aiida_rewire.errors"))
                assert here or imported.split(".")[0] in allowed, (name, imported)
