"""Flat layers of the leads are told from the contact between them."""

import numpy as np

from aiida_rewire.junction.flat_layers import in_flat_layers
from aiida_rewire.junction.lattice import Fcc111


def lead_layers(count: int, above: float = 0.0) -> np.ndarray:
    """So many layers of nine atoms, 2.36 Å apart."""
    layer = np.stack(np.meshgrid(np.arange(3) * 2.9, np.arange(3) * 2.5), axis=-1).reshape(-1, 2)
    return np.concatenate([np.column_stack([layer, np.full(9, above + 2.36 * n)]) for n in range(count)])


def test_the_contact_lies_between_layers_of_as_many_atoms() -> None:
    contact = np.array([[3.0, 3.0, 9.0], [3.0, 3.0, 11.6], [3.1, 4.9, 11.7], [3.0, 3.0, 14.0]])
    positions = np.concatenate([lead_layers(3), contact, lead_layers(2, 16.0)])
    assert np.array_equal(np.flatnonzero(~in_flat_layers(positions)), [27, 28, 29, 30])
    # in any order of the atoms
    mixed = np.random.default_rng(0).permutation(len(positions))
    assert np.array_equal(in_flat_layers(positions[mixed]), in_flat_layers(positions)[mixed])


def test_a_lead_is_flat_altogether() -> None:
    _, positions = Fcc111(4.16, 2).lead()
    assert in_flat_layers(positions).all()


def test_a_bent_layer_belongs_to_the_contact() -> None:
    positions = np.concatenate([lead_layers(4), lead_layers(1, 12.0)])
    positions[27, 2] += 0.3
    flat = in_flat_layers(positions)
    assert flat[:27].all()
    assert not flat[27:36].any()
    assert flat[36:].all()


def test_nothing_is_flat_where_a_wire_ends_in_an_atom() -> None:
    wire = np.column_stack([np.zeros(5), np.zeros(5), np.arange(5) * 2.6])
    assert not in_flat_layers(wire).any()
    assert in_flat_layers(np.zeros((0, 3))).shape == (0,)
