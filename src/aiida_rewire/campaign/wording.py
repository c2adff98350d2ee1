"""What pydantic refuses, in the words of the house: `field = value: must be bound; way out`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from aiida_rewire.campaign.source import Place, Problem, dotted, shown
from aiida_rewire.errors import InvalidInput

KINDS = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping, `key: value`",
    "model_type": "a mapping, `key: value`",
    "model_attributes_type": "a mapping, `key: value`",
    "list_type": "a list, [one, another]",
}
"""What a value must be, by what pydantic calls its refusal."""

NUMBERS = ("float_type", "int_type", "finite_number", "int_from_float")

UNITS = {
    "ps": {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "µs": 1e6},
    "fs": {"fs": 1.0, "ps": 1e3, "as": 1e-3},
    "h": {"s": 1 / 3600, "min": 1 / 60, "m": 1 / 60, "h": 1.0, "d": 24.0, "days": 24.0},
    "Å": {"A": 1.0, "Å": 1.0, "nm": 10.0, "pm": 0.01},
    "V": {"V": 1.0, "mV": 1e-3},
    "eV": {"eV": 1.0, "meV": 1e-3, "Ry": 13.605693},
    "K": {"K": 1.0},
    "GB": {"GB": 1.0, "MB": 1e-3, "TB": 1e3, "G": 1.0, "M": 1e-3, "T": 1e3},
}
"""What people write in the place of a number, in the unit that the field wants."""
LONGEST = 120
WITH_UNIT = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([^\W\d_]+)\s*")


def refusal(place: Place, value: Any, bound: str, way_out: str) -> Problem:
    """Return a problem in the house's form; a long value is cut."""
    text = str(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return Problem(place, str(InvalidInput(dotted(place), text, bound, way_out)))


def problems_of(error: ValidationError, values: Any, model: type[BaseModel]) -> list[Problem]:
    """Return what is wrong with values, each with its place.

    Parameters
    ----------
    error
        What pydantic says.
    values
        Plain ones, as they were validated.
    model
        Against which.
    """
    return [_problem(dict(details), values, model) for details in error.errors()]


def nearest(word: str, known: Iterable[str]) -> str:
    """Ask whether a known word was meant, or list them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _problem(details: dict[str, Any], values: Any, model: type[BaseModel]) -> Problem:
    place = _place(details["loc"], values)
    kind = details["type"]
    if kind == "extra_forbidden":
        owner = _model_at(place[:-1], model)
        known = list(owner.model_fields) if owner else []
        return refusal(place, shown(details["input"]), "a known key", nearest(str(place[-1]), known))
    field = _field_at(place, model)
    said: Mapping[str, Any] = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    unit, way_out = str(said.get("unit", "")), str(said.get("way_out", "correct it"))
    if kind == "missing":
        meaning = (field.description or "").removesuffix(" Required.") if field else ""
        return refusal(place, "missing", "given", f"add it: {meaning}" if meaning else "add it")
    inner = details.get("ctx", {}).get("error")
    if isinstance(inner, InvalidInput):
        volts = without_unit(details["input"], "V") if place[:2] == ("md", "voltages") else ""
        value = inner.value if place == () or inner.name == place[-1] else shown(details["input"])
        return refusal(place or (inner.name,), value, inner.bound, volts or inner.way_out)
    value = shown(details["input"])
    if kind == "literal_error":
        choices = [str(choice) for choice in _choices(field)]
        if not isinstance(details["input"], str):
            return refusal(place, value, f"one of {', '.join(choices)}", "write it in quotes")
        return refusal(place, value, f"one of {', '.join(choices)}", nearest(details["input"], choices))
    if kind in KINDS:
        bound = KINDS[kind]
        if kind in NUMBERS:
            range_ = str(said.get("bound", ""))
            bound += f", {range_}" if range_ else f" in {unit}" if unit else ""
            way_out = without_unit(details["input"], unit) or way_out
        elif kind == "string_type":
            way_out = "write it in quotes"
        return refusal(place, value, bound, way_out)
    return refusal(place, value, str(said.get("bound", details["msg"])), way_out)


def without_unit(value: Any, unit: str) -> str:
    """Say how to write a number that was given with a unit, if it was."""
    found = WITH_UNIT.fullmatch(value) if isinstance(value, str) else None
    if found is None or found.group(2) not in UNITS.get(unit, {}):
        return ""
    try:
        number = float(found.group(1)) * UNITS[unit][found.group(2)]
    except ValueError:
        return ""
    return f"write {number:.10g}, without a unit"


def _place(location: Sequence[str | int], values: Any) -> Place:
    """Return where a value stands: pydantic also names the branch of a union that it tried."""
    place: Place = ()
    for position, part in enumerate(location):
        if isinstance(values, Mapping):
            if part not in values and position < len(location) - 1:
                continue
            values = values.get(part)
        elif isinstance(values, list):
            if not isinstance(part, int):
                continue
            values = values[part] if part < len(values) else None
        elif place:
            # below a value there is nothing
            continue
        place = (*place, part)
    return place


def _choices(field: FieldInfo | None) -> list[Any]:
    if field is None:
        return []
    found: list[Any] = []
    for branch in (field.annotation, *get_args(field.annotation)):
        found += [choice for choice in get_args(branch) if isinstance(choice, str)]
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for branch in get_args(annotation) for model in _models_in(branch)]


def _field_at(place: Place, model: type[BaseModel]) -> FieldInfo | None:
    """Return the field at a place; of what stands in a list or a mapping the field that holds it."""
    field: FieldInfo | None = None
    owner: type[BaseModel] | None = model
    for part in place:
        if owner is None:
            return field
        found = owner.model_fields.get(str(part))
        if found is None:
            return field
        field = found
        owner = next(iter(_models_in(found.annotation)), None)
    return field


def _model_at(place: Place, model: type[BaseModel]) -> type[BaseModel] | None:
    if not place:
        return model
    field = _field_at(place, model)
    return next(iter(_models_in(field.annotation)), None) if field else None
