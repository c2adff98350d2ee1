"""A chain that costs nothing, in the place of the real one: jobs of /bin/bash that leave a line each in a file.

The daemon imports this module, and so does a controller that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec, ExitCode, ProcessSpec, ToContext, WorkChain, submit, while_

from aiida_rewire.campaign.attempts import attempt_label
from aiida_rewire.campaign.chains import Chain
from aiida_rewire.campaign.decisions import Need
from aiida_rewire.campaign.launching import ChainWorkflow
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.workflows.pausing import HoldsWhilePaused
from aiida_rewire.workflows.steps import RepeatableSteps

COMPUTER = "campaign-host"
CODE = f"bash@{COMPUTER}"


class LineJob(CalcJob):
    """Sleep, and leave a line in a file."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs."""
        super().define(spec)
        for name in ("file", "line", "seconds"):
            spec.input(name, valid_type=orm.Data, serializer=orm.to_aiida_type)
        spec.inputs["metadata"]["options"]["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        spec.inputs["metadata"]["options"]["withmpi"].default = False

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the script's command line."""
        words = [str(self.inputs[name].value) for name in ("seconds", "line", "file")]
        script = 'sleep "$0"; echo "$1" >> "$2"'
        code = CodeInfo({"code_uuid": self.inputs.code.uuid, "cmdline_params": ["-c", script, *words]})
        return CalcInfo({"codes_info": [code]})


class StandInLane(HoldsWhilePaused, RepeatableSteps, WorkChain):
    """Jobs one after another."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs and outline."""
        super().define(spec)
        for name in ("file", "line", "seconds", "jobs", "labels"):
            spec.input(name, valid_type=orm.Data, serializer=orm.to_aiida_type)
        spec.outline(cls.setup, while_(cls.left)(cls.next_job, cls.look))
        spec.exit_code(410, "ERROR_JOB", message="A job failed.")

    def setup(self) -> None:
        """Begin with the first."""
        self.ctx.done = 0

    def left(self) -> bool:
        """Whether jobs are left."""
        return bool(self.ctx.done < self.inputs.jobs.value)

    def next_job(self) -> ToContext:
        """Submit the next."""
        self.ctx.done += 1
        line = f"{self.inputs.line.value} {self.ctx.done}"
        metadata = {"call_link_label": f"job_{self.ctx.done}"}
        inputs = {"file": self.inputs.file, "line": line, "seconds": self.inputs.seconds, "metadata": metadata}
        return ToContext(job=self.submit(LineJob, code=orm.load_code(CODE), **inputs))

    def look(self) -> ExitCode | None:
        """End with a job that failed; else hold before the next."""
        if not self.ctx.job.is_finished_ok:
            failed: ExitCode = self.exit_codes.ERROR_JOB
            return failed
        if self.left():
            self.hold_if_paused()
        return None


class StandInChain(RepeatableSteps, WorkChain):
    """A lane, and the exit status that is wanted."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs and outline."""
        super().define(spec)
        for name in ("file", "line", "seconds", "jobs", "labels", "status"):
            spec.input(name, valid_type=orm.Data, serializer=orm.to_aiida_type)
        spec.outline(cls.run_lane, cls.end)

    def run_lane(self) -> ToContext:
        """Submit the lane."""
        inputs = {name: self.inputs[name] for name in ("file", "line", "seconds", "jobs", "labels")}
        return ToContext(lane=self.submit(StandInLane, **inputs, metadata={"call_link_label": "lane_0"}))

    def end(self) -> ExitCode | None:
        """End as wanted, or with a lane that failed."""
        if not self.ctx.lane.is_finished_ok:
            return ExitCode(self.ctx.lane.exit_status or 1, "its lane failed")
        return ExitCode(self.inputs.status.value, "as wanted") if self.inputs.status.value else None


class StandIn(ChainWorkflow):
    """How a stand-in is submitted.

    Parameters
    ----------
    file
        For the lines of the jobs.
    seconds
        Length of each job, s.
    jobs
        How many.
    statuses
        Exit status of each attempt by chain; 0 beyond.
    """

    process_type = StandInChain.build_process_type()

    def __init__(
        self, file: Path, *, seconds: float = 0.0, jobs: int = 1, statuses: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        self.file, self.seconds, self.wanted, self.statuses = file, seconds, jobs, statuses or {}

    def submit(self, spec: CampaignSpec, chain: Chain, earlier: Sequence[int]) -> int:
        """Submit one."""
        statuses = self.statuses.get(chain.name, ())
        builder = StandInChain.get_builder()
        builder.file = str(self.file)
        builder.line = chain.name
        builder.seconds = self.seconds
        builder.jobs = self.wanted
        builder.labels = {"campaign": spec.label, "chain": chain.name}
        builder.status = statuses[len(earlier)] if len(earlier) < len(statuses) else 0
        builder.metadata.label = attempt_label(spec.label, chain.name)
        pk: int = submit(builder).pk
        return pk

    def needs(self, spec: CampaignSpec, chains: Sequence[Chain]) -> list[Need]:
        """A job at a time, and slots for chain, lane and job."""
        return [Need(chain.name, {COMPUTER: 1}, 3) for chain in chains]
