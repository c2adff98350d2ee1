"""What reaches pwcond.x, and what is refused before."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.pwcond import refuse_parents, validate_energies, validate_kpoints, validate_parameters
from aiida_rewire.transport.pwcond_input import OWNED_KEYS

Prepare = Callable[..., tuple[Path, Any]]
Cell = tuple[np.ndarray, np.ndarray]


def kpoints(points: list[list[float]], weights: list[float] | None) -> orm.KpointsData:
    node = orm.KpointsData()
    node.set_kpoints(points, weights=weights)
    return node


@pytest.fixture(scope="module")
def inputs(
    cluster: orm.Computer,
    finished_pw: Callable[..., orm.RemoteData],
    lead_cell: Cell,
    junction_cell: Cell,
) -> dict[str, Any]:
    """Inputs of a run on a lead and on two leads in a row."""
    return {
        "code": orm.InstalledCode(computer=cluster, filepath_executable="/bin/true", label="pwcond"),
        "left_lead": finished_pw(*lead_cell),
        "junction": finished_pw(*junction_cell, fft_grid=[27, 27, 180], smooth_fft_grid=[27, 27, 180]),
        "parameters": orm.Dict({"ewind": 0.5, "epsproj": 1e-2, "nz1": 3}),
        "kpoints": kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [1.0, 3.0]),
        "energies": orm.List([-0.2, 0.0, 0.1]),
    }


def read_namelist(path: Path) -> dict[str, str]:
    lines = path.read_text().split("/\n")[0].splitlines()[1:]
    return dict(line.strip().split(" = ", 1) for line in lines)


def real(text: str) -> float:
    return float(text.replace("d", "e"))


def test_the_input_file_holds_what_pwcond_needs(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.pwcond", inputs)
    text = (folder / "pwcond.in").read_text()
    assert text.startswith("&inputcond\n")
    namelist = read_namelist(folder / "pwcond.in")
    assert namelist["prefixl"] == "'lead'"
    assert namelist["prefixs"] == "'junction'"
    assert namelist["outdir"] == "'./out'"
    assert namelist["ikind"] == "1"
    assert real(namelist["ewind"]) == 0.5
    assert (real(namelist["energy0"]), real(namelist["denergy"])) == (0.0, 0.0)
    assert "recover" not in namelist
    # three layers of an fcc(111) lead in units of the 2 x 2 cell: sqrt(3) a / (sqrt(2) a)
    assert real(namelist["bdl"]) == pytest.approx(math.sqrt(1.5), abs=1e-12)
    assert real(namelist["bds"]) == pytest.approx(2 * math.sqrt(1.5), abs=1e-12)
    cards = text.split("/\n")[1].splitlines()
    assert cards[0] == "2"
    assert [float(word) for word in cards[2].split()] == [0.3, 0.1, 3.0]
    assert cards[3:] == ["3", "0.1000000", "0.0000000", "-0.2000000"]
    (code,) = job.codes_info
    assert code.stdout_name == "pwcond.out"
    assert job.retrieve_list == ["pwcond.out"]


def test_each_parent_is_linked_under_a_name_of_its_own(prepare: Prepare, inputs: dict[str, Any]) -> None:
    folder, job = prepare("rewire.pwcond", inputs)
    assert (folder / "out").is_dir()
    links = {target: source for _, source, target in job.remote_symlink_list}
    assert links == {
        "out/lead.save": f"{inputs['left_lead'].get_remote_path()}/out/aiida.save",
        "out/junction.save": f"{inputs['junction'].get_remote_path()}/out/aiida.save",
    }


def test_a_key_that_the_plugin_sets_is_refused(prepare: Prepare, inputs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="parameters = recover: must be left to the plugin"):
        prepare("rewire.pwcond", {**inputs, "parameters": orm.Dict({"recover": True})})


@pytest.mark.parametrize("key", sorted(OWNED_KEYS))
def test_every_key_that_the_plugin_sets_is_refused_by_name(key: str) -> None:
    refusal = validate_parameters(orm.Dict({"ewind": 0.5, key: 1}), None)
    assert str(refusal).startswith(f"parameters = {key}: must be left to the plugin")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ewindow": 1.0}, "parameters = ewindow: must be among .*ewind"),
        ({"EWIND": 1.0}, "parameters = EWIND: must be among"),
        ({"ewind": [1.0]}, "has no place in a namelist"),
        ({"ewind": "x" * 51}, "has no place in a namelist"),
        ({"ewind": "a' /"}, "has no place in a namelist"),
    ],
)
def test_parameters_that_pwcond_does_not_know_are_refused(parameters: dict[str, Any], message: str) -> None:
    assert re.search(message, str(validate_parameters(orm.Dict(parameters), None)))


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ([], r"energies = \[\]: must be finite numbers"),
        (["0.0"], "must be finite numbers"),
        ([None], "must be finite numbers"),
        ([0.0, 0.1, 0.0], "must be free of repetitions"),
        ([0.1, 0.1 + 1e-9], "must be free of repetitions"),
        ([0.0, math.nan], "must be finite numbers"),
        ([math.inf], "must be finite numbers"),
    ],
)
def test_energies_that_are_none_are_refused(energies: list[Any], message: str) -> None:
    assert re.search(message, str(validate_energies(orm.List(energies), None)))


def test_an_empty_list_of_energies_is_refused(prepare: Prepare, inputs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="energies = "):
        prepare("rewire.pwcond", {**inputs, "energies": orm.List([])})


@pytest.mark.parametrize(
    ("points", "weights", "message"),
    [
        ([[0.1, 0.2, 0.3]], [1.0], "kz = 0"),
        ([[0.1, 0.2, 0.0], [0.0, 0.0, -0.1]], [1.0, 1.0], "kz = 0"),
        ([[0.1, 0.2, 0.0]], [-1.0], "must be positive"),
        ([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [1.0, 0.0], "must be positive"),
        ([[0.1, 0.2, 0.0]], [math.nan], "must be positive"),
        ([[0.1, 0.2, 0.0]], None, "no list with weights"),
        ([[math.nan, 0.2, 0.0]], [1.0], "must be"),
        ([[0.1, 0.2, math.nan]], [1.0], "must be"),
    ],
)
def test_k_points_that_are_not_lateral_are_refused(
    points: list[list[float]], weights: list[float] | None, message: str
) -> None:
    refusal = str(validate_kpoints(kpoints(points, weights), None))
    assert refusal.startswith("kpoints = ")
    assert message in refusal


def test_a_mesh_of_k_points_is_refused(prepare: Prepare, inputs: dict[str, Any]) -> None:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    with pytest.raises(ValueError, match="kpoints = no list with weights: must be a list; use set_kpoints"):
        prepare("rewire.pwcond", {**inputs, "kpoints": mesh})


@pytest.mark.parametrize("tolerance", [-1e-3, 1.0])
def test_a_tolerance_that_is_no_gate_is_refused(prepare: Prepare, inputs: dict[str, Any], tolerance: float) -> None:
    with pytest.raises(ValueError, match="unitarity_tolerance = "):
        prepare("rewire.pwcond", {**inputs, "unitarity_tolerance": orm.Float(tolerance)})


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (
            {"fft_grid": [30, 30, 180], "smooth_fft_grid": [30, 30, 180]},
            "junction.fft_grid = 30 x 30: must be laterally",
        ),
        ({"smooth_fft_grid": [27, 30, 180]}, "junction.smooth_fft_grid = 27 x 30"),
        ({"wfc_cutoff": 380.0}, "junction.wavefunction_cutoff"),
        ({"rho_cutoff": 3800.0}, "junction.density_cutoff"),
        ({"fermi_energy": None}, "junction.fermi_energy = none"),
    ],
)
def test_parents_that_do_not_fit_are_refused_by_their_provenance(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Callable[..., orm.RemoteData],
    junction_cell: Cell,
    results: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, "junction": finished_pw(*junction_cell, **results)})


def test_an_scf_that_failed_is_refused(
    inputs: dict[str, Any], finished_pw: Callable[..., orm.RemoteData], junction_cell: Cell
) -> None:
    failed = finished_pw(*junction_cell, exit_status=410)
    message = refuse_parents({**inputs, "junction": failed})
    assert message is not None
    assert message.startswith(f"junction = pw.x run {failed.creator.pk}: must be finished without an error")


def test_a_folder_that_was_cleaned_is_refused(
    inputs: dict[str, Any], finished_pw: Callable[..., orm.RemoteData], junction_cell: Cell
) -> None:
    junction = finished_pw(*junction_cell)
    assert refuse_parents({**inputs, "junction": junction}) is None
    junction.base.extras.set("cleaned", True)
    assert junction.is_cleaned
    assert "it was cleaned: run its SCF again" in str(refuse_parents({**inputs, "junction": junction}))


def test_a_folder_of_unknown_origin_is_refused(inputs: dict[str, Any], cluster: orm.Computer) -> None:
    stray = orm.RemoteData(remote_path="/scratch/stray", computer=cluster).store()
    assert "left by a pw.x run of this database" in str(refuse_parents({**inputs, "left_lead": stray}))


def test_parents_on_two_computers_are_refused(
    inputs: dict[str, Any],
    finished_pw: Callable[..., orm.RemoteData],
    junction_cell: Cell,
    aiida_computer_local: Callable[..., orm.Computer],
) -> None:
    elsewhere = finished_pw(*junction_cell, computer=aiida_computer_local(label="elsewhere"))
    assert "cluster and elsewhere" in str(refuse_parents({**inputs, "junction": elsewhere}))


def test_parents_with_other_pseudopotentials_are_refused(
    inputs: dict[str, Any],
    finished_pw: Callable[..., orm.RemoteData],
    junction_cell: Cell,
    upf: Callable[..., UpfData],
) -> None:
    other = finished_pw(*junction_cell, pseudo=upf(valence="11.00"), smooth_fft_grid=[27, 27, 180])
    assert refuse_parents({**inputs, "junction": other}) is not None
