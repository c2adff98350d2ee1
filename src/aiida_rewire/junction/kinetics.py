"""How long a contact takes to form: the time within one run, and its spread over the runs of several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput

TIME_TOLERANCE_PS = 1e-6
"""Rounding of times (ps) that are multiples of a time step of about 1e-3 ps."""

PROBABILITY_TOLERANCE = 1e-9
"""Rounding of a product of fractions."""

LASTING_PS = 1.0
"""A contact unbroken for that long is said to last; at 800 K the first ones flicker."""


def first_contact_ps(times_ps: ArrayLike, connected: ArrayLike, *, lasting_ps: float = 0.0) -> float | None:
    """Time at which the tips come into contact, as far as frames can tell.

    A hot contact flickers: it opens and closes again within a few vibrations. Without ``lasting_ps`` the time is
    that of the first frame in contact. With it, that of the first frame of the first unbroken sequence of frames in
    contact that lasts at least ``lasting_ps`` from its first to its last frame. A contact that is seen began up to
    one frame earlier; one that closes and opens between two frames is not seen.

    Parameters
    ----------
    times_ps
        Time of each frame, ps, increasing; shape (n,).
    connected
        Whether the tips are in contact in each frame, shape (n,); see
        :func:`~aiida_rewire.junction.contact.in_contact`.
    lasting_ps
        How long the contact must last, ps; 0 asks for a single frame.

    Returns
    -------
    float or None
        Time of the contact, ps. None if there is none; a contact that the last frame cuts short of ``lasting_ps``
        is none.

    Raises
    ------
    InvalidInput
        If there is no frame, the arrays do not belong together, the times do not increase, or ``lasting_ps`` is
        negative or longer than the run.
    """
    times, closed = np.asarray(times_ps, dtype=np.float64), np.asarray(connected)
    if times.ndim != 1 or not times.size:
        raise InvalidInput("times_ps", f"array of shape {times.shape}", "of shape (n,), n > 0", "give a time a frame")
    if closed.dtype != np.bool_ or closed.shape != times.shape:
        raise InvalidInput(
            "connected",
            f"{closed.dtype} array of shape {closed.shape}",
            f"a boolean array of shape {times.shape}",
            "give True or False for each frame",
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InvalidInput("times_ps", "not all later than the one before", "increasing", "sort the frames by time")
    length = times[-1] - times[0]
    if not 0 <= lasting_ps <= length + TIME_TOLERANCE_PS:
        raise InvalidInput(
            "lasting_ps",
            f"{lasting_ps} ps",
            f"from 0 to the {length:g} ps between the first and the last frame",
            "ask for a shorter contact or run longer",
        )
    # a sequence starts where open turns to closed, and ends where closed turns to open
    edges = np.diff(np.concatenate([[False], closed, [False]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    lasting = times[last] - times[first] >= lasting_ps - TIME_TOLERANCE_PS
    return float(times[first[lasting][0]]) if lasting.any() else None


@dataclass(frozen=True)
class TimeToContact:
    """Times to contact of several runs, as quartiles.

    Attributes
    ----------
    runs
        How many runs.
    censored
        How many of them did not come into contact while they were followed.
    lower_quartile_ps, median_ps, upper_quartile_ps
        Time (ps) after which 25, 50, 75 % of runs are in contact; None where the runs do not tell, since too few of
        them came into contact.
    """

    runs: int
    censored: int
    lower_quartile_ps: float | None
    median_ps: float | None
    upper_quartile_ps: float | None


def median_and_spread(
    times_ps: Sequence[float | None], *, followed_ps: Sequence[float] | None = None
) -> TimeToContact:
    """Median and quartiles of the time to contact over runs, some of which came into none.

    A run without contact is censored: its time is longer than the time for which it was followed. Leaving such
    runs out would make growth look faster than it is. The fraction S(t) of runs still open after t is the estimate
    of Kaplan and Meier (J. Am. Stat. Assoc. 53, 457 (1958)). The time at which a fraction p is in contact is that
    at which S falls below 1 - p; where S equals 1 - p between two contacts, the mean of their times.

    Where all runs were followed equally long, that is the usual quantile of the times with a run without contact
    counted as infinitely long: the median of an even number of runs is the mean of the two in the middle, and there
    is none (None) if half of the runs or more are censored.

    Parameters
    ----------
    times_ps
        Time to contact of each run, ps; None for none. :func:`first_contact_ps` gives it.
    followed_ps
        For how long each run was followed, ps; where a contact had to last, the length of the run less
        ``lasting_ps``, since a contact that begins later cannot be told to last. Needed only where a run without
        contact is shorter than others: without it, each counts as followed until the last contact of any run, or
        longer.

    Raises
    ------
    InvalidInput
        If there is no run, a time is negative or not finite, ``followed_ps`` is not one time a run, or a contact
        comes after the time for which its run was followed.
    """
    if not len(times_ps):
        raise InvalidInput("times_ps", "no run", "at least one run", "run a seed")
    _require_times("times_ps", [time for time in times_ps if time is not None])
    contacts = [float(time) for time in times_ps if time is not None]
    if followed_ps is None:
        followed_ps = [max(contacts, default=0.0)] * len(times_ps)
    _require_times("followed_ps", followed_ps)
    if len(followed_ps) != len(times_ps):
        raise InvalidInput("followed_ps", f"{len(followed_ps)} times", f"{len(times_ps)} times", "give one a run")
    for time, followed in zip(times_ps, followed_ps, strict=True):
        if time is not None and time > followed + TIME_TOLERANCE_PS:
            raise InvalidInput(
                "times_ps",
                f"{time} ps",
                f"at most the {followed} ps of that run",
                "give the times from the same start",
            )
    censored = [float(followed) for time, followed in zip(times_ps, followed_ps, strict=True) if time is None]
    # imported here: it takes longer than all else of this package, and every chain imports this module
    from scipy.stats import CensoredData, ecdf

    open_fraction = ecdf(CensoredData(uncensored=contacts, right=censored)).sf
    times = np.asarray(open_fraction.quantiles, dtype=np.float64)
    still_open = np.asarray(open_fraction.probabilities, dtype=np.float64)
    quartiles = (_time_of_fraction(p, times, still_open) for p in (0.25, 0.5, 0.75))
    return TimeToContact(len(times_ps), len(censored), *quartiles)


def _time_of_fraction(p: float, times: NDArray[np.float64], still_open: NDArray[np.float64]) -> float | None:
    """Time at which the open fraction, ``still_open`` from each of ``times`` to the next, passes 1 - p."""
    reached = times[still_open <= 1 - p + PROBABILITY_TOLERANCE]
    passed = times[still_open < 1 - p - PROBABILITY_TOLERANCE]
    return float((reached[0] + passed[0]) / 2) if passed.size else None


def _require_times(name: str, times: Sequence[float]) -> None:
    for time in times:
        if not 0 <= time < np.inf:
            raise InvalidInput(name, f"{time} ps", "0 ps or later, and finite", "count time from the bias, in ps")
