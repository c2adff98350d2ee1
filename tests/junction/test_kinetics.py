"""Times to contact, against sequences read by eye and published survival data."""

from typing import Any

import numpy as np
import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.kinetics import TimeToContact, first_contact_ps, median_and_spread


def frames(picture: str, interval_ps: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Times and contacts of frames drawn as ``.`` (open) and ``x`` (in contact)."""
    return np.arange(len(picture)) * interval_ps, np.array([mark == "x" for mark in picture], dtype=bool)


@pytest.mark.parametrize(
    ("picture", "lasting_ps", "contact_ps"),
    [
        ("......", 0.0, None),
        ("x.....", 0.0, 0.0),
        ("...x..", 0.0, 0.3),
        (".....x", 0.0, 0.5),
        ("xxxxxx", 0.5, 0.0),
        (".x.xxxx.x", 0.0, 0.1),
        (".x.xxxx.x", 0.1, 0.3),  # the flicker at 0.1 does not last
        (".x.xxxx.x", 0.3, 0.3),  # four frames span three intervals
        (".x.xxxx.x", 0.4, None),
        ("xx.xx.xx.", 0.2, None),  # three short contacts are not a long one
        ("xx.xxx.xxxx", 0.2, 0.3),  # the first that lasts, not the longest
        ("......xxx", 0.2, 0.6),
        ("......xxx", 0.3, None),  # the end of the run cuts it short
    ],
)
def test_the_time_is_that_of_the_first_frame_of_a_contact(
    picture: str, lasting_ps: float, contact_ps: float | None
) -> None:
    times, connected = frames(picture)
    found = first_contact_ps(times, connected, lasting_ps=lasting_ps)
    assert found == (None if contact_ps is None else pytest.approx(contact_ps, abs=1e-12))


def test_any_frame_in_contact_counts_unless_told_otherwise() -> None:
    assert first_contact_ps(*frames("..x.xxx")) == pytest.approx(0.2)


def test_time_counts_as_given() -> None:
    times, connected = frames("..x")
    assert first_contact_ps(times + 50.0, connected) == pytest.approx(50.2)


def test_frames_need_not_be_equally_far_apart() -> None:
    times = [0.0, 1.0, 5.0, 5.5, 6.0, 10.0, 14.0]
    connected = [False, True, False, True, True, True, False]
    assert first_contact_ps(times, connected, lasting_ps=4.5) == 5.5
    assert first_contact_ps(times, connected, lasting_ps=4.6) is None


@pytest.mark.parametrize("first", range(40))
def test_rounding_of_the_times_does_not_matter(first: int) -> None:
    # 0.6 - 0.2 is 0.39999999999999997
    picture = "." * first + "xxxxx" + "." * (45 - first)
    found = first_contact_ps(*frames(picture), lasting_ps=0.4)
    assert found == pytest.approx(0.1 * first)
    assert first_contact_ps(*frames(picture), lasting_ps=0.401) is None


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("times_ps", {"times_ps": [], "connected": np.array([], dtype=bool)}),
        ("times_ps", {"times_ps": [0.0, 2.0, 1.0]}),
        ("times_ps", {"times_ps": [0.0, 1.0, 1.0]}),
        ("times_ps", {"times_ps": [0.0, 1.0, np.nan]}),
        ("connected", {"connected": [False, True]}),
        ("connected", {"connected": [0, 1, 1]}),
        ("lasting_ps", {"lasting_ps": -0.1}),
        ("lasting_ps", {"lasting_ps": 2.1}),
        ("lasting_ps", {"lasting_ps": np.nan}),
    ],
)
def test_frames_that_make_no_sense_are_refused(name: str, changed: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"times_ps": [0.0, 1.0, 2.0], "connected": [False, True, True], "lasting_ps": 1.0}
    assert first_contact_ps(**arguments) == 1.0
    with pytest.raises(InvalidInput) as error:
        first_contact_ps(**(arguments | changed))
    assert error.value.name == name


@pytest.mark.parametrize(
    ("times", "quartiles"),
    [
        ([5.0], (5.0, 5.0, 5.0)),
        ([3.0, 1.0, 2.0], (1.0, 2.0, 3.0)),
        ([4.0, 1.0, 3.0, 2.0], (1.5, 2.5, 3.5)),
        ([0.0, 2.0, 2.0, 2.0, 9.0], (2.0, 2.0, 2.0)),
        # one of four unknown, but longer than 3: the two in the middle are known
        ([3.0, None, 1.0, 2.0], (1.5, 2.5, None)),
        ([3.0, None, 1.0, 2.0, 4.0], (2.0, 3.0, 4.0)),
        # two of five: the third is the median
        ([1.0, None, 3.0, 2.0, None], (2.0, 3.0, None)),
        # half: the median is between 2 and an unknown time
        ([1.0, 2.0, None, None], (1.5, None, None)),
        ([1.0, None, None], (1.0, None, None)),
        ([1.0, None, None, None], (None, None, None)),
        ([None, None, None], (None, None, None)),
    ],
)
def test_quartiles_of_a_few_runs(times: list[float | None], quartiles: tuple[float | None, ...]) -> None:
    assert median_and_spread(times) == TimeToContact(len(times), times.count(None), *quartiles)


@pytest.mark.parametrize("n", range(1, 40))
def test_a_run_without_contact_counts_as_infinitely_long(n: int) -> None:
    rng = np.random.default_rng(n)
    # rounded, so that some are equal
    times = np.round(rng.weibull(1.5, n) * 20, 0)
    ordered = np.sort(times)
    run = float(np.quantile(times, 0.7))
    expected = []
    for quarters in (1, 2, 3):
        # the quantile halves the step where a quarter of n is a whole number
        low = ordered[-(-quarters * n // 4) - 1]
        high = ordered[min(quarters * n // 4, n - 1)]
        expected.append((low + high) / 2 if high <= run else None)
    found = median_and_spread([time if time <= run else None for time in times.tolist()])
    assert (found.lower_quartile_ps, found.median_ps, found.upper_quartile_ps) == tuple(expected)
    same = median_and_spread([time if time <= run else None for time in times.tolist()], followed_ps=[run] * n)
    assert same == found


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 11, 20, 33])
def test_without_censoring_the_median_is_numpys(n: int) -> None:
    times = np.random.default_rng(n).exponential(10.0, n)
    found = median_and_spread(times.tolist())
    assert found.median_ps == pytest.approx(np.median(times), rel=1e-12)
    assert (found.lower_quartile_ps, found.upper_quartile_ps) == pytest.approx(
        tuple(np.quantile(times, (0.25, 0.75), method="averaged_inverted_cdf")), rel=1e-12
    )


def survival(text: str) -> tuple[list[float | None], list[float]]:
    """Times to the event, None where a plus marks a censored one, and the times for which each was followed."""
    entries = text.split()
    followed = [float(entry.rstrip("+")) for entry in entries]
    times = [None if entry.endswith("+") else time for entry, time in zip(entries, followed, strict=True)]
    return times, followed


def test_runs_of_different_length_are_weighed_as_kaplan_and_meier_do() -> None:
    # weeks of remission under 6-MP and placebo, Freireich et al., Blood 21, 699 (1963): the usual textbook example,
    # with medians of 23 and 8 weeks
    drug = survival("6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+")
    assert median_and_spread(drug[0], followed_ps=drug[1]) == TimeToContact(21, 12, 13.0, 23.0, None)
    placebo = survival("1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23")
    assert median_and_spread(placebo[0], followed_ps=placebo[1]) == TimeToContact(21, 0, 4.0, 8.0, 12.0)


def test_runs_stopped_early_move_the_quartiles() -> None:
    # Conover, Practical Nonparametric Statistics (1999), p. 91: S is 7/8, 3/4, 1/2, 1/4, 0 from 47, 56, 77, 80, 81 on
    times, followed = survival("77 47 81 56 80 62+ 60+ 43+ 71+ 37+")
    assert median_and_spread(times, followed_ps=followed) == TimeToContact(10, 5, 66.5, 78.5, 80.5)
    # as if those stopped early had been followed to the end
    assert median_and_spread(times) == TimeToContact(10, 5, 77.0, None, None)


def test_a_run_that_ends_at_the_time_of_a_contact_was_open_until_then() -> None:
    found = median_and_spread([5.0, None, 7.0, 9.0], followed_ps=[9.0, 5.0, 9.0, 9.0])
    # four at risk at 5: S = 3/4, then 3/8, 0
    assert found == TimeToContact(4, 1, 6.0, 7.0, 9.0)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("times_ps", {"times_ps": [], "followed_ps": []}),
        ("times_ps", {"times_ps": [-1.0, None]}),
        ("times_ps", {"times_ps": [np.inf, None]}),
        ("times_ps", {"times_ps": [np.nan, None]}),
        ("times_ps", {"times_ps": [4.0, None]}),
        ("followed_ps", {"followed_ps": [3.0]}),
        ("followed_ps", {"followed_ps": [3.0, np.inf]}),
        ("followed_ps", {"followed_ps": [3.0, -1.0]}),
    ],
)
def test_runs_that_make_no_sense_are_refused(name: str, changed: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"times_ps": [1.0, None], "followed_ps": [3.0, 3.0]}
    assert median_and_spread(**arguments).censored == 1
    with pytest.raises(InvalidInput) as error:
        median_and_spread(**(arguments | changed))
    assert error.value.name == name
