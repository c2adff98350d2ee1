"""Time to the first contact against voltage and gap, with its spread over seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.kinetics import TimeToContact, median_and_spread

RESAMPLES = 400


@dataclass(frozen=True)
class SeedRun:
    """The dynamics of one seed.

    Attributes
    ----------
    voltage_v
        Bias, V.
    gap_angstrom
        Between the tips at the start, angstrom; NaN if it is not what is compared.
    seed
        Of the velocities.
    contact_ps
        Time from switching the voltage on to the contact, ps; None if there was none.
    followed_ps
        For how long it was followed, ps.
    """

    voltage_v: float
    gap_angstrom: float
    seed: int
    contact_ps: float | None
    followed_ps: float


@dataclass(frozen=True)
class ContactTime:
    """Times to contact of one voltage and gap.

    Attributes
    ----------
    voltage_v, gap_angstrom
        Bias, V; gap, angstrom.
    times
        Quartiles over the seeds, and how many seeds ended open.
    median_error_ps
        Standard error of the median, ps, from seeds drawn with replacement; None where fewer than two seeds, or where
        more than a sixth of the draws have no median: then the runs are too short to tell.
    """

    voltage_v: float
    gap_angstrom: float
    times: TimeToContact
    median_error_ps: float | None


@dataclass(frozen=True)
class VoltageSlope:
    """How the time to contact falls with voltage: median ~ exp(-slope V).

    Attributes
    ----------
    gap_angstrom
        Gap, angstrom.
    per_volt, per_volt_error
        Slope of -ln(median) against voltage, 1/V, and its standard error from seeds drawn with replacement; positive
        if a higher voltage is faster.
    voltages
        How many voltages have a median.
    """

    gap_angstrom: float
    per_volt: float
    per_volt_error: float
    voltages: int


def contact_times(runs: Iterable[SeedRun], *, resamples: int = RESAMPLES, seed: int = 0) -> list[ContactTime]:
    """Return the time to contact of each voltage and gap, with its spread over the seeds.

    Parameters
    ----------
    runs
        One for each seed, alike in all but voltage, gap and seed.
    resamples
        How many times seeds are drawn for the error of the median.
    seed
        Of the draws: the same gives the same errors.

    Returns
    -------
    list of ContactTime
        By gap, then by voltage.

    Raises
    ------
    InvalidInput
        If there is no run, a seed comes twice, or a time makes no sense.
    """
    _check_resamples(resamples)
    generator = np.random.default_rng(seed)
    rows = []
    for (gap, voltage), members in sorted(_groups(runs).items(), key=lambda item: _order(item[0])):
        error = _error(_drawn_medians(members, generator, resamples)) if len(members) > 1 else None
        rows.append(ContactTime(voltage, gap, _spread(members), error))
    return rows


def voltage_slopes(runs: Iterable[SeedRun], *, resamples: int = RESAMPLES, seed: int = 0) -> list[VoltageSlope]:
    """Fit how the median time to contact falls with voltage, for each gap of which two or more voltages have one.

    A straight line through ln(median) against voltage, each voltage with the same weight. For the error the seeds of
    each voltage are drawn with replacement, and draws in which a voltage has no median are left out.

    Parameters
    ----------
    runs, resamples, seed
        As for :func:`contact_times`.

    Raises
    ------
    InvalidInput
        As :func:`contact_times` does.
    """
    _check_resamples(resamples)
    generator = np.random.default_rng(seed)
    by_gap: dict[float, dict[float, list[SeedRun]]] = defaultdict(dict)
    for (gap, voltage), members in sorted(_groups(runs).items(), key=lambda item: _order(item[0])):
        if _spread(members).median_ps:
            by_gap[gap][voltage] = members
    slopes = []
    for gap, groups in by_gap.items():
        if len(groups) < 2:
            continue
        voltages = np.array(list(groups))
        medians = np.array([_spread(members).median_ps for members in groups.values()], dtype=np.float64)
        drawn = np.stack([_drawn_medians(members, generator, resamples) for members in groups.values()])
        usable = drawn[:, (np.isfinite(drawn) & (drawn > 0)).all(axis=0)]
        error = math.nan
        if usable.shape[1] > 1 and min(len(members) for members in groups.values()) > 1:
            error = float(np.std(_slope(voltages, usable), ddof=1))
        slopes.append(VoltageSlope(gap, float(_slope(voltages, medians[:, None])[0]), error, len(groups)))
    return slopes


def _groups(runs: Iterable[SeedRun]) -> dict[tuple[float, float], list[SeedRun]]:
    groups: dict[tuple[float, float], list[SeedRun]] = defaultdict(list)
    for run in runs:
        # NaN is not equal to itself: as a key it would make a group of each run
        gap = math.nan if math.isnan(run.gap_angstrom) else run.gap_angstrom
        members = groups[gap, run.voltage_v]
        if any(member.seed == run.seed for member in members):
            raise InvalidInput(
                "runs",
                f"seed {run.seed} twice at {run.voltage_v:g} V",
                "one for each seed",
                "leave one of them out, or compare runs that are alike",
            )
        members.append(run)
    if not groups:
        raise InvalidInput("runs", "none", "at least one", "run a seed, or widen the selection")
    return groups


def _order(key: tuple[float, float]) -> tuple[bool, float, float]:
    gap, voltage = key
    unknown = math.isnan(gap)
    return unknown, 0.0 if unknown else gap, voltage


def _spread(members: Sequence[SeedRun]) -> TimeToContact:
    return median_and_spread([run.contact_ps for run in members], followed_ps=[run.followed_ps for run in members])


def _drawn_medians(members: Sequence[SeedRun], generator: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Medians (ps) over seeds drawn with replacement, NaN where a draw has none; shape (resamples,)."""
    draws = generator.integers(len(members), size=(resamples, len(members)))
    medians = [_spread([members[i] for i in draw]).median_ps for draw in draws]
    return np.array(medians, dtype=np.float64)


def _error(medians: NDArray[np.float64]) -> float | None:
    known = medians[np.isfinite(medians)]
    if len(known) < 2 or len(known) < 5 / 6 * len(medians):
        return None
    return float(np.std(known, ddof=1))


def _slope(voltages: NDArray[np.float64], medians: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slopes of -ln(median) against voltage, 1/V; of each column of medians."""
    centred = voltages - voltages.mean()
    slopes: NDArray[np.float64] = -(centred @ np.log(medians)) / (centred @ centred)
    return slopes


def _check_resamples(resamples: int) -> None:
    if resamples < 2:
        raise InvalidInput("resamples", resamples, "at least 2", f"{RESAMPLES} is usual")
