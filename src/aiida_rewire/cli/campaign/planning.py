"""`aiida-rewire campaign plan`: a dry run of a campaign file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import directory_option, json_option, say_aside, told_in_a_line
from aiida_rewire.cli.campaign.spec import printable
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from aiida_rewire.campaign.planning import Plan
    from aiida_rewire.campaign.specification import CampaignSpec


@click.command("plan")
@click.argument("file", type=click.Path(path_type=Path))
@directory_option
@json_option
def plan_command(file: Path, directory: Path | None, as_json: bool) -> None:
    """Say what a campaign comes to: chains, jobs, reuse, core-hours, disk, slots, time; nothing is started.

    What a job costs is the median of similar ones before, of the same code and protocol (measured), or follows from a
    table of measured runs and the size of the cells (estimate: right to a factor of two or three). Waiting in queues
    is left out. All that is wrong with the file is said as `check` does.
    """
    with told_in_a_line():
        spec = checked(file, directory, as_json=as_json)
        from aiida_rewire.campaign.planning import plan_campaign

        plan = plan_campaign(spec)
    if as_json:
        click.echo(json.dumps({"ok": True, "errors": [], **document(plan)}, indent=2))
    else:
        show_plan(plan)


def checked(file: Path, directory: Path | None, *, as_json: bool) -> CampaignSpec:
    """Return the campaign of a file that can be run.

    Raises
    ------
    DemoFailure
        If it cannot; every error has been printed.
    """
    from aiida_rewire.campaign.checks import database_problems
    from aiida_rewire.campaign.reading import CampaignErrors, examine_file
    from aiida_rewire.campaign.record import is_recorded
    from aiida_rewire.cli.campaign.embedded import open_and_prepare

    spec = None
    try:
        reading = examine_file(file)
    except CampaignErrors as error:
        errors = error.errors
    else:
        spec, problems = reading.spec, reading.problems
        if spec is not None:
            open_and_prepare(spec, directory, say_aside)
            wrong = [problem.place for problem in problems]
            problems += database_problems(spec, wrong, submitted=is_recorded(spec))
        errors = reading.source.messages(problems)
    if not errors and spec is not None:
        return spec
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": errors}, indent=2))
    else:
        for line in errors:
            say_aside(line)
    raise DemoFailure(f"{len(errors)} error{'s' * (len(errors) != 1)} in {printable(file)}")


def document(plan: Plan) -> dict[str, Any]:
    """Return a plan for programs; sizes in bytes, times in s."""
    left = plan.left
    return {
        "label": plan.label,
        "chains": plan.chains,
        "states": dict(left.states),
        "snapshots": plan.snapshots,
        "snapshots_left": sum(left.snapshots),
        "steps": [
            {
                "step": step.name,
                "jobs": step.jobs,
                "cores": step.cores,
                "core_hours": step.core_hours,
                "wall_s_each": step.wall_s,
                "source": step.source,
                "similar_jobs": step.similar,
            }
            for step in plan.steps
        ],
        "core_hours": plan.core_hours,
        "core_hours_at_most": plan.most_core_hours,
        "reuse": {"leads": list(left.leads_found), **left.dynamics_found},
        "disk": {"scratch": plan.disk.scratch, "repository": plan.disk.repository},
        "slots": {
            "of_each_chain": plan.slots_of_each,
            "needed": plan.active * plan.slots_of_each,
            "there": plan.slots_there,
        },
        "active_chains": plan.active,
        "jobs_at_once": {
            name: {"jobs": jobs, "limit": plan.limits.get(name)} for name, jobs in plan.jobs_at_once.items()
        },
        "longest_chain_s": plan.chain_s,
        "end_s": plan.end_s,
        "notes": list(plan.notes),
    }


def show_plan(plan: Plan) -> None:
    """Print a plan for people."""
    from aiida_rewire.cli.campaign.cleaning import size_text
    from aiida_rewire.cli.campaign.showing import Sheet, duration_text, show

    left = plan.left
    states = ", ".join(f"{count} {state}" for state, count in left.states.items())
    snapshots = sum(left.snapshots)
    before = [
        f"{plan.label}: {plan.chains} chains ({states}), {plan.snapshots} snapshots, {snapshots} left to compute",
        *plan.notes,
    ]
    rows = [
        (
            *(step.name, str(step.jobs), str(step.cores), duration_text(step.wall_s), hours_text(step.core_hours)),
            f"{step.source} ({step.similar} jobs)" if step.similar else step.source,
        )
        for step in plan.steps
    ]
    rows.append(("all", str(sum(step.jobs for step in plan.steps)), "", "", hours_text(plan.core_hours), ""))
    jobs = ", ".join(
        f"{number} on {name} (limit {plan.limits.get(name, 'none')})" for name, number in plan.jobs_at_once.items()
    )
    slots = f"{plan.active * plan.slots_of_each} of {plan.slots_there} slots of the daemon"
    after = [
        f"at most {most_text(plan)}",
        f"found in the database: {found_text(plan)}",
        f"disk: {size_text(plan.disk.scratch)} of scratch, {size_text(plan.disk.repository)} in the repository",
        f"at once: {plan.active} chains, {slots}, jobs {jobs}",
        f"time, queues aside: longest chain {duration_text(plan.chain_s)}, all {duration_text(plan.end_s)}",
    ]
    show(Sheet(("step", ">jobs", ">cores", ">wall each", ">core-hours", "from"), rows, before, after))


def most_text(plan: Plan) -> str:
    """Say what all jobs cost that take their whole wall time."""
    if plan.most_core_hours is None:
        return "without a bound: jobs have no wall time"
    return f"{hours_text(plan.most_core_hours)} core-hours, if each job takes its whole wall time, once"


def found_text(plan: Plan) -> str:
    """Say what is found in the database."""
    found = [(len(plan.left.leads_found), "lead")]
    found += [(count, stage) for stage, count in plan.left.dynamics_found.items()]
    parts = [f"{count} {name}{'s' * (count != 1)}" for count, name in found if count]
    return ", ".join(parts) if parts else "nothing to take over"


def hours_text(hours: float) -> str:
    """Return core-hours with three digits."""
    return f"{hours:.3g}" if hours < 1000 else f"{hours:,.0f}"
