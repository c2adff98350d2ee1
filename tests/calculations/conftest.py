"""Input folders of calculations without running them, and pw.x runs that only the database knows."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.junction.lattice import Fcc111

LATTICE = Fcc111(4.16, 2)


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., tuple[Path, CalcInfo]]:
    """Validate inputs and write the input files of a calculation; return their folder and what AiiDA is told."""

    def factory(entry_point: str, inputs: dict[str, Any]) -> tuple[Path, CalcInfo]:
        process = instantiate_process(get_manager().get_runner(), CalculationFactory(entry_point), **inputs)
        folder = tmp_path / "calculation"
        folder.mkdir()
        return folder, process.prepare_for_submission(Folder(str(folder)))

    return factory


@pytest.fixture(scope="session")
def upf() -> Callable[..., UpfData]:
    """Make a pseudopotential that is only a header."""

    def factory(kind: str = "NC", valence: str = "1.00") -> UpfData:
        header = f'<PP_HEADER\nelement="Ag"\npseudo_type="{kind}"\nz_valence="{valence}"/>'
        return UpfData(io.BytesIO(f'<UPF version="2.0.1">\n{header}\n</UPF>\n'.encode()), filename="Ag.upf")

    return factory


@pytest.fixture(scope="session")
def silver() -> Callable[[np.ndarray, np.ndarray], orm.StructureData]:
    """Make a structure of silver."""

    def factory(cell: np.ndarray, positions: np.ndarray) -> orm.StructureData:
        structure = orm.StructureData(cell=cell.tolist())
        for position in positions.tolist():
            structure.append_atom(position=position, symbols="Ag")
        return structure

    return factory


@pytest.fixture(scope="session")
def cluster(aiida_profile: Any) -> orm.Computer:
    """A computer that nothing runs on."""
    computer = orm.Computer("cluster", "localhost", transport_type="core.local", scheduler_type="core.direct")
    return computer.store()


@pytest.fixture(scope="session")
def finished_pw(
    cluster: orm.Computer,
    upf: Callable[..., UpfData],
    silver: Callable[[np.ndarray, np.ndarray], orm.StructureData],
) -> Callable[..., orm.RemoteData]:
    """Store what a run of pw.x leaves in the database, and return its folder."""

    def factory(
        cell: np.ndarray,
        positions: np.ndarray,
        *,
        pseudo: UpfData | None = None,
        exit_status: int = 0,
        computer: orm.Computer | None = None,
        **results: Any,
    ) -> orm.RemoteData:
        computer = computer or cluster
        node = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:quantumespresso.pw")
        inputs = {"structure": silver(cell, positions), "pseudos__Ag": pseudo or upf()}
        for label, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        node.set_process_state("finished")
        node.set_exit_status(exit_status)
        node.store()
        parameters = {
            "fft_grid": [27, 27, 90],
            "smooth_fft_grid": [27, 27, 90],
            "wfc_cutoff": 204.0854,
            "rho_cutoff": 816.3415,
            "fermi_energy": -1.4,
            **results,
        }
        remote = orm.RemoteData(remote_path=f"/scratch/{node.uuid}", computer=computer)
        for label, data in (("output_parameters", orm.Dict(parameters)), ("remote_folder", remote)):
            data.base.links.add_incoming(node, LinkType.CREATE, label)
            data.store()
        node.seal()
        return remote

    return factory


@pytest.fixture(scope="session")
def lead_cell() -> tuple[np.ndarray, np.ndarray]:
    """Cell and positions of a lead."""
    return LATTICE.lead()


@pytest.fixture(scope="session")
def junction_cell() -> tuple[np.ndarray, np.ndarray]:
    """Cell and positions of two leads in a row."""
    cell, positions = LATTICE.lead()
    return cell * [[1], [1], [2]], np.vstack([positions, positions + cell[2]])
