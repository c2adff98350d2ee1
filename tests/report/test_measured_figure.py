"""Units of measured axes, and what becomes of a bin that would hide all others."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from aiida_rewire.report.measured_figure import draw_histograms, scaled
from aiida_rewire.trace.histogram import Histogram, histogram_of_chains, linear_bins


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.4, -0.1], (1e-3, "mV")),
        ([-2.0, 1.0], (1.0, "V")),
        ([3e-7], (1e-9, "nV")),
        ([1e-18], (1.0, "V")),
        ([0.0], (1.0, "V")),
        ([], (1.0, "V")),
    ],
)
def test_the_unit_suits_the_largest_value(values: list[float], unit: tuple[float, str]) -> None:
    assert scaled(np.array(values), "V") == unit


def histogram(open_gaps: int) -> Histogram:
    """Of a chain of so many open gaps, beside fifteen points near one quantum and fifteen near two."""
    return histogram_of_chains([[*[0.001] * open_gaps, *[1.02] * 15, *[2.02] * 15]], linear_bins(0, 3))


def test_open_gaps_leave_the_picture_and_say_how_high_they_are() -> None:
    axes = Figure().subplots()
    draw_histograms(axes, histogram(10), histogram(970))
    # 15 of 40 points within 0.05 G0
    assert axes.get_ylim()[1] == pytest.approx(1.25 * 7.5)
    # 970 of 1000
    assert [text.get_text() for text in axes.texts] == ["\u2191 19"]


def test_nothing_is_cut_off_where_the_first_bin_is_no_higher() -> None:
    axes = Figure().subplots()
    draw_histograms(axes, histogram(30))
    assert axes.get_ylim()[1] > 30 / 60 / 0.05
    assert not list(axes.texts)
    assert axes.get_legend() is None
