"""Directives that write the fields of the campaign file and of a site's file from their models.

``rewire-campaign-fields`` and ``rewire-site-fields`` write a table for each section of the file: what a field is
called, what it takes, and what it means, with its unit and default. A section that several keys share stands once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from docutils import nodes
from process_tables import Cell, inline, table
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.cli.setup.site import Site

TITLES = ("field", "takes", "meaning, unit and default")
KINDS = {"number": "number", "integer": "whole number", "boolean": "true or false", "string": "text"}
CONTAINERS = {"array": "list", "object": "mapping", "null": ""}


def taken(schema: dict[str, Any]) -> str:
    """Say in words what a field takes."""
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        # a nullable field has a default, which the last column names
        words = dict.fromkeys(word for branch in schema["anyOf"] if (word := taken(branch)))
        return " or ".join(words)
    if "oneOf" in schema or "$ref" in schema:
        return "list or mapping" if "oneOf" in schema else "mapping"
    kind = schema.get("type", "")
    if kind == "array":
        items = taken(schema["items"])
        return "list" if " or " in items else f"list of {items}"
    return KINDS.get(kind, CONTAINERS.get(kind, kind))


def meaning(field: Any) -> list[nodes.Node]:
    """Return the description of a field; a default that is typed as it stands is literal."""
    return inline(re.sub(r"Default: (?!the )(.+)\.$", r"Default: `\1`.", field.description or ""))


def section_of(field: Any) -> type[BaseModel] | None:
    """Return the model of a field that is a section, or nothing."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def ranges_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models among which a field may choose."""
    for branch in get_args(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            yield branch
        else:
            yield from ranges_in(branch)


def rows(model: type[BaseModel], path: str) -> Iterator[list[Cell]]:
    """Yield a row for each field of a section that is no section itself."""
    schemas = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if section_of(field) is None:
            said = dict(field.json_schema_extra or {}).get("bound", "")
            words = taken(schemas[name])
            bound = f"{words}: {said}" if said and said not in words else words
            yield [[nodes.literal(text=f"{path}{name}")], inline(bound), meaning(field)]
        for choice in ranges_in(field.annotation) if section_of(field) is None else ():
            yield from rows(choice, f"{path}{name}.")


def sections(
    model: type[BaseModel], shared: str, path: str = "", said: str = ""
) -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Yield path, description and model of each section; those that share a model have `shared` for a name."""
    yield path, said, model
    found: dict[type[BaseModel], list[tuple[str, Any]]] = {}
    for name, field in model.model_fields.items():
        if (below := section_of(field)) is not None:
            found.setdefault(below, []).append((name, field))
    for below, places in found.items():
        if len(places) == 1:
            name, field = places[0]
            yield from sections(below, shared, f"{path}{name}.", field.description or "")
        else:
            meanings = [field.description.split(". Default")[0].rstrip(".") for _, field in places]
            keys = "; ".join(f"`{name}`: {said}" for (name, _), said in zip(places, meanings, strict=True))
            yield f"{path}{shared}.", f"{shared} is one of {keys}.", below


class CampaignFields(SphinxDirective):
    """All fields of the campaign file."""

    model: type[BaseModel] = CampaignSpec
    shared = "STEP"

    def run(self) -> list[nodes.Node]:
        """Write a table for each section."""
        written: list[nodes.Node] = []
        for path, said, model in sections(self.model, self.shared):
            found = list(rows(model, path))
            if path:
                written.append(nodes.rubric(text=path.rstrip(".")))
                written.append(nodes.paragraph("", "", *inline(said)))
            if found:
                written.append(table(TITLES, found))
        return written


class SiteFields(CampaignFields):
    """All fields of a site's file."""

    model = Site
    shared = "CODE"


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("rewire-campaign-fields", CampaignFields)
    app.add_directive("rewire-site-fields", SiteFields)
    return {"version": "1", "parallel_read_safe": True}
