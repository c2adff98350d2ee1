"""What a folder's provenance says about the pw.x run that left it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.parents import parent_run


def test_a_run_tells_cell_grids_cutoffs_and_fermi_energy(
    finished_pw: Callable[..., orm.RemoteData], lead_cell: tuple[np.ndarray, np.ndarray]
) -> None:
    run = parent_run("left_lead", finished_pw(*lead_cell, smooth_fft_grid=[24, 24, 80]))
    assert run.name == "left_lead"
    assert run.cell == pytest.approx(lead_cell[0], abs=1e-12)
    assert run.positions == pytest.approx(lead_cell[1], abs=1e-12)
    assert run.elements == ("Ag",) * 12
    assert run.fft_grid == (27, 27, 90)
    assert run.smooth_fft_grid == (24, 24, 80)
    assert (run.wavefunction_cutoff, run.density_cutoff) == (204.0854, 816.3415)
    assert run.fermi_energy == -1.4
    assert run.pseudo_types == {"NC"}


VERSION_1 = "<PP_HEADER>\n  0  Version Number\n  Ag  Element\n  {}  {} pseudopotential\n  11.0  Z valence\n"
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
    header: str, finished_pw: Callable[..., orm.RemoteData], lead_cell: tuple[np.ndarray, np.ndarray]
) -> None:
    text, kind = HEADERS[header]
    pseudo = UpfData(io.BytesIO(text.encode()), filename="Ag.upf")
    assert parent_run("junction", finished_pw(*lead_cell, pseudo=pseudo)).pseudo_types == {kind}


def test_a_run_without_fermi_energy_says_so(
    finished_pw: Callable[..., orm.RemoteData], lead_cell: tuple[np.ndarray, np.ndarray]
) -> None:
    assert parent_run("junction", finished_pw(*lead_cell, fermi_energy=None)).fermi_energy is None
