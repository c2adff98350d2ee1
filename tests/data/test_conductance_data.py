"""The node of a conductance."""

import math
import re
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import ModificationNotAllowed, ValidationError

from aiida_rewire.data.conductance import ARRAYS, OPTIONAL_ARRAYS, ConductanceData
from aiida_rewire.errors import InvalidInput


def arrays(transmission: float = 1.0) -> dict[str, Any]:
    """Two energies, two k-points of weights 1 and 3."""
    return {
        "energies": np.array([0.1, 0.0]),
        "transmission": np.array([[2.0, 2.0], [transmission, transmission / 3]]),
        "kpoints": np.array([[0.1, 0.2], [0.3, 0.1]]),
        "weights": np.array([1.0, 3.0]),
        "channels": np.array([[3, 3], [7, 2]]),
        "unitarity": np.array([[0.0, 1e-5], [2e-4, 0.0]]),
    }


def make(labels: dict[str, Any] | None = None, **changes: Any) -> ConductanceData:
    return ConductanceData.from_transmission(**{**arrays(), **changes}, labels=labels or {})


def extras() -> dict[str, Any]:
    """Both spins, their eigenchannels, and the numerics of each point; fits arrays()."""
    up = np.array([[2.5, 2.0], [1.0, 0.5]])
    down = np.array([[1.5, 2.0], [1.0, 2 / 3 - 0.5]])
    none = math.nan
    return {
        "transmission_spin": np.stack([up, down]),
        "eigenchannels": np.array(
            [
                [[[1.0, 0.9, 0.6], [1.0, 1.0, none]], [[0.7, 0.3, 0.0], [0.5, 0.0, none]]],
                [[[0.8, 0.7, none], [1.0, 1.0, none]], [[0.9, 0.1, none], [2 / 3 - 0.5, none, none]]],
            ]
        ),
        "numerics": np.array([[0, 0], [1, 0]]),
        "ladder": [{}, {"ewind": 4.0, "epsproj": 1e-8}],
        "potential_mismatch_ev": -0.003,
    }


def eigenchannels_of_one_spin() -> Any:
    """Sums are the transmission of arrays()."""
    none = math.nan
    return np.array([[[1.0, 0.6, 0.4], [1.0, 1.0, none]], [[0.5, 0.5, 0.0], [1 / 3, none, none]]])


def test_a_stored_conductance_loads_as_it_was() -> None:
    node = make({"campaign": "c", "voltage_v": 2.0}).store()
    loaded = orm.load_node(node.uuid)
    assert isinstance(loaded, ConductanceData)
    wanted = {**arrays(), "weights": np.array([0.25, 0.75])}
    for name, array in wanted.items():
        assert np.array_equal(loaded.get_array(name), array)
    assert sorted(loaded.get_arraynames()) == sorted(ARRAYS)
    properties = {"transmission_k": "transmission"}
    for name in ("energies", "kpoints", "weights", "channels", "unitarity", "transmission_k"):
        assert np.array_equal(getattr(loaded, name), wanted[properties.get(name, name)])
    for name in OPTIONAL_ARRAYS:
        assert getattr(loaded, name) is None
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
    assert attributes.get("n_energies") == 2
    grids = {name: arrays()[name][1:] for name in ("energies", "transmission", "channels", "unitarity")}
    one = make(**grids).store().base.attributes
    assert (one.get("n_energies"), one.get("n_kpoints")) == (1, 2)
    assert one.get("conductance_g0") == pytest.approx(0.5)


def test_what_is_known_of_spins_eigenchannels_and_numerics_loads_as_it_was() -> None:
    loaded = orm.load_node(make(**extras()).store().uuid)
    for name in OPTIONAL_ARRAYS:
        assert np.array_equal(getattr(loaded, name), extras()[name], equal_nan=True)
    for name in ("ladder", "potential_mismatch_ev"):
        assert loaded.base.attributes.get(name) == extras()[name]


def test_a_stored_conductance_does_not_change() -> None:
    node = make().store()
    with pytest.raises(ModificationNotAllowed):
        node.set_array("transmission", np.zeros((2, 2)))
    with pytest.raises(ModificationNotAllowed):
        node.base.attributes.set("conductance_g0", 2.0)
    assert node.conductance_g0 == pytest.approx(0.5)


def test_whole_numbers_are_stored_as_such() -> None:
    node = make(channels=np.array([[3.0, 3.0], [7.0, 2.0]]))
    assert node.channels.dtype == np.int64


def test_without_the_fermi_energy_there_is_a_transmission_and_no_conductance() -> None:
    node = orm.load_node(make(energies=np.array([1.0, 0.1])).store().uuid)
    assert node.transmission == pytest.approx([2.0, 0.5])
    attributes = node.base.attributes.all
    assert {"conductance_g0", "transmission_fermi"} & set(attributes) == set()
    assert attributes["n_energies"] == 2
    for name in ("conductance_g0", "conductance_siemens"):
        with pytest.raises(ValueError, match=r"^energies = from 0.1 to 1 eV: must be with 0 eV, E_F, among them"):
            getattr(node, name)


@pytest.mark.parametrize("fermi", [1e-10, -1e-10, 0.0])
def test_the_fermi_energy_is_found_to_rounding(fermi: float) -> None:
    assert make(energies=np.array([0.1, fermi])).conductance_g0 == pytest.approx(0.5)
    assert make(energies=np.array([fermi, -1e-8])).conductance_g0 == pytest.approx(2.0)


def test_the_current_is_that_of_the_averaged_transmission() -> None:
    # T falls linearly from 2.0 at 0.1 eV to 0.5 at 0 and is cut there by a bias that opens upwards alone
    node = make()
    current = node.current([0.0, 0.05, 0.1], lead_shift=1.0)
    expected = [77.480917e-6 * (0.5 * v + 15.0 * v**2 / 2) for v in (0.0, 0.05, 0.1)]
    assert current == pytest.approx(expected, rel=1e-6)
    # 10 kT at 300 K is 0.26 eV
    with pytest.raises(InvalidInput, match=r"^energies = from 0 to 0.1 eV: must be from -0.2585 eV or below"):
        node.current(0.01, 300.0, lead_shift=1.0)


def test_the_current_of_a_flat_transmission_is_ohmic_when_warm() -> None:
    flat = make(energies=np.array([0.5, -0.5]), transmission=np.array([[1.0, 0.5], [1.0, 0.5]]))
    assert flat.current(0.3, 300.0) == pytest.approx(77.480917e-6 * (0.25 + 0.375) * 0.3, rel=1e-6)


def test_the_figure_is_of_the_averaged_transmission() -> None:
    figure = make().get_figure()
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[0.1, 2.0], [0.0, pytest.approx(0.5)]]
    spins = make(**extras()).get_figure()
    assert [line.get_label() for line in spins.axes[0].lines[1:3]] == ["spin up", "spin down"]
    assert make().get_figure(figure.axes[0]) is figure
    assert len(figure.axes[0].lines) == 6


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


@pytest.mark.parametrize("energies", [[0.1, 0.2], [0.0, 0.0], [-0.1, 0.0]])
def test_energies_that_do_not_descend_are_refused(energies: list[float]) -> None:
    with pytest.raises(InvalidInput, match=r"^energies = .* must be strictly descending"):
        make(energies=np.array(energies))


RESERVED = ["conductance_g0", "transmission_fermi", "unitarity_max", "n_kpoints", "n_energies"]
RESERVED += ["ladder", "potential_mismatch_ev", "array|energies"]


@pytest.mark.parametrize("label", RESERVED)
def test_a_label_that_would_hide_a_result_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=f"^labels = {re.escape(label)}: must be "):
        make({label: 1.0, "campaign": "c"})


@pytest.mark.parametrize("weights", [[-1.0, 3.0], [0.0, 0.0], [0.0, 1.0], [-1.0, -3.0]])
def test_weights_that_average_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(InvalidInput, match=r"^weights = .*must be positive"):
        make(weights=np.array(weights))


@pytest.mark.parametrize("name", [*ARRAYS, "transmission_spin", "numerics"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_never_stored(name: str, number: float) -> None:
    damaged = {**arrays(), **extras()}[name].astype(float)
    damaged.flat[0] = number
    before = orm.QueryBuilder().append(ConductanceData).count()
    with pytest.raises(InvalidInput, match=f"^{name} = .* not finite: must be finite"):
        make(**{**extras(), name: damaged}).store()
    assert orm.QueryBuilder().append(ConductanceData).count() == before


@pytest.mark.parametrize("name", ["transmission", "channels", "unitarity", "numerics"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (4,), (2, 3)])
def test_an_array_off_the_grid_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=rf"^{name} = shape .* must be \(energies, k\) = \(2, 2\)"):
        make(**{name: np.zeros(shape)})


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("transmission_spin", (2, 2), "(2, energies, k) = (2, 2, 2)"),
        ("transmission_spin", (1, 2, 2), "(2, energies, k) = (2, 2, 2)"),
        ("eigenchannels", (2, 2), "(energies, k, n) = (2, 2, 2)"),
        ("eigenchannels", (2, 3, 4), "(energies, k, n) = (2, 2, 4)"),
        ("eigenchannels", (2, 2, 2, 4), "(energies, k, n) = (2, 2, 4)"),
        ("energies", (2, 1), "a list of at least one number"),
        ("energies", (0,), "a list of at least one number"),
        ("weights", (0,), "a list of at least one number"),
    ],
)
def test_other_shapes_are_refused(name: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = shape .* must be {re.escape(words)}"):
        make(**{name: np.zeros(shape)})


@pytest.mark.parametrize("shape", [(3, 2), (1, 2), (2, 3), (2,)])
def test_k_points_that_do_not_fit_the_weights_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"^kpoints = shape .* must be \(k, 2\) = \(2, 2\)"):
        make(kpoints=np.zeros(shape))


def test_texts_are_no_numbers() -> None:
    with pytest.raises(InvalidInput, match=r"^channels = .*must be real numbers"):
        make(channels=np.array([["3", "3"], ["7", "2"]]))


@pytest.mark.parametrize(
    ("value", "unitarity", "bound"),
    [
        (2.001, 1e-6, "the 2 channels of the left lead"),
        (-0.001, 1e-6, "the 2 channels of the left lead"),
        # T_j + R_j of both channels is off by 1e-2 each
        (2.04, 1e-2, "the 2 channels"),
    ],
)
def test_more_transmission_than_channels_and_less_than_none_are_refused(
    value: float, unitarity: float, bound: str
) -> None:
    transmission, deviation = arrays()["transmission"], arrays()["unitarity"]
    transmission[1, 1], deviation[1, 1] = value, unitarity
    with pytest.raises(InvalidInput, match=rf"^transmission\[1, 1\] = {value}: must be from 0 to {bound}"):
        make(transmission=transmission, unitarity=deviation)


def test_a_transmission_is_above_its_channels_as_far_as_they_are_above_one() -> None:
    transmission, deviation = arrays()["transmission"], arrays()["unitarity"]
    transmission[1, 1], deviation[1, 1] = 2.02, 1e-2
    assert make(transmission=transmission, unitarity=deviation).conductance_g0 == pytest.approx(0.25 + 0.75 * 2.02)


@pytest.mark.parametrize(
    ("name", "number"), [("channels", -1), ("channels", 2.5), ("numerics", -1), ("numerics", 0.5)]
)
def test_counts_are_whole_numbers(name: str, number: float) -> None:
    damaged = {**arrays(), **extras()}[name].astype(float)
    damaged[0, 0] = number
    with pytest.raises(InvalidInput, match=f"^{name} = .*whole numbers from 0 on"):
        make(**{**extras(), name: damaged})


def test_a_unitarity_is_not_negative() -> None:
    with pytest.raises(InvalidInput, match=r"^unitarity = -0.1: must be 0 or above"):
        make(unitarity=np.array([[0.0, -0.1], [0.0, 0.0]]))


def test_the_transmission_is_the_mean_of_both_spins() -> None:
    spins = extras()["transmission_spin"]
    spins[0, 0, 1] += 0.01
    with pytest.raises(InvalidInput, match=r"^transmission = 0.005 off transmission_spin: must be the mean"):
        make(transmission_spin=spins)


def test_each_spin_is_bounded_by_the_channels() -> None:
    # 2 channels for each spin: a mean of 1 is possible, 3 of one spin alone is not
    transmission = arrays()["transmission"]
    transmission[1, 1] = 1.0
    spins = np.stack([transmission, transmission])
    spins[:, 1, 1] = [2.2, -0.2]
    with pytest.raises(InvalidInput, match=r"^transmission_spin\[0, 1, 1\] = 2.2: must be from 0 to the 2 channels"):
        make(transmission=transmission, transmission_spin=spins)


def test_eigenchannels_of_one_spin_sum_to_the_transmission() -> None:
    node = make(eigenchannels=eigenchannels_of_one_spin()).store()
    found = node.eigenchannels
    assert found is not None
    assert np.nansum(found, axis=-1) == pytest.approx(node.transmission_k)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ((1, 1, 0), 0.34, "sums up to 0.0067 off the transmission"),
        ((1, 1, 0), math.nan, "sums up to 0.33 off the transmission"),
        ((0, 0, 1), math.nan, "not in order: must be descending, NaN after the last"),
        ((0, 0, slice(1, 3)), [0.4, 0.6], "not in order"),
        ((0, 0), [1.1, 0.6, 0.3], "1.1: must be from 0 to 1 each"),
        ((0, 0), [1.0, 1.0 + 1e-4, -1e-4], "not in order"),
        ((1, 1, 1), -0.1, "-0.1: must be from 0 to 1 each"),
        ((1, 1, 1), -math.inf, "1 numbers not finite: must be finite"),
    ],
)
def test_eigenchannels_that_are_none_are_refused(place: Any, value: Any, words: str) -> None:
    damaged = eigenchannels_of_one_spin()
    damaged[place] = value
    with pytest.raises(InvalidInput, match=f"^eigenchannels = {re.escape(words)}"):
        make(eigenchannels=damaged)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ladder": None}, "^numerics = alone"),
        ({"numerics": None}, "^ladder = alone"),
        ({"ladder": []}, "^ladder = .*the first {}"),
        ({"ladder": [{"ewind": 4.0}, {}]}, "^ladder = .*the first {}"),
        ({"ladder": [{}, "ewind"]}, "^ladder = .*a list of dictionaries"),
        ({"ladder": [{}]}, "^numerics = 1: must be below 1, the rungs of the ladder"),
        ({"potential_mismatch_ev": math.nan}, "^potential_mismatch_ev = nan: must be a finite number, eV"),
        ({"potential_mismatch_ev": "0.1"}, "^potential_mismatch_ev = 0.1: must be a finite number, eV"),
    ],
)
def test_numerics_and_mismatch_that_say_nothing_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make(**{**extras(), **changes})


@pytest.mark.parametrize("name", ARRAYS)
def test_a_node_without_one_of_its_arrays_is_never_stored(name: str) -> None:
    node = make()
    node.delete_array(name)
    with pytest.raises(ValidationError, match=f"no {name}"):
        node.store()


def test_a_node_made_without_its_results_is_never_stored() -> None:
    node = ConductanceData()
    for name, array in {**arrays(), "weights": np.array([0.25, 0.75])}.items():
        node.set_array(name, array)
    with pytest.raises(ValidationError, match=r"^attributes = no conductance_g0, n_energies, n_kpoints"):
        node.store()


@pytest.mark.parametrize(
    ("name", "value"),
    [("conductance_g0", 0.6), ("unitarity_max", 0.0), ("n_kpoints", 3), ("n_energies", 1)],
)
def test_an_attribute_that_contradicts_the_arrays_is_never_stored(name: str, value: float) -> None:
    node = make()
    node.base.attributes.set(name, value)
    with pytest.raises(ValidationError, match=f"^{name} = {value}: must be what the arrays give"):
        node.store()


def test_a_conductance_without_the_fermi_energy_is_never_stored() -> None:
    node = make(energies=np.array([0.2, 0.1]))
    node.base.attributes.set("conductance_g0", 0.5)
    with pytest.raises(ValidationError, match=r"^conductance_g0 = 0.5: must be what the arrays give, none"):
        node.store()


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("weights", [1.0, 3.0], "^weights = .*with a sum of 1"),
        ("energies", [0.0, 0.1], "^energies = .*strictly descending"),
        ("transmission", [[2.0, 2.0], [math.nan, 0.1]], "^transmission = 1 numbers not finite"),
        ("eigenchannels", [[[0.5], [0.5]], [[0.5], [0.5]]], "^eigenchannels = sums"),
        ("numerics", [[0, 0], [0, 0]], "^numerics = alone"),
    ],
)
def test_arrays_that_were_exchanged_are_checked_again_before_they_are_stored(
    name: str, array: Any, words: str
) -> None:
    node = make()
    node.set_array(name, np.array(array))
    with pytest.raises(ValidationError, match=words):
        node.store()
