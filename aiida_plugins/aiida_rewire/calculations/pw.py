"""pw.x with the cell and the positions written to the last digit."""

from __future__ import annotations

import re
from typing import Any

from aiida import orm
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_rewire.calculations.caching import ReusedOnlyIfGood

CELL_CARD = re.compile(r"^CELL_PARAMETERS angstrom\n(?:.*\n){3}", re.MULTILINE)


class ExactPwCalculation(ReusedOnlyIfGood, PwCalculation):
    """`PwCalculation` whose input keeps fifteen decimals of cell and positions.

    The ten decimals that the parent class writes may split a shell of a hexagonal cell's reciprocal lattice
    vectors; pw.x stores the density by index, and pwcond.x then reads it back in another order. AiiDA keeps
    fourteen significant digits of a structure, and all of them are written.
    """

    @classmethod
    def _generate_pwcp_inputdata(
        cls,
        parameters: orm.Dict,
        settings: dict[str, Any],
        pseudos: dict[str, Any],
        structure: orm.StructureData,
        kpoints: orm.KpointsData | None = None,
        use_fractional: bool = False,
    ) -> tuple[str, list[tuple[str, str, str]]]:
        text, files = super()._generate_pwcp_inputdata(
            parameters, settings, pseudos, structure, kpoints=kpoints, use_fractional=use_fractional
        )
        if use_fractional:
            return text, files
        return exact_digits(text, structure.cell, [(s.kind_name, s.position) for s in structure.sites]), files


def exact_digits(text: str, cell: list[list[float]], sites: list[tuple[str, tuple[float, ...]]]) -> str:
    """Replace the cell and the positions in an input of pw.x by ones of fifteen decimals.

    Parameters
    ----------
    text
        The input, with cards in Å.
    cell
        Å, shape (3, 3).
    sites
        Kind name and position (Å) of each atom.

    Raises
    ------
    ValueError
        If the input has no card to replace.
    """
    rows = "".join(f"{x:.15f} {y:.15f} {z:.15f}\n" for x, y, z in cell)
    text, cells = CELL_CARD.subn(f"CELL_PARAMETERS angstrom\n{rows}", text)
    atoms = re.compile(rf"^ATOMIC_POSITIONS angstrom\n((?:.*\n){{{len(sites)}}})", re.MULTILINE)
    found = atoms.search(text)
    # what follows the three coordinates says which of them are fixed
    flags = [line.split()[4:] for line in found.group(1).splitlines()] if found else []
    lines = "".join(
        " ".join([f"{kind:<6} {x:.15f} {y:.15f} {z:.15f}", *fixed]) + "\n"
        for (kind, (x, y, z)), fixed in zip(sites, flags, strict=False)
    )
    text, cards = atoms.subn(f"ATOMIC_POSITIONS angstrom\n{lines}", text)
    if (cells, cards) != (1, 1):
        raise ValueError(f"the input of pw.x has {cells} cell cards and {cards} position cards: must be one each")
    return text
