"""A controller of a stand-in campaign, as a program: its task is JSON, what it says goes aside."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from aiida import load_profile
from rewire_killing import spec_of
from rewire_stand_in import StandIn

from aiida_rewire.campaign import controller, decisions, patience
from aiida_rewire.campaign.record import record_campaign


def main() -> None:
    """Record the campaign and run it to its end, or until SIGTERM."""
    task = json.loads(sys.argv[1])
    load_profile()
    decisions.STILLBORN_AFTER_S, decisions.LOST_AFTER_S = task["stillborn_s"], task["lost_s"]
    controller.LOCK_EVERY_S, patience.LONGEST_PAUSE_S, controller.START_S = 0.3, 2.0, 2.0
    group, _ = record_campaign(spec_of(task), "recorded by a test")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{os.getpid()} {time.monotonic() - start:.1f} {text}", file=sys.stderr, flush=True)

    workflow = StandIn(Path(task["file"]), seconds=task["seconds"], jobs=task["jobs"], statuses=task["statuses"])
    runs = controller.Controller(group, say, interval_s=0.3, workflow=workflow, stop=stop)
    print(json.dumps({"status": runs.run()}))


if __name__ == "__main__":
    main()
