"""`aiida-rewire measured list`, `show`, `plot`, `histogram`: what they find, draw, write and refuse."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.tools import delete_nodes
from click.testing import Result
from matplotlib.figure import Figure
from tests.campaign.made_conductances import make_conductance
from tests.cli.invoking import invoke

from aiida_rewire.cli.main import main
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.measured import MeasuredTraceData
from aiida_rewire.trace.measured import read_measured
from aiida_rewire.workflows.functions.measured import subtract_series_resistance

Run = Callable[..., Result]
PLATEAUS = (1.0, 2.0, 3.0)
HOSTILE = "[red]\x1b[31m$a_{b}$\n<script>"


def sweeps(path: Path) -> Path:
    """Three cycles of a device: the voltage goes up, and the conductance with it from plateau to plateau."""
    rng = np.random.default_rng(0)
    lines = ["time_ms,voltage_mV,current_uA,cycle"]
    for cycle in (1, 2, 3):
        voltage = np.linspace(0, 300, 301)
        quanta = np.repeat(PLATEAUS, 101)[:301] + rng.normal(0, 0.05, 301)
        current = 1e-3 * voltage * quanta * 77.48091729
        times = np.arange(301) + 400 * cycle
        lines += [f"{t},{v:g},{i:.9g},{cycle}" for t, v, i in zip(times, voltage, current, strict=True)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def nodes(aiida_profile: object, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Sweeps, the same without 100 ohm, a trace of a device of a hostile name, and conductances of two chains."""
    for kind in (MeasuredTraceData, ConductanceData):
        delete_nodes(orm.QueryBuilder().append(kind, project="id").all(flat=True), dry_run=False)
    folder = tmp_path_factory.mktemp("measured")
    raw = MeasuredTraceData.from_file(sweeps(folder / "sweeps.csv"), device="A").store()
    corrected, _ = run_get_node(subtract_series_resistance, measured=raw, resistance_ohm=orm.Float(100))
    (folder / "other.csv").write_text("conductance_G0\n0.5\n0.6\n")
    other = MeasuredTraceData.from_file(folder / "other.csv", device=HOSTILE).store()
    for place, transmission in enumerate((0.001, 0.98, 1.02, 2.1)):
        make_conductance("silver", "8V-s1", place, transmission)
    make_conductance("silver", "8V-s2", 0, 1.01)
    make_conductance("other", "2V-s1", 0, 5.0, protocol="paper")
    return {"raw": raw, "corrected": corrected, "other": other}


@pytest.fixture
def run(nodes: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "measured")


def test_the_list_begins_with_the_newest(run: Run, nodes: dict[str, Any]) -> None:
    rows = json.loads(run("list", "--json").stdout)["measurements"]
    assert [row["uuid"] for row in rows] == [nodes[name].uuid for name in ("other", "corrected", "raw")]
    _, corrected, raw = rows
    assert (raw["filename"], raw["devices"], raw["n_cycles"], raw["n_points"]) == ("sweeps.csv", ["A"], 3, 903)
    assert (raw["series_resistance_ohm"], raw["measured_as"]) == (None, None)
    assert (corrected["series_resistance_ohm"], corrected["measured_as"]) == (100.0, nodes["raw"].uuid)
    said = run("list").stdout
    assert f"from <{nodes['raw'].pk}>" in said
    assert "\x1b" not in said
    assert len(said.splitlines()) == 4
    assert [
        row["uuid"] for row in csv.DictReader(run("list", "--device", "A", "--csv", "-").stdout.splitlines())
    ] == [
        nodes["corrected"].uuid,
        nodes["raw"].uuid,
    ]
    assert "nothing measured" in run("list", "--device", "Z").stdout


def test_show_says_what_each_cycle_spans(run: Run, nodes: dict[str, Any]) -> None:
    shown = json.loads(run("show", nodes["raw"].uuid[:13], "--json").stdout)
    assert shown["sha256"] == nodes["raw"].base.attributes.get("sha256")
    assert [row["cycle"] for row in shown["cycles"]] == [1, 2, 3]
    first = shown["cycles"][0]
    assert (first["points"], first["undefined"]) == (301, 1)
    assert (first["first_s"], first["last_s"]) == pytest.approx((0.4, 0.7))
    assert (first["lowest_v"], first["highest_v"]) == pytest.approx((0.0, 0.3))
    assert first["median_g0"] == pytest.approx(2, abs=0.1)
    said = run("show", nodes["raw"].pk).stdout
    assert "filename: sweeps.csv" in said
    assert ">" not in said.splitlines()[-4]
    said = run("show", nodes["other"].pk).stdout
    assert "\x1b" not in said
    assert "from (s)" not in said


@pytest.mark.parametrize("name", ["show", "plot"])
@pytest.mark.parametrize("identifier", ["999999", "nobody", "../x", "x\ny", "ffffffff", "9" * 30])
def test_what_is_no_measurement_is_one_line(run: Run, name: str, identifier: str) -> None:
    said = run(name, identifier, status=1).output
    assert said.startswith(f"Error: identifier = {identifier!r}: must be that of measured points")
    assert said.count("\n") == 1


def test_another_kind_of_node_is_refused(run: Run) -> None:
    node = orm.Int(1).store()
    assert "of type Int: must be that of measured points" in run("show", node.pk, status=1).output


def test_a_sweep_is_drawn_as_current_against_voltage(run: Run, nodes: dict[str, Any], drawn: list[Figure]) -> None:
    run("plot", nodes["raw"].pk, "-o", "iv.svg")
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("voltage (mV)", "current (µA)")
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 2]
    assert [line.get_label() for line in lines] == ["cycle 1", "cycle 2", "cycle 3"]
    trace = nodes["raw"].trace()
    assert np.allclose(lines[1].get_xdata(), 1e3 * trace.voltage_v[trace.cycle == 2])
    assert np.allclose(lines[1].get_ydata(), 1e6 * trace.current_a[trace.cycle == 2])
    assert drawn[0].get_size_inches()[0] == pytest.approx(89 / 25.4)
    caption = Path("iv.caption.md").read_text()
    for words in (nodes["raw"].uuid, "sweeps.csv, SHA-256", "903 points of 3 cycles", "aiida-rewire", "matplotlib"):
        assert words in caption
    assert f"measured plot {nodes['raw'].pk} --output" in caption


def test_conductance_is_drawn_against_time_with_gaps(run: Run, nodes: dict[str, Any], drawn: list[Figure]) -> None:
    run(
        "plot",
        nodes["corrected"].pk,
        "--against",
        "time",
        "--cycle",
        2,
        "--cycle",
        3,
        "-o",
        "gt.png",
        "--csv",
        "p.csv",
    )
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "conductance (G$_0$)")
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 2]
    assert [line.get_label() for line in lines] == ["cycle 2", "cycle 3"]
    trace = nodes["corrected"].trace()
    assert np.array_equal(lines[0].get_ydata(), trace.conductance_g0[trace.cycle == 2], equal_nan=True)
    assert np.isnan(lines[0].get_ydata()[0])
    assert "series resistance of 100 ohm was taken off" in Path("gt.caption.md").read_text()
    # the points are read back as they are, and what is missing is a bad line
    back = read_measured(Path("p.csv"), skip_bad_lines=True)
    there = np.isin(trace.cycle, (2, 3)) & np.isfinite(trace.conductance_g0)
    assert np.array_equal(back.conductance_g0, trace.conductance_g0[there])
    assert np.array_equal(back.cycle, trace.cycle[there])
    assert back.devices == ("A",)


def test_points_without_a_time_have_a_number(run: Run, nodes: dict[str, Any], drawn: list[Figure]) -> None:
    run("plot", nodes["other"].pk, "-o", "t.pdf")
    axes = drawn[0].axes[0]
    assert axes.get_xlabel() == "point"
    assert [line.get_ydata().tolist() for line in axes.get_lines()] == [[0.5, 0.6]]
    assert "\x1b" not in Path("t.caption.md").read_text()
    said = run("plot", nodes["other"].pk, "--against", "voltage", "-o", "u.pdf", status=1).output
    assert "quantities = the conductance alone: must be voltage and current for I(V)" in said


def test_many_cycles_have_a_scale_instead_of_names(run: Run, tmp_path: Path, drawn: list[Figure]) -> None:
    lines = ["cycle,conductance_G0", *(f"{cycle},{cycle + 0.1 * place}" for cycle in range(9) for place in range(3))]
    Path("many.csv").write_text("\n".join(lines))
    node = MeasuredTraceData.from_file(Path("many.csv")).store()
    try:
        run("plot", node.pk, "-o", "m.png")
    finally:
        delete_nodes([node.pk], dry_run=False)
    axes, scale = (one for one in drawn[0].axes if one.get_label() in ("", "<colorbar>"))
    assert axes.get_legend() is None
    assert scale.get_xlabel() == "cycle"
    colours = {tuple(line.get_color()) for line in axes.get_lines() if len(line.get_xdata()) == 3}
    assert len(colours) == 9


def test_a_cycle_that_is_not_there_says_which_are(run: Run, nodes: dict[str, Any]) -> None:
    said = run("plot", nodes["raw"].pk, "--device", "B", "--cycle", 7, status=1).output
    assert said == (
        "Error: points = none of device 'B', cycle 7: must be at least one; "
        "there are cycles from 1 to 3 of device 'A'\n"
    )


def test_measured_points_are_counted_cycle_by_cycle(run: Run, nodes: dict[str, Any]) -> None:
    found = json.loads(run("histogram", nodes["raw"].pk, "--json").stdout)
    wanted = nodes["raw"].trace().conductance_g0
    counts = np.histogram(wanted[np.isfinite(wanted)], np.array(found["edges_g0"]))[0]
    assert found["measured"]["points"] == counts.tolist()
    assert sum(found["measured"]["points"]) == 900
    assert (found["measured"]["parts"], found["measured"]["undefined"]) == (3, 3)
    assert sum(found["measured"]["density"]) * 0.05 == pytest.approx(1)
    assert [peak["position_g0"] for peak in found["peaks"]] == pytest.approx(PLATEAUS, abs=0.02)
    assert found["computed"] is None


def test_computed_ones_stand_on_the_same_axis(run: Run, nodes: dict[str, Any], drawn: list[Figure]) -> None:
    run("histogram", nodes["raw"].pk, "--campaign", "silver", "--range", 0, 4, "-o", "h.svg", "--csv", "h.csv")
    rows = list(csv.DictReader(Path("h.csv").read_text().splitlines()))
    computed = [int(row["computed_points"]) for row in rows]
    assert len(rows) == 80
    assert sum(computed) == 5
    assert [place for place, count in enumerate(computed) if count] == [0, 19, 20, 42]
    measured = np.array([float(row["measured_density_per_G0"]) for row in rows])
    axes = drawn[0].axes[0]
    outlines = [patch.get_data().values for patch in axes.patches]
    assert np.allclose(outlines[0], measured)
    assert np.allclose(outlines[-1], [float(row["computed_density_per_G0"]) for row in rows])
    assert sum(float(row["computed_density_per_G0"]) for row in rows) * 0.05 == pytest.approx(1)
    assert axes.get_xlim() == (0, 4)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured", "computed"]
    caption = Path("h.caption.md").read_text()
    for words in ("its integral over this range is 1", nodes["raw"].uuid, "silver", "5 conductances of 2 chains"):
        assert words in caption
    assert all(
        node in caption
        for node in json.loads(run("histogram", "--campaign", "silver", "--json").stdout)["computed"]["nodes"]
    )


def test_all_as_measured_or_all_corrected_are_counted(run: Run, nodes: dict[str, Any]) -> None:
    both = json.loads(run("histogram", "--json").stdout)["measured"]["nodes"]
    assert both == [nodes["raw"].uuid, nodes["other"].uuid]
    left = json.loads(run("histogram", "--corrected", "--json").stdout)
    assert left["measured"]["nodes"] == [nodes["corrected"].uuid]
    # 100 ohm less: the third quantum was measured lower than it is
    assert left["peaks"][2]["position_g0"] == pytest.approx(1 / (1 / 3 - 100 * 7.748e-5), abs=0.02)
    assert json.loads(run("histogram", "--device", "A", "--json").stdout)["measured"]["nodes"] == [nodes["raw"].uuid]


def test_logarithmic_bins_are_counted_by_decade(run: Run, nodes: dict[str, Any], drawn: list[Figure]) -> None:
    run("histogram", nodes["raw"].pk, "--log", 20, "--campaign", "silver", "-o", "h.png")
    axes = drawn[0].axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "density (per decade)"
    assert axes.get_xlim() == pytest.approx((1e-4, 10))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bin", 0.3), "--bin = 0.3 G0 from 0 to 10 G0: 33.33333 bins: must be so that a whole number of bins"),
        (("--bin", 0), "--bin = 0.0 G0: must be positive"),
        (("--log", 0), "--log = 0: must be at least 1"),
        (("--range", 3, 1), "--range = from 3.0 to 1.0 G0: must be finite, the lower end below the upper"),
        (("--range", 8, 10), "points = none from 8 to 10 G0"),
        (("--log", 20, "--range", 0, 10), "--range = 0.0 G0: must be positive for a logarithm"),
        (("--device", "Z"), "there are 2 as measured and 1 without a series resistance, of devices"),
        (("--campaign", "silvre"), "there is silver"),
        (("--protocol", "paper", "--range", 0, 4), "points = none from 0 to 4 G0"),
        (("--between", 0, 9), "must be one, for their conductances are not alike"),
    ],
)
def test_what_cannot_be_counted_is_one_line(run: Run, arguments: tuple[object, ...], words: str) -> None:
    said = run("histogram", *arguments, status=1).output
    assert words in said
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_no_point_counts_twice(run: Run, nodes: dict[str, Any]) -> None:
    said = run("histogram", nodes["raw"].pk, nodes["corrected"].pk, status=1).output
    assert f"<{nodes['raw'].pk}> and <{nodes['corrected'].pk}>, of the same points" in said
    assert "name those that are to count" in said
    assert said.count("\n") == 1


def test_files_are_replaced_only_on_demand(run: Run, nodes: dict[str, Any]) -> None:
    Path("h.png").write_text("mine")
    assert "must be new" in run("histogram", "-o", "h.png", status=1).output
    assert Path("h.png").read_text() == "mine"
    run("histogram", "-o", "h.png", "--force")
    assert Path("h.png").read_bytes().startswith(b"\x89PNG")
