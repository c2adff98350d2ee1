"""The voltage between the electrodes as a function of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from aiida_rewire.errors import InvalidInput


@dataclass(frozen=True)
class VoltageSchedule:
    """A voltage that changes linearly from point to point, and stays at the last.

    Attributes
    ----------
    times_ps
        Times of the points, never falling, from 0. Two points at one time are a jump; the later holds from there.
    voltages_v
        Voltage of each, V.
    """

    times_ps: tuple[float, ...]
    voltages_v: tuple[float, ...]

    @classmethod
    def of(cls, voltage: float | Sequence[Sequence[float]]) -> VoltageSchedule:
        """Read a constant (V), or points (ps, V).

        Raises
        ------
        InvalidInput
            If a number is not finite, no point is given, one is not a pair, or times fall or do not begin with 0.
        """
        points = [[0.0, voltage]] if isinstance(voltage, (int, float)) else voltage

        def require(holds: bool, bound: str, way_out: str) -> None:
            if not holds:
                raise InvalidInput("voltage_v", voltage, bound, way_out)

        require(len(points) > 0, "a number or at least one point", "[[0, 0], [50, 8]] is a ramp to 8 V in 50 ps")
        for point in points:
            pair = isinstance(point, (list, tuple)) and len(point) == 2 and all(map(_is_number, point))
            require(pair, "points of two finite numbers", "give [time in ps, voltage in V] for each")
        times = [float(point[0]) for point in points]
        rising = all(times[k] <= times[k + 1] for k in range(len(times) - 1))
        require(times[0] == 0 and rising, "points whose times begin with 0 ps and never fall", "put them in order")
        return cls(tuple(times), tuple(float(point[1]) for point in points))

    @property
    def constant(self) -> bool:
        """Whether it never changes."""
        return len(set(self.voltages_v)) == 1

    @property
    def largest(self) -> float:
        """Largest absolute voltage, V."""
        return max(abs(volts) for volts in self.voltages_v)

    def at(self, time_ps: float) -> float:
        """Return the voltage (V) at a time (ps)."""
        after = bisect_right(self.times_ps, time_ps)
        if after == len(self.times_ps):
            return self.voltages_v[-1]
        t0, t1 = self.times_ps[after - 1 : after + 1]
        v0, v1 = self.voltages_v[after - 1 : after + 1]
        return v0 + (v1 - v0) * (time_ps - t0) / (t1 - t0)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
