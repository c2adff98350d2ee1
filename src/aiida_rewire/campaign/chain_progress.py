"""How far a chain is: its state, its dynamics, its snapshots, its transmissions; from what the database said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, Attempt, Ending
from aiida_rewire.campaign.branches import Alive
from aiida_rewire.campaign.census import Census, Conductance, Part
from aiida_rewire.campaign.chains import Chain, snapshots_in
from aiida_rewire.campaign.decisions import counted
from aiida_rewire.campaign.extras import Extras
from aiida_rewire.campaign.md_steps import length_ps
from aiida_rewire.campaign.outcomes import Outcome, judge
from aiida_rewire.campaign.processes import OUR_PAUSE, TRANSPORT_PAUSE

EQUILIBRATION, PRODUCTION = "equilibration", "production"
ONE_JOB = "rewire.junction"
NOT_MENDED_APART = range(200, 400)
"""Exit statuses of a snapshot's one job after which it is not computed in separate jobs."""


class State(StrEnum):
    """What a chain is."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    RETRYING = "retrying"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it, if nobody asks for it."""
        return self in (State.FINISHED, State.FAILED, State.KILLED)


@dataclass(frozen=True)
class Dynamics:
    """A stage of the dynamics: ps up to its last checkpoint, and ps in all."""

    done_ps: float
    total_ps: float


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of a chain.

    Attributes
    ----------
    total
        As many as there are, once the dynamics is over; as many as the protocol takes, before.
    done, reused
        With a conductance; of those, the ones of equal contacts that were computed before.
    running
        Being computed, by whatever job.
    failed
        Ended without a conductance, in the last attempt.
    """

    total: int
    done: int = 0
    reused: int = 0
    running: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """Neither done, nor running, nor failed."""
        return max(self.total - self.done - self.running - self.failed, 0)


@dataclass(frozen=True)
class Transmissions:
    """T per spin at E_F so far: of the snapshot that is latest in the dynamics (at ps), the least and the largest."""

    latest: float
    latest_ps: float | None
    least: float
    largest: float


@dataclass(frozen=True)
class ChainProgress:
    """How far a chain is.

    Attributes
    ----------
    name, voltage_v, seed
        Of the chain; V, or points of ps and V.
    state
        In a word.
    step
        Of a chain that runs or is paused: starting, equilibration, production, lead or snapshots.
    attempts, pk
        How many there were, and the last of them.
    exit_status, exit_message
        Of the last attempt, if it failed.
    equilibration, production
        The dynamics.
    snapshots, transmissions
        What came of it.
    living, jobs
        Processes that live, and the jobs among them by what the scheduler or AiiDA says of them.
    notes
        What else a person must know.
    left_s
        Time left at the pace so far, s; None where nobody knows.
    """

    name: str
    voltage_v: Any
    seed: int
    state: State
    step: str | None
    attempts: int
    pk: int | None
    exit_status: int | None
    exit_message: str | None
    equilibration: Dynamics
    production: Dynamics
    snapshots: Snapshots
    transmissions: Transmissions | None
    living: int
    jobs: Mapping[str, int]
    notes: tuple[str, ...]
    left_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it, and nothing of it lives."""
        return self.state.is_over and not self.living


def progress_of_chain(chain: Chain, census: Census, extras: Extras, automatic: int) -> ChainProgress:
    """Return how far a chain is.

    Parameters
    ----------
    chain
        The chain.
    census
        What the database said.
    extras
        Of the group: what people asked for.
    automatic
        Further attempts after failures that another try may mend.
    """
    attempts = census.attempts.get(chain.name, ())
    parts = census.parts.get(chain.name, ())
    conductances = census.conductances.get(chain.name, {})
    alive = [process for process in census.alive if process.chain == chain.name]
    last = attempts[-1] if attempts else None
    standing = judge(
        attempts,
        automatic=automatic,
        granted=extras.get("granted_retries", {}).get(chain.name, 0),
        missing=missing_of(attempts, parts),
    )
    state = state_of_chain(chain.name, standing.outcome, last, extras, living=len(alive))
    shown_step = state in (State.RUNNING, State.PAUSED) and last is not None
    taken = [census.extracted[attempt.pk] for attempt in attempts if attempt.pk in census.extracted]
    failed = last is not None and last.state == "failed"
    return ChainProgress(
        name=chain.name,
        voltage_v=chain.voltage_v,
        seed=chain.seed,
        state=state,
        step=step_of(last, parts, extracted=bool(taken)) if shown_step and last is not None else None,
        attempts=len(attempts),
        pk=None if last is None else last.pk,
        exit_status=last.exit_status if failed and last is not None else None,
        exit_message=last.exit_message if failed and last is not None else None,
        equilibration=dynamics_of(EQUILIBRATION, chain, attempts, census),
        production=dynamics_of(PRODUCTION, chain, attempts, census),
        snapshots=snapshots_of(
            max(taken[-1] if taken else snapshots_in(chain.values), len(conductances)), attempts, census, chain.name
        ),
        transmissions=transmissions_of(conductances.values()),
        living=len(alive),
        jobs=dict(Counter(job_state(process) for process in alive if process.is_job)),
        notes=tuple(notes_of(state, last, alive)),
    )


def missing_of(attempts: Sequence[Attempt], parts: Iterable[Part]) -> dict[int, list[Ending]]:
    """Return how snapshots and lanes ended that gave nothing, of attempts that lack snapshots, by their PKs."""
    wanting = {attempt.pk for attempt in attempts if attempt.exit_status == SNAPSHOTS_MISSING}
    ends: dict[int, dict[str, Ending]] = {pk: {} for pk in wanting}
    for part in parts:
        if part.attempt in wanting and not part.is_live and (part.snapshot is not None or part.is_lane):
            # the last process of a snapshot tells
            ends[part.attempt][part.name] = Ending(part.state, part.exit_status, is_lane=part.is_lane)
    return {pk: [end for end in found.values() if end.state != "finished"] for pk, found in ends.items()}


def state_of_chain(name: str, outcome: Outcome, last: Attempt | None, extras: Extras, *, living: int) -> State:
    """Return the state of a chain in a word.

    Parameters
    ----------
    name, outcome, last
        Of the chain, what becomes of it, and its last attempt.
    extras
        What people asked for.
    living
        Processes of it that live.
    """
    if outcome is Outcome.FINISHED:
        return State.FINISHED
    if name in extras.get("killed_chains", ()):
        return State.KILLED
    if outcome is Outcome.FAILED and not living:
        return State.KILLED if last is not None and last.state == "killed" else State.FAILED
    if extras.get("paused") or name in extras.get("paused_chains", ()):
        return State.PAUSED
    if living or outcome is Outcome.LIVE:
        return State.RUNNING
    return State.WAITING if last is None else State.RETRYING


def step_of(last: Attempt, parts: Sequence[Part], *, extracted: bool) -> str:
    """Return the step at which an attempt is.

    Parameters
    ----------
    last
        The attempt.
    parts
        Of the chain.
    extracted
        Whether it, or one before it, took its snapshots.
    """
    mine = {part.name: part for part in parts if part.attempt == last.pk}
    if any(part.is_lane or part.snapshot is not None for part in mine.values()):
        return "snapshots"
    if PRODUCTION in mine:
        return PRODUCTION if mine[PRODUCTION].is_live else "lead"
    if EQUILIBRATION in mine:
        return EQUILIBRATION
    return "lead" if extracted else "starting"


def dynamics_of(stage: str, chain: Chain, attempts: Sequence[Attempt], census: Census) -> Dynamics:
    """Return how far a stage of the dynamics is.

    It is that of the attempt that took the snapshots, which later ones take over; else that of the last one.
    """
    conditions = chain.values[stage]
    total_ps = length_ps(conditions)
    theirs = [attempt.pk for attempt in attempts if attempt.pk in census.extracted] or [
        attempt.pk for attempt in attempts[-1:]
    ]
    done_ps = 0.0
    for part in census.parts.get(chain.name, ()):
        if part.name != stage or part.attempt not in theirs:
            continue
        steps = [segment.last_step or 0 for segment in census.segments.get(part.pk, ())]
        done_ps = total_ps if part.state == "finished" else max(steps, default=0) * conditions["timestep_fs"] / 1000
    return Dynamics(done_ps, total_ps)


def snapshots_of(total: int, attempts: Sequence[Attempt], census: Census, chain: str) -> Snapshots:
    """Count the snapshots of a chain.

    Parameters
    ----------
    total
        How many there are.
    attempts
        Of the chain.
    census, chain
        What the database said, and the name of the chain.
    """
    conductances = census.conductances.get(chain, {})
    parts = census.parts.get(chain, ())
    last = {part.snapshot: part for part in parts if part.snapshot is not None and part.snapshot not in conductances}
    live = {attempt.pk for attempt in attempts if attempt.is_live}
    running = sum(part.is_live for part in last.values())
    # a snapshot that failed in an attempt before the one that lives is still to be tried by that
    ended = [part for part in last.values() if not part.is_live and (not live or part.attempt in live)]
    lanes = [part for part in parts if part.is_lane and part.is_live]
    refused = {
        index
        for part in parts
        if part.is_lane and (not live or part.attempt in live)
        for index in census.refused.get(part.pk, ())
        if index not in conductances and index not in last
    }
    # a lane that lives and has no job is about to compute what may be mended in separate jobs
    between = min(sum(may_be_mended(part) for part in ended), max(len(lanes) - running, 0))
    return Snapshots(
        total=total,
        done=len(conductances),
        reused=sum(one.reused for one in conductances.values()),
        running=running + between,
        failed=len(ended) - between + len(refused),
    )


def may_be_mended(part: Part) -> bool:
    """Whether a snapshot whose one job ended like that is computed in separate jobs next."""
    if part.plugin != ONE_JOB or part.state == "killed":
        return False
    return part.state == "excepted" or part.exit_status not in NOT_MENDED_APART


def transmissions_of(conductances: Iterable[Conductance]) -> Transmissions | None:
    """Return the latest, the least and the largest transmission; None where there is none."""
    known = [(one.time_ps, one.transmission) for one in conductances if one.transmission is not None]
    if not known:
        return None
    values = [value for _, value in known]
    time_ps, latest = max(known, key=lambda pair: -1.0 if pair[0] is None else pair[0])
    return Transmissions(latest, time_ps, min(values), max(values))


def job_state(process: Alive) -> str:
    """Say what a job is doing: in the scheduler's word where it has one, else in AiiDA's."""
    if process.state == "paused":
        return "paused"
    return "retrieving" if process.scheduler == "done" else process.scheduler or process.state


def notes_of(state: State, last: Attempt | None, alive: Sequence[Alive]) -> list[str]:
    """Say what else a person must know of a chain."""
    notes = []
    if alive and last is not None and not last.is_live:
        how = f"ended with exit code {last.exit_status}" if last.state == "failed" else last.state
        below = counted(len(alive), "process below it goes on", "processes below it go on")
        notes.append(f"its work chain {how if last.state != 'killed' else 'was killed'}; {below}")
    elif alive and state is State.KILLED:
        notes.append(f"being killed: {counted(len(alive), 'process still lives', 'processes still live')}")
    stopped = {process.pk: process.status or "" for process in alive if process.state == "paused"}
    away = [pk for pk, status in stopped.items() if TRANSPORT_PAUSE in status]
    if away:
        waiting = counted(len(away), "job waits", "jobs wait")
        why = f"`verdi process report {away[0]}` says why"
        notes.append(f"{waiting} for a computer that did not answer, or whose disk is full: {why}")
    others = sum(TRANSPORT_PAUSE not in status and OUR_PAUSE not in status for status in stopped.values())
    if others:
        notes.append(f"somebody paused {counted(others, 'process', 'processes')}: `verdi process play` lets it go on")
    return notes
