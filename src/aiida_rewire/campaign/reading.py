"""A campaign file from text to specification, with every error at once."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aiida_rewire.campaign.refusals import chain_problems
from aiida_rewire.campaign.source import BadSource, Place, Problem, Source, parse, read_text
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

ROUNDS = 5


class CampaignErrors(ValueError):
    """What is wrong with a campaign file, all of it.

    Attributes
    ----------
    errors
        A line for each: ``FILE:LINE: field.path = value: must be bound; way out``.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


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
    # a name may hold anything, a line of a message may not
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        text = read_text(path)
    except BadSource as error:
        raise CampaignErrors([f"{name}:{error.line}: {error}"]) from error
    return examine(text, name)


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
    try:
        source = parse(text, name)
    except BadSource as error:
        raise CampaignErrors([f"{name}:{error.line}: {error}"]) from error
    if not isinstance(source.values, dict):
        kind = "empty" if source.values is None else "no mapping"
        raise CampaignErrors([f"{name}:1: the file is {kind}; `aiida-rewire campaign new` writes one"])
    spec, wrong = _validated(source.values)
    problems = [*source.repeated, *wrong]
    if spec is not None:
        refused, spec = chain_problems(spec, {problem.place for problem in wrong})
        problems += refused
    return Reading(source, problems, spec)


def _validated(values: dict[str, Any]) -> tuple[CampaignSpec | None, list[Problem]]:
    """Return a specification, mended where values are wrong, and what is wrong with them."""
    problems: list[Problem] = []
    tried = copy.deepcopy(values)
    for _ in range(ROUNDS):
        try:
            return CampaignSpec.model_validate(tried), problems
        except ValidationError as error:
            found = problems_of(error, tried, CampaignSpec)
            problems += found
            for problem in found:
                _mend(tried, problem.place)
    return None, problems


def _mend(values: Any, place: Place) -> None:
    """Take a value out, or put its stand-in there."""
    *above, last = place or ("",)
    for part in above:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return
    if place in STAND_INS and isinstance(values, dict):
        values[last] = copy.deepcopy(STAND_INS[place])
    elif isinstance(values, dict):
        values.pop(last, None)
    elif isinstance(values, list) and isinstance(last, int) and last < len(values):
        values[last] = STAND_IN_ITEMS.get(tuple(above) if len(above) < 3 else (above[0], above[-1]))


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
