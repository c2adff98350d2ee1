"""All that a decision about a campaign rests on, gathered from the database, the broker and the daemon."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, Attempt, Ending, attempts_of, failed_snapshots
from aiida_rewire.campaign.chains import Chain, chains_of
from aiida_rewire.campaign.decisions import LOST_AFTER_S, Need, Situation, Tasks
from aiida_rewire.campaign.extras import IMPORTED, read_extras
from aiida_rewire.campaign.launching import ChainWorkflow
from aiida_rewire.campaign.outages import daemon_slots
from aiida_rewire.campaign.processes import Living, living_of
from aiida_rewire.campaign.reading import spec_from_record
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.campaign.tasks import all_are_seen, tasks_there

if TYPE_CHECKING:
    from aiida import orm

QUEUE_EVERY_S = 300.0
"""How often RabbitMQ is asked for tasks while nothing waits for a worker, s."""


class Observer:
    """Looks at a campaign again and again, and tells what lasts from what passes.

    Parameters
    ----------
    group
        Of the campaign.
    workflow
        Of its chains.

    Attributes
    ----------
    spec
        The campaign as of the last look.
    chains, needs
        Its chains by name, and what each asks for.
    refused
        Why chains were not submitted; the situation holds them back until the file is amended.
    """

    spec: CampaignSpec

    def __init__(self, group: orm.Group, workflow: ChainWorkflow) -> None:
        self._pk = group.pk
        self.workflow = workflow
        self.chains: dict[str, Chain] = {}
        self.refused: dict[str, str] = {}
        self.needs: dict[str, Need] = {}
        self._digest = ""
        self._missing: dict[int, list[Ending]] = {}
        self._first_without_task: dict[int, float] = {}
        self._first_paused: dict[int, float] = {}
        self._first_idle: dict[int, float] = {}
        self._last_queue_look = -LOST_AFTER_S

    def group(self) -> orm.Group:
        """Return the group, fresh: one that was loaded before a connection was lost may be of no use."""
        from aiida import orm

        return orm.load_group(self._pk)

    def look(self) -> Situation:
        """Gather what a decision rests on."""
        extras = read_extras(self.group())
        spec = self._read_spec(extras)
        attempts = attempts_of(spec.label, process_type=self.workflow.process_type)
        living, elsewhere = living_of(spec.label, process_type=self.workflow.process_type)
        slots = daemon_slots()
        tasks = self._look_for_tasks(living) if slots is not None else None
        if slots is None:
            self._first_without_task, self._first_idle = {}, {}
        if tasks is not None:
            lacking = {process.pk for process in living} - tasks.pks
            self._first_without_task = since(self._first_without_task, lacking)
        self._first_paused = since(self._first_paused, {process.pk for process in living if process.paused})
        self._first_idle = since(self._first_idle, {process.pk for process in living if process.idle})
        return Situation(
            chains=list(self.needs.values()),
            attempts=attempts,
            living=living,
            missing=self._missing_of(spec.label, attempts),
            active_chains=spec.limits.active_chains,
            active_jobs=spec.limits.active_jobs,
            automatic=spec.retries.attempts - 1,
            granted=extras.get("granted_retries", {}),
            paused=bool(extras.get("paused")) or IMPORTED in extras,
            paused_chains=frozenset(extras.get("paused_chains", ())),
            killed_chains=frozenset(extras.get("killed_chains", ())),
            refused_chains=frozenset(self.refused),
            slots=None if slots is None else max(slots - elsewhere, 0),
            tasks=tasks,
            without_task_s=lasting(self._first_without_task),
            paused_s=lasting(self._first_paused),
            idle_s=lasting(self._first_idle),
        )

    def _look_for_tasks(self, living: Sequence[Living]) -> Tasks | None:
        """Ask for the tasks, at every look where that costs nothing, else now and then; None at other times."""
        if not living:
            return None
        fresh = any(process.state == "created" and process.age_s > LOST_AFTER_S for process in living)
        wait_s = LOST_AFTER_S if fresh else QUEUE_EVERY_S
        if not all_are_seen() and time.monotonic() - self._last_queue_look < wait_s:
            return None
        self._last_queue_look = time.monotonic()
        return tasks_there(process.pk for process in living)

    def _read_spec(self, extras: dict[str, Any]) -> CampaignSpec:
        if extras["digest"] != self._digest:
            self.spec = spec_from_record(extras["spec"])
            self._digest = extras["digest"]
            chains = chains_of(self.spec)
            self.chains = {chain.name: chain for chain in chains}
            self.needs = {need.name: need for need in self.workflow.needs(self.spec, chains)}
            self.refused = {}
        return self.spec

    def _missing_of(self, label: str, attempts: dict[str, list[Attempt]]) -> dict[int, list[Ending]]:
        """Return how the missing snapshots of attempts ended; of an attempt that ended this changes no more."""
        for chain, those in attempts.items():
            wanting = {attempt.pk for attempt in those if attempt.exit_status == SNAPSHOTS_MISSING}
            if wanting - self._missing.keys():
                ends = failed_snapshots(label, chain, those)
                self._missing |= {pk: list(ends[pk].values()) for pk in wanting}
        return self._missing


def since(before: dict[int, float], now: set[int]) -> dict[int, float]:
    """Return since when each of these is seen, by the clock that never goes back."""
    clock = time.monotonic()
    return {pk: before.get(pk, clock) for pk in now}


def lasting(first: dict[int, float]) -> dict[int, float]:
    """Return for how long each is seen, s."""
    clock = time.monotonic()
    return {pk: clock - seen for pk, seen in first.items()}
