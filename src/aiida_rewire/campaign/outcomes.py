"""What the attempts of a chain come to: finished, tried again, or at their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, Attempt, Ending
from aiida_rewire.campaign.ways_out import PARENT_FILES

LARGEST_OF_AIIDA = 199
"""Exit statuses up to here are AiiDA's own: a scheduler that ended the job, an output that is missing."""

MENDABLE = range(400, 600)
"""Exit statuses of failures that another try may mend."""


class Outcome(StrEnum):
    """What becomes of a chain."""

    LIVE = "live"
    FINISHED = "finished"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Standing:
    """A chain in the light of its attempts.

    Attributes
    ----------
    outcome
        What becomes of it, if nobody pauses or kills it.
    attempts
        How many count.
    last
        The last of them.
    """

    outcome: Outcome
    attempts: int
    last: Attempt | None


def may_mend(status: int | None) -> bool:
    """Whether another try may mend a failure with this exit status."""
    if status is None:
        return False
    # nothing helps within an attempt, but the next one computes a lead again whose files are gone
    return 0 < status <= LARGEST_OF_AIIDA or status in MENDABLE or status == PARENT_FILES


def is_mendable(attempt: Attempt, missing: Sequence[Ending] | None) -> bool:
    """Whether another try may mend what ended an attempt.

    Parameters
    ----------
    attempt
        One that ended, not well.
    missing
        How the snapshots and lanes ended that gave nothing; None where nobody looked. An attempt that is missing
        snapshots alone is tried again if that may mend one of them: of a snapshot that was refused before any
        process began there is no ending.
    """
    if attempt.state != "failed":
        return attempt.state == "excepted"
    if attempt.exit_status == SNAPSHOTS_MISSING and missing is not None:
        return any(end.is_lane or end.state == "excepted" or may_mend(end.exit_status) for end in missing)
    return may_mend(attempt.exit_status)


def judge(
    attempts: Sequence[Attempt], *, automatic: int, granted: int, missing: Mapping[int, Sequence[Ending]]
) -> Standing:
    """Say what becomes of a chain.

    Each attempt after the first is owed to the end of the one before: to an automatic retry where another try may
    mend it and any are left, else to a granted one.

    Parameters
    ----------
    attempts
        Those that count, oldest first.
    automatic
        Further attempts after failures that another try may mend.
    granted
        Further attempts after any failure.
    missing
        How missing snapshots ended, by the PK of the attempt.
    """
    if not attempts:
        return Standing(Outcome.READY, 0, None)
    last = attempts[-1]
    if any(attempt.is_live for attempt in attempts):
        return Standing(Outcome.LIVE, len(attempts), last)
    if any(attempt.is_ok for attempt in attempts):
        return Standing(Outcome.FINISHED, len(attempts), last)
    for attempt in attempts:
        if automatic and is_mendable(attempt, missing.get(attempt.pk)):
            automatic -= 1
        elif granted:
            granted -= 1
        elif attempt is last:
            return Standing(Outcome.FAILED, len(attempts), last)
    return Standing(Outcome.READY, len(attempts), last)
