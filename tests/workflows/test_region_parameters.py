"""What pw.x is told for each region."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.pw import region_parameters

PARAMETERS = {"CONTROL": {"calculation": "scf"}, "SYSTEM": {"ecutwfc": 15.0, "degauss": 0.02}, "ELECTRONS": {}}


def silver(cell: np.ndarray, positions: np.ndarray) -> orm.StructureData:
    structure = orm.StructureData(cell=cell.tolist())
    for position in positions.tolist():
        structure.append_atom(position=position, symbols="Ag")
    return structure


def regions(supercell: int) -> tuple[orm.StructureData, orm.StructureData]:
    """A lead, and a junction with a dimer in its gap."""
    lattice = Fcc111(4.16, supercell)
    dimer = np.array([[0.0, 0.0, 2.4], [0.0, 0.0, 5.2]])
    region = assemble_scattering_region(dimer, FlatGap(0.0, 7.6), lattice)
    return silver(*lattice.lead()), silver(region.cell, region.positions)


def system(structure: orm.StructureData, pseudo: UpfData, **changes: Any) -> dict[str, Any]:
    parameters = {**PARAMETERS, "SYSTEM": {**PARAMETERS["SYSTEM"], **changes}}
    return region_parameters(parameters, structure, {"Ag": pseudo})["SYSTEM"]


@pytest.mark.parametrize(("supercell", "ecutwfc", "lateral"), [(2, 15.0, 27), (3, 10.0, 36)])
def test_lead_and_junction_get_the_same_lateral_grids(
    upf: Callable[[int], UpfData], supercell: int, ecutwfc: float, lateral: int
) -> None:
    lead, junction = (system(structure, upf(1), ecutwfc=ecutwfc) for structure in regions(supercell))
    for key in ("nr1", "nr2", "nr1s", "nr2s"):
        assert lead[key] == junction[key] == lateral
    assert junction["nr3"] > lead["nr3"]


def test_an_ultrasoft_density_has_a_grid_of_its_own(upf: Callable[[int], UpfData]) -> None:
    lead, junction = (system(structure, upf(11), ecutwfc=28.0, ecutrho=280.0) for structure in regions(2))
    for region in (lead, junction):
        assert region["nr1"] > region["nr1s"]
        assert region["ecutrho"] == 280.0
    assert (lead["nr1"], lead["nr2"], lead["nr1s"]) == (junction["nr1"], junction["nr2"], junction["nr1s"])


def test_the_density_cutoff_is_four_times_that_of_the_waves_by_default(upf: Callable[[int], UpfData]) -> None:
    values = system(regions(2)[0], upf(1))
    assert values["ecutrho"] == 60.0
    assert [values[f"nr{i}"] for i in (1, 2, 3)] == [values[f"nr{i}s"] for i in (1, 2, 3)]


@pytest.mark.parametrize("valence", [1, 11])
def test_there_are_bands_above_the_occupied_ones(upf: Callable[[int], UpfData], valence: int) -> None:
    for structure in regions(2):
        occupied = len(structure.sites) * valence / 2
        bands = system(structure, upf(valence))["nbnd"]
        assert bands >= max(1.5 * occupied, occupied + 8)
        assert bands <= math.ceil(1.5 * occupied) + 8


def test_what_was_given_is_kept(upf: Callable[[int], UpfData]) -> None:
    assert system(regions(2)[0], upf(1), nbnd=40)["nbnd"] == 40
    parameters = region_parameters(PARAMETERS, regions(2)[0], {"Ag": upf(1)})
    assert parameters["CONTROL"] == {"calculation": "scf"}
    assert parameters["SYSTEM"]["degauss"] == 0.02


def test_the_parameters_of_the_caller_are_left_alone(upf: Callable[[int], UpfData]) -> None:
    region_parameters(PARAMETERS, regions(2)[0], {"Ag": upf(1)})
    assert PARAMETERS["SYSTEM"] == {"ecutwfc": 15.0, "degauss": 0.02}
