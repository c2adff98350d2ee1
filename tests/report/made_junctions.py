"""Silver junctions that look like real ones: flat layers, and a neck between them that shakes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.junction.lattice import Fcc111

LATTICE = Fcc111(4.16, 3)
LOWER, GAP, UPPER = 3, 8, 2
"""Layers: flat ones below, of the gap, flat ones above."""

STAGES = ("gap", "islands", "contact", "growth")
ENERGIES = np.linspace(1.0, -1.0, 41)


def made_junction(share: float, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell and positions, Å, of a junction whose filament has grown by a share of its length."""
    h = LATTICE.layer_spacing
    cell = LATTICE.cell((LOWER + GAP + UPPER) * h)
    axis = cell[:2].sum(axis=0)[:2] / 2
    flat = [*range(LOWER), *range(LOWER + GAP, LOWER + GAP + UPPER)]
    layers = [LATTICE.layer(layer, layer * h) for layer in flat]
    for layer in range(LOWER, LOWER + GAP):
        # from both sides towards the middle, which is filled last
        off_middle = abs(layer - LOWER - (GAP - 1) / 2) / (GAP / 2)
        if off_middle < 0.7 * (1 - 1.6 * share):
            continue
        places = LATTICE.layer(layer, layer * h)
        near = np.hypot(*(places[:, :2] - axis).T) < 1.7 + 2.2 * off_middle + 1.2 * share
        layers.append(places[near] + random.normal(0.0, 0.15, (int(near.sum()), 3)))
    positions = np.vstack(layers)
    return cell, positions[np.argsort(positions[:, 2], kind="stable")]


def made_transmission(share: float, random: np.random.Generator) -> NDArray[np.float64]:
    """T(E) per spin at `ENERGIES` of such a junction."""
    at_fermi = 10 ** (3.2 * (share - 0.45) / 0.45) if share < 0.45 else 1.0 + 3.0 * max(0.0, share - 0.7)
    slope, bend = random.normal(0.0, 0.08, 2)
    spectrum: NDArray[np.float64] = at_fermi * (1 + slope * ENERGIES + bend * ENERGIES**2) * random.normal(1.0, 0.04)
    return np.abs(spectrum)


def stage_at(share: float) -> tuple[str, int]:
    """Stage and bonds of such a junction."""
    if share < 0.25:
        return STAGES[0], 0
    if share < 0.45:
        return STAGES[1], 0
    return (STAGES[2], 1 + int(6 * (share - 0.45))) if share < 0.7 else (STAGES[3], 5 + int(12 * (share - 0.7)))
