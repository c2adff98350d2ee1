"""Lengths in picoseconds as steps of a dynamics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida_rewire.errors import InvalidInput
from aiida_rewire.md.conditions import LARGEST_TIMESTEP_FS, MdConditions

LONGEST_PS = 1e6
SHORTEST_TIMESTEP_FS = 1e-3

COUNTED = ("steps", "timestep_fs", "dump_interval")
NAMES = {name: name for name in ("timestep_fs", "production_ps", "equilibration_ps")}
WAY_OUT = "change it, or md.timestep_fs"


def stages_with(
    own: Mapping[str, Any],
    conditions: Mapping[str, Any],
    *,
    production_ps: float | None = None,
    equilibration_ps: float | None = None,
    names: Mapping[str, str] = NAMES,
    way_out: str = WAY_OUT,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return equilibration and production with other conditions; lengths in ps stay with another time step.

    Parameters
    ----------
    own
        Values of a protocol.
    conditions
        What replaces the protocol's in both.
    production_ps, equilibration_ps
        Lengths, ps; None for the protocol's.
    names
        What the user calls the time step and the lengths, for messages.
    way_out
        From a length that does not divide.

    Raises
    ------
    InvalidInput
        If the time step or a length is out of bounds, a length is no multiple of the time between frames, or the
        potential is given where nobody would spread it so.
    """
    for stage in ("equilibration", "production"):
        # of the right types, before they are counted with
        MdConditions.from_mapping({"seed": 1, **{key: own[stage][key] for key in COUNTED}})
    production = {**own["production"], **conditions}
    equilibration = {**own["equilibration"], **conditions}
    if "potential" in conditions and production.get("bias", "driver") != "driver":
        raise InvalidInput("potential", conditions["potential"], "left out without the driver", "take `bias: driver`")
    timestep, frame = production["timestep_fs"], production["dump_interval"]
    if not SHORTEST_TIMESTEP_FS <= timestep <= LARGEST_TIMESTEP_FS:
        bound = f"from {SHORTEST_TIMESTEP_FS:g} to {LARGEST_TIMESTEP_FS:g} fs"
        raise InvalidInput(names["timestep_fs"], f"{timestep:g} fs", bound, "the paper uses 1 fs")
    frame_ps = frame * timestep / 1000
    ps = length_ps(own["production"]) if production_ps is None else production_ps
    production["steps"] = frame * frames_of(ps, frame_ps, names["production_ps"], way_out)
    if equilibration_ps is None:
        # its end is a frame, the first under the voltage
        frames = math.ceil(length_ps(own["equilibration"]) / frame_ps - 1e-6)
    else:
        frames = frames_of(equilibration_ps, frame_ps, names["equilibration_ps"], way_out)
    equilibration["steps"] = frame * frames
    return equilibration, production


def length_ps(stage: Mapping[str, Any]) -> float:
    """Return how long a stage is, ps."""
    return float(stage["steps"] * stage["timestep_fs"] / 1000)


def frames_of(ps: float, frame_ps: float, name: str, way_out: str) -> int:
    """Return into how many times between frames a length divides.

    Raises
    ------
    InvalidInput
        If the length is out of bounds or does not divide.
    """
    bound = f"a multiple of the {frame_ps:g} ps between frames, at most {LONGEST_PS:g} ps"
    if not 0 < ps <= LONGEST_PS or round(ps / frame_ps) < 1 or abs(ps / frame_ps - round(ps / frame_ps)) > 1e-6:
        raise InvalidInput(name, f"{ps:g} ps", bound, way_out)
    return round(ps / frame_ps)
