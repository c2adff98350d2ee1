"""Lateral k-points, reduced by what leaves the transmission alone."""

from __future__ import annotations

import numpy as np
import spglib
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.boundaries import CELL_TOLERANCE

SYMMETRY_TOLERANCE = 1e-4
"""Å."""

MESH_TOLERANCE = 1e-6
"""Steps of the mesh."""

Crystal = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Cell (Å, (3, 3)), positions (Å, (n, 3)), and numbers (n,) that differ where the atoms differ."""


def one_behind_the_other(first: Crystal, second: Crystal) -> Crystal:
    """Return a crystal of two that share the lateral cell: what leaves z alone and maps it maps both."""
    height = first[0][2]
    cell = np.vstack([first[0][:2], [height + second[0][2]]])
    # numbers of the second are told apart, lest an operation map one onto the other
    numbers = np.concatenate([2 * first[2], 2 * second[2] + 1])
    return cell, np.vstack([first[1], second[1] + height]), numbers


def reduce_mesh(
    mesh: tuple[int, int], offset: tuple[float, float], *, lead: Crystal, junction: Crystal
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reduce the mesh k = (i + offset) / N to points of different transmission.

    Time reversal turns a wave at k going right into one at -k going left, T_LR(k) = T_RL(-k), and at each k a
    unitary S matrix of two leads has T_LR = T_RL; so T(-k) = T(k). An operation that leaves z alone and maps lead and
    junction onto themselves maps k onto points of the same T. Where it takes a point off a shifted mesh, it serves
    the other points.

    Parameters
    ----------
    mesh
        N along both lateral vectors.
    offset
        In steps of the mesh: 0 holds the centre, 0.5 lies half a step off it.
    lead, junction
        With the same lateral vectors, the third along z.

    Returns
    -------
    kpoints
        Crystal coordinates in (-1/2, 1/2], shape (n, 2).
    weights
        Their sum is 1, shape (n,).

    Raises
    ------
    InvalidInput
        If the mesh is empty, the offset is not finite, the lateral cells differ, a third vector is not along z, or
        atoms lie on each other.
    """
    if not all(type(number) is int and number > 0 for number in mesh):
        raise InvalidInput("mesh", mesh, "two whole numbers from 1 on", "(1, 1) is the centre alone")
    if not np.isfinite(offset).all():
        raise InvalidInput("offset", offset, "finite", "take 0 or 0.5")
    if np.abs(lead[0][:2] - junction[0][:2]).max() > CELL_TOLERANCE:
        raise InvalidInput("junction.cell", junction[0][:2].tolist(), "laterally the lead's", "use one lattice")
    # imported here: a mesh that is not reduced needs nothing of scipy
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes, shift = np.array(mesh), np.array(offset, dtype=float)
    steps = np.stack(np.meshgrid(*map(np.arange, mesh), indexing="ij"), axis=-1).reshape(-1, 2)
    points = (steps + shift) / sizes
    links = []
    for rotation in common_rotations(lead, junction):
        for sign in (1, -1):
            images = sign * points @ np.linalg.inv(rotation) * sizes - shift
            nearest = np.round(images)
            on_mesh = np.abs(images - nearest).max(axis=1) < MESH_TOLERANCE
            places = np.mod(nearest, sizes).astype(np.int64) @ np.array([mesh[1], 1])
            links.append(np.stack([np.flatnonzero(on_mesh), places[on_mesh]]))
    rows, columns = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(len(points), len(points)))
    _, stars = connected_components(graph, directed=False)
    _, first, sizes_of = np.unique(stars, return_index=True, return_counts=True)
    order = np.argsort(first)
    chosen = points[first[order]]
    folded: NDArray[np.float64] = chosen - np.ceil(chosen - 0.5 - MESH_TOLERANCE)
    return folded, sizes_of[order] / len(points)


def common_rotations(lead: Crystal, junction: Crystal) -> NDArray[np.int64]:
    """Lateral rotations and mirrors that, with one lateral translation each, map both regions onto themselves.

    Parameters
    ----------
    lead, junction
        With the same lateral vectors, the third along z.

    Returns
    -------
    NDArray
        On crystal coordinates of positions, shape (n, 2, 2); the identity among them.

    Raises
    ------
    InvalidInput
        If a third vector is not along z, or atoms lie on each other.
    """
    (ours, shifts), (theirs, their_shifts) = (
        _lateral_operations(lead, "lead"),
        _lateral_operations(junction, "junction"),
    )
    lateral = lead[0][:2, :2]
    common = []
    for rotation in np.unique(ours, axis=0):
        first = shifts[(ours == rotation).all(axis=(1, 2))]
        second = their_shifts[(theirs == rotation).all(axis=(1, 2))]
        apart = first[:, None, :] - second[None, :, :]
        apart = (apart - np.round(apart)) @ lateral
        if (np.linalg.norm(apart, axis=2) < SYMMETRY_TOLERANCE).any():
            common.append(rotation)
    return np.array(common, dtype=np.int64)


def _lateral_operations(crystal: Crystal, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rotations (n, 2, 2) and translations (n, 2) that leave z alone."""
    cell, positions, numbers = crystal
    if np.abs(cell[2, :2]).max() > CELL_TOLERANCE or np.abs(cell[:2, 2]).max() > CELL_TOLERANCE:
        raise InvalidInput(
            f"{name}.cell", cell.tolist(), "with the third vector along z, the others across", "turn it"
        )
    try:
        fractions = positions @ np.linalg.inv(cell)
        atoms = (cell.tolist(), fractions.tolist(), numbers.tolist())
        found = spglib.get_symmetry(atoms, symprec=SYMMETRY_TOLERANCE)
    except spglib.SpglibError:
        found = None
    if found is None:
        raise InvalidInput(f"{name}.structure", "no symmetry, not even the identity", "of atoms apart", "check it")
    rotations, translations = found["rotations"], found["translations"]
    along = rotations[:, 2, 2] == 1
    across = (rotations[:, 2, :2] == 0).all(axis=1) & (rotations[:, :2, 2] == 0).all(axis=1)
    rise = translations[:, 2] - np.round(translations[:, 2])
    flat = np.abs(rise) * cell[2, 2] < SYMMETRY_TOLERANCE
    kept = along & across & flat
    return rotations[kept][:, :2, :2].astype(np.int64), translations[kept][:, :2].astype(np.float64)
