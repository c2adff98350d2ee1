"""Structures that are refused before anything runs."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.workflows.regions import refuse_structures
from parent_runs import LATTICE, structure_of

pytestmark = pytest.mark.usefixtures("aiida_profile")

Cell = tuple[np.ndarray, np.ndarray]


def wire(heights: list[float], length: float, elements: list[str] | None = None) -> orm.StructureData:
    return structure_of(np.diag([6.0, 6.0, length]), np.array([[0.0, 0.0, z] for z in heights]), elements)


LEAD = ([0.0, 2.8], 5.6)


def refusal(
    junction: orm.StructureData, lead: orm.StructureData | None = None, right: orm.StructureData | None = None
) -> str | None:
    regions = {"left_lead": lead or wire(*LEAD), "junction": junction}
    return refuse_structures(regions | ({"right_lead": right} if right else {}), {})


def test_structures_that_continue_into_each_other_pass(
    lead_cell: Cell, junction_cell: Cell, dimer_cell: Cell
) -> None:
    lead = structure_of(*lead_cell)
    for junction in (lead_cell, junction_cell, dimer_cell):
        assert refusal(structure_of(*junction), lead) is None
        assert refusal(structure_of(*junction), lead, lead) is None
    assert refusal(wire([0.0, 2.8, 6.5, 9.3], 12.1)) is None


REFUSED: list[tuple[tuple[Any, ...], str]] = [
    (([0.1, 2.9, 6.5, 9.3], 12.1), "junction.structure = no atom at z = 0: must be with a layer at z = 0"),
    (
        ([0.0, 2.8, 6.5, 9.3], 12.1, ["Au", "Ag", "Ag", "Ag"]),
        "junction.structure = Au at z = 0: must be of the lead's",
    ),
    (([0.0, 2.5, 6.5, 9.3], 12.1), "a second layer that is not that of left_lead"),
    (([0.0, 2.8, 6.5, 9.0], 12.1), "a last layer that is not that of left_lead"),
    (([0.0, 2.8, 6.5, 9.3], 12.1, ["Ag", "Ag", "Ag", "Au"]), "a last layer that is not that of left_lead"),
    (([0.0, 0.2, 2.8, 6.5, 9.3], 12.1), "lies +2.00e-01 Å from the layer at z = 0"),
]


@pytest.mark.parametrize(("junction", "message"), REFUSED)
def test_a_junction_that_does_not_continue_its_lead_is_refused(junction: tuple[Any, ...], message: str) -> None:
    assert message in str(refusal(wire(*junction)))


def test_the_lead_is_checked_as_well() -> None:
    good = wire([0.0, 2.8, 6.5, 9.3], 12.1)
    assert str(refusal(good, wire([0.1, 2.9], 5.6))).startswith("left_lead.structure = no atom at z = 0")
    message = "junction.structure = a last layer that is not that of right_lead"
    assert str(refusal(good, right=wire([0.0, 2.6], 5.6))).startswith(message)


def test_other_elements_in_the_leads_are_refused() -> None:
    junction = wire([0.0, 2.8, 6.5, 9.3], 12.1)
    gold = wire([0.0, 2.8], 5.6, ["Au", "Au"])
    assert "Ag at z = 0: must be of the lead's element there, Au (left_lead)" in str(refusal(junction, gold))
    message = "Ag at z = 12.1000 Å: must be of the lead's element there, Au (right_lead)"
    assert message in str(refusal(junction, right=gold))


def test_boundary_atoms_in_another_order_are_refused(lead_cell: Cell, junction_cell: Cell) -> None:
    cell, positions = junction_cell
    shuffled = structure_of(cell, positions[[1, 0, *range(2, len(positions))]])
    message = (
        "junction.structure = atoms at z = 0 in another order than those of left_lead: must be in the lead's order"
    )
    assert message in str(refusal(shuffled, structure_of(*lead_cell)))


def test_a_stacking_that_does_not_close_is_refused(lead_cell: Cell, junction_cell: Cell) -> None:
    cell, positions = junction_cell
    # A B C A B | B: the last layer moves from the third stacking to the second
    changed = positions.copy()
    changed[-4:] += LATTICE.stacking_shift(1) - LATTICE.stacking_shift(2)
    message = str(refusal(structure_of(cell, changed), structure_of(*lead_cell)))
    assert "a last layer that is not that of left_lead" in message
    assert "the stacking must close" in message


def test_a_region_thinner_than_its_spheres_is_refused(upf: Callable[..., UpfData]) -> None:
    regions = {"left_lead": wire([0.0], 5.6), "junction": wire([0.0], 5.6)}
    # 5.6 Å are 10.58 bohr
    assert refuse_structures(regions, {"Ag": upf(reach=10.5)}) is None
    message = str(refuse_structures(regions, {"Ag": upf(reach=10.7)}))
    assert message.startswith("left_lead.structure = 5.6000 Å long, with a sphere of 5.6622 Å around atom 1 (Ag)")
    # a pseudopotential of something else does not count
    assert refuse_structures(regions, {"Cu": upf(reach=10.7, element="Cu")}) is None


def test_a_structure_alone_is_checked_by_itself() -> None:
    assert refuse_structures({"junction": wire([0.0, 2.8], 5.6)}, {}) is None
    assert "no atom at z = 0" in str(refuse_structures({"junction": wire([0.1, 2.8], 5.6)}, {}))


def test_a_pseudopotential_that_cannot_be_read_is_refused(upf: Callable[..., UpfData]) -> None:
    header = upf().get_content().split("<PP_MESH>")[0].encode()
    bare = UpfData(io.BytesIO(header), filename="Ag.upf")
    assert str(refuse_structures({"junction": wire(*LEAD)}, {"Ag": bare})).startswith("pseudos = no radial mesh")


def test_another_lateral_cell_is_refused() -> None:
    # the boundary atoms are the lead's, the box is not
    junction = structure_of(np.diag([7.0, 6.0, 12.1]), np.array([[0.0, 0.0, z] for z in (0.0, 2.8, 6.5, 9.3)]))
    assert str(refusal(junction)).startswith("junction.cell = ")
    # the right lead's box as well
    good, wide = (
        wire([0.0, 2.8, 6.5, 9.3], 12.1),
        structure_of(np.diag([6.0, 7.0, 5.6]), np.array([[0, 0, 0], [0, 0, 2.8]])),
    )
    assert "laterally that of right_lead" in str(refusal(good, right=wide))


@pytest.mark.parametrize(("row", "column"), [(2, 0), (2, 1)])
def test_a_cell_that_is_not_upright_is_refused(row: int, column: int) -> None:
    cell = np.diag([6.0, 6.0, 12.1])
    cell[row, column] = 1.0
    junction = structure_of(cell, np.array([[0.0, 0.0, z] for z in (0.0, 2.8, 6.5, 9.3)]))
    assert "cell" in str(refusal(junction))
