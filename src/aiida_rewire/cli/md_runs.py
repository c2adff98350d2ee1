"""Runs of the biased dynamics in the database: how far they are, and when the tips first touched."""

from __future__ import annotations

import contextlib
import json
import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.ingredients import refuse_large_number
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.kinetics import LASTING_PS, median_and_spread
from aiida_rewire.md.conditions import MdConditions

if TYPE_CHECKING:
    from aiida import orm

SHOWN = (
    *("time_ps", "voltage_v", "gap_left", "bonds", "bottleneck_coordination"),
    *("atoms_in_gap", "filament_atoms", "floating_atoms", "clusters"),
)
"""Arrays of the snapshots."""

WORKFLOWS = ("rewire.dynamics", "rewire.chain")

LONGEST_SHOWN = 60
"""Characters of an identifier that are repeated."""

NOT_DECISIVE = ("seed", "steps", "checkpoint_interval", "job_steps")
"""Conditions in which runs may differ whose times to contact are of one distribution."""


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
    lasting_contact_ps
        Beginning of the first contact that lasts a picosecond; None likewise.
    contact_fraction
        Share of all frames that are in contact.
    steps_per_second
        Of the production.
    conditions
        What decides when the tips touch, but for the seed: tips, force field, equilibration and production.
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
    lasting_contact_ps: float | None
    contact_fraction: float | None
    steps_per_second: float | None
    conditions: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the time of first contact, or that there was none, is known."""
        return self.state == "finished"

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        times = ["-", "-"]
        if self.finished:
            both = (self.first_contact_ps, self.lasting_contact_ps)
            times = ["none" if time is None else f"{time:.3f}" for time in both]
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
            *times,
            "-" if self.contact_fraction is None else f"{self.contact_fraction:.0%}",
            speed,
        )


@dataclass(frozen=True)
class ContactTimes:
    """Times to contact of runs that differ in their seeds alone, ps; None: not within the runs.

    ``runs`` counts seeds, ``without_contact`` those that ended open, ``without_lasting`` those whose contacts did not
    last a picosecond. Quartiles are those of the first contact.
    """

    atoms: int | None
    gap: float | None
    voltage_v: Any
    conditions: dict[str, Any]
    runs: int
    without_contact: int
    lower_quartile_ps: float | None
    median_ps: float | None
    upper_quartile_ps: float | None
    without_lasting: int
    lasting_median_ps: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""

        def cell(value: float | None) -> str:
            return "later" if value is None else f"{value:.3g}"

        production = self.conditions["production"]
        return (
            self.conditions["tips"].get("orientation", "-"),
            "-" if self.atoms is None else str(self.atoms),
            "-" if self.gap is None else f"{self.gap:g}",
            f"{production.get('temperature_k', math.nan):g}",
            voltage_text(self.voltage_v),
            str(
                production.get("potential", "-")
                if production.get("bias") == "driver"
                else production.get("bias", "-")
            ),
            str(self.runs),
            str(self.without_contact),
            cell(self.median_ps),
            f"{cell(self.lower_quartile_ps)} to {cell(self.upper_quartile_ps)}",
            str(self.without_lasting),
            cell(self.lasting_median_ps),
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
        lasting_contact_ps=None if snapshots is None else snapshots.base.attributes.get("lasting_contact_ps"),
        contact_fraction=None if snapshots is None else contact_fraction(snapshots),
        steps_per_second=outputs.results["steps_per_second"] if "results" in outputs else None,
        conditions=conditions_of(node),
    )


def contact_fraction(snapshots: orm.TrajectoryData) -> float:
    """Return the share of all frames, not of the snapshots alone, that are in contact."""
    return float((snapshots.get_array("frame_gap_left") == 0).mean())


def conditions_of(node: orm.WorkChainNode) -> dict[str, Any]:
    """Return what decides when the tips touch, but for the seed."""
    conditions = {"tips": node.inputs.tips.get_dict(), "force_field": node.inputs.md.potential.md5}
    for name in ("equilibration", "production"):
        values = node.inputs[name].get_dict()
        # what is left to its default is the same as what is written out; keys of another release stay as they are
        with contextlib.suppress(InvalidInput):
            values = asdict(MdConditions.from_mapping(values))
        left_out = NOT_DECISIVE if name == "production" else ("seed",)
        conditions[name] = {key: value for key, value in values.items() if key not in left_out}
    return conditions


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
    return max((step for step in query.all(flat=True) if step is not None), default=0)


def contact_times(runs: list[MdRun]) -> list[ContactTimes]:
    """Return medians and quartiles over the seeds of runs that are alike otherwise; a run without contact counts.

    Runs of different length are compared too: one that ended open says that its contact comes later. Of several runs
    of one seed the longest counts, since they are no independent ones.
    """
    alike: dict[str, dict[int, MdRun]] = defaultdict(dict)
    for run in runs:
        if run.finished:
            of_seed = alike[json.dumps(run.conditions, sort_keys=True)]
            if run.seed not in of_seed or run.total_ps > of_seed[run.seed].total_ps:
                of_seed[run.seed] = run
    rows = []
    for members in (list(of_seed.values()) for of_seed in alike.values()):
        spread = median_and_spread(
            [run.first_contact_ps for run in members], followed_ps=[run.total_ps for run in members]
        )
        # a contact that begins in the last picosecond cannot be told to last
        lasting = median_and_spread(
            [run.lasting_contact_ps for run in members],
            followed_ps=[max(run.total_ps - LASTING_PS, 0.0) for run in members],
        )
        first = members[0]
        rows.append(
            ContactTimes(
                atoms=first.atoms,
                gap=first.gap,
                voltage_v=first.voltage_v,
                conditions=first.conditions,
                runs=len(members),
                without_contact=spread.censored,
                lower_quartile_ps=spread.lower_quartile_ps,
                median_ps=spread.median_ps,
                upper_quartile_ps=spread.upper_quartile_ps,
                without_lasting=lasting.censored,
                lasting_median_ps=lasting.median_ps,
            )
        )
    return rows


def find_run(identifier: str) -> tuple[orm.WorkChainNode, orm.TrajectoryData]:
    """Return a run and its snapshots.

    Raises
    ------
    DemoFailure
        If there is no such run or it has no snapshots.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    shown = repr(identifier) if len(identifier) <= LONGEST_SHOWN else f"{identifier[:LONGEST_SHOWN]!r}..."
    try:
        refuse_large_number(identifier)
        node = orm.load_node(identifier, sub_classes=(orm.WorkChainNode,))
    except MultipleObjectsError as error:
        raise DemoFailure(f"identifier = {shown}: several runs have it; give the PK of one") from error
    except (NotExistent, ValueError) as error:
        raise DemoFailure(f"identifier = {shown}: there is no such run; `aiida-rewire md show` lists them") from error
    if "snapshots" not in node.outputs:
        is_run = {"tips", "production"} <= set(node.inputs)
        why = f"no snapshots: it is {state_of(node, None)}" if is_run else "no dynamics"
        raise DemoFailure(f"identifier = {shown}: {why}; `aiida-rewire md show` lists the runs")
    return node, node.outputs.snapshots


def snapshots_of(identifier: str) -> list[dict[str, Any]]:
    """Return a row of descriptors for each snapshot of a run.

    Raises
    ------
    DemoFailure
        If there is no such run or it has no snapshots.
    """
    _, snapshots = find_run(identifier)
    rows = []
    for index, stage in enumerate(snapshots.base.attributes.get("stages")):
        values = {name: snapshots.get_array(name)[index].item() for name in SHOWN}
        rows.append({"stage": stage} | {name: None if is_nan(value) else value for name, value in values.items()})
    return rows


def is_nan(value: float) -> bool:
    """Whether a descriptor has no value."""
    return isinstance(value, float) and math.isnan(value)
