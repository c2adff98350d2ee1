"""Currents and noise as nodes that know which conductances they come from."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.measured import MeasuredTraceData
from aiida_rewire.data.trace import TraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.landauer import current_voltage
from aiida_rewire.trace.plateau_noise import PlateauNoise, noise_of_plateaus

CURRENT_PARAMETERS = ("voltages_v", "temperatures_k", "lead_shift")
NOISE_PARAMETERS = ("divide", "smallest_step_g0", "segments", "band_hz")
EXIT_NO_CURRENT = 230
EXIT_NO_NOISE = 240


@calcfunction
def current_of_conductance(
    conductance: ConductanceData, parameters: orm.Dict | None = None
) -> orm.ArrayData | ExitCode:
    """Compute I(V) of a transmission.

    Exit code 230 if a parameter is out of bounds or the energies do not reach far enough.

    Parameters
    ----------
    conductance
        With T(E).
    parameters
        ``voltages_v`` (V), ``temperatures_k`` (K, one number or two), ``lead_shift``; what is left out is as of
        `aiida_rewire.trace.landauer.current_voltage`.

    Returns
    -------
    ArrayData
        ``voltages_v`` (V), ``current_a`` (A), ``differential_g0`` (G0), shape (v,); attributes ``zero_bias_g0`` (G0)
        and ``temperatures_k`` (K).
    """
    try:
        given = _known(parameters, CURRENT_PARAMETERS)
        temperatures = given.pop("temperatures_k", 300.0)
        found = current_voltage(
            conductance.energies,
            conductance.transmission,
            temperature_k=(temperatures[0], temperatures[-1]) if isinstance(temperatures, list) else temperatures,
            **given,
        )
    except InvalidInput as error:
        return ExitCode(EXIT_NO_CURRENT, str(error))
    names = ("voltages_v", "current_a", "differential_g0")
    node = orm.ArrayData({name: getattr(found, name) for name in names})
    node.base.attributes.set_many({"zero_bias_g0": found.zero_bias_g0, "temperatures_k": list(found.temperatures_k)})
    return node


@calcfunction
def noise_of_trace(trace: TraceData | MeasuredTraceData, parameters: orm.Dict | None = None) -> orm.Dict | ExitCode:
    """Analyse the noise of each plateau of a trace, of measured points cycle by cycle.

    Exit code 240 if a parameter is out of bounds, or points have no times or not increasing ones.

    Parameters
    ----------
    trace
        Of a chain, or measured.
    parameters
        ``divide``, ``smallest_step_g0``, ``segments``, ``band_hz`` (two numbers), as of
        `aiida_rewire.trace.plateau_noise.noise_of_plateaus`.

    Returns
    -------
    Dict
        ``traces``, a list with ``name`` and ``plateaus``; of each plateau its place, ``fluctuation``, ``exponent``,
        the band of its ``spectrum``, ``correlation_time_s`` and ``why_not``; what is not known is null.
    """
    try:
        given = _known(parameters, NOISE_PARAMETERS)
        if "band_hz" in given:
            given["band_hz"] = tuple(given["band_hz"])
        found = [
            {"name": name, "plateaus": [_values(one) for one in noise_of_plateaus(times, values, **more, **given)]}
            for name, times, values, more in _parts(trace)
        ]
    except InvalidInput as error:
        return ExitCode(EXIT_NO_NOISE, str(error))
    return orm.Dict({"traces": found})


def _known(parameters: orm.Dict | None, names: tuple[str, ...]) -> dict[str, Any]:
    given = {} if parameters is None else dict(parameters.get_dict())
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise InvalidInput("parameters", ", ".join(unknown), f"among {', '.join(names)}", "correct the name")
    return given


def _parts(trace: TraceData | MeasuredTraceData) -> list[tuple[str, Any, Any, dict[str, Any]]]:
    if isinstance(trace, TraceData):
        stages = {"stages": [row["stage"] for row in trace.rows()]}
        times = 1e-12 * trace.get_array("time_ps")
        name = str(trace.base.attributes.get("chain", trace.uuid))
        return [(name, times, trace.get_array("conductance_g0"), stages)]
    points = trace.trace()
    if points.time_s is None:
        raise InvalidInput("trace", "no times", "measured against time", "import it with a column such as time (s)")
    return [
        (f"{device}, cycle {cycle}", points.time_s[places], points.conductance_g0[places], {})
        for device, cycle, places in points.cycles()
    ]


def _values(one: PlateauNoise) -> dict[str, Any]:
    spectrum = None if one.spectrum is None else asdict(one.spectrum)
    values = {
        **asdict(one.plateau),
        "fluctuation": None if one.fluctuation is None else asdict(one.fluctuation),
        "correlation_time_s": one.correlation_s,
        # the spectrum itself is computed anew in no time
        "spectrum": spectrum and {k: v for k, v in spectrum.items() if not isinstance(v, np.ndarray)},
        "exponent": None if one.exponent is None else asdict(one.exponent),
        "why_not": one.why_not,
    }
    finite: dict[str, Any] = _without_nan(values)
    return finite


def _without_nan(value: Any) -> Any:
    """Return a value as a database takes it: a number that is none becomes None."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
