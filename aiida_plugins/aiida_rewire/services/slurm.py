"""AiiDA's Slurm, for a ``squeue`` that now and then says nothing of a job that is there.

AiiDA takes a job as ended that ``squeue`` does not name, whatever the reason: an answer that was lost on its way, a
controller that had just taken over from another. What the job has not written yet is then missing, the next one does
the same work beside it, and of a queue of a hundred jobs a hundred fail.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from typing import Any

from aiida.schedulers import SchedulerError
from aiida.schedulers.datastructures import JobInfo, JobState
from aiida.schedulers.plugins.slurm import SlurmScheduler

LOGGER = logging.getLogger("aiida.scheduler.rewire")

JOB = re.compile(r"^JobId=(\d+) .*?\bJobState=([A-Z_]+)", re.MULTILINE)
UNKNOWN = "Invalid job id specified"
ABSENT = re.compile(r"scontrol: (command )?not found")

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
UNDER_WAY = frozenset(
    {"RUNNING", "COMPLETING", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}
)
"""States of a job that has not ended (the documentation of squeue)."""


class Slurm(SlurmScheduler):
    """The scheduler ``core.slurm``, which asks ``scontrol`` about jobs that ``squeue`` does not name.

    A job has ended where Slurm says that it has, or does not know it any more. Where there is no ``scontrol``, the
    word of ``squeue`` is taken.
    """

    def get_jobs(self, jobs: Sequence[str] | None = None, user: str | None = None, as_dict: bool = False) -> Any:
        """Return the jobs that have not ended: see the base class.

        Raises
        ------
        SchedulerError
            If nobody says whether a job has ended; AiiDA asks again.
        """
        found: dict[str, JobInfo] = super().get_jobs(jobs=jobs, user=user, as_dict=True)
        unnamed = [job for job in map(str, jobs or ()) if job not in found and job.isdigit()]
        if unnamed:
            found |= self.still_there(unnamed)
        return found if as_dict else list(found.values())

    def still_there(self, jobs: Collection[str]) -> dict[str, JobInfo]:
        """Return those of some jobs that have not ended as Slurm's controller knows them."""
        command = "; ".join(f"scontrol --oneliner show job {job}" for job in jobs)
        _, out, errors = self.transport.exec_command_wait(command)
        states = {job: state for job, state in JOB.findall(out) if job in jobs}
        if ABSENT.search(errors):
            return {}
        if len(states) + errors.count(UNKNOWN) < len(jobs):
            raise SchedulerError(f"squeue names none of {', '.join(jobs)}, and scontrol says: {errors.strip()}")
        there = {}
        for job, state in states.items():
            if state in WAITING | UNDER_WAY:
                LOGGER.warning("squeue says nothing of job %s, which scontrol knows as %s", job, state)
                there[job] = JobInfo()
                there[job].job_id = job
                there[job].job_state = JobState.QUEUED if state in WAITING else JobState.RUNNING
        return there
