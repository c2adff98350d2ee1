"""Measured traces: conductance, voltage and current against time, from a file of columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.measured_columns import Column, columns_of
from aiida_rewire.trace.measured_lines import Table, head_of, read_lines, read_table
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

SMALLEST_VOLTAGE_V = 1e-3
"""Below it the current over the voltage says more of offsets than of the junction, V."""


@dataclass(frozen=True)
class MeasuredTrace:
    """Measured points, in the order of the file.

    Attributes
    ----------
    conductance_g0
        G0, shape (n,); NaN where the voltage was too small to divide by.
    voltage_v, current_a, time_s
        V, A, s, shape (n,); None where the file has no such column.
    cycle
        Number of the cycle, shape (n,); the same for all, 0 by default, if there is no such column.
    device
        Index of the device in ``devices``, shape (n,).
    devices
        Names.
    undefined
        How many points have no conductance.
    left_out
        Lines of the file that were left out because they could not be read.
    not_read
        Titles of columns that were not read.
    """

    conductance_g0: NDArray[np.float64]
    voltage_v: NDArray[np.float64] | None
    current_a: NDArray[np.float64] | None
    time_s: NDArray[np.float64] | None
    cycle: NDArray[np.int64]
    device: NDArray[np.int64]
    devices: tuple[str, ...]
    undefined: int
    left_out: int = 0
    not_read: tuple[str, ...] = ()

    def where(self, mask: NDArray[np.bool_]) -> MeasuredTrace:
        """Return some of the points.

        Parameters
        ----------
        mask
            True for those, shape (n,).
        """
        conductance = self.conductance_g0[mask]
        return replace(
            self,
            conductance_g0=conductance,
            voltage_v=None if self.voltage_v is None else self.voltage_v[mask],
            current_a=None if self.current_a is None else self.current_a[mask],
            time_s=None if self.time_s is None else self.time_s[mask],
            cycle=self.cycle[mask],
            device=self.device[mask],
            undefined=int(np.count_nonzero(np.isnan(conductance))),
        )

    def cycles(self) -> list[tuple[str, int, NDArray[np.intp]]]:
        """Return device, number and points of each cycle: what is independent of each other, as chains are."""
        pairs = np.stack([self.device, self.cycle], axis=1)
        different, which = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(which.reshape(-1), kind="stable")
        points = np.split(order, np.cumsum(np.bincount(which.reshape(-1), minlength=len(different)))[:-1])
        return [
            (self.devices[int(device)], int(cycle), chosen)
            for (device, cycle), chosen in zip(different, points, strict=True)
        ]


def read_measured(
    path: Path,
    *,
    device: str | None = None,
    cycle: int = 0,
    smallest_voltage_v: float = SMALLEST_VOLTAGE_V,
    skip_bad_lines: bool = False,
) -> MeasuredTrace:
    """Read measured points from a file of columns.

    The first line that is neither empty nor a comment (#) names columns and units, see
    :func:`aiida_rewire.trace.measured_columns.columns_of`. Columns are separated by commas, semicolons or tabulators;
    beside the latter two, numbers may have a decimal comma. UTF-8 or Windows-1252.

    Parameters
    ----------
    path
        The file.
    device
        Name of the device, if the file has no column of them; by default the name of the file.
    cycle
        Number of the cycle, if the file has no column of them.
    smallest_voltage_v
        Conductance is current over voltage where there is no column of it; below this voltage it is undefined (NaN),
        V.
    skip_bad_lines
        Leave out lines that cannot be read, and count them, instead of refusing the file.

    Raises
    ------
    InvalidInput
        If the file has no header, columns or units are wrong, or lines cannot be read: with how many, and the first
        five. Lines cannot be read that have too few or too many columns, or a value that is no finite number.
    """
    if not smallest_voltage_v > 0:
        raise InvalidInput("smallest_voltage_v", f"{smallest_voltage_v} V", "positive", "1e-3 V is usual")
    head = head_of(path)
    columns = columns_of(head.titles)
    table = read_table(path, head, columns)
    if table is None:
        table = read_lines(path, head, columns)
        if table.bad_lines and not skip_bad_lines:
            raise InvalidInput(
                "lines",
                f"{table.bad_lines} of {table.bad_lines + table.points} of {path.name} cannot be read: "
                + "; ".join(table.first_bad),
                "numbers in every column that is read, as many columns as the header",
                "correct them, or have them left out",
            )
    if not table.points:
        said = (
            f"{table.bad_lines} cannot be read: {'; '.join(table.first_bad)}" if table.bad_lines else "none is there"
        )
        raise InvalidInput("points", f"no line of {path.name} holds one, {said}", "at least one", "check the file")
    read = {column.title for column in columns.values()}
    not_read = tuple(title for title in head.titles if title.strip() and title.strip() not in read)
    return _trace(table, columns, device or path.stem, cycle, smallest_voltage_v, not_read)


def joined(traces: Sequence[MeasuredTrace]) -> MeasuredTrace:
    """Put traces of several files together.

    Parameters
    ----------
    traces
        At least one. Cycles of devices of one name are numbered on, so that no two of different files become one.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    if not traces:
        raise InvalidInput("traces", "none", "at least one", "read a file")
    devices = tuple(dict.fromkeys(name for trace in traces for name in trace.devices))
    place = {name: index for index, name in enumerate(devices)}
    following: dict[str, int] = {}
    of_device, of_cycle = [], []
    for trace in traces:
        shift = np.zeros(len(trace.devices), dtype=np.int64)
        for index, name in enumerate(trace.devices):
            cycles = trace.cycle[trace.device == index]
            shift[index] = following[name] - cycles.min() if name in following else 0
            following[name] = int(cycles.max() + shift[index]) + 1
        of_cycle.append(trace.cycle + shift[trace.device])
        of_device.append(np.array([place[name] for name in trace.devices], dtype=np.int64)[trace.device])

    def together(name: str) -> NDArray[np.float64] | None:
        parts = [getattr(trace, name) for trace in traces]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    return MeasuredTrace(
        conductance_g0=np.concatenate([trace.conductance_g0 for trace in traces]),
        voltage_v=together("voltage_v"),
        current_a=together("current_a"),
        time_s=together("time_s"),
        cycle=np.concatenate(of_cycle),
        device=np.concatenate(of_device),
        devices=devices,
        undefined=sum(trace.undefined for trace in traces),
        left_out=sum(trace.left_out for trace in traces),
        not_read=tuple(dict.fromkeys(title for trace in traces for title in trace.not_read)),
    )


def _trace(
    table: Table,
    columns: dict[str, Column],
    device: str,
    cycle: int,
    smallest_voltage_v: float,
    not_read: tuple[str, ...],
) -> MeasuredTrace:
    values = {
        quantity: table.numbers[quantity] * column.factor
        for quantity, column in columns.items()
        if quantity in table.numbers and quantity != "cycle"
    }
    if "conductance" in values:
        conductance = values["conductance"]
    else:
        voltage, current = values["voltage"], values["current"]
        conductance = np.full(table.points, math.nan)
        large = np.abs(voltage) >= smallest_voltage_v
        conductance[large] = current[large] / voltage[large] / CONDUCTANCE_QUANTUM
    names = table.devices if table.devices is not None else np.zeros(table.points, dtype=np.int64)
    given = table.numbers["cycle"] if "cycle" in columns else np.full(table.points, cycle)
    return MeasuredTrace(
        conductance_g0=conductance,
        voltage_v=values.get("voltage"),
        current_a=values.get("current"),
        time_s=values.get("time"),
        cycle=given.astype(np.int64),
        device=names,
        devices=table.device_names or (device,),
        undefined=int(np.count_nonzero(np.isnan(conductance))),
        left_out=table.bad_lines,
        not_read=not_read,
    )
