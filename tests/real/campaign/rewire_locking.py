"""A program that takes the lock of a campaign, holds it, and says when it is lost: its argument is the UUID."""

import sys
import time

from aiida import load_profile

from aiida_rewire.campaign.outages import passing_errors
from aiida_rewire.database.lock import lock_of


def main() -> None:
    """Take the lock, again and again where it is lost."""
    load_profile()
    lock = lock_of(sys.argv[1])
    said = ""
    while True:
        try:
            state = "holds" if lock.is_held() or lock.acquire() else "waits"
        except passing_errors():
            state = "away"
        if state != said:
            print(state, flush=True)
            said = state
        time.sleep(0.05)


if __name__ == "__main__":
    main()
