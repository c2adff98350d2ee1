"""`aiida-rewire iv`: current against voltage, from T(E)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, profile_of, selection_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.report.caption import Caption
    from aiida_rewire.report.current_voltage import Curve

COLUMNS = ("conductance_uuid", "voltage_V", "current_A", "differential_conductance_G0")


@dataclass(frozen=True)
class Junction:
    """A conductance and its current.

    Attributes
    ----------
    node
        ConductanceData.
    curve
        T(E) and I(V).
    """

    node: Any
    curve: Curve

    def label(self, name: str) -> Any:
        """Return an attribute of the node; None if it has none."""
        return self.node.base.attributes.get(name, None)


@click.command("iv", short_help="Current against voltage, from T(E).")
@click.argument("identifiers", nargs=-1, metavar="[IDENTIFIER]...")
@click.option(
    "--temperature",
    "temperatures",
    type=float,
    multiple=True,
    metavar="K",
    help="Of the electrons in the leads; twice for leads that are not equally warm, that which emits the electrons "
    "at V > 0 first. Default: 300.",
)
@click.option(
    "--lead-shift",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of eV by which the emitting lead is raised; the other is lowered by the rest.",
)
@click.option(
    "--to", "highest_v", type=float, metavar="V", help="From -V to V. Default: as far as the energies allow."
)
@selection_options
@output_options
def iv_command(
    identifiers: tuple[str, ...],
    temperatures: tuple[float, ...],
    lead_shift: float,
    highest_v: float | None,
    wanted: Wanted,
    output: Output,
) -> None:
    """Compute the Landauer current of conductances, by PK or UUID, or of a selection.

    T(E) is taken as it was computed, without a bias, and as a straight line between its energies; these have to reach
    10 kT beyond the bias window. The slope at 0 V is the conductance at the temperature of the leads, G(0).
    """
    if len(temperatures) > 2:
        raise click.UsageError("--temperature: give it once, or once for each of the two leads")
    with profile_of(wanted):
        from aiida_rewire.transport.landauer import lead_temperatures_k

        pair = (temperatures[0], temperatures[-1]) if temperatures else lead_temperatures_k(300.0)
        nodes = chosen_nodes(identifiers, wanted)
        junctions = [junction_of(node, pair, lead_shift, highest_v) for node in nodes]

        def draw() -> Figure:
            from aiida_rewire.report.current_voltage import draw_current_voltage

            return draw_current_voltage([one.curve for one in junctions], width=output.width)

        give(
            Answer(
                values={
                    "temperatures_k": pair,
                    "lead_shift": lead_shift,
                    "curves": [values_of(one) for one in junctions],
                },
                sheets=[sheet_of(junctions, pair)],
                columns=COLUMNS,
                rows=[cells for one in junctions for cells in cells_of(one)],
                draw=draw,
                caption=lambda: caption(junctions, pair, lead_shift),
            ),
            output,
        )


def chosen_nodes(identifiers: Sequence[str], wanted: Wanted) -> list[Any]:
    """Return the conductances that were named, or those of the selection.

    Raises
    ------
    InvalidInput
        If there is none, one is none, there are more than a figure holds, or both were given.
    """
    from aiida_rewire.database.queries import Selection
    from aiida_rewire.errors import InvalidInput

    if identifiers and wanted.selection != Selection():
        raise InvalidInput("identifier", identifiers[0], "alone", "leave out the options that select conductances")
    if identifiers:
        nodes = list({node.uuid: node for node in map(load_conductance, identifiers)}.values())
    else:
        from aiida import orm

        from aiida_rewire.database.selected import select

        found = select(wanted.selection, mixed=wanted.mixed)
        refuse_many(len(found))
        nodes = [orm.load_node(int(pk)) for pk in found.pk]
    refuse_many(len(nodes))
    return nodes


def refuse_many(number: int) -> None:
    """Refuse more conductances than can be looked at together.

    Raises
    ------
    InvalidInput
        If there are.
    """
    from aiida_rewire.errors import InvalidInput
    from aiida_rewire.report.current_voltage import MOST_CURVES

    if number > MOST_CURVES:
        raise InvalidInput(
            "conductances",
            number,
            f"at most {MOST_CURVES} at once",
            "narrow the selection, or name some by PK or UUID, as `verdi data rewire.conductance list` shows them",
        )


def load_conductance(identifier: str) -> Any:
    """Return a ConductanceData; InvalidInput as of `load_named`."""
    from aiida_rewire.cli.results.identifying import load_named

    return load_named(identifier, "rewire.conductance", "a conductance", "verdi data rewire.conductance list")


def junction_of(node: Any, pair: tuple[float, float], lead_shift: float, highest_v: float | None) -> Junction:
    """Return a conductance with its current.

    Raises
    ------
    InvalidInput
        If its energies do not reach far enough, or a parameter is out of bounds.
    """
    from aiida_rewire.errors import InvalidInput
    from aiida_rewire.report.current_voltage import Curve
    from aiida_rewire.trace.landauer import VOLTAGES, current_voltage

    if highest_v is not None and not 0 < highest_v < np.inf:
        raise InvalidInput("to", f"{highest_v} V", "positive", "leave it out for all that the energies allow")
    voltages = None if highest_v is None else np.linspace(-highest_v, highest_v, VOLTAGES)
    energies, transmission = node.energies, node.transmission
    try:
        current = current_voltage(energies, transmission, voltages, temperature_k=pair, lead_shift=lead_shift)
    except InvalidInput as error:
        raise InvalidInput(f"{error.name} of <{node.pk}>", error.value, error.bound, error.way_out) from error
    return Junction(node, Curve(name_of(node), energies, transmission, current))


def name_of(node: Any) -> str:
    """Name a conductance in a legend: its chain and time, or its PK."""
    chain, time = (node.base.attributes.get(name, None) for name in ("chain", "time_ps"))
    if chain is None or time is None:
        return f"<{node.pk}>"
    return f"{chain}, {time:g} ps" if isinstance(time, (int, float)) else str(chain)


def values_of(one: Junction) -> dict[str, Any]:
    """Return a current for programs."""
    current = one.curve.current
    return {
        "pk": one.node.pk,
        "uuid": one.node.uuid,
        "campaign": one.label("campaign"),
        "chain": one.label("chain"),
        "time_ps": one.label("time_ps"),
        "conductance_fermi_g0": one.label("conductance_g0"),
        "zero_bias_g0": current.zero_bias_g0,
        "voltages_v": current.voltages_v,
        "current_a": current.current_a,
        "differential_g0": current.differential_g0,
        "energies_ev": one.curve.energies_ev,
        "transmission": one.curve.transmission,
    }


def cells_of(one: Junction) -> list[tuple[Any, ...]]:
    """Return the cells of CSV, a row for each voltage."""
    current = one.curve.current
    lists = (current.voltages_v, current.current_a, current.differential_g0)
    return [(one.node.uuid, *row) for row in zip(*(values.tolist() for values in lists), strict=True)]


def sheet_of(junctions: Sequence[Junction], pair: tuple[float, float]) -> Sheet:
    """Return the table for people: a line for each junction."""
    from aiida_rewire.report.current_voltage import unit_of_current
    from aiida_rewire.trace.table import microsiemens

    size, unit = unit_of_current(max(float(np.abs(one.curve.current.current_a).max()) for one in junctions))
    rows = []
    for one in junctions:
        current, fermi, time = one.curve.current, one.label("conductance_g0"), one.label("time_ps")
        rows.append(
            (
                str(one.node.pk),
                one.node.uuid[:8],
                str(one.label("chain") or "-"),
                f"{time:.2f}" if isinstance(time, (int, float)) else "-",
                "-" if fermi is None else f"{fermi:.5f}",
                f"{current.zero_bias_g0:.5f}",
                f"{microsiemens(current.zero_bias_g0):.3f}",
                f"{current.voltages_v[0]:.3g} to {current.voltages_v[-1]:.3g}",
                f"{current.current_a[-1] / size:.4g}",
            )
        )
    columns = (
        *(">pk", "uuid", "chain", ">time (ps)", ">G at E_F (G0)"),
        *(">G(0) (G0)", ">G(0) (µS)", ">V (V)", f">I at highest V ({unit})"),
    )
    return Sheet(columns, rows, before=[f"leads at {temperatures_text(pair)}; G(0) is dI/dV at 0 V"])


def temperatures_text(pair: tuple[float, float]) -> str:
    """Say how warm the leads are."""
    return f"{pair[0]:g} K" if pair[0] == pair[1] else f"{pair[0]:g} K and {pair[1]:g} K"


def caption(junctions: Sequence[Junction], pair: tuple[float, float], lead_shift: float) -> Caption:
    """Return the caption of the figure."""
    from aiida_rewire.report.caption import Caption, plain

    data = [
        f"{plain(one.curve.name)}: G(0) = {one.curve.current.zero_bias_g0:.5f} G0, T(E) at "
        f"{len(one.curve.energies_ev)} energies from {one.curve.energies_ev.min():g} to "
        f"{one.curve.energies_ev.max():g} eV"
        for one in junctions
    ]
    return Caption(
        "Transmission per spin against energy, and the Landauer current that follows from it.",
        [
            f"Leads at {temperatures_text(pair)}; the emitting lead is raised by {lead_shift:g} eV of the bias, the "
            "other is lowered by the rest. T(E) was computed without a bias and is a straight line between its "
            "energies. Dotted: the slope at 0 V, G(0).",
        ],
        data,
        {"Conductances": [one.node.uuid for one in junctions]},
    )
