"""`aiida-rewire demo`: the whole chain, small, on this machine."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import filelock
from rich.console import Console
from rich.table import Table

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import PROFILE, DemoFailure, Home
from aiida_rewire.cli.progress import Progress, shown
from aiida_rewire.cli.signals import Interrupted, interrupt, on_stopping_signals
from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.table import TABLE_COLUMNS, table_row, write_csv
from aiida_rewire.workflows.protocols import check_protocol, load_protocol

if TYPE_CHECKING:
    from aiida import orm

LABEL = "rewire-demo"
CHAIN = "rewire.chain"
PROTOCOL = "demo"
POLL_S = 2.0
KILL_TIMEOUT_S = 60
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

CSV_NAME, PICTURE_NAME = "trace.csv", "trace.png"


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(".rewire"),
    show_default=".rewire",
    help="Folder of the demo's own AiiDA profile.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="this folder",
    help=f"Where {PICTURE_NAME} and {CSV_NAME} go.",
)
@click.option("--gap", type=float, help="Distance of the tips' apexes, Å.")
@click.option("--base-side", type=int, help="Atoms along an edge of a tip's base.")
@click.option("--voltage", type=float, help="Bias, V.")
@click.option("--temperature", type=float, help="Temperature, K.")
@click.option("--timestep", type=float, help="Time step, fs.")
@click.option("--seed", type=int, help="Seed of the initial velocities.")
@click.option("--supercell", type=int, help="Lateral atoms of the flat layers, N x N.")
@click.option("--retry", is_flag=True, help="Try the snapshots again that an earlier run is missing.")
@click.option("--clean", is_flag=True, help="Remove all that the demo made, and what still runs of it.")
def demo_command(directory: Path, output: Path, retry: bool, clean: bool, **changes: Any) -> None:
    """Run the whole chain, small: biased MD of two silver tips, DFT of its snapshots, their conductance.

    A second run goes on where the first was stopped, or shows what is there. Ctrl-C stops everything.
    """
    home = Home.at(directory)
    if clean:
        remove(home, output)
        return
    # third parties' deprecations are not the user's business
    warnings.simplefilter("ignore")
    try:
        run(home, output, {key: value for key, value in changes.items() if value is not None}, retry=retry)
    except InvalidInput as error:
        raise DemoFailure(str(error)) from error


def remove(home: Home, output: Path) -> None:
    """Delete the demo's folder, its picture and its table."""
    if not home.exists:
        click.echo(f"nothing to remove: {home.folder} is not there")
        return
    with locked(home):
        home.remove()
    for name in (CSV_NAME, PICTURE_NAME):
        (output / name).unlink(missing_ok=True)
    click.echo(f"removed {home.folder}, {PICTURE_NAME} and {CSV_NAME}")


def overrides_of(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the protocol's overrides for the options that the user gave."""
    overrides: dict[str, Any] = {}
    places = {
        "gap": [("tips", "gap")],
        "base_side": [("tips", "base_side")],
        "voltage": [("production", "voltage_v")],
        "temperature": [("equilibration", "temperature_k"), ("production", "temperature_k")],
        "timestep": [("equilibration", "timestep_fs"), ("production", "timestep_fs")],
        "seed": [("equilibration", "seed"), ("production", "seed")],
        "supercell": [("junction", "supercell"), ("junction", "largest_supercell")],
    }
    for key, value in changes.items():
        for section, name in places[key]:
            overrides.setdefault(section, {})[name] = value
    return overrides


def label_of(values: dict[str, Any]) -> str:
    """Return the label of the chain with these values: other values, another chain."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{LABEL}-{digest[:8]}"


def run(home: Home, output: Path, changes: dict[str, Any], *, retry: bool) -> None:
    """Run, resume or show the demo."""
    if not output.is_dir():
        raise DemoFailure(f"output = {output}: must be a folder; make it first")
    overrides = overrides_of(changes)
    values = load_protocol(PROTOCOL, overrides)
    check_protocol(values)
    programs = ingredients.find_programs()
    console = Console()
    home.enter()
    with locked(home), on_stopping_signals(interrupt):
        try:
            chain = finished_chain_of(home, label_of(values), programs, overrides, console, retry=retry)
        except (Interrupted, KeyboardInterrupt):
            say(console, "stopped: nothing runs on; `aiida-rewire demo` goes on from what is finished")
            raise SystemExit(INTERRUPTED) from None
    show(home, chain, output, console)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Keep other demos out of this folder.

    Raises
    ------
    DemoFailure
        If one is in it.
    """
    lock = filelock.FileLock(home.folder / "demo.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise DemoFailure(
            f"a demo runs in {home.folder}; wait for it, stop it with Ctrl-C, or choose another --directory"
        ) from error
    try:
        yield
    finally:
        lock.release()


def finished_chain_of(
    home: Home, label: str, programs: dict[str, Path], overrides: dict[str, Any], console: Console, *, retry: bool
) -> orm.WorkChainNode:
    """Return the chain of this label, having run or awaited it where it was not there."""
    from aiida.plugins import WorkflowFactory

    say(console, f"profile `{PROFILE}` in {home.folder}")
    home.open_profile()
    codes = ingredients.load_codes(programs)
    chain = find_chain(label)
    partly = WorkflowFactory(CHAIN).exit_codes.ERROR_SNAPSHOTS_MISSING.status
    good = (0,) if retry else (0, partly)
    if chain is not None and chain.is_finished and chain.exit_status in good:
        say(
            console,
            f"chain <{chain.pk}> is there already; `aiida-rewire demo --clean` makes room for a new one",
        )
        return chain
    if chain is not None and not chain.is_terminated:
        home.repair()
    with home.daemon():
        try:
            pseudo = ingredients.load_pseudo(codes["ld1"])
            if chain is None or chain.is_terminated:
                labels = {"campaign": "demo", "chain": label, "pseudo_family": ingredients.PSEUDO_FAMILY}
                chain = WorkflowFactory(CHAIN).submit_from_protocol(
                    codes, None, pseudo, protocol=PROTOCOL, overrides=overrides, labels=labels, label=label
                )
                say(console, f"chain <{chain.pk}> submitted; what finished before is found again, not run again")
            else:
                say(console, f"chain <{chain.pk}> still runs: going on with it")
            watch(chain, console)
        except (Interrupted, KeyboardInterrupt):
            with on_stopping_signals(signal.SIG_IGN):
                say(console, "stopping what runs ...")
                if chain is not None and not chain.is_terminated:
                    kill(home, chain)
            raise
    return chain


def find_chain(label: str) -> orm.WorkChainNode | None:
    """Return the latest chain of this label."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder().append(WorkflowFactory(CHAIN), filters={"label": label}, tag="chain")
    query.order_by({"chain": {"id": "desc"}}).limit(1)
    found = query.first(flat=True)
    return found if isinstance(found, orm.WorkChainNode) else None


def watch(chain: orm.WorkChainNode, console: Console) -> None:
    """Show the progress of the chain until it ends."""
    progress = Progress.of_inputs(chain.inputs)
    with shown(progress, console) as update:
        while not chain.is_terminated:
            update(progress.update(chain))
            time.sleep(POLL_S)
        update(progress.update(chain))


def kill(home: Home, chain: orm.WorkChainNode) -> None:
    """Kill the chain, and wait until it has ended."""
    # what does not answer is ended with the daemon
    with suppress(DemoFailure):
        home.verdi("--profile", PROFILE, "process", "kill", "--timeout", str(KILL_TIMEOUT_S), str(chain.pk))
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while not chain.is_terminated and time.monotonic() < deadline:
        time.sleep(POLL_S)


def show(home: Home, chain: orm.WorkChainNode, output: Path, console: Console) -> None:
    """Print the table, write picture and CSV, and say how to look further.

    Raises
    ------
    DemoFailure
        If the chain ended without a trace.
    """
    from aiida_rewire.trace.figure import save_trace

    if "trace" not in chain.outputs:
        state = f"[{chain.exit_status}] {chain.exit_message}" if chain.is_finished else str(chain.process_state)
        raise DemoFailure(f"chain <{chain.pk}> has no trace: {state}; `aiida-rewire demo` tries again")
    trace = chain.outputs.trace
    rows = trace.rows()
    labels = trace.base.attributes.all
    table = Table(*TABLE_COLUMNS, title=f"chain <{chain.pk}>, {labels['voltage_v']:g} V, seed {labels['seed']}")
    for row in rows:
        table.add_row(*table_row(row))
    console.print(table)
    for row in rows:
        if row["missing"]:
            say(console, f"{row['time_ps']:.2f} ps is missing: {row['missing']}")
    if any(row["missing"] for row in rows):
        say(console, "`aiida-rewire demo --retry` tries what is missing again")
    write_csv(rows, output / CSV_NAME)
    title = "Silver tips under a voltage (protocol demo: not for publication)"
    save_trace(rows, output / PICTURE_NAME, voltage_v=labels["voltage_v"], title=title)
    say(console, f"wrote {output / PICTURE_NAME} and {output / CSV_NAME}")
    best = max(rows, key=lambda row: row["conductance_g0"] if math.isfinite(row["conductance_g0"]) else -1.0)
    say(console, hints(home, chain, best["conductance_uuid"]))


def hints(home: Home, chain: orm.WorkChainNode, uuid: str) -> str:
    """Say how to look further."""
    query = home.folder / "between.py"
    query.write_text(QUERY.replace("CHAIN-UUID", chain.uuid))
    folder = shlex.quote(str(home.folder))
    lines = [
        "",
        "Look further (in a shell with the environment activated):",
        f"  export AIIDA_PATH={folder}",
        "  verdi process list --all",
    ]
    if uuid:
        graph = "verdi node graph generate --link-types data --descendant-depth 0"
        lines.append(f"  {graph} {uuid}     # back to the tips, as a PDF (needs graphviz)")
    lines.append(f"  verdi run {shlex.quote(str(query))}     # the conductances with T between 0.8 and 1.2")
    return "\n".join(lines)


QUERY = '''\
"""Conductances of the demo with T between 0.8 and 1.2."""

from aiida.orm import QueryBuilder
from aiida.plugins import DataFactory, WorkflowFactory

between = {"attributes.transmission_fermi": {"and": [{">=": 0.8}, {"<=": 1.2}]}}
query = QueryBuilder().append(WorkflowFactory("rewire.chain"), filters={"uuid": "CHAIN-UUID"}, tag="chain")
query.append(
    DataFactory("rewire.conductance"),
    with_incoming="chain",
    filters=between,
    project=["uuid", "attributes.time_ps", "attributes.stage", "attributes.transmission_fermi"],
)
for uuid, time_ps, stage, transmission in query.iterall():
    print(f"{uuid}  {time_ps:.2f} ps  {stage:8}  T = {transmission:.4f}")
'''


def say(console: Console, text: str) -> None:
    """Print plain text."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
