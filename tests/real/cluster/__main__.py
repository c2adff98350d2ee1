"""The demo's chain as a group would run it: on Slurm, reached by SSH, with PostgreSQL and RabbitMQ; by one command.

python -m tests.real.cluster
python -m tests.real.cluster --small     # a minute or two: three snapshots at lower cutoffs

Everything runs in a folder of its own on loopback, and is gone afterwards.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.real.campaign.group_database import CLI, Campaign
from tests.real.cluster.over_ssh import DEMO, put_codes_on
from tests.real.services.program import ServiceFailure, service_folder
from tests.real.services.together import OVER_SSH, all_services


def run(folder: Path, *, small: bool) -> int:
    """Run the chain, showing what its controller says, and its state at the end; return the exit status."""
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {text}", flush=True)

    say("starting PostgreSQL, RabbitMQ, Slurm and SSH")
    with all_services(folder) as services:
        profile = services.profile
        say("registering the codes, starting the daemon, making a pseudopotential")
        put_codes_on(profile, OVER_SSH)
        label = "small" if small else "demo"
        campaign = Campaign(profile, folder, label, computer=OVER_SSH, **({} if small else DEMO))
        say(f"running the campaign {label} on {OVER_SSH}")
        words = (["run", label, "--interval", "1"], ["status", label], ["failures", label])
        status = [
            subprocess.run(
                [*CLI, "campaign", *those],
                cwd=profile.folder,
                env=profile.environment,
                stdin=subprocess.DEVNULL,
                check=False,
            ).returncode
            for those in words
        ]
        for snapshot, conductance, unitarity in campaign.found()["made"]:
            say(f"snapshot {snapshot}: G = {conductance:.4f} G0, unitarity within {unitarity:.0e}")
        say("stopping")
    return status[0]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.cluster", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--small", action="store_true", help="three snapshots of a shorter dynamics")
    given = parser.parse_args()
    try:
        with service_folder() as folder:
            sys.exit(run(folder, small=given.small))
    except (ServiceFailure, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
