"""Input folders of calculations without running them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory


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
def inputs(
    cluster: orm.Computer,
    finished_pw: Callable[..., orm.RemoteData],
    lead_cell: tuple[np.ndarray, np.ndarray],
    junction_cell: tuple[np.ndarray, np.ndarray],
) -> dict[str, Any]:
    """Inputs of a pwcond.x run on a lead and on two leads in a row."""
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], weights=[0.25, 0.75])
    return {
        "code": orm.InstalledCode(computer=cluster, filepath_executable="/bin/true", label="pwcond").store(),
        "left_lead": finished_pw(*lead_cell),
        "junction": finished_pw(*junction_cell, fft_grid=(27, 27, 180), smooth_fft_grid=(27, 27, 180)),
        "parameters": orm.Dict({"ewind": 0.5, "epsproj": 1e-4, "nz1": 3}),
        "kpoints": kpoints,
        "energies": orm.List([0.1, 0.0, -0.2]),
    }
