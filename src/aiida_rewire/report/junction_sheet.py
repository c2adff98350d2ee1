"""A sheet of pictures of junctions, each seen from the side, with what is known of it above."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.flat_layers import in_flat_layers
from aiida_rewire.report.style import MM_PER_INCH, ORANGE, WIDTH_MM, Width

LEAD_COLOUR = "#8C9BA8"
CONTACT_COLOUR = ORANGE
"""Of the flat layers, and of the atoms between them."""

FOG = 0.45
"""How much paler the farthest atoms are than the nearest."""

LARGEST_FOG_A = 12.0
"""Depth at which an atom is as pale as any, Å."""

COLUMNS = {Width.SINGLE: 4, Width.DOUBLE: 8}
"""Pictures beside each other, by the column of the journal."""

TITLE_INCH = 0.46
"""Height of the three lines above a picture."""

GAP_A = 1.0
"""White around a junction, Å."""


@dataclass(frozen=True)
class JunctionView:
    """A junction in a sheet.

    Attributes
    ----------
    positions
        Å, shape (n, 3); the current flows along z.
    numbers
        Atomic numbers, shape (n,).
    cell
        Å, shape (3, 3); repeated along the first two.
    lines
        What is written above it.
    """

    positions: NDArray[np.float64]
    numbers: NDArray[np.int64]
    cell: NDArray[np.float64]
    lines: tuple[str, ...]


def draw_sheet(views: Sequence[JunctionView], width: Width | str = Width.DOUBLE) -> Figure:
    """Draw junctions in rows, all at one scale, x to the right and z upwards.

    Parameters
    ----------
    views
        At least one.
    width
        Column of a journal that the sheet is as wide as, or narrower where there are few.

    Raises
    ------
    InvalidInput
        If there is no view.
    """
    if not views:
        raise InvalidInput("views", "none", "at least one junction", "choose conductances whose junction is known")
    columns = COLUMNS[Width(width)]
    across = min(columns, len(views))
    down = math.ceil(len(views) / across)
    centred = [around_contact(view) for view in views]
    extents = np.array([np.ptp(positions[:, [0, 2]], axis=0) for positions in centred])
    radius = max(float(covalent_radii[view.numbers].max()) for view in views)
    wide, high = extents.max(axis=0) + 2 * (radius + GAP_A)
    panel_inch = WIDTH_MM[Width(width)] / MM_PER_INCH / columns
    picture_inch = panel_inch * high / wide
    figure = Figure(figsize=(panel_inch * across, (picture_inch + TITLE_INCH) * down))
    FigureCanvasAgg(figure)
    row = 1 / down
    share = picture_inch / (picture_inch + TITLE_INCH)
    for place, (view, positions) in enumerate(zip(views, centred, strict=True)):
        left, below = place % across / across, 1 - (place // across + 1) * row
        axes = figure.add_axes((left, below, 1 / across, row * share))
        draw_junction(axes, positions, view.numbers)
        middle = (positions[:, [0, 2]].min(axis=0) + positions[:, [0, 2]].max(axis=0)) / 2
        axes.set_xlim(middle[0] - wide / 2, middle[0] + wide / 2)
        axes.set_ylim(middle[1] - high / 2, middle[1] + high / 2)
        # a label may hold what looks like a formula
        axes.set_title("\n".join(view.lines), fontsize=6.5, linespacing=1.15, pad=2, parse_math=False)
    return figure


def around_contact(view: JunctionView) -> NDArray[np.float64]:
    """Return positions in which the flat layers lie around the contact: of each atom its nearest image, Å."""
    flat = in_flat_layers(view.positions)
    positions = view.positions.copy()
    if not flat.any() or flat.all():
        return positions
    lateral = view.cell[:2, :2]
    off = positions[flat, :2] - positions[~flat, :2].mean(axis=0)
    shifts = np.array([[i, j] for i in range(-2, 3) for j in range(-2, 3)]) @ lateral
    # into the cell around the contact first, so that the nearest image is at most two cells away
    images = (off - np.round(off @ np.linalg.inv(lateral)) @ lateral)[:, None] + shifts
    nearest = np.argmin(np.linalg.norm(images, axis=2), axis=1)
    positions[flat, :2] += images[np.arange(len(images)), nearest] - off
    return positions


def draw_junction(axes: Axes, given: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
    """Draw the atoms of a junction as balls, the nearest over the others, the farther the paler.

    Parameters
    ----------
    axes
        To draw into.
    given
        Positions, Å, shape (n, 3): x to the right, y away from the eye, z upwards.
    numbers
        Atomic numbers, shape (n,).
    """
    axes.set_axis_off()
    axes.set_aspect("equal")
    order = np.argsort(-given[:, 1], kind="stable")
    positions = given[order]
    flat = in_flat_layers(given)[order]
    depth = positions[:, 1] - positions[:, 1].min()
    pale = (FOG * np.clip(depth / min(max(float(depth.max()), 1e-9), LARGEST_FOG_A), 0, 1))[:, None]
    colour = np.where(flat[:, None], to_rgb(LEAD_COLOUR), to_rgb(CONTACT_COLOUR))
    balls = colour + (1 - colour) * pale
    edges = np.full_like(balls, 0.25) + 0.75 * pale
    shine = balls + (1 - balls) * 0.55
    diameters = 2 * covalent_radii[numbers[order]]
    # of each ball its disc and then its shine, so that a nearer ball hides both
    sizes = np.stack([diameters, 0.4 * diameters], axis=1).reshape(-1)
    shift = 0.18 * diameters[:, None] * np.array([-1.0, 1.0])
    flattened = positions[:, [0, 2]]
    offsets = np.stack([flattened, flattened + shift], axis=1).reshape(-1, 2)
    axes.add_collection(
        EllipseCollection(
            sizes,
            sizes,
            np.zeros_like(sizes),
            units="xy",
            offsets=offsets,
            offset_transform=axes.transData,
            facecolors=np.stack([balls, shine], axis=1).reshape(-1, 3),
            edgecolors=np.stack([edges, shine], axis=1).reshape(-1, 3),
            linewidths=np.tile([0.4, 0.0], len(positions)),
        ),
        autolim=False,
    )


def evenly(count: int, most: int) -> list[int]:
    """Return the places of at most so many of a list, evenly spaced, its ends among them."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [0]
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
