"""What a controller does next: decided from what the database and the broker say, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiida_rewire.campaign.attempts import Attempt, Ending
from aiida_rewire.campaign.outcomes import Outcome, Standing, judge
from aiida_rewire.campaign.processes import OUR_PAUSE, TRANSPORT_PAUSE, Living

STILLBORN_AFTER_S = 60.0
"""A process that has no checkpoint by then has lost its maker, s."""

LOST_AFTER_S = 30.0
"""A process without a task for so long has none, where the broker shows all tasks, s."""

HELD_AT_MOST_S = 900.0
"""For so long a busy worker may hold a task that the broker does not show, s."""

STUCK_AFTER_S = 300.0
"""A work chain that waits for nothing so long has missed an end: AiiDA looks again every minute, s."""

PLAY_AFTER_S = 60.0
"""So long a job rests that AiiDA paused because its computer did not answer, s."""


@dataclass(frozen=True)
class Need:
    """What a chain asks for while it is active.

    Attributes
    ----------
    name
        Of the chain.
    jobs
        Most jobs at a time by computer.
    slots
        Most slots of the daemon at a time.
    """

    name: str
    jobs: Mapping[str, int]
    slots: int


@dataclass(frozen=True)
class Tasks:
    """The tasks that a broker shows.

    Attributes
    ----------
    pks
        Of the processes that have one, or are known to have a worker.
    complete
        Whether tasks that workers hold are among them.
    """

    pks: frozenset[int]
    complete: bool


@dataclass(frozen=True)
class Situation:
    """All that a decision rests on.

    Attributes
    ----------
    chains
        What each chain asks for, in the order of the file.
    attempts
        Of each chain those that count, oldest first.
    missing
        How missing snapshots ended, by the PK of the attempt.
    living
        Processes below the campaign that have not ended, functions left out.
    active_chains, active_jobs
        Limits: chains at a time, and jobs at a time by computer.
    automatic
        Further attempts after failures that another try may mend.
    granted
        Further attempts after any failure, by chain.
    paused, paused_chains, killed_chains
        What people asked for.
    refused_chains
        Chains whose inputs were refused; this controller does not try them again.
    slots
        Slots of the daemon for this campaign; None if the daemon does not run.
    tasks
        What the broker shows; None if nobody looked.
    without_task_s
        For how long a process is seen without a task, by PK, s.
    paused_s, idle_s
        For how long a process is seen paused, or waiting for nothing, by PK, s.
    """

    chains: Sequence[Need]
    attempts: Mapping[str, Sequence[Attempt]]
    living: Sequence[Living] = ()
    missing: Mapping[int, Sequence[Ending]] = field(default_factory=dict)
    active_chains: int = 1
    active_jobs: Mapping[str, int] = field(default_factory=dict)
    automatic: int = 0
    granted: Mapping[str, int] = field(default_factory=dict)
    paused: bool = False
    paused_chains: frozenset[str] = frozenset()
    killed_chains: frozenset[str] = frozenset()
    refused_chains: frozenset[str] = frozenset()
    slots: int | None = None
    tasks: Tasks | None = None
    without_task_s: Mapping[int, float] = field(default_factory=dict)
    paused_s: Mapping[int, float] = field(default_factory=dict)
    idle_s: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """Submit an attempt of a chain."""

    chain: str
    number: int
    earlier: tuple[int, ...]


@dataclass(frozen=True)
class Void:
    """Mark a process as one that does not count, neither as an attempt nor as a child that was submitted."""

    pk: int
    why: str


@dataclass(frozen=True)
class Bury:
    """End a process that no worker will ever run: `state` is excepted or killed."""

    pk: int
    state: str
    why: str


@dataclass(frozen=True)
class SendTask:
    """Send the task of a process again."""

    pk: int


@dataclass(frozen=True)
class Play:
    """Ask a process to go on."""

    pk: int


@dataclass(frozen=True)
class Kill:
    """Ask a process to end, and what it called with it."""

    pk: int


@dataclass(frozen=True)
class End:
    """End a process that waits for nothing, if its worker answers."""

    pk: int
    why: str


Action = Start | Void | Bury | SendTask | Play | Kill | End


@dataclass(frozen=True)
class Decision:
    """What to do, and why other things are not done.

    Attributes
    ----------
    actions
        In this order.
    standings
        Of each chain.
    notes
        Why a chain waits that could start otherwise, in words; said when they change.
    over
        Whether nothing is left to do: every chain is finished or at its end.
    """

    actions: tuple[Action, ...]
    standings: Mapping[str, Standing]
    notes: tuple[str, ...]
    over: bool


def decide(situation: Situation) -> Decision:
    """Decide what to do."""
    standings = {
        need.name: judge(
            situation.attempts.get(need.name, ()),
            automatic=situation.automatic,
            granted=situation.granted.get(need.name, 0),
            missing=situation.missing,
        )
        for need in situation.chains
    }
    # without a daemon nobody would hear
    actions = [] if situation.slots is None else [*doubles(situation), *care(situation)]
    starts, notes = start_chains(situation, standings)
    waiting = [
        name
        for name, standing in standings.items()
        if standing.outcome is Outcome.LIVE
        or (standing.outcome is Outcome.READY and name not in situation.killed_chains | situation.refused_chains)
    ]
    over = not waiting and not situation.living
    if situation.living and not waiting:
        left = counted(len(situation.living), "process still lives", "processes still live")
        notes.append(f"{left} below chains that ended")
    return Decision((*actions, *starts), standings, tuple(notes), over)


def doubles(situation: Situation) -> list[Action]:
    """End all but the first of the attempts of one chain that live at the same time."""
    actions: list[Action] = []
    for attempts in situation.attempts.values():
        live = [attempt for attempt in attempts if attempt.is_live]
        for attempt in live[1:]:
            actions += [Void(attempt.pk, "a double: another attempt lived"), Kill(attempt.pk)]
    return actions


def care(situation: Situation) -> list[Action]:
    """Decide about the processes that live: those without a worker, stuck, to be played or killed."""
    actions: list[Action] = []
    alive = {process.pk for process in situation.living}
    for process in situation.living:
        killed = process.void or process.chain in situation.killed_chains
        lost = fate_without_task(process, situation, killed=killed)
        if lost is not None:
            actions += lost
            continue
        if not process.has_checkpoint:
            continue
        if killed:
            # what a parent called ends with it; what it cannot reach is the next round's
            if process.parent not in alive:
                actions.append(Kill(process.pk))
        elif process.idle and situation.idle_s.get(process.pk, 0.0) >= STUCK_AFTER_S:
            actions.append(End(process.pk, "all that it waits for has ended, and it does not notice"))
        elif process.paused and is_to_be_played(process, situation):
            actions.append(Play(process.pk))
    return actions


def is_to_be_played(process: Living, situation: Situation) -> bool:
    """Whether a paused process of a chain that is not paused goes on: people's own pauses are left alone."""
    if situation.paused or process.chain in situation.paused_chains:
        return False
    status = process.status or ""
    rested = situation.paused_s.get(process.pk, 0.0) >= PLAY_AFTER_S
    return OUR_PAUSE in status or (TRANSPORT_PAUSE in status and rested)


def fate_without_task(process: Living, situation: Situation, *, killed: bool) -> list[Action] | None:
    """Decide about a process that no worker runs; None if one may."""
    tasks = situation.tasks
    if tasks is None or process.pk in tasks.pks:
        return None
    seen_s = situation.without_task_s.get(process.pk, 0.0)
    if not process.has_checkpoint:
        if process.state != "created" or min(process.age_s, seen_s) < STILLBORN_AFTER_S:
            return None
        why = "its maker ended before it was ready to run"
        return [Void(process.pk, f"stillborn: {why}"), Bury(process.pk, "excepted", f"stillborn: {why}")]
    # of a fresh attempt whose controller did not live to say so, the broker never had the task, or shows it
    never_sent = process.is_attempt and process.state == "created" and not process.sent
    unseen = not tasks.complete and not never_sent
    if seen_s < (HELD_AT_MOST_S if unseen else LOST_AFTER_S):
        return None
    if process.superseded:
        return [Bury(process.pk, "killed", "another was submitted in its place")]
    if killed:
        return [Bury(process.pk, "killed", "its chain was killed before a worker took it")]
    return [SendTask(process.pk)]


def start_chains(situation: Situation, standings: Mapping[str, Standing]) -> tuple[list[Start], list[str]]:
    """Choose the chains to start within the limits, in the order of the file, and say why others wait."""
    living: dict[str, int] = {}
    for process in situation.living:
        living[process.chain] = living.get(process.chain, 0) + 1
    active = [
        need for need in situation.chains if need.name in living or standings[need.name].outcome is Outcome.LIVE
    ]
    starts: list[Start] = []
    notes: list[str] = []
    for need in situation.chains:
        standing = standings[need.name]
        if standing.outcome is not Outcome.READY or need.name in situation.killed_chains | situation.refused_chains:
            continue
        if need.name in living:
            notes.append(
                f"{need.name} is tried again when {counted(living[need.name], 'process', 'processes')} of its "
                "earlier attempt ended"
            )
            continue
        if situation.paused or need.name in situation.paused_chains:
            notes.append(f"{'the campaign' if situation.paused else need.name} is paused")
            continue
        if situation.slots is None:
            break
        full = what_is_full(need, active, situation)
        if full is not None:
            if full:
                notes.append(full)
            continue
        attempts = situation.attempts.get(need.name, ())
        starts.append(Start(need.name, len(attempts) + 1, tuple(attempt.pk for attempt in attempts)))
        active.append(need)
    return starts, list(dict.fromkeys(notes))


def what_is_full(need: Need, active: Sequence[Need], situation: Situation) -> str | None:
    """Say which limit keeps a chain back: words where it alone is above a limit, else nothing; None if it fits."""
    for computer, limit in situation.active_jobs.items():
        jobs = need.jobs.get(computer, 0)
        if jobs > limit:
            return f"{need.name} runs up to {jobs} jobs on {computer}, above the limit of {limit}: raise the limit"
        if jobs and jobs + sum(other.jobs.get(computer, 0) for other in active) > limit:
            return ""
    slots = situation.slots or 0
    if need.slots > slots:
        return (
            f"{need.name} holds up to {need.slots} slots of the daemon, of which {slots} are there: "
            "`verdi daemon incr` adds a worker"
        )
    taken = sum(other.slots for other in active)
    if len(active) >= situation.active_chains or taken + need.slots > slots:
        return ""
    return None


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"
