"""`aiida-rewire histogram`: counts that are known, peaks with their errors, and what is drawn of them."""

from __future__ import annotations

import csv
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.campaign.made_conductances import make_conductances
from tests.cli.invoking import invoke

from aiida_rewire.cli.results.counting import histogram_command
from aiida_rewire.database.queries import Selection
from aiida_rewire.database.selected import Selected, select
from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.histograms import (
    bins_for,
    draw_histogram,
    draw_histogram_2d,
    draw_steps,
    histogram_against,
    histogram_of,
    voltage_edges,
)
from aiida_rewire.trace.histogram import histogram_of_chains, linear_bins
from aiida_rewire.trace.peaks import peaks_of

CHAINS = {"2V-s1": 2.0, "2V-s2": 2.0, "8V-s1": 8.0}
POSITIONS, SPREAD, SNAPSHOTS = (1.0, 2.0), 0.03, 56


def values(seed: int) -> list[float]:
    """T of the snapshots of a chain: two peaks."""
    rng = np.random.default_rng(seed)
    return [float(rng.normal(POSITIONS[place % 2], SPREAD)) for place in range(SNAPSHOTS)]


@pytest.fixture(scope="module")
def label(aiida_profile: object) -> str:
    """Campaign of three chains at two voltages."""
    label = f"histogram-{uuid.uuid4().hex[:8]}"
    for seed, (chain, volts) in enumerate(CHAINS.items()):
        make_conductances(label, chain, values(seed), voltage_v=volts)
    return label


def told(*arguments: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(invoke(histogram_command, *arguments, "--json").stdout)
    return answer


def chosen(label: str) -> Selected:
    return select(Selection(campaign=label))


def test_counts_are_those_of_numpy(label: str) -> None:
    every = np.concatenate([values(seed) for seed in range(3)])
    answer = told("--campaign", label)
    assert answer["bins"] == {"from_g0": 0.0, "to_g0": 3.0, "number": 60, "width": 0.05, "logarithmic": False}
    assert answer["counts"] == np.histogram(every, np.linspace(0, 3, 61))[0].tolist()
    assert [one["chain"] for one in answer["chains"]] == list(CHAINS)
    of_second = np.histogram(values(1), np.linspace(0, 3, 61))[0].tolist()
    assert answer["chains"][1]["counts"] == of_second
    assert told("--campaign", label, "--chain", "2V-s2")["counts"] == of_second
    narrow = told("--campaign", label, "--bins", 0.1, "--from", 0.95, "--to", 1.25)
    assert narrow["counts"] == np.histogram(every, [0.95, 1.05, 1.15, 1.25])[0].tolist()
    assert narrow["below"] == int((every < 0.95).sum())
    assert narrow["above"] == int((every > 1.25).sum())
    logarithmic = told("--campaign", label, "--log", "--bins", 10)
    assert logarithmic["bins"]["from_g0"] == pytest.approx(0.1)
    assert logarithmic["counts"] == np.histogram(np.log10(every), np.linspace(-1, 1, 21))[0].tolist()


def test_peaks_are_where_they_were_put(label: str) -> None:
    peaks = told("--campaign", label)["peaks"]
    assert len(peaks) == 2
    for peak, position in zip(peaks, POSITIONS, strict=True):
        # so many points of this spread
        assert peak["position_g0"] == pytest.approx(position, abs=4 * SPREAD / np.sqrt(1.5 * SNAPSHOTS))
        assert 0 < peak["position_error_g0"] < SPREAD
        assert peak["share"] == pytest.approx(0.5, abs=0.1)
    text = invoke(histogram_command, "--campaign", label).stdout
    assert "168 conductances of 3 chains in 60 bins from 0 to 3 G0, 0.05 G0 each; 0 below, 0 above" in text
    assert "errors: bootstrap over 3 chains" in text
    alone = told("--campaign", label, "--chain", "2V-s1")["peaks"]
    assert all(peak["position_error_g0"] is None for peak in alone)
    text = invoke(histogram_command, "--campaign", label, "--chain", "2V-s1").stdout
    assert "±" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--bins", 0.07, "--to", 3),
            "--bins = 0.07 G0 from 0 to 3 G0: 42.85714 bins: must be so that a whole number",
        ),
        (("--bins", 0), "--bins = 0.0 G0: must be positive"),
        (("--bins", "nan"), "--bins = nan G0"),
        (("--bins", 1e-300), "so that a whole number of bins, from 1 to 1000000"),
        (("--bins", 2.5, "--log"), "--bins = 2.5 a decade: must be a whole number"),
        (("--bins", 0, "--log"), "--bins = 0: must be at least 1"),
        (("--bins", "inf", "--log"), "--bins = inf a decade"),
        (("--from", 3, "--to", 1), "--from, --to = from 3.0 to 1.0 G0"),
        (("--from", 0, "--log"), "--from = 0.0 G0: must be positive"),
        (("--from", "nan"), "from nan"),
        (("--from", 5, "--to", 6), "none from 5 to 6 G0 (168 below, 0 above"),
        (("--from", 5, "--to", 6, "--against", "time"), "none within the bins, 168 outside"),
    ],
)
def test_bins_that_do_not_fit_are_refused_in_a_line(
    label: str, arguments: tuple[object, ...], said: str, tmp_path: Path
) -> None:
    refused = invoke(histogram_command, "--campaign", label, *arguments, "-o", tmp_path / "h.png", status=1)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("logarithmic", "width"), [(False, 0.0), (False, 0.07), (True, 2.5), (True, 0)])
def test_of_python_the_argument_is_named(logarithmic: bool, width: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        bins_for(np.array([1.0]), logarithmic=logarithmic, width=width, highest_g0=3.0)
    assert refused.value.name == "width"


def test_bins_that_nobody_asked_for_fit_always() -> None:
    for highest in (0.0, 0.3, 1.0, 2.05, 7.3):
        for width in (0.05, 0.07, 0.3, 1.7):
            for lowest in (None, 0.03, -1.0, 9.0):
                bins = bins_for(np.array([highest]), width=width, lowest_g0=lowest)
                assert bins.highest_g0 >= min(highest, bins.highest_g0)
                assert bins.width == pytest.approx(width)
                assert lowest == 9.0 or bins.highest_g0 > highest - 1e-9
        for lowest in (None, 1e-3, 20.0):
            bins = bins_for(np.array([highest, 0.5 * highest]), logarithmic=True, lowest_g0=lowest)
            assert bins.width == pytest.approx(0.05)
            assert lowest == 20.0 or bins.highest_g0 >= highest


def test_each_chain_can_weigh_the_same(aiida_profile: object) -> None:
    label = f"weigh-{uuid.uuid4().hex[:8]}"
    make_conductances(label, "long", [0.52] * 3)
    make_conductances(label, "short", [1.52])
    density = told("--campaign", label, "--bins", 1, "--weigh", "chain")["density"]
    assert density == [0.5, 0.5]
    assert told("--campaign", label, "--bins", 1)["density"] == [0.75, 0.25]


def test_csv_has_a_line_for_each_bin(label: str) -> None:
    text = invoke(histogram_command, "--campaign", label, "--bins", 1, "--csv", "-").stdout
    rows = [[float(cell) for cell in row.values()] for row in csv.DictReader(text.splitlines())]
    every = np.concatenate([values(seed) for seed in range(3)])
    counts = np.histogram(every, [0, 1, 2, 3])[0]
    assert [row[:3] for row in rows] == [[float(i), i + 1.0, float(counts[i])] for i in range(3)]
    assert sum(row[3] for row in rows) == pytest.approx(1)


def test_against_voltage_and_time(label: str) -> None:
    answer = told("--campaign", label, "--against", "voltage", "--bins", 1)
    assert answer["edges_v"] == [-1.0, 5.0, 11.0]
    low = np.concatenate([values(0), values(1)])
    assert answer["counts"][0] == np.histogram(low, [0, 1, 2, 3])[0].tolist()
    assert answer["counts"][1] == np.histogram(values(2), [0, 1, 2, 3])[0].tolist()
    answer = told("--campaign", label, "--against", "time", "--along", 2, "--bins", 1.5)
    assert [sum(row) for row in answer["counts"]] == [84, 84]
    assert answer["edges_ps"] == pytest.approx([0.0, 2.75, 5.5])
    rows = invoke(histogram_command, "--campaign", label, "--against", "voltage", "--bins", 1, "--csv", "-").stdout
    assert len(rows.splitlines()) == 1 + 2 * 3
    text = invoke(histogram_command, "--campaign", label, "--against", "voltage").stdout
    assert [line.split()[2] for line in text.splitlines()[2:]] == ["112", "56"]
    for wrong in (("--along", 3), ("--against", "time", "--weigh", "chain")):
        invoke(histogram_command, "--campaign", label, *wrong, status=2)


def test_a_bin_of_voltage_is_around_each() -> None:
    assert voltage_edges(np.array([2.0, 8.0, 4.0, 2.0])).tolist() == [1.0, 3.0, 6.0, 10.0]
    assert voltage_edges(np.array([2.0, 2.0])).tolist() == [1.5, 2.5]
    assert len(voltage_edges(np.linspace(0, 1, 500))) == 61


def test_the_figure_shows_counts_and_peaks(label: str) -> None:
    found = chosen(label)
    histogram = histogram_of(found, bins_for(found.transmission))
    peaks = peaks_of(histogram)
    figure = draw_histogram(histogram, peaks=peaks)
    (axes,) = figure.axes
    heights, edges, _ = axes.patches[-1].get_data()
    assert heights.tolist() == histogram.total.tolist()
    assert edges.tolist() == pytest.approx(np.linspace(0, 3, 61).tolist())
    assert [text.xy[0] for text in axes.texts] == [peak.position_g0 for peak in peaks]
    assert all("±" in text.get_text() for text in axes.texts)
    assert axes.get_xlim() == (0.0, 3.0)
    logarithmic = draw_histogram(histogram_of(found, bins_for(found.transmission, logarithmic=True)))
    assert logarithmic.axes[0].get_xscale() == "log"


def test_measured_points_can_lie_over_computed_ones(label: str) -> None:
    found = chosen(label)
    bins = linear_bins(0, 3)
    figure = draw_histogram(histogram_of(found, bins), weight="chain", label="computed")
    measured = histogram_of_chains([[0.9, 1.9, 1.9]], bins)
    draw_steps(figure.axes[0], measured, weight="density", colour="#000000", label="measured", filled=False)
    heights, _, _ = figure.axes[0].patches[-1].get_data()
    assert heights.sum() * 0.05 == pytest.approx(1)
    names = figure.axes[0].get_legend_handles_labels()[1]
    assert names == ["computed", "measured"]


def test_the_figure_in_two_dimensions_leaves_empty_bins_white(label: str) -> None:
    found = chosen(label)
    histogram = histogram_against(found, bins_for(found.transmission), "voltage")
    figure = draw_histogram_2d(histogram, "voltage")
    (mesh,) = figure.axes[0].collections
    counts = mesh.get_array()
    assert counts.filled(0).tolist() == histogram.counts.T.tolist()
    assert np.ma.getmaskarray(counts).sum() == (histogram.counts == 0).sum()
    assert figure.axes[0].get_xlabel() == "voltage (V)"


def test_few_counts_are_told_in_whole_numbers(label: str) -> None:
    found = chosen(label)
    histogram = histogram_against(found, bins_for(found.transmission), "voltage")
    once = replace(histogram, counts=np.minimum(histogram.counts, 1))
    figure = draw_histogram_2d(once, "voltage")
    figure.canvas.draw()
    shown = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert [float(text) for text in shown if text] == [0, 1]


@pytest.mark.parametrize("more", [("--against", "time"), ("--weigh", "chain", "--width", "double")])
def test_files_are_the_same_each_time(label: str, tmp_path: Path, more: tuple[str, ...]) -> None:
    for name in ("a.svg", "b.svg"):
        invoke(histogram_command, "--campaign", label, *more, "-o", tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    caption = (tmp_path / "a.caption.md").read_text()
    assert "168 conductances of 3 chains" in caption
    # of so many the query stands there instead
    assert f"select(Selection(campaign='{label}'))" in caption
