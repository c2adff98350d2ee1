"""PWCOND on a whole (k, E) grid: in shards, and again where a run failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, while_

from aiida_rewire.calculations.parents import parent_run, refuse_missing_files
from aiida_rewire.calculations.pwcond import NUMERICAL_EXIT_CODES, PwcondCalculation, refuse_ranks
from aiida_rewire.calculations.pwcond_inputs import given_parents, grid_of, refuse_parents, scattering_kind
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.numerics import ladder
from aiida_rewire.transport.shards import Shard, cover
from aiida_rewire.workflows.failures import declare_exit_codes_of, why_failed
from aiida_rewire.workflows.functions.transmission import EXIT_NO_GRID, merge_shards, part_name
from aiida_rewire.workflows.steps import RepeatableSteps

FRUITLESS_ROUNDS = 2
"""After so many rounds in a row in which no (k, E) was computed, and no other numerics were left, it ends."""

OUTPUT_MISSING = 303
BOTH_SPINS = ("up", "down")


class Pair(NamedTuple):
    """An (energy, k) pair that is still to be computed."""

    spin: str
    energy: int
    kpoint: int
    rung: int


def validate_at_least_one(node: orm.Int, port: Any) -> str | None:
    """Ask for a positive number."""
    return None if node.value >= 1 else str(InvalidInput(port.name, node.value, "at least 1", "correct it"))


class PwcondBaseWorkChain(RepeatableSteps, WorkChain):
    """Compute the transmission on a grid of k-points and energies with as many pwcond.x runs as it takes.

    The grid is cut into shards, several of them run side by side in one job. Of a job that ended early, for
    whatever reason, the (k, E) pairs that it finished are kept, and only the others are run again. A pair at
    which the numerics fail is tried with others, which are recorded with the result. What a gate refuses is
    not tried again.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(PwcondCalculation, namespace="pwcond", exclude=("shards", "spin"))
        # the guards run in the outline, where a refusal is an exit code rather than an exception
        spec.inputs["pwcond"].validator = None
        count = {"valid_type": orm.Int, "serializer": orm.to_aiida_type, "validator": validate_at_least_one}
        spec.input("max_shards", **count, default=lambda: orm.Int(1), help="Runs of pwcond.x that share the grid.")
        spec.input(
            "shards_per_job",
            **count,
            default=lambda: orm.Int(1),
            help="Shards side by side in one job, each on one core of one machine.",
        )
        spec.input("max_iterations", **count, default=lambda: orm.Int(10), help="Rounds of jobs, restarts included.")
        spec.outline(
            cls.setup,
            cls.check_parents,
            while_(cls.pairs_left)(cls.run_jobs, cls.inspect_jobs),
            cls.merge,
        )
        spec.output(
            "transmission",
            valid_type=orm.ArrayData,
            required=False,
            help="energies (eV, descending), kpoints, weights; transmission (per spin), channels, unitarity, "
            "eigenchannels, numerics (rung of the ladder): (energies, k).",
        )
        spec.output("bands", valid_type=orm.ArrayData, required=False, help="Complex bands, without a junction.")
        declare_exit_codes_of(spec, PwcondCalculation)
        spec.exit_code(220, "ERROR_GUARD", message="Nothing was submitted, the inputs do not fit: {reason}")
        spec.exit_code(EXIT_NO_GRID, "ERROR_MERGE", message="The shards do not make up the grid: {reason}")
        spec.exit_code(341, "ERROR_ROUNDS", message="{left} (k, E) pairs are left after {rounds} rounds of jobs.")
        spec.exit_code(342, "ERROR_JOB_ENDED", message="A job was ended from outside: {reason}")

    def setup(self) -> None:
        """Take the inputs of the calculations."""
        self.ctx.inputs = AttributeDict(self.exposed_inputs(PwcondCalculation, "pwcond"))
        self.ctx.round = 0
        self.ctx.fruitless = 0
        self.ctx.parts = []
        self.ctx.pending = []

    def check_parents(self) -> ExitCode | None:
        """Run the guards, look for the files, and list the grid."""
        code: ExitCode
        inputs = self.ctx.inputs
        try:
            self.ctx.spins = self.spins_of_parents()
            checked = inputs if self.ctx.spins == [""] else {**inputs, "spin": orm.Str(self.ctx.spins[0])}
            refusal = refuse_parents(checked) or refuse_ranks(inputs, self.inputs.shards_per_job.value)
            if refusal is None:
                missing = [refuse_missing_files(name, remote) for name, remote in given_parents(inputs).items()]
                if any(missing):
                    code = self.exit_codes.ERROR_PARENT_FILES.format(reason="; ".join(filter(None, missing)))
                    return code
                self.ctx.pending = [
                    Pair(spin, energy, kpoint, 0)
                    for spin in self.ctx.spins
                    for energy, kpoint in sorted(grid_of(inputs).wanted)
                ]
                return None
        except InvalidInput as error:
            refusal = str(error)
        code = self.exit_codes.ERROR_GUARD.format(reason=refusal)
        return code

    def spins_of_parents(self) -> list[str]:
        """Return the spins to compute, one empty name where the parents are not polarised."""
        runs = [parent_run(name, remote) for name, remote in given_parents(self.ctx.inputs).items()]
        return list(BOTH_SPINS) if any(run.lsda for run in runs) else [""]

    def pairs_left(self) -> bool:
        """Whether (k, E) pairs are left."""
        return bool(self.ctx.pending)

    def jobs(self) -> Iterator[tuple[str, int, tuple[Shard, ...]]]:
        """Deal what is left out to jobs: spin, rung of the ladder, shards."""
        groups: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for spin, energy, kpoint, rung in self.ctx.pending:
            groups.setdefault((spin, rung), []).append((energy, kpoint))
        # complex bands take no time, and cannot be merged
        most = 1 if scattering_kind(self.ctx.inputs) == 0 else self.inputs.max_shards.value
        share = max(1, most // len(groups))
        for (spin, rung), pairs in groups.items():
            shards, beside = cover(pairs, share), self.inputs.shards_per_job.value
            for first in range(0, len(shards), beside):
                yield spin, rung, shards[first : first + beside]

    def run_jobs(self) -> ToContext | ExitCode:
        """Submit a job for each group of shards."""
        if self.ctx.round >= self.inputs.max_iterations.value:
            code: ExitCode = self.exit_codes.ERROR_ROUNDS.format(left=len(self.ctx.pending), rounds=self.ctx.round)
            return code
        self.ctx.round += 1
        self.ctx.submitted = []
        rungs = ladder(self.ctx.inputs.parameters.get_dict())
        awaited = []
        for number, (spin, rung, shards) in enumerate(self.jobs()):
            inputs = AttributeDict(self.ctx.inputs)
            inputs.metadata = AttributeDict(inputs.metadata)
            inputs.metadata.options = options_for(inputs.metadata.options, len(shards))
            inputs.metadata.call_link_label = f"round_{self.ctx.round}_job_{number}"
            inputs.shards = orm.List([shard.as_list() for shard in shards])
            if spin:
                inputs.spin = orm.Str(spin)
            if rungs[rung].parameters:
                inputs.parameters = orm.Dict({**inputs.parameters.get_dict(), **rungs[rung].parameters})
            if rungs[rung].energy_shift_ev:
                shifted = [energy + rungs[rung].energy_shift_ev for energy in inputs.energies.get_list()]
                inputs.energies = orm.List(shifted)
            job = self.submit(PwcondCalculation, **inputs)
            self.ctx.submitted.append({"pk": job.pk, "spin": spin, "rung": rung})
            awaited.append(job)
        return ToContext(**{f"round_{self.ctx.round}_job_{number}": job for number, job in enumerate(awaited)})

    def inspect_jobs(self) -> ExitCode | None:
        """Keep what was computed; find out what to do about the rest."""
        before = list(self.ctx.pending)
        final = None
        for entry in self.ctx.submitted:
            job = orm.load_node(entry["pk"])
            self.keep(job, entry)
            self.climb(job, entry)
            final = final or self.final_failure(job)
        if final is not None:
            return final
        if self.ctx.pending != before:
            self.ctx.fruitless = 0
            return None
        self.ctx.fruitless += 1
        if self.ctx.fruitless < FRUITLESS_ROUNDS:
            self.report(f"no (k, E) was computed: {why_failed(job)}; trying once more")
            return None
        return ExitCode(job.exit_status, job.exit_message)

    def keep(self, job: orm.CalcJobNode, entry: dict[str, Any]) -> None:
        """Take the pairs that a job computed off the list."""
        if "bands" in job.outputs:
            self.ctx.bands = job.outputs.bands
            self.ctx.pending = []
        if "transmission" not in job.outputs:
            return
        computed = {
            tuple(pair) for pair in np.argwhere(~np.isnan(job.outputs.transmission.get_array("transmission")))
        }
        self.ctx.parts.append(entry)
        self.ctx.pending = [
            pair for pair in self.ctx.pending if pair[0] != entry["spin"] or (pair[1], pair[2]) not in computed
        ]

    def climb(self, job: orm.CalcJobNode, entry: dict[str, Any]) -> None:
        """Give the pairs at which the numerics failed the next ones."""
        if job.exit_status not in NUMERICAL_EXIT_CODES or "results" not in job.outputs:
            return
        failed = {tuple(pair) for pair in job.outputs.results.get_dict().get("failed_pairs", [])}
        highest = len(ladder(self.ctx.inputs.parameters.get_dict())) - 1
        for index, (spin, energy, kpoint, rung) in enumerate(self.ctx.pending):
            if spin == entry["spin"] and rung == entry["rung"] < highest and (energy, kpoint) in failed:
                self.ctx.pending[index] = Pair(spin, energy, kpoint, rung + 1)
                self.report(f"{job.exit_message} Energy {energy}, k {kpoint}: rung {rung + 1} of the ladder")

    def final_failure(self, job: orm.CalcJobNode) -> ExitCode | None:
        """Return the exit code of a failure that no restart mends."""
        if job.is_killed or job.is_excepted:
            code: ExitCode = self.exit_codes.ERROR_JOB_ENDED.format(reason=why_failed(job))
            return code
        # below 200 stand those of AiiDA: out of wall time or memory, node failure, nothing retrieved
        if 200 <= job.exit_status < 400 and job.exit_status != OUTPUT_MISSING:
            return ExitCode(job.exit_status, job.exit_message)
        return None

    def merge(self) -> ExitCode | None:
        """Put the shards together."""
        if scattering_kind(self.ctx.inputs) == 0:
            self.out("bands", self.ctx.bands)
            return None
        rungs = ladder(self.ctx.inputs.parameters.get_dict())
        parts = {part_name(n): orm.load_node(e["pk"]).outputs.transmission for n, e in enumerate(self.ctx.parts)}
        origins = {
            part_name(n): {"spin": e["spin"], "numerics": rungs[e["rung"]].as_dict()}
            for n, e in enumerate(self.ctx.parts)
        }
        node = self.once(merge_shards, "merge_shards", self.ctx.inputs.energies, orm.Dict(origins), **parts)
        if not node.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_MERGE.format(reason=node.exit_message)
            return code
        self.out("transmission", node.outputs.result)
        return None


def options_for(options: Any, shards: int) -> dict[str, Any]:
    """Return the scheduler's options with a core for each shard that runs beside the others."""
    changed = dict(options)
    resources = dict(changed["resources"])
    if shards > 1 and "tot_num_mpiprocs" not in resources:
        resources["num_mpiprocs_per_machine"] = max(shards, resources.get("num_mpiprocs_per_machine", 1))
    changed["resources"] = resources
    return changed
