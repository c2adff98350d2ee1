"""Structures that cannot be joined, found out before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.boundaries import (
    Region,
    check_axes,
    check_joint,
    check_lateral_cell,
    check_layer,
    check_spheres,
)
from aiida_rewire.transport.upf import UnreadableUpf, sphere_radius


def refuse_structures(structures: Mapping[str, orm.StructureData], pseudos: Mapping[str, Any]) -> str | None:
    """Return why these structures cannot be joined, if they cannot.

    Parameters
    ----------
    structures
        ``left_lead``, ``junction``, ``right_lead``, as far as they are known.
    pseudos
        Pseudopotentials by kind, as far as they are known: their spheres must not reach through a region.
    """
    try:
        radii = {kind: sphere_radius(pseudo.get_content()) for kind, pseudo in pseudos.items()}
    except UnreadableUpf as error:
        return str(InvalidInput("pseudos", str(error), "readable", "take other pseudopotentials"))
    regions = {name: region_of(name, structure, radii) for name, structure in structures.items()}
    try:
        for region in regions.values():
            check_axes(region)
            check_layer(region, region.lower)
            check_spheres(region)
        if "left_lead" not in regions or "junction" not in regions:
            return None
        for lead in (regions[name] for name in ("left_lead", "right_lead") if name in regions):
            check_lateral_cell(lead, regions["junction"])
        check_joint(regions["left_lead"], regions["junction"], regions.get("right_lead"))
    except InvalidInput as error:
        return str(error)
    return None


def region_of(name: str, structure: orm.StructureData, radii: Mapping[str, float]) -> Region:
    """Return a structure as the geometry's checks want it; an atom of unknown sphere has none."""
    cell = np.array(structure.cell)
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    return Region(
        name=name,
        cell=cell,
        positions=np.array([site.position for site in structure.sites]),
        elements=tuple(symbols[site.kind_name] for site in structure.sites),
        radii=np.array([radii.get(site.kind_name, 0.0) for site in structure.sites]),
        alat=float(np.linalg.norm(cell[0])),
        lower=0.0,
        upper=float(cell[2, 2]),
    )
