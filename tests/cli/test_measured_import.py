"""`aiida-rewire measured import`: files become nodes once, and a series resistance is taken off with provenance."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.tools import delete_nodes
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.cli.main import main
from aiida_rewire.data.measured import MeasuredTraceData
from aiida_rewire.trace.series_resistance import without_series_resistance

Run = Callable[..., Result]
TEXT = "time_s,voltage_V,current_uA,note\n0,0.1,7.7,a\n1,0,0.1,b\n2,0.1,15.4,c\n"
WIRE = "conductance_G0\n1\n2\n3.5\n"


@pytest.fixture
def run(aiida_profile: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, on a database without measured points."""
    delete_nodes(orm.QueryBuilder().append(MeasuredTraceData, project="id").all(flat=True), dry_run=False)
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "measured")


def nodes() -> list[MeasuredTraceData]:
    """All there are, the oldest first."""
    query = orm.QueryBuilder().append(MeasuredTraceData, tag="node")
    return query.order_by({"node": {"id": "asc"}}).all(flat=True)


def imported(run: Run, *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("import", *arguments, "--json").stdout)
    return found


def test_a_file_is_stored_with_its_points(run: Run) -> None:
    Path("wire.csv").write_text(TEXT)
    said = run("import", "wire.csv", "--device", "A", "--cycle", 3).output
    (node,) = nodes()
    assert said == (
        f"wire.csv: stored as <{node.pk}> ({node.uuid[:8]}): 3 points of 1 cycle of device 'A'\n"
        "  1 point without a conductance; not read: 'note'\n"
    )
    trace = node.trace()
    assert trace.devices == ("A",)
    assert trace.cycle.tolist() == [3, 3, 3]
    assert trace.current_a is not None
    assert trace.current_a.tolist() == pytest.approx([7.7e-6, 1e-7, 15.4e-6])
    assert node.base.repository.get_object_content("measured.csv") == TEXT


def test_the_same_content_is_stored_once_whatever_its_name(run: Run) -> None:
    Path("a.csv").write_text(WIRE)
    Path("b.csv").write_text(WIRE)
    first = imported(run, "a.csv", "b.csv", "--device", "A")
    assert [one["stored"] for one in first["files"]] == [True]
    again = imported(run, "b.csv")
    assert [(one["uuid"], one["stored"]) for one in again["files"]] == [(first["files"][0]["uuid"], False)]
    assert "b.csv: was there as" in run("import", "b.csv", "--device", "A").output
    assert len(nodes()) == 1


@pytest.mark.parametrize("how", [("--device", "B"), ("--cycle", 2)])
def test_the_same_content_read_in_another_way_is_refused(run: Run, how: tuple[object, ...]) -> None:
    Path("a.csv").write_text(WIRE)
    run("import", "a.csv", "--device", "A", "--cycle", 1)
    said = run("import", "a.csv", *how, status=1).output
    assert said.startswith("Error: a.csv: file = one that is there as <")
    assert "of device 'A' from cycle 1 on" in said
    assert said.count("\n") == 1
    assert len(nodes()) == 1


def test_several_files_are_cycles_that_are_numbered_on(run: Run) -> None:
    for place in range(3):
        Path(f"{place}.csv").write_text(f"{WIRE}{place}\n")
    run("import", "0.csv", "1.csv", "2.csv", "--device", "A", "--cycle", 5)
    assert [node.trace().cycle[0] for node in nodes()] == [5, 6, 7]


def test_all_files_are_stored_or_none(run: Run) -> None:
    Path("good.csv").write_text(WIRE)
    Path("bad.csv").write_text("conductance_G0\n1\nNaN\n,\ninf\nx\n\x1b[31m\n7\n")
    said = run("import", "good.csv", "bad.csv", status=1).output
    assert said.count("\n") == 1
    assert said.startswith(
        "Error: bad.csv: lines = 5 of 7 of bad.csv cannot be read: line 3: conductance_G0 is 'NaN'"
    )
    assert "\x1b" not in said
    assert said.endswith("have them left out (--skip-bad-lines); nothing was stored\n")
    assert nodes() == []
    said = run("import", "good.csv", "bad.csv", "--skip-bad-lines").output
    assert "5 lines left out" in said
    # they were left out before: the same file is the same node
    assert imported(run, "bad.csv")["files"][0]["stored"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time_s,temperature_K\n1,2\n", "columns = 'time_s', 'temperature_K': must be a conductance"),
        ("voltage_V,current\n1,2\n", "column 'current' = no unit: must be a current in one of A, mA"),
        ("conductance_F\n1\n", "unit 'F'"),
        ("conductance_G0\n", "holds one, none is there: must be at least one; check the file; nothing was stored"),
        ("", "with a line that names the columns"),
    ],
)
def test_wrong_columns_and_units_are_one_line(run: Run, text: str, words: str) -> None:
    Path("bad.csv").write_text(text)
    said = run("import", "bad.csv", status=1).output
    assert said.startswith("Error: bad.csv: ")
    assert words in said
    assert said.count("\n") == 1


def test_files_that_are_none_are_one_line(run: Run) -> None:
    Path("folder").mkdir()
    for name in ("nowhere.csv", "folder", "two\nlines.csv"):
        said = run("import", name, status=1).output
        assert "a file that exists" in said
        assert said.count("\n") == 1


def test_a_series_resistance_is_taken_off_once(run: Run) -> None:
    Path("wire.csv").write_text(WIRE)
    found = imported(run, "wire.csv", "--series-resistance", 500)
    raw, corrected = nodes()
    assert [(one["uuid"], one["of_uuid"], one["stored"]) for one in found["corrected"]] == [
        (corrected.uuid, raw.uuid, True)
    ]
    wanted = without_series_resistance([1.0, 2.0, 3.5], 500)
    assert corrected.trace().conductance_g0.tolist() == wanted.tolist()
    assert corrected.base.attributes.get("series_resistance_ohm") == 500
    assert corrected.creator.inputs.measured.uuid == raw.uuid
    assert corrected.creator.process_type == "aiida.calculations:rewire.subtract_series_resistance"
    again = imported(run, "wire.csv", "--series-resistance", 500)
    assert [(one["uuid"], one["stored"]) for one in again["corrected"]] == [(corrected.uuid, False)]
    assert len(nodes()) == 2
    run("import", "wire.csv", "--series-resistance", 400)
    assert len(nodes()) == 3


def test_a_resistance_that_makes_points_negative_is_refused_with_their_number(run: Run) -> None:
    Path("wire.csv").write_text(WIRE)
    said = run("import", "wire.csv", "--series-resistance", 7000, status=1).output
    assert said.startswith("Error: wire.csv: --series-resistance = 7000 ohm, which makes 2 of 3 points negative")
    assert said.count("\n") == 1
    assert nodes() == []
    said = run("import", "wire.csv", "--series-resistance", -1, status=1).output
    assert "must be 0 or more" in said


def write_cycles(path: Path, first: int, resistance_ohm: float, column: bool = True) -> None:
    """Ten cycles of plateaus at the first three quanta, behind a resistance."""
    rng = np.random.default_rng(first)
    lines = ["cycle,conductance_G0" if column else "conductance_G0"]
    for cycle in range(first, first + 10):
        junction = np.repeat([1.0, 2.0, 3.0] * np.exp(rng.normal(0, 0.01, 3)), 300) + rng.normal(0, 0.06, 900)
        behind = (1 / (1 / junction + resistance_ohm * 7.748091729e-5)).tolist()
        lines += [f"{cycle},{g:.6g}" if column else f"{g:.6g}" for g in behind]
    path.write_text("\n".join(lines))


def test_a_resistance_is_fitted_over_all_files_with_its_error(run: Run) -> None:
    write_cycles(Path("a.csv"), 0, 300)
    write_cycles(Path("b.csv"), 10, 300)
    arguments = ("a.csv", "b.csv", "--device", "A", "--fit-series-resistance")
    found = imported(run, *arguments)
    fit = found["fit"]
    assert abs(fit["ohm"] - 300) < 4 * fit["error_ohm"]
    assert (fit["cycles"], fit["multiples"]) == (20, [1, 2, 3])
    assert [one["series_resistance_ohm"] for one in found["corrected"]] == [fit["ohm"]] * 2
    corrected = orm.load_node(found["corrected"][1]["uuid"])
    assert corrected.base.attributes.get("series_resistance_error_ohm") == fit["error_ohm"]
    assert corrected.creator.inputs.fit.uuid == fit["uuid"]
    sources = [link.node.uuid for link in corrected.creator.inputs.fit.creator.base.links.get_incoming().all()]
    assert sorted(sources) == sorted(one["uuid"] for one in found["files"])
    again = imported(run, *arguments)
    assert again["fit"]["uuid"] == fit["uuid"]
    assert not any(one["stored"] for one in [*again["files"], *again["corrected"]])
    said = run("import", *arguments).output
    assert f"R = {fit['ohm']:.4g} +- {fit['error_ohm']:.2g} ohm puts peaks of 20 cycles at multiples of G0" in said
    other = imported(run, *arguments, "--multiples", "2,4,6")
    assert other["fit"]["multiples"] == [2, 4, 6]
    assert other["fit"]["ohm"] > 1000


def test_what_cannot_be_fitted_says_why_and_keeps_the_points(run: Run) -> None:
    write_cycles(Path("a.csv"), 0, 300, column=False)
    said = run("import", "a.csv", "--fit-series-resistance", status=1).output
    assert said.startswith("Error: cycles = 1: must be at least 2")
    assert said.endswith("the points are stored as they were measured\n")
    assert said.count("\n") == 1
    assert len(nodes()) == 1


def test_a_fit_is_of_one_device(run: Run) -> None:
    Path("a.csv").write_text("device,conductance_G0\nA,1\nB,2\n")
    said = run("import", "a.csv", "--fit-series-resistance", status=1).output
    assert "devices = devices 'A', 'B': must be one for a fit" in said
    assert nodes() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.csv", "--series-resistance", 1, "--fit-series-resistance"), "give one of them"),
        (("a.csv", "--multiples", "1,2"), "--multiples goes with"),
        (("a.csv", "--fit-series-resistance", "--multiples", "1;2"), "must be whole numbers"),
        ((), "Missing argument"),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Run, arguments: tuple[object, ...], words: str) -> None:
    Path("a.csv").write_text(WIRE)
    assert words in run("import", *arguments, status=2).output
    assert nodes() == []
