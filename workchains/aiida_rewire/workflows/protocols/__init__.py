"""Named sets of inputs, from which a chain is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any

import yaml

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.conditions import MdConditions

JUNCTION_KEYS = ("lattice_constant", "supercell", "largest_supercell", "lower_layers", "upper_layers")
LARGEST_SUPERCELL = 8

OPEN_KEYS = frozenset({"parameters", "options", "SYSTEM", "ELECTRONS", "CONTROL", "resources"})
"""Below these keys a protocol takes whatever the code or AiiDA takes."""

WHOLE_KEYS = frozenset({"kpoints", "energies"})
"""What stands at these keys is replaced as a whole."""

OPTIONAL_KEYS = {
    name: frozenset(field.name for field in fields(MdConditions)) for name in ("equilibration", "production")
}
"""Keys that a protocol may leave to their defaults, by the section in which they stand."""

BUILT_ON = {"chain": ("dynamics", "transmission")}
"""The protocol of a workflow holds those of other workflows, of the same name, as well."""


def protocol_names(workflow: str = "chain") -> list[str]:
    """Names of the protocols of a workflow: ``chain``, ``dynamics`` or ``transmission``."""
    folder = files(__package__).joinpath(workflow)
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_protocol(name: str, overrides: Mapping[str, Any], *, workflow: str = "chain") -> dict[str, Any]:
    """Return a protocol with values replaced key by key.

    Parameters
    ----------
    name
        The protocol.
    overrides
        Nested as the protocol is.
    workflow
        ``chain``, ``dynamics`` or ``transmission``.

    Raises
    ------
    InvalidInput
        If the protocol or a key is unknown.
    """
    if name not in protocol_names(workflow):
        names = ", ".join(protocol_names(workflow))
        raise InvalidInput("protocol", name, f"one of {names}", "correct the name")
    return _merge(_read(workflow, name), overrides, path=())


def _read(workflow: str, name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(files(__package__).joinpath(workflow, f"{name}.yaml").read_text())
    for other in BUILT_ON.get(workflow, ()):
        values |= _read(other, name)
    return values


def check_protocol(values: Mapping[str, Any]) -> None:
    """Refuse values with which the chain could not begin; the work chain asks the same of its inputs.

    Parameters
    ----------
    values
        As :func:`load_protocol` returns them.

    Raises
    ------
    InvalidInput
        If tips, dynamics, flat layers, times or lanes are out of bounds.
    """
    check_dynamics(values)
    if type(values["lanes"]) is not int or values["lanes"] < 1:
        raise InvalidInput("lanes", values["lanes"], "at least 1", "one lane runs one snapshot at a time")
    flags = {name: values[name] for name in ("one_job", "warm_start") if name in values}
    flags |= {f"reuse.{name}": value for name, value in values.get("reuse", {}).items()}
    for name, value in flags.items():
        if type(value) is not bool:
            raise InvalidInput(name, value, "true or false", "correct it")


def check_dynamics(values: Mapping[str, Any]) -> None:
    """Refuse values with which the dynamics could not begin; the work chain asks the same of its inputs.

    Parameters
    ----------
    values
        As :func:`load_protocol` returns them.

    Raises
    ------
    InvalidInput
        If tips, dynamics, flat layers or times are out of bounds.
    """
    # protocols are read where nothing is checked, and scipy need not be imported
    from aiida_rewire.junction.assembly import check_layers

    try:
        build_tips(**values["tips"])
    except TypeError as error:
        raise InvalidInput("tips", sorted(values["tips"]), "keywords of build_tips", "correct the keys") from error
    equilibration = MdConditions.from_mapping(values["equilibration"])
    production = MdConditions.from_mapping(values["production"])
    junction = values["junction"]
    if sorted(junction) != sorted(JUNCTION_KEYS):
        raise InvalidInput("junction", sorted(junction), f"exactly {', '.join(JUNCTION_KEYS)}", "correct the keys")
    Fcc111(junction["lattice_constant"], junction["supercell"])
    largest = junction["largest_supercell"]
    if type(largest) is not int or not junction["supercell"] <= largest <= LARGEST_SUPERCELL:
        raise InvalidInput(
            "largest_supercell",
            largest,
            f"whole, from the supercell of {junction['supercell']} to {LARGEST_SUPERCELL}",
            "wider contacts than it holds have no conductance",
        )
    check_layers(junction["lower_layers"], junction["upper_layers"])
    if (equilibration.bias == "driver") != (production.bias == "driver"):
        raise InvalidInput(
            "production.bias",
            production.bias,
            f"run by the same program as the equilibration's, {equilibration.bias}",
            "`driver` runs in Python, `native` and `none` in LAMMPS",
        )
    _check_times(equilibration, production, values["snapshot_interval_ps"])


def _check_times(equilibration: MdConditions, production: MdConditions, interval_ps: float) -> None:
    if production.minimize:
        raise InvalidInput("production.minimize", True, "false", "relax the tips before the equilibration")
    if production.seed != equilibration.seed:
        raise InvalidInput(
            "production.seed",
            production.seed,
            f"that of the equilibration, {equilibration.seed}, which alone makes velocities",
            "give both the same",
        )
    if equilibration.steps % production.dump_interval:
        raise InvalidInput(
            "equilibration.steps",
            equilibration.steps,
            f"a multiple of the production's dump_interval of {production.dump_interval}",
            "else the first frame is not the moment at which the voltage is switched on",
        )
    frame_ps = production.dump_interval * production.timestep_fs / 1000
    length_ps = production.steps * production.timestep_fs / 1000
    frames = interval_ps / frame_ps
    if not 0 < interval_ps <= length_ps or abs(frames - round(frames)) > 1e-6:
        raise InvalidInput(
            "snapshot_interval_ps",
            f"{interval_ps:g} ps",
            f"a multiple of the {frame_ps:g} ps between frames, at most the {length_ps:g} ps of the production",
            "change it, the time step or dump_interval",
        )


def _merge(values: dict[str, Any], overrides: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in overrides.items():
        where = (*path, key)
        if key in WHOLE_KEYS and key in values:
            merged[key] = value
            continue
        optional = OPTIONAL_KEYS.get(path[-1], frozenset()) if path else frozenset()
        if key not in values and key not in optional and not OPEN_KEYS.intersection(path):
            known = ", ".join(values)
            raise InvalidInput("overrides", ".".join(where), f"a key of the protocol: {known}", "correct the key")
        if isinstance(values.get(key), dict) and not isinstance(value, Mapping):
            raise InvalidInput(f"overrides.{'.'.join(where)}", repr(value), "a mapping", "nest it as the protocol is")
        if key in values and not isinstance(values[key], dict) and isinstance(value, Mapping):
            raise InvalidInput(f"overrides.{'.'.join(where)}", repr(value), "a value", "nest it as the protocol is")
        merged[key] = _merge(values.get(key) or {}, value, where) if isinstance(value, Mapping) else value
    return merged
