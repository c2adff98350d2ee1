"""The picture of a transmission: what is drawn, on which axes."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aiida_rewire.transport.figure import draw_transmission

ENERGIES = np.array([0.5, 0.0, -0.5])
TRANSMISSION = np.array([[2.0, 4.0], [1.0, 0.2], [0.0, 0.4]])
WEIGHTS = np.array([0.25, 0.75])
AVERAGE = [3.5, 0.4, 0.3]


def curves(figure: Figure) -> dict[str, list[list[float]]]:
    """Drawn points by label, the guide lines left out."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    return {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in lines}


def test_the_average_over_the_k_points_is_drawn_against_the_energy() -> None:
    (drawn,) = curves(draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS)).values()
    assert np.array(drawn) == pytest.approx(np.column_stack([ENERGIES, AVERAGE]))


def test_the_axes_name_their_units() -> None:
    figure = draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS, title="a junction")
    figure.canvas.draw()
    (axes,) = figure.axes
    assert "eV" in axes.get_xlabel()
    assert "G$_0$" in axes.get_ylabel()
    assert axes.get_title() == "a junction"
    (right,) = axes.child_axes
    assert right.get_ylabel() == "conductance (µS)"
    assert np.array(right.get_ylim()) == pytest.approx(77.480917 * np.array(axes.get_ylim()), rel=1e-6)


def test_nothing_is_drawn_outside_the_axes() -> None:
    low, high = draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS).axes[0].get_ylim()
    assert low < 0
    assert high > 3.5
    both = np.stack([TRANSMISSION + 3.0, TRANSMISSION - 3.0])
    assert draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS, transmission_spin=both).axes[0].get_ylim()[1] > 6.5


def test_of_one_energy_each_k_point_is_drawn_and_the_average_is_a_line() -> None:
    figure = draw_transmission(ENERGIES[1:2], TRANSMISSION[1:2], WEIGHTS)
    (drawn,) = curves(figure).values()
    assert drawn == [[1.0, 1.0], [2.0, 0.2]]
    assert "k-point" in figure.axes[0].get_xlabel()
    levels = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert levels == [pytest.approx(0.4)]


def test_both_spins_are_drawn_beside_their_mean() -> None:
    up = TRANSMISSION + np.array([[0.1], [0.0], [0.0]])
    both = np.stack([up, 2 * TRANSMISSION - up])
    figure = draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS, transmission_spin=both)
    heights = {label: [y for _, y in points] for label, points in curves(figure).items()}
    assert heights["mean of both spins"] == pytest.approx(AVERAGE)
    assert heights["spin up"] == pytest.approx([3.6, 0.4, 0.3])
    assert heights["spin down"] == pytest.approx([3.4, 0.4, 0.3])
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(heights)


def test_axes_that_are_given_are_drawn_into() -> None:
    whole = Figure()
    FigureCanvasAgg(whole)
    left, right = whole.subplots(1, 2)
    assert draw_transmission(ENERGIES, TRANSMISSION, WEIGHTS, axes=right) is whole
    assert right.lines
    assert not left.lines
