"""Real pw.x, pp.x and pwcond.x, run by this process in a throw-away profile."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo import UpfData
from silver_wires import lead_wire, stretched_wire
from tests.real.conftest import OPTIONS

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, region_parameters
from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain

PLUGINS = {"pw": ("pw.x", "rewire.pw"), "pp": ("pp.x", "rewire.readback"), "pwcond": ("pwcond.x", "rewire.pwcond")}


@pytest.fixture(scope="session")
def codes(install: Callable[[str, str, str], orm.InstalledCode]) -> dict[str, orm.InstalledCode]:
    """The three programs of a transmission."""
    found = {label: shutil.which(program) for label, (program, _) in PLUGINS.items()}
    assert all(found.values()), f"not all on PATH: {found}"
    return {label: install(label, str(found[label]), plugin) for label, (_, plugin) in PLUGINS.items()}


@pytest.fixture(scope="session")
def made_pseudo(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], UpfData]:
    """Make a pseudopotential with ld1.x from one of the project's generation inputs."""
    made: dict[str, UpfData] = {}

    def make(name: str) -> UpfData:
        if name not in made:
            folder = tmp_path_factory.mktemp("ld1")
            with fixture_path("ld1", f"{name}.in").open() as generation:
                subprocess.run(["ld1.x"], stdin=generation, cwd=folder, capture_output=True, check=True)
            (upf,) = folder.glob("*.UPF")
            made[name] = UpfData(BytesIO(upf.read_bytes()), filename=upf.name).store()
        return made[name]

    return make


@pytest.fixture(scope="session")
def converge(codes: dict[str, orm.InstalledCode], made_pseudo: Callable[[str], UpfData]) -> Callable[..., Any]:
    """Run an SCF of silver with a frozen 4d shell; return its folder."""

    def run(
        structure: orm.StructureData, mesh: tuple[int, int, int], *, pseudo: UpfData | None = None, **system: Any
    ) -> orm.RemoteData:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(mesh)
        parameters = {
            "CONTROL": {"calculation": "scf"},
            "SYSTEM": {"ecutwfc": 15.0, "occupations": "smearing", "smearing": "mv", "degauss": 0.02},
            "ELECTRONS": {"conv_thr": 1e-9, "mixing_beta": 0.4},
        }
        builder = ExactPwBaseWorkChain.get_builder()
        builder.kpoints = kpoints
        builder.pw.code = codes["pw"]
        builder.pw.structure = structure
        builder.pw.pseudos = {"Ag": pseudo or made_pseudo("Ag.frozen-d")}
        builder.pw.parameters = orm.Dict(parameters)
        builder.pw.metadata.options = OPTIONS
        completed = region_parameters(parameters, structure, builder.pw.pseudos)
        completed["SYSTEM"] |= system
        builder.pw.parameters = orm.Dict(completed)
        results, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        folder: orm.RemoteData = results["remote_folder"]
        return folder

    return run


@pytest.fixture(scope="session")
def wire_scf(converge: Callable[..., orm.RemoteData]) -> dict[str, orm.RemoteData]:
    """SCF of an unbroken wire and of one with two gaps."""
    return {
        "left_lead": converge(lead_wire(), (2, 2, 12)),
        "junction": converge(stretched_wire(), (2, 2, 2)),
    }


@pytest.fixture(scope="session")
def conduct(codes: dict[str, orm.InstalledCode]) -> Callable[..., tuple[dict[str, Any], orm.WorkChainNode]]:
    """Run `PwcondBaseWorkChain`."""

    def run(
        folders: dict[str, orm.RemoteData],
        kpoints: list[tuple[float, float, float]],
        energies: list[float],
        *,
        code: orm.InstalledCode | None = None,
        parameters: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        max_shards: int = 1,
        shards_per_job: int = 1,
        max_iterations: int = 10,
        **more: Any,
    ) -> tuple[dict[str, Any], orm.WorkChainNode]:
        points = orm.KpointsData()
        points.set_kpoints([[kx, ky, 0.0] for kx, ky, _ in kpoints], weights=[w for _, _, w in kpoints])
        builder = PwcondBaseWorkChain.get_builder()
        builder.pwcond = {
            "code": code or codes["pwcond"],
            "kpoints": points,
            "energies": energies,
            "parameters": parameters or {"ewind": 1.0, "epsproj": 1e-3, "nz1": 3},
            "metadata": {"options": {**OPTIONS, **(options or {})}},
            **folders,
            **more,
        }
        builder.max_shards, builder.shards_per_job = max_shards, shards_per_job
        builder.max_iterations = max_iterations
        results, node = run_get_node(builder)
        return results, node

    return run


@pytest.fixture
def wrapped(
    install: Callable[[str, str, str], orm.InstalledCode], tmp_path: Path
) -> Callable[[str], orm.InstalledCode]:
    """Register pwcond.x behind a shell script that may fail first; ``$PWCOND`` is the real one."""

    def make(script: str) -> orm.InstalledCode:
        path = tmp_path / "pwcond-wrapped.x"
        path.write_text(f"#!/bin/sh\nPWCOND={shutil.which('pwcond.x')}\nCOUNT={tmp_path}/count\n{script}\n")
        path.chmod(0o755)
        return install(f"wrapped-{tmp_path.name}", str(path), "rewire.pwcond")

    return make
