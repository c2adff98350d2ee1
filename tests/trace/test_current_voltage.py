"""I(V): its slope at 0 V is the conductance, at any temperature of the leads."""

import numpy as np
import pytest
from scipy import constants
from scipy.integrate import quad
from scipy.special import expit

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.landauer import current_voltage, widest_bias_v
from aiida_rewire.transport.landauer import (
    BOLTZMANN_CONSTANT,
    CONDUCTANCE_QUANTUM,
    ELEMENTARY_CHARGE,
    PLANCK_CONSTANT,
    landauer_current,
    thermal_transmission,
)

ENERGIES = np.linspace(-1.5, 1.5, 301)
TRANSMISSION = 0.9 + 0.4 * np.sin(3 * ENERGIES) + 0.6 / (1 + ((ENERGIES - 0.1) / 0.15) ** 2)
K_EV = constants.k / constants.e


def test_the_constants_are_those_of_scipy() -> None:
    found = (ELEMENTARY_CHARGE, PLANCK_CONSTANT, BOLTZMANN_CONSTANT, CONDUCTANCE_QUANTUM)
    assert found == pytest.approx(
        (constants.e, constants.h, constants.k, constants.physical_constants["conductance quantum"][0]), rel=1e-10
    )


@pytest.mark.parametrize("temperature", [0.0, 4.2, 77.0, 300.0, 800.0])
@pytest.mark.parametrize("share", [0.5, 1.0, 0.2])
def test_the_slope_at_0_v_is_the_conductance(temperature: float, share: float) -> None:
    found = current_voltage(ENERGIES, TRANSMISSION, temperature_k=temperature, lead_shift=share)
    small = 1e-6
    both = landauer_current(ENERGIES, TRANSMISSION, [-small, small], temperature_k=temperature, lead_shift=share)
    slope = (both[1] - both[0]) / (2 * small) / CONDUCTANCE_QUANTUM
    # at 0 K the energies have a kink at E_F, whose sides the two voltages see
    assert found.zero_bias_g0 == pytest.approx(slope, abs=1e-4)


def test_cold_leads_conduct_as_the_transmission_at_the_fermi_energy() -> None:
    found = current_voltage(ENERGIES, TRANSMISSION, temperature_k=0.0)
    assert found.zero_bias_g0 == pytest.approx(TRANSMISSION[150])


def test_warm_leads_conduct_as_the_average_over_the_fermi_function() -> None:
    def average(energy: float) -> float:
        x = energy / (K_EV * 300)
        return float(np.interp(energy, ENERGIES, TRANSMISSION) * expit(x) * expit(-x) / (K_EV * 300))

    wanted, _ = quad(average, -0.6, 0.6, points=np.linspace(-0.5, 0.5, 101), limit=500, epsabs=1e-9)
    assert current_voltage(ENERGIES, TRANSMISSION, temperature_k=300.0).zero_bias_g0 == pytest.approx(
        wanted, rel=1e-6
    )


@pytest.mark.parametrize("temperature", [30.0, 300.0, (100.0, 400.0)])
def test_the_differential_conductance_is_the_derivative_of_the_current(
    temperature: float | tuple[float, float],
) -> None:
    voltages = np.linspace(-1, 1, 4001)
    found = current_voltage(ENERGIES, TRANSMISSION, voltages, temperature_k=temperature, lead_shift=0.4)
    derivative = np.gradient(found.current_a, voltages) / CONDUCTANCE_QUANTUM
    assert found.differential_g0[1:-1] == pytest.approx(derivative[1:-1], abs=2e-4)
    assert found.differential_g0[2000] == pytest.approx(found.zero_bias_g0)


def test_leads_that_are_not_equally_warm_drive_a_current_without_voltage() -> None:
    warm, cold = 400.0, 100.0

    def difference(energy: float) -> float:
        occupation = expit(-energy / (K_EV * warm)) - expit(-energy / (K_EV * cold))
        return float(np.interp(energy, ENERGIES, TRANSMISSION) * occupation)

    wanted, _ = quad(difference, -0.8, 0.8, points=np.linspace(-0.7, 0.7, 141), limit=500, epsabs=1e-9)
    current = landauer_current(ENERGIES, TRANSMISSION, 0.0, temperature_k=(warm, cold))
    assert float(current) == pytest.approx(CONDUCTANCE_QUANTUM * wanted, rel=1e-5)
    assert float(landauer_current(ENERGIES, TRANSMISSION, 0.0, temperature_k=(cold, warm))) == pytest.approx(
        -float(current)
    )
    assert float(landauer_current(ENERGIES, TRANSMISSION, 0.0, temperature_k=(warm, warm))) == 0.0


def test_one_open_channel_is_one_quantum_everywhere() -> None:
    found = current_voltage([-1.0, 1.0], [1.0, 1.0], temperature_k=300.0)
    assert found.differential_g0 == pytest.approx(1.0, abs=1e-12)
    assert found.current_a == pytest.approx(CONDUCTANCE_QUANTUM * found.voltages_v)
    assert len(found.voltages_v) == 101


def test_the_widest_range_of_voltages_fits_and_a_wider_one_does_not() -> None:
    widest = widest_bias_v(ENERGIES, temperature_k=300.0)
    assert widest == pytest.approx(2 * (1.5 - 10 * K_EV * 300))
    assert current_voltage(ENERGIES, TRANSMISSION).voltages_v[[0, -1]] == pytest.approx([-widest, widest])
    with pytest.raises(InvalidInput, match="compute T\\(E\\) in this range"):
        current_voltage(ENERGIES, TRANSMISSION, [1.01 * widest])
    assert widest_bias_v(ENERGIES, temperature_k=0.0, lead_shift=1.0) == pytest.approx(1.5)


def test_the_average_far_from_the_energies_is_the_last_transmission() -> None:
    found = thermal_transmission([-0.1, 0.3], [1.0, 2.0], [[-5.0, 5.0]], temperature_k=300)
    assert found == pytest.approx(np.array([[1.0, 2.0]]))
    assert thermal_transmission([-0.1, 0.3], [1.0, 2.0], [-5.0, 0.1, 5.0], temperature_k=0) == pytest.approx(
        [1, 1.5, 2]
    )


def test_energies_that_do_not_reach_beyond_the_fermi_step_are_refused() -> None:
    for energies in ([0.0], [-1.0, -0.5], [-0.2, 0.2], []):
        with pytest.raises(InvalidInput, match="compute T\\(E\\) in a wider range"):
            widest_bias_v(energies, temperature_k=300.0)
    with pytest.raises(InvalidInput, match="temperature_k = -1"):
        landauer_current(ENERGIES, TRANSMISSION, 0.1, temperature_k=(300.0, -1.0))
