"""Kill the daemon of a profile when whoever started it is gone: daemons leave the processes that start them."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.real.services.profile import Profile

ROUNDS = 3


def main() -> None:
    """Wait for the signal of a parent's death."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.sigwait({signal.SIGTERM})
    # what the daemon was starting this very moment is found in the next round
    for _ in range(ROUNDS):
        Profile(Path(sys.argv[1])).kill_daemon()
        time.sleep(0.3)


if __name__ == "__main__":
    main()
