"""What a pwcond.x calculation refuses before anything is submitted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.parents import XML_NAME
from aiida_rewire.calculations.pwcond_inputs import refuse_parents

Prepare = Callable[..., tuple[Path, Any]]
Finished = Callable[..., orm.RemoteData]
Cell = tuple[np.ndarray, np.ndarray]


def kpoints(points: list[list[float]], weights: list[float] | None) -> orm.KpointsData:
    node = orm.KpointsData()
    node.set_kpoints(points, weights=weights)
    return node


def mesh(*sizes: int) -> orm.KpointsData:
    node = orm.KpointsData()
    node.set_kpoints_mesh(sizes)
    return node


BAD: list[tuple[str, Callable[[], Any], str]] = [
    ("parameters", lambda: orm.Dict({"recover": True}), "parameters = recover: must be left to the plugin"),
    ("parameters", lambda: orm.Dict({"iofspin": 2}), "parameters = iofspin: must be left to the plugin"),
    ("parameters", lambda: orm.Dict({"ewindow": 1.0}), "parameters = ewindow: must be among"),
    ("energies", lambda: orm.List([]), r"energies = \[\]: must be finite numbers"),
    ("energies", lambda: orm.List([0.0, 0.0]), "free of repetitions"),
    ("kpoints", lambda: kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], [1.0, 3.0]), "weights that sum to 4"),
    ("kpoints", lambda: kpoints([[0.1, 0.2, 0.0]], None), "no list with weights: must be a list or a mesh"),
    ("kpoints", lambda: kpoints([[0.1, 0.2, 0.1]], [1.0]), "kpoints = kz other than 0"),
    ("kpoints", lambda: mesh(2, 2, 2), "kpoints = mesh .*: must be lateral: 1 along z"),
    ("unitarity_tolerance", lambda: orm.Float(0.0), "unitarity_tolerance = 0.0: must be above 0"),
    ("unitarity_tolerance", lambda: orm.Float(1.0), "unitarity_tolerance = 1.0: must be above 0"),
    ("shards", lambda: orm.List([]), "shards = none: must be one at least"),
    ("shards", lambda: orm.List([[0, 1, 0, 2], [1, 1, 1, 1]]), "free of double coverage"),
    (
        "shards",
        lambda: orm.List([[0, 2, 0, 0]]),
        r"shards = \[0, 2, 0, 0\]: must be within 2 k-points and 3 energies",
    ),
    ("shards", lambda: orm.List([[0, 0, 0, 3]]), "must be within 2 k-points and 3 energies"),
    ("spin", lambda: orm.Str("sideways"), "spin = sideways: must be one of up, down"),
    ("spin", lambda: orm.Str("up"), "spin = given: must be left out: the SCF runs are not polarised"),
    ("boundaries", lambda: orm.Dict({"bdz": 1.0}), "must be among bdl, bds, bdr"),
    ("boundaries", lambda: orm.Dict({"bdl": -1.0}), "must be positive numbers"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD, ids=[f"{n}: {m[-20:]}" for n, _, m in BAD])
def test_an_input_that_is_wrong_is_refused(
    prepare: Prepare, inputs: dict[str, Any], name: str, value: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, name: value()})


COMBINATIONS = [
    ({"junction", "left_lead"}, set(), "parents = none: must be left_lead with junction"),
    ({"left_lead"}, set(), "parents = junction: must be left_lead with junction"),
    ({"junction"}, {"right_lead"}, "right_lead = given: must be given with a junction"),
    (set(), {"whole"}, "parents = left_lead, junction, whole: must be left_lead with junction"),
    ({"left_lead"}, {"whole"}, "parents = junction, whole: must be left_lead"),
    ({"left_lead", "junction"}, {"whole"}, r"boundaries = \[\]: must be bdl and bds"),
    ({"left_lead", "junction"}, {"right_lead", "whole"}, "parents = right_lead, whole: must be left_lead"),
]


@pytest.mark.parametrize(("without", "with_", "message"), COMBINATIONS)
def test_parents_that_cannot_stand_together_are_refused(
    prepare: Prepare, inputs: dict[str, Any], without: set[str], with_: set[str], message: str
) -> None:
    given = {key: value for key, value in inputs.items() if key not in without}
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", given | dict.fromkeys(with_, inputs["junction"]))


@pytest.mark.parametrize("boundaries", [{"bdl": 1.0}, {"bds": 1.0}, {"bdr": 1.0}])
def test_a_whole_is_cut_at_two_boundaries_at_least(
    prepare: Prepare, inputs: dict[str, Any], boundaries: dict[str, float]
) -> None:
    given = {key: value for key, value in inputs.items() if key not in ("left_lead", "junction")}
    with pytest.raises(ValueError, match=r"boundaries = .*: must be bdl and bds"):
        prepare("rewire.pwcond", {**given, "whole": inputs["junction"], "boundaries": orm.Dict(boundaries)})


def test_a_whole_that_its_boundaries_do_not_cut_at_layers_is_refused(
    prepare: Prepare, inputs: dict[str, Any]
) -> None:
    given = {key: value for key, value in inputs.items() if key not in ("left_lead", "junction")}
    boundaries = orm.Dict({"bdl": 1.0, "bds": 2.0})
    with pytest.raises(ValueError, match=r"whole.* = no atom at z = 5.8831 Å"):
        prepare("rewire.pwcond", {**given, "whole": inputs["junction"], "boundaries": boundaries})


@pytest.mark.parametrize("boundaries", [{"bds": 99.0}, {"bdl": 99.0}, {"bds": 2.0}])
def test_boundaries_that_do_not_end_at_a_layer_of_their_cell_are_refused(
    prepare: Prepare, inputs: dict[str, Any], boundaries: dict[str, float]
) -> None:
    with pytest.raises(
        ValueError, match=r"boundaries = 99.0 alat for|junction.structure = a boundary layer at z = 11.7663 Å"
    ):
        prepare("rewire.pwcond", {**inputs, "boundaries": orm.Dict(boundaries)})


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"fft_grid": (30, 30, 180)}, "junction.fft_grid = 30 x 30: must be laterally that of left_lead, 27 x 27"),
    ({"smooth_fft_grid": (27, 30, 180)}, "junction.smooth_fft_grid = 27 x 30"),
    ({"wavefunction_cutoff": 380.0}, "junction.wavefunction_cutoff = 3"),
    ({"density_cutoff": 3800.0}, "junction.density_cutoff = 3"),
    ({"fermi_energy": None}, "junction.fermi_energy = none: must be known"),
    ({"smearing": None}, "junction.smearing = none: must be set"),
    ({"functional": "PBESOL"}, "junction.functional = PBESOL"),
    ({"converged": False}, "junction.converged = false"),
    ({"noncolin": True}, "junction.noncolin = true: must be false"),
    ({"spinorbit": True}, "junction.spinorbit = true: must be false"),
    ({"lsda": True}, "junction.lsda = true: must be that of left_lead, false"),
    ({"alat": 5.0}, "junction.alat = 5.0000000 Å"),
]


@pytest.mark.parametrize(("results", "message"), UNFIT)
def test_parents_that_do_not_fit_are_refused_by_what_pw_wrote(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    junction_cell: Cell,
    results: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, "junction": finished_pw(*junction_cell, **results)})


def test_the_right_lead_is_compared_as_well(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, lead_cell: Cell
) -> None:
    right = finished_pw(*lead_cell, smooth_fft_grid=(30, 30, 90))
    with pytest.raises(ValueError, match=r"junction.smooth_fft_grid = 27 x 27: must be laterally that of right_lead"):
        prepare("rewire.pwcond", {**inputs, "right_lead": right})


def test_a_lead_alone_is_checked_as_well(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, lead_cell: Cell
) -> None:
    alone = {key: value for key, value in inputs.items() if key != "junction"}
    cell, positions = lead_cell
    with pytest.raises(ValueError, match=r"left_lead.structure = no atom at z = 0"):
        prepare("rewire.pwcond", {**alone, "left_lead": finished_pw(cell, positions + np.array([0.0, 0.0, 0.1]))})


def test_polarised_runs_want_a_spin(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, lead_cell: Cell, junction_cell: Cell
) -> None:
    polarised = {"left_lead": finished_pw(*lead_cell, lsda=True), "junction": finished_pw(*junction_cell, lsda=True)}
    with pytest.raises(ValueError, match="spin = not given: must be given: the SCF runs are spin-polarised"):
        prepare("rewire.pwcond", {**inputs, **polarised})


@pytest.mark.parametrize(
    ("kind", "message"),
    [("PAW", "junction.pseudos = PAW for Ag"), ("1/r", "a pseudopotential of type unknown for Ag")],
)
def test_pseudopotentials_that_pwcond_takes_wrongly_are_refused(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    junction_cell: Cell,
    upf: Callable[..., UpfData],
    kind: str,
    message: str,
) -> None:
    junction = finished_pw(*junction_cell, pseudos={"Ag": upf(kind=kind)})
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, "junction": junction})


def test_other_pseudopotentials_are_refused(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    junction_cell: Cell,
    upf: Callable[..., UpfData],
) -> None:
    junction = finished_pw(*junction_cell, pseudos={"Ag": upf(11)})
    with pytest.raises(
        ValueError, match=r"junction.pseudos = another pseudopotential of Ag: must be those of left_lead"
    ):
        prepare("rewire.pwcond", {**inputs, "junction": junction})


def test_spheres_that_reach_through_a_lead_are_refused(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    lead_cell: Cell,
    junction_cell: Cell,
    upf: Callable[..., UpfData],
) -> None:
    # the lead is 7.2 Å long; 14 bohr are 7.4 Å
    wide = {"Ag": upf(reach=14.0)}
    parents = {
        "left_lead": finished_pw(*lead_cell, pseudos=wide),
        "junction": finished_pw(*junction_cell, pseudos=wide),
    }
    with pytest.raises(
        ValueError, match=r"left_lead.structure = 7.2053 Å long, with a sphere of 7.4085 Å around atom 1"
    ):
        prepare("rewire.pwcond", {**inputs, **parents})


def test_shuffled_boundary_atoms_are_refused(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    cell, positions = junction_cell
    shuffled = positions[[1, 0, *range(2, len(positions))]]
    with pytest.raises(
        ValueError, match=r"junction.structure = atoms at z = 0 in another order than those of left_lead"
    ):
        prepare("rewire.pwcond", {**inputs, "junction": finished_pw(cell, shuffled)})


def test_boundary_atoms_of_another_element_are_refused(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    junction = finished_pw(*junction_cell, elements=["Cu"] * 4 + ["Ag"] * 20)
    with pytest.raises(
        ValueError, match=r"junction.structure = Cu at z = 0: must be of the lead's element there, Ag"
    ):
        prepare("rewire.pwcond", {**inputs, "junction": junction})


def test_an_scf_that_failed_is_refused(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    failed = finished_pw(*junction_cell, exit_status=410)
    message = f"junction = pw.x run {failed.creator.pk}: must be finished without an error"
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, "junction": failed})


def test_a_folder_that_was_cleaned_is_refused(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    junction = finished_pw(*junction_cell)
    assert refuse_parents({**inputs, "junction": junction}) is None
    junction.base.extras.set("cleaned", True)
    assert junction.is_cleaned
    with pytest.raises(ValueError, match=f"junction = folder {junction.pk}: must be still there; it was cleaned"):
        prepare("rewire.pwcond", {**inputs, "junction": junction})


def test_an_scf_whose_xml_file_is_missing_is_refused(
    prepare: Prepare, inputs: dict[str, Any], finished_pw: Finished, junction_cell: Cell
) -> None:
    for files, words in (({}, "retrieved"), ({XML_NAME: b"<half"}, "readable")):
        with pytest.raises(ValueError, match=f"junction = .*{XML_NAME}.*{words}; repeat its SCF"):
            prepare("rewire.pwcond", {**inputs, "junction": finished_pw(*junction_cell, files=files)})


def test_a_folder_of_unknown_origin_is_refused(
    prepare: Prepare, inputs: dict[str, Any], cluster: orm.Computer
) -> None:
    stray = orm.RemoteData(remote_path="/scratch/stray", computer=cluster).store()
    with pytest.raises(
        ValueError, match=f"left_lead = folder {stray.pk}: must be left by a pw.x run of this database"
    ):
        prepare("rewire.pwcond", {**inputs, "left_lead": stray})


def test_parents_on_two_computers_are_refused(
    prepare: Prepare,
    inputs: dict[str, Any],
    finished_pw: Finished,
    junction_cell: Cell,
    aiida_localhost: orm.Computer,
) -> None:
    elsewhere = finished_pw(*junction_cell, computer=aiida_localhost)
    message = f"parents = left_lead on cluster, junction on {aiida_localhost.label}: must be on one computer"
    with pytest.raises(ValueError, match=message):
        prepare("rewire.pwcond", {**inputs, "junction": elsewhere})


def test_a_code_on_another_computer_is_refused(
    prepare: Prepare, inputs: dict[str, Any], aiida_localhost: orm.Computer
) -> None:
    code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/true", label="pwcond").store()
    with pytest.raises(ValueError, match=f"code = pwcond@{aiida_localhost.label}: must be on the computer"):
        prepare("rewire.pwcond", {**inputs, "code": code})


@pytest.mark.parametrize(
    "resources",
    [
        {"num_machines": 1, "num_mpiprocs_per_machine": 3},
        {"num_machines": 3, "num_mpiprocs_per_machine": 2},
        {"tot_num_mpiprocs": 6, "num_machines": 1},
    ],
)
def test_ranks_that_are_no_power_of_two_are_refused(
    prepare: Prepare, inputs: dict[str, Any], resources: dict[str, int]
) -> None:
    options = {"options": {"withmpi": True, "resources": resources}}
    with pytest.raises(ValueError, match=r"metadata.options.resources = [36] ranks: must be 2\^N"):
        prepare("rewire.pwcond", {**inputs, "metadata": options})
    # without mpirun their number is that of the shards
    options["options"]["withmpi"] = False
    prepare("rewire.pwcond", {**inputs, "metadata": options})


def test_shards_side_by_side_under_mpi_are_refused(prepare: Prepare, inputs: dict[str, Any]) -> None:
    options = {
        "options": {"withmpi": True, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}},
    }
    shards = orm.List([[0, 0, 0, 2], [1, 1, 0, 2]])
    with pytest.raises(ValueError, match="shards = several, with MPI: must be withmpi = False"):
        prepare("rewire.pwcond", {**inputs, "metadata": options, "shards": shards})
    prepare("rewire.pwcond", {**inputs, "metadata": options, "shards": orm.List([[0, 0, 0, 2]])})


def test_complex_bands_come_in_one_shard(prepare: Prepare, inputs: dict[str, Any]) -> None:
    alone = {key: value for key, value in inputs.items() if key != "junction"}
    with pytest.raises(ValueError, match="shards = 2: must be one for complex bands"):
        prepare("rewire.pwcond", {**alone, "shards": orm.List([[0, 0, 0, 2], [1, 1, 0, 2]])})
