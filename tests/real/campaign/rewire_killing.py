"""Controllers that are killed outright, and one that runs to the end: a program, given a task as JSON.

It forks, so that what takes long to import is imported once.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiida import load_profile, orm
from aiida.engine.persistence import AiiDAPersister
from plumpy.process_comms import RemoteProcessThreadController
from plumpy.process_states import ProcessState
from rewire_stand_in import CODE, StandIn

from aiida_rewire.campaign import controller, decisions
from aiida_rewire.campaign.attempts import attempts_of
from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.campaign.processes import living_of
from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.campaign.specification import CampaignSpec

INSTANTS = ("stored", "checkpoint", "newborn", "sent")
INTERVAL_S = 0.3
HOOK_TIMEOUT_S = 60.0
TO_THE_END_S = 200.0


def kill_myself(*_: Any, **__: Any) -> None:
    """As `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def hook(instant: str) -> None:
    """Kill this controller at an instant of its next submission."""
    if instant == "stored":
        # the node is there, with its first state, but nothing that could be run
        AiiDAPersister.save_checkpoint = kill_myself
    elif instant == "newborn":
        # the node is there, and not even its first state; that of an older one which is buried may be set
        set_state = orm.ProcessNode.set_process_state

        def first_state(node: orm.ProcessNode, state: Any) -> None:
            if state in (None, ProcessState.EXCEPTED, ProcessState.EXCEPTED.value):
                set_state(node, state)
            else:
                kill_myself()

        orm.ProcessNode.set_process_state = first_state
    elif instant == "checkpoint":
        # it could be run, but nobody was told
        RemoteProcessThreadController.continue_process = kill_myself
    elif instant == "sent":
        # all is done, but the controller did not live to write that down
        controller.mark_as_sent = kill_myself


def run(task: dict[str, Any], instant: str) -> int:
    """Run a controller of the campaign."""
    load_profile()
    decisions.STILLBORN_AFTER_S, decisions.LOST_AFTER_S = task["stillborn_s"], task["lost_s"]
    hook(instant)
    workflow = StandIn(Path(task["file"]), seconds=task["seconds"], jobs=task["jobs"], statuses=task["statuses"])
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{os.getpid()} {time.monotonic() - start:.1f} {text}", file=sys.stderr, flush=True)

    group = find_campaign(task["label"])
    return controller.Controller(group, say, interval_s=INTERVAL_S, workflow=workflow).run()


def forked(work: Callable[[], int]) -> int:
    """Do some work in a process of its own; return its PID."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return pid


def end_of(pid: int, longest_s: float) -> int:
    """Return how a process ended, as minus the number of the signal that killed it.

    Raises
    ------
    TimeoutError
        If it lived longer, and was killed.
    """
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"lived longer than {longest_s} s")


def killed_after(pid: int, seconds: float) -> int:
    """Kill a process after a while; return how it ended."""
    with contextlib.suppress(TimeoutError):
        return end_of(pid, seconds)
    return -signal.SIGKILL


def record(task: dict[str, Any]) -> None:
    """Record the campaign, in a process of its own: what forks holds no connection."""

    def work() -> int:
        load_profile()
        record_campaign(spec_of(task), "recorded by a test")
        return 0

    if end_of(forked(work), HOOK_TIMEOUT_S):
        raise SystemExit("the campaign was not recorded")


def spec_of(task: dict[str, Any]) -> CampaignSpec:
    """Return a campaign of these voltages and seeds."""
    return CampaignSpec.model_validate(
        {
            "label": task["label"],
            "protocol": "demo",
            "codes": dict.fromkeys(("md", "pw", "pp", "pwcond"), CODE),
            "pseudo_family": "rewire/frozen-d",
            "md": {"voltages": task["voltages"], "seeds": task["seeds"]},
            "limits": {"active_chains": task["active_chains"]},
            "retries": {"attempts": task["attempts"]},
        }
    )


def what_is_there(label: str) -> dict[str, Any]:
    """Return all attempts of each chain, members of the group, and what still lives."""
    load_profile()
    process_type = StandIn.process_type
    attempts = attempts_of(label, process_type=process_type, void=True)
    group = find_campaign(label)
    return {
        "attempts": {
            chain: [[attempt.pk, attempt.state, attempt.exit_status, attempt.void] for attempt in those]
            for chain, those in attempts.items()
        },
        "members": sorted(node.pk for node in group.nodes),
        "living": len(living_of(label, process_type=process_type)[0]),
        "controller": read_extras(group).get("controller"),
        "unsealed": orm.QueryBuilder()
        .append(orm.ProcessNode, filters={"label": {"like": f"{label}/%"}, "attributes": {"!has_key": "sealed"}})
        .count(),
    }


def main() -> None:
    """Kill, again and again; then run to the end, and tell what is there."""
    task = json.loads(sys.argv[1])
    record(task)
    chance = random.Random(task["seed"])  # noqa: S311 (instants, not secrets)
    kills: list[str] = ["", *INSTANTS, *[""] * task["kills"]]
    ends = []
    for instant in kills:
        pid = forked(lambda instant=instant: run(task, instant))
        ends.append(
            end_of(pid, HOOK_TIMEOUT_S) if instant else killed_after(pid, chance.uniform(0.2, task["longest_s"]))
        )
    pid = forked(lambda: run(task, ""))
    last = end_of(pid, TO_THE_END_S)
    print(json.dumps({"ends": ends, "instants": kills, "last": last, **what_is_there(task["label"])}))


if __name__ == "__main__":
    main()
