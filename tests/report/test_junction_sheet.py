"""A sheet shows the atoms that it is given, the near ones over the far ones, around the contact."""

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.flat_layers import in_flat_layers
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.report.junction_sheet import CONTACT_COLOUR, JunctionView, around_contact, draw_sheet, evenly

CHAIN = np.array([[0.0, 0.0, 2.3], [0.2, 0.1, 5.0], [-0.1, 0.0, 7.6]])


def view(*lines: str, contact: np.ndarray = CHAIN) -> JunctionView:
    """A chain of atoms between flat layers of sixteen."""
    region = assemble_scattering_region(contact, FlatGap(0.0, 10.0), Fcc111(4.16, 4))
    numbers = np.full(len(region.positions), 47)
    return JunctionView(region.positions, numbers, region.cell, lines)


def balls_of(figure: object, place: int) -> EllipseCollection:
    (found,) = figure.axes[place].collections  # type: ignore[attr-defined]
    assert isinstance(found, EllipseCollection)
    return found


def test_every_atom_is_drawn_where_it_is_seen_from_the_side() -> None:
    one = view("T = 1")
    balls = balls_of(draw_sheet([one]), 0)
    discs = np.asarray(balls.get_offsets())[::2]
    positions = around_contact(one)
    assert len(discs) == len(one.positions)
    assert np.array_equal(discs, positions[np.argsort(-positions[:, 1], kind="stable")][:, [0, 2]])
    widths = 2 * balls._widths[::2]
    assert np.allclose(widths, 2.9, atol=0.1)


def test_the_contact_has_a_colour_of_its_own_and_the_near_ones_more_of_it() -> None:
    one = view()
    positions = around_contact(one)
    order = np.argsort(-positions[:, 1], kind="stable")
    colours = balls_of(draw_sheet([one]), 0).get_facecolor()[::2, :3]
    contact = ~in_flat_layers(one.positions)[order]
    assert contact.sum() == 3
    orange = np.array(to_rgb(CONTACT_COLOUR))
    # only paler: on the line from orange to white
    share = (colours[contact] - orange) / (1 - orange)
    assert np.allclose(share, share[:, :1], atol=1e-6)
    grey = colours[~contact]
    assert (grey[:, 2] > grey[:, 0]).all()
    assert grey[0].sum() > grey[-1].sum()


def test_flat_layers_lie_around_the_contact_as_their_images_do() -> None:
    one = view()
    moved = around_contact(one)
    flat = in_flat_layers(one.positions)
    assert np.array_equal(moved[~flat], one.positions[~flat])
    cells = (moved - one.positions)[:, :2] @ np.linalg.inv(one.cell[:2, :2])
    assert np.allclose(cells, np.round(cells), atol=1e-9)
    assert np.abs(cells).max() > 0.5
    off = moved[flat, :2] - moved[~flat, :2].mean(axis=0)
    for shift in ([1, 0], [0, 1], [1, 1], [1, -1], [-1, 0], [0, -1], [-1, -1], [-1, 1]):
        there = off + shift @ one.cell[:2, :2]
        assert (np.linalg.norm(off, axis=1) <= np.linalg.norm(there, axis=1) + 1e-9).all()


def test_pictures_stand_in_rows_at_one_scale_with_their_texts() -> None:
    texts = [f"T = {place}\n$a_{{b}}" for place in range(11)]
    figure = draw_sheet([view(text) for text in texts])
    assert [axes.get_title() for axes in figure.axes] == texts
    boxes = np.array([axes.get_position().bounds for axes in figure.axes])
    assert len(np.unique(boxes[:, 1].round(6))) == 2
    assert len(np.unique(boxes[:, 0].round(6))) == 8
    assert (boxes >= -1e-9).all()
    assert np.allclose(boxes[:, 2:], boxes[0, 2:])
    spans = {(round(np.ptp(axes.get_xlim()), 6), round(np.ptp(axes.get_ylim()), 6)) for axes in figure.axes}
    assert len(spans) == 1
    assert figure.get_size_inches()[0] == pytest.approx(183 / 25.4)
    # what looks like a formula, and is none, is drawn as it stands
    figure.canvas.draw()


def test_a_structure_without_leads_is_drawn_as_it_is() -> None:
    wire = np.column_stack([np.zeros(5), np.zeros(5), np.arange(5) * 2.6])
    one = JunctionView(wire, np.full(5, 47), np.eye(3) * 20, ("wire",))
    assert np.array_equal(around_contact(one), wire)
    assert len(balls_of(draw_sheet([one]), 0).get_offsets()) == 10


def test_nothing_is_no_sheet() -> None:
    with pytest.raises(InvalidInput, match="views = none"):
        draw_sheet([])


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [(3, 5, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (10, 1, [0]), (0, 3, []), (5, 5, [0, 1, 2, 3, 4])],
)
def test_of_many_some_are_taken_evenly(count: int, most: int, places: list[int]) -> None:
    assert evenly(count, most) == places
