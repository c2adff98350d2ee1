"""Transmissions that physics or a published run fixes, through the plugins and the real codes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from subprocess import run as run_program
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, region_parameters
from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

LATTICE = Fcc111(4.16, 2)
DIMER_LENGTH = 2.85
K = (0.1, 0.2)
OPTIONS = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, "withmpi": False}


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("ld1")
    with fixture_path("ld1", "Ag.frozen-d.in").open() as generation:
        run_program(["ld1.x"], stdin=generation, cwd=folder, capture_output=True, check=True)
    return (folder / "Ag.frozen-d.UPF").read_bytes()


@pytest.fixture
def code(aiida_code_installed: Callable[..., orm.InstalledCode]) -> Callable[[str, str], orm.InstalledCode]:
    def get(program: str, plugin: str) -> orm.InstalledCode:
        path = shutil.which(program)
        assert path, f"{program} is not on PATH"
        return aiida_code_installed(
            filepath_executable=path,
            default_calc_job_plugin=plugin,
            label=program.replace(".", ""),
            prepend_text="export OMP_NUM_THREADS=1",
        )

    return get


@pytest.fixture
def scf(code: Callable[[str, str], orm.InstalledCode], pseudo: bytes) -> Callable[..., orm.RemoteData]:
    upf = UpfData(BytesIO(pseudo), filename="Ag.frozen-d.UPF")

    def converge(
        cell: np.ndarray, positions: np.ndarray, mesh: tuple[int, int, int], **system: Any
    ) -> orm.RemoteData:
        structure = orm.StructureData(cell=cell.tolist())
        for position in positions.tolist():
            structure.append_atom(position=position, symbols="Ag")
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(mesh)
        parameters = {
            "CONTROL": {"calculation": "scf"},
            "SYSTEM": {"ecutwfc": 15.0, "occupations": "smearing", "smearing": "mv", "degauss": 0.02},
            "ELECTRONS": {"conv_thr": 1e-8, "mixing_beta": 0.4},
        }
        parameters = region_parameters(parameters, structure, {"Ag": upf})
        parameters["SYSTEM"] |= system
        pw = {
            "code": code("pw.x", "rewire.pw"),
            "structure": structure,
            "pseudos": {"Ag": upf},
            "parameters": orm.Dict(parameters),
            "metadata": {"options": OPTIONS},
        }
        results, node = run_get_node(ExactPwBaseWorkChain, pw=pw, kpoints=kpoints)
        assert node.is_finished_ok, node.exit_message
        folder: orm.RemoteData = results["remote_folder"]
        return folder

    return converge


@pytest.fixture
def pwcond(code: Callable[[str, str], orm.InstalledCode]) -> Callable[..., tuple[dict[str, Any], orm.WorkChainNode]]:
    def join(lead: orm.RemoteData, junction: orm.RemoteData) -> tuple[dict[str, Any], orm.WorkChainNode]:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints([[*K, 0.0]], weights=[1.0])
        inputs = {
            "code": code("pwcond.x", "rewire.pwcond"),
            "left_lead": lead,
            "junction": junction,
            "kpoints": kpoints,
            "parameters": {"ewind": 1.0, "epsproj": 1e-3, "nz1": 3},
            "metadata": {"options": OPTIONS},
        }
        results, node = run_get_node(PwcondBaseWorkChain, pwcond=inputs)
        return results, node

    return join


def dimer_region() -> tuple[np.ndarray, np.ndarray]:
    h = LATTICE.layer_spacing
    snapshot = np.array([[0.0, 0.0, h], [0.0, 0.0, h + DIMER_LENGTH]])
    region = assemble_scattering_region(snapshot, FlatGap(0.0, 2 * h + DIMER_LENGTH), LATTICE)
    assert len(region.positions) == 22
    assert region.atoms_pushed == 0
    return region.cell, region.positions


def test_lead_dimer_and_guard(
    scf: Callable[..., orm.RemoteData], pwcond: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]]
) -> None:
    cell, positions = LATTICE.lead()
    lead = scf(cell, positions, (4, 4, 4))
    lines = Path(lead.get_remote_path(), "aiida.in").read_text().splitlines()
    at = lines.index("CELL_PARAMETERS angstrom")
    # the ten decimals that would scramble the density are off by up to 5e-11
    assert np.loadtxt(lines[at + 1 : at + 4]) == pytest.approx(cell, abs=1e-12)

    results, node = pwcond(lead, lead)
    assert node.is_finished_ok, node.exit_message
    pristine = results["transmission"]
    assert pristine.get_array("channels").tolist() == [[3]]
    # a pristine lead as its own junction transmits every channel
    assert pristine.get_array("transmission") == pytest.approx(3.0, abs=1e-5)

    dimer = scf(*dimer_region(), (2, 2, 1))
    results, node = pwcond(lead, dimer)
    assert node.is_finished_ok, node.exit_message
    transmission = results["transmission"].get_array("transmission")[0, 0]
    # the one conductance quantum of an Ag dimer
    assert transmission == pytest.approx(1.0007, abs=0.003)
    again, node = pwcond(lead, dimer)
    assert again["transmission"].get_array("transmission")[0, 0] == pytest.approx(transmission, abs=1e-6)

    other_grid = scf(*dimer_region(), (1, 1, 1), nr1=30, nr2=30, nr1s=30, nr2s=30)
    results, node = pwcond(lead, other_grid)
    assert node.exit_status == 220
    assert "junction.fft_grid = 30 x 30" in node.exit_message
    assert "27 x 27" in node.exit_message
    assert node.called == []
    assert "transmission" not in results
