"""The chains of a campaign: one for each voltage and each seed, with the values of its protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from aiida_rewire.campaign.md_steps import stages_with
from aiida_rewire.campaign.slots import snapshots_in
from aiida_rewire.campaign.source import Place
from aiida_rewire.campaign.specification import CampaignSpec, EnergyRange, JobResources, Reuse, Tips
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.protocols import load_protocol

__all__ = ["Chain", "chains_of", "common_values", "name_of", "snapshots_in", "values_with"]

STAGES = ("equilibration", "production")
CONDITIONS = ("temperature_k", "timestep_fs", "bias", "potential")
STEPS = ("md", "lead", "scf", "readback", "pwcond")

PLAIN_OPTIONS = {"account": "account", "partition": "queue_name", "qos": "qos"}
"""Field of the resources: option of AiiDA."""

SETS: Mapping[Place, tuple[Place, ...]] = {
    **{("tips", name): (("tips", name),) for name in Tips.model_fields},
    **{("md", name): tuple((stage, name) for stage in STAGES) for name in CONDITIONS},
    ("md", "voltages"): (("production", "voltage_v"),),
    ("md", "seeds"): tuple((stage, "seed") for stage in STAGES),
    ("md", "equilibration_ps"): (("equilibration", "steps"),),
    ("md", "production_ps"): (("production", "steps"),),
    ("snapshots", "interval_ps"): (("snapshot_interval_ps",),),
    **{("snapshots", name): ((name,),) for name in ("lanes", "warm_start", "one_job")},
    ("energies",): (("pwcond", "energies"),),
    **{("reuse", name): (("reuse", name),) for name in Reuse.model_fields},
    **{
        ("resources", step, name): ((step, "options", option),)
        for step in STEPS
        for name, option in {
            **PLAIN_OPTIONS,
            "machines": "resources",
            "ranks": "resources",
            "walltime_h": "max_wallclock_seconds",
            "memory_gb": "max_memory_kb",
            "scheduler_lines": "custom_scheduler_commands",
        }.items()
    },
}
"""Which values of the protocol a field of the file replaces."""


@dataclass(frozen=True)
class Chain:
    """A chain of a campaign.

    Attributes
    ----------
    name
        Within the campaign: ``8V-s1``; ``ramp-3f2a90-s1`` where the voltage is given as points.
    voltage_v
        V, or points (ps, V).
    seed
        Of the velocities.
    values
        Of the protocol, with all that the file says in their places.
    """

    name: str
    voltage_v: Any
    seed: int
    values: dict[str, Any]


def name_of(voltage: Any, seed: int) -> str:
    """Name a chain by its voltage (V, or points in ps and V) and its seed."""
    if isinstance(voltage, (int, float)):
        return f"{repr(float(voltage) + 0.0).removesuffix('.0')}V-s{seed}"
    points = [[float(part) for part in point] for point in voltage]
    return f"ramp-{hashlib.sha256(json.dumps(points).encode()).hexdigest()[:6]}-s{seed}"


def chains_of(spec: CampaignSpec) -> list[Chain]:
    """Return the chains of a campaign, in the order of its voltages, and of its seeds below each.

    Raises
    ------
    InvalidInput
        If the protocol does not take what the file says.
    """
    common = common_values(spec)
    return [
        Chain(name_of(voltage, seed), voltage, seed, values_with(common, voltage, seed))
        for voltage, seed in product(spec.md.voltages, spec.md.seeds)
    ]


def values_with(common: Mapping[str, Any], voltage: Any, seed: int) -> dict[str, Any]:
    """Return the values of one chain from what all have in common."""
    return {
        **common,
        "equilibration": {**common["equilibration"], "seed": seed},
        "production": {**common["production"], "seed": seed, "voltage_v": voltage},
    }


def common_values(spec: CampaignSpec) -> dict[str, Any]:
    """Return the values of the protocol with what the file says, but for voltage and seed.

    Raises
    ------
    InvalidInput
        If a key of the overrides is unknown, or a length of the dynamics is out of bounds.
    """
    own = load_protocol(spec.protocol, spec.overrides)
    conditions = {name: getattr(spec.md, name) for name in CONDITIONS if getattr(spec.md, name) is not None}
    equilibration, production = stages_with(
        own, conditions, production_ps=spec.md.production_ps, equilibration_ps=spec.md.equilibration_ps
    )
    values = {
        **own,
        "tips": {**own["tips"], **given(spec.tips)},
        "equilibration": equilibration,
        "production": production,
        "reuse": {**own["reuse"], **given(spec.reuse)},
    }
    for name, value in given(spec.snapshots).items():
        values["snapshot_interval_ps" if name == "interval_ps" else name] = value
    for step in STEPS:
        section = values[step]
        values[step] = {**section, "options": options_with(section["options"], getattr(spec.resources, step))}
    if spec.energies is not None:
        wanted = spec.energies.model_dump() if isinstance(spec.energies, EnergyRange) else spec.energies
        values["pwcond"] = {**values["pwcond"], "energies": wanted}
    return values


def given(section: Any) -> dict[str, Any]:
    """Return what a section of the file says."""
    return {name: value for name, value in section.model_dump().items() if value is not None}


def check_counts(options: Mapping[str, Any]) -> None:
    """Ask for whole numbers of machines, ranks and cores.

    Parameters
    ----------
    options
        Of AiiDA's jobs.

    Raises
    ------
    InvalidInput
        Otherwise.
    """
    for name, value in options["resources"].items():
        if name.startswith(("num_", "tot_")) and (type(value) is not int or value < 1):
            raise InvalidInput(name, repr(value), "a whole number, at least 1", "correct it")


def ranks_in(options: Mapping[str, Any]) -> int:
    """Return on how many MPI ranks a job with these options of AiiDA runs."""
    if not options.get("withmpi", True):
        return 1
    resources = options["resources"]
    each = resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    return int(resources.get("tot_num_mpiprocs") or each)


def options_with(own: Mapping[str, Any], wanted: JobResources) -> dict[str, Any]:
    """Return options of AiiDA's jobs with the resources that the file asks for."""
    options = dict(own)
    if wanted.machines is not None or wanted.ranks is not None:
        resources = dict(own["resources"])
        if wanted.machines is not None:
            resources["num_machines"] = wanted.machines
        if wanted.ranks is not None:
            resources["num_mpiprocs_per_machine"] = wanted.ranks
        options["resources"] = resources
        options["withmpi"] = ranks_in({"resources": resources, "withmpi": True}) > 1
    if wanted.walltime_h is not None:
        options["max_wallclock_seconds"] = round(wanted.walltime_h * 3600)
    for name, option in PLAIN_OPTIONS.items():
        if (value := getattr(wanted, name)) is not None:
            options[option] = value
    if wanted.memory_gb is not None:
        # AiiDA counts in 1024 bytes
        options["max_memory_kb"] = round(wanted.memory_gb * 1e9 / 1024)
    if wanted.scheduler_lines:
        options["custom_scheduler_commands"] = "\n".join(wanted.scheduler_lines)
    return options
