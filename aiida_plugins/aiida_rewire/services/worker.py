"""A worker of the daemon that lost what it stands on ends at once, as by ``kill -9``.

Its tasks go back to the broker untouched, the daemon starts another worker in its place, and its processes go on from
their checkpoints. Whatever else it would do is wrong: tasks that it fails at are lost, and processes that it goes on
with run a second time elsewhere.
"""

from __future__ import annotations

import os
import signal
import sys

WORKER_MODULE = "aiida.engine.daemon.worker"


def is_worker() -> bool:
    """Whether this process is a worker of the daemon; nothing else imports its module."""
    return WORKER_MODULE in sys.modules


def end_worker(why: str) -> None:
    """End this process, and leave a line in the log of the daemon."""
    sys.stderr.write(f"{why}: this worker ends, and another takes its place\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
