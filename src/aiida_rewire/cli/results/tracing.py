"""`aiida-rewire trace`: T against time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, profile_of, selection_options
from aiida_rewire.cli.results.wording import counted

if TYPE_CHECKING:
    from aiida_rewire.database.traces import ChainTrace
    from aiida_rewire.report.caption import Caption
    from aiida_rewire.trace.plateaus import Plateau

COLUMNS = (
    "campaign",
    "chain",
    "voltage_v",
    "time_ps",
    "step",
    "stage",
    "bonds",
    "gap_left_angstrom",
    "transmission_per_spin",
    "conductance_microsiemens",
    "unitarity_deviation",
    "conductance_uuid",
    "reused_from",
    "missing",
)


@click.command("trace", short_help="T against time.")
@click.option("--plateaus", is_flag=True, help="Find where T jumps, and give the mean between jumps.")
@click.option(
    "--smallest-step",
    type=click.FloatRange(min=0),
    metavar="T",
    help="Of --plateaus: means that differ by less belong together. Default: 0.1.",
)
@click.option("--log", "logarithmic", is_flag=True, help="Draw T on a logarithmic axis.")
@selection_options
@output_options
def trace_command(
    plateaus: bool, smallest_step: float | None, logarithmic: bool, wanted: Wanted, output: Output
) -> None:
    """Show T against time: of one chain every snapshot, of several a line for each.

    Snapshots without a conductance are marked once their chain has ended, and so are conductances that were taken
    over from an equal contact. T is per spin at the Fermi energy, which is the conductance in G0 = 2e2/h.
    """
    if smallest_step is not None and not plateaus:
        raise click.UsageError("--smallest-step goes with --plateaus")
    with profile_of(wanted):
        from aiida_rewire.database.traces import chain_traces

        traces = chain_traces(wanted.selection, mixed=wanted.mixed)
        found: dict[tuple[str, str], list[Plateau]] = {}
        if plateaus:
            from aiida_rewire.report.traces import plateaus_of_chains

            found = plateaus_of_chains(traces, smallest_step_g0=smallest_step)

        def draw() -> Any:
            from aiida_rewire.report.traces import draw_traces

            return draw_traces(
                traces, width=output.width, logarithmic=logarithmic, plateaus=found if plateaus else None
            )

        answer = Answer(
            values=lambda: {"chains": [values_of(trace, found if plateaus else None) for trace in traces]},
            sheets=sheets_of(traces, found if plateaus else None),
            columns=COLUMNS,
            rows=(cells for trace in traces for cells in cells_of(trace)),
            draw=draw,
            caption=lambda: caption(traces, wanted, found if plateaus else None),
        )
        give(answer, output)


def cells_of(trace: ChainTrace) -> list[tuple[Any, ...]]:
    """Return the cells of CSV for each snapshot."""
    from aiida_rewire.trace.table import microsiemens

    return [
        (
            trace.campaign,
            trace.chain,
            trace.voltage_v,
            row["time_ps"],
            known(row["step"]),
            row["stage"],
            known(row["bonds"]),
            row["gap_left_a"],
            row["conductance_g0"],
            microsiemens(row["conductance_g0"]),
            row["unitarity"],
            row["conductance_uuid"],
            row["reused_from"],
            row["missing"],
        )
        for row in trace.rows
    ]


def known(whole: int) -> int | None:
    """Return a whole number; None for a negative one, which stands for an unknown."""
    return whole if whole >= 0 else None


def values_of(trace: ChainTrace, plateaus: Mapping[tuple[str, str], Sequence[Plateau]] | None) -> dict[str, Any]:
    """Return a trace for programs."""
    values: dict[str, Any] = {
        "campaign": trace.campaign,
        "chain": trace.chain,
        "voltage_v": trace.voltage_v,
        "protocol": trace.protocol,
        "trace_uuid": trace.uuid or None,
        "conductances": len(trace.conductances),
        "missing": trace.missing,
        "reused": trace.reused,
        "snapshots": [dict(zip(COLUMNS[3:], cells[3:], strict=True)) for cells in cells_of(trace)],
    }
    if plateaus is not None:
        values["plateaus"] = [
            {**asdict(one), "dwell_s": one.dwell_s} for one in plateaus[trace.campaign, trace.chain]
        ]
    return values


def sheets_of(
    traces: Sequence[ChainTrace], plateaus: Mapping[tuple[str, str], Sequence[Plateau]] | None
) -> list[Sheet]:
    """Return the tables for people: snapshots of one chain, or a line for each of several; plateaus."""
    sheets = [snapshots_sheet(traces[0]) if len(traces) == 1 else chains_sheet(traces)]
    if plateaus is not None:
        sheets.append(plateaus_sheet(traces, plateaus))
    return sheets


def snapshots_sheet(trace: ChainTrace) -> Sheet:
    """Return the table of a chain's snapshots."""
    from aiida_rewire.trace.table import microsiemens

    rows = []
    for row in trace.rows:
        t = row["conductance_g0"]
        there = math.isfinite(t)
        notes = row["missing"] or (f"taken over from {row['reused_from'][:8]}" if row["reused_from"] else "")
        rows.append(
            (
                f"{row['time_ps']:.2f}" if math.isfinite(row["time_ps"]) else "-",
                row["stage"] or "-",
                str(row["bonds"]) if row["bonds"] >= 0 else "-",
                f"{t:.5f}" if there else "-",
                f"{microsiemens(t):.3f}" if there else "-",
                row["conductance_uuid"][:8] or "-",
                notes,
            )
        )
    columns = (">time (ps)", "stage", ">bonds", ">T = G/G0", ">G (µS)", "uuid", "")
    return Sheet(columns, rows, before=[f"{name_of(trace)}: {counts_text(trace)}"])


def chains_sheet(traces: Sequence[ChainTrace]) -> Sheet:
    """Return the table of several chains."""
    rows = []
    for trace in traces:
        there = trace.conductance_g0[np.isfinite(trace.conductance_g0)]
        times = trace.time_ps[np.isfinite(trace.time_ps)]
        rows.append(
            (
                trace.campaign or "-",
                trace.chain or "-",
                f"{trace.voltage_v:g}" if math.isfinite(trace.voltage_v) else "-",
                str(len(trace.conductances)),
                str(trace.reused),
                str(trace.missing) if trace.uuid else "not known yet",
                f"{times.min():.2f} to {times.max():.2f}" if len(times) else "-",
                f"{there.min():.3g} to {there.max():.3g}" if len(there) else "-",
            )
        )
    columns = (
        "campaign",
        "chain",
        ">V",
        ">conductances",
        ">taken over",
        ">missing",
        ">time (ps)",
        ">T = G/G0",
    )
    return Sheet(columns, rows, after=["--chain NAME shows every snapshot of one; -o FIGURE draws them all"])


def plateaus_sheet(traces: Sequence[ChainTrace], plateaus: Mapping[tuple[str, str], Sequence[Plateau]]) -> Sheet:
    """Return the table of plateaus; ends that were not seen are marked."""
    rows = [
        (
            trace.chain or "-",
            f"{one.start_s * 1e12:.2f}",
            f"{one.end_s * 1e12:.2f}",
            f"{one.dwell_s * 1e12:.2f}" if one.complete else f"> {one.dwell_s * 1e12:.2f}",
            str(one.points),
            f"{one.mean_g0:.4f}",
            f"{one.spread_g0:.4f}" if math.isfinite(one.spread_g0) else "-",
            f"{one.stage} ({one.stage_share:.0%})" if one.stage else "-",
        )
        for trace in traces
        for one in plateaus[trace.campaign, trace.chain]
    ]
    columns = (
        "chain",
        ">from (ps)",
        ">to (ps)",
        ">dwell (ps)",
        ">points",
        ">mean T",
        ">deviation",
        "stage",
    )
    return Sheet(
        columns, rows, before=["plateaus"] if rows else ["plateaus: none, for no snapshot has a conductance"]
    )


def name_of(trace: ChainTrace) -> str:
    """Return campaign and chain in a line."""
    return "/".join(part for part in (trace.campaign, trace.chain) if part) or "conductances of no chain"


def counts_text(trace: ChainTrace) -> str:
    """Say how many conductances a trace has, and how many it lacks."""
    said = [counted(len(trace.conductances), "conductance")]
    if trace.reused:
        said.append(f"{trace.reused} taken over from equal contacts")
    said.append(
        f"{trace.missing} missing" if trace.uuid else "the chain has no trace node yet, which tells the missing"
    )
    return ", ".join(said)


def caption(
    traces: Sequence[ChainTrace],
    wanted: Wanted,
    plateaus: Mapping[tuple[str, str], Sequence[Plateau]] | None,
) -> Caption:
    """Return the caption of the figure."""
    from aiida_rewire.database.selected import joined
    from aiida_rewire.report.caption import caption_of, plain

    of = f" of {plain(name_of(traces[0]))}" if len(traces) == 1 else f" of {len(traces)} chains"
    paragraphs = [
        "Marks and the band along the upper edge tell the stage; hollow marks were taken over from an equal contact, "
        "crosses are snapshots without a conductance. The dashed line is G0 = 2e²/h = 77.48 µS.",
    ]
    if len(traces) == 1:
        paragraphs.append("Below: bonds that have to be cut to part the tips.")
    if plateaus is not None:
        paragraphs.append(
            "Plateaus: means between jumps (PELT), the band is their standard deviation; "
            f"{sum(map(len, plateaus.values()))} in all."
        )
    return caption_of(
        joined([trace.conductances for trace in traces]),
        f"Transmission per spin at the Fermi energy, which is G/G0, against time{of}.",
        selection=wanted.selection,
        paragraphs=paragraphs,
        data=[
            f"missing: {sum(trace.missing for trace in traces)}; taken over: {sum(trace.reused for trace in traces)}",
            *(f"trace node of {plain(name_of(trace))}: {trace.uuid}" for trace in traces if trace.uuid),
        ],
    )
