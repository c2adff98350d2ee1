"""Energies of a transmission, and the ranks on which pwcond.x runs."""

from typing import Any

import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.energies import check_energies, check_fermi_energy, energy_range
from aiida_rewire.transport.parallel import check_ranks


@pytest.mark.parametrize(
    ("start", "stop", "step", "energies"),
    [
        (-1, 1, 0.5, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (0.3, -0.3, -0.1, [0.3, 0.2, 0.1, 0.0, -0.1, -0.2, -0.3]),
        (0, 0, 1, [0.0]),
    ],
)
def test_a_range_holds_both_ends_and_an_exact_zero(start: float, stop: float, step: float, energies: Any) -> None:
    found = energy_range({"start": start, "stop": stop, "step": step})
    assert found == energies
    assert all(str(energy) != "-0.0" for energy in found)


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 1, 0.3), (0, 1, 0), (0, 1, -0.1), (0, 1, 1e-5)])
def test_a_range_is_divided_by_its_step(start: float, stop: float, step: float) -> None:
    with pytest.raises(InvalidInput, match="must be a range whose step divides it; at most 10000 energies"):
        energy_range({"start": start, "stop": stop, "step": step})


@pytest.mark.parametrize("energies", [[], [float("nan")], [float("inf")], ["x"], [0.1, 0.1], [0.1, 0.1 + 1e-9]])
def test_energies_are_finite_and_different(energies: list[Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^energies = "):
        check_energies(energies)


def test_a_conductance_needs_the_fermi_energy() -> None:
    check_energies([0.1, -0.1])
    check_fermi_energy([0.1, 0, -0.1])
    with pytest.raises(InvalidInput, match=r"must be with 0\.0, the Fermi energy, among them"):
        check_fermi_energy([0.1, -0.1])


def test_pwcond_runs_on_powers_of_two_and_its_shards_on_one_core_each() -> None:
    for ranks, beside in ((1, 1), (1, 8), (2, 1), (64, 1)):
        check_ranks(ranks, beside)
    for ranks in (0, 3, 12):
        with pytest.raises(InvalidInput, match=f"^ranks = {ranks} ranks: must be 2.N; pwcond.x takes no other"):
            check_ranks(ranks, 1)
    with pytest.raises(InvalidInput, match="must be 1 with 8 shards in a job, each on one core"):
        check_ranks(4, 8)
