"""The project's force field as a node."""

from __future__ import annotations

import io

from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.md.reaxff import force_field_text, silver_parameters

NAME = "Ag.reaxff"


def silver_force_field() -> LammpsPotentialData:
    """Return silver's ReaxFF parameters (Lloyd et al., Surf. Sci. 645, 67, 2016), stored once."""
    table = silver_parameters()
    citation = {key: str(value) for key, value in table["citation"].items()}
    node = LammpsPotentialData.get_or_create(
        source=io.BytesIO(force_field_text(table).encode()),
        filename=f"{NAME}.txt",
        pair_style="reaxff",
        species=["Ag"],
        atom_style="charge",
        units="real",
        extra_tags={"title": table["title"], "source_citations": [citation]},
    )
    return node if node.is_stored else node.store()
