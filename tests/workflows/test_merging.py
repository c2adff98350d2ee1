"""Shards put together, and stored as a conductance."""

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.transport.numerics import ENERGY_NUDGE_EV
from aiida_rewire.workflows.functions.transmission import merge_shards, part_name, store_conductance

pytestmark = pytest.mark.usefixtures("aiida_profile")

ENERGIES = [0.1, 0.0, -0.2]
KPOINTS = [[0.1, 0.2], [0.3, 0.1]]
WEIGHTS = [0.25, 0.75]
WHOLE = np.array([[0.9, 0.8], [0.7, 0.6], [0.5, 0.4]])
GRID = {(energy, kpoint) for energy in range(3) for kpoint in range(2)}


def part(
    pairs: set[tuple[int, int]], *, factor: float = 1.0, shift: float = 0.0, channels: int = 1, **axes: Any
) -> orm.ArrayData:
    """What a run of pwcond.x stored of these pairs."""
    here = np.zeros(WHOLE.shape, dtype=bool)
    here[tuple(zip(*pairs, strict=True))] = True
    values = np.where(here, factor * WHOLE, np.nan)
    taus = np.full((*WHOLE.shape, channels), np.nan)
    taus[..., 0] = values
    arrays = {
        "energies": np.array(ENERGIES) + shift,
        "kpoints": np.array(KPOINTS),
        "weights": np.array(WEIGHTS),
        "transmission": values,
        "channels": np.where(here, channels, -1),
        "unitarity": np.where(here, 1e-5 * factor, np.nan),
        "eigenchannels": taus,
        **axes,
    }
    node = orm.ArrayData()
    for name, array in arrays.items():
        node.set_array(name, array)
    return node


def merge(
    *parts: orm.ArrayData, spins: tuple[str, ...] = (), rungs: tuple[dict[str, float], ...] = ()
) -> tuple[Any, orm.ProcessNode]:
    names = [part_name(number) for number in range(len(parts))]
    origins = {
        name: {"spin": spins[n] if spins else "", "numerics": rungs[n] if rungs else {}}
        for n, name in enumerate(names)
    }
    return merge_shards.run_get_node(orm.List(ENERGIES), orm.Dict(origins), **dict(zip(names, parts, strict=True)))


def test_parts_are_named_in_their_order() -> None:
    names = [part_name(number) for number in (0, 9, 10, 348)]
    assert sorted(names) == names


def test_shards_make_up_the_grid() -> None:
    pairs = {(0, 0), (1, 0), (2, 0), (0, 1)}
    merged, node = merge(part(pairs), part(GRID - pairs))
    assert node.is_finished_ok
    assert merged.get_array("transmission") == pytest.approx(WHOLE, abs=0)
    assert merged.get_array("energies").tolist() == ENERGIES
    assert merged.get_array("kpoints").tolist() == KPOINTS
    assert merged.get_array("weights").tolist() == WEIGHTS
    assert merged.get_array("channels").tolist() == [[1, 1]] * 3
    assert merged.get_array("numerics").tolist() == [[0, 0]] * 3
    assert merged.base.attributes.get("ladder") == [{}]
    assert "transmission_spin" not in merged.get_arraynames()


def test_energies_are_merged_in_descending_order_however_they_were_asked_for() -> None:
    origins = orm.Dict({"part_0000": {"spin": "", "numerics": {}}})
    merged = merge_shards(orm.List(ENERGIES[::-1]), origins, part_0000=part(GRID))
    assert merged.get_array("energies").tolist() == ENERGIES
    assert merged.get_array("transmission") == pytest.approx(WHOLE, abs=0)


def test_a_hole_ends_with_an_exit_code() -> None:
    _, node = merge(part(GRID - {(1, 1)}))
    assert node.exit_status == 340
    assert node.exit_message == "missing: k = (0.3000, 0.1000) at 0.0000 eV"


def test_a_pair_computed_twice_ends_with_an_exit_code() -> None:
    _, node = merge(part(GRID), part({(2, 0)}))
    assert node.exit_status == 340
    assert node.exit_message == "computed twice: k = (0.1000, 0.2000) at -0.2000 eV"


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"kpoints": np.array(KPOINTS[::-1])}, "on other k-points"),
        ({"weights": np.array([0.5, 0.5])}, "other weights"),
        ({"energies": np.array([0.1, 0.0, -0.3])}, "on energies more than"),
    ],
)
def test_parts_of_different_grids_end_with_an_exit_code(axes: dict[str, np.ndarray], words: str) -> None:
    _, node = merge(part(GRID - {(1, 1)}), part({(1, 1)}, **axes))
    assert node.exit_status == 340
    assert words in node.exit_message


@pytest.mark.parametrize(("shift", "accepted"), [(1e-3, True), (-1e-3, True), (1.1e-3, False), (2e-3, False)])
def test_energies_nudged_by_a_thousandth_of_an_ev_are_accepted(shift: float, accepted: bool) -> None:
    rungs = ({}, {"energy_shift_ev": ENERGY_NUDGE_EV})
    merged, node = merge(part(GRID - {(1, 1)}), part({(1, 1)}, shift=shift), rungs=rungs)
    assert node.is_finished_ok is accepted
    if accepted:
        # stored at the energy that was asked for, the nudge beside it
        assert merged.get_array("energies").tolist() == ENERGIES
        assert merged.get_array("numerics").tolist() == [[0, 0], [0, 1], [0, 0]]
        assert merged.base.attributes.get("ladder") == [{}, {"energy_shift_ev": 1e-3}]


def test_the_numerics_of_every_pair_are_recorded() -> None:
    wide, fine = {"ewind": 2.0}, {"epsproj": 1e-6}
    parts = (part({(0, 0)}), part({(0, 1)}), part(GRID - {(0, 0), (0, 1), (2, 0)}), part({(2, 0)}))
    merged, _ = merge(*parts, rungs=(wide, {}, fine, {}))
    ladder, numerics = merged.base.attributes.get("ladder"), merged.get_array("numerics")
    assert ladder[0] == {}
    assert [[ladder[place] for place in row] for row in numerics] == [[wide, {}], [fine, fine], [{}, fine]]


def test_a_rung_of_several_parts_is_listed_once() -> None:
    wide = {"ewind": 2.0}
    merged, _ = merge(part({(0, 0)}), part({(0, 1)}), part(GRID - {(0, 0), (0, 1)}), rungs=(wide, wide, {}))
    assert merged.get_array("numerics").tolist() == [[1, 1], [0, 0], [0, 0]]
    assert merged.base.attributes.get("ladder") == [{}, wide]


def test_two_spins_are_stored_with_their_mean() -> None:
    # up with one channel kept, down with two
    merged, node = merge(
        part(GRID, factor=0.5, channels=2), part(GRID - {(0, 0)}), part({(0, 0)}), spins=("down", "up", "up")
    )
    assert node.is_finished_ok
    assert merged.get_array("transmission_spin") == pytest.approx(np.array([WHOLE, 0.5 * WHOLE]), abs=1e-15)
    assert merged.get_array("transmission") == pytest.approx(0.75 * WHOLE, abs=1e-15)
    assert merged.get_array("channels").tolist() == [[2, 2]] * 3
    # the worse of both
    assert merged.get_array("unitarity") == pytest.approx(np.full((3, 2), 1e-5))
    taus = merged.get_array("eigenchannels")
    assert taus.shape == (2, 3, 2, 2)
    assert taus[0, ..., 0] == pytest.approx(WHOLE, abs=0)
    assert taus[1, ..., 0] == pytest.approx(0.5 * WHOLE, abs=0)
    assert np.isnan(taus[..., 1]).all()


def test_a_hole_of_one_spin_is_not_filled_by_the_other() -> None:
    _, node = merge(part(GRID), part(GRID - {(0, 0)}), spins=("up", "down"))
    assert node.exit_status == 340
    assert node.exit_message.startswith("missing: k = (0.1000, 0.2000)")


def read_back(lower: float, upper: float) -> orm.Dict:
    """What the read-back of an SCF stored, V - E_F in eV."""
    return orm.Dict({"readback_difference": 1e-10, "layer_potential_ev": [lower, upper]})


def test_what_was_merged_becomes_a_conductance() -> None:
    merged, _ = merge(part(GRID - {(1, 1)}), part({(1, 1)}), rungs=({}, {"ewind": 2.0}))
    junction = read_back(-7.66, -7.77)
    node = store_conductance(merged, orm.Dict({"campaign": "c"}), read_back(-7.68, -7.68), junction)
    assert isinstance(node, ConductanceData)
    # (1 x 0.7 + 3 x 0.6) / 4
    assert node.conductance_g0 == pytest.approx(0.625)
    assert node.base.attributes.get("campaign") == "c"
    assert node.base.attributes.get("unitarity_max") == pytest.approx(1e-5)
    assert node.base.attributes.get("ladder") == [{}, {"ewind": 2.0}]
    assert node.numerics is not None
    assert node.numerics.tolist() == [[0, 0], [0, 1], [0, 0]]
    # the worse end
    assert node.base.attributes.get("potential_mismatch_ev") == pytest.approx(0.09)
    # of no snapshot
    assert "step" not in node.base.attributes.all
    assert "time_ps" not in node.base.attributes.all


def test_polarised_runs_become_a_conductance_of_their_mean() -> None:
    merged, _ = merge(part(GRID), part(GRID, factor=0.5), spins=("up", "down"))
    node = store_conductance(merged, orm.Dict({}), read_back(-7.0, -7.0), read_back(-7.0, -7.0))
    assert node.conductance_g0 == pytest.approx(0.75 * 0.625)
    assert node.transmission_spin is not None
    assert node.transmission_spin[:, 1] == pytest.approx(np.array([WHOLE[1], 0.5 * WHOLE[1]]))


@pytest.mark.parametrize(
    ("left", "right", "mismatch"),
    [((-7.0, -9.0), (-9.0, -6.0), 0.3), ((-7.5, -9.0), (-9.0, -6.3), 0.5), ((-7.0, -6.3), (-7.0, -6.3), 0.0)],
)
def test_each_end_meets_its_own_lead(left: tuple[float, float], right: tuple[float, float], mismatch: float) -> None:
    merged, _ = merge(part(GRID))
    ends = {"left_lead": read_back(*left), "junction": read_back(-7.0, -6.3), "right_lead": read_back(*right)}
    node = store_conductance(merged, orm.Dict({}), **ends)
    assert node.base.attributes.get("potential_mismatch_ev") == pytest.approx(mismatch)
