"""`aiida-rewire kinetics`: times to contact that are known, what is drawn, what is left out and refused."""

from __future__ import annotations

import csv
import json
import math
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.campaign.made_conductances import make_chain
from tests.cli.invoking import invoke
from tests.cli.made_dynamics import make_run

from aiida_rewire.cli.results.kinetics import kinetics_command
from aiida_rewire.report.kinetics import Series, draw_kinetics
from aiida_rewire.trace.kinetics import SeedRun, contact_times, voltage_slopes

SLOW = (1.0, 2.0, 3.0, None)
"""Contacts of four seeds at 2 V, ps; the last ended open."""

FAST = (0.25, 0.5, 0.75)
"""Of three seeds at 8 V."""


@pytest.fixture(scope="module")
def label(potential: Any) -> str:
    """Campaign of two voltages, and of runs that count for nothing."""
    label = f"kin_{uuid.uuid4().hex[:8]}"
    for seed, first in enumerate(SLOW, 1):
        make_run(potential, f"{label}/2V-s{seed}", seed=seed, first=first, lasting=first)
    for seed, first in enumerate(FAST, 1):
        make_run(potential, f"{label}/8V-s{seed}", seed=seed, voltage_v=8.0, first=first)
    # another attempt at a chain took over its dynamics
    make_run(potential, f"{label}/8V-s1", seed=1, voltage_v=8.0, first=FAST[0])
    make_run(potential, f"{label}/2V-s5", seed=5, state="waiting")
    make_run(potential, f"{label}/2V-s6", seed=6, state="failed")
    make_run(potential, f"{label}/ramp", seed=7, voltage_v=[[0.0, 0.0], [1.0, 8.0]], first=1.0)
    # of a cut archive, without its inputs
    make_chain(label, "2V-s8")
    # of a campaign whose label looks alike to a pattern
    make_run(potential, f"{label.replace('_', 'x')}/2V-s1", seed=9, first=0.1)
    return label


def told(*arguments: object) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(invoke(kinetics_command, *arguments, "--json").stdout)
    return values


def test_times_are_those_of_a_hand_calculation(label: str) -> None:
    found = told("--campaign", label)
    (alike,) = found["sets"]
    slow, fast = alike["times"]
    # Kaplan and Meier: 3/4, 1/2, 1/4 are open from 1, 2, 3 ps on, and where that is met, the mean with the next
    assert (slow["voltage_V"], slow["gap_angstrom"], slow["seeds"], slow["without_contact"]) == (2.0, 6.0, 4, 1)
    assert (slow["lower_quartile_ps"], slow["median_ps"], slow["upper_quartile_ps"]) == (1.5, 2.5, None)
    assert (fast["seeds"], fast["without_contact"], fast["median_ps"]) == (3, 0, 0.5)
    (slope,) = alike["slopes"]
    assert slope["per_volt"] == pytest.approx(math.log(2.5 / 0.5) / 6)
    assert (found["not_over"], found["failed"], found["ramps"], found["doubled"]) == (1, 1, 1, 1)
    assert len(alike["runs"]) == 7


def test_the_table_counts_what_ended_open_and_what_is_left_out(label: str) -> None:
    text = invoke(kinetics_command, "--campaign", label).stdout
    lines = text.splitlines()
    assert lines[0] == "time to first contact"
    slow, fast = lines[2:4]
    runs, *cells, quartiles = re.split(" {2,}", slow)
    assert runs == "(100) tips, 800 K, steady potential"
    assert cells[:4] == ["6", "2", "4", "1"]
    # half of the draws have no median: the runs are too short to tell its error
    assert cells[4] == "2.5"
    assert quartiles == "1.5 to later"
    assert "0.5 ± " in fast
    assert "a = 0.268" in text
    assert (
        "left out: 1 run not over yet, 1 run failed before a snapshot, 1 run with a voltage that changes, "
        "1 run of a seed of which another run is as long or longer" in text
    )


def test_a_lasting_contact_is_followed_a_picosecond_less(label: str) -> None:
    (alike,) = told("--campaign", label, "--lasting")["sets"]
    slow, fast = alike["times"]
    assert (slow["without_contact"], slow["median_ps"]) == (1, 2.5)
    assert (fast["without_contact"], fast["median_ps"], fast["lower_quartile_ps"]) == (3, None, None)
    assert {run["followed_ps"] for run in alike["runs"]} == {4.0}
    text = invoke(kinetics_command, "--campaign", label, "--lasting", "--voltage", 8).stdout
    assert "later to later" in text
    assert "2.5" not in text


def test_gaps_are_compared_and_other_conditions_are_not(potential: Any, tmp_path: Path) -> None:
    label = f"gaps-{uuid.uuid4().hex[:8]}"
    make_run(potential, f"{label}/a", seed=1, first=1.0)
    # a chain that no campaign recorded says in its labels where it belongs
    make_run(potential, "alone", seed=1, first=2.0, gap=8.0, campaign=label)
    make_run(potential, f"{label}/c", seed=1, first=4.0, temperature_k=600.0)
    first, second = told("--campaign", label)["sets"]
    assert [(one["gap_angstrom"], one["median_ps"]) for one in first["times"]] == [(6.0, 1.0), (8.0, 2.0)]
    assert [one["median_ps"] for one in second["times"]] == [4.0]
    invoke(kinetics_command, "--campaign", label, "--csv", tmp_path / "k.csv", "-o", tmp_path / "k.svg")
    rows = list(csv.DictReader((tmp_path / "k.csv").read_text().splitlines()))
    assert [(row["conditions"].split(", ")[1], row["gap_angstrom"], row["median_ps"]) for row in rows] == [
        ("800 K", "6.0", "1.0"),
        ("800 K", "8.0", "2.0"),
        ("600 K", "6.0", "4.0"),
    ]
    # one seed tells nothing of others
    assert {row["median_error_ps"] for row in rows} == {""}
    caption = (tmp_path / "k.caption.md").read_text()
    for text in ("3 runs, 0 of them without contact", "600 K", "Runs (3):"):
        assert text in caption


def test_where_there_is_nothing_it_is_told_in_a_line(label: str, potential: Any) -> None:
    ramp = f"ramp-{uuid.uuid4().hex[:8]}"
    make_run(potential, f"{ramp}/a", seed=1, voltage_v=[[0.0, 0.0], [1.0, 8.0]], first=1.0)
    make_run(potential, "by hand", seed=1, campaign=f"{ramp}-named")
    for arguments, message in (
        (("--campaign", "nowhere"), "campaign = 'nowhere': must be one of the profile's"),
        (("--campaign", f"{ramp}-name"), f"must be one of the profile's; there is {ramp}-named"),
        (("--label", "nowhere"), "none of label 'nowhere'"),
        (("--campaign", label, "--voltage", 3), "there are runs at 2 V, 8 V"),
        (("--campaign", ramp), "of a constant voltage"),
    ):
        said = invoke(kinetics_command, *arguments, status=1).stderr
        assert message in said
        assert said.count("\n") == 1
    invoke(kinetics_command, "--campaign", label, "--label", label, status=2)


def test_the_figure_shows_medians_quartiles_and_what_ended_open() -> None:
    seeds = [SeedRun(2.0, 6.0, number, time, 5.0) for number, time in enumerate(SLOW)]
    seeds += [SeedRun(8.0, 6.0, number, time, 5.0) for number, time in enumerate(FAST)]
    line = Series("[a]$b", contact_times(seeds), seeds, voltage_slopes(seeds)[0])
    figure = draw_kinetics([line])
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    drawn = {one.get_marker(): one for one in axes.lines if one.get_marker() != "None"}
    assert drawn["o"].get_xydata().tolist() == [[2.0, 2.5], [8.0, 0.5]]
    assert drawn["^"].get_xydata().tolist() == [[2.0, 5.0]]
    assert sorted(y for _, y in drawn["."].get_xydata()) == sorted([1.0, 2.0, 3.0, *FAST])
    bars = [one.get_ydata() for one in axes.lines if one.get_linestyle() == "-"]
    # the upper quartile of the slow ones is not known: up to the longest run
    assert [list(bar) for bar in bars] == [[1.5, 5.0], [0.25, 0.75]]
    (fit,) = [one for one in axes.lines if one.get_linestyle() == "--"]
    assert fit.get_ydata() == pytest.approx([2.5, 0.5])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["[a]$b", "ended open"]
