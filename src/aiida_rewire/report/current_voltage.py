"""The picture of transmissions and of the currents that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import COLOURS, GUIDE_COLOUR, Width, journal_style, new_figure
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aiida_rewire.trace.landauer import CurrentVoltage

MOST_CURVES = len(COLOURS)
"""So many curves have a colour each."""

DASHES: Sequence[Any] = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (2.5, 1)))
"""Curves that lie on each other are told apart by these, those without colours as well."""

UNITS = ((1e-3, "mA"), (1e-6, "µA"), (1e-9, "nA"), (1e-12, "pA"))


@dataclass(frozen=True)
class Curve:
    """A junction's transmission and current.

    Attributes
    ----------
    name
        For the legend.
    energies_ev
        eV from E_F, shape (E,).
    transmission
        T(E) per spin, shape (E,).
    current
        I(V).
    """

    name: str
    energies_ev: NDArray[np.float64]
    transmission: NDArray[np.float64]
    current: CurrentVoltage


@journal_style()
def draw_current_voltage(curves: Sequence[Curve], *, width: Width | str = Width.SINGLE) -> Figure:
    """Draw T(E) and I(V), and thin lines with the slope at 0 V.

    Parameters
    ----------
    curves
        At least one, each of a colour.
    width
        Column of a journal.

    Raises
    ------
    InvalidInput
        If there is no curve, or more than colours.
    """
    if not 1 <= len(curves) <= MOST_CURVES:
        raise InvalidInput(
            "conductances", len(curves), f"from 1 to {MOST_CURVES} for a figure", "choose some by PK or UUID"
        )
    double = Width(width) is Width.DOUBLE
    figure = new_figure(width, height_mm=66.0 if double else 112.0)
    upper, lower = figure.subplots(1, 2) if double else figure.subplots(2, 1)
    _draw_transmissions(upper, curves)
    _draw_currents(lower, curves)
    if len(curves) > 1:
        legend = figure.legend(
            handles=upper.get_lines()[: len(curves)], loc="outside upper center", ncols=4 if double else 2
        )
        # a name may hold what looks like a formula
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def unit_of_current(largest_a: float) -> tuple[float, str]:
    """Return the unit that suits a current, in A and by name.

    Parameters
    ----------
    largest_a
        A.
    """
    for size, name in UNITS:
        # 0.4 µA reads better than 400 nA beside numbers of a hundred
        if largest_a >= 0.3 * size:
            return size, name
    return UNITS[-1]


def _draw_transmissions(axes: Axes, curves: Sequence[Curve]) -> None:
    # a point at each energy that was computed, as long as they can be told apart
    for place, curve in enumerate(curves):
        marker = "o" if len(curve.energies_ev) <= 60 else ""
        axes.plot(
            curve.energies_ev,
            curve.transmission,
            color=COLOURS[place],
            linestyle=DASHES[place % len(DASHES)],
            marker=marker,
            markersize=2.2,
            label=curve.name,
        )
    axes.axvline(0.0, color=GUIDE_COLOUR, linewidth=0.7, zorder=0)
    highest = max(float(curve.transmission.max()) for curve in curves)
    for whole in range(1, 1 + min(10, int(1.05 * highest + 0.05))):
        axes.axhline(whole, color=GUIDE_COLOUR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_ylim(-0.03 * highest if highest else -0.03, 1.1 * highest if highest else 1.0)
    axes.set_xlabel("energy from E$_\\mathrm{F}$ (eV)")
    axes.set_ylabel("transmission T per spin")


def _draw_currents(axes: Axes, curves: Sequence[Curve]) -> None:
    size, name = unit_of_current(max(float(np.abs(curve.current.current_a).max()) for curve in curves))
    axes.axhline(0.0, color=GUIDE_COLOUR, linewidth=0.6, zorder=0)
    axes.axvline(0.0, color=GUIDE_COLOUR, linewidth=0.6, zorder=0)
    for place, curve in enumerate(curves):
        voltages, slope = curve.current.voltages_v, curve.current.zero_bias_g0 * CONDUCTANCE_QUANTUM
        # with leads that are not equally warm the line does not pass through the origin
        middle = float(np.interp(0.0, voltages, curve.current.current_a))
        axes.plot(voltages, (middle + slope * voltages) / size, color=COLOURS[place], linewidth=0.5, linestyle=":")
        axes.plot(
            voltages,
            curve.current.current_a / size,
            color=COLOURS[place],
            linestyle=DASHES[place % len(DASHES)],
            label=curve.name,
        )
    axes.set_xlabel("voltage (V)")
    axes.set_ylabel(f"current ({name})")
    axes.margins(x=0.02)
