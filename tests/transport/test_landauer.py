"""From transmission to conductance."""

import math

import numpy as np
import pytest

from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM, k_average


def test_the_conductance_quantum_is_that_of_codata() -> None:
    assert pytest.approx(77.48091729863, abs=1e-9) == CONDUCTANCE_QUANTUM * 1e6
    assert pytest.approx(12906.40372, abs=1e-5) == 1 / CONDUCTANCE_QUANTUM


def test_weights_are_normalised() -> None:
    transmission = np.array([[1.0, 2.0], [0.0, 4.0]])
    for scale in (1.0, 0.25, 100.0):
        averaged = k_average(transmission, scale * np.array([1.0, 3.0]))
        assert averaged == pytest.approx([1.75, 3.0])


def test_one_k_point_is_its_own_average() -> None:
    assert k_average(np.array([[0.7], [0.2]]), np.array([2.0])).tolist() == [0.7, 0.2]


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0], [], [math.inf, 1.0]])
def test_weights_that_average_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^weights = .*must be positive"):
        k_average(np.ones((1, len(weights))), np.array(weights))
