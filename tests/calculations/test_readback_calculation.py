"""What reaches pp.x, and what comes back from it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_rewire.calculations.readback import ReadbackCalculation

Prepare = Callable[..., tuple[Path, Any]]
Finished = Callable[..., orm.RemoteData]
Cell = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def given(cluster: orm.Computer, finished_pw: Finished, lead_cell: Cell) -> dict[str, Any]:
    """Inputs of the read-back of a lead."""
    return {
        "code": orm.InstalledCode(computer=cluster, filepath_executable="/bin/true", label="pp").store(),
        "parent_folder": finished_pw(*lead_cell),
        "thickness": orm.Float(2.4),
    }


def namelist(path: Path) -> dict[str, str]:
    head, body = path.read_text().split("&inputpp\n")
    assert head == ""
    keys, rest = body.split("/\n", 1)
    assert rest.split() == ["&plot", "/"]
    return dict(line.strip().split(" = ") for line in keys.splitlines())


def test_density_and_potential_are_plotted_one_after_the_other(prepare: Prepare, given: dict[str, Any]) -> None:
    folder, job = prepare("rewire.readback", given)
    shared = {"prefix": "'aiida'", "outdir": "'./out'"}
    # INPUT_PP: 0 is the pseudo-charge density, 1 V_bare + V_H + V_xc
    assert namelist(folder / "density.in") == {**shared, "filplot": "'density.grid'", "plot_num": "0"}
    assert namelist(folder / "potential.in") == {**shared, "filplot": "'potential.grid'", "plot_num": "1"}
    assert [code.cmdline_params for code in job.codes_info] == [["-in", "density.in"], ["-in", "potential.in"]]
    assert [code.stdout_name for code in job.codes_info] == ["density.out", "potential.out"]
    assert {code.code_uuid for code in job.codes_info} == {given["code"].uuid}


def test_the_scf_is_linked_and_not_copied(prepare: Prepare, given: dict[str, Any]) -> None:
    folder, job = prepare("rewire.readback", given)
    parent = given["parent_folder"]
    save = f"{parent.get_remote_path()}/out/aiida.save"
    assert job.remote_symlink_list == [(parent.computer.uuid, save, "out/aiida.save")]
    assert not job.remote_copy_list
    assert sorted(path.name for path in folder.iterdir()) == ["density.in", "out", "potential.in"]
    assert not list((folder / "out").iterdir())


def test_what_is_large_is_read_and_left_behind(prepare: Prepare, given: dict[str, Any]) -> None:
    _, job = prepare("rewire.readback", given)
    assert job.retrieve_list == ["density.out", "potential.out"]
    assert sorted(job.retrieve_temporary_list) == [
        "density.grid",
        "out/aiida.save/charge-density.dat",
        "potential.grid",
    ]


@pytest.mark.parametrize("thickness", [0.0, -1.0, float("nan"), float("inf")])
def test_a_slab_has_a_thickness(prepare: Prepare, given: dict[str, Any], thickness: float) -> None:
    with pytest.raises(ValueError, match=r"thickness = .* Å: must be above 0 Å"):
        prepare("rewire.readback", {**given, "thickness": orm.Float(thickness)})


def test_the_folder_is_that_of_a_good_scf(
    prepare: Prepare, given: dict[str, Any], finished_pw: Finished, lead_cell: Cell, cluster: orm.Computer
) -> None:
    stray = orm.RemoteData(remote_path="/scratch/stray", computer=cluster).store()
    failed, bare = finished_pw(*lead_cell, exit_status=410), finished_pw(*lead_cell, files={})
    cleaned = finished_pw(*lead_cell)
    cleaned.base.extras.set("cleaned", True)
    for folder, words in (
        (stray, "left by a pw.x run"),
        (failed, "finished without an error"),
        (bare, "data-file-schema.xml retrieved"),
        (cleaned, "it was cleaned"),
    ):
        with pytest.raises(ValueError, match=rf"parent_folder = .*{words}"):
            prepare("rewire.readback", {**given, "parent_folder": folder})


@pytest.mark.parametrize(
    ("heights", "thickness"),
    [([0.0], 7.0), ([0.0, 0.0, 2.4, 4.8], 2.4), ([0.0, 1e-7, 2.5, 5.1], 2.5), ([4.8, 0.0, 2.4], 2.4)],
)
def test_the_first_layer_of_a_lead_ends_where_the_second_begins(heights: list[float], thickness: float) -> None:
    lead = SimpleNamespace(cell=np.diag([3.0, 3.0, 7.0]), positions=np.array([[0.0, 0.0, z] for z in heights]))
    assert ReadbackCalculation.thickness_of(lead) == thickness
