"""A commented campaign file, written from the models: each field with its meaning, unit and default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from aiida_rewire.campaign.chains import SETS
from aiida_rewire.campaign.md_steps import length_ps
from aiida_rewire.campaign.source import Place
from aiida_rewire.campaign.specification import PROTOCOLS_OWN, CampaignSpec
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.workflows.protocols import load_protocol

WIDTH = 110
INDENT = "  "
HEAD = """\
# A campaign of aiida-rewire: a chain of dynamics and conductances for each voltage and each seed.
# What is left out, or null, is the protocol's. `aiida-rewire campaign check FILE` says all that is wrong with it.
"""

SECONDS_PER_HOUR = 3600


def campaign_file(protocol: str, label: str = "silver") -> str:
    """Return the text of a campaign file with every field.

    Parameters
    ----------
    protocol
        Its protocol, whose values stand in the comments.
    label
        Of the campaign.
    """
    own = load_protocol(protocol, {})
    examples: dict[Place, Any] = {
        ("label",): label,
        ("protocol",): protocol,
        **{("codes", name): f"{name}@localhost" for name in ("md", "pw", "pp", "pwcond")},
        ("pseudo_family",): "rewire/frozen-d",
        # the demo's tips are made for its own voltage
        ("md", "voltages"): [own["production"]["voltage_v"]] if protocol == "demo" else [2.0, 8.0],
        ("md", "seeds"): [1, 2],
    }
    return HEAD + "\n".join(_lines(CampaignSpec, (), examples, own)) + "\n"


def _lines(model: type[BaseModel], place: Place, examples: Mapping[Place, Any], own: dict[str, Any]) -> Iterator[str]:
    margin = INDENT * len(place)
    described: set[type[BaseModel]] = set()
    for name, field in model.model_fields.items():
        here = (*place, name)
        below = field.annotation
        if not place:
            yield ""
        comment = _comment(field.description or "", _usual(here, own))
        if not (isinstance(below, type) and issubclass(below, BaseModel)):
            yield from _wrapped(comment, margin)
            value = examples[here] if here in examples else field.get_default(call_default_factory=True)
            yield f"{margin}{name}: {_written(value)}"
            continue
        yield from _wrapped(comment, margin)
        if below in described:
            # explained above
            values = {key: part.get_default(call_default_factory=True) for key, part in below.model_fields.items()}
            yield f"{margin}{name}: {{{', '.join(f'{key}: {_written(value)}' for key, value in values.items())}}}"
            continue
        described.add(below)
        yield f"{margin}{name}:"
        yield from _lines(below, here, examples, own)


def _comment(description: str, usual: Any) -> str:
    """Return a description with the protocol's own value in it."""
    return description if usual is None else description.replace(PROTOCOLS_OWN, f"{PROTOCOLS_OWN}, {_written(usual)}")


def _wrapped(comment: str, margin: str) -> list[str]:
    lines = textwrap.wrap(comment, WIDTH - len(margin), break_long_words=False, break_on_hyphens=False)
    return [f"{margin}# {line}" for line in lines]


def _written(value: Any) -> str:
    """Write a value as YAML in one line; text in quotes, so that none is taken for a number."""
    return json.dumps(value, ensure_ascii=False)


def _usual(place: Place, own: Mapping[str, Any]) -> Any:
    """Return what the protocol has for a field, in the unit of the field; None where it has nothing."""
    if place == ("md", "production_ps"):
        return length_ps(own["production"])
    if place == ("md", "equilibration_ps"):
        return length_ps(own["equilibration"])
    if place[0] == "resources":
        return _usual_resources(place, own)
    values: Any = own
    for part in SETS.get(place, ((),))[0]:
        values = values.get(part) if isinstance(values, Mapping) else None
    if values is None and place[0] == "md":
        return getattr(MdConditions, str(place[-1]), None)
    return None if isinstance(values, Mapping) else values


def _usual_resources(place: Place, own: Mapping[str, Any]) -> Any:
    if len(place) < 3:
        return None
    options = own[str(place[1])]["options"]
    return {
        "machines": options["resources"].get("num_machines"),
        "ranks": options["resources"].get("num_mpiprocs_per_machine"),
        "walltime_h": options["max_wallclock_seconds"] / SECONDS_PER_HOUR,
    }.get(str(place[2]))
