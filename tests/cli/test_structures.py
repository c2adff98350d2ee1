"""`aiida-rewire structures`: junctions are found by T and bonds, drawn, and read back from their files."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from aiida import orm
from aiida.tools import delete_nodes
from ase import Atoms
from ase.io import read
from click.testing import Result
from matplotlib.figure import Figure
from tests.cli.invoking import invoke
from tests.database.junction_provenance import conductance, in_one_job, in_separate_jobs, structure, taken_over

from aiida_rewire.cli.main import main
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111

Run = Callable[..., Result]
HOSTILE = "../../x \"q\" 'p'\n\x1b[31m$a_{b}$"


def contact(shift: float) -> orm.StructureData:
    """A chain of atoms between flat layers, the middle one moved sideways, Å."""
    chain = np.array([[0.0, 0.0, 2.3], [shift, 0.1, 5.0], [-0.1, 0.0, 7.6]])
    region = assemble_scattering_region(chain, FlatGap(0.0, 10.0), Fcc111(4.16, 4))
    return structure(region.positions, region.cell)


@pytest.fixture(scope="module")
def made(aiida_profile: object) -> dict[str, Any]:
    """Four junctions of one chain, one of them taken over, one of a hostile chain, and a conductance made by hand."""
    delete_nodes(orm.QueryBuilder().append(ConductanceData, project="id").all(flat=True), dry_run=False)
    _, computer = orm.Computer.collection.get_or_create(
        label="junctions", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    )
    computer.store()
    atoms = [contact(0.1 * place) for place in range(4)]
    common = {"campaign": "silver", "chain": "8V-s1", "voltage_v": 8.0, "protocol": "demo", "stage": "contact"}

    def labels(place: int, bonds: int) -> dict[str, Any]:
        return {**common, "snapshot": place, "step": 100 * place, "time_ps": 0.1 * place, "min_cut": bonds}

    nodes: dict[str, Any] = {
        "first": in_one_job(atoms[0], computer, 0.97, **labels(0, 1)),
        "second": in_separate_jobs(atoms[1], computer, 1.02, **labels(1, 1)),
        "wide": in_one_job(atoms[2], computer, 2.4, **labels(2, 3)),
    }
    nodes["again"] = taken_over(nodes["first"], **labels(3, 1))
    hostile = {**labels(0, 1), "chain": HOSTILE, "stage": "growth"}
    nodes["hostile"] = in_one_job(atoms[3], computer, 0.5, **hostile)
    nodes["by hand"] = conductance(0.99, **{**labels(4, 1), "stage": "growth"}).store()
    return {**nodes, "atoms": atoms}


@pytest.fixture
def run(made: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "structures")


def listed(run: Run, *arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", *arguments, "--json").stdout)["structures"]
    return found


def uuids(made: dict[str, Any], *names: str) -> list[str]:
    return [made[name].uuid for name in names]


def test_junctions_are_found_by_transmission_bonds_and_stage(run: Run, made: dict[str, Any]) -> None:
    near_one = listed(run, "--between", 0.8, 1.2, "--bonds", 1)
    assert [row["conductance_uuid"] for row in near_one] == uuids(made, "first", "second", "again", "by hand")
    assert [row["structure_uuid"] for row in near_one] == [
        *(made["atoms"][place].uuid for place in (0, 1, 0)),
        None,
    ]
    assert [row["computed_as"] for row in near_one] == uuids(made, "first", "second", "first", "by hand")
    assert near_one[1]["time_ps"] == pytest.approx(0.1)
    assert (near_one[1]["snapshot"], near_one[1]["voltage_v"], near_one[1]["bonds"]) == (1, 8.0, 1)
    assert [row["transmission"] for row in listed(run, "--bonds", 3)] == [2.4]
    assert [row["chain"] for row in listed(run, "--stage", "growth")] == [HOSTILE, "8V-s1"]
    assert len(listed(run)) == 6


def test_the_table_is_text_and_says_what_has_no_junction(run: Run, made: dict[str, Any]) -> None:
    said = run("list").stdout
    assert "\x1b" not in said
    assert made["second"].uuid[:8] in said
    assert made["atoms"][1].uuid[:8] in said
    assert said.splitlines()[-1] == "1 conductance without a junction here: made by hand, or imported without it"
    assert len(said.splitlines()) == 8
    rows = list(csv.DictReader(run("list", "--bonds", 3, "--csv", "-").stdout.splitlines()))
    assert [(row["conductance_uuid"], float(row["transmission"])) for row in rows] == [(made["wide"].uuid, 2.4)]


@pytest.mark.parametrize("command", [("list",), ("sheet", "-o", "s.png"), ("export", "out")])
def test_what_is_not_there_is_one_line(run: Run, command: tuple[str, ...]) -> None:
    for arguments, words in (
        (("--between", 5, 6), "there is: 6 conductances; T from 0.5 to 2.4"),
        (("--campaign", "silvre"), "there is silver"),
        (("--between", 2, 1), "the lower T first"),
    ):
        said = run(*command, *arguments, status=1).output
        assert words in said
        assert said.count("\n") == 1
        assert "\x1b" not in said
    assert list(Path().iterdir()) == []


def test_a_sheet_shows_each_junction_with_its_numbers(run: Run, made: dict[str, Any], drawn: list[Figure]) -> None:
    said = run("sheet", "-o", "s.png", "--width", "double").output
    titles = [axes.get_title() for axes in drawn[0].axes]
    wanted = (("0.500", "0.00 ps, 1 bond", "hostile"), ("0.970", "0.00 ps, 1 bond", "first"))
    for title, (transmission, known, name) in zip(titles, wanted, strict=False):
        assert title == f"T = {transmission}\n{known}\n{made[name].uuid[:8]}"
    assert [title.splitlines()[0] for title in titles] == [
        *("T = 0.500", "T = 0.970", "T = 0.970", "T = 1.020", "T = 2.400"),
    ]
    assert [len(axes.collections[0].get_offsets()) for axes in drawn[0].axes] == [
        2 * len(made["atoms"][place].sites) for place in (3, 0, 0, 1, 2)
    ]
    assert "1 conductance without a junction here" in said
    assert "wrote" in said
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")
    caption = Path("s.caption.md").read_text()
    for name in ("first", "second", "wide", "again", "hostile"):
        assert made[name].uuid in caption
    assert f"{made['atoms'][0].uuid} of {made['again'].uuid}" in caption
    assert "1 conductance taken over" in caption
    assert "structures sheet --output s.png --width double" in caption
    assert "\x1b" not in caption


def test_a_sheet_says_how_many_it_left_out(run: Run, drawn: list[Figure]) -> None:
    said = run("sheet", "--most", 3, "-o", "s.svg").output
    assert [axes.get_title().splitlines()[0] for axes in drawn[0].axes] == ["T = 0.500", "T = 0.970", "T = 2.400"]
    assert "2 junctions left out, evenly by T: --most draws more" in said
    assert "2 junctions left out" in Path("s.caption.md").read_text()
    assert json.loads(run("sheet", "--most", 3, "-o", "t.svg", "--json").stdout)["left_out"] == 2
    assert "-o FIGURE is needed" in run("sheet", status=2).output


def atoms_of(node: orm.StructureData) -> Atoms:
    atoms: Atoms = node.get_ase()
    return atoms


def test_every_file_is_read_back_as_it_was(run: Run, made: dict[str, Any]) -> None:
    found = json.loads(run("export", "out", "--json").stdout)
    assert found["without_junction"] == 1
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(
        ["index.csv", *(one["file"] for one in found["files"])]
    )
    # nothing was written beside the folder
    assert [path.name for path in Path().iterdir()] == ["out"]
    by_uuid = {one["conductance_uuid"]: one for one in found["files"]}
    where = {"first": 0, "second": 1, "wide": 2, "again": 0, "hostile": 3}
    assert set(by_uuid) == {made[name].uuid for name in where}
    for name, place in where.items():
        one = by_uuid[made[name].uuid]
        back = read(Path("out") / one["file"])
        atoms = atoms_of(made["atoms"][place])
        assert np.allclose(back.positions, atoms.positions, atol=1e-7)
        assert np.allclose(back.cell.array, atoms.cell.array)
        assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
        info = back.info
        assert info["conductance_uuid"] == made[name].uuid
        assert info["structure_uuid"] == made["atoms"][place].uuid
        assert info["transmission"] == made[name].conductance_g0
        assert info["time_ps"] == made[name].base.attributes.get("time_ps")
        assert (info["voltage_v"], info["bonds"]) == (8.0, made[name].base.attributes.get("min_cut"))
        assert unquote(info["chain"]) == made[name].base.attributes.get("chain")
    assert by_uuid[made["second"].uuid]["file"] == f"8V-s1_snapshot-0001_{made['second'].uuid[:8]}.extxyz"
    with Path("out/index.csv").open(newline="") as handle:
        rows = {row["file"]: row for row in csv.DictReader(handle)}
    hostile = by_uuid[made["hostile"].uuid]["file"]
    # to the letter
    assert rows[hostile]["chain"] == HOSTILE
    assert float(rows[hostile]["transmission"]) == 0.5


def test_cif_is_read_back(run: Run, made: dict[str, Any]) -> None:
    assert "wrote 1 file and index.csv into new" in run("export", "new", "--format", "cif", "--bonds", 3).output
    (path,) = Path("new").glob("*.cif")
    back = read(path)
    atoms = atoms_of(made["atoms"][2])
    assert len(back) == len(atoms)
    assert np.allclose(back.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=2e-3)
    assert f"# conductance_uuid = {made['wide'].uuid}" in path.read_text()


def test_files_are_replaced_only_on_demand_and_all_or_none(run: Run, made: dict[str, Any]) -> None:
    run("export", "out", "--bonds", 3)
    (path,) = Path("out").glob("*.extxyz")
    path.write_text("mine")
    said = run("export", "out", status=1).output
    assert "must be new" in said
    assert said.count("\n") == 1
    assert len(list(Path("out").iterdir())) == 2
    assert path.read_text() == "mine"
    run("export", "out", "--force")
    assert len(read(path)) > 10
    assert len(list(Path("out").glob("*.extxyz"))) == 5


@pytest.mark.parametrize(
    ("folder", "words"), [("file", "must be a folder"), ("no/where", "make"), ("a\nb/c", "make")]
)
def test_a_folder_that_can_be_none_is_one_line(run: Run, folder: str, words: str) -> None:
    Path("file").write_text("mine")
    said = run("export", folder, status=2 if folder == "file" else 1).output
    assert folder == "file" or (words in said and said.count("\n") == 1)
    assert Path("file").read_text() == "mine"


def test_conductances_without_any_junction_are_refused(run: Run) -> None:
    said = run("export", "out", "--between", 0.985, 0.995, status=1).output
    assert said == (
        "Error: structures = none of 1 conductance: must be known to the database; "
        "they were made by hand, or imported without what they come from\n"
    )
    assert not Path("out").exists()
