"""What is made of measured points, as nodes that know where they come from."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_rewire.data.measured import SERIES_RESISTANCE, SERIES_RESISTANCE_ERROR, MeasuredTraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.measured import joined
from aiida_rewire.trace.series_peaks import cycles_with_points, fit_to_peaks
from aiida_rewire.trace.series_resistance import without_series_resistance

EXIT_TOO_LARGE = 200
EXIT_NO_FIT = 210


@calcfunction
def subtract_series_resistance(
    measured: MeasuredTraceData, resistance_ohm: orm.Float, fit: orm.Dict | None = None
) -> MeasuredTraceData | ExitCode:
    """Take a series resistance off measured conductances: G = 1 / (1/G_measured - R).

    Exit code 200 if the resistance is negative or would make a point negative or infinite.

    Parameters
    ----------
    measured
        As measured.
    resistance_ohm
        R, ohm. Beside one that was taken off before, it is taken off as well.
    fit
        Where R was fitted, its ``error_ohm``, as of :func:`series_resistance_of_peaks`.
    """
    trace = measured.trace()
    try:
        corrected = without_series_resistance(trace.conductance_g0, resistance_ohm.value)
    except InvalidInput as error:
        return ExitCode(EXIT_TOO_LARGE, str(error))
    attributes = measured.base.attributes
    labels = {SERIES_RESISTANCE: attributes.get(SERIES_RESISTANCE, 0.0) + resistance_ohm.value}
    errors = [attributes.get(SERIES_RESISTANCE_ERROR, None), None if fit is None else fit["error_ohm"]]
    known = [error for error in errors if error is not None]
    if known:
        labels[SERIES_RESISTANCE_ERROR] = math.hypot(*known)
    # voltage and current stay those that were measured, over junction and resistance
    return MeasuredTraceData.from_trace(replace(trace, conductance_g0=corrected), labels)


@calcfunction
def series_resistance_of_peaks(
    multiples: orm.List | None = None, **measured: MeasuredTraceData
) -> dict[str, orm.Data] | ExitCode:
    """Fit the resistance in series that puts the peaks of measured conductances at multiples of G0.

    Exit code 210 if there are fewer than two cycles, or the peaks lie at no resistance.

    Parameters
    ----------
    multiples
        That the peaks belong to; the nearest ones by default.
    measured
        Of the same wire and contacts: the cycles of all count together.

    Returns
    -------
    dict
        ``resistance_ohm``: R, ohm; ``fit``: ``ohm``, ``error_ohm``, ``chi_square``, ``degrees``, ``cycles``,
        ``multiples``, and the ``peaks``, each with its fields as of `aiida_rewire.trace.peaks.Peak`.
    """
    traces = joined([measured[name].trace() for name in sorted(measured)])
    cycles = cycles_with_points([traces.conductance_g0[chosen] for _, _, chosen in traces.cycles()])
    try:
        found = fit_to_peaks(cycles, multiples=None if multiples is None else multiples.get_list())
    except InvalidInput as error:
        return ExitCode(EXIT_NO_FIT, str(error))
    fit = {
        **asdict(found.resistance),
        "cycles": found.cycles,
        "multiples": list(found.multiples),
        "peaks": [asdict(peak) for peak in found.peaks],
    }
    return {"resistance_ohm": orm.Float(found.resistance.ohm), "fit": orm.Dict(fit)}
