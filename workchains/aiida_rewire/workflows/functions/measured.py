"""What is made of measured points, as nodes that know where they come from."""

from __future__ import annotations

from dataclasses import replace

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_rewire.data.measured import SERIES_RESISTANCE, MeasuredTraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.series_resistance import without_series_resistance


@calcfunction
def subtract_series_resistance(
    measured: MeasuredTraceData, resistance_ohm: orm.Float
) -> MeasuredTraceData | ExitCode:
    """Take a series resistance off measured conductances: G = 1 / (1/G_measured - R).

    Exit code 200 if the resistance is negative or would make a point negative or infinite.

    Parameters
    ----------
    measured
        As measured.
    resistance_ohm
        R, ohm. Beside one that was taken off before, it is taken off as well.
    """
    trace = measured.trace()
    try:
        corrected = without_series_resistance(trace.conductance_g0, resistance_ohm.value)
    except InvalidInput as error:
        return ExitCode(200, str(error))
    already = measured.base.attributes.get(SERIES_RESISTANCE, 0.0)
    # voltage and current stay those that were measured, over junction and resistance
    return MeasuredTraceData.from_trace(
        replace(trace, conductance_g0=corrected), {SERIES_RESISTANCE: already + resistance_ohm.value}
    )
