"""Shards of the (k, E) grid: every point once, and back into one grid."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.gates import TransmissionGrid
from aiida_rewire.transport.shards import DoubleCoverage, HoleInGrid, Shard, cover, merge_grids, split_grid


def times_covered(shards: Iterable[Shard]) -> Counter[tuple[int, int]]:
    return Counter(pair for shard in shards for pair in shard.pairs)


def sides(n_energies: int, n_kpoints: int) -> set[tuple[int, int]]:
    return {(energy, kpoint) for energy in range(n_energies) for kpoint in range(n_kpoints)}


def test_a_shard_is_written_from_one() -> None:
    shard = Shard(first_kpoint=2, last_kpoint=3, first_energy=0, last_energy=4)
    assert shard.namelist() == {"start_k": 3, "last_k": 4, "start_e": 1, "last_e": 5}
    assert shard.pairs == {(energy, kpoint) for energy in range(5) for kpoint in (2, 3)}
    assert shard.shape == (5, 2)
    assert shard.as_list() == [2, 3, 0, 4]
    assert Shard.from_list([2, 3, 0, 4]) == shard


@pytest.mark.parametrize("numbers", [[0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1.0], [0, 0, 0, True], ["0", 0, 0, 0]])
def test_what_is_no_shard_is_refused(numbers: list[int]) -> None:
    with pytest.raises(InvalidInput, match="four whole numbers"):
        Shard.from_list(numbers)


@pytest.mark.parametrize("numbers", [[-1, 0, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 1, 0]])
def test_a_shard_out_of_order_is_refused(numbers: list[int]) -> None:
    with pytest.raises(InvalidInput, match="order them"):
        Shard.from_list(numbers)


def test_any_grid_is_cut_into_equal_parts_that_hold_each_point_once() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        n_energies, n_kpoints, most = (int(number) for number in rng.integers(1, [12, 15, 60]))
        shards = split_grid(n_energies, n_kpoints, most)
        assert times_covered(shards) == Counter(sides(n_energies, n_kpoints))
        assert min(most, n_kpoints) <= len(shards) <= most
        heights, widths = zip(*(shard.shape for shard in shards), strict=True)
        assert max(heights) - min(heights) <= 1
        assert max(widths) - min(widths) <= 1
        # energies are whole wherever k-points can be cut instead
        assert max(widths) == 1 or min(heights) == n_energies


def test_kpoints_are_cut_before_energies() -> None:
    assert split_grid(4, 6, 3) == (Shard(0, 1, 0, 3), Shard(2, 3, 0, 3), Shard(4, 5, 0, 3))
    assert split_grid(4, 2, 3) == (Shard(0, 0, 0, 3), Shard(1, 1, 0, 3))
    assert split_grid(4, 2, 4) == (Shard(0, 0, 0, 1), Shard(0, 0, 2, 3), Shard(1, 1, 0, 1), Shard(1, 1, 2, 3))
    assert len(split_grid(2, 2, 100)) == 4


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_empty_grid_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        split_grid(*numbers)


def test_what_a_time_out_leaves_is_two_rectangles() -> None:
    # k outer, E inner: stopped in the third of seven k-points, after two of five energies
    left = {(energy, kpoint) for energy, kpoint in sides(5, 7) if kpoint > 2 or (kpoint == 2 and energy >= 2)}
    assert set(cover(left)) == {Shard(2, 2, 2, 4), Shard(3, 6, 0, 4)}


def test_bad_points_get_shards_of_their_own() -> None:
    assert set(cover([(3, 1), (0, 5)])) == {Shard(1, 1, 3, 3), Shard(5, 5, 0, 0)}
    assert cover([]) == ()


def test_an_energy_that_fails_at_all_k_is_one_rectangle() -> None:
    assert cover([(2, kpoint) for kpoint in range(4)]) == (Shard(0, 3, 2, 2),)
    assert set(cover([(2, 0), (2, 1), (2, 3)])) == {Shard(0, 1, 2, 2), Shard(3, 3, 2, 2)}


def test_any_missing_points_are_covered_once_and_no_others() -> None:
    rng = np.random.default_rng(2)
    for _ in range(500):
        n_energies, n_kpoints, most = (int(number) for number in rng.integers(1, [9, 9, 30]))
        share = rng.random()
        missing = {pair for pair in sides(n_energies, n_kpoints) if rng.random() < share}
        shards = cover(missing, most)
        assert times_covered(shards) == Counter(missing)
        assert len(shards) <= max(most, len(cover(missing)))
        assert len(cover(missing)) <= len(missing)
        if most >= len(missing):
            assert len(shards) == len(missing)


def test_rectangles_are_cut_further_where_they_are_largest() -> None:
    left = {(energy, kpoint) for energy, kpoint in sides(5, 7) if kpoint > 2 or (kpoint == 2 and energy >= 2)}
    assert set(cover(left, 4)) == {Shard(2, 2, 2, 4), Shard(3, 3, 0, 4), Shard(4, 4, 0, 4), Shard(5, 6, 0, 4)}


ENERGIES = np.array([0.5, 0.0, -0.5])
KPOINTS = np.array([[0.0, 0.0], [0.1, 0.2], [0.3, 0.4], [0.5, 0.5]])
WEIGHTS = np.array([1.0, 2.0, 2.0, 1.0])


def values(energy: int, kpoint: int) -> tuple[float, int, float, list[float]]:
    """A transmission that tells where it belongs: its channels' tau_n sum to it."""
    taus = [1.0, 0.1 * energy, 0.01 * kpoint][: 1 + kpoint % 3]
    return sum(taus), len(taus), 1e-4 * (1 + energy), sorted(taus, reverse=True)


def grid_of_pairs(pairs: Iterable[tuple[int, int]], nudge: float = 0.0) -> TransmissionGrid:
    pairs = list(pairs)
    shape = (len(ENERGIES), len(KPOINTS))
    kept = max([values(*pair)[1] for pair in pairs], default=1)
    transmission, unitarity = np.full(shape, np.nan), np.full(shape, np.nan)
    channels = np.full(shape, -1, dtype=np.int64)
    eigenchannels = np.full((*shape, kept), np.nan)
    for pair in pairs:
        transmission[pair], channels[pair], unitarity[pair], taus = values(*pair)
        eigenchannels[pair][: len(taus)] = taus
    return TransmissionGrid(
        energies=ENERGIES + nudge,
        kpoints=KPOINTS,
        weights=WEIGHTS / WEIGHTS.sum(),
        transmission=transmission,
        channels=channels,
        unitarity=unitarity,
        eigenchannels=eigenchannels,
    )


def merged(*grids: TransmissionGrid, tolerance: float = 0.0) -> tuple[TransmissionGrid, np.ndarray]:
    return merge_grids(grids, energies=ENERGIES, kpoints=KPOINTS, weights=WEIGHTS, energy_tolerance=tolerance)


def test_shards_merge_to_the_whole_grid() -> None:
    for most in range(1, 13):
        shards = split_grid(3, 4, most)
        found, source = merged(*(grid_of_pairs(shard.pairs) for shard in shards))
        for pair in sides(3, 4):
            transmission, channels, unitarity, taus = values(*pair)
            assert found.transmission[pair] == transmission
            assert found.channels[pair] == channels
            assert found.unitarity[pair] == unitarity
            # as many places as the grid with the most channels has
            assert found.eigenchannels[pair].tolist() == pytest.approx(
                [*taus, *[np.nan] * (3 - channels)], nan_ok=True
            )
            assert pair in shards[source[pair]].pairs
    assert found.energies.tolist() == ENERGIES.tolist()
    assert found.kpoints.tolist() == KPOINTS.tolist()
    assert found.weights.tolist() == WEIGHTS.tolist()


def test_a_hole_is_named() -> None:
    rest = sides(3, 4) - {(1, 2)}
    with pytest.raises(HoleInGrid, match=r"missing: k = \(0.3000, 0.4000\) at 0.0000 eV$") as hole:
        merged(grid_of_pairs(rest))
    assert hole.value.pairs == ((1, 2),)
    with pytest.raises(HoleInGrid, match="and 7 more"):
        merged()


def test_a_point_computed_twice_is_named() -> None:
    with pytest.raises(DoubleCoverage, match=r"twice: k = \(0.5000, 0.5000\) at -0.5000 eV$") as double:
        merged(grid_of_pairs(sides(3, 4)), grid_of_pairs([(2, 3)]))
    assert double.value.pairs == ((2, 3),)


def test_nudged_energies_merge_within_their_tolerance() -> None:
    rest, nudged = grid_of_pairs(sides(3, 4) - {(1, 2)}), grid_of_pairs([(1, 2)], nudge=1e-3)
    found, source = merged(rest, nudged, tolerance=1e-3)
    assert found.energies.tolist() == ENERGIES.tolist()
    assert source[1, 2] == 1
    assert source.sum() == 1
    with pytest.raises(ValueError, match=r"grid 1 is on energies more than 0\.0005 eV off"):
        merged(rest, nudged, tolerance=5e-4)


def test_grids_of_other_points_are_refused() -> None:
    whole = grid_of_pairs(sides(3, 4))
    axes = {"energies": ENERGIES, "kpoints": KPOINTS, "weights": WEIGHTS}
    others = [
        ("kpoints", KPOINTS[::-1], "other k-points"),
        ("kpoints", KPOINTS + 1e-6, "other k-points"),
        ("weights", WEIGHTS[[1, 0, 2, 3]], "other weights"),
        ("energies", ENERGIES[:2], "on energies"),
    ]
    for key, other, words in others:
        with pytest.raises(ValueError, match=f"grid 0 .*{words}"):
            merge_grids([whole], energy_tolerance=1e-3, **(axes | {key: other}))


def test_a_transmission_that_is_not_finite_is_refused() -> None:
    grid = grid_of_pairs(sides(3, 4))
    grid.transmission[0, 0] = np.nan
    with pytest.raises(ValueError, match="grid 0 holds a transmission that is not finite"):
        merged(grid)
