"""What people ask of stand-in campaigns: pause, resume, kill, retry; a line of JSON for each, and one in answer."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida import load_profile
from rewire_stand_in import StandIn

from aiida_rewire.campaign import control
from aiida_rewire.campaign.attempts import attempts_of
from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.campaign.outages import begin_anew, broker_mark, reset_broker
from aiida_rewire.campaign.processes import living_of
from aiida_rewire.campaign.record import find_campaign
from aiida_rewire.campaign.retrying import grant_retries

MARKS = [""]


def main() -> None:
    """Answer until nobody asks."""
    load_profile()
    for line in sys.stdin:
        print(json.dumps(answer_to(json.loads(line))), flush=True)


def answer_to(task: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, and tell what is there then."""
    begin_anew()
    if broker_mark() != MARKS[-1]:
        # the daemon was started again, and with it its broker
        reset_broker()
        MARKS.append(broker_mark())
    group = find_campaign(task["label"])
    workflow = StandIn(Path(task["file"]))
    said: list[str] = []
    chains = task["chains"]
    answer: Any = None
    if task["what"] == "retry":
        names = control.checked_chains(group, chains)
        answer = [asdict(one) for one in grant_retries(group, names, task["exit_code"], workflow=workflow)]
    elif task["what"]:
        action = getattr(control, task["what"])
        answer = asdict(action(group, chains, said.append, workflow=workflow))
    begin_anew()
    living, _ = living_of(group.label, process_type=workflow.process_type)
    attempts = attempts_of(group.label, process_type=workflow.process_type)
    return {
        "answer": answer,
        "said": said,
        "living": [[one.pk, one.chain, one.state, one.is_job] for one in living],
        "attempts": {chain: [[one.state, one.exit_status] for one in those] for chain, those in attempts.items()},
        **control.state_of_requests(read_extras(group)),
    }


if __name__ == "__main__":
    main()
