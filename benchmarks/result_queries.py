"""How long queries for conductances take in a database of 100,000 of them, from 300 chains, on PostgreSQL.

    python -m benchmarks.result_queries                   # 100,000 conductances among 800,000 nodes
    python -m benchmarks.result_queries --snapshots 3340 --lean   # 1,000,000 among 2,000,000

Four questions: the trace of a chain, transmissions between two values at a voltage, the histogram of all, the list of
campaigns. Each is asked many times, every time of another chain or voltage, without the indices of
`aiida-rewire database index`, and with them; beside it the same question as a QueryBuilder join through provenance,
from campaigns to chains, lanes, processes and conductances. Queries are timed in a program that runs: no start of
Python. The answers are compared. The exit status is 1 if the 95th percentile of a question is above its limit.

The server has 64 MB of shared buffers, less than any server of a group.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.database.new_profiles import add_on_postgresql
from tests.real.services.postgres import Postgres
from tests.real.services.profile import Profile
from tests.real.services.program import service_folder

ROOT = Path(__file__).parents[1]
NAME = "many"
LIMIT_S = 0.3
WRITE_TIMEOUT_S = 7200.0
MEASURE_TIMEOUT_S = 7200.0

WRITE = """
import sys, time
sys.path[:0] = sys.argv[1:3]
from aiida import load_profile, orm
load_profile()
from many_conductances import many_conductances
began = time.perf_counter()
made = many_conductances(campaigns=10, seeds=6, snapshots=int(sys.argv[3]), lean=sys.argv[4] == "lean")
conductances = len(made.campaigns) * len(made.chains) * made.snapshots
nodes = orm.QueryBuilder().append(orm.Node).count()
print(f"{conductances} conductances of {len(made.campaigns) * len(made.chains)} chains, {nodes} nodes in all;"
      f" written in {time.perf_counter() - began:.0f} s")
"""

MEASURE = """
import json, random, sys, time
from pathlib import Path
import numpy as np
from aiida import load_profile, orm
load_profile()
from aiida.plugins import DataFactory, GroupFactory
from aiida_rewire.campaign.overview import overview
from aiida_rewire.database.indices import make_indices
from aiida_rewire.database.queries import Selection, campaigns, conductances, histogram, trace
from aiida_rewire.database.storage import Storage

runs, naive_runs, longest_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
Conductance, Campaign = DataFactory("rewire.conductance"), GroupFactory("rewire.campaign")
EDGES = np.linspace(0.0, 2.0, 101)
storage = Storage.of_profile()
labels = [one.label for one in campaigns()]
VOLTAGES = (2.0, 4.0, 6.0, 8.0, 10.0)


def through(chain=None, group=False, **last):
    query = orm.QueryBuilder()
    if group:
        query.append(Campaign, tag="group", project="label")
    filters = {} if chain is None else {"label": {"like" if "%" in chain else "==": chain}}
    filters["process_type"] = "aiida.workflows:rewire.chain"
    query.append(orm.WorkChainNode, tag="chain", filters=filters, **({"with_group": "group"} if group else {}))
    query.append(orm.WorkChainNode, tag="lane", with_incoming="chain")
    query.append(orm.ProcessNode, tag="process", with_incoming="lane")
    query.append(Conductance, with_incoming="process", **last)
    return query.all()


def between(low, high):
    return {"filters": {"attributes.transmission_fermi": {"and": [{">=": low}, {"<=": high}]}}}


def naive_trace(c, chain):
    found = sorted(through(f"{c}/{chain}", project=["attributes.time_ps", "attributes.transmission_fermi"]))
    return [round(t, 9) for _, t in found]


def naive_between(volts, low, high):
    return len(through(f"%/{volts:g}V-s%", project=["id", "attributes.transmission_fermi"], **between(low, high)))


def naive_histogram():
    values = [t for (t,) in through(project=["attributes.transmission_fermi"])]
    return np.histogram(values, EDGES)[0].tolist()


def naive_campaigns():
    counts = {}
    for label, _ in through(group=True, project=["id"]):
        counts[label] = counts.get(label, 0) + 1
    return counts


def of(name):
    random.seed(name + str(of.turn))
    of.turn += 1
    volts, low = random.choice(VOLTAGES), random.uniform(0.8, 1.1)
    chain = (random.choice(labels), f"{volts:g}V-s{random.randint(1, 6)}")
    return {"trace of a chain": chain, "T from a to b at a voltage": (volts, low, low + 0.05)}.get(name, ())


OURS = {
    "trace of a chain": lambda *where: [round(t, 9) for t in trace(*where).transmission.tolist()],
    "T from a to b at a voltage": lambda v, a, b: len(conductances(Selection(voltage_v=v, transmission=(a, b)))),
    "histogram of all": lambda: histogram(EDGES).tolist(),
    "list of campaigns": lambda: {one.label: one.conductances for one in campaigns()},
}
NAIVE = dict(zip(OURS, (naive_trace, naive_between, naive_histogram, naive_campaigns), strict=True))


def timed(function, name, times, budget_s=1e9):
    of.turn, taken = 0, []
    while len(taken) < times and sum(taken) < budget_s:
        arguments = of(name)
        storage.session.rollback()
        begin = time.perf_counter()
        function(*arguments)
        taken.append(time.perf_counter() - begin)
    return taken


found = {}
for name, ours in OURS.items():
    of.turn = 0
    arguments = of(name)
    same = ours(*arguments) == NAIVE[name](*arguments)
    found[name] = {"same": same, "without": timed(ours, name, runs)}
    found[name]["naive"] = timed(NAIVE[name], name, naive_runs, longest_s)
with storage.connection() as connection:
    begin = time.perf_counter()
    make_indices(connection, lambda text: None)
    found["indices"] = {"seconds": time.perf_counter() - begin}
for name, ours in OURS.items():
    found[name]["with"] = timed(ours, name, runs)
begin = time.perf_counter()
overview()
found["overview"] = {"seconds": time.perf_counter() - begin}
print(json.dumps(found))
"""


def percentile_95(seconds: list[float]) -> float:
    """Return the 95th percentile: of twenty the nineteenth."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


def report(found: dict[str, Any], console: Console) -> bool:
    """Print a table of what was measured; return whether all is within the limit and the answers are the same."""
    columns = ("without indices", "with", "with: median", "provenance: median", "times as long", "same answer")
    table = Table("ms, 95th percentile", *columns)
    within = True
    for name, one in found.items():
        if "with" not in one:
            continue
        without, with_ = percentile_95(one["without"]), percentile_95(one["with"])
        median, naive = statistics.median(one["with"]), statistics.median(one["naive"])
        within &= with_ <= LIMIT_S and one["same"]
        milliseconds = [f"{1000 * value:.0f}" for value in (without, with_, median, naive)]
        table.add_row(name, *milliseconds, f"{naive / median:.0f}", "yes" if one["same"] else "NO")
    console.print(table)
    console.print(f"`campaign status` of all: {1000 * found['overview']['seconds']:.0f} ms")
    return within


def main() -> None:
    """Write the conductances, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, default=334, help="of each of 300 chains")
    parser.add_argument("--lean", action="store_true", help="chains, jobs and conductances alone")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--naive-runs", type=int, default=20)
    parser.add_argument("--naive-longest", type=float, default=120.0, metavar="S", help="for all runs of a question")
    arguments = parser.parse_args()
    console = Console(width=130)
    with service_folder() as folder:
        postgres, profile = Postgres(folder / "postgres"), Profile(folder / "aiida")
        try:
            postgres.start()
            add_on_postgresql(profile, postgres, NAME)
            profile.verdi("profile", "set-default", NAME)
            folders = [str(ROOT / "tests" / name) for name in ("campaign", "database")]
            kind = "lean" if arguments.lean else "whole"
            written = profile.python(WRITE, *folders, str(arguments.snapshots), kind, timeout_s=WRITE_TIMEOUT_S)
            console.print(written.strip().splitlines()[-1])
            with postgres.connect(NAME) as session:
                session.execute("VACUUM (ANALYZE)")
            console.print(f"load {os.getloadavg()[0]:.1f} before")
            runs = (str(arguments.runs), str(arguments.naive_runs), str(arguments.naive_longest))
            found = json.loads(profile.python(MEASURE, *runs, timeout_s=MEASURE_TIMEOUT_S).strip().splitlines()[-1])
            console.print(f"load {os.getloadavg()[0]:.1f} after; indices made in {found['indices']['seconds']:.1f} s")
        finally:
            postgres.stop()
    raise SystemExit(0 if report(found, console) else 1)


if __name__ == "__main__":
    main()
