"""Start or stop all services in a folder, for people and for benchmarks.

python -m tests.real.services start /tmp/services
. /tmp/services/environment
verdi status
python -m tests.real.services stop /tmp/services
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tests.real.services.program import ServiceFailure
from tests.real.services.together import all_services, environment_file

START_TIMEOUT_S = 120
RECORD = "services.json"


def start(folder: Path) -> None:
    """Start the services, and return when they answer."""
    folder.mkdir(mode=0o755, parents=True)
    with (folder / "log").open("ab") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "tests.real.services", "run", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (folder / RECORD).is_file():
        if runner.poll() is not None or time.monotonic() > deadline:
            runner.terminate()
            raise SystemExit(f"the services did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.1)
    print(f". {folder / 'environment'}")


def run(folder: Path) -> None:
    """Run the services until a signal comes."""
    stopped = {signal.SIGTERM, signal.SIGINT}
    with all_services(folder) as services:
        # what the services are told by their parent's death they are told by `stop` as well
        signal.pthread_sigmask(signal.SIG_BLOCK, stopped)
        (folder / "environment").write_text(environment_file(services))
        record = {
            "pid": psutil.Process().pid,
            "postgres": {"port": services.postgres.port, "password_file": str(services.postgres.password_file)},
            "rabbitmq": {"port": services.rabbitmq.port},
            "slurm": services.slurm.environment,
            "ssh": {"port": services.ssh.port, "settings": str(services.ssh.settings)},
            "aiida": {"AIIDA_PATH": str(services.profile.folder)},
        }
        partial = folder / f"{RECORD}.partial"
        partial.write_text(json.dumps(record, indent=2))
        partial.rename(folder / RECORD)
        signal.sigwait(stopped)


def stop(folder: Path) -> None:
    """Stop the services of a folder and remove it."""
    record = json.loads((folder / RECORD).read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        runner = psutil.Process(record["pid"])
        if str(folder) in runner.cmdline():
            runner.terminate()
            runner.wait(START_TIMEOUT_S)
    shutil.rmtree(folder)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.services", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("start", "stop", "run"), help="run: in the foreground, until Ctrl-C")
    parser.add_argument("folder", type=Path, help="made by start and removed by stop")
    given = parser.parse_args()
    folder = given.folder.absolute()
    try:
        {"start": start, "stop": stop, "run": run}[given.what](folder)
    except (ServiceFailure, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
