"""How long looking at a campaign of 10,000 snapshots takes, from the command as it is typed to its last line.

    python -m benchmarks.campaign_queries                     # SQLite and PostgreSQL: some five minutes
    python -m benchmarks.campaign_queries --backend sqlite    # a first look, without services
    python -m benchmarks.campaign_queries --others 4          # in a database with four more such campaigns

A campaign is written into a new profile: 46 chains of 250 snapshots, of which eight have come through whatever chains
may and the others are finished. `study.yaml` is the file of that campaign, `new.yaml` that of one not recorded, about
which the work chain of its chains is asked as well. Each command is a process of its own, start of Python included,
one after another; its processor time is given beside, for on a machine that does other things it runs longer than it
computes. The exit status is 1 if the best run of a command is above its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder
from tests.real.services.rabbitmq import RabbitMQ

ROOT = Path(__file__).parents[1]
LABEL = "big"
RUNS = 5
LIMITS_S = {"sqlite": 5.0, "postgresql": 2.0}
WRITE_TIMEOUT_S = 1800.0

WRITE = """
import io, sys
from pathlib import Path
from aiida import load_profile, orm
from aiida.plugins import GroupFactory
from aiida_pseudo.data.pseudo import UpfData
import yaml
load_profile()
folder, label, chains, snapshots, others, file = sys.argv[1:]
sys.path.insert(0, folder)
from synthetic import make_campaign, synthetic_spec

chains, snapshots = int(chains), int(snapshots)
spec = synthetic_spec(label, chains, snapshots)
computer = orm.Computer("synthetic", "localhost", transport_type="core.local", scheduler_type="core.slurm")
computer.set_workdir("/tmp/synthetic")
computer.store().configure()
programs = {"md": "rewire.md", "pw": "rewire.pw", "pp": "rewire.readback", "pwcond": "rewire.pwcond"}
for name, plugin in programs.items():
    path = "/usr/bin/python3" if name == "md" else f"/usr/bin/{name}.x"
    orm.InstalledCode(label=name, computer=computer, filepath_executable=path, default_calc_job_plugin=plugin).store()
upf = '<UPF version="2.0.1">\\n<PP_HEADER\\nelement="Ag"\\nz_valence="1.0"\\n/>\\n</UPF>\\n'
pseudo = UpfData(io.BytesIO(upf.encode()), filename="Ag.upf").store()
GroupFactory("pseudo.family")(label=spec.pseudo_family).store().add_nodes([pseudo])
made = make_campaign(label, chains=chains, snapshots=snapshots)
for number in range(int(others)):
    make_campaign(f"other-{number}", chains=chains, snapshots=snapshots)
given = spec.model_dump(mode="json", exclude_unset=True)
Path(file).write_text(yaml.safe_dump(given))
Path(file).with_name("new.yaml").write_text(yaml.safe_dump({**given, "label": "new"}))
done = sum(chain.snapshots["done"] for chain in made.chains.values())
nodes = orm.QueryBuilder().append(orm.Node).count()
print(f"{len(made.chains)} chains, {done} conductances, {sum(made.failures.values())} failures; {nodes} nodes in all")
"""


@dataclass
class Times:
    """Runs of a command: wall time and processor time of each, s.

    Attributes
    ----------
    limited
        Whether the limit of its backend is for it.
    """

    limited: bool
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


def commands_on(file: Path) -> dict[str, tuple[list[str], bool]]:
    """Return the commands by how they are typed: their words, and whether the limit is for them."""
    program = str(Path(sys.executable).parent / "aiida-rewire")
    campaign = {
        f"status {LABEL}": True,
        f"failures {LABEL}": True,
        f"plan {file.name}": True,
        f"status {LABEL} --json": True,
        "plan new.yaml": False,
        "status": False,
        f"cost {LABEL} --no-sacct": False,
    }
    typed = {
        f"campaign {line}": ([program, "campaign", *line.split()], limited) for line, limited in campaign.items()
    }
    return {
        "python -c 'import aiida.orm'": ([sys.executable, "-c", "import aiida.orm"], False),
        "--help": ([program, "--help"], False),
        **typed,
    }


def run_once(command: list[str], profile: Profile, folder: Path) -> tuple[float, float]:
    """Run a command; return its wall time and its processor time, s.

    Raises
    ------
    SystemExit
        If it fails.
    """
    before = os.times()
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=profile.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - begin
    after = os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return wall_s, cpu_s


@contextlib.contextmanager
def profile_on(backend: str, folder: Path) -> Iterator[Profile]:
    """Make a profile on a database of its own, gone afterwards."""
    profile = Profile(folder / "aiida")
    if backend == "sqlite":
        profile.create_embedded()
        yield profile
        return
    postgres, rabbitmq = Postgres(folder / "postgres"), RabbitMQ(folder / "rabbitmq")
    try:
        postgres.start()
        rabbitmq.start()
        profile.create(postgres, rabbitmq, "benchmark")
        yield profile
    finally:
        rabbitmq.stop()
        postgres.stop()


def measure(backend: str, arguments: argparse.Namespace, console: Console) -> bool:
    """Write the campaign, time the commands and print a table; return whether all are within the limit."""
    limit_s = LIMITS_S[backend]
    with service_folder() as folder, profile_on(backend, folder) as profile:
        file = folder / "study.yaml"
        written = profile.python(
            WRITE,
            *(str(ROOT / "tests" / "campaign"), LABEL, str(arguments.chains), str(arguments.snapshots)),
            *(str(arguments.others), str(file)),
            timeout_s=WRITE_TIMEOUT_S,
        )
        console.print(f"{backend}: {written.strip().splitlines()[-1]}")
        commands = commands_on(file)
        times = {name: Times(limited) for name, (_, limited) in commands.items()}
        for command, _ in commands.values():
            # what the first run alone does, such as compiling, is not what is asked for
            run_once(command, profile, folder)
        for _ in range(arguments.runs):
            # one after another, so that what else the machine does disturbs all alike
            for name, (command, _) in commands.items():
                wall_s, cpu_s = run_once(command, profile, folder)
                times[name].wall_s.append(wall_s)
                times[name].cpu_s.append(cpu_s)
    table = Table(f"{backend}: s", "best", "median", "processor", "limit")
    for name, found in times.items():
        best, median, cpu = min(found.wall_s), statistics.median(found.wall_s), min(found.cpu_s)
        table.add_row(name, f"{best:.2f}", f"{median:.2f}", f"{cpu:.2f}", f"{limit_s:g}" if found.limited else "-")
    console.print(table)
    return all(min(found.wall_s) <= limit_s for found in times.values() if found.limited)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=tuple(LIMITS_S), help="both by default")
    parser.add_argument("--chains", type=int, default=46)
    parser.add_argument("--snapshots", type=int, default=250, help="of each chain")
    parser.add_argument("--others", type=int, default=0, help="campaigns of the same size beside it")
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    console = Console()
    backends = [arguments.backend] if arguments.backend else list(LIMITS_S)
    within = [measure(backend, arguments, console) for backend in backends]
    raise SystemExit(0 if all(within) else 1)


if __name__ == "__main__":
    main()
