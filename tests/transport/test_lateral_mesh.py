"""Meshes of lateral k-points and what symmetry leaves of them."""

from collections.abc import Callable

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.lateral_mesh import Crystal, common_rotations, reduce_mesh

LATTICE = Fcc111(4.16, 2)


def silver(cell: np.ndarray, positions: np.ndarray) -> Crystal:
    return cell, positions, np.full(len(positions), 47)


LEAD = silver(*LATTICE.lead())


def dimer() -> Crystal:
    h = LATTICE.layer_spacing
    region = assemble_scattering_region(
        np.array([[0.0, 0.0, h], [0.0, 0.0, h + 2.85]]), FlatGap(0.0, 2 * h + 2.85), LATTICE
    )
    return silver(region.cell, region.positions)


WIRE = silver(np.diag([6.0, 6.0, 2.8]), np.zeros((1, 3)))


def wire_with_gap(x: float, y: float) -> Crystal:
    """The wire of fixtures/pw_xml with its atom at 12.4 Å off the axis."""
    positions = np.zeros((8, 3))
    positions[:, 2] = [0.0, 2.8, 5.6, 9.1, 12.4, 15.6, 18.4, 21.2]
    positions[4, :2] = x, y
    return silver(np.diag([6.0, 6.0, 24.0]), positions)


def displaced(crystal: Crystal) -> Crystal:
    positions = crystal[1].copy()
    positions[-1] += [0.05, 0.02, 0.03]
    return crystal[0], positions, crystal[2]


def full_mesh(mesh: tuple[int, int], offset: tuple[float, float]) -> np.ndarray:
    points = [((i + offset[0]) / mesh[0], (j + offset[1]) / mesh[1]) for i in range(mesh[0]) for j in range(mesh[1])]
    return np.array(points)


def orbits(points: np.ndarray, operations: list[np.ndarray]) -> list[int]:
    """Sizes of the stars by brute force, one point after the other: operations act on k as a column."""
    places = {tuple(np.round(np.mod(k, 1.0), 6) % 1.0): n for n, k in enumerate(points)}
    star = list(range(len(points)))
    for n, k in enumerate(points):
        for operation in operations:
            image = places.get(tuple(np.round(np.mod(operation @ k, 1.0), 6) % 1.0))
            if image is not None:
                low, high = sorted((star[n], star[image]))
                star = [low if label == high else label for label in star]
    return sorted(np.unique(star, return_counts=True)[1].tolist())


def tight_binding(crystal: Crystal) -> Callable[[np.ndarray], float]:
    """A function of k with the lateral symmetry of a crystal and T(-k) = T(k): the bands of s orbitals on its atoms.

    The energies on the sites depend on z, so that the bands know where the current comes from.
    """
    cell, positions, _ = crystal
    lattice = np.array([(m, n) for m in range(-3, 4) for n in range(-3, 4)])
    apart = positions[:, None] - positions[None] + (lattice @ cell[:2])[:, None, None]
    hops = np.exp(-((np.linalg.norm(apart, axis=3) / 2.0) ** 2))
    sites = np.diag(np.cos(0.3 * positions[:, 2]))

    def value(k: np.ndarray) -> float:
        hamiltonian = sites + np.einsum("r,rij->ij", np.exp(2j * np.pi * lattice @ k), hops)
        return float(np.sin(3.0 * np.linalg.eigvalsh(hamiltonian)).sum())

    return value


def averaged(value: Callable[[np.ndarray], float], kpoints: np.ndarray, weights: np.ndarray) -> float:
    return float(sum(weight * value(k) for k, weight in zip(kpoints, weights, strict=True)))


TURN = np.array([[0, -1], [1, 0]])
MIRROR = np.array([[1, 0], [0, -1]])
SQUARE = [sign @ np.linalg.matrix_power(TURN, n) for n in range(4) for sign in (np.eye(2, dtype=int), MIRROR)]
# on reciprocal vectors 120 degrees apart, those of lateral vectors 60 degrees apart
THIRD = np.array([[0, -1], [1, -1]])
TRIGONAL = [
    m @ np.linalg.matrix_power(THIRD, n) for n in range(3) for m in (np.eye(2, dtype=int), np.array([[0, 1], [1, 0]]))
]
HEXAGONAL = [sign * operation for operation in TRIGONAL for sign in (1, -1)]
INVERSION = [np.eye(2, dtype=int), -np.eye(2, dtype=int)]


def test_layers_of_silver_have_three_turns_and_three_mirrors() -> None:
    rotations = common_rotations(LEAD, LEAD)
    assert len(rotations) == 6
    assert sorted(np.linalg.det(rotations).round().astype(int)) == [-1] * 3 + [1] * 3
    # what they do to the lateral vectors keeps all lengths
    metric = LEAD[0][:2, :2] @ LEAD[0][:2, :2].T
    for rotation in rotations:
        assert rotation.T @ metric @ rotation == pytest.approx(metric, abs=1e-9)


@pytest.mark.parametrize("junction", ["lead", "dimer"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_a_hexagonal_mesh_has_the_stars_of_six_turns_and_six_mirrors(junction: str, size: int) -> None:
    # three of each from the crystal, the other three by time reversal; the dimer stands on a threefold axis
    kpoints, weights = reduce_mesh((size, size), (0, 0), lead=LEAD, junction=LEAD if junction == "lead" else dimer())
    assert sorted((weights * size**2).round().astype(int)) == orbits(full_mesh((size, size), (0, 0)), HEXAGONAL)
    assert len(kpoints) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 7}[size]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_square_mesh_has_the_stars_of_4mm(size: int, offset: float) -> None:
    mesh, shift = (size, size), (offset, offset)
    kpoints, weights = reduce_mesh(mesh, shift, lead=WIRE, junction=WIRE)
    assert sorted((weights * size**2).round().astype(int)) == orbits(full_mesh(mesh, shift), SQUARE)
    half = size // 2 if offset else size // 2 + 1
    if size % 2 == 0:
        assert len(kpoints) == half * (half + 1) // 2


@pytest.mark.parametrize("mesh", [(4, 4), (3, 5), (1, 6)])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (0.25, 0.0)])
def test_without_symmetry_time_reversal_is_left(mesh: tuple[int, int], offset: tuple[float, float]) -> None:
    _, weights = reduce_mesh(mesh, offset, lead=LEAD, junction=displaced(dimer()))
    count = mesh[0] * mesh[1]
    assert sorted((weights * count).round().astype(int)) == orbits(full_mesh(mesh, offset), INVERSION)


def test_a_displacement_below_the_tolerance_keeps_the_symmetry() -> None:
    cell, positions, numbers = dimer()
    slight = positions + np.random.default_rng(3).uniform(-1e-6, 1e-6, positions.shape)
    assert len(common_rotations(LEAD, (cell, slight, numbers))) == 6
    assert len(common_rotations(LEAD, displaced(dimer()))) == 1


def test_lead_and_junction_share_the_axis() -> None:
    # 4mm about the axis of the wire; 4mm about another axis; about both only the mirror through them
    square = silver(np.diag([6.0, 6.0, 24.0]), np.array([[0.0, 0.0, 0.0], [1.5, 0.0, 12.0]]))
    off_axis = silver(np.diag([6.0, 6.0, 12.0]), np.array([[1.5, 0.0, 0.0]]))
    assert len(common_rotations(WIRE, WIRE)) == len(common_rotations(off_axis, off_axis)) == 8
    assert len(common_rotations(WIRE, square)) == len(common_rotations(off_axis, square)) == 2
    assert len(common_rotations(WIRE, off_axis)) == 2
    assert len(common_rotations(WIRE, silver(np.diag([6.0, 6.0, 12.0]), np.array([[3.0, 3.0, 0.0]])))) == 8


def test_operations_that_turn_the_current_round_are_left_out() -> None:
    # a dimer across the wire's axis at each end, turned by 90 degrees: S4 maps the cell onto itself, C4 does not
    ends = np.array([[1.0, 0.0, 3.0], [-1.0, 0.0, 3.0], [0.0, 1.0, 9.0], [0.0, -1.0, 9.0], [0.0, 0.0, 0.0]])
    rotations = common_rotations(WIRE, silver(np.diag([6.0, 6.0, 12.0]), ends))
    assert sorted(map(tuple, rotations.reshape(-1, 4).tolist())) == [
        (-1, 0, 0, -1), (-1, 0, 0, 1), (1, 0, 0, -1), (1, 0, 0, 1),
    ]  # fmt: skip


def test_an_operation_with_a_shift_along_z_is_left_out() -> None:
    # a fourfold screw axis: a quarter turn goes with a quarter of the cell
    turns = np.array([[np.cos(n * np.pi / 2), np.sin(n * np.pi / 2), 3.0 * n] for n in range(4)])
    assert len(common_rotations(WIRE, silver(np.diag([6.0, 6.0, 12.0]), turns))) == 1


def test_atoms_of_other_kinds_are_other_atoms() -> None:
    cell, positions, numbers = wire_with_gap(0.0, 0.0)
    pair = np.vstack([positions, [[1.0, 0.0, 12.4], [-1.0, 0.0, 12.4]]])
    alike, unlike = np.append(numbers, [1, 1]), np.append(numbers, [1, 2])
    assert len(common_rotations(WIRE, (cell, pair, alike))) == 4
    assert len(common_rotations(WIRE, (cell, pair, unlike))) == 2


def test_a_wire_with_an_atom_off_its_axis_keeps_a_mirror() -> None:
    # pwcond.x 6.7, both spins: 1.85993, 1.85994, 1.85993, 1.85993 at (+-0.1, +-0.2)
    kpoints, weights = reduce_mesh((10, 10), (0, 0), lead=WIRE, junction=wire_with_gap(0.4, 0.0))
    near = np.abs(np.abs(kpoints) - [0.1, 0.2]).max(axis=1) < 1e-9
    assert near.sum() == 1
    assert weights[near] == pytest.approx(0.04)
    # but not (0.2, 0.1)
    turned = np.abs(np.abs(kpoints) - [0.2, 0.1]).max(axis=1) < 1e-9
    assert weights[turned] == pytest.approx(0.04)


@pytest.mark.parametrize("mesh", [(1, 1), (3, 3), (4, 4), (2, 6), (5, 3)])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (1 / 3, 1 / 3), (0.2, 0.7)])
@pytest.mark.parametrize("junction", [LEAD, dimer(), displaced(dimer())])
def test_the_average_of_what_is_invariant_is_that_of_the_whole_mesh(
    mesh: tuple[int, int], offset: tuple[float, float], junction: Crystal
) -> None:
    kpoints, weights = reduce_mesh(mesh, offset, lead=LEAD, junction=junction)
    value = tight_binding(junction)
    whole = full_mesh(mesh, offset)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert averaged(value, kpoints, weights) == pytest.approx(float(np.mean([value(k) for k in whole])), abs=1e-6)
    assert (kpoints > -0.5).all()
    assert (kpoints <= 0.5).all()
    on_mesh = np.abs((kpoints[:, None] - whole[None] + 0.5) % 1.0 - 0.5).max(axis=2) < 1e-9
    assert (on_mesh.sum(axis=1) == 1).all()


def test_an_operation_serves_the_points_that_it_keeps_on_the_mesh() -> None:
    # half a step along one vector only: the quarter turn leaves the mesh, mirrors and inversion do not
    _, weights = reduce_mesh((4, 4), (0.5, 0.0), lead=WIRE, junction=WIRE)
    assert sorted((weights * 16).round().astype(int)) == [2, 2, 2, 2, 4, 4]


def test_the_edge_of_the_zone_is_at_plus_one_half() -> None:
    kpoints, weights = reduce_mesh((2, 2), (0, 0), lead=WIRE, junction=WIRE)
    assert kpoints.tolist() == [[0.0, 0.0], [0.0, 0.5], [0.5, 0.5]]
    assert weights.tolist() == [0.25, 0.5, 0.25]


def tilted(crystal: Crystal) -> Crystal:
    cell = crystal[0].copy()
    cell[2, 0] += 0.1
    return cell, crystal[1], crystal[2]


def test_wrong_inputs_are_refused() -> None:
    good = {"lead": WIRE, "junction": WIRE}
    wide = silver(np.diag([6.1, 6.0, 2.8]), np.zeros((1, 3)))
    double = silver(WIRE[0], np.zeros((2, 3)))
    cases = [
        ((0, 1), (0.0, 0.0), good, "mesh"),
        ((2, 2.0), (0.0, 0.0), good, "mesh"),
        ((2, 2), (np.nan, 0.0), good, "offset"),
        ((2, 2), (0.0, 0.0), {**good, "junction": wide}, "laterally the lead's"),
        ((2, 2), (0.0, 0.0), {**good, "junction": tilted(WIRE)}, "third vector along z"),
        ((2, 2), (0.0, 0.0), {**good, "junction": double}, "junction.structure"),
    ]
    for mesh, offset, crystals, words in cases:
        with pytest.raises(InvalidInput, match=words):
            reduce_mesh(mesh, offset, **crystals)  # type: ignore[arg-type]
