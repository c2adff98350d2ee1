"""`verdi data rewire.conductance`: what it finds, what it writes, what it refuses."""

import csv
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from aiida import orm
from aiida.plugins.entry_point import load_entry_point
from aiida.tools import delete_nodes
from click.testing import Result
from matplotlib.image import imread
from tests.cli.invoking import invoke

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.transport.spectrum import UNITS

Run = Callable[..., Result]


def conductance(fermi: float, labels: dict[str, Any], **changes: Any) -> ConductanceData:
    """A stored conductance of two energies and two k-points, ``fermi`` G0 at E_F."""
    arrays = {
        "energies": np.array([0.1, 0.0]),
        "transmission": np.array([[1 / 3, 2.0], [fermi, fermi]]),
        "kpoints": np.array([[0.1, 1 / 3], [0.3, -0.1]]),
        "weights": np.array([1.0, 2.0]),
        "channels": np.array([[3, 3], [5, 4]]),
        "unitarity": np.array([[0.0, 1e-5], [2e-4, 0.0]]),
    }
    return ConductanceData.from_transmission(**{**arrays, **changes}, labels=labels).store()


@pytest.fixture
def run(aiida_profile: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, on a database without conductances."""
    # a clean profile would close the storage under the nodes that other tests keep
    delete_nodes(orm.QueryBuilder().append(ConductanceData, project="id").all(flat=True), dry_run=False)
    monkeypatch.chdir(tmp_path)
    command = load_entry_point("aiida.cmdline.data", "rewire.conductance")
    return partial(invoke, command)


@pytest.fixture
def three(run: Run) -> list[ConductanceData]:
    """Two of one chain, one of another."""
    return [
        conductance(0.002, {"chain": "7", "voltage_v": 2.0, "stage": "gap", "min_cut": 0}),
        conductance(1.05, {"chain": "7", "voltage_v": 2.0, "stage": "contact", "min_cut": 1}),
        conductance(3.5, {"chain": "b", "voltage_v": 8.0, "stage": "growth", "min_cut": 3}),
    ]


@pytest.fixture
def rich_one(run: Run) -> ConductanceData:
    """One with everything that may be known, and without a conductance."""
    transmission = np.array([[1.0, 0.5], [0.2, 0.3]])
    tops = np.array([[[0.9, 0.1], [0.5, math.nan]], [[0.2, math.nan], [0.3, math.nan]]])
    return conductance(
        0.0,
        {"chain": "c", "tags": ["a", {"b": None}], "good": True, "note": None},
        energies=np.array([1.0, 0.25]),
        transmission=transmission,
        eigenchannels=tops,
        numerics=np.array([[0, 1], [0, 0]]),
        ladder=[{}, {"ewind": 4.0}],
        potential_mismatch_ev=0.004,
    )


def found(result: Result) -> list[str]:
    return [row["uuid"] for row in json.loads(result.stdout)]


def test_verdi_reaches_the_command() -> None:
    from aiida.cmdline.commands.cmd_verdi import verdi

    said = invoke(verdi, "data", "rewire.conductance", "--help").output
    for name in ("list", "show", "plot", "export"):
        assert name in said


def test_the_list_begins_with_the_newest(run: Run, three: list[ConductanceData]) -> None:
    orm.ArrayData(np.array([1.0])).store()
    rows = json.loads(run("list", "--json").stdout)
    assert [row["uuid"] for row in rows] == [node.uuid for node in reversed(three)]
    newest = rows[0]
    assert newest["pk"] == three[2].pk
    assert newest["conductance_g0"] == pytest.approx(3.5)
    assert newest["unitarity_max"] == pytest.approx(2e-4)
    assert (newest["n_energies"], newest["n_kpoints"]) == (2, 2)
    assert (newest["chain"], newest["voltage_v"], newest["stage"], newest["time_ps"]) == ("b", 8.0, "growth", None)
    assert found(run("list", "--limit", 2, "--json")) == [three[2].uuid, three[1].uuid]


def test_the_list_is_narrowed_by_conductance(run: Run, three: list[ConductanceData], rich_one: object) -> None:
    assert found(run("list", "--between", 0.8, 1.2, "--json")) == [three[1].uuid]
    assert found(run("list", "--between", 1.05, 3.5, "--json")) == [three[2].uuid, three[1].uuid]
    assert found(run("list", "--between", 4, 5, "--json")) == []
    # the one without a conductance is between no bounds
    assert len(found(run("list", "--json"))) == 4
    assert len(found(run("list", "--between", -1, 99, "--json"))) == 3


def test_the_list_is_narrowed_by_labels(run: Run, three: list[ConductanceData], rich_one: ConductanceData) -> None:
    first, second, third = (node.uuid for node in three)
    assert found(run("list", "--label", "stage=contact", "--json")) == [second]
    assert found(run("list", "--label", "voltage_v=2", "--json")) == [second, first]
    assert found(run("list", "--label", "min_cut=3", "--json")) == [third]
    # the name of the chain is a text, though it looks like a number
    assert found(run("list", "--label", "chain=7", "--label", "min_cut=0", "--json")) == [first]
    assert found(run("list", "--label", "chain=7", "--between", 1, 9, "--json")) == [second]
    assert found(run("list", "--label", "good=true", "--json")) == [rich_one.uuid]
    for nothing in ("chain=x", "unknown=7", "chain=", "chain=NaN", "chain=1e999"):
        assert found(run("list", "--label", nothing, "--json")) == []


def test_the_table_shows_the_labels_that_are_there(run: Run, three: list[ConductanceData]) -> None:
    said = run("list").stdout
    heads, *rows = (line for line in said.splitlines() if "│" in line or "┃" in line)
    assert [head.strip() for head in heads.strip("┃").split("┃")] == [
        *("pk", "uuid", "created", "G (G0)", "unitarity", "energies", "k-points"),
        *("chain", "voltage (V)", "stage"),
    ]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert [[row[0], row[1], *row[3:]] for row in cells] == [
        [str(three[2].pk), three[2].uuid[:8], "3.5000", "2.0e-04", "2", "2", "b", "8.0", "growth"],
        [str(three[1].pk), three[1].uuid[:8], "1.0500", "2.0e-04", "2", "2", "7", "2.0", "contact"],
        [str(three[0].pk), three[0].uuid[:8], "0.0020", "2.0e-04", "2", "2", "7", "2.0", "gap"],
    ]


def test_texts_of_labels_are_no_markup(run: Run) -> None:
    node = conductance(1.0, {"chain": "[red]tip[/red]", "note": "[/] \\"})
    assert "[red]tip[/red]" in run("list").stdout
    said = run("show", node.pk).stdout
    assert "[red]tip[/red]" in said
    assert "[/] \\" in said


def test_what_is_piped_is_not_cut(run: Run) -> None:
    node = conductance(1.0, {"chain": "x" * 300})
    assert "x" * 300 in run("list").stdout
    assert "x" * 300 in run("show", node.uuid).stdout


def test_nothing_there_is_an_empty_list(run: Run) -> None:
    assert json.loads(run("list", "--json").stdout) == []
    assert "G (G0)" in run("list").stdout


def test_show_gives_attributes_and_spectrum(run: Run, three: list[ConductanceData]) -> None:
    node = three[1]
    shown = json.loads(run("show", node.uuid, "--json").stdout)
    assert (shown["pk"], shown["uuid"]) == (node.pk, node.uuid)
    assert shown["attributes"] == {k: v for k, v in node.base.attributes.all.items() if "|" not in k}
    first, second = shown["spectrum"]
    # (1 * 1/3 + 2 * 2) / 3
    assert first == pytest.approx({"energy_ev": 0.1, "transmission": 13 / 9, "unitarity": 1e-5})
    assert second == pytest.approx({"energy_ev": 0.0, "transmission": 1.05, "unitarity": 2e-4})
    said = run("show", node.pk).stdout
    for words in ("contact", "1.444444", "1.050000", node.uuid):
        assert words in said


def test_one_without_a_conductance_is_shown_and_listed(run: Run, rich_one: ConductanceData) -> None:
    assert json.loads(run("list", "--json").stdout)[0]["conductance_g0"] is None
    assert "│ -" in run("list").stdout
    conductance(0.0, {})
    assert "│ 0.0000" in run("list").stdout
    attributes = json.loads(run("show", rich_one.pk, "--json").stdout)["attributes"]
    assert "conductance_g0" not in attributes
    assert attributes["ladder"] == [{}, {"ewind": 4.0}]


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("SVG", b"<?xml")])
def test_the_picture_is_of_the_format_of_its_name(
    run: Run, three: list[ConductanceData], ending: str, magic: bytes, tmp_path: Path
) -> None:
    run("plot", three[0].uuid, "--output", f"t.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"t.{ending}"]
    content = (tmp_path / f"t.{ending}").read_bytes()
    assert content.startswith(magic)
    if ending == "png":
        assert imread(tmp_path / "t.png")[..., :3].std() > 0.01


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_a_csv_file_holds_every_number(run: Run, three: list[ConductanceData], tmp_path: Path) -> None:
    node = three[1]
    run("export", node.pk, "--format", "csv", "--output", "t.csv")
    text = (tmp_path / "t.csv").read_text()
    assert run("export", node.pk, "--format", "csv").stdout == text
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert header[0] == f"# uuid: {node.uuid}, conductance: 1.05 G0"
    assert "77.480917 microsiemens" in header[1]
    assert "eV" in header[2]
    rows = csv_rows(text)
    assert list(rows[0]) == ["energy_ev", "kx", "ky", "weight", "transmission", "channels", "unitarity"]
    grids = (node.transmission_k, node.channels, node.unitarity)
    expected = [
        [node.energies[e], *node.kpoints[k], node.weights[k], *(grid[e, k] for grid in grids)]
        for e in (0, 1)
        for k in (0, 1)
    ]
    # to the last digit
    assert [[float(value) for value in row.values()] for row in rows] == expected
    assert [row["channels"] for row in rows] == ["3", "3", "5", "4"]


def test_several_in_a_csv_file_are_told_apart(run: Run, three: list[ConductanceData], rich_one: object) -> None:
    uuids = [three[2].uuid, three[0].uuid]
    text = run("export", *uuids, three[2].pk, "--format", "csv").stdout
    rows = csv_rows(text)
    assert [row["uuid"] for row in rows] == [uuid for uuid in uuids for _ in range(4)]
    assert [float(row["transmission"]) for row in rows][2:4] == [3.5, 3.5]
    assert [line for line in text.splitlines() if "uuid:" in line] == [
        f"# uuid: {uuids[0]}, conductance: 3.5 G0",
        f"# uuid: {uuids[1]}, conductance: 0.002 G0",
    ]


def test_a_csv_file_says_where_there_is_no_conductance(run: Run, rich_one: ConductanceData) -> None:
    first = run("export", rich_one.pk, "--format", "csv").stdout.splitlines()[0]
    assert first == f"# uuid: {rich_one.uuid}, conductance: not computed at E_F"
    none = conductance(0.0, {})
    assert run("export", none.pk, "--format", "csv").stdout.startswith(f"# uuid: {none.uuid}, conductance: 0.0 G0\n")


def attributes_of(node: ConductanceData) -> dict[str, Any]:
    return {key: value for key, value in node.base.attributes.all.items() if not key.startswith("array|")}


def compare_json(content: dict[str, Any], node: ConductanceData) -> None:
    assert content["uuid"] == node.uuid
    assert content["created"] == node.ctime.isoformat()
    assert content["attributes"] == attributes_of(node)
    assert sorted(content["arrays"]) == sorted(node.get_arraynames())
    assert content["units"] == {name: UNITS[name] for name in node.get_arraynames()}
    for name, values in content["arrays"].items():
        assert np.array_equal(np.array(values, dtype=float), node.get_array(name), equal_nan=True)


def test_json_holds_everything(run: Run, rich_one: ConductanceData, tmp_path: Path) -> None:
    run("export", rich_one.uuid, "--format", "json", "--output", "t.json")
    text = (tmp_path / "t.json").read_text()
    assert "NaN" not in text
    content = json.loads(text)
    compare_json(content, rich_one)
    assert content["arrays"]["eigenchannels"][1] == [[0.2, None], [0.3, None]]
    assert content["units"]["energies"] == "eV"


def test_several_in_json_are_a_list(run: Run, three: list[ConductanceData]) -> None:
    contents = json.loads(run("export", *(node.pk for node in three), "--format", "json").stdout)
    for content, node in zip(contents, three, strict=True):
        compare_json(content, node)


def compare_hdf5(group: Any, node: ConductanceData) -> None:
    assert sorted(group) == sorted(node.get_arraynames())
    for name in group:
        assert np.array_equal(group[name][()], node.get_array(name), equal_nan=True)
        assert group[name].dtype == node.get_array(name).dtype
        assert group[name].attrs["units"] == UNITS[name]
    assert group.attrs["uuid"] == node.uuid
    assert group.attrs["created"] == node.ctime.isoformat()
    for key, value in attributes_of(node).items():
        held = group.attrs[key]
        assert (json.loads(held) if value is None or isinstance(value, (list, dict)) else held) == value
    assert set(group.attrs) == {"uuid", "created", *attributes_of(node)}


def test_hdf5_holds_everything(run: Run, rich_one: ConductanceData, tmp_path: Path) -> None:
    run("export", rich_one.uuid, "--format", "hdf5", "--output", "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        compare_hdf5(file, rich_one)
        assert file["energies"].attrs["units"] == "eV"


def test_several_in_hdf5_are_groups(run: Run, three: list[ConductanceData], tmp_path: Path) -> None:
    run("export", *(node.pk for node in three), "--format", "hdf5", "--output", "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        assert sorted(file) == sorted(node.uuid for node in three)
        for node in three:
            compare_hdf5(file[node.uuid], node)


@pytest.mark.parametrize(
    "command",
    [
        ("plot", "--output", "there.png"),
        ("export", "--format", "csv", "--output", "there.png"),
        ("export", "--format", "json", "--output", "there.png"),
        ("export", "--format", "hdf5", "--output", "there.png"),
    ],
)
def test_a_file_is_replaced_only_on_demand(
    run: Run, three: list[ConductanceData], command: tuple[str, ...], tmp_path: Path
) -> None:
    there = tmp_path / "there.png"
    there.write_text("mine")
    refused = run(command[0], three[0].pk, *command[1:], status=1)
    assert refused.output == (
        "Error: there.png = a file that is there: must be new; give --overwrite or another name\n"
    )
    assert there.read_text() == "mine"
    run(command[0], three[0].pk, *command[1:], "--overwrite")
    assert there.read_bytes() != b"mine"
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize("command", [("plot",), ("export", "--format", "csv"), ("export", "--format", "hdf5")])
def test_a_folder_that_is_not_there_is_one_line(run: Run, three: list[ConductanceData], command: Any) -> None:
    said = run(command[0], three[0].pk, *command[1:], "--output", "nowhere/t.png", status=1).output
    assert said.startswith("Error: nowhere/t.png: ")
    assert said.count("\n") == 1


def test_what_is_no_conductance_is_refused(run: Run, three: list[ConductanceData]) -> None:
    other = orm.ArrayData(np.array([1.0])).store()
    for command in (["show"], ["plot", "--output", "t.png"], ["export", "--format", "csv"]):
        for identifier in (other.pk, 99999, "no-such-label", three[0].uuid[:-1] + "x"):
            said = run(*command, identifier, status=2).output
            assert "Invalid value" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--between", 2, 1], "2 1: the first must not be above the second"),
        (["list", "--between", "nan", 1], "the first must not be above the second"),
        (["list", "--between", 1], "requires 2 arguments"),
        (["list", "--label", "stage"], "stage: must be KEY=VALUE"),
        (["list", "--label", "=x"], "=x: must be KEY=VALUE"),
        (["list", "--limit", 0], "0 is not in the range"),
        (["plot", "PK", "--output", "t.jpg"], "t.jpg: must end in .pdf, .png, .svg"),
        (["plot", "PK"], "Missing option '--output'"),
        (["export", "PK", "--format", "xml"], "'xml' is not one of 'csv', 'json', 'hdf5'"),
        (["export", "PK", "--format", "hdf5"], "--format hdf5 needs --output"),
        (["export", "--format", "csv"], "Missing argument"),
    ],
)
def test_wrong_options_are_explained(
    run: Run, three: list[ConductanceData], arguments: list[object], words: str
) -> None:
    said = run(*(three[0].pk if word == "PK" else word for word in arguments), status=2)
    assert words in said.stderr.splitlines()[-1]


def test_a_file_that_did_not_get_whole_is_not_left(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = conductance(1.0, {})

    def disk_full(_: object, path: Path, **kwargs: object) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", disk_full)
    said = run("plot", node.pk, "--output", "t.png", status=1).output
    assert said == "Error: t.png: No space left on device; choose another place\n"
    assert list(tmp_path.iterdir()) == []
