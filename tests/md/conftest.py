"""A small pair of tips."""

import numpy as np
import pytest

from aiida_rewire.junction.tips import Region, TipPair, build_tips
from aiida_rewire.md.script import AtomTypes

TYPES = AtomTypes(elements=("Ag",) * 4, fixed=(1, 4), anode=(1, 2), cathode=(3, 4))


def type_numbers(tips: TipPair) -> list[int]:
    """LAMMPS type of each atom: the regions numbered from below."""
    number = {region: index for index, region in enumerate(Region, start=1)}
    return [number[region] for region in tips.regions]


@pytest.fixture(scope="session")
def types() -> AtomTypes:
    """Regions as types 1 to 4, the lower tip the anode."""
    return TYPES


@pytest.fixture(scope="session")
def displaced_tips() -> tuple[np.ndarray, list[int]]:
    """The 182 atoms of two tips, off their sites, and their types."""
    tips = build_tips(gap=3.0)
    positions = tips.positions + np.random.default_rng(1).normal(scale=0.15, size=tips.positions.shape)
    return positions, type_numbers(tips)
