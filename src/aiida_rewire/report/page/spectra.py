"""T(E) of many conductances, read from the repository at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from aiida_rewire.database.tables import Tables
from aiida_rewire.report.page.model import Spectra
from aiida_rewire.report.page.stored_arrays import key_of, read_arrays
from aiida_rewire.transport.landauer import k_average

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = ("energies", "weights", "transmission")


def spectra_of(tables: Tables, pks: Collection[int]) -> Spectra:
    """Return T(E), averaged over the k-points.

    One query, and one look into the repository: energies and weights that many have in common are read once.
    What is not in the repository, or does not belong together, is left out.

    Parameters
    ----------
    tables
        Of the profile.
    pks
        Of the conductances.
    """
    from sqlalchemy import select

    nodes = tables.nodes
    statement = select(nodes.c.id, nodes.c.repository_metadata)
    keys: dict[int, tuple[str, ...]] = {}
    for pk, metadata in tables.rows_of(statement, nodes.c.id, pks):
        three = tuple(key for name in ARRAYS if (key := key_of(metadata, name)) is not None)
        if len(three) == len(ARRAYS):
            keys[pk] = three
    shared = dict(read_arrays(key for three in keys.values() for key in three[:2]))
    waiting: dict[str, list[int]] = {}
    for pk, three in keys.items():
        waiting.setdefault(three[2], []).append(pk)
    grids: dict[str, int] = {}
    energies: list[NDArray[np.float64]] = []
    of: dict[int, tuple[int, NDArray[np.float64]]] = {}
    for key, transmission in read_arrays(waiting):
        for pk in waiting[key]:
            grid, weights = (shared.get(one) for one in keys[pk][:2])
            if grid is None or weights is None or transmission.shape != (len(grid), len(weights)):
                continue
            if keys[pk][0] not in grids:
                grids[keys[pk][0]] = len(energies)
                energies.append(grid.astype(np.float64))
            of[pk] = grids[keys[pk][0]], k_average(transmission, weights)
    return Spectra(tuple(energies), of)
