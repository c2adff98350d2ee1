"""Each input of a pwcond.x calculation by itself."""

import math
import re
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.calculations.pwcond_inputs import (
    to_energies,
    to_kpoints,
    validate_boundaries,
    validate_energies,
    validate_kpoints,
    validate_parameters,
    validate_shards,
    validate_spin,
    validate_tolerance,
)
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.pwcond_input import OWNED_KEYS

pytestmark = pytest.mark.usefixtures("aiida_profile")


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ([0.1, 0.0], [0.1, 0.0]),
        (np.array([0.1, 0.0, -0.1]), [0.1, 0.0, -0.1]),
        ({"start": -0.3, "stop": 0.3, "step": 0.1}, [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]),
        ({"start": 1.0, "stop": 0.0, "step": -0.25}, [1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"start": 0.5, "stop": 0.5, "step": 1.0}, [0.5]),
    ],
)
def test_energies_are_given_as_a_list_an_array_or_a_range(given: Any, listed: list[float]) -> None:
    node = to_energies(given)
    assert isinstance(node, orm.List)
    # exactly: the Fermi energy is 0.0, not 5e-17, and has no sign
    assert node.get_list() == listed
    assert "-0.0" not in map(str, node.get_list())


@pytest.mark.parametrize(
    "given",
    [
        {"start": 0.0, "stop": 1.0, "step": 0.3},
        {"start": 0.0, "stop": 1.0, "step": 0.0},
        {"start": 0.0, "stop": 1.0, "step": -0.1},
        {"start": 0.0, "stop": 1.0, "step": 1e-5},
        {"start": 0.0, "stop": math.nan, "step": 0.1},
        {"start": 0.0, "stop": math.inf, "step": 0.1},
    ],
)
def test_a_range_that_is_none_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=r"^energies = .*a range whose step divides it"):
        to_energies(given)


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ([], r"energies = \[\]: must be finite numbers"),
        (["0.0"], "must be finite numbers"),
        ([None], "must be finite numbers"),
        ([0.0, 0.1, 0.0], "must be free of repetitions"),
        ([0.1, 0.1 + 1e-9], "must be free of repetitions"),
        ([0.0, math.nan], "must be finite numbers"),
        ([math.inf], "must be finite numbers"),
    ],
)
def test_energies_that_are_none_are_refused(energies: list[Any], message: str) -> None:
    assert re.search(message, str(validate_energies(orm.List(energies), None)))


@pytest.mark.parametrize("key", sorted(OWNED_KEYS))
def test_every_key_that_the_plugin_sets_is_refused_by_name(key: str) -> None:
    refusal = validate_parameters(orm.Dict({"ewind": 0.5, key: 1}), None)
    assert str(refusal).startswith(f"parameters = {key}: must be left to the plugin")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ewindow": 1.0}, "parameters = ewindow: must be among .*ewind"),
        ({"EWIND": 1.0}, "parameters = EWIND: must be among"),
        ({"lorb": True}, "parameters = lorb: must be among"),
        ({"epsproj": 1e-2}, r"parameters.epsproj = 0.01: must be from 1e-12 to 0.001"),
        ({"ewind": -1.0}, r"parameters.ewind = -1.0: must be from 0.01 to 100"),
        ({"ewind": True}, r"parameters.ewind = True: must be from"),
        ({"nz1": 0}, r"parameters.nz1 = 0: must be from 1 to 1000"),
        ({"nz1": 3.0}, r"parameters.nz1 = 3.0: must be from 1"),
        ({"nz1": "3"}, r"parameters.nz1 = '3': must be from 1"),
        ({"ewind": [1.0]}, "has no place in a namelist"),
        ({"ewind": "x" * 51}, "has no place in a namelist"),
        ({"ewind": "a' /"}, "has no place in a namelist"),
    ],
)
def test_parameters_that_pwcond_does_not_know_are_refused(parameters: dict[str, Any], message: str) -> None:
    assert re.search(message, str(validate_parameters(orm.Dict(parameters), None)))


def kpoints(points: list[list[float]], weights: list[float] | None) -> orm.KpointsData:
    node = orm.KpointsData()
    node.set_kpoints(points, weights=weights)
    return node


@pytest.mark.parametrize(
    ("points", "weights", "message"),
    [
        ([[0.1, 0.2, 0.3]], [1.0], "kz = 0"),
        ([[0.1, 0.2, 0.0], [0.0, 0.0, -0.1]], [0.5, 0.5], "kz = 0"),
        ([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [2.0, -1.0], "must be positive"),
        ([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [1.0, 0.0], "must be positive"),
        ([[0.1, 0.2, 0.0]], [math.nan], "must be positive"),
        ([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [1.0, 3.0], "weights that sum to 4: must be"),
        ([[0.1, 0.2, 0.0]], [0.9999], "weights that sum to 0.9999"),
        ([[0.1, 0.2, 0.0]], None, "no list with weights"),
        ([[math.nan, 0.2, 0.0]], [1.0], "must be finite"),
        ([[0.1, 0.2, math.nan]], [1.0], "must be finite"),
    ],
)
def test_k_points_that_are_not_lateral_are_refused(
    points: list[list[float]], weights: list[float] | None, message: str
) -> None:
    refusal = str(validate_kpoints(kpoints(points, weights), None))
    assert refusal.startswith("kpoints = ")
    assert message in refusal


def test_k_points_whose_weights_were_rounded_are_taken() -> None:
    # as printed with seven digits
    assert validate_kpoints(kpoints([[0.0, 0.1 * n, 0.0] for n in range(3)], [0.3333333] * 3), None) is None


def test_a_node_without_k_points_is_refused() -> None:
    assert str(validate_kpoints(orm.KpointsData(), None)).startswith("kpoints = no list with weights")


@pytest.mark.parametrize(("mesh", "refused"), [([4, 4, 1], False), ([4, 4, 2], True)])
def test_a_mesh_is_lateral(mesh: list[int], refused: bool) -> None:
    node = orm.KpointsData()
    node.set_kpoints_mesh(mesh)
    refusal = validate_kpoints(node, None)
    assert ("must be lateral: 1 along z" in str(refusal)) if refused else refusal is None


@pytest.mark.parametrize(
    ("tolerance", "refused"),
    [(-1e-3, True), (0.0, True), (math.nan, True), (0.11, True), (1e-6, False), (0.1, False)],
)
def test_a_tolerance_is_a_gate(tolerance: float, refused: bool) -> None:
    refusal = validate_tolerance(orm.Float(tolerance), None)
    assert (refusal is not None) is refused
    assert not refused or str(refusal).startswith("unitarity_tolerance = ")


@pytest.mark.parametrize("name", ["", "Up", "1", "both"])
def test_a_spin_is_up_or_down(name: str) -> None:
    assert str(validate_spin(orm.Str(name), None)).startswith(f"spin = {name}: must be one of up, down")
    assert validate_spin(orm.Str("up"), None) is None
    assert validate_spin(orm.Str("down"), None) is None


@pytest.mark.parametrize(
    ("boundaries", "words"),
    [
        ({"bdl": 0.0}, "positive numbers, in units of alat"),
        ({"bdl": -1.0}, "positive numbers"),
        ({"bds": math.inf}, "positive numbers"),
        ({"bds": "1.0"}, "positive numbers"),
        ({"bdl": 1.0, "bdx": 2.0}, "among bdl, bds, bdr"),
    ],
)
def test_boundaries_are_lengths_by_name(boundaries: dict[str, Any], words: str) -> None:
    refusal = str(validate_boundaries(orm.Dict(boundaries), None))
    assert refusal.startswith("boundaries = ")
    assert words in refusal


@pytest.mark.parametrize(
    ("shards", "words"),
    [
        ([], "one at least"),
        ([[0, 0, 0]], "four whole numbers"),
        ([[0, 0, 0, 0.5]], "four whole numbers"),
        ([3], "shards: "),
        ([[1, 0, 0, 0]], "order them"),
        ([[0, 0, -1, 0]], "order them"),
        ([[0, 1, 0, 1], [1, 2, 1, 1]], "free of double coverage"),
        ([[0, 0, 0, 0], [0, 0, 0, 0]], "free of double coverage"),
    ],
)
def test_shards_are_rectangles_that_share_nothing(shards: list[Any], words: str) -> None:
    assert words in str(validate_shards(orm.List(shards), None))
    assert validate_shards(orm.List([[0, 1, 0, 1], [2, 2, 0, 1]]), None) is None


def test_kpoints_as_a_list_or_a_mesh() -> None:
    listed = to_kpoints([[0.1, 0.2, 0.25], [0.3, 0.0, 0.75]])
    points, weights = listed.get_kpoints(also_weights=True)
    assert points.tolist() == [[0.1, 0.2, 0.0], [0.3, 0.0, 0.0]]
    assert weights.tolist() == [0.25, 0.75]
    assert to_kpoints({"mesh": [15, 18], "offset": [0.0, 0.5]}).get_kpoints_mesh() == ([15, 18, 1], [0.0, 0.5, 0.0])
    assert to_kpoints(listed) is listed


@pytest.mark.parametrize("value", [[[0.1, 0.2]], "gamma", {"mesh": [3]}, {"grid": [3, 3]}, []])
def test_kpoints_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="kpoints"):
        to_kpoints(value)
