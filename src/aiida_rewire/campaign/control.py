"""Pausing, resuming and killing a campaign or some of its chains.

What people ask for is recorded first, so that it holds whatever is killed when; then it is sent to all that lives,
and the controller sends it to what appears later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.acting import act_on_process, ask
from aiida_rewire.campaign.amending import names_of
from aiida_rewire.campaign.decisions import Bury, Kill, Situation, Void, care
from aiida_rewire.campaign.extras import Extras, change_extras, refuse_imported
from aiida_rewire.campaign.launching import ChainWorkflow
from aiida_rewire.campaign.observing import Observer
from aiida_rewire.campaign.outages import begin_anew, daemon_slots
from aiida_rewire.campaign.processes import Living, living_of
from aiida_rewire.campaign.record import spec_of
from aiida_rewire.campaign.schedulers import Job, cancel, jobs_left, jobs_of
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

ASK_AGAIN_S = 3.0
LOOK_S = 0.5
PLAY_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 300.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Reached:
    """What a request came to.

    Attributes
    ----------
    done
        Processes that did what was asked.
    left
        Processes that did not, yet.
    jobs_left
        Jobs of killed processes that the scheduler still has.
    daemon
        Whether the daemon runs.
    """

    done: int
    left: int
    jobs_left: int
    daemon: bool


def checked_chains(group: orm.Group, chains: Sequence[str]) -> list[str]:
    """Return chains of a campaign by name; all of them where none is named.

    Raises
    ------
    InvalidInput
        If it has no such chain.
    """
    import difflib

    known = names_of(spec_of(group))
    for name in chains:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.5) or known[:3]
            raise InvalidInput("chain", repr(name[:80]), "a chain of the campaign", f"there is {', '.join(near)}")
    return list(chains) or known


def pause(group: orm.Group, chains: Sequence[str], say: Say, *, workflow: ChainWorkflow | None = None) -> Reached:
    """Pause a campaign, or some chains: no chain is started, and lanes hold before their next snapshot.

    Nothing is interrupted: jobs that a scheduler has go on. Lanes look at the record themselves, since a process that
    is asked to pause from outside may miss the end of what it waits for.

    Parameters
    ----------
    group
        Of the campaign.
    chains
        Names; none for the whole campaign.
    say
        Takes a line for what happens.
    workflow
        Of the chains.

    Returns
    -------
    As done, processes that hold; as left, those that go on for now.

    Raises
    ------
    InvalidInput
        If there is no such chain.
    """
    names = checked_chains(group, chains)

    def paused(extras: Extras) -> Extras:
        if not chains:
            return {**extras, "paused": True}
        return {**extras, "paused_chains": sorted({*extras.get("paused_chains", []), *names})}

    change_extras(group, paused)
    living = living_below(group.label, names, (workflow or ChainWorkflow()).process_type)
    hold = sum(process.paused for process in living)
    return Reached(hold, len(living) - hold, 0, daemon=daemon_slots() is not None)


def resume(group: orm.Group, chains: Sequence[str], say: Say, *, workflow: ChainWorkflow | None = None) -> Reached:
    """Let a campaign go on, or some of its chains, whoever paused their processes.

    The arguments are those of :func:`pause`.

    Returns
    -------
    As done, processes that went on; as left, those that are still paused.

    Raises
    ------
    InvalidInput
        If there is no such chain.
    """
    refuse_imported(group)
    everything = checked_chains(group, ())
    names = checked_chains(group, chains)

    def resumed(extras: Extras) -> Extras:
        if not chains:
            return {**extras, "paused": False, "paused_chains": []}
        before = set(everything) if extras.get("paused") else set(extras.get("paused_chains", []))
        return {**extras, "paused": False, "paused_chains": sorted(before - set(names))}

    change_extras(group, resumed)
    process_type = (workflow or ChainWorkflow()).process_type
    deadline, last_ask = time.monotonic() + PLAY_TIMEOUT_S, 0.0
    asked: set[int] = set()
    daemon = daemon_slots() is not None
    while True:
        left = {process.pk for process in living_below(group.label, names, process_type) if process.paused}
        if not left or not daemon or time.monotonic() > deadline:
            break
        if time.monotonic() - last_ask > ASK_AGAIN_S:
            for pk in left:
                ask("play", pk)
            asked |= left
            last_ask = time.monotonic()
        time.sleep(LOOK_S)
    if left and not daemon:
        say("the daemon does not run: processes go on when it does, if a controller runs or `resume` is asked again")
    return Reached(len(asked - left), len(left), 0, daemon=daemon)


def living_below(label: str, chains: Collection[str], process_type: str) -> list[Living]:
    """Return the processes that live below chains."""
    begin_anew()
    living, _ = living_of(label, process_type=process_type)
    return [process for process in living if process.chain in chains]


def kill(
    group: orm.Group,
    chains: Sequence[str],
    say: Say,
    *,
    workflow: ChainWorkflow | None = None,
    timeout_s: float = KILL_TIMEOUT_S,
) -> Reached:
    """Kill a campaign, or some chains, and wait until nothing of them lives and no scheduler has a job of theirs.

    Parameters
    ----------
    group, chains, say, workflow
        As of :func:`pause`.
    timeout_s
        For so long it is waited for, s.

    Raises
    ------
    InvalidInput
        If there is no such chain.
    """
    names = checked_chains(group, chains)

    def killed(extras: Extras) -> Extras:
        return {**extras, "killed_chains": sorted({*extras.get("killed_chains", []), *names})}

    change_extras(group, killed)
    observer = Observer(group, workflow or ChainWorkflow())
    deadline = time.monotonic() + timeout_s
    jobs: dict[int, Job] = {}
    seen: set[int] = set()
    last_ask = 0.0
    while True:
        begin_anew()
        situation = observer.look()
        left = {process.pk for process in situation.living if process.chain in names}
        seen |= left
        jobs |= jobs_of(process.pk for process in situation.living if process.is_job and process.pk in left)
        if situation.slots is None:
            say("the daemon does not run: processes end when it does, if a controller runs or `kill` is asked again")
            break
        if not left or time.monotonic() > deadline:
            break
        if time.monotonic() - last_ask > ASK_AGAIN_S:
            end_living(situation, left, say)
            last_ask = time.monotonic()
        time.sleep(LOOK_S)
    # a job may have got its number only while its process was being killed
    jobs |= jobs_of(jobs)
    ended = {pk: job for pk, job in jobs.items() if pk not in left}
    return Reached(len(seen - left), len(left), cancelled(ended, say), daemon=situation.slots is not None)


def end_living(situation: Situation, pks: Collection[int], say: Say) -> None:
    """Ask processes to end, and bury those that no worker will ever run."""
    for action in care(situation):
        if isinstance(action, (Bury, Kill, Void)) and action.pk in pks:
            said = act_on_process(action)
            if said is not None and not isinstance(action, Kill):
                say(said)


def cancelled(jobs: dict[int, Job], say: Say) -> int:
    """Cancel what schedulers still have of these jobs; return how many they have after that."""
    left = jobs_left(jobs, say)
    if not left:
        return 0
    say(f"the scheduler still has {len(left)} jobs of killed processes: they are cancelled")
    cancel(left, say)
    time.sleep(ASK_AGAIN_S)
    return len(jobs_left(left, say))


def state_of_requests(extras: Extras) -> dict[str, Any]:
    """Return what people asked for, as it is recorded."""
    return {
        "paused": bool(extras.get("paused")),
        "paused_chains": list(extras.get("paused_chains", [])),
        "killed_chains": list(extras.get("killed_chains", [])),
        "granted_retries": dict(extras.get("granted_retries", {})),
    }
