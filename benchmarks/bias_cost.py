"""What the driver of the bias adds to a step of the dynamics: `python benchmarks/bias_cost.py`.

LAMMPS by itself and under the driver take turns on the tips of the paper (2 x 1240 atoms), open and in contact, and
the best of the turns counts. Charges cost more under a voltage, so the steps are compared with those at 8 V for which
the potential is spread once, at the beginning. With `--ranks N` all run on N MPI ranks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from aiida_rewire.junction.tips import Region, TipPair, build_tips
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.driven import DRIVER_MODULE, SETTINGS_FILE, driver_files, driver_settings
from aiida_rewire.md.log import read_log
from aiida_rewire.md.reaxff import force_field_text, silver_parameters
from aiida_rewire.md.script import DATA_FILE, FORCE_FIELD_FILE, AtomTypes, Start, data_file, input_script

LOG = "log.lammps"
BIN = Path(sys.executable).parent
TYPES = AtomTypes(elements=("Ag",) * 4, fixed=(1, 4), anode=(1,), cathode=(4,))
SILVER_MASS = 107.8682

VARIANTS: dict[str, dict[str, object]] = {
    "LAMMPS alone, 0 V": {"bias": "none"},
    "8 V, spread once": {"voltage_v": 8.0, "potential": "steady", "potential_interval": 10**6},
    "steady, every 10 steps": {"voltage_v": 8.0, "potential": "steady", "potential_interval": 10},
    "steady, every step": {"voltage_v": 8.0, "potential": "steady", "potential_interval": 1},
    "diffusion": {"voltage_v": 8.0, "potential": "diffusion"},
}
GAPS = {"open": 8.3, "in contact": 2.9}


def prepare(folder: Path, tips: TipPair, conditions: MdConditions) -> list[str]:
    """Write the job's files; return its command line."""
    numbers = [list(Region).index(region) + 1 for region in tips.regions]
    (folder / DATA_FILE).write_text(data_file(tips.positions, numbers, [SILVER_MASS] * 4))
    (folder / FORCE_FIELD_FILE).write_text(force_field_text(silver_parameters()))
    if conditions.bias == "none":
        (folder / "md.in").write_text(input_script(conditions, TYPES, start=Start.ATOMS, seconds=1e6))
        return [str(BIN / "lmp"), "-in", "md.in", "-log", LOG, "-screen", "none"]
    for name, text in driver_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    settings = driver_settings(conditions, TYPES, start=Start.ATOMS, seconds=1e6, log=LOG)
    (folder / SETTINGS_FILE).write_text(json.dumps(settings))
    return [sys.executable, "-m", DRIVER_MODULE, SETTINGS_FILE]


def ms_per_step(tips: TipPair, changes: dict[str, object], steps: int, ranks: int) -> float:
    """Run a number of steps; return the time that LAMMPS gives for its loop, ms a step."""
    given = {"steps": steps, "seed": 1, "dump_interval": steps, "checkpoint_interval": steps, **changes}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = prepare(folder, tips, MdConditions.from_mapping(given))
        launcher = [] if ranks == 1 else [str(BIN / "mpiexec"), "-np", str(ranks)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*launcher, *command], cwd=folder, env=environment, check=True, capture_output=True)
        return read_log(folder / LOG).wall_time_s * 1000 / steps


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-side", type=int, default=15, help="atoms along an edge of a tip's base")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args()
    table = Table("tips", "potential", "ms a step", "to 8 V, spread once")
    for name, gap in GAPS.items():
        tips = build_tips(base_side=options.base_side, gap=gap)
        best = dict.fromkeys(VARIANTS, float("inf"))
        for _ in range(options.turns):
            for variant, changes in VARIANTS.items():
                best[variant] = min(best[variant], ms_per_step(tips, changes, options.steps, options.ranks))
        for variant, time in best.items():
            ratio = time / best["8 V, spread once"]
            table.add_row(f"{len(tips.positions)} atoms, {name}", variant, f"{time:.1f}", f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
