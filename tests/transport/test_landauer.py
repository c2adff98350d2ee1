"""From transmission to conductance."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import (
    BOLTZMANN_CONSTANT,
    CONDUCTANCE_QUANTUM,
    ELEMENTARY_CHARGE,
    k_average,
    landauer_current,
)

TEMPERATURES = (0.0, 4.2, 300.0, 1000.0)
WIDE = np.linspace(-2.0, 2.0, 81)


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


def resonance(energies: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return (width / 2) ** 2 / ((energies - centre) ** 2 + (width / 2) ** 2)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_one_open_channel_is_an_ohmic_conductor_at_any_temperature(temperature: float) -> None:
    voltages = np.array([[-0.5, 0.0, 1e-6], [0.3, 1.0, 2.0]])
    current = landauer_current(WIDE, np.ones_like(WIDE), voltages, temperature_k=temperature)
    assert current.shape == (2, 3)
    assert current == pytest.approx(CONDUCTANCE_QUANTUM * voltages, rel=1e-9, abs=1e-20)


def test_one_volt_on_one_channel_is_77_microamperes() -> None:
    current = landauer_current([-1.0, 1.0], [1.0, 1.0], 1.0, temperature_k=0.0)
    assert current.shape == ()
    assert float(current) * 1e6 == pytest.approx(77.48091730, abs=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_slope_at_zero_bias_is_the_conductance(share: float) -> None:
    values = 0.7 + 0.4 * WIDE + 1.5 * WIDE**2
    volt = 1e-6
    for sign in (1, -1):
        current = landauer_current(WIDE, values, sign * volt, temperature_k=0.0, lead_shift=share)
        assert float(current) / (sign * volt) == pytest.approx(0.7 * CONDUCTANCE_QUANTUM, rel=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_what_is_odd_in_the_energy_cancels_under_a_symmetric_drop(temperature: float) -> None:
    voltages = [0.4, 1.3]
    even = landauer_current(WIDE, np.full_like(WIDE, 2.0), voltages, temperature_k=temperature)
    tilted = landauer_current(WIDE, 2.0 + 0.9 * WIDE, voltages, temperature_k=temperature)
    assert tilted == pytest.approx(even, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.0, 300.0])
def test_what_is_odd_in_the_energy_counts_under_an_uneven_drop(temperature: float) -> None:
    # of T = 2 + 0.9 E the integral over a window of width V at the mean energy (s - 1/2) V
    voltage, share = 0.8, 0.75
    current = landauer_current(WIDE, 2.0 + 0.9 * WIDE, voltage, temperature_k=temperature, lead_shift=share)
    expected = CONDUCTANCE_QUANTUM * voltage * (2.0 + 0.9 * (share - 0.5) * voltage)
    assert float(current) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("centre", [0.0, 0.15, -0.4])
@pytest.mark.parametrize("voltage", [0.05, 0.5, -1.0, 3.0])
def test_a_resonance_carries_the_current_of_its_arctangents(centre: float, voltage: float) -> None:
    energies, width = np.linspace(-2.0, 2.0, 2001), 0.2
    current = landauer_current(energies, resonance(energies, centre, width), voltage, temperature_k=0.0)
    half = width / 2
    window = np.arctan((voltage / 2 - centre) / half) - np.arctan((-voltage / 2 - centre) / half)
    assert float(current) == pytest.approx(CONDUCTANCE_QUANTUM * half * window, rel=1e-4)


@pytest.mark.parametrize("temperature", [30.0, 300.0])
@pytest.mark.parametrize("voltage", [0.25, 0.123, -1.0])
def test_a_warm_current_is_the_integral_over_the_fermi_functions(temperature: float, voltage: float) -> None:
    energies = np.linspace(-1.0, 1.0, 9)
    values = np.array([0.0, 1.0, 0.2, 0.9, 0.1, 2.0, 0.3, 0.4, 1.0])
    thermal = BOLTZMANN_CONSTANT * temperature / ELEMENTARY_CHARGE

    def integrand(energy: float) -> float:
        steps = [np.tanh((energy - potential) / (2 * thermal)) for potential in (-voltage / 2, voltage / 2)]
        return float(np.interp(energy, energies, values) * (steps[0] - steps[1]) / 2)

    places = [*energies, *(sign * voltage / 2 + step * thermal for sign in (1, -1) for step in (-5, -1, 0, 1, 5))]
    integral, _ = quad(integrand, -1.0, 1.0, points=places, limit=500)
    current = landauer_current(energies, values, voltage, temperature_k=temperature)
    assert float(current) == pytest.approx(CONDUCTANCE_QUANTUM * integral, rel=1e-5)


def test_warmth_adds_the_curvature_of_the_transmission() -> None:
    # Sommerfeld: G = G0 [T(0) + pi^2/6 (kT)^2 T''(0)]
    fine, temperature = np.linspace(-1.0, 1.0, 4001), 300.0
    thermal = BOLTZMANN_CONSTANT * temperature / ELEMENTARY_CHARGE
    current = landauer_current(fine, 0.5 + 3.0 * fine**2, 1e-4, temperature_k=temperature)
    expected = 0.5 + np.pi**2 / 6 * thermal**2 * 6.0
    assert float(current) / 1e-4 == pytest.approx(CONDUCTANCE_QUANTUM * expected, rel=1e-5)


def test_the_current_reverses_with_the_bias_and_not_with_the_order_of_the_energies() -> None:
    values = resonance(WIDE, 0.3, 0.4)
    voltages = np.linspace(-1.0, 1.0, 7)
    current = landauer_current(WIDE, values, voltages, temperature_k=300.0)
    assert current == pytest.approx(-current[::-1], rel=1e-12, abs=1e-18)
    descending = landauer_current(WIDE[::-1], values[::-1], voltages, temperature_k=300.0)
    assert np.array_equal(current, descending)


@pytest.mark.parametrize(
    ("energies", "voltages", "temperature", "share", "needed"),
    [
        ([-0.5, 0.5], [0.2, 1.1], 0.0, 0.5, "from -0.55 eV or below to 0.55 eV or above for up to 1.1 V at 0 K"),
        ([-0.5, 0.5], [-1.1], 0.0, 0.5, "from -0.55 eV or below to 0.55 eV or above"),
        # 10 kT = 0.2585 eV
        ([-0.5, 0.5], [0.6], 300.0, 0.5, "from -0.5585 eV or below to 0.5585 eV or above"),
        ([-0.5, 0.5], [0.6], 0.0, 1.0, "from 0 eV or below to 0.6 eV or above"),
        ([-0.5, 0.5], [0.6], 0.0, 0.0, "from -0.6 eV or below to 0 eV or above"),
        ([0.1, 1.0], [0.4], 0.0, 0.5, "from -0.2 eV or below to 0.2 eV or above"),
    ],
)
def test_a_window_beyond_the_energies_is_refused_with_the_range_that_it_needs(
    energies: list[float], voltages: list[float], temperature: float, share: float, needed: str
) -> None:
    with pytest.raises(InvalidInput, match=r"^energies = from ") as refused:
        landauer_current(energies, [1.0, 1.0], voltages, temperature_k=temperature, lead_shift=share)
    assert needed in str(refused.value)


def test_a_window_that_just_fits_is_not_refused() -> None:
    assert float(landauer_current([-0.3, 0.3], [1.0, 1.0], 0.6, temperature_k=0.0)) > 0
    assert float(landauer_current([0.0, 0.3], [1.0, 1.0], 0.3, temperature_k=0.0, lead_shift=1.0)) > 0
    assert landauer_current([0.0], [1.0], [], temperature_k=300.0).shape == (0,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"energies_ev": [0.5, 0.5]}, "^energies = .*free of repetitions"),
        ({"energies_ev": []}, "^transmission = of shape"),
        ({"energies_ev": [[-0.5, 0.5]]}, "^transmission = of shape"),
        ({"transmission": [1.0, math.nan]}, "^transmission = a number that is not finite"),
        ({"energies_ev": [-math.inf, 0.5]}, "^transmission = a number that is not finite"),
        ({"voltages_v": [math.nan]}, "^voltages = .*finite"),
        ({"temperature_k": -1.0}, "^temperature_k = -1.0"),
        ({"temperature_k": math.nan}, "^temperature_k = nan"),
        ({"lead_shift": 1.1}, "^lead_shift = 1.1"),
    ],
)
def test_inputs_without_a_current_are_refused(changes: dict[str, object], words: str) -> None:
    usual = {"energies_ev": [-0.5, 0.5], "transmission": [1.0, 1.0], "voltages_v": [0.1], "temperature_k": 0.0}
    with pytest.raises(InvalidInput, match=words):
        landauer_current(**{**usual, **changes})  # type: ignore[arg-type]
