"""What the engine alone costs a snapshot, in units of one trivial CalcJob through the same daemon.

    python benchmarks/engine.py                       # 500 snapshots: some 15 minutes on two cores
    python benchmarks/engine.py --snapshots 60        # a first look

A real, short chain is run first. Its dynamics is then followed by a chain of many snapshots whose pw.x, pp.x and
pwcond.x are scripts that put in place what the real ones left, so that what remains is the engine: two daemon
workers, SQLite, the ZeroMQ broker. Trivial CalcJobs (core.arithmetic.add) run before and after, as many at a time as
there are lanes.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import PROFILE, Home
from aiida_rewire.workflows.protocols import load_protocol

if TYPE_CHECKING:
    from aiida import orm

WORKERS = 2
LANES = 8
POLL_S = 0.5
MEGABYTE = 1_000_000
FRAME_STEPS = 20
TRIVIAL_JOBS = 100
SNAPSHOTS_MISSING = 500
"""Exit status of a chain that lacks some of its conductances."""

PW = """#!/bin/sh
mkdir -p out/aiida.save
cp '{record}/charge-density.dat' out/aiida.save/
awk -f '{record}/atoms.awk' aiida.in '{record}/data-file-schema.xml' > out/aiida.save/data-file-schema.xml
cat '{record}/aiida.out'
"""
ATOMS = """# the atoms of the input (angstrom) in the place of those that were recorded (bohr)
BEGIN { CONVFMT = "%.15g"; bohr = 0.529177210903 }
FNR == NR && /^ATOMIC_POSITIONS/ { here = 1; next }
FNR == NR && here && NF == 4 {
  atoms++
  lines = lines "<atom name=\\"" $1 "\\" index=\\"" atoms "\\">" $2 / bohr " " $3 / bohr " " $4 / bohr "</atom>\\n"
  next
}
FNR == NR { here = 0; next }
/<atom / { next }
/<atomic_structure / { sub(/nat="[0-9]+"/, "nat=\\"" atoms "\\"") }
{ print }
/<atomic_positions>/ { printf "%s", lines }
"""
PP = """#!/bin/sh
case "$2" in density.in) name=density;; *) name=potential;; esac
cp "{record}/$name.grid" .
cat "{record}/$name.out"
"""
PWCOND = """#!/bin/sh
cat '{record}/pwcond.out'
"""
REPLAYS = {"pw": ("pw.x", PW), "pp": ("pp.x", PP), "pwcond": ("pwcond.x", PWCOND)}


def short_values(frames: int) -> dict[str, Any]:
    """Return the demo's values with a dynamics of so many snapshots in which the gap stays open."""
    steps = FRAME_STEPS * (frames - 1)
    return load_protocol(
        "demo",
        {
            "tips": {"gap": 8.0},
            "equilibration": {"steps": 200, "dump_interval": 100},
            "production": {"steps": steps, "dump_interval": FRAME_STEPS, "voltage_v": 2.0},
            "snapshot_interval_ps": FRAME_STEPS / 1000,
        },
    )


def run_chain(codes: dict[str, Any], pseudo: Any, values: dict[str, Any], label: str) -> orm.WorkChainNode:
    """Submit a chain and wait for it."""
    from aiida.plugins import WorkflowFactory

    workflow = WorkflowFactory("rewire.chain")
    labels = {"campaign": "benchmark", "chain": label}
    builder = workflow.get_builder_from_values(
        codes, None, pseudo, values, protocol="demo", labels=labels, label=f"benchmark/{label}"
    )
    chain: orm.WorkChainNode = workflow.launch(builder)
    wait([chain])
    if not (chain.is_finished_ok or chain.exit_status == SNAPSHOTS_MISSING):
        raise SystemExit(f"chain <{chain.pk}> [{chain.exit_status}] {chain.exit_message}")
    return chain


def wait(nodes: list[Any]) -> None:
    """Wait for processes."""
    while not all(node.is_terminated for node in nodes):
        time.sleep(POLL_S)


def recorded(chain: orm.WorkChainNode, folder: Path) -> Path:
    """Keep what the programs of the chain's first snapshot left; return the folder."""
    job = chain.outputs.conductances.snapshot_0000.creator
    scratch = Path(job.outputs.remote_folder.get_remote_path())
    folder.mkdir()
    for name in ("aiida.out", "density.out", "potential.out", "density.grid", "potential.grid", "pwcond.out"):
        shutil.copy(scratch / name, folder)
    for name in ("charge-density.dat", "data-file-schema.xml"):
        shutil.copy(scratch / "out" / "aiida.save" / name, folder)
    return folder


def replaying_codes(real: dict[str, Any], record: Path) -> dict[str, Any]:
    """Return the codes with scripts in the places of pw.x, pp.x and pwcond.x."""
    from aiida import orm

    codes = dict(real)
    (record / "atoms.awk").write_text(ATOMS)
    for label, (name, text) in REPLAYS.items():
        program = record / name
        program.write_text(text.format(record=record))
        program.chmod(0o755)
        codes[label] = orm.InstalledCode(
            label=f"{label}-replayed", computer=real[label].computer, filepath_executable=str(program)
        ).store()
    return codes


def trivial_jobs(home: Home, count: int) -> Cost:
    """Return what a trivial CalcJob costs, so many at a time as there are lanes."""
    from aiida import orm
    from aiida.engine import submit  # noqa: TID251
    from aiida.manage.caching import disable_caching
    from aiida.plugins import CalculationFactory

    add = CalculationFactory("core.arithmetic.add")
    computer = orm.load_computer("localhost")
    label = "bash-add"
    found = orm.QueryBuilder().append(orm.InstalledCode, filters={"label": label}).first(flat=True)
    code = found or orm.InstalledCode(label=label, computer=computer, filepath_executable="/bin/bash").store()
    watch = Stopwatch(home)
    running: list[Any] = []
    for number in range(count):
        while sum(not node.is_terminated for node in running) >= LANES:
            time.sleep(0.05)
        with disable_caching():
            running.append(submit(add, code=code, x=orm.Int(number), y=orm.Int(1)))
    wait(running)
    cost = watch.each(count)
    if any(node.base.caching.is_created_from_cache for node in running):
        raise SystemExit("trivial jobs were taken from the cache: they cost nothing like those that run")
    return cost


class Cost(NamedTuple):
    """What a job costs: seconds on the clock, and seconds of the workers' cores, which other work does not change."""

    wall_s: float
    core_s: float


class Stopwatch:
    """Time on the clock, and of the daemon's workers with the programs they ran."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.begin, self.used = time.monotonic(), self.core_seconds()

    def core_seconds(self) -> float:
        """Return the seconds of cores that the workers have used so far."""
        return sum(sum(process.cpu_times()[:4]) for process in self.home.leftovers() if "worker" in process.cmdline())

    def each(self, count: int) -> Cost:
        """Return what each of so many jobs has cost since the beginning."""
        return Cost((time.monotonic() - self.begin) / count, (self.core_seconds() - self.used) / count)


class Memory(threading.Thread):
    """Watch the resident memory of the largest daemon worker, MB."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self.home, self.seen, self.over = home, [], threading.Event()

    def run(self) -> None:
        """Look every few seconds."""
        while not self.over.wait(5.0):
            sizes = []
            for process in self.home.leftovers():
                try:
                    if "worker" in process.cmdline():
                        sizes.append(process.memory_info().rss / MEGABYTE)
                except psutil.Error:
                    continue
            if sizes:
                self.seen.append(max(sizes))


def plain_snapshots(chain: orm.WorkChainNode, snapshots: int) -> int:
    """Return how many snapshots were a job; a few whose atoms come too close to their images are refused before.

    Raises
    ------
    SystemExit
        If more than a few have none, or if any was computed in separate jobs, which are not meant here.
    """
    from aiida import orm

    names = [node.process_label for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]
    jobs = names.count("JunctionCalculation")
    if jobs < 0.98 * snapshots or jobs != len(chain.outputs.conductances) or "PwcondCalculation" in names:
        raise SystemExit(f"chain <{chain.pk}>: must have {snapshots} jobs of junctions and no others; see its report")
    return jobs


def seconds_per_hundred(chain: orm.WorkChainNode) -> list[float]:
    """Return how long each hundred conductances took, in the order in which they were stored."""
    from aiida import orm
    from aiida.plugins import DataFactory

    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": chain.pk}, tag="chain")
    query.append(DataFactory("rewire.conductance"), with_incoming="chain", project="ctime")
    times = sorted(query.all(flat=True))
    marks = [times[0], *times[99::100]]
    return [(later - sooner).total_seconds() for sooner, later in pairwise(marks)]


def seconds_of_lanes(chain: orm.WorkChainNode) -> float:
    """Return the time from the end of the dynamics to the end of the chain, s."""
    production = next(node for node in chain.called if node.label.endswith("/production"))
    return float((chain.mtime - production.mtime).total_seconds())


def measure(folder: Path, snapshots: int) -> None:
    """Run all of it and print a table."""
    console = Console()
    home = Home.at(folder / ".rewire")
    home.enter()
    home.open_profile()
    # jobs that are taken from the cache cost nothing like those that run
    home.verdi("--profile", PROFILE, "config", "set", "caching.default_enabled", "false")
    codes = ingredients.load_codes(ingredients.find_programs())
    home.verdi("--profile", PROFILE, "daemon", "start", str(WORKERS))
    memory = Memory(home)
    try:
        pseudo = ingredients.load_pseudo(codes["ld1"])
        console.print("a real chain of two snapshots ...")
        real = run_chain(codes, pseudo, {**short_values(2), "lanes": 2}, "recorded")
        replayed = replaying_codes(codes, recorded(real, folder / "record"))
        # the real lead is found by content, of the real pw.x: the one that is replayed needs its own files
        lead = lead_record(real, folder / "lead")
        switch_on_lead(replayed["pw"], lead)
        trivial_jobs(home, 2 * LANES)
        before = trivial_jobs(home, TRIVIAL_JOBS)
        console.print(f"{snapshots} snapshots ...")
        memory.start()
        values = short_values(snapshots)
        values |= {"lanes": LANES, "reuse": {**values["reuse"], "contacts": False}}
        watch = Stopwatch(home)
        chain = run_chain(replayed, pseudo, values, "replayed")
        memory.over.set()
        computed = plain_snapshots(chain, snapshots)
        whole = watch.each(computed)
        after = trivial_jobs(home, TRIVIAL_JOBS)
    finally:
        home.stop_daemon()
    trivial = Cost(*(statistics.mean(pair) for pair in zip(before, after, strict=True)))
    each = seconds_of_lanes(chain) / computed
    hundreds = seconds_per_hundred(chain)
    table = Table("what", "value")
    table.add_row(
        "a trivial CalcJob", f"{trivial.wall_s:.3f} s (before {before.wall_s:.3f}, after {after.wall_s:.3f})"
    )
    table.add_row("of the workers' cores", f"{trivial.core_s:.3f} s ({before.core_s:.3f}, {after.core_s:.3f})")
    table.add_row("a snapshot, from trajectory to conductance", f"{each:.3f} s")
    table.add_row("of the workers' cores, dynamics and all", f"{whole.core_s:.3f} s")
    table.add_row("ratio", f"{each / trivial.wall_s:.2f}, of cores {whole.core_s / trivial.core_s:.2f}")
    table.add_row("snapshots a minute", f"{60 / each:.0f}")
    table.add_row("seconds of each hundred", ", ".join(f"{seconds:.0f}" for seconds in hundreds))
    if memory.seen:
        quarter = max(1, len(memory.seen) // 4)
        first, last = statistics.mean(memory.seen[:quarter]), statistics.mean(memory.seen[-quarter:])
        table.add_row("largest worker, MB", f"{max(memory.seen):.0f}; first quarter {first:.0f}, last {last:.0f}")
    console.print(table)


def lead_record(chain: orm.WorkChainNode, folder: Path) -> Path:
    """Keep what the SCF of the lead and its read-back left."""
    lead = next(node for node in chain.called if node.base.links.get_incoming().all_link_labels().count("lead"))
    folder.mkdir()
    scratch = Path(lead.outputs.remote_folder.get_remote_path())
    shutil.copy(scratch / "aiida.out", folder)
    for name in ("charge-density.dat", "data-file-schema.xml"):
        shutil.copy(scratch / "out" / "aiida.save" / name, folder)
    readback = next(node for node in chain.called if node.process_label == "ReadbackCalculation")
    scratch = Path(readback.outputs.remote_folder.get_remote_path())
    for name in ("density.grid", "potential.grid", "density.out", "potential.out"):
        shutil.copy(scratch / name, folder)
    return folder


def switch_on_lead(code: Any, lead: Path) -> None:
    """Let the scripts of pw.x and pp.x put the lead's files in place where they run for the lead."""
    record = Path(str(code.filepath_executable)).parent
    is_lead = "$(sed -n 's/^ *nat = *//p' {} 2>/dev/null)"
    shutil.copy(record / "atoms.awk", lead)
    atoms = (lead / "data-file-schema.xml").read_text().split('nat="')[1].split('"')[0]
    for name, test in (
        ("pw.x", f'[ "{is_lead.format("aiida.in")}" = {atoms} ]'),
        ("pp.x", f"grep -q 'nat=\"{atoms}\"' out/aiida.save/data-file-schema.xml"),
    ):
        program = record / name
        junction = program.read_text()
        shebang, body = junction.split("\n", 1)
        program.write_text(f"{shebang}\nif {test}; then\n{body.replace(str(record), str(lead))}else\n{body}fi\n")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        measure(arguments.keep, arguments.snapshots)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.snapshots)


if __name__ == "__main__":
    main()
