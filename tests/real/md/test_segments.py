"""A run through the engine: in one job or in many, killed, out of time, on two ranks, with and without the driver."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from tests.real.conftest import OPTIONS
from tests.real.md.conftest import MPIEXEC

from aiida_rewire.junction.tips import TipPair
from aiida_rewire.workflows.biased_md import BiasedMdWorkChain
from aiida_rewire.workflows.dynamics import TIP_GROUPS

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

Move = Callable[..., orm.WorkChainNode]


@pytest.fixture(scope="module")
def structure(small_tips: TipPair) -> orm.StructureData:
    """The tips as a node."""
    node = orm.StructureData(pbc=[False] * 3)
    for position, region in zip(small_tips.positions.tolist(), small_tips.regions, strict=True):
        node.append_atom(position=position, symbols="Ag", name=str(region))
    return node.store()


@pytest.fixture(scope="module")
def move(md_code: orm.InstalledCode, potential: Any, structure: orm.StructureData) -> Move:
    """Run `BiasedMdWorkChain`."""

    def run(
        *, code: orm.InstalledCode | None = None, options: dict[str, Any] | None = None, **parameters: Any
    ) -> orm.WorkChainNode:
        values = {"steps": 100, "seed": 1, "voltage_v": 8.0, "dump_interval": 10, "checkpoint_interval": 35}
        md = {
            "code": code or md_code,
            "structure": structure,
            "potential": potential,
            "groups": TIP_GROUPS,
            "parameters": {**values, "minimize": True, **parameters},
            "metadata": {"options": {**OPTIONS, **(options or {})}},
        }
        return run_get_node(BiasedMdWorkChain, md=md)[1]

    return run


@pytest.fixture(scope="module")
def whole(move: Move) -> orm.WorkChainNode:
    """A run in one job."""
    node = move()
    assert node.is_finished_ok, node.exit_message
    return node


def frames(node: orm.WorkChainNode) -> str:
    """Text of all frames of a run."""
    segments = node.outputs.segments
    dumps = zip(sorted(segments), node.outputs.results["segments"], strict=True)
    return "".join(
        gzip.decompress(segments[name].base.repository.get_object_content(segment["dump_file"], mode="rb")).decode()
        for name, segment in dumps
    )


def checkpoint(node: orm.WorkChainNode) -> bytes:
    """Last restart file of a run."""
    folder = Path(node.outputs.remote_folder.get_remote_path())
    return (folder / node.outputs.results["checkpoint_file"]).read_bytes()


def jobs(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return sorted((job for job in node.called if isinstance(job, orm.CalcJobNode)), key=lambda job: job.pk)


def series(node: orm.WorkChainNode) -> np.ndarray:
    return np.array([node.outputs.bias.get_array(name) for name in ("step", "voltage_v", "anode_flux")])


def test_a_run_says_what_it_did(whole: orm.WorkChainNode) -> None:
    results = whole.outputs.results.get_dict()
    assert results["complete"]
    assert (results["last_step"], results["frames"], results["mpi_ranks"]) == (100, 11, 1)
    assert results["segments"] == [{"last_step": 100, "dump_file": "trajectory.lammpstrj.gz"}]
    assert results["anode_charge_e"] > 0.01
    assert results["steps_per_second"] > 10
    assert series(whole)[0].tolist() == list(range(0, 101, 10))
    assert series(whole)[1].tolist() == [8.0] * 11


def test_many_jobs_make_the_run_of_one_to_the_last_bit(move: Move, whole: orm.WorkChainNode) -> None:
    node = move(job_steps=35)
    assert node.is_finished_ok, node.exit_message
    assert [job.exit_status for job in jobs(node)] == [400, 400, 0]
    assert [segment["last_step"] for segment in node.outputs.results["segments"]] == [35, 70, 100]
    assert frames(node) == frames(whole)
    assert checkpoint(node) == checkpoint(whole)
    assert np.array_equal(series(node), series(whole))


KILLED_ONCE = """#!/bin/sh
if [ -e {count} ]; then exec {python} "$@"; fi
touch {count}
{python} "$@" &
while ! grep -q '^rewire: checkpoint' log.lammps 2>/dev/null; do sleep 0.02; done
kill -9 $!
"""


def test_a_killed_job_costs_what_came_after_its_checkpoint(
    move: Move, whole: orm.WorkChainNode, install: Callable[..., orm.InstalledCode], tmp_path: Path
) -> None:
    script = tmp_path / "killed.sh"
    script.write_text(KILLED_ONCE.format(count=tmp_path / "count", python=sys.executable))
    script.chmod(0o755)
    node = move(code=install("md-killed", str(script), "rewire.md"), steps=4_000, checkpoint_interval=500)
    assert node.is_finished_ok, node.exit_message
    first, *_ = jobs(node)
    assert first.exit_status == 400
    assert 500 <= first.outputs.results["last_step"] < 4_000
    assert node.outputs.results["frames"] == 401
    undisturbed = move(steps=4_000, checkpoint_interval=500)
    assert checkpoint(node) == checkpoint(undisturbed)
    assert frames(node) == frames(undisturbed)
    assert np.array_equal(series(node), series(undisturbed))


def test_a_wall_time_parts_a_run_into_jobs(move: Move) -> None:
    node = move(steps=5_000, checkpoint_interval=200, options={"max_wallclock_seconds": 3})
    assert node.is_finished_ok, node.exit_message
    assert len(jobs(node)) >= 2
    assert {job.exit_status for job in jobs(node)[:-1]} == {400}
    assert node.outputs.results["last_step"] == 5_000
    assert node.outputs.results["frames"] == 501


def test_jobs_that_never_come_to_a_checkpoint_end_the_run(
    move: Move, install: Callable[..., orm.InstalledCode]
) -> None:
    node = move(code=install("md-false", shutil.which("false") or "", "rewire.md"))
    assert node.exit_status == 303
    assert len(jobs(node)) == 3


def test_lammps_alone_does_the_same_in_one_job_and_in_many(
    move: Move, install: Callable[..., orm.InstalledCode]
) -> None:
    lammps = install("lmp-alone", str(Path(sys.executable).with_name("lmp")), "rewire.md")
    one = move(code=lammps, bias="none", voltage_v=0.0)
    many = move(code=lammps, bias="none", voltage_v=0.0, job_steps=35)
    driven = move(voltage_v=0.0)
    for node in (one, many, driven):
        assert node.is_finished_ok, node.exit_message
    assert "bias" not in one.outputs
    assert [job.exit_status for job in jobs(many)] == [400, 400, 0]
    assert frames(many) == frames(one) == frames(driven)
    assert checkpoint(many) == checkpoint(one)


def test_two_ranks_through_the_engine(
    aiida_profile: Any, move: Move, whole: orm.WorkChainNode, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mpich = orm.Computer("mpich", "localhost", transport_type="core.local", scheduler_type="core.direct")
    mpich.set_workdir(str(tmp_path_factory.mktemp("mpich")))
    mpich.set_mpirun_command([str(MPIEXEC), "-np", "{tot_num_mpiprocs}"])
    mpich.store().configure(safe_interval=0.0)
    mpich.set_minimum_job_poll_interval(0.2)
    code = orm.InstalledCode(
        label="md-mpi", computer=mpich, filepath_executable=sys.executable, default_calc_job_plugin="rewire.md"
    )
    options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}, "withmpi": True}
    node = move(code=code.store(), options=options)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results["mpi_ranks"] == 2
    for name in ("anode_charge_e", "cathode_charge_e"):
        assert node.outputs.results[name] == pytest.approx(whole.outputs.results[name], abs=1e-6)
