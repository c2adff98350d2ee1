"""A campaign file from text to specification, with every error at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aiida_rewire.campaign.files import LEAVE_OUT, FileErrors, source_in, source_of, validated
from aiida_rewire.campaign.refusals import chain_problems
from aiida_rewire.campaign.source import Place, Problem, Source
from aiida_rewire.campaign.specification import CampaignSpec, Codes
from aiida_rewire.campaign.wording import problems_of

STAND_INS: Mapping[Place, Any] = {
    ("label",): "campaign",
    ("codes",): {name: f"{name}@computer" for name in Codes.model_fields},
    **{("codes", name): f"{name}@computer" for name in Codes.model_fields},
    ("pseudo_family",): "family",
    ("md",): {"voltages": [0.0], "seeds": [1]},
    ("md", "voltages"): [0.0],
    ("md", "seeds"): [1],
    ("energies", "start"): 0.0,
    ("energies", "stop"): 0.0,
    ("energies", "step"): 1.0,
}
"""What stands in the place of a required value that is wrong, so that the others can be checked all the same."""

STAND_IN_ITEMS: Mapping[Place, Any] = {
    ("md", "voltages"): 0.0,
    ("md", "seeds"): 1,
    ("energies",): 0.0,
    ("resources", "scheduler_lines"): "#",
}
"""The same in lists, whose other items keep their positions; of resources for every step."""

WRITTEN_BY = "aiida-rewire campaign new"

CampaignErrors = FileErrors
"""What is wrong with a campaign file."""


@dataclass(frozen=True)
class Reading:
    """A campaign file that could be read, be it right or wrong.

    Attributes
    ----------
    source
        The file.
    problems
        What is wrong with it.
    spec
        What it says, with something harmless in the place of what is wrong; None where nothing is.
    """

    source: Source
    problems: list[Problem]
    spec: CampaignSpec | None


def read_campaign(path: Path) -> CampaignSpec:
    """Read a campaign file.

    Raises
    ------
    CampaignErrors
        With every error at once, each with its line and a way out.
    """
    return _without_problems(examine_file(path))


def spec_of(text: str, name: str) -> CampaignSpec:
    """Read the text of a campaign file.

    Parameters
    ----------
    text
        Of the file.
    name
        Of the file, for messages.

    Raises
    ------
    CampaignErrors
        With every error at once, each with its line and a way out.
    """
    return _without_problems(examine(text, name))


def _without_problems(reading: Reading) -> CampaignSpec:
    if reading.problems or reading.spec is None:
        raise CampaignErrors(reading.source.messages(reading.problems))
    return reading.spec


def examine_file(path: Path) -> Reading:
    """Read a campaign file, be it right or wrong.

    Raises
    ------
    CampaignErrors
        If it cannot be read at all.
    """
    return _examined(source_in(path, WRITTEN_BY))


def examine(text: str, name: str) -> Reading:
    """Read the text of a campaign file, be it right or wrong.

    Parameters
    ----------
    text
        Of the file.
    name
        Of the file, for messages.

    Raises
    ------
    CampaignErrors
        If it cannot be read at all.
    """
    return _examined(source_of(text, name, WRITTEN_BY))


def _examined(source: Source) -> Reading:
    spec, wrong = validated(CampaignSpec, source.values, _stand_in)
    problems = [*source.repeated, *wrong]
    if spec is not None:
        refused, spec = chain_problems(spec, {problem.place for problem in wrong})
        problems += refused
    return Reading(source, problems, spec)


def _stand_in(place: Place) -> Any:
    """Return what stands in for a value that is wrong."""
    if place and isinstance(place[-1], int):
        above = place[:-1]
        return STAND_IN_ITEMS.get(above if len(above) < 3 else (above[0], above[-1]))
    return STAND_INS.get(place, LEAVE_OUT)


def spec_from_record(values: Mapping[str, Any]) -> CampaignSpec:
    """Return a specification from what was recorded of it.

    Parameters
    ----------
    values
        What ``spec.model_dump(mode="json")`` gave.

    Raises
    ------
    CampaignErrors
        If it is none: it was changed, or recorded by another version.
    """
    try:
        return CampaignSpec.model_validate(dict(values))
    except ValidationError as error:
        problems = problems_of(error, dict(values), CampaignSpec)
        raise CampaignErrors([f"record: {problem.text}" for problem in problems]) from error


def digest_of(spec: CampaignSpec) -> str:
    """Return a SHA-256 that is the same for files that mean the same, whatever their order and comments."""
    # without defaults, so that a field that comes with another version changes nothing
    values = spec.model_dump(mode="json", exclude_defaults=True)
    for name in ("voltages", "seeds"):
        values["md"][name] = sorted(values["md"][name], key=json.dumps)
    text = json.dumps(_canonical(values), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Return 800 for 800.0, wherever it stands."""
    if isinstance(value, dict):
        return {key: _canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
