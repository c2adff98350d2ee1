"""How the jobs of a run are put together, and what is done when one ends; nothing is run here."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.workflows.biased_md import BiasedMdWorkChain, segment_name
from aiida_rewire.workflows.functions.segments import join_segments

Chain = Callable[..., BiasedMdWorkChain]


def results(last_step: int = 20, *, complete: bool = False, **changes: Any) -> orm.Dict:
    values = {
        "lammps_version": "22 Jul 2025", "complete": complete, "first_step": 0, "last_step": last_step,
        "checkpoint_file": "checkpoint.0.restart", "dump_file": "trajectory.lammpstrj.gz", "frames": 3,
        "wall_time_s": 2.0, "mpi_ranks": 1, "temperature_k": 800.0, "potential_energy_kcal_mol": -1.0,
        "anode_charge_e": 0.1, "cathode_charge_e": -0.1,
    }  # fmt: skip
    return orm.Dict({**values, **changes})


def series(*steps: int) -> orm.ArrayData:
    values = np.array(steps, dtype=float)
    return orm.ArrayData({"step": values, "voltage_v": values / 10, "anode_flux": -values, "cathode_flux": values})


def test_jobs_are_joined_to_the_run_that_they_make(aiida_profile: Any) -> None:
    joined = join_segments(
        # in no order
        results_0001=results(40, complete=True, first_step=20, frames=2, wall_time_s=3.0, temperature_k=700.0,
                             checkpoint_file="checkpoint.1.restart", dump_file="trajectory.lammpstrj"),
        results_0000=results(20),
        bias_0001=series(30, 40),
        bias_0000=series(0, 10, 20),
    )  # fmt: skip
    values = joined["results"].get_dict()
    assert (values["complete"], values["last_step"], values["frames"]) == (True, 40, 5)
    assert values["wall_time_s"] == 5.0
    assert values["steps_per_second"] == 8.0
    assert (values["temperature_k"], values["checkpoint_file"]) == (700.0, "checkpoint.1.restart")
    assert values["segments"] == [
        {"last_step": 20, "dump_file": "trajectory.lammpstrj.gz"},
        {"last_step": 40, "dump_file": "trajectory.lammpstrj"},
    ]
    assert joined["bias"].get_array("step").tolist() == [0, 10, 20, 30, 40]
    assert joined["bias"].get_array("anode_flux").tolist() == [0, -10, -20, -30, -40]
    assert joined["results"].creator == joined["bias"].creator


def test_a_run_without_a_driver_has_no_series(aiida_profile: Any) -> None:
    joined = join_segments(results_0000=results(40, complete=True, wall_time_s=0.0))
    assert set(joined) == {"results"}
    assert joined["results"]["steps_per_second"] is None


def test_names_of_segments_are_in_their_order() -> None:
    names = [segment_name(number) for number in (0, 9, 10, 999, 1000)]
    assert names == sorted(names)
    assert names[0] == "segment_0000"


@pytest.fixture
def chain(codes: dict[str, orm.InstalledCode], potential: LammpsPotentialData) -> Chain:
    """Begin a run of 40 steps."""

    def factory(*, attempts: int = 3, **md: Any) -> BiasedMdWorkChain:
        structure = orm.StructureData(pbc=[False] * 3)
        for number, kind in enumerate(("lower", "tip", "upper")):
            structure.append_atom(position=(0.0, 0.0, 3.0 * number), symbols="Ag", name=kind)
        given = {
            "code": codes["md"],
            "structure": structure,
            "potential": potential,
            "groups": {"fixed": ["lower", "upper"], "anode": ["lower"], "cathode": ["upper"]},
            "parameters": {"steps": 40, "seed": 1, "dump_interval": 10, "checkpoint_interval": 20, "voltage_v": 2.0},
            **md,
        }
        made: BiasedMdWorkChain = instantiate_process(
            get_manager().get_runner(), BiasedMdWorkChain, md=given, attempts=attempts
        )
        made.setup()
        return made

    return factory


def job(
    exit_status: int | None, outcome: orm.Dict | None = None, state: ProcessState = ProcessState.FINISHED
) -> orm.CalcJobNode:
    """A job that ended, and what it stored."""
    computer = orm.load_computer("chain")
    node = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:rewire.md")
    node.set_process_state(state)
    if exit_status is not None:
        node.set_exit_status(exit_status)
        node.set_exit_message(f"message of {exit_status}")
    node.store()
    outputs: dict[str, orm.Data] = {"remote_folder": orm.RemoteData(remote_path="/scratch/job", computer=computer)}
    if outcome is not None:
        outputs["results"] = outcome
    for label, data in outputs.items():
        data.base.links.add_incoming(node, LinkType.CREATE, label)
        data.store()
    return node


def inspected(made: BiasedMdWorkChain, node: orm.CalcJobNode) -> ExitCode | None:
    made.ctx.job = node
    return made.inspect_segment()


def submitted(made: BiasedMdWorkChain, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def submit(process: Any, **inputs: Any) -> orm.CalcJobNode:
        assert process is BiasedMdCalculation
        instantiate_process(get_manager().get_runner(), process, **inputs)
        found.append(inputs)
        return job(0)

    monkeypatch.setattr(made, "submit", submit)
    made.run_segment()
    return found[0]


def test_an_unfinished_job_is_gone_on_from(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    made = chain()
    assert made.unfinished()
    first = submitted(made, monkeypatch)
    assert "parent_folder" not in first
    assert first["metadata"]["call_link_label"] == "segment_0000"
    ended = job(400, results(20))
    assert inspected(made, ended) is None
    assert made.unfinished()
    second = submitted(made, monkeypatch)
    assert second["parent_folder"].uuid == ended.outputs.remote_folder.uuid
    assert second["parent_results"].uuid == ended.outputs.results.uuid
    assert second["metadata"]["call_link_label"] == "segment_0001"
    last = job(0, results(40, complete=True))
    assert inspected(made, last) is None
    assert not made.unfinished()
    assert made.ctx.segments == [ended.pk, last.pk]


def test_the_parent_of_the_run_is_that_of_its_first_job_alone(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    before = job(0, results(1000, complete=True))
    made = chain(parent_folder=before.outputs.remote_folder, parent_results=before.outputs.results)
    assert submitted(made, monkeypatch)["parent_results"].uuid == before.outputs.results.uuid
    ended = job(400, results(20))
    inspected(made, ended)
    assert submitted(made, monkeypatch)["parent_results"].uuid == ended.outputs.results.uuid


@pytest.mark.parametrize("exit_status", [401, 303])
def test_a_job_without_a_checkpoint_is_tried_again_from_where_it_began(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, exit_status: int
) -> None:
    made = chain()
    ended = job(400, results(20))
    inspected(made, ended)
    assert inspected(made, job(exit_status)) is None
    assert made.unfinished()
    assert made.ctx.segments == [ended.pk]
    assert submitted(made, monkeypatch)["parent_results"].uuid == ended.outputs.results.uuid


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_attempts_in_a_row_are_counted(chain: Chain, attempts: int) -> None:
    made = chain(attempts=attempts)
    for _ in range(attempts - 1):
        assert inspected(made, job(401)) is None
    # something done starts the count again
    assert inspected(made, job(400, results(20))) is None
    for _ in range(attempts - 1):
        assert inspected(made, job(303)) is None
    assert inspected(made, job(401)) == ExitCode(401, "message of 401")


@pytest.mark.parametrize("exit_status", [310, 311, 312, 313, 320, 321, 322, 100, 120])
def test_a_failure_that_a_repetition_does_not_mend_ends_with_its_own_code(chain: Chain, exit_status: int) -> None:
    made = chain()
    assert inspected(made, job(exit_status)) == ExitCode(exit_status, f"message of {exit_status}")
    # results beside a broken series are none
    assert inspected(made, job(exit_status, results(20))) == ExitCode(exit_status, f"message of {exit_status}")
    assert made.ctx.segments == []


@pytest.mark.parametrize(("state", "words"), [(ProcessState.KILLED, "killed"), (ProcessState.EXCEPTED, "excepted")])
def test_a_job_that_was_ended_from_outside_ends_the_run(chain: Chain, state: ProcessState, words: str) -> None:
    code = inspected(chain(), job(None, state=state))
    assert code is not None
    assert code.status == 1
    assert words in code.message.lower()


@pytest.mark.parametrize("exit_status", [0, 400])
def test_a_job_without_results_is_none_to_go_on_from(chain: Chain, exit_status: int) -> None:
    code = inspected(chain(), job(exit_status))
    assert code is not None
    assert code.status != 0


def test_no_attempt_is_refused(chain: Chain) -> None:
    with pytest.raises(ValueError, match="attempts = 0: must be at least 1"):
        chain(attempts=0)
