"""`aiida-rewire trace`: what it tells, and what it draws."""

from __future__ import annotations

import csv
import json
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from tests.campaign.made_conductances import make_conductance, make_conductances
from tests.cli.invoking import invoke
from tests.cli.made_traces import LEVELS, MISSING, REASON, REUSED, make_trace, transmissions

from aiida_rewire.cli.results.tracing import trace_command
from aiida_rewire.database.queries import Selection
from aiida_rewire.database.traces import chain_traces
from aiida_rewire.report.traces import draw_traces, plateaus_of_chains
from aiida_rewire.trace.figure import BAND, STAGE_STYLE

CHAIN = "2V-s1"


@pytest.fixture(scope="module")
def label(aiida_profile: object) -> str:
    """Campaign of two chains that have ended and one that runs."""
    label = f"trace-{uuid.uuid4().hex[:8]}"
    make_trace(label, CHAIN)
    make_trace(label, "8V-s1", seed=2, voltage_v=8.0)
    make_trace(label, "8V-s2", seed=3, voltage_v=8.0, snapshots=8, ended=False)
    return label


def told(*arguments: object) -> list[dict[str, Any]]:
    chains: list[dict[str, Any]] = json.loads(invoke(trace_command, *arguments, "--json").stdout)["chains"]
    return chains


def marks(axes: Axes, marker: str) -> list[tuple[float, float]]:
    return [xy for line in axes.lines if line.get_marker() == marker for xy in map(tuple, line.get_xydata().tolist())]


def test_every_snapshot_is_told(label: str) -> None:
    (chain,) = told("--campaign", label, "--chain", CHAIN)
    assert (chain["voltage_v"], chain["missing"], chain["reused"], chain["conductances"]) == (2.0, 2, 1, 38)
    rows = chain["snapshots"]
    wanted = transmissions(40, 1)
    for place, row in enumerate(rows):
        assert row["time_ps"] == pytest.approx(0.1 * place)
        if place in MISSING:
            assert (row["transmission_per_spin"], row["missing"], row["conductance_uuid"]) == (None, REASON, "")
        else:
            assert row["transmission_per_spin"] == pytest.approx(wanted[place], rel=1e-12)
        _, stage, bonds = LEVELS[place // 10]
        assert (row["stage"], row["bonds"]) == (stage, bonds)
    assert [place for place, row in enumerate(rows) if row["reused_from"]] == [REUSED]
    text = invoke(trace_command, "--campaign", label, "--chain", CHAIN).stdout
    assert f"{label}/{CHAIN}: 38 conductances, 1 taken over from equal contacts, 2 missing" in text
    assert text.count(REASON) == 2


def test_several_chains_are_listed_and_what_runs_misses_nothing_yet(label: str) -> None:
    chains = told("--campaign", label)
    assert [(one["chain"], one["conductances"], one["missing"]) for one in chains] == [
        (CHAIN, 38, 2),
        ("8V-s1", 38, 2),
        ("8V-s2", 7, 0),
    ]
    assert chains[2]["trace_uuid"] is None
    lines = invoke(trace_command, "--campaign", label).stdout.splitlines()
    assert len(lines) == 5
    assert "not known yet" in lines[3]


def test_a_missing_snapshot_that_was_computed_later_is_not_missing(aiida_profile: object) -> None:
    label = f"later-{uuid.uuid4().hex[:8]}"
    make_trace(label, CHAIN, snapshots=8)
    make_conductance(label, CHAIN, 5, 0.7)
    (chain,) = told("--campaign", label)
    assert (chain["conductances"], chain["missing"]) == (8, 0)


def test_chains_come_in_the_order_of_voltage(aiida_profile: object) -> None:
    label = f"order-{uuid.uuid4().hex[:8]}"
    for volts in (12.0, 2.0, 4.0):
        make_conductances(label, f"{volts:g}V-s1", [1.0], voltage_v=volts)
    assert [one["chain"] for one in told("--campaign", label)] == ["2V-s1", "4V-s1", "12V-s1"]


def test_a_selection_holds_for_what_is_missing_as_well(label: str) -> None:
    (chain,) = told("--campaign", label, "--chain", CHAIN, "--stage", "contact")
    assert (chain["conductances"], chain["missing"]) == (9, 1)
    assert {row["stage"] for row in chain["snapshots"]} == {"contact"}
    (chain,) = told("--campaign", label, "--chain", CHAIN, "--between", 0.5, 3)
    assert (chain["conductances"], chain["missing"]) == (19, 0)


def test_plateaus_are_found_with_their_means(label: str) -> None:
    (chain,) = told("--campaign", label, "--chain", CHAIN, "--plateaus")
    found = chain["plateaus"]
    assert [one["stage"] for one in found] == [stage for _, stage, _ in LEVELS]
    for one, (level, _, _) in zip(found, LEVELS, strict=True):
        # of ten points at most, four standard errors
        assert one["mean_g0"] == pytest.approx(level, abs=0.03)
    assert [one["complete"] for one in found] == [False, True, True, False]
    text = invoke(trace_command, "--campaign", label, "--chain", CHAIN, "--plateaus").stdout
    assert "contact (100%)" in text
    (chain,) = told("--campaign", label, "--chain", CHAIN, "--plateaus", "--smallest-step", 0.5)
    assert len(chain["plateaus"]) == 3
    assert "--plateaus" in invoke(trace_command, "--smallest-step", 1, status=2).stderr


def test_csv_has_a_line_for_each_snapshot_of_each_chain(label: str) -> None:
    rows = list(csv.DictReader(invoke(trace_command, "--campaign", label, "--csv", "-").stdout.splitlines()))
    assert len(rows) == 40 + 40 + 7
    missing = [row for row in rows if row["missing"]]
    assert len(missing) == 4
    assert all(row["transmission_per_spin"] == row["conductance_uuid"] == "" for row in missing)
    values = [float(row["transmission_per_spin"]) for row in rows[:40] if row["transmission_per_spin"]]
    assert values == pytest.approx([t for place, t in enumerate(transmissions(40, 1)) if place not in MISSING])


def test_the_figure_of_a_chain_shows_stages_missing_and_reused(label: str) -> None:
    (trace,) = chain_traces(Selection(campaign=label, chain=CHAIN))
    figure = draw_traces([trace], plateaus=plateaus_of_chains([trace]))
    upper, lower = figure.axes[:2]
    # 89 mm
    assert figure.get_figwidth() * 25.4 == pytest.approx(89)
    assert marks(upper, "x") == [(pytest.approx(0.1 * place), 0.0) for place in MISSING]
    for place, t in enumerate(transmissions(40, 1)):
        if place not in MISSING:
            _, marker = STAGE_STYLE[LEVELS[place // 10][1]]
            assert (pytest.approx(0.1 * place), pytest.approx(t)) in marks(upper, marker)
    hollow = [line for line in upper.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in hollow] == [[pytest.approx(0.1 * REUSED)]]
    bands = [patch for patch in upper.patches if patch.get_y() == BAND[0]]
    assert [to_hex(patch.get_facecolor()).upper() for patch in bands] == [
        STAGE_STYLE[stage][0] for _, stage, _ in LEVELS
    ]
    ends = [(round(patch.get_x(), 3), round(patch.get_x() + patch.get_width(), 3)) for patch in bands]
    assert ends == [(0.0, 0.95), (0.95, 1.95), (1.95, 2.95), (2.95, 3.9)]
    flat = [line for line in upper.lines if len(set(line.get_ydata())) == 1 and len(line.get_ydata()) == 2]
    levels = [line.get_ydata()[0] for line in flat if line.get_linestyle() == "-"]
    assert levels == [pytest.approx(level, abs=0.03) for level, _, _ in LEVELS]
    assert marks(lower, "None")[-1] == (pytest.approx(3.9), 2)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *STAGE_STYLE,
        "taken over",
        "missing",
        "plateau",
    ]


def test_chains_are_drawn_in_panels_of_one_scale(label: str) -> None:
    traces = chain_traces(Selection(campaign=label))
    figure = draw_traces(traces, width="double")
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == [CHAIN, "8V-s1", "8V-s2"]
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert figure.get_figwidth() * 25.4 == pytest.approx(183)
    tops = [max(y for line in axes.lines for y in line.get_ydata() if math.isfinite(y)) for axes in panels]
    assert tops[:2] == [pytest.approx(np.max(transmissions(40, seed))) for seed in (1, 2)]


def test_a_logarithmic_axis_shows_what_is_missing_on_its_lower_end(label: str) -> None:
    (trace,) = chain_traces(Selection(campaign=label, chain=CHAIN))
    upper = draw_traces([trace], logarithmic=True).axes[0]
    assert upper.get_yscale() == "log"
    (crosses,) = [line for line in upper.lines if line.get_marker() == "x"]
    assert crosses.get_transform() == upper.get_xaxis_transform()


def test_too_many_chains_for_a_figure_are_refused_and_still_listed(aiida_profile: object, tmp_path: Path) -> None:
    label = f"many-{uuid.uuid4().hex[:8]}"
    for number in range(21):
        make_conductances(label, f"2V-s{number}", [1.0])
    assert len(told("--campaign", label)) == 21
    refused = invoke(trace_command, "--campaign", label, "-o", tmp_path / "t.png", status=1).stderr
    assert "chains = 21: must be from 1 to 20" in refused
    assert not list(tmp_path.iterdir())


def test_caption_and_files_tell_where_the_figure_comes_from(label: str, tmp_path: Path) -> None:
    arguments = ("--campaign", label, "--chain", CHAIN, "--plateaus", "-o")
    first, second = tmp_path / "trace.pdf", tmp_path / "again.pdf"
    for path in (first, second):
        assert f"wrote {path}" in invoke(trace_command, *arguments, path).stdout
    assert first.read_bytes() == second.read_bytes()
    caption = (tmp_path / "trace.caption.md").read_text()
    (trace,) = chain_traces(Selection(campaign=label, chain=CHAIN))
    for text in (
        "38 conductances of 1 chain",
        "missing: 2; taken over: 1",
        trace.uuid,
        *trace.conductances.uuid,
        f"aiida-rewire trace --plateaus --campaign {label} --chain {CHAIN} --output {first}",
    ):
        assert text in caption
