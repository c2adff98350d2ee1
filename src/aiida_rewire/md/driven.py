"""What the driver of the bias is told, and the files that travel with it."""

from __future__ import annotations

from importlib.resources import files

from aiida_rewire.bias.outputs import BLOCK_DUMP
from aiida_rewire.md import script
from aiida_rewire.md.conditions import MdConditions

SETTINGS_FILE = "driver.json"
DRIVER_MODULE = "aiida_rewire.bias.driver"
COMPRESSED_DUMP = f"{script.DUMP_FILE}.gz"


def driver_settings(
    conditions: MdConditions, types: script.AtomTypes, *, start: script.Start, seconds: float, log: str
) -> dict[str, object]:
    """Return the settings of :mod:`aiida_rewire.bias.driver` for a job.

    Parameters
    ----------
    conditions
        What the run does.
    types
        The atom types.
    start
        What the job begins with.
    seconds
        Wall time after which the job ends at its last checkpoint.
    log
        Name of LAMMPS's log.
    """
    return {
        "log": log,
        "preparation": script.preparation(conditions, types, start),
        "block": script.block(conditions, types, "${checkpoint}", BLOCK_DUMP),
        "first_checkpoint": script.FIRST_CHECKPOINT,
        "checkpoints": list(script.CHECKPOINTS),
        "set_time_left": script.read_time_left("SECONDS"),
        "time_limit": script.TIME_LIMIT,
        "checkpoint_line": script.CHECKPOINT_LINE,
        "out_of_time_line": script.OUT_OF_TIME_LINE,
        "last_line": script.LAST_LINE,
        "dump": COMPRESSED_DUMP,
        "steps": conditions.steps,
        "job_steps": conditions.job_steps,
        "checkpoint_interval": conditions.checkpoint_interval,
        "series_interval": conditions.dump_interval,
        "seconds": seconds,
        "timestep_fs": conditions.timestep_fs,
        "voltage_v": conditions.voltage_v,
        "anode": list(types.anode),
        "cathode": list(types.cathode),
        "callback_interval": conditions.callback_interval,
        "potential": {
            "mode": conditions.potential,
            "cutoff": conditions.bond_cutoff,
            "norm": conditions.bond_norm,
            "k": conditions.diffusivity,
            "n_electron": conditions.electron_steps,
            "timestep_fs": conditions.timestep_fs,
        },
    }


def driver_files() -> dict[str, str]:
    """Return the Python files that the driver consists of, by their path in the job's folder."""
    package = files("aiida_rewire.bias")
    sources = {
        f"aiida_rewire/bias/{entry.name}": entry.read_text()
        for entry in package.iterdir()
        if entry.name.endswith(".py")
    }
    return sources | {"aiida_rewire/errors.py": files("aiida_rewire").joinpath("errors.py").read_text()}
