"""Figures as files: sizes, captions, the same bytes each time, nothing half-written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from aiida_rewire.database.queries import Selection
from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.caption import Caption, code_of, plain
from aiida_rewire.report.saving import caption_path, check_figure_path, save_figure, write_whole
from aiida_rewire.report.style import COLOURS, WIDTH_MM, Width, journal_style, new_figure

CAPTION = Caption("What is drawn.", data=["two points"], command="aiida-rewire trace --campaign 'a b'")


def drawn(width: Width = Width.SINGLE) -> Figure:
    with journal_style():
        figure = new_figure(width, height_mm=50)
        axes = figure.subplots()
        axes.plot([0, 1], [1, 2], "o-", label="T")
        axes.set_xlabel("time (ps)")
        axes.legend()
    return figure


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    # what matplotlib would take for the time of writing
    for name, time in (("a", "0"), ("b", "1000000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", time)
        path = tmp_path / f"{name}.{ending}"
        assert save_figure(drawn(), path, CAPTION) == [path, tmp_path / f"{name}.caption.md"]
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("width", list(Width))
def test_figures_are_as_wide_as_a_column(tmp_path: Path, width: Width) -> None:
    save_figure(drawn(width), tmp_path / "f.svg")
    root = ET.fromstring((tmp_path / "f.svg").read_text())  # noqa: S314 (our own)
    assert float(root.attrib["width"].removesuffix("pt")) / 72 * 25.4 == pytest.approx(WIDTH_MM[width], abs=0.1)
    save_figure(drawn(width), tmp_path / "f.png")
    # 300 dots an inch
    assert imread(tmp_path / "f.png").shape[1] == pytest.approx(WIDTH_MM[width] / 25.4 * 300, abs=1)


def test_letters_stay_letters(tmp_path: Path) -> None:
    for ending in ("svg", "pdf"):
        save_figure(drawn(), tmp_path / f"f.{ending}")
    assert "time (ps)" in (tmp_path / "f.svg").read_text()
    # outlines of fonts as Type 3 are what journals refuse
    assert b"/CIDFontType2" in (tmp_path / "f.pdf").read_bytes()
    assert b"/Type3" not in (tmp_path / "f.pdf").read_bytes()


def test_the_style_ends_where_it_is_left() -> None:
    before = mpl.rcParams["font.size"]
    with journal_style():
        assert mpl.rcParams["font.size"] == 7
    assert mpl.rcParams["font.size"] == before


def test_colours_differ_in_lightness_or_hue_for_the_colour_blind() -> None:
    # what a deuteranope sees (Viénot, Brettel, Mollon 1999), in linear RGB
    def seen(colour: str) -> tuple[float, ...]:
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        r, g, b = (c**2.2 for c in (r, g, b))
        both = 0.29275 * r + 0.70725 * g
        blue = -0.02234 * r + 0.02234 * g + b
        return tuple(max(0.0, c) ** (1 / 2.2) for c in (both, both, blue))

    for place, one in enumerate(COLOURS):
        for other in COLOURS[:place]:
            distance = sum((a - b) ** 2 for a, b in zip(seen(one), seen(other), strict=True)) ** 0.5
            assert distance > 0.1, (one, other)


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    (tmp_path / "there").write_text("whole")
    for name in ("there", "new"):
        with pytest.raises(OSError, match="disk full"):
            write_whole(tmp_path / name, half)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there", "whole")]


def test_a_caption_of_somebody_is_not_replaced(tmp_path: Path) -> None:
    caption_path(tmp_path / "f.png").write_text("mine")
    with pytest.raises(InvalidInput, match=r"f\.caption\.md: must be new"):
        save_figure(drawn(), tmp_path / "f.png", CAPTION)
    save_figure(drawn(), tmp_path / "f.png", CAPTION, replace=True)
    assert caption_path(tmp_path / "f.png").read_text().startswith("# f.png\n\nWhat is drawn.\n")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InvalidInput, match="not of a folder"):
        check_figure_path(tmp_path / "folder.png", replace=True)


def test_a_caption_tells_data_versions_and_command_and_no_date() -> None:
    text = CAPTION.text("f.png")
    for part in ("- two points", "- aiida-rewire ", "- matplotlib ", "aiida-rewire trace --campaign 'a b'"):
        assert part in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text)


@pytest.mark.parametrize(
    ("given", "taken"),
    [("silver-2V", "silver-2V"), ("*a*_b_", "\\*a\\*\\_b\\_"), ("a\nb", "'a\\\\nb'"), ("<script>", "\\<script\\>")],
)
def test_labels_are_no_markdown(given: str, taken: str) -> None:
    assert plain(given) == taken


def test_a_selection_as_python_gives_the_selection() -> None:
    for selection in (Selection(), Selection(campaign="it's", transmission=(0.5, 1.0), bonds=1)):
        assert eval(code_of(selection)) == selection  # noqa: S307 (our own)
