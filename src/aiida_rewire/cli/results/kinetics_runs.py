"""Runs of the dynamics whose times to contact are compared, and how those depend on the voltage."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.md_runs import WORKFLOWS, MdRun, run_of
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.kinetics import LASTING_PS
from aiida_rewire.trace.kinetics import ContactTime, SeedRun, VoltageSlope, contact_times, voltage_slopes

if TYPE_CHECKING:
    from collections.abc import Mapping

ESCAPED = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})
"""For a pattern of a database."""


@dataclass(frozen=True)
class Alike:
    """Runs that are alike in all but voltage, gap and seed.

    Attributes
    ----------
    conditions
        What they have in common.
    runs
        One for each seed, voltage and gap.
    seeds
        Of the same, what is compared.
    times, slopes
        From `aiida_rewire.trace.kinetics`.
    """

    conditions: Mapping[str, Any]
    runs: Sequence[MdRun]
    seeds: Sequence[SeedRun]
    times: Sequence[ContactTime]
    slopes: Sequence[VoltageSlope]


@dataclass(frozen=True)
class Kinetics:
    """Times to contact of a profile or a campaign.

    Attributes
    ----------
    alike
        Runs that can be compared, set by set.
    not_over, failed, ramps, doubled
        Runs that are left out: they still run, they failed before any snapshot, their voltage changes in time, or
        another one of the same seed is longer.
    """

    alike: Sequence[Alike]
    not_over: int
    failed: int
    ramps: int
    doubled: int


def find_runs(*, campaign: str | None, label: str | None) -> list[MdRun]:
    """Return the runs of the dynamics, the oldest first: of a campaign, of a label, or of the profile.

    Raises
    ------
    InvalidInput
        If there is none, with the campaigns that are nearest.
    """
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from aiida_rewire.database.marks import VOID_EXTRA

    def asked(**filters: Any) -> Any:
        query = orm.QueryBuilder()
        kinds = [WorkflowFactory(name) for name in WORKFLOWS]
        query.append(kinds, filters={"extras": {"!has_key": VOID_EXTRA}, **filters}, project=["*"], tag="run")
        # an archive may have been cut: of a run without it nothing is known
        query.append(orm.Dict, with_outgoing="run", edge_filters={"label": "production"})
        return query

    if campaign is None:
        found = asked(**({} if label is None else {"label": label})).all(flat=True)
    else:
        pattern = f"{campaign.translate(ESCAPED)}/%"
        # LIKE of SQLite does not tell capitals
        recorded = [
            node for node in asked(label={"like": pattern}).all(flat=True) if node.label.startswith(f"{campaign}/")
        ]
        # chains that no campaign recorded say so in their labels
        named = asked().append(
            orm.Dict, with_outgoing="run", edge_filters={"label": "labels"}, filters={"attributes.campaign": campaign}
        )
        found = list({node.pk: node for node in (*recorded, *named.all(flat=True))}.values())
    found.sort(key=lambda node: node.pk)
    runs = [run_of(node) for node in found]
    if not runs:
        raise _nothing(campaign, label)
    return runs


def kinetics_of(runs: Sequence[MdRun], *, lasting: bool = False, voltage_v: float | None = None) -> Kinetics:
    """Return times to contact of runs, with those of several seeds together.

    Parameters
    ----------
    runs
        Of the dynamics.
    lasting
        Whether the contact has to last a picosecond.
    voltage_v
        Only of this voltage, V.

    Raises
    ------
    InvalidInput
        If no run is left.
    """
    finished = [run for run in runs if run.finished]
    not_over = sum(not run.finished and not run.state.startswith("failed") for run in runs)
    constant = [run for run in finished if isinstance(run.voltage_v, (int, float))]
    chosen = [run for run in constant if voltage_v is None or math.isclose(run.voltage_v, voltage_v)]
    sets: dict[str, dict[tuple[float, float, int], MdRun]] = defaultdict(dict)
    for run in chosen:
        of_set = sets[json.dumps(common_conditions(run), sort_keys=True)]
        key = (gap_of(run), float(run.voltage_v), run.seed)
        if key not in of_set or run.total_ps > of_set[key].total_ps:
            of_set[key] = run
    if not sets:
        volts = sorted({f"{run.voltage_v:g} V" for run in constant})
        asked = "none" if voltage_v is None else f"none at {voltage_v:g} V"
        there = f"there are runs at {', '.join(volts)}" if volts else "`aiida-rewire md show` tells how far runs are"
        raise InvalidInput("runs", asked, "at least one that ended, of a constant voltage", there)
    alike = []
    for members in (list(of_set.values()) for of_set in sets.values()):
        seeds = [seed_run(run, lasting=lasting) for run in members]
        alike.append(
            Alike(common_conditions(members[0]), members, seeds, contact_times(seeds), voltage_slopes(seeds))
        )
    return Kinetics(
        alike,
        not_over,
        len(runs) - len(finished) - not_over,
        len(finished) - len(constant),
        len(chosen) - sum(map(len, sets.values())),
    )


def seed_run(run: MdRun, *, lasting: bool) -> SeedRun:
    """Return what is compared of a run: its first contact, or the first that lasts a picosecond."""
    contact = run.lasting_contact_ps if lasting else run.first_contact_ps
    # a contact that begins in the last picosecond cannot be told to last
    followed = max(run.total_ps - LASTING_PS, 0.0) if lasting else run.total_ps
    return SeedRun(float(run.voltage_v), gap_of(run), run.seed, contact, followed)


def common_conditions(run: MdRun) -> dict[str, Any]:
    """Return what decides when tips touch, but for voltage, gap and seed."""
    conditions = dict(run.conditions)
    conditions["tips"] = {name: value for name, value in run.conditions["tips"].items() if name != "gap"}
    conditions["production"] = {
        name: value for name, value in run.conditions["production"].items() if name != "voltage_v"
    }
    return conditions


def conditions_text(conditions: Mapping[str, Any]) -> str:
    """Say in a few words what runs have in common."""
    production, tips = conditions["production"], conditions["tips"]
    said = [f"({tips['orientation']}) tips"] if "orientation" in tips else []
    if "temperature_k" in production:
        said.append(f"{production['temperature_k']:g} K")
    if production.get("bias") not in (None, "driver"):
        said.append(f"bias {production['bias']}")
    elif "potential" in production:
        said.append(f"{production['potential']} potential")
    return ", ".join(said) or "conditions of another release"


def gap_of(run: MdRun) -> float:
    """Return the gap as built, angstrom; NaN if it is not known."""
    return math.nan if run.gap is None else float(run.gap)


def _named_in_labels() -> list[str]:
    """Return the campaigns that runs name in their labels; such need not be recorded."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    query.append([WorkflowFactory(name) for name in WORKFLOWS], tag="run")
    query.append(orm.Dict, with_outgoing="run", edge_filters={"label": "labels"}, project="attributes.campaign")
    return sorted({str(name) for name in query.all(flat=True) if name})


def _nothing(campaign: str | None, label: str | None) -> InvalidInput:
    from aiida import orm

    from aiida_rewire.database.marks import CAMPAIGN_GROUP
    from aiida_rewire.database.selected import near_names

    if campaign is not None:
        query = orm.QueryBuilder().append(orm.Group, filters={"type_string": CAMPAIGN_GROUP}, project="label")
        recorded = sorted(query.all(flat=True))
        if campaign in recorded:
            way_out = f"`aiida-rewire campaign status {campaign}` tells how far it is"
            return InvalidInput("campaign", repr(campaign), "one whose dynamics has begun", way_out)
        known = list(dict.fromkeys([*recorded, *_named_in_labels()]))
        there = f"there is {near_names(campaign, known)}" if known else "there is none yet"
        return InvalidInput("campaign", repr(campaign[:80]), "one of the profile's", there)
    way_out = "`aiida-rewire md show` lists the runs" if label is not None else "`aiida-rewire md submit` starts one"
    return InvalidInput("runs", "none" if label is None else f"none of label {label[:80]!r}", "at least one", way_out)
