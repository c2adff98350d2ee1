"""`aiida-rewire measured plot`: current against voltage, conductance against time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from aiida_rewire.cli.campaign.opening import directory_option, told_in_a_line
from aiida_rewire.cli.measured.wording import devices_text, resistance_text
from aiida_rewire.cli.profile import open_profile, profile_option
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.wording import counted
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from aiida_rewire.report.caption import Caption
    from aiida_rewire.trace.measured import MeasuredTrace

POINT_COLUMNS = ("device", "cycle", "time_s", "voltage_V", "current_A", "conductance_G0")


@click.command("plot", short_help="Draw I(V) or G(t) of a measurement.")
@click.argument("identifier")
@click.option(
    "--against",
    type=click.Choice(["voltage", "time"]),
    help="Current against voltage, or conductance against time. Default: voltage where both were measured and the "
    "voltage was swept.",
)
@click.option("--device", metavar="NAME", help="Only this device.")
@click.option("--cycle", "cycles", type=int, multiple=True, metavar="N", help="Only this cycle; may be repeated.")
@output_options
@profile_option
@directory_option
def plot_command(
    identifier: str,
    against: str | None,
    device: str | None,
    cycles: tuple[int, ...],
    directory: Path | None,
    output: Output,
) -> None:
    """Draw what was measured, the PK or UUID of its node given: I(V), or G(t), each cycle in a colour.

    The table says what the cycles span; --csv holds their points, in a form that `measured import` reads.
    """
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.cli.measured.choosing import load_measured
        from aiida_rewire.cli.measured.looking import cycles_sheet
        from aiida_rewire.trace.measured_summary import cycle_rows

        node = load_measured(identifier)
        trace = narrowed(node.trace(), device, cycles)
        axis = against or ("voltage" if is_sweep(trace) else "time")

        def draw() -> Figure:
            from aiida_rewire.report.measured_figure import draw_current_voltage, draw_in_time
            from aiida_rewire.report.style import new_figure

            figure = new_figure(output.width)
            (draw_current_voltage if axis == "voltage" else draw_in_time)(figure.subplots(), trace)
            return figure

        rows = cycle_rows(trace)
        give(
            Answer(
                {"uuid": node.uuid, "against": axis, "cycles": rows},
                [cycles_sheet(rows)],
                POINT_COLUMNS,
                point_rows(trace),
                draw,
                lambda: caption(node, trace, axis),
            ),
            output,
        )


def narrowed(trace: MeasuredTrace, device: str | None, cycles: Sequence[int]) -> MeasuredTrace:
    """Return the points of a device and of some cycles; of all where none is named.

    Raises
    ------
    InvalidInput
        If there is none, with what there is.
    """
    mask = np.ones(len(trace.cycle), dtype=bool)
    if device is not None:
        mask &= np.array([name == device for name in trace.devices])[trace.device]
    if cycles:
        mask &= np.isin(trace.cycle, cycles)
    if not mask.any():
        numbers = np.unique(trace.cycle)
        asked = [*([f"device {device[:40]!r}"] if device is not None else []), *(f"cycle {one}" for one in cycles)]
        raise InvalidInput(
            "points",
            f"none of {', '.join(asked)}",
            "at least one",
            f"there are cycles from {numbers[0]} to {numbers[-1]} of {devices_text(trace.devices)}",
        )
    return trace.where(mask)


def is_sweep(trace: MeasuredTrace) -> bool:
    """Whether current and voltage were measured, and the voltage goes up and down rather than staying."""
    if trace.voltage_v is None or trace.current_a is None:
        return False
    return bool(np.ptp(trace.voltage_v) > 0.5 * np.abs(trace.voltage_v).max())


def point_rows(trace: MeasuredTrace) -> list[tuple[Any, ...]]:
    """Return the points for CSV; what was not measured is empty."""
    count = len(trace.cycle)
    columns = [
        [None] * count if values is None else values.tolist()
        for values in (trace.time_s, trace.voltage_v, trace.current_a, trace.conductance_g0)
    ]
    names = [trace.devices[place] for place in trace.device.tolist()]
    return list(zip(names, trace.cycle.tolist(), *columns, strict=True))


def caption(node: Any, trace: MeasuredTrace, axis: str) -> Caption:
    """Return the caption of a picture of measured points."""
    from aiida_rewire.report.caption import Caption, plain

    what = "Current against voltage" if axis == "voltage" else "Conductance against time"
    attributes = node.base.attributes
    ohm = attributes.get("series_resistance_ohm", None)
    taken = resistance_text(ohm, attributes.get("series_resistance_error_ohm", None))
    about = []
    if axis == "voltage":
        about.append("Voltage and current are those that were measured, over junction and what is in series with it.")
    else:
        about.append("Points without a conductance are gaps in the lines; dashed lines are multiples of G0 = 2e^2/h.")
        if ohm is not None:
            about.append(f"A series resistance of {taken} ohm was taken off: G = 1/(1/G_measured - R).")
    data = [f"{counted(len(trace.cycle), 'point')} of {counted(len(trace.cycles()), 'cycle')}"]
    data += [f"devices: {', '.join(plain(name) for name in trace.devices)}"]
    if trace.undefined:
        data.append(f"{counted(trace.undefined, 'point')} without a conductance: the voltage was too small")
    file = attributes.get("filename", None)
    if file is not None:
        data.append(f"file: {plain(file)}, SHA-256 {attributes.get('sha256')}")
    return Caption(f"{what}, as it was measured.", about, data, {"Measured": [node.uuid]})
