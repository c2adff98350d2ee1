"""What a campaign costs, as tables for people and as values for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida_rewire.campaign.cost import GOOD, MENDED, STATUSES, STEPS, Cost, Source, Spent, Sum, total
from aiida_rewire.campaign.jobs import RUNNING
from aiida_rewire.cli.campaign.showing import Sheet

KEYS: Mapping[str, Callable[[Spent], str]] = {
    "steps": lambda one: one.step,
    "users": lambda one: one.user,
    "statuses": lambda one: one.status,
    "sources": lambda one: str(one.source),
}
COLUMNS = ("{}", ">jobs", ">core-hours", ">wall (h)", ">wasted core-hours", ">running", ">time unknown", "source")
MEANING = {
    Source.SACCT: "what Slurm accounted, all allocated cores for all the time",
    Source.PROGRAM: "what the programs printed, times the cores asked for",
    Source.POLL: "the time at which the scheduler was last asked: at least that",
    Source.UNKNOWN: "nobody knows; counted as nothing",
}


def sum_values(found: Sum) -> dict[str, Any]:
    """Return a sum for programs."""
    return {
        "jobs": found.jobs,
        "core_hours": found.core_hours,
        "wall_hours": found.wall_hours,
        "jobs_of_unknown_time": found.unknown,
    }


def cost_values(label: str, cost: Cost) -> dict[str, Any]:
    """Return what a campaign costs, for programs."""
    return {
        "label": label,
        "total": sum_values(total(cost.spent)),
        "wasted": sum_values(cost.wasted),
        "saved": {**sum_values(total(cost.saved)), "snapshots_of_equal_contacts": cost.reused},
        **{
            name: {
                value: {status: sum_values(found) for status, found in there.items()}
                for value, there in cost.by(key).items()
            }
            for name, key in KEYS.items()
        },
        "notes": list(cost.notes),
    }


def cost_sheets(label: str, cost: Cost) -> list[Sheet]:
    """Return what a campaign costs as tables: by step, by user, by status."""
    everything = total(cost.spent)
    line = f"{label}: {hours(everything.core_s)} core-hours in {everything.jobs} jobs"
    if cost.wasted.jobs:
        line += f", {core_hours(cost.wasted)} of them wasted in {cost.wasted.jobs} that did not end well"
    first = sheet_by("step", cost, KEYS["steps"], STEPS)
    sheets = [
        Sheet(first.columns, first.rows, before=[line]),
        sheet_by("user", cost, KEYS["users"], ()),
        sheet_by("status", cost, KEYS["statuses"], STATUSES),
    ]
    return [*sheets, Sheet(after=[*saved_lines(cost), *source_lines(cost), *cost.notes])]


def sheet_by(name: str, cost: Cost, key: Callable[[Spent], str], order: Sequence[str]) -> Sheet:
    """Return a table with a row for each value of a key, those that are expected in their order."""
    found = cost.by(key)
    names = [*(value for value in order if value in found), *sorted(set(found) - set(order))]
    rows = []
    for value in names:
        mine = [one for one in cost.spent if key(one) == value]
        every, wasted = total(mine), total(one for one in mine if one.status not in (GOOD, RUNNING))
        running = found[value].get(RUNNING, Sum()).jobs
        sources = dict.fromkeys(str(one.source) for one in mine)
        rows.append(
            (
                *(value, str(every.jobs), core_hours(every), "?" if every.is_unknown else hours(every.wall_s)),
                core_hours(wasted) if wasted.jobs else "-",
                *(str(number) if number else "-" for number in (running, every.unknown)),
                ", ".join(sorted(sources)),
            )
        )
    return Sheet([title.format(name) for title in COLUMNS], rows)


def core_hours(found: Sum) -> str:
    """Return core-hours; a question mark where nobody knows any."""
    return "?" if found.is_unknown else hours(found.core_s)


def hours(seconds: float) -> str:
    """Return seconds in hours, with three digits or as many as it takes."""
    value = seconds / 3600
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def saved_lines(cost: Cost) -> list[str]:
    """Say what was not computed anew."""
    saved = total(cost.saved)
    lines = []
    if saved.jobs:
        lines.append(f"saved: {saved.jobs} jobs were taken from the cache, {hours(saved.core_s)} core-hours")
    if cost.reused:
        lines.append(f"saved: {cost.reused} snapshots took over the conductance of an equal contact")
    return lines


def source_lines(cost: Cost) -> list[str]:
    """Say where the numbers come from, and what a status means that does not say so itself."""
    used = {one.source for one in cost.spent}
    lines = [f"{source}: {meaning}" for source, meaning in MEANING.items() if source in used]
    if any(one.status == MENDED for one in cost.spent):
        lines.append(f"{MENDED}: did not end well, and another job made up for it; wasted all the same")
    return lines
