"""The potential that the diffusion would reach if the atoms stood still: Laplace's equation on the bonds."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from aiida_rewire.bias.bonds import Bonds, BoolArray, FloatArray
from aiida_rewire.bias.electrodes import Electrodes

# of the strongest bond: a bond gets there 0.002 Å short of a cutoff of 4 Å, which a hot atom crosses in about a
# femtosecond. Behind a link weaker than that, rounding would decide on the potential.
VANISHING = 1e-6
# of the residual of an equation scaled to 1 on its diagonal, per volt
RESIDUAL = 1e-14
# scipy renamed it in 1.12 and dropped the old name in 1.14
_TOLERANCES: dict[str, Any] = {
    "atol": RESIDUAL,
    "rtol" if "rtol" in inspect.signature(cg).parameters else "tol": 0.0,
}


def without_vanishing(bonds: Bonds) -> Bonds:
    """Leave out the bonds that are about to break or have only just formed."""
    return bonds.at_least(VANISHING * float(np.max(bonds.conductance, initial=0.0)))


def solve_steady(bonds: Bonds, phi: FloatArray, electrodes: Electrodes, voltage_v: float) -> FloatArray:
    """Give every atom the potential that diffusion ends in.

    Atoms connected to one electrode alone have its potential. Between both, the potential of each is the mean of its
    neighbours', weighted with the conductances. Atoms connected to none share the mean of what they had, because
    diffusion conserves their sum; a lone atom keeps its own.

    Parameters
    ----------
    bonds
        Bonds of the configuration, none of which vanishes (see `without_vanishing`).
    phi
        Potential of every atom before, V, shape (n,); it matters where no electrode is connected, and is not changed.
    electrodes
        Atoms that are held.
    voltage_v
        V of the anode against the cathode.

    Returns
    -------
    ndarray
        Potential, V, shape (n,).

    Raises
    ------
    ArithmeticError
        If the equations were not solved.
    """
    n_clusters, cluster = connected_components(bonds.upper(), directed=False)
    with_anode, with_cathode = (
        np.bincount(cluster[mask], minlength=n_clusters) > 0 for mask in (electrodes.anode, electrodes.cathode)
    )
    means = np.bincount(cluster, phi, n_clusters) / np.bincount(cluster, minlength=n_clusters)
    means[with_anode] = voltage_v / 2
    means[with_cathode] = -voltage_v / 2
    steady: FloatArray = means[cluster]
    electrodes.hold(steady, voltage_v)
    between = (with_anode & with_cathode)[cluster] & ~electrodes.held
    if between.any():
        steady[between] = voltage_v * _between_unit_electrodes(bonds, electrodes, between)
    return steady


def _between_unit_electrodes(bonds: Bonds, electrodes: Electrodes, between: BoolArray) -> FloatArray:
    """Potential, per volt, of the atoms between an anode at +1/2 and a cathode at -1/2."""
    held = np.zeros(bonds.n_atoms)
    electrodes.hold(held, 1.0)
    number = np.cumsum(between) - 1
    n_unknown = int(number[-1]) + 1

    # every equation is divided by its diagonal, symmetrically, which is all the preconditioning it takes
    scale = 1 / np.sqrt(bonds.degree()[between])
    first_in, second_in = between[bonds.first], between[bonds.second]
    inside = first_in & second_in
    first, second = number[bonds.first[inside]], number[bonds.second[inside]]
    entries = -bonds.conductance[inside] * scale[first] * scale[second]
    diagonal = np.arange(n_unknown)
    matrix = coo_matrix(
        (
            np.concatenate((entries, entries, np.ones(n_unknown))),
            (np.concatenate((first, second, diagonal)), np.concatenate((second, first, diagonal))),
        ),
        shape=(n_unknown, n_unknown),
    ).tocsr()
    source = np.zeros(n_unknown)
    for unknown, other, to_held in (
        (bonds.first, bonds.second, first_in & ~second_in),
        (bonds.second, bonds.first, second_in & ~first_in),
    ):
        given = bonds.conductance[to_held] * held[other[to_held]]
        source += np.bincount(number[unknown[to_held]], given, n_unknown)

    # from zero rather than from the potential before: hardly slower, and the result depends on nothing but the atoms
    solution, failed = cg(matrix, source * scale, **_TOLERANCES)
    if failed:
        raise ArithmeticError(f"the potential of {n_unknown} atoms between the electrodes did not converge")
    return np.asarray(solution * scale)
