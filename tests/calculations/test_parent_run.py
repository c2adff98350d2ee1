"""What the files of a pw.x run say about it, and what of them is still there."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.parents import XML_NAME, parent_run, refuse_missing_files
from aiida_rewire.errors import InvalidInput
from aiida_rewire.fixtures import fixture_path

Cell = tuple[np.ndarray, np.ndarray]
Finished = Callable[..., orm.RemoteData]


def test_a_run_tells_cell_grids_cutoffs_and_fermi_energy(finished_pw: Finished, lead_cell: Cell) -> None:
    run = parent_run("left_lead", finished_pw(*lead_cell, fft_grid=(30, 30, 96), smooth_fft_grid=(24, 24, 80)))
    assert run.name == "left_lead"
    assert run.cell == pytest.approx(lead_cell[0], abs=1e-12)
    assert run.alat == pytest.approx(4.16 * np.sqrt(2), abs=1e-12)
    assert run.positions == pytest.approx(lead_cell[1], abs=1e-12)
    assert run.elements == ("Ag",) * 12
    assert (run.fft_grid, run.smooth_fft_grid) == ((30, 30, 96), (24, 24, 80))
    # 15 and 60 Ry
    assert run.wavefunction_cutoff == pytest.approx(204.0854, abs=1e-4)
    assert run.density_cutoff == pytest.approx(816.3415, abs=1e-4)
    assert run.fermi_energy == pytest.approx(-1.4, abs=1e-12)


def test_a_run_tells_its_pseudopotentials_by_element(
    finished_pw: Finished, upf: Callable[..., UpfData], lead_cell: Cell
) -> None:
    pseudos = {"Ag": upf(11, "US", reach=2.6), "Cu": upf(11, "NC", reach=2.0, element="Cu")}
    elements = ["Ag"] * 4 + ["Cu"] * 8
    run = parent_run("junction", finished_pw(*lead_cell, elements=elements, pseudos=pseudos))
    assert run.elements == tuple(elements)
    assert run.pseudo_types == {"Ag": "US", "Cu": "NC"}
    # bohr in Å
    assert run.sphere_radii == pytest.approx({"Ag": 1.375861, "Cu": 1.058354}, abs=1e-6)
    assert run.pseudo_digests == {element: pseudo.md5 for element, pseudo in pseudos.items()}
    assert len(set(run.pseudo_digests.values())) == 2


def test_a_real_file_is_read_with_the_pseudopotentials_of_the_database(
    finished_pw: Finished, lead_cell: Cell
) -> None:
    content = fixture_path("pw_xml", "wire.xml").read_bytes()
    run = parent_run("left_lead", finished_pw(*lead_cell, files={XML_NAME: content}))
    # the file counts, not the input
    assert run.cell == pytest.approx(np.diag([6.0, 6.0, 2.8]), abs=1e-12)
    assert run.fermi_energy == pytest.approx(-3.9308, abs=5e-5)
    assert run.sphere_radii == pytest.approx({"Ag": 1.375861}, abs=1e-6)


VERSION_1 = "<PP_HEADER>\n  0  Version Number\n  Ag  Element\n  {}  {} pseudopotential\n  11.0  Z valence\n"
BODY = "<PP_R>0 1 2</PP_R><PP_NONLOCAL></PP_NONLOCAL>"
HEADERS = {
    "version 2": ('<PP_HEADER element="Ag" pseudo_type="PAW" z_valence="11.0"/>', "PAW"),
    "version 2, spaces": ("<PP_HEADER\n element='Ag'\n pseudo_type = ' US'\n z_valence='11.0'/>", "US"),
    "version 2, lower case": ('<PP_HEADER element="Ag" pseudo_type="paw" z_valence="11.0"/>', "PAW"),
    "version 1, ultrasoft": (VERSION_1.format("US", "Ultrasoft"), "US"),
    "version 1, norm-conserving": (VERSION_1.format("NC", "Norm - Conserving"), "NC"),
    "version 1, PAW": (VERSION_1.format("PAW", "Projector Augmented Wave"), "PAW"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_the_kind_of_a_pseudopotential_is_read_from_its_header(
    header: str, finished_pw: Finished, lead_cell: Cell
) -> None:
    text, kind = HEADERS[header]
    pseudo = UpfData(io.BytesIO(f"{text}\n{BODY}\n".encode()), filename="Ag.upf")
    assert parent_run("junction", finished_pw(*lead_cell, pseudos={"Ag": pseudo})).pseudo_types == {"Ag": kind}


def test_a_pseudopotential_that_cannot_be_read_is_refused(finished_pw: Finished, lead_cell: Cell) -> None:
    header = '<PP_HEADER element="Ag" pseudo_type="NC" z_valence="1.0"/>'
    pseudo = UpfData(io.BytesIO(header.encode()), filename="Ag.upf")
    with pytest.raises(InvalidInput, match=r"junction.pseudos = no radial mesh: must be readable"):
        parent_run("junction", finished_pw(*lead_cell, pseudos={"Ag": pseudo}))


def test_a_run_without_fermi_energy_says_so(finished_pw: Finished, lead_cell: Cell) -> None:
    assert parent_run("junction", finished_pw(*lead_cell, fermi_energy=None)).fermi_energy is None


def test_a_run_without_its_xml_file_is_refused(finished_pw: Finished, lead_cell: Cell) -> None:
    folder = finished_pw(*lead_cell, files={"aiida.out": b"JOB DONE."})
    with pytest.raises(InvalidInput, match=rf"junction = pw.x run {folder.creator.pk}: .* {XML_NAME} retrieved"):
        parent_run("junction", folder)


@pytest.mark.parametrize("content", [b"", b"<a>", b"<a/>", bytes(range(256))])
def test_an_xml_file_that_cannot_be_read_is_refused(finished_pw: Finished, lead_cell: Cell, content: bytes) -> None:
    with pytest.raises(InvalidInput, match=rf"^left_lead = {XML_NAME}: .*must be readable; repeat its SCF"):
        parent_run("left_lead", finished_pw(*lead_cell, files={XML_NAME: content}))


def test_files_that_pwcond_would_miss_are_named(
    finished_pw: Finished, lead_cell: Cell, aiida_localhost: orm.Computer, tmp_path: Path
) -> None:
    folder = finished_pw(*lead_cell, computer=aiida_localhost, path=str(tmp_path))
    assert f"no {XML_NAME}, charge-density in {tmp_path}/out/aiida.save" in str(refuse_missing_files("lead", folder))
    save = tmp_path / "out" / "aiida.save"
    save.mkdir(parents=True)
    (save / XML_NAME).touch()
    assert str(refuse_missing_files("lead", folder)).startswith("lead = no charge-density in ")
    # of HDF5 or not
    (save / "charge-density.hdf5").touch()
    assert refuse_missing_files("lead", folder) is None
