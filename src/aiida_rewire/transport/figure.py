"""The picture of a transmission."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM, k_average

# Okabe and Ito's colours, which the colour-blind tell apart
MEAN_COLOUR = "#0072B2"
SPIN_STYLE = {"spin up": ("#D55E00", "^"), "spin down": ("#009E73", "v")}
GUIDE_COLOUR = "#BBBBBB"
MICROSIEMENS = CONDUCTANCE_QUANTUM * 1e6


def draw_transmission(
    energies: NDArray[np.float64],
    transmission: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    transmission_spin: NDArray[np.float64] | None = None,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw T(E) averaged over the k-points; of one energy alone, T of each k-point.

    Parameters
    ----------
    energies
        eV from E_F, shape (E,).
    transmission
        Per spin, shape (E, k).
    weights
        Of the k-points, shape (k,).
    transmission_spin
        Up and down, shape (2, E, k), drawn beside their mean.
    title
        Above the picture.
    axes
        Where to draw; by default in a new figure.
    """
    if axes is None:
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
    curves = [(transmission, "mean of both spins" if transmission_spin is not None else None, MEAN_COLOUR, "o")]
    if transmission_spin is not None:
        styles = zip(transmission_spin, SPIN_STYLE.items(), strict=True)
        curves += [(values, label, colour, marker) for values, (label, (colour, marker)) in styles]
    highest = 0.0
    for values, label, colour, marker in curves:
        if len(energies) == 1:
            places, heights = np.arange(1, len(weights) + 1), values[0]
            axes.axhline(float(k_average(values, weights)[0]), color=colour, linewidth=1)
            axes.plot(places, heights, marker, color=colour, markersize=5, label=label)
        else:
            heights = k_average(values, weights)
            axes.plot(energies, heights, marker=marker, color=colour, markersize=4, linewidth=1.2, label=label)
        highest = max(highest, float(heights.max()))
    axes.axhline(1.0, color=GUIDE_COLOUR, linewidth=0.8, linestyle="--", zorder=0)
    if len(energies) == 1:
        axes.set_xlabel(f"number of the k-point (line: average), at {energies[0]:g} eV from E$_F$")
        axes.get_xaxis().set_major_locator(MaxNLocator(integer=True))
    else:
        axes.axvline(0.0, color=GUIDE_COLOUR, linewidth=0.8, zorder=0)
        axes.set_xlabel("energy from E$_F$ (eV)")
    axes.set_ylabel("transmission per spin = conductance (G$_0$)")
    axes.set_ylim(-0.04 * max(highest, 1.0), 1.12 * max(highest, 1.0))
    right = axes.secondary_yaxis("right", functions=(_to_microsiemens, _from_microsiemens))
    right.set_ylabel("conductance (µS)")
    if transmission_spin is not None:
        axes.legend(frameon=False)
    axes.set_title(title, fontsize=10)
    whole = axes.get_figure(root=True)
    assert whole is not None  # noqa: S101  # axes that were made have a figure
    return whole


def _to_microsiemens(conductance_g0: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(conductance_g0) * MICROSIEMENS


def _from_microsiemens(conductance: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(conductance) / MICROSIEMENS
