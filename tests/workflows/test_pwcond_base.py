"""How the grid is dealt to jobs, what is kept of them, and what is tried again; nothing is run here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.orm.utils.serialize import deserialize_unsafe, serialize

from aiida_rewire.calculations.pwcond import FATAL_EXIT_CODES, PwcondCalculation
from aiida_rewire.transport.numerics import ladder
from aiida_rewire.transport.shards import Shard
from aiida_rewire.workflows.pwcond import Pair, PwcondBaseWorkChain, options_for

Chain = Callable[..., PwcondBaseWorkChain]
Cell = tuple[np.ndarray, np.ndarray]

NUMERICS = {"ewind": 1.0, "epsproj": 1e-5, "nz1": 3}
GRID = {(energy, kpoint) for energy in range(3) for kpoint in range(2)}


@pytest.fixture
def scratch(
    finished_pw: Callable[..., orm.RemoteData], aiida_localhost: orm.Computer, tmp_path: Path
) -> Callable[..., orm.RemoteData]:
    """Make a finished SCF whose files are there."""

    def factory(cell: Cell, *, whole: bool = True, **run: Any) -> orm.RemoteData:
        folder = tmp_path / f"scratch {len(list(tmp_path.iterdir()))}"
        save = folder / "out" / "aiida.save"
        save.mkdir(parents=True)
        for name in ("data-file-schema.xml", "charge-density.dat") if whole else ("data-file-schema.xml",):
            (save / name).touch()
        return finished_pw(*cell, computer=aiida_localhost, path=str(folder), **run)

    return factory


@pytest.fixture
def chain(
    scratch: Callable[..., orm.RemoteData], aiida_localhost: orm.Computer, lead_cell: Cell, junction_cell: Cell
) -> Chain:
    """Begin a work chain on two k-points and three energies."""

    def factory(
        *, lsda: bool = False, begin: bool = True, inputs: dict[str, Any] | None = None, **own: Any
    ) -> PwcondBaseWorkChain:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], weights=[0.25, 0.75])
        given = {
            "code": orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/true", label="pwcond"),
            "left_lead": scratch(lead_cell, lsda=lsda),
            "junction": scratch(junction_cell, lsda=lsda),
            "parameters": orm.Dict(NUMERICS),
            "kpoints": kpoints,
            "energies": orm.List([0.1, 0.0, -0.2]),
            **(inputs or {}),
        }
        given = {name: value for name, value in given.items() if value is not None}
        made: PwcondBaseWorkChain = instantiate_process(
            get_manager().get_runner(), PwcondBaseWorkChain, pwcond=given, **own
        )
        made.setup()
        if begin:
            assert made.check_parents() is None
        return made

    return factory


def computed(pairs: set[tuple[int, int]]) -> orm.ArrayData:
    values = np.full((3, 2), np.nan)
    for pair in pairs:
        values[pair] = 0.5
    node = orm.ArrayData()
    node.set_array("transmission", values)
    return node


def job(
    exit_status: int | None = 0,
    pairs: set[tuple[int, int]] | None = None,
    failed: list[list[int]] | None = None,
    state: ProcessState = ProcessState.FINISHED,
) -> orm.CalcJobNode:
    """A job that ended, and what it stored."""
    node = orm.CalcJobNode(process_type="aiida.calculations:rewire.pwcond")
    node.set_process_label("PwcondCalculation")
    node.set_process_state(state)
    if exit_status is not None:
        node.set_exit_status(exit_status)
        node.set_exit_message(f"message of {exit_status}")
    node.store()
    outputs: dict[str, orm.Data] = {"results": orm.Dict({"failed_pairs": failed or []})}
    if pairs:
        outputs["transmission"] = computed(pairs)
    for label, data in outputs.items():
        data.base.links.add_incoming(node, LinkType.CREATE, label)
        data.store()
    return node


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> Callable[[PwcondBaseWorkChain], list[dict[str, Any]]]:
    """Let a work chain run its jobs into a list; each set of inputs is one that the calculation takes."""

    def run(made: PwcondBaseWorkChain) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def submit(process: Any, **inputs: Any) -> orm.CalcJobNode:
            assert process is PwcondCalculation
            instantiate_process(get_manager().get_runner(), process, **inputs)
            found.append(inputs)
            return job()

        monkeypatch.setattr(made, "submit", submit)
        made.run_jobs()
        return found

    return run


def shards_of(inputs: dict[str, Any]) -> list[Shard]:
    return [Shard.from_list(entry) for entry in inputs["shards"].get_list()]


def test_all_pairs_are_to_be_computed(chain: Chain) -> None:
    made = chain()
    assert made.pairs_left()
    assert set(made.ctx.pending) == {Pair("", energy, kpoint, 0) for energy, kpoint in GRID}
    assert len(made.ctx.pending) == 6


def test_polarised_runs_are_computed_for_each_spin(chain: Chain, submitted: Callable[..., Any]) -> None:
    made = chain(lsda=True)
    assert len(made.ctx.pending) == 12
    jobs = submitted(made)
    assert [inputs["spin"].value for inputs in jobs] == ["up", "down"]
    assert all(set().union(*(shard.pairs for shard in shards_of(inputs))) == GRID for inputs in jobs)


@pytest.mark.parametrize(
    ("max_shards", "per_job", "jobs"), [(1, 1, [1]), (2, 1, [1, 1]), (2, 2, [2]), (6, 4, [4, 2]), (99, 1, [1] * 6)]
)
def test_shards_are_dealt_to_jobs(
    chain: Chain, submitted: Callable[..., Any], max_shards: int, per_job: int, jobs: list[int]
) -> None:
    found = submitted(chain(max_shards=max_shards, shards_per_job=per_job))
    assert [len(shards_of(inputs)) for inputs in found] == jobs
    pairs = [pair for inputs in found for shard in shards_of(inputs) for pair in shard.pairs]
    assert sorted(pairs) == sorted(GRID)
    # a core for each of those that run side by side
    cores = [inputs["metadata"]["options"]["resources"]["num_mpiprocs_per_machine"] for inputs in found]
    assert cores == jobs
    labels = [inputs["metadata"]["call_link_label"] for inputs in found]
    assert labels == [f"round_1_job_{number}" for number in range(len(jobs))]


def test_what_a_time_out_left_is_computed_alone(chain: Chain, submitted: Callable[..., Any]) -> None:
    made = chain()
    made.keep(job(400, {(0, 0), (1, 0)}), {"pk": 1, "spin": "", "rung": 0})
    assert set(made.ctx.pending) == {Pair("", energy, kpoint, 0) for energy, kpoint in GRID - {(0, 0), (1, 0)}}
    assert [entry["pk"] for entry in made.ctx.parts] == [1]
    found = submitted(made)
    pairs = [pair for inputs in found for shard in shards_of(inputs) for pair in shard.pairs]
    assert sorted(pairs) == sorted(GRID - {(0, 0), (1, 0)})


def test_one_spin_is_not_taken_for_the_other(chain: Chain) -> None:
    made = chain(lsda=True)
    made.keep(job(0, GRID), {"pk": 1, "spin": "up", "rung": 0})
    assert {pair.spin for pair in made.ctx.pending} == {"down"}
    assert len(made.ctx.pending) == 6
    made.keep(job(0, GRID), {"pk": 2, "spin": "down", "rung": 0})
    assert not made.pairs_left()


def test_a_job_that_computed_nothing_is_no_part(chain: Chain) -> None:
    made = chain()
    made.keep(job(400), {"pk": 1, "spin": "", "rung": 0})
    assert made.ctx.parts == []
    assert len(made.ctx.pending) == 6


@pytest.mark.parametrize("exit_status", [410, 411, 412, 413])
def test_a_pair_at_which_the_numerics_fail_climbs_and_no_other(chain: Chain, exit_status: int) -> None:
    made = chain()
    made.climb(job(exit_status, failed=[[1, 1]]), {"spin": "", "rung": 0})
    climbed = [pair for pair in made.ctx.pending if pair.rung]
    assert climbed == [Pair("", 1, 1, 1)]
    assert len(made.ctx.pending) == 6


@pytest.mark.parametrize("exit_status", [0, 130, 303, 310, 330, 400])
def test_nothing_climbs_where_the_numerics_did_not_fail(chain: Chain, exit_status: int) -> None:
    made = chain()
    made.climb(job(exit_status, failed=[[1, 1]]), {"spin": "", "rung": 0})
    assert {pair.rung for pair in made.ctx.pending} == {0}


def test_a_pair_climbs_from_where_it_stood_for_its_own_spin(chain: Chain) -> None:
    made = chain(lsda=True)
    failure = job(410, failed=[[1, 1]])
    made.climb(failure, {"spin": "down", "rung": 0})
    assert [pair for pair in made.ctx.pending if pair.rung] == [Pair("down", 1, 1, 1)]
    # a failure of another rung says nothing
    made.climb(failure, {"spin": "down", "rung": 0})
    assert [pair for pair in made.ctx.pending if pair.rung] == [Pair("down", 1, 1, 1)]


def test_the_ladder_has_an_end(chain: Chain) -> None:
    made = chain()
    highest = len(ladder(NUMERICS)) - 1
    for rung in range(highest + 3):
        made.climb(job(410, failed=[[1, 1]]), {"spin": "", "rung": min(rung, highest)})
    assert [pair.rung for pair in made.ctx.pending if pair.rung] == [highest]


def test_pairs_of_different_rungs_run_in_jobs_of_their_own(chain: Chain, submitted: Callable[..., Any]) -> None:
    made = chain()
    for rung, pair in enumerate([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]):
        made.ctx.pending[made.ctx.pending.index(Pair("", *pair, 0))] = Pair("", *pair, rung)
    found = {tuple(sorted(set().union(*(s.pairs for s in shards_of(i))))): i for i in submitted(made)}
    assert set(found) == {(pair,) for pair in GRID}
    # no rectangle holds what is left of rung 0
    parameters = {pairs[0]: inputs["parameters"].get_dict() for pairs, inputs in found.items()}
    assert parameters[0, 0] == NUMERICS
    assert parameters[0, 1] == {**NUMERICS, "ewind": 2.0}
    assert parameters[1, 0] == {**NUMERICS, "epsproj": pytest.approx(1e-6)}
    assert parameters[1, 1] == {**NUMERICS, "nz1": 5}
    assert parameters[2, 0] == NUMERICS
    energies = {pairs[0]: inputs["energies"].get_list() for pairs, inputs in found.items()}
    assert energies[1, 1] == [0.1, 0.0, -0.2]
    # the whole list is nudged, so that a shard's places stay
    assert energies[2, 0] == pytest.approx([0.101, 0.001, -0.199], abs=1e-12)
    # what the work chain was asked for stays
    assert made.ctx.inputs.parameters.get_dict() == NUMERICS
    assert made.ctx.inputs.energies.get_list() == [0.1, 0.0, -0.2]


FINAL = sorted({status for status, _, _ in FATAL_EXIT_CODES.values() if status < 400} | {330, 331, 332, 333, 334})


@pytest.mark.parametrize("exit_status", FINAL)
def test_a_failure_that_no_restart_mends_ends_with_its_own_code(chain: Chain, exit_status: int) -> None:
    found = chain().final_failure(job(exit_status))
    assert found == ExitCode(exit_status, f"message of {exit_status}")


# AiiDA's own: nothing retrieved, out of memory, out of wall time, node failure
@pytest.mark.parametrize("exit_status", [0, 100, 110, 120, 140, 303, 400, 410, 411, 412, 413])
def test_what_a_restart_may_mend_is_not_final(chain: Chain, exit_status: int) -> None:
    assert chain().final_failure(job(exit_status)) is None


@pytest.mark.parametrize(("state", "words"), [(ProcessState.KILLED, "killed"), (ProcessState.EXCEPTED, "excepted")])
def test_a_job_that_was_ended_from_outside_is_final(chain: Chain, state: ProcessState, words: str) -> None:
    found = chain().final_failure(job(None, state=state))
    assert found is not None
    assert found.status == 342
    assert words in found.message


def inspected(made: PwcondBaseWorkChain, *jobs: orm.CalcJobNode, rung: int = 0) -> ExitCode | None:
    made.ctx.submitted = [{"pk": node.pk, "spin": "", "rung": rung} for node in jobs]
    return made.inspect_jobs()


def test_two_rounds_without_anything_computed_are_the_end(chain: Chain) -> None:
    made = chain()
    assert inspected(made, job(400)) is None
    # something computed starts the count again
    assert inspected(made, job(400, {(0, 0)})) is None
    assert inspected(made, job(400)) is None
    assert inspected(made, job(303)) == ExitCode(303, "message of 303")


def test_other_numerics_are_no_fruitless_round(chain: Chain) -> None:
    made = chain()
    rungs = len(ladder(NUMERICS))
    failure = job(412, failed=[[0, 0]])
    found = [inspected(made, failure, rung=min(number, rungs - 1)) for number in range(rungs + 1)]
    # one round on each rung, and the last once more
    assert found[:-1] == [None] * rungs
    assert found[-1] == ExitCode(412, "message of 412")


def test_a_final_failure_of_one_job_does_not_lose_what_another_computed(chain: Chain) -> None:
    made = chain()
    assert inspected(made, job(330), job(0, GRID)) == ExitCode(330, "message of 330")
    assert len(made.ctx.parts) == 1
    assert not made.pairs_left()


def test_rounds_are_counted(chain: Chain, submitted: Callable[..., Any]) -> None:
    made = chain(max_iterations=2)
    assert len(submitted(made)) == len(submitted(made)) == 1
    code = made.run_jobs()
    assert isinstance(code, ExitCode)
    assert code.status == 341
    assert code.message == "6 (k, E) pairs are left after 2 rounds of jobs."


def test_what_is_left_survives_a_restart_of_the_daemon(chain: Chain) -> None:
    made = chain(lsda=True)
    made.climb(job(410, failed=[[1, 1]]), {"spin": "up", "rung": 0})
    loaded = deserialize_unsafe(serialize(made.ctx.pending))
    assert loaded == made.ctx.pending
    assert all(isinstance(pair, Pair) for pair in loaded)


def refused(made: PwcondBaseWorkChain) -> str:
    code = made.check_parents()
    assert isinstance(code, ExitCode)
    assert code.status == 220
    assert not made.pairs_left()
    assert str(code.message).startswith("Nothing was submitted, the inputs do not fit: ")
    return str(code.message)


def test_a_guard_ends_the_chain_before_anything_is_submitted(
    chain: Chain, scratch: Callable[..., orm.RemoteData], junction_cell: Cell
) -> None:
    for run, words in (
        ({"smooth_fft_grid": (30, 30, 90)}, "junction.smooth_fft_grid = 30 x 30"),
        ({"exit_status": 410}, "must be finished without an error"),
        ({"files": {}}, "data-file-schema.xml retrieved"),
        ({"lsda": True}, "junction.lsda = true"),
    ):
        made = chain(begin=False, inputs={"junction": scratch(junction_cell, **run)})
        assert words in refused(made)


def test_files_that_are_gone_are_named_before_anything_is_submitted(
    chain: Chain, scratch: Callable[..., orm.RemoteData], lead_cell: Cell
) -> None:
    made = chain(begin=False, inputs={"left_lead": scratch(lead_cell, whole=False)})
    code = made.check_parents()
    assert isinstance(code, ExitCode)
    assert code.status == 319
    assert "left_lead = no charge-density in" in str(code.message)
    assert not made.pairs_left()


def test_a_guard_on_the_combination_ends_the_chain_as_well(chain: Chain) -> None:
    assert "parents = none" in refused(chain(begin=False, inputs={"left_lead": None, "junction": None}))
    assert "parents = junction" in refused(chain(begin=False, inputs={"left_lead": None}))
    options = {"withmpi": True, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 3}}
    assert "3 ranks: must be 2^N" in refused(chain(begin=False, inputs={"metadata": {"options": options}}))


def test_shards_side_by_side_under_mpi_end_the_chain_before_anything_is_submitted(chain: Chain) -> None:
    options = {"withmpi": True, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}}
    made = chain(begin=False, inputs={"metadata": {"options": options}}, max_shards=2, shards_per_job=2)
    assert "with MPI" in refused(made)


@pytest.mark.parametrize("max_shards", [1, 2])
def test_complex_bands_are_computed_in_one_run(chain: Chain, submitted: Callable[..., Any], max_shards: int) -> None:
    # a run of a part of the grid leaves no band file of the whole
    found = submitted(chain(inputs={"junction": None}, max_shards=max_shards))
    assert [shards_of(inputs) for inputs in found] == [[Shard(0, 1, 0, 2)]]


def test_a_mesh_is_reduced_before_it_is_dealt(chain: Chain, submitted: Callable[..., Any]) -> None:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 1])
    made = chain(inputs={"kpoints": mesh})
    # three-fold around z: the centre, and one of three M points
    assert {pair.kpoint for pair in made.ctx.pending} == {0, 1}
    assert len(submitted(made)) == 1


@pytest.mark.parametrize(
    ("resources", "shards", "changed"),
    [
        ({"num_machines": 1}, 1, {"num_machines": 1}),
        ({"num_machines": 1}, 3, {"num_machines": 1, "num_mpiprocs_per_machine": 3}),
        ({"num_machines": 1, "num_mpiprocs_per_machine": 2}, 3, {"num_machines": 1, "num_mpiprocs_per_machine": 3}),
        ({"num_machines": 1, "num_mpiprocs_per_machine": 8}, 3, {"num_machines": 1, "num_mpiprocs_per_machine": 8}),
        ({"tot_num_mpiprocs": 4, "parallel_env": "smp"}, 3, {"tot_num_mpiprocs": 4, "parallel_env": "smp"}),
    ],
)
def test_each_shard_has_a_core(resources: dict[str, Any], shards: int, changed: dict[str, Any]) -> None:
    options = {"resources": resources, "max_wallclock_seconds": 60}
    before = dict(resources)
    assert options_for(options, shards) == {"resources": changed, "max_wallclock_seconds": 60}
    assert resources == before


@pytest.mark.parametrize("name", ["max_shards", "shards_per_job", "max_iterations"])
def test_counts_are_positive(chain: Chain, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = 0: must be at least 1"):
        chain(**{name: 0})
