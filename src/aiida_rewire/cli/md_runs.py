"""Runs of the biased dynamics in the database: how far they are, and when the tips first touched."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.junction.kinetics import median_and_spread

if TYPE_CHECKING:
    from aiida import orm

SHOWN = (
    *("time_ps", "voltage_v", "gap_left", "bonds", "bottleneck_coordination"),
    *("atoms_in_gap", "filament_atoms", "floating_atoms", "clusters"),
)
"""Arrays of the snapshots."""

WORKFLOWS = ("rewire.dynamics", "rewire.chain")


@dataclass(frozen=True)
class MdRun:
    """A run.

    Attributes
    ----------
    pk, uuid, label
        Of the work chain.
    atoms
        Of both tips together.
    gap
        Distance of the apexes as built, Å.
    voltage_v
        A number, or points (ps, V).
    seed
        Of the velocities.
    state
        ``finished``, ``failed`` with the exit code, or the state of the process.
    done_ps, total_ps
        Production behind it, and asked for.
    first_contact_ps
        Time of the first frame in contact; None without one, or without snapshots yet.
    steps_per_second
        Of the production.
    """

    pk: int
    uuid: str
    label: str
    atoms: int | None
    gap: float | None
    voltage_v: Any
    seed: int
    state: str
    done_ps: float
    total_ps: float
    first_contact_ps: float | None
    steps_per_second: float | None

    @property
    def finished(self) -> bool:
        """Whether the time of first contact, or that there was none, is known."""
        return self.state == "finished"

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        contact = "-"
        if self.finished:
            contact = "none" if self.first_contact_ps is None else f"{self.first_contact_ps:.3f}"
        speed = "-" if self.steps_per_second is None else f"{self.steps_per_second:.1f}"
        return (
            str(self.pk),
            self.label,
            "-" if self.atoms is None else str(self.atoms),
            "-" if self.gap is None else f"{self.gap:g}",
            voltage_text(self.voltage_v),
            str(self.seed),
            self.state,
            f"{self.done_ps:g} of {self.total_ps:g}",
            contact,
            speed,
        )


@dataclass(frozen=True)
class ContactTimes:
    """Times to first contact of runs that differ in their seeds alone, ps; None: not within the runs."""

    atoms: int | None
    gap: float | None
    voltage_v: Any
    runs: int
    without_contact: int
    lower_quartile_ps: float | None
    median_ps: float | None
    upper_quartile_ps: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""

        def cell(value: float | None) -> str:
            return "later" if value is None else f"{value:.3g}"

        return (
            "-" if self.atoms is None else str(self.atoms),
            "-" if self.gap is None else f"{self.gap:g}",
            voltage_text(self.voltage_v),
            str(self.runs),
            str(self.without_contact),
            cell(self.median_ps),
            f"{cell(self.lower_quartile_ps)} to {cell(self.upper_quartile_ps)}",
        )


def voltage_text(voltage: Any) -> str:
    """Write a voltage as the command line takes it."""
    if isinstance(voltage, (int, float)):
        return f"{voltage:g}"
    return ",".join(f"{time:g}:{volts:g}" for time, volts in voltage)


def find_runs(label: str | None = None) -> list[MdRun]:
    """Return the runs of this profile, the oldest first."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    filters = {} if label is None else {"label": label}
    query.append([WorkflowFactory(name) for name in WORKFLOWS], filters=filters, tag="run")
    query.order_by({"run": "id"})
    return [run_of(node) for node in query.all(flat=True)]


def run_of(node: orm.WorkChainNode) -> MdRun:
    """Return what a work chain is about and how far it is."""
    production = node.inputs.production.get_dict()
    ps = production.get("timestep_fs", 1.0) / 1000
    outputs = node.outputs
    done = outputs.results["last_step"] if "results" in outputs else last_checkpoint(node)
    snapshots = outputs.snapshots if "snapshots" in outputs else None
    return MdRun(
        pk=node.pk,
        uuid=node.uuid,
        label=node.label,
        atoms=len(outputs.tips.sites) if "tips" in outputs else None,
        gap=node.inputs.tips.get_dict().get("gap"),
        voltage_v=production.get("voltage_v", 0.0),
        seed=production["seed"],
        state=state_of(node, snapshots),
        done_ps=done * ps,
        total_ps=production["steps"] * ps,
        first_contact_ps=None if snapshots is None else snapshots.base.attributes.get("first_contact_ps"),
        steps_per_second=outputs.results["steps_per_second"] if "results" in outputs else None,
    )


def state_of(node: orm.WorkChainNode, snapshots: orm.TrajectoryData | None) -> str:
    """Say in a word how the dynamics is; a chain's later steps do not count."""
    if snapshots is not None:
        return "finished"
    if node.is_finished:
        return f"failed [{node.exit_status}]"
    return str(node.process_state.value) if node.process_state else "created"


def last_checkpoint(node: orm.WorkChainNode) -> int:
    """Return the last step of the jobs that a production has behind it."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": node.pk}, tag="run")
    query.append(orm.WorkChainNode, with_incoming="run", edge_filters={"label": "production"}, tag="production")
    query.append(orm.CalcJobNode, with_incoming="production", tag="job")
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters={"label": "results"},
        project="attributes.last_step",
        tag="results",
    )
    return max(query.all(flat=True), default=0)


def contact_times(runs: list[MdRun]) -> list[ContactTimes]:
    """Return medians and quartiles over the seeds of runs that are alike otherwise; a run without contact counts.

    Runs of different length are compared too: one that ended open says that its contact comes later.
    """
    alike: dict[tuple[Any, ...], list[MdRun]] = defaultdict(list)
    for run in runs:
        if run.finished:
            alike[run.atoms, run.gap, voltage_text(run.voltage_v)].append(run)
    rows = []
    for members in alike.values():
        spread = median_and_spread(
            [run.first_contact_ps for run in members], followed_ps=[run.total_ps for run in members]
        )
        first = members[0]
        rows.append(
            ContactTimes(
                atoms=first.atoms,
                gap=first.gap,
                voltage_v=first.voltage_v,
                runs=len(members),
                without_contact=spread.censored,
                lower_quartile_ps=spread.lower_quartile_ps,
                median_ps=spread.median_ps,
                upper_quartile_ps=spread.upper_quartile_ps,
            )
        )
    return rows


def snapshots_of(identifier: str) -> list[dict[str, Any]]:
    """Return a row of descriptors for each snapshot of a run.

    Raises
    ------
    DemoFailure
        If there is no such run or it has no snapshots.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise DemoFailure(f"identifier = {identifier}: there is no such run: {error}") from error
    if not isinstance(node, orm.WorkChainNode) or "snapshots" not in node.outputs:
        raise DemoFailure(f"identifier = {identifier}: no run with snapshots; `aiida-rewire md show` lists the runs")
    snapshots = node.outputs.snapshots
    rows = []
    for index, stage in enumerate(snapshots.base.attributes.get("stages")):
        values = {name: snapshots.get_array(name)[index].item() for name in SHOWN}
        rows.append({"stage": stage} | {name: None if is_nan(value) else value for name, value in values.items()})
    return rows


def is_nan(value: float) -> bool:
    """Whether a descriptor has no value."""
    return isinstance(value, float) and math.isnan(value)
