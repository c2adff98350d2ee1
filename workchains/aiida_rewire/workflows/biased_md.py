"""Biased molecular dynamics in as many jobs as it takes."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, while_
from aiida.manage.caching import enable_caching

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.workflows.failures import declare_exit_codes_of
from aiida_rewire.workflows.functions.segments import BIAS, RESULTS, join_segments
from aiida_rewire.workflows.steps import RepeatableSteps

UNFINISHED = "ERROR_UNFINISHED"
NO_CHECKPOINT = "ERROR_NO_CHECKPOINT"
LOG_MISSING = "ERROR_LOG_MISSING"


def segment_name(number: int) -> str:
    """Name of a job of a run as a link label."""
    return f"segment_{number:04d}"


class BiasedMdWorkChain(RepeatableSteps, WorkChain):
    """Run a biased molecular dynamics job after job, each from the last checkpoint of the one before.

    A job that is killed or out of wall time loses what it did since its last checkpoint. Jobs that come to no
    checkpoint are tried again; other failures end with the calculation's own exit code.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(BiasedMdCalculation, namespace="md")
        spec.input(
            "attempts",
            valid_type=orm.Int,
            default=lambda: orm.Int(3),
            serializer=orm.to_aiida_type,
            validator=lambda node, _: None if node.value >= 1 else f"attempts = {node.value}: must be at least 1",
            help="Jobs in a row that may end without a checkpoint.",
        )
        spec.input(
            "reuse_finished",
            valid_type=orm.Bool,
            default=lambda: orm.Bool(False),
            serializer=orm.to_aiida_type,
            help="Take a finished job with the same inputs, seed included, if its checkpoint is still there.",
        )
        spec.outline(cls.setup, while_(cls.unfinished)(cls.run_segment, cls.inspect_segment), cls.join)
        spec.output("results", valid_type=orm.Dict, help="Of all jobs together.")
        spec.output("bias", valid_type=orm.ArrayData, required=False, help="Voltage and currents of the whole run.")
        spec.output("remote_folder", valid_type=orm.RemoteData, help="Folder of the last job.")
        spec.output_namespace(
            "segments",
            valid_type=orm.FolderData,
            dynamic=True,
            help="Retrieved files of each job, frames among them.",
        )
        declare_exit_codes_of(spec, BiasedMdCalculation)

    def setup(self) -> None:
        """Begin with what the first job goes on from, if anything."""
        self.ctx.segments = []
        self.ctx.jobs = 0
        self.ctx.stalled = 0
        self.ctx.complete = False
        self.ctx.going_on = {}

    def unfinished(self) -> bool:
        """Whether steps are left."""
        return not self.ctx.complete

    def run_segment(self) -> ToContext:
        """Submit the next job."""
        inputs = self.exposed_inputs(BiasedMdCalculation, "md")
        inputs |= self.ctx.going_on
        inputs.metadata["call_link_label"] = segment_name(self.ctx.jobs)
        self.ctx.jobs += 1
        if not self.inputs.reuse_finished:
            return ToContext(job=self.submit(BiasedMdCalculation, **inputs))
        with enable_caching(identifier=BiasedMdCalculation.build_process_type()):
            return ToContext(job=self.submit(BiasedMdCalculation, **inputs))

    def inspect_segment(self) -> ExitCode | None:
        """Keep what the job did, go on from its checkpoint, or end with its exit code."""
        job = self.ctx.job
        codes = BiasedMdCalculation.exit_codes
        if job.is_finished and "results" in job.outputs and job.exit_status in (0, codes[UNFINISHED].status):
            self.ctx.stalled = 0
            self.ctx.segments.append(job.pk)
            self.ctx.complete = job.outputs.results["complete"]
            self.ctx.going_on = {
                "parent_folder": job.outputs.remote_folder,
                "parent_results": job.outputs.results,
            }
            return None
        self.ctx.stalled += 1
        can_be_repeated = job.exit_status in (codes[NO_CHECKPOINT].status, codes[LOG_MISSING].status)
        if can_be_repeated and self.ctx.stalled < self.inputs.attempts.value:
            self.report(f"<{job.pk}> ended without a checkpoint; trying again: {job.exit_message}")
            return None
        return ExitCode(job.exit_status or 1, job.exit_message or f"<{job.pk}> is {job.process_state}")

    def join(self) -> None:
        """Hand out what all jobs did."""
        jobs = [orm.load_node(pk) for pk in self.ctx.segments]
        parts = {f"{RESULTS}{number:04d}": job.outputs.results for number, job in enumerate(jobs)}
        parts |= {f"{BIAS}{number:04d}": job.outputs.bias for number, job in enumerate(jobs) if "bias" in job.outputs}
        joined = self.once(join_segments, "join_segments", **parts)
        for name in joined.outputs:
            self.out(name, joined.outputs[name])
        self.out("remote_folder", jobs[-1].outputs.remote_folder)
        self.out("segments", {segment_name(number): job.outputs.retrieved for number, job in enumerate(jobs)})
