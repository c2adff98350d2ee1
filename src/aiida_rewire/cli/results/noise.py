"""`aiida-rewire noise`: how the conductance of a plateau fluctuates, of chains and of measured traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from aiida_rewire.cli.results.noise_text import CSV_COLUMNS, TABLES, csv_rows, paragraphs, sheets_of, values_of
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, profile_of, selection_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.database.selected import Selected
    from aiida_rewire.report.caption import Caption
    from aiida_rewire.report.noise import NoisyTrace

FEWEST_POINTS = 8
"""A cycle with fewer is told but not analysed."""

MOST_TRACES = 200


@dataclass(frozen=True)
class Division:
    """How traces are divided and analysed.

    Attributes
    ----------
    divide, smallest_step_g0, segments, band_hz
        See `aiida_rewire.trace.plateau_noise.noise_of_plateaus`; None for what is usual.
    """

    divide: bool
    smallest_step_g0: float | None
    segments: int | None
    band_hz: tuple[float, float] | None


@dataclass(frozen=True)
class Found:
    """What is analysed.

    Attributes
    ----------
    traces
        With the noise of their plateaus.
    conductances
        That computed traces consist of; None for measured ones.
    measured
        UUIDs of the nodes of measured ones.
    left_out
        Cycles that are too short.
    """

    traces: Sequence[NoisyTrace]
    conductances: Selected | None
    measured: Sequence[str]
    left_out: int


@click.command("noise", short_help="Fluctuations and power spectra of plateaus.")
@click.option(
    "--measured",
    multiple=True,
    metavar="IDENTIFIER",
    help="Of these measured points, by PK or UUID; may be repeated.",
)
@click.option("--device", metavar="NAME", help="Of --measured: this device alone.")
@click.option("--cycle", type=int, metavar="N", help="Of --measured: this cycle alone.")
@click.option("--whole", is_flag=True, help="Take each trace as a single plateau.")
@click.option(
    "--smallest-step",
    type=click.FloatRange(min=0),
    metavar="T",
    help="Plateaus that differ by less are one. Default: 0.1.",
)
@click.option(
    "--segments",
    type=click.IntRange(min=1),
    metavar="N",
    help="Half-overlapping segments of a spectrum: more give smaller errors and a higher lowest frequency. Default: "
    "15, of short plateaus fewer.",
)
@click.option(
    "--band",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="Of the noise exponent, Hz. Default: from four bins above 0 to a quarter of the sampling frequency.",
)
@click.option("--table", type=click.Choice(TABLES), default="plateaus", show_default=True, help="What --csv holds.")
@selection_options
@output_options
def noise_command(
    measured: tuple[str, ...],
    device: str | None,
    cycle: int | None,
    whole: bool,
    smallest_step: float | None,
    segments: int | None,
    band: tuple[float, float] | None,
    table: str,
    wanted: Wanted,
    output: Output,
) -> None:
    """Analyse the noise of each plateau: delta G/G, memory, power spectrum and its exponent.

    Traces of chains, or measured ones with --measured, are divided where the conductance jumps. A spectrum (Welch)
    needs 64 points at equal intervals without a gap; the band in which it means something is told.
    """
    if not measured and (device is not None or cycle is not None):
        raise click.UsageError("--device and --cycle go with --measured")
    if whole and smallest_step is not None:
        raise click.UsageError("--whole and --smallest-step: give one of them")
    with profile_of(wanted):
        division = Division(not whole, smallest_step, segments, band)
        found = of_measured(measured, device, cycle, wanted, division) if measured else of_chains(wanted, division)

        def draw() -> Figure:
            from aiida_rewire.report.noise import draw_noise

            return draw_noise(found.traces, width=output.width)

        give(
            Answer(
                values={**values_of(found.traces), "cycles_left_out": found.left_out},
                sheets=sheets_of(found.traces, found.left_out),
                columns=CSV_COLUMNS[table],
                rows=csv_rows(found.traces, table),
                draw=draw,
                caption=lambda: caption(found, wanted),
            ),
            output,
        )


def of_chains(wanted: Wanted, division: Division) -> Found:
    """Return the chains of a selection with their noise.

    Raises
    ------
    InvalidInput
        If nothing is selected, protocols are mixed, or a chain cannot be analysed.
    """
    from aiida_rewire.database.selected import joined
    from aiida_rewire.database.traces import chain_traces

    chains = chain_traces(wanted.selection, mixed=wanted.mixed)
    refuse_many(len(chains), "--campaign, --chain or --voltage")
    campaigns = {chain.campaign for chain in chains}
    traces = [
        noisy_trace(
            chain.chain if len(campaigns) == 1 else f"{chain.campaign}/{chain.chain}",
            chain.time_ps * 1e-12,
            chain.conductance_g0,
            division,
            stages=[str(row["stage"]) for row in chain.rows],
        )
        for chain in chains
    ]
    return Found(traces, joined([chain.conductances for chain in chains]), (), 0)


def of_measured(
    identifiers: Sequence[str], device: str | None, cycle: int | None, wanted: Wanted, division: Division
) -> Found:
    """Return the cycles of measured points with their noise.

    Raises
    ------
    InvalidInput
        If a node is no measured one or has no times, nothing of it is left, or computed traces were asked for too.
    """
    from aiida_rewire.cli.measured.choosing import load_measured
    from aiida_rewire.database.queries import Selection
    from aiida_rewire.errors import InvalidInput

    if wanted.selection != Selection():
        raise InvalidInput(
            "measured", identifiers[0], "alone", "leave out the options that select computed conductances"
        )
    nodes = list({node.uuid: node for node in map(load_measured, identifiers)}.values())
    parts = [part for node in nodes for part in cycles_of(node, device, cycle)]
    long = [part for part in parts if len(part[1]) >= FEWEST_POINTS]
    if not long:
        there = f"{len(parts)} cycles, the longest of {max((len(part[1]) for part in parts), default=0)} points"
        raise InvalidInput(
            "measured", there, f"with a cycle of at least {FEWEST_POINTS}", "`aiida-rewire measured show` lists them"
        )
    refuse_many(len(long), "--device or --cycle")
    traces = [noisy_trace(name, times, values, division) for name, times, values in long]
    return Found(traces, None, [node.uuid for node in nodes], len(parts) - len(long))


def cycles_of(node: Any, device: str | None, cycle: int | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, times (s) and conductances (G0) of the cycles of a node.

    Raises
    ------
    InvalidInput
        If it has no times.
    """
    from aiida_rewire.errors import InvalidInput

    trace = node.trace()
    if trace.time_s is None:
        raise InvalidInput(
            f"measured <{node.pk}>", "no times", "measured against time", "import it with a column such as time (s)"
        )
    for name, number, places in trace.cycles():
        if device in (None, name) and cycle in (None, number):
            yield f"{name}, cycle {number}", trace.time_s[places], trace.conductance_g0[places]


def noisy_trace(
    name: str, times_s: Any, conductances_g0: Any, division: Division, stages: Sequence[str] | None = None
) -> NoisyTrace:
    """Return a trace with the noise of its plateaus.

    Raises
    ------
    InvalidInput
        If its times do not increase, or a parameter is out of bounds.
    """
    from aiida_rewire.errors import InvalidInput
    from aiida_rewire.report.noise import NoisyTrace
    from aiida_rewire.trace.plateau_noise import noise_of_plateaus
    from aiida_rewire.trace.plateaus import SMALLEST_STEP_G0

    step = SMALLEST_STEP_G0 if division.smallest_step_g0 is None else division.smallest_step_g0
    try:
        plateaus = noise_of_plateaus(
            times_s,
            conductances_g0,
            stages=stages,
            divide=division.divide,
            smallest_step_g0=step,
            segments=division.segments,
            band_hz=division.band_hz,
        )
    except InvalidInput as error:
        where = f" of {name}" if error.name == "times_s" else ""
        raise InvalidInput(f"{error.name}{where}", error.value, error.bound, error.way_out) from error
    return NoisyTrace(name, np.asarray(times_s), np.asarray(conductances_g0), plateaus)


def refuse_many(number: int, narrower: str) -> None:
    """Refuse more traces than people look at.

    Raises
    ------
    InvalidInput
        If there are.
    """
    from aiida_rewire.errors import InvalidInput

    if number > MOST_TRACES:
        raise InvalidInput("traces", number, f"at most {MOST_TRACES} at once", f"choose some with {narrower}")


def caption(found: Found, wanted: Wanted) -> Caption:
    """Return the caption of the figure."""
    from aiida_rewire.report.caption import Caption, caption_of

    title = "Conductance against time, the distribution of delta G/G on its plateaus, and their power spectra."
    about, data = paragraphs(found.traces)
    if found.conductances is None:
        return Caption(title, about, data, {"Measured points": list(found.measured)})
    return caption_of(found.conductances, title, selection=wanted.selection, paragraphs=about, data=data)
