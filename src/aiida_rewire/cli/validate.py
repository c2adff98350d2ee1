"""`aiida-rewire validate`: known answers, computed with the codes of this machine."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import DemoFailure, Home
from aiida_rewire.cli.signals import Interrupted, interrupt, on_stopping_signals
from aiida_rewire.transport.known_answers import known_answers, reciprocal_pairs
from aiida_rewire.transport.known_setups import PSEUDOPOTENTIALS, KnownAnswer, ReciprocalPair, TransmissionSetup

if TYPE_CHECKING:
    from aiida import orm

    from aiida_rewire.transport.known_structures import Structure

WORKFLOW = "rewire.transmission"
POLL_S = 1.0
FAILED = 1

Case = KnownAnswer | ReciprocalPair


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    name, source
        Of the case.
    got, expected
        T per spin, at the energy where they differ most.
    difference, tolerance
        Largest difference, and how large it may be.
    unitarity
        Largest |T_j + R_j - 1|.
    seconds
        From submission to the end.
    failure
        Why there is no transmission; empty where there is one.
    """

    name: str
    source: str
    got: float | None = None
    expected: float | None = None
    difference: float | None = None
    tolerance: float | None = None
    unitarity: float | None = None
    seconds: float = 0.0
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether the answer is the known one."""
        return self.difference is not None and self.tolerance is not None and self.difference <= self.tolerance


@click.command("validate")
@click.option("--slow", is_flag=True, help="Run the cases that take minutes as well (ultrasoft silver).")
@click.option("--only", help="Run the cases whose name holds this text.")
@click.option(
    "--pseudos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with Al.pz-vbc.UPF and H.pz-vbc.UPF of Quantum ESPRESSO, for the published cases.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Cases that run at a time; the usable cores by default.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Keep the AiiDA profile and all that was computed in this folder, which must not hold anything else.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def validate_command(
    slow: bool, only: str | None, pseudos: Path | None, jobs: int | None, directory: Path | None, as_json: bool
) -> None:
    """Compute transmissions that are known beforehand with pw.x and pwcond.x of this machine, and compare.

    Nothing is left behind unless --directory says where. Ends with 1 if an answer is not the known one.
    """
    warnings.simplefilter("ignore")
    everything: tuple[Case, ...] = (*known_answers(), *reciprocal_pairs())
    cases = [case for case in everything if slow or not case.slow]
    if only:
        cases = [case for case in cases if only.lower() in case.name.lower()]
    if not cases:
        raise DemoFailure(f"only = {only}: must be part of a case's name; leave it out to see all")
    cases, skipped = with_pseudos(cases, pseudos)
    console = Console(stderr=as_json)
    for case, missing in skipped:
        console.print(f"skipped: {case.name} needs {missing}; give their folder with --pseudos", markup=False)
    programs = ingredients.find_programs()
    rows: list[Row] = []
    with home_at(directory) as home, on_stopping_signals(interrupt):
        try:
            for row in answers(home, programs, cases, pseudos, jobs or len(os.sched_getaffinity(0))):
                rows.append(row)
                console.print(f"{'ok  ' if row.good else 'BAD '} {row.name} {row.failure}".rstrip(), markup=False)
        except (Interrupted, KeyboardInterrupt):
            console.print("stopped")
            raise SystemExit(130) from None
    if as_json:
        click.echo(json.dumps([{**asdict(row), "good": row.good} for row in rows], indent=2))
    else:
        console.print(table_of(rows))
    if not all(row.good for row in rows):
        raise SystemExit(FAILED)


def with_pseudos(cases: Sequence[Case], folder: Path | None) -> tuple[list[Case], list[tuple[Case, str]]]:
    """Part the cases whose pseudopotentials are there, or can be made, from the others."""
    ready, skipped = [], []
    for case in cases:
        sources = [PSEUDOPOTENTIALS[name] for name in case.setup.pseudos.values()]
        supplied = [source.file_name for source in sources if source.generation is None]
        missing = [name for name in supplied if folder is None or not (folder / name).is_file()]
        if missing:
            skipped.append((case, ", ".join(missing)))
        else:
            ready.append(case)
    return ready, skipped


@contextmanager
def home_at(directory: Path | None) -> Iterator[Home]:
    """Make a folder with an AiiDA profile; one that nobody asked to keep is removed."""
    if directory is not None:
        home = Home.at(directory)
        home.enter()
        yield home
        return
    folder = Path(tempfile.mkdtemp(prefix="aiida-rewire-validate-"))
    home = Home.at(folder)
    home.enter()
    try:
        yield home
    finally:
        home.remove()
        shutil.rmtree(folder, ignore_errors=True)


def answers(
    home: Home, programs: dict[str, Path], cases: Sequence[Case], pseudos: Path | None, jobs: int
) -> Iterator[Row]:
    """Run the cases, so many at a time, and yield a row as each ends."""
    home.open_profile()
    # known answers are to be computed, not remembered
    home.verdi("config", "set", "caching.default_enabled", "false")
    codes = ingredients.load_codes(programs)
    with home.daemon():
        waiting, running = list(cases), list[tuple[Case, list["orm.WorkChainNode"], float]]()
        made = Pseudopotentials(codes["ld1"], pseudos)
        while waiting or running:
            while waiting and len(running) < jobs:
                case = waiting.pop(0)
                tolerance, start = case.unitarity_tolerance, time.monotonic()
                nodes = [submitted(setup, tolerance, codes, made) for setup in setups_of(case)]
                running.append((case, nodes, start))
            for entry in list(running):
                case, nodes, start = entry
                if all(node.is_terminated for node in nodes):
                    running.remove(entry)
                    yield row_of(case, nodes, time.monotonic() - start)
            time.sleep(POLL_S)


class Pseudopotentials:
    """Pseudopotentials by the name that cases give them, each made or read once."""

    def __init__(self, ld1: orm.InstalledCode, folder: Path | None) -> None:
        self._ld1, self._folder = ld1, folder
        self._nodes: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._nodes:
            source = PSEUDOPOTENTIALS[name]
            if source.generation is not None:
                self._nodes[name] = ingredients.make_pseudo(self._ld1, source.generation)
            else:
                from aiida.plugins import DataFactory

                content = (self._folder or Path()).joinpath(source.file_name).read_bytes()
                self._nodes[name] = DataFactory("pseudo.upf")(io.BytesIO(content), filename=source.file_name)
        return self._nodes[name]


def setups_of(case: Case) -> list[TransmissionSetup]:
    """Return what has to be computed for a case."""
    return [case.setup] if isinstance(case, KnownAnswer) else [case.setup, case.mirrored]


def submitted(
    setup: TransmissionSetup, unitarity_tolerance: float, codes: dict[str, Any], pseudos: Pseudopotentials
) -> orm.WorkChainNode:
    """Submit a transmission."""
    from aiida.plugins import WorkflowFactory

    node: orm.WorkChainNode = WorkflowFactory(WORKFLOW).submit_from_protocol(
        codes,
        {element: pseudos[name] for element, name in setup.pseudos.items()},
        **structures_of(setup),
        protocol="demo",
        overrides=overrides_of(setup, unitarity_tolerance),
    )
    return node


def structures_of(setup: TransmissionSetup) -> dict[str, orm.StructureData]:
    """Return the regions as nodes; a lead without a junction is its own."""
    lead = structure_of(setup.lead)
    regions = {"left_lead": lead, "junction": lead if setup.junction is None else structure_of(setup.junction)}
    if setup.right_lead is not None:
        regions["right_lead"] = structure_of(setup.right_lead)
    return regions


def structure_of(region: Structure) -> orm.StructureData:
    """Return a region as a node."""
    from aiida import orm

    node = orm.StructureData(cell=region.cell.tolist())
    for element, position in zip(region.elements, region.positions.tolist(), strict=True):
        node.append_atom(position=position, symbols=element)
    return node


def overrides_of(setup: TransmissionSetup, unitarity_tolerance: float) -> dict[str, Any]:
    """Return how a setup differs from the protocol ``demo`` of the transmission."""
    # one mixing for all regions: a lead that is its own junction is one SCF
    parameters = {"SYSTEM": dict(setup.system), "ELECTRONS": {"mixing_mode": "plain", **setup.numerics.electrons}}
    meshes = {"lead": setup.lead_mesh, "scf": setup.junction_mesh or setup.lead_mesh}
    scf = {
        region: {
            "kpoints_mesh": list(mesh.mesh),
            "kpoints_offset": list(mesh.offset),
            "parameters": parameters,
        }
        for region, mesh in meshes.items()
    }
    pwcond = {
        "energies": list(setup.energies),
        "kpoints": {"list": [list(kpoint) for kpoint in setup.kpoints]},
        "parameters": dict(setup.numerics.pwcond),
        "unitarity_tolerance": unitarity_tolerance,
    }
    return {**scf, "pwcond": pwcond}


def row_of(case: Case, nodes: Sequence[orm.WorkChainNode], seconds: float) -> Row:
    """Compare what was computed with what is known."""
    failed = [node for node in nodes if not node.is_finished_ok]
    if failed:
        reason = failed[0].exit_message or f"process {failed[0].pk} {failed[0].process_state}"
        return Row(case.name, case.source, tolerance=case.tolerance, seconds=seconds, failure=reason)
    found = [node.outputs.conductance for node in nodes]
    got, expected = compared(case, found)
    at = np.unravel_index(np.argmax(np.abs(got - expected)), got.shape)
    return Row(
        case.name,
        case.source,
        got=float(got[at]),
        expected=float(expected[at]),
        difference=float(np.abs(got - expected)[at]),
        tolerance=case.tolerance,
        unitarity=max(float(node.base.attributes.get("unitarity_max")) for node in found),
        seconds=seconds,
    )


def compared(case: Case, found: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the transmissions to compare: got and expected, of one shape."""
    if isinstance(case, ReciprocalPair):
        first, second = (node.get_array("transmission") for node in found)
        return first, second
    node = found[0]
    expected = np.array(case.expected)
    if case.setup.spin_polarised:
        spins = node.get_array("transmission_spin") @ node.get_array("weights")
        return spins, np.broadcast_to(expected, spins.shape)
    return np.asarray(node.transmission), expected


def table_of(rows: Sequence[Row]) -> Table:
    """Return the table that a person reads."""
    table = Table(title="known answers: T per spin", title_justify="left")
    for column in ("case", "got", "expected", "difference", "allowed", "|T+R-1|", "s", ""):
        table.add_column(column, justify="left" if column in ("case", "") else "right")
    for row in rows:
        numbers = (
            "-" if value is None else format(value, form)
            for value, form in (
                (row.got, ".5f"), (row.expected, ".5f"), (row.difference, ".1e"), (row.tolerance, ".0e"),
                (row.unitarity, ".0e"),
            )
        )  # fmt: skip
        table.add_row(row.name, *numbers, f"{row.seconds:.0f}", "ok" if row.good else row.failure or "differs")
    return table
