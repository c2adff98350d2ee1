"""How long a campaign may still take, at the pace that it had so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiida_rewire.campaign.branches import Segment
from aiida_rewire.campaign.census import Census
from aiida_rewire.campaign.chains import Chain

EVERY = ""
"""Name under which the pace of all chains together stands."""


@dataclass
class Pace:
    """Times that passed, waiting in queues included, and what was done in them.

    Attributes
    ----------
    md_s, md_ps
        Of the dynamics' jobs, s, and how far they came, ps.
    snapshots_s, snapshots
        From the beginning of lanes to their last conductance, s, and how many there were by then.
    """

    md_s: float = 0.0
    md_ps: float = 0.0
    snapshots_s: float = 0.0
    snapshots: int = 0

    def add(self, other: Pace) -> None:
        """Add what another chain did."""
        self.md_s += other.md_s
        self.md_ps += other.md_ps
        self.snapshots_s += other.snapshots_s
        self.snapshots += other.snapshots


@dataclass(frozen=True)
class Left:
    """What is left to do of a chain: dynamics (ps) and snapshots."""

    md_ps: float
    snapshots: int


def pace_of(chains: Sequence[Chain], census: Census) -> dict[str, Pace]:
    """Return the pace of each chain by its name, and that of all under `EVERY`."""
    found = {chain.name: pace_of_chain(chain, census) for chain in chains}
    together = Pace()
    for pace in found.values():
        together.add(pace)
    return {**found, EVERY: together}


def pace_of_chain(chain: Chain, census: Census) -> Pace:
    """Return the pace of a chain; jobs from the cache took no time, and tell nothing."""
    pace = Pace()
    for part in census.parts.get(chain.name, ()):
        for segment in census.segments.get(part.pk, ()):
            if not segment.cached and segment.last_step is not None:
                pace.md_s += segment.seconds
                pace.md_ps += ps_of(segment, chain.values[part.name])
    attempts = census.attempts.get(chain.name, ())
    parts = census.parts.get(chain.name, ())
    stored = [one.stored for one in census.conductances.get(chain.name, {}).values()]
    for number, attempt in enumerate(attempts):
        end = attempts[number + 1].ctime if number + 1 < len(attempts) else None
        lanes = [part.began for part in parts if part.attempt == attempt.pk and part.is_lane]
        times = [time for time in stored if attempt.ctime <= time and (end is None or time < end)]
        if lanes and times:
            pace.snapshots_s += (max(times) - min(lanes)).total_seconds()
            pace.snapshots += len(times)
    return pace


def ps_of(segment: Segment, conditions: Mapping[str, float]) -> float:
    """Return how far a job brought the dynamics, ps."""
    return ((segment.last_step or 0) - (segment.first_step or 0)) * conditions["timestep_fs"] / 1000


def time_left_s(left: Left, own: Pace, every: Pace) -> float | None:
    """Return how long a chain may still take, s: at its own pace, or that of all; None where neither is known."""
    seconds = 0.0
    if left.md_ps > 0:
        pace = own if own.md_ps > 0 else every
        if pace.md_ps <= 0:
            return None
        seconds += left.md_ps * pace.md_s / pace.md_ps
    if left.snapshots > 0:
        pace = own if own.snapshots else every
        if not pace.snapshots:
            return None
        seconds += left.snapshots * pace.snapshots_s / pace.snapshots
    return seconds


def campaign_left_s(chains: Sequence[float | None], at_once: int) -> float | None:
    """Return how long chains may still take, so many at a time, s; None where one of them is not known.

    Parameters
    ----------
    chains
        Of those that are not over, s.
    at_once
        Chains at a time.
    """
    known = [seconds for seconds in chains if seconds is not None]
    if not known or len(known) < len(chains):
        return None
    return max(max(known), sum(known) / at_once)
