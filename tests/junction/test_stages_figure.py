"""The picture of the stages: which snapshots stand for them, and what is drawn."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.contact import Stage
from aiida_rewire.junction.figure import COLOURS, StageView, draw_stages, first_of_each_stage
from aiida_rewire.junction.tips import build_tips


def test_the_first_of_each_stage_stands_for_it_in_the_order_of_growth() -> None:
    stages = ["islands", "gap", "contact", "islands", "growth", "contact"]
    assert list(first_of_each_stage(stages).items()) == [
        (Stage.GAP, 1),
        (Stage.ISLANDS, 0),
        (Stage.CONTACT, 2),
        (Stage.GROWTH, 4),
    ]
    assert first_of_each_stage(["gap", "gap"]) == {Stage.GAP: 0}


def test_each_atom_is_drawn_once_in_the_colour_of_its_tip_and_the_lower_tip_below(tmp_path: Path) -> None:
    tips = build_tips(base_side=3, gap=5.0)
    views = [StageView(Stage.GAP, 0.5, 0, tips.positions), StageView(Stage.CONTACT, 1.0, 3, tips.positions)]
    figure = draw_stages(views, tips.regions, title="two tips")
    assert len(figure.axes) == 2
    assert figure.axes[1].get_title() == "contact\n1.00 ps, 3 bonds"
    discs = figure.axes[0].patches
    assert len(discs) == 28
    heights = {colour: [] for colour in COLOURS.values()}
    for disc in discs:
        box = disc.get_path().get_extents(disc.get_patch_transform())
        heights[to_hex(disc.get_facecolor())].append((box.y0 + box.y1) / 2)
    lower, upper = (np.mean(heights[COLOURS[region]]) for region in (tips.regions[0], tips.regions[-1]))
    assert lower < upper
    figure.savefig(tmp_path / "stages.png")
    assert (tmp_path / "stages.png").stat().st_size > 5000


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one snapshot"):
        draw_stages([], [], title="")
