"""Junctions as files of other programs: extended XYZ, CIF."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
from ase import Atoms
from ase.io import write

from aiida_rewire.errors import InvalidInput

FORMATS = {"extxyz": ".extxyz", "cif": ".cif"}
"""Formats by their names in ASE, and the endings of their files."""

LONGEST_PART = 40
"""Characters of each part of a file's name."""

UNSAFE = re.compile(r"[^A-Za-z0-9+_-]+")


def file_stem(chain: str, snapshot: int | None, uuid: str) -> str:
    """Return the name of the file of a junction, without its ending.

    Letters, digits and signs that no file system and no shell minds are all that is left of the name of a chain; the
    beginning of the UUID keeps names apart.

    Parameters
    ----------
    chain
        Any text.
    snapshot
        Number among those of the chain; None for a junction that was made of none.
    uuid
        Of the conductance.
    """
    parts = [UNSAFE.sub("_", chain)[:LONGEST_PART].strip("_-")]
    if snapshot is not None:
        parts.append(f"snapshot-{snapshot:04d}")
    parts.append(UNSAFE.sub("_", uuid)[:8])
    return "_".join(part for part in parts if part)


def junction_text(atoms: Atoms, facts: Mapping[str, Any], form: str) -> str:
    """Return the text of the file of a junction.

    Parameters
    ----------
    atoms
        The scattering region, Å.
    facts
        What is known of it, by names of letters, digits and underscores. In extended XYZ numbers stand in the second
        line as they are, and texts as a URL would have them, so that no quotation mark, backslash or end of a line
        breaks it; in CIF a line of a comment each. What is None or empty is left out.
    form
        One of `FORMATS`.

    Raises
    ------
    InvalidInput
        If there is no such format.
    """
    if form not in FORMATS:
        raise InvalidInput("format", repr(form[:40]), f"one of {', '.join(FORMATS)}", "choose another")
    there = {name: value for name, value in facts.items() if value is not None and value != ""}
    written = {name: value if is_number(value) else quoted(str(value)) for name, value in there.items()}
    bare = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if form == "cif":
        content = io.BytesIO()
        write(content, bare, format="cif")
        comments = "".join(f"# {name} = {value}\n" for name, value in written.items())
        return comments + content.getvalue().decode()
    bare.info.update(written)
    text = io.StringIO()
    write(text, bare, format="extxyz")
    return text.getvalue()


def is_number(value: Any) -> bool:
    """Whether something is a number, and no truth value."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def quoted(text: str) -> str:
    """Return a text without blanks, quotation marks, backslashes and what no line can hold: %20 for a blank."""
    return quote(text, safe="+:,;()@/", errors="replace")
