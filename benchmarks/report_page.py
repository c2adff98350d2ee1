"""How long `aiida-rewire report` takes of 10 chains of 350 snapshots, and how large its page is, on both databases.

    python -m benchmarks.report_page                      # SQLite and PostgreSQL: some two minutes
    python -m benchmarks.report_page --backend sqlite     # without services

A campaign whose chains are all finished is written into a new profile, with atoms and T(E) at 41 energies of every
snapshot. The command is a process of its own, start of Python included; beside it `import aiida.orm`, the unit of
times in the documentation, and the processor time, for on a machine that does other things it runs longer than it
computes; that of the database server is not in it. The exit status is 1 if a page has more than 15 MB.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.campaign_queries import LABEL, LIMITS_S, ROOT, WRITE_TIMEOUT_S, profile_on, run_once
from rich.console import Console
from rich.table import Table
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder

LARGEST_BYTES = 15_000_000

WRITE = """
import sys
from aiida import load_profile
load_profile()
label, chains, snapshots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path[:0] = sys.argv[4:]
from filmed import Filmed
from synthetic import finished, synthetic_spec
from synthetic_tables import Made
from aiida_rewire.campaign.record import record_campaign

group, _ = record_campaign(synthetic_spec(label, chains, snapshots), f"label: {label}\\n")
writer = Filmed(Made(label), snapshots)
for number in range(chains):
    finished(writer, f"8V-s{number + 1}")
writer.tables.write(group, writer.members)
"""


def measure(backend: str, arguments: argparse.Namespace, console: Console) -> bool:
    """Write the campaign, make its page and print a table; return whether the page is small enough."""
    folders = [str(ROOT / "tests" / name) for name in ("campaign", "report")]
    with service_folder() as folder, profile_on(backend, folder) as profile:
        profile.python(
            WRITE, LABEL, str(arguments.chains), str(arguments.snapshots), *folders, timeout_s=WRITE_TIMEOUT_S
        )
        page = folder / "page.html"
        times = timed(profile, folder, page, arguments.runs)
        size = page.stat().st_size
    table = Table(f"{backend}: s", "best", "processor")
    for name, runs in times.items():
        table.add_row(name, f"{min(wall for wall, _ in runs):.2f}", f"{min(cpu for _, cpu in runs):.2f}")
    console.print(table)
    console.print(f"{size / 1e6:.2f} MB, {arguments.chains} chains of {arguments.snapshots} snapshots")
    return size <= LARGEST_BYTES


def timed(profile: Profile, folder: Path, page: Path, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Return wall and processor times of some runs, s."""
    program = str(Path(sys.executable).parent / "aiida-rewire")
    commands = {
        "python -c 'import aiida.orm'": [sys.executable, "-c", "import aiida.orm"],
        f"report {LABEL}": [program, "report", LABEL, "--output", str(page), "--force"],
    }
    for command in commands.values():
        # what the first run alone does, such as compiling, is not what is asked for
        run_once(command, profile, folder)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(run_once(command, profile, folder))
    return times


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=tuple(LIMITS_S), help="both by default")
    parser.add_argument("--chains", type=int, default=10)
    parser.add_argument("--snapshots", type=int, default=350, help="of each chain")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    console = Console()
    backends = [arguments.backend] if arguments.backend else list(LIMITS_S)
    small = [measure(backend, arguments, console) for backend in backends]
    raise SystemExit(0 if all(small) else 1)


if __name__ == "__main__":
    main()
