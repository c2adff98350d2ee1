"""Named sets of inputs, from which a chain is built."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.conditions import MdConditions

OPEN_KEYS = frozenset({"parameters", "options", "SYSTEM", "ELECTRONS", "CONTROL", "resources"})
"""Below these keys a protocol takes whatever the code or AiiDA takes."""


def protocol_names() -> list[str]:
    """Names of the protocols."""
    return sorted(entry.name.removesuffix(".yaml") for entry in files(__package__).iterdir() if ".yaml" in entry.name)


def load_protocol(name: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol with values replaced key by key.

    Parameters
    ----------
    name
        The protocol.
    overrides
        Nested as the protocol is.

    Raises
    ------
    InvalidInput
        If the protocol or a key is unknown.
    """
    if name not in protocol_names():
        raise InvalidInput("protocol", name, f"one of {', '.join(protocol_names())}", "correct the name")
    values: dict[str, Any] = yaml.safe_load(files(__package__).joinpath(f"{name}.yaml").read_text())
    return _merge(values, overrides, path=())


def check_protocol(values: Mapping[str, Any]) -> None:
    """Refuse values with which the chain could not begin; the work chain asks the same of its inputs.

    Parameters
    ----------
    values
        As :func:`load_protocol` returns them.

    Raises
    ------
    InvalidInput
        If tips, dynamics or flat layers are out of bounds.
    """
    build_tips(**values["tips"])
    for stage in ("equilibration", "production"):
        MdConditions.from_mapping(values[stage])
    Fcc111(values["junction"]["lattice_constant"], values["junction"]["supercell"])


def _merge(values: dict[str, Any], overrides: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in overrides.items():
        where = (*path, key)
        if key not in values and not OPEN_KEYS.intersection(path):
            known = ", ".join(values)
            raise InvalidInput("overrides", ".".join(where), f"a key of the protocol: {known}", "correct the key")
        if isinstance(values.get(key), dict) and not isinstance(value, Mapping):
            raise InvalidInput(f"overrides.{'.'.join(where)}", repr(value), "a mapping", "nest it as the protocol is")
        merged[key] = _merge(values.get(key) or {}, value, where) if isinstance(value, Mapping) else value
    return merged
