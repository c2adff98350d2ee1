"""What to cite: this software and the works that its file CITATION.cff names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from aiida_rewire.report.page.model import Citation

NAME = "CITATION.cff"


def citations() -> tuple[Citation, ...]:
    """Return what to cite, this software first.

    Raises
    ------
    FileNotFoundError
        If neither the wheel nor the checkout has the file.
    """
    package = Path(__file__).resolve().parents[2]
    places = [package / "_fixtures" / NAME, package.parents[1] / NAME]
    for place in places:
        if place.exists():
            return citations_in(place.read_text(encoding="utf-8"))
    raise FileNotFoundError(f"{NAME} is in neither of {', '.join(map(str, places))}")


def citations_in(text: str) -> tuple[Citation, ...]:
    """Return what a file in the Citation File Format says is to be cited."""
    values = yaml.safe_load(text)
    version = f"version {values['version']}" if values.get("version") else ""
    software = ". ".join(part for part in (names_of(values.get("authors", ())), values["title"], version) if part)
    return (Citation(software, values.get("doi", "")), *map(citation_of, values.get("references", ())))


def citation_of(work: Mapping[str, Any]) -> Citation:
    """Return a work as a line: authors, title, and where and when it came out."""
    where = " ".join(str(work[name]) for name in ("journal", "volume") if name in work)
    if "start" in work:
        where += f", {work['start']}"
    if "year" in work:
        where += f" ({work['year']})"
    # a title that is no more than the place is not said twice
    title = work.get("title", "")
    parts = names_of(work.get("authors", ())), "" if title == where else title, where
    return Citation(". ".join(part for part in parts if part), work.get("doi", ""))


def names_of(authors: Sequence[Mapping[str, str]]) -> str:
    """Return authors as they are cited."""
    return ", ".join(
        one["name"] if "name" in one else f"{one.get('given-names', '')} {one.get('family-names', '')}".strip()
        for one in authors
    )
