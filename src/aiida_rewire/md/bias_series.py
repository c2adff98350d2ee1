"""Reading what the driver of the bias writes beside the frames: voltage and currents."""

from __future__ import annotations

import csv
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.bias.outputs import SERIES_COLUMNS

ARRAYS = ("step", "voltage_v", "anode_flux", "cathode_flux")


class BrokenSeries(ValueError):
    """Rows that are not what the driver writes."""


def read_series(lines: Iterable[str], last_step: int) -> dict[str, NDArray[np.float64]]:
    """Read voltage and currents up to a step.

    Parameters
    ----------
    lines
        Of the file, its header first.
    last_step
        Nothing is read beyond: the job that wrote it did not come to its next checkpoint.

    Returns
    -------
    dict
        ``step``, ``voltage_v`` (V), ``anode_flux`` and ``cathode_flux`` (V/fs), of equal shapes (n,).

    Raises
    ------
    BrokenSeries
        If columns are others, a row is malformed, a number is not finite, or steps do not rise.
    """
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise BrokenSeries(str(error)) from error
    if not rows or tuple(rows[0]) != SERIES_COLUMNS:
        raise BrokenSeries(f"its header is not {','.join(SERIES_COLUMNS)}")
    table: list[list[float]] = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            values = [float(word) for word in row]
        except ValueError as error:
            raise BrokenSeries(f"line {number}: {error}") from error
        if len(values) != len(SERIES_COLUMNS) or not np.isfinite(values).all():
            raise BrokenSeries(f"line {number} does not hold {len(SERIES_COLUMNS)} finite numbers")
        if table and values[0] <= table[-1][0]:
            raise BrokenSeries(f"line {number}: step {values[0]:g} does not follow {table[-1][0]:g}")
        if values[0] > last_step:
            break
        table.append(values)
    series = np.array(table).reshape(-1, len(ARRAYS))
    return dict(zip(ARRAYS, series.T, strict=True))
