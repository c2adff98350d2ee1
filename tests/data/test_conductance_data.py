"""The node of a conductance."""

import math
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_rewire.data.conductance import ARRAYS, ConductanceData


def arrays(transmission: float = 1.0) -> dict[str, Any]:
    """Two energies, two k-points of weights 1 and 3."""
    return {
        "energies": np.array([0.1, 0.0]),
        "transmission": np.array([[2.0, 2.0], [transmission, transmission / 3]]),
        "kpoints": np.array([[0.1, 0.2], [0.3, 0.1]]),
        "weights": np.array([1.0, 3.0]),
        "channels": np.array([[3, 3], [3, 2]]),
        "unitarity": np.array([[0.0, 1e-5], [2e-4, 0.0]]),
    }


def make(labels: dict[str, Any] | None = None, **changes: Any) -> ConductanceData:
    return ConductanceData.from_transmission(**{**arrays(), **changes}, labels=labels or {})


def test_a_stored_conductance_loads_as_it_was() -> None:
    node = make({"campaign": "c", "voltage_v": 2.0}).store()
    loaded = orm.load_node(node.uuid)
    assert isinstance(loaded, ConductanceData)
    for name, array in arrays().items():
        assert np.array_equal(loaded.get_array(name), array)
    assert sorted(loaded.get_arraynames()) == sorted(ARRAYS)
    assert loaded.base.attributes.get("campaign") == "c"


def test_the_conductance_is_the_weighted_transmission_at_the_fermi_energy() -> None:
    node = make()
    # (1 * 1 + 3 * 1/3) / 4
    assert node.conductance_g0 == pytest.approx(0.5)
    assert node.conductance_siemens * 1e6 == pytest.approx(77.480917 / 2, abs=1e-6)
    assert node.transmission == pytest.approx([2.0, 0.5])


def test_the_attributes_follow_from_the_arrays() -> None:
    attributes = make().store().base.attributes
    assert attributes.get("conductance_g0") == pytest.approx(0.5)
    assert attributes.get("transmission_fermi") == attributes.get("conductance_g0")
    assert attributes.get("unitarity_max") == pytest.approx(2e-4)
    assert attributes.get("n_kpoints") == 2


def test_conductances_are_found_by_their_value_and_their_labels() -> None:
    stored = {}
    for transmission, voltage in ((0.002, 2.0), (2.0, 2.0), (2.2, 8.0), (6.0, 8.0)):
        node = make({"voltage_v": voltage, "campaign": "query"}, **arrays(transmission)).store()
        stored[node.conductance_g0, voltage] = node.uuid
    near_one = {
        "attributes.campaign": "query",
        "attributes.conductance_g0": {"and": [{">": 0.8}, {"<": 1.2}]},
    }
    query = orm.QueryBuilder().append(
        ConductanceData, filters=near_one, project=["uuid", "attributes.conductance_g0"]
    )
    assert sorted(g for _, g in query.all()) == pytest.approx([1.0, 1.1])
    at_two_volts = orm.QueryBuilder().append(
        ConductanceData, filters={**near_one, "attributes.voltage_v": 2.0}, project="uuid"
    )
    assert at_two_volts.all(flat=True) == [stored[1.0, 2.0]]


@pytest.mark.parametrize("energies", [[0.1, 0.2], [0.0, 0.0], [1e-3, -1e-3]])
def test_energies_without_one_fermi_energy_are_refused(energies: list[float]) -> None:
    with pytest.raises(ValueError, match="must hold 0 once, the Fermi energy"):
        make(energies=np.array(energies))


@pytest.mark.parametrize("label", ["conductance_g0", "transmission_fermi", "unitarity_max", "n_kpoints"])
def test_a_label_that_would_hide_a_result_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=f"^labels = {label}: must be "):
        make({label: 1.0, "campaign": "c"})


@pytest.mark.parametrize("weights", [[-1.0, 3.0], [0.0, 0.0], [math.nan, 1.0]])
def test_weights_that_average_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        make(weights=np.array(weights))


@pytest.mark.parametrize("name", ["energies", "transmission", "kpoints", "unitarity"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_never_stored(name: str, number: float) -> None:
    damaged = arrays()[name].astype(float)
    damaged.flat[0] = number
    before = orm.QueryBuilder().append(ConductanceData).count()
    with pytest.raises((ValidationError, ValueError)):
        make(**{name: damaged}).store()
    assert orm.QueryBuilder().append(ConductanceData).count() == before


@pytest.mark.parametrize("name", ["channels", "unitarity"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (4,), (2, 3)])
def test_an_array_off_the_grid_is_never_stored(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match=f"{name} = shape .* must be \\(energies, k\\)"):
        make(**{name: np.zeros(shape)}).store()


def test_a_transmission_off_the_grid_is_never_stored() -> None:
    for shape in ((1, 2), (2, 3), (2,)):
        with pytest.raises((ValidationError, ValueError, IndexError)):
            make(transmission=np.ones(shape)).store()


@pytest.mark.parametrize("shape", [(3, 2), (1, 2), (2, 3), (2,)])
def test_k_points_that_do_not_fit_the_weights_are_never_stored(shape: tuple[int, ...]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        make(kpoints=np.zeros(shape)).store()


@pytest.mark.parametrize("name", ARRAYS)
def test_a_node_without_one_of_its_arrays_is_never_stored(name: str) -> None:
    node = make()
    node.delete_array(name)
    with pytest.raises(ValidationError, match=f"no {name}"):
        node.store()


def test_a_node_made_without_its_results_is_never_stored() -> None:
    node = ConductanceData()
    for name, array in arrays().items():
        node.set_array(name, array)
    with pytest.raises(ValidationError):
        node.store()
