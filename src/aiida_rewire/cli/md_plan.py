"""What `aiida-rewire md submit` is to run: the values of a protocol, with the user's own in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from aiida_rewire.campaign.md_steps import stages_with
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.protocols import check_dynamics, load_protocol

WALL_HOURS = (0.01, 8760.0)

TIPS = ("gap", "base_side", "apex_side", "orientation", "fixed_layers")
CONDITIONS = {"temperature": "temperature_k", "timestep": "timestep_fs", "bias": "bias", "potential": "potential"}
"""Option: what it is called in the conditions of equilibration and production."""


def plan(
    protocol: str, voltages: Sequence[Any], seeds: Sequence[int], changes: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the inputs of each run, checked: one for each voltage and each seed.

    Parameters
    ----------
    protocol
        By name.
    voltages
        V, or points (ps, V); none for the protocol's.
    seeds
        Of the velocities; none for the protocol's.
    changes
        What else the user gave, by option.

    Raises
    ------
    InvalidInput
        If a run could not begin, or would be the same as another.
    """
    own = load_protocol(protocol, {}, workflow="dynamics")
    for name, given in (("voltage", voltages), ("seed", seeds)):
        if any(value in given[:place] for place, value in enumerate(given)):
            raise InvalidInput(name, ", ".join(map(str, given)), "given once each", "each makes one run")
    bias = changes.get("bias", own["production"].get("bias", "driver"))
    usual = 0.0 if bias == "none" else own["production"]["voltage_v"]
    runs = []
    for volts, seed in product(voltages or [usual], seeds or [own["production"]["seed"]]):
        values = values_of(own, {**changes, "bias": bias})
        values["production"] |= {"voltage_v": volts, "seed": seed}
        values["equilibration"] |= {"seed": seed}
        check_dynamics(values)
        runs.append(values)
    return runs


def values_of(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a protocol with those that the user gave; lengths in ps stay with another time step.

    Raises
    ------
    InvalidInput
        If a length is out of bounds, or no multiple of the time between frames.
    """
    equilibration, production = stages_with(
        own,
        {name: changes[option] for option, name in CONDITIONS.items() if option in changes},
        production_ps=changes.get("ps"),
        names={"timestep_fs": "timestep", "production_ps": "ps"},
        way_out="change --ps or --timestep",
    )
    return {
        **own,
        "tips": {**own["tips"], **{key: changes[key] for key in TIPS if key in changes}},
        "equilibration": equilibration,
        "production": production,
        "snapshot_interval_ps": changes.get("snapshot_ps", own["snapshot_interval_ps"]),
        "md": {**own["md"], "options": {**own["md"]["options"], **options_of(changes)}},
    }


def options_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the jobs that the user gave.

    Raises
    ------
    InvalidInput
        If the wall time is out of bounds.
    """
    options: dict[str, Any] = {}
    if "ranks" in changes:
        ranks = changes["ranks"]
        options["resources"] = {"num_machines": 1, "num_mpiprocs_per_machine": ranks}
        options["withmpi"] = ranks > 1
    if "wall_hours" in changes:
        hours = changes["wall_hours"]
        if not WALL_HOURS[0] <= hours <= WALL_HOURS[1]:
            bound = f"from {WALL_HOURS[0]:g} to {WALL_HOURS[1]:g} h"
            raise InvalidInput("wall-hours", f"{hours:g} h", bound, "a run goes on in further jobs")
        options["max_wallclock_seconds"] = round(hours * 3600)
    return options
