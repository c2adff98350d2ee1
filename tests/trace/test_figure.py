"""The picture of a trace: what is drawn, and what must not be."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from aiida_rewire.trace.figure import STAGE_STYLE, draw_trace, save_trace

Rows = list[dict[str, Any]]
LABELS = {"voltage_v": 2.0, "title": "a filament"}


def axes(rows: Rows) -> tuple[Axes, Axes]:
    upper, lower = draw_trace(rows, **LABELS).axes[:2]
    return upper, lower


def points(axis: Axes, marker: str) -> list[tuple[float, float]]:
    lines = [line for line in axis.lines if line.get_marker() == marker]
    return [(float(x), float(y)) for line in lines for x, y in line.get_xydata()]


def legend(axis: Axes) -> list[str]:
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_every_conductance_is_drawn_with_the_mark_of_its_stage(rows: Rows) -> None:
    upper, _ = axes(rows)
    for row in rows:
        if not row["missing"]:
            marker = STAGE_STYLE[row["stage"]][1]
            assert (row["time_ps"], row["conductance_g0"]) in points(upper, marker)
    assert legend(upper) == ["gap", "islands", "contact", "growth", "missing"]


def test_a_missing_conductance_is_a_cross_and_not_a_point(rows: Rows) -> None:
    upper, _ = axes(rows)
    assert points(upper, "x") == [(0.4, 0.0)]
    for _, marker in STAGE_STYLE.values():
        assert all(x != 0.4 for x, _ in points(upper, marker))


def test_the_line_does_not_bridge_what_is_missing(rows: Rows) -> None:
    upper, _ = axes(rows)
    (line,) = [line for line in upper.lines if line.get_linestyle() == "-" and line.get_marker() == "None"]
    drawn = dict(np.asarray(line.get_xydata()).tolist())
    assert math.isnan(drawn[0.4])


def test_the_bonds_of_every_snapshot_are_drawn(rows: Rows) -> None:
    _, lower = axes(rows)
    assert points(lower, "None") == [(row["time_ps"], row["bonds"]) for row in rows]
    assert "2 V" in lower.get_xlabel()


def test_the_right_axis_is_in_microsiemens(rows: Rows) -> None:
    figure = draw_trace(rows, **LABELS)
    figure.canvas.draw()
    upper = figure.axes[0]
    (right,) = upper.child_axes
    assert right.get_ylabel() == "conductance (µS)"
    assert np.array(right.get_ylim()) == pytest.approx(77.480917 * np.array(upper.get_ylim()), rel=1e-6)


def some(rows: Rows, which: str) -> Rows:
    missing = [row | {"conductance_g0": math.nan, "missing": "why"} for row in rows]
    choices = {"all there": rows[:2], "all missing": missing, "one": rows[3:4], "one missing": missing[:1]}
    return choices[which]


@pytest.mark.parametrize("which", ["all there", "all missing", "one", "one missing"])
def test_the_picture_is_a_png(tmp_path: Path, rows: Rows, which: str) -> None:
    path = tmp_path / "trace.png"
    save_trace(some(rows, which), path, **LABELS)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    pixels = imread(path)
    assert pixels.shape[:2] == (920, 1440)
    # something is drawn
    assert pixels[..., :3].std() > 0.01


def test_with_everything_missing_there_are_only_crosses(rows: Rows) -> None:
    upper, _ = axes(some(rows, "all missing"))
    assert legend(upper) == ["missing"]
    assert len(points(upper, "x")) == len(rows)


def test_an_empty_trace_has_an_empty_picture(tmp_path: Path) -> None:
    save_trace([], tmp_path / "trace.png", **LABELS)
    assert (tmp_path / "trace.png").stat().st_size > 1000


def test_drawing_needs_no_display(rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPLBACKEND", "tkagg")
    monkeypatch.delenv("DISPLAY", raising=False)
    save_trace(rows, tmp_path / "trace.pdf", **LABELS)
    assert (tmp_path / "trace.pdf").read_bytes().startswith(b"%PDF")
