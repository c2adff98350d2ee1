"""The ReaxFF parameters of silver as a file that LAMMPS reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import yaml

from aiida_rewire.fixtures import fixture_path

GENERAL_PARAMETERS = 39
ATOM_PARAMETERS = 32
BOND_PARAMETERS = 16
VALUES_PER_LINE = 8


class SilverParameters(TypedDict):
    """The published numbers: the general ones, those of Ag and those of the Ag-Ag bond."""

    title: str
    citation: dict[str, str | int]
    general: list[float]
    atom: list[float]
    bond: list[float]


def silver_parameters(path: Path | None = None) -> SilverParameters:
    """Read the table of silver's ReaxFF parameters (Lloyd et al., Surf. Sci. 645, 67, 2016).

    Parameters
    ----------
    path
        Another table of the same form; the project's own by default.

    Raises
    ------
    ValueError
        If the table does not hold 39 general, 32 atom and 16 bond numbers.
    """
    path = path or fixture_path("forcefield", "Ag.reaxff.yaml")
    table: SilverParameters = yaml.safe_load(path.read_text())
    for key, count in (
        ("general", GENERAL_PARAMETERS),
        ("atom", ATOM_PARAMETERS),
        ("bond", BOND_PARAMETERS),
    ):
        found = table[key]  # type: ignore[literal-required]
        if len(found) != count:
            raise ValueError(f"{path}: {key} has {len(found)} numbers: must be {count}")
    return table


def _rows(values: Sequence[float]) -> list[str]:
    chunks = [values[k : k + VALUES_PER_LINE] for k in range(0, len(values), VALUES_PER_LINE)]
    return ["".join(f"{value:9.4f}" for value in chunk) for chunk in chunks]


def force_field_text(table: SilverParameters) -> str:
    """Write the parameters in the layout of a ReaxFF file (LAMMPS documentation, ``pair_style reaxff``)."""
    atom, bond = _rows(table["atom"]), _rows(table["bond"])
    lines = [
        f"{table['title']}",
        f" {GENERAL_PARAMETERS}       ! general parameters",
        *(f"{value:10.4f} ! {number}" for number, value in enumerate(table["general"], start=1)),
        "  1       ! atoms; four lines each",
        "          ! second line",
        "          ! third line",
        "          ! fourth line",
        f" Ag{atom[0]}",
        *(f"   {row}" for row in atom[1:]),
        "  1       ! bonds; two lines each",
        "          ! second line",
        f"  1  1{bond[0]}",
        f"      {bond[1]}",
        "  0       ! off-diagonal terms",
        "  0       ! angles",
        "  0       ! torsions",
        "  0       ! hydrogen bonds",
    ]
    return "\n".join(lines) + "\n"
