"""The cells of the notebook in the docs run in their order, and give the numbers of a campaign that is known."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from tests.cli.made_traces import LEVELS, MISSING, NOISE, make_trace

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "look-at-results.ipynb"

LABEL = "first-study"
"""Campaign that the notebook names."""

MAGIC = "%matplotlib inline\n"
"""Only a notebook understands it: it shows figures."""

SNAPSHOTS = 96


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    """All of the notebook."""
    book = json.loads(NOTEBOOK.read_text())
    assert book["nbformat"] == 4
    return list(book["cells"])


@pytest.fixture(scope="module")
def names(cells: list[dict[str, Any]], aiida_profile: object) -> dict[str, Any]:
    """What every variable is after all cells have run, of a campaign of two chains; what they show is `shown`."""
    label = f"notebook-{uuid.uuid4().hex[:8]}"
    make_trace(label, "2V-s1", snapshots=SNAPSHOTS)
    make_trace(label, "2V-s2", snapshots=SNAPSHOTS, seed=2)
    # of another campaign nothing counts
    make_trace(f"{label}-not", "2V-s1", snapshots=8)
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum(source.count(f'"{LABEL}"') for source in sources) == 1
    names: dict[str, Any] = {"shown": []}
    for number, source in enumerate(sources):
        *lines, last = source.replace(MAGIC, "").replace(f'"{LABEL}"', f'"{label}"').splitlines()
        # a notebook shows what the last line gives; where that is no assignment, it is kept
        kept = last if " = " in last.split("(")[0] else f"shown.append({last})"
        exec(compile("\n".join([*lines, kept]), f"cell {number}", "exec"), names)  # noqa: S102 (the notebook's own)
    return names


def test_nothing_that_was_run_is_stored(cells: list[dict[str, Any]]) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * 6


def test_traces_are_those_of_the_campaign(names: dict[str, Any]) -> None:
    traces = names["traces"]
    assert [(trace.chain, len(trace.time_ps), trace.missing) for trace in traces] == [
        ("2V-s1", SNAPSHOTS, len(MISSING)),
        ("2V-s2", SNAPSHOTS, len(MISSING)),
    ]
    for plateaus in names["plateaus"].values():
        assert [one.mean_g0 for one in plateaus] == [pytest.approx(level, abs=0.03) for level, _, _ in LEVELS]


def test_histogram_has_the_peaks(names: dict[str, Any]) -> None:
    assert len(names["found"].transmission) == 2 * (SNAPSHOTS - len(MISSING))
    # that of a gap lies at the end of the range, that of islands does not rise far enough
    positions = [peak.position_g0 for peak in names["peaks"]]
    assert positions == [pytest.approx(1.0, abs=0.02), pytest.approx(2.0, abs=0.02)]


def test_noise_is_what_was_put_in(names: dict[str, Any]) -> None:
    noises = names["noises"]
    assert len(noises) == len(LEVELS)
    for noise, level in zip(noises[2:], (1.0, 2.0), strict=True):
        assert noise.plateau.mean_g0 == pytest.approx(level, abs=0.02)
        # 24 points tell their own spread to some 15 %
        assert noise.fluctuation.relative == pytest.approx(NOISE / level, rel=0.4)


def test_each_question_has_its_figure_and_numbers(names: dict[str, Any]) -> None:
    trace, histogram, peaks, noises, noise = names["shown"]
    assert all(isinstance(figure, Figure) and figure.axes for figure in (trace, histogram, noise))
    assert [position for position, _, _ in peaks] == [peak.position_g0 for peak in names["peaks"]]
    assert [mean for mean, _ in noises] == [one.plateau.mean_g0 for one in names["noises"]]
