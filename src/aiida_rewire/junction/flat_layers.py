"""Which atoms of a scattering region are flat layers of the leads, and which are the contact between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAME_HEIGHT = 0.05
"""Atoms of a flat layer lie within this height, Å."""

FEWEST = 3
"""Atoms of a layer; fewer at the same height are no layer."""


def in_flat_layers(positions: ArrayLike) -> NDArray[np.bool_]:
    """Tell which atoms lie in flat layers at either end.

    A layer is flat that holds as many atoms at one height as the outermost does; counted inwards from both ends, to
    the first that is not.

    Parameters
    ----------
    positions
        Å, shape (n, 3); the leads lie along z.

    Returns
    -------
    ndarray
        Shape (n,); nowhere true where the outermost atoms are fewer than three at one height.
    """
    heights = np.asarray(positions, dtype=np.float64).reshape(-1, 3)[:, 2]
    flat = np.zeros(heights.size, dtype=bool)
    for outwards in (heights, -heights):
        order = np.argsort(outwards, kind="stable")
        size = 0
        start = 0
        while start < order.size:
            level = outwards[order[start:]]
            layer = order[start : start + int(np.count_nonzero(level <= level[0] + SAME_HEIGHT))]
            size = size or len(layer)
            if len(layer) != size or size < FEWEST:
                break
            flat[layer] = True
            start += len(layer)
    return flat
