"""The controller of a campaign: looks, decides, acts, and sleeps, until every chain is finished or at its end.

It holds nothing that the database does not: killed at any instant and started again, it goes on from what is there.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.acting import act_on_process, mark_as_sent
from aiida_rewire.campaign.attempts import attempts_of
from aiida_rewire.campaign.decisions import Decision, Situation, Start, counted, decide
from aiida_rewire.campaign.extras import change_extras, read_extras
from aiida_rewire.campaign.launching import ChainWorkflow
from aiida_rewire.campaign.members import add_members
from aiida_rewire.campaign.observing import Observer
from aiida_rewire.campaign.outages import (
    begin_anew,
    broker_mark,
    daemon_slots,
    lost_connection,
    passing_errors,
    reset_broker,
)
from aiida_rewire.campaign.outcomes import Outcome, Standing
from aiida_rewire.campaign.patience import Patience, close_connections
from aiida_rewire.campaign.workers import (
    START_S,
    broker_began,
    on_postgresql,
    renew_workers,
    start_stopped_workers,
)
from aiida_rewire.database.lock import ControllerLock, lock_of

if TYPE_CHECKING:
    from aiida import orm

INTERVAL_S = 10.0
MEMBERS_EVERY_S = 60.0
LOCK_EVERY_S = 2.0
NO_DAEMON = "the daemon does not run: nothing is submitted until `verdi daemon start`"
MOST_SAID = 10_000
"""Lines that are remembered so that they are not said again."""


class LockLost(Exception):
    """Another controller may have taken over."""


class Controller:
    """Runs a campaign.

    Parameters
    ----------
    group
        Of the campaign.
    say
        Takes a line for each thing that happens.
    interval_s
        Time between two looks, s.
    workflow
        Of its chains.
    stop
        Ends the controller, not the chains, once it is set.
    """

    def __init__(
        self,
        group: orm.Group,
        say: Callable[[str], None],
        *,
        interval_s: float = INTERVAL_S,
        workflow: ChainWorkflow | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._observer = Observer(group, workflow or ChainWorkflow())
        self._say = say
        self._interval_s = interval_s
        self._stop = stop or threading.Event()
        self._lock: ControllerLock = lock_of(group.uuid)
        self._mark = broker_mark()
        self._known_broker = ""
        self._last_members = -MEMBERS_EVERY_S
        self._cut_at: float | None = None
        self._outcomes: dict[str, tuple[Outcome, int]] | None = None
        self._said: set[str] = set()
        self._notes: tuple[str, ...] = ()

    def run(self) -> int:
        """Run the campaign to its end.

        Returns
        -------
        0 if every chain is finished, 1 if one is not, also where it was asked to stop.
        """
        patience = Patience(self._interval_s, self._say)
        while not self._stop.is_set():
            try:
                if not self._lock.is_held():
                    self._wait_for_lock()
                    continue
                self._renew_workers()
                decision = self.look_and_act()
                patience.answered()
                if decision.over:
                    return self._end(decision)
            except LockLost:
                self._say("the lock is lost: another controller may have taken over")
            except passing_errors() as error:
                if self._cut_at is None and lost_connection(error):
                    self._cut_at = time.time()
                patience.missed(error)
                close_connections(self._say_once)
            self._stop.wait(patience.pause_s)
        self._leave()
        self._say("stopped; chains that were started go on")
        return 1

    def _renew_workers(self) -> None:
        """See to it that the daemon's workers do not outlive their database, or their broker."""
        if self._cut_at is not None:
            begin_anew()
            if on_postgresql() and daemon_slots() is not None:
                renew_workers(self._cut_at, self._say)
            self._cut_at = None
        mark = broker_mark()
        if mark != self._known_broker:
            began = broker_began()
            if began is not None and daemon_slots() is not None:
                renew_workers(began - START_S, self._say, what="broker")
            self._known_broker = mark

    def look_and_act(self) -> Decision:
        """Look once, decide, and do what was decided.

        Raises
        ------
        LockLost
            If the lock is no longer ours.
        """
        begin_anew()
        situation = self._observer.look()
        if situation.slots is None:
            start_stopped_workers(self._say)
        decision = decide(situation)
        self._tell(decision, situation)
        for action in decision.actions:
            if self._stop.is_set():
                break
            if not self._lock.is_held():
                raise LockLost
            if broker_mark() != self._mark:
                reset_broker()
                self._mark = broker_mark()
            if isinstance(action, Start):
                self._start(action)
            elif (said := act_on_process(action)) is not None:
                self._say_once(said)
        if time.monotonic() - self._last_members > MEMBERS_EVERY_S or decision.over:
            add_members(self._observer.group(), process_type=self._observer.workflow.process_type)
            self._last_members = time.monotonic()
        begin_anew()
        return decision

    def _start(self, start: Start) -> None:
        observer = self._observer
        workflow, spec, chain = observer.workflow, observer.spec, observer.chains[start.chain]
        begin_anew()
        there = attempts_of(spec.label, chain=chain.name, process_type=workflow.process_type)
        if tuple(attempt.pk for attempt in there.get(chain.name, ())) != start.earlier:
            self._say_once(f"{chain.name}: another attempt appeared; nothing is submitted")
            return
        try:
            pk = workflow.submit(spec, chain, start.earlier)
        except ValueError as error:
            observer.refused[chain.name] = " ".join(str(error).split())
            self._say(f"{chain.name}: not submitted: {observer.refused[chain.name]}")
            return
        mark_as_sent(pk, observer.needs[chain.name].slots)
        self._say(f"{chain.name}: attempt {start.number} submitted as <{pk}>")

    def _tell(self, decision: Decision, situation: Situation) -> None:
        """Say what changed since the last look."""
        outcomes = {name: (one.outcome, one.attempts) for name, one in decision.standings.items()}
        if self._outcomes is None:
            self._say(f"{counted(len(outcomes), 'chain', 'chains')}: {summary_of(decision, situation)}")
        else:
            for name, standing in decision.standings.items():
                changed = self._outcomes.get(name, (None, 0)) != outcomes[name]
                if changed and standing.last is not None and standing.outcome is not Outcome.LIVE:
                    self._say(f"{name}: {ending_of(standing)}")
        self._outcomes = outcomes
        idle = situation.slots is None and not decision.over
        notes = (NO_DAEMON, *decision.notes) if idle else decision.notes
        for note in notes:
            if note not in self._notes:
                self._say(note)
        if NO_DAEMON in self._notes and NO_DAEMON not in notes:
            self._say("the daemon runs")
        self._notes = notes

    def _say_once(self, text: str) -> None:
        if len(self._said) > MOST_SAID:
            self._said.clear()
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _wait_for_lock(self) -> None:
        """Take the lock, as soon as another controller leaves it."""
        waits = False
        while not self._lock.acquire():
            if not waits:
                whose = holder_text(read_extras(self._observer.group()).get("controller"))
                self._say(f"another controller runs this campaign{whose}: waiting for it to end")
                waits = True
            if self._stop.wait(LOCK_EVERY_S):
                return
        if waits:
            self._say("the other controller ended: taking over")
        mine = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "user": getpass.getuser(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        change_extras(self._observer.group(), lambda extras: {**extras, "controller": mine})

    def _leave(self) -> None:
        """Give the lock back."""
        if self._lock.is_held():
            try:
                change_extras(self._observer.group(), without_controller)
            except passing_errors():
                close_connections(self._say_once)
        self._lock.release()

    def _end(self, decision: Decision) -> int:
        finished = [name for name, one in decision.standings.items() if one.outcome is Outcome.FINISHED]
        for name, standing in decision.standings.items():
            if standing.outcome is not Outcome.FINISHED:
                self._say(f"{name}: {self._observer.refused.get(name) or ending_of(standing)}")
        self._leave()
        chains = counted(len(decision.standings), "chain", "chains")
        self._say(f"the campaign is at its end: {len(finished)} of {chains} finished")
        return 0 if len(finished) == len(decision.standings) else 1


def holder_text(holder: dict[str, Any] | None) -> str:
    """Say who runs a campaign, as far as it is known."""
    if not holder:
        return ""
    return f" ({holder.get('host')}, PID {holder.get('pid')}, since {holder.get('since')})"


def without_controller(extras: dict[str, Any]) -> dict[str, Any]:
    """Return extras without what tells of a controller."""
    return {name: value for name, value in extras.items() if name != "controller"}


def ending_of(standing: Standing) -> str:
    """Say how a chain stands."""
    last = standing.last
    if standing.outcome is Outcome.FINISHED:
        return "finished"
    if last is None:
        return "not started"
    how = f"[{last.exit_status}] {last.exit_message or ''}".strip() if last.state == "failed" else last.state
    if standing.outcome is Outcome.READY:
        return f"attempt {standing.attempts} ended ({how}); it is tried again"
    if standing.outcome is Outcome.LIVE:
        return f"attempt {standing.attempts} lives"
    return f"failed: attempt {standing.attempts} ended ({how})"


def summary_of(decision: Decision, situation: Situation) -> str:
    """Count the chains by how they stand."""
    words = {
        Outcome.FINISHED: "finished",
        Outcome.LIVE: "running",
        Outcome.READY: "to be started",
        Outcome.FAILED: "failed",
    }
    counts = {
        word: sum(standing.outcome is outcome for standing in decision.standings.values())
        for outcome, word in words.items()
    }
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number)
