"""How far campaigns are, as tables for people and as values for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from aiida_rewire.campaign.chain_progress import ChainProgress, Dynamics, State
from aiida_rewire.campaign.decisions import counted
from aiida_rewire.campaign.evidence import cleaned
from aiida_rewire.campaign.overview import Overview
from aiida_rewire.campaign.progress import CampaignProgress
from aiida_rewire.campaign.runners import Runners
from aiida_rewire.cli.campaign.showing import Sheet, duration_text

COLUMNS = (
    *("chain", "state", ">MD (ps)", ">snapshots", ">reused", ">running", ">failed"),
    *(">T latest", ">least", ">largest", ">attempts", ">left"),
)


def progress_values(progress: CampaignProgress, runners: Runners) -> dict[str, Any]:
    """Return all that is known of a campaign, for programs."""
    return {
        "label": progress.label,
        "state": progress.state,
        "over": progress.is_over,
        "submitted_by": progress.recorded_by,
        "paused": progress.paused,
        "imported": progress.imported,
        "left_s": progress.left_s,
        **runner_values(runners),
        "chains_by_state": {str(state): number for state, number in states_of(progress).items()},
        "chains": [chain_values(chain) for chain in progress.chains],
    }


def runner_values(runners: Runners) -> dict[str, Any]:
    """Return who runs a campaign, for programs."""
    values = asdict(runners)
    return {"daemon": values.pop("daemon"), "controller": {"runs": values.pop("controller"), **values}}


def chain_values(chain: ChainProgress) -> dict[str, Any]:
    """Return all that is known of a chain, for programs."""
    values = asdict(chain)
    snapshots = {**values.pop("snapshots"), "left": chain.snapshots.left}
    stages = {name: values.pop(name) for name in ("equilibration", "production")}
    return {**values, "state": str(chain.state), "md": stages, "snapshots": snapshots}


def states_of(progress: CampaignProgress) -> Counter[State]:
    """Return how many chains are in each state."""
    return Counter(chain.state for chain in progress.chains)


def progress_sheet(progress: CampaignProgress, runners: Runners, where: str = "") -> Sheet:
    """Return how far a campaign is, as a table; `where` ends commands that find it, such as ` --directory study`."""
    return Sheet(
        columns=COLUMNS,
        rows=[chain_row(chain) for chain in progress.chains],
        before=[*headlines(progress), *runner_lines(progress, runners, where)],
        after=[*remarks(progress.chains), *recorder(progress)],
    )


def recorder(progress: CampaignProgress) -> list[str]:
    """Say whose a campaign is."""
    return [f"recorded by {progress.recorded_by}"] if progress.recorded_by else []


def headlines(progress: CampaignProgress) -> list[str]:
    """Say in a few words how far a campaign is."""
    states = states_of(progress)
    chains = ", ".join(f"{states[state]} {state}" for state in State if states[state])
    done = sum(chain.snapshots.done for chain in progress.chains)
    total = sum(chain.snapshots.total for chain in progress.chains)
    left = "" if progress.left_s is None else f"; about {duration_text(progress.left_s)} left"
    number = counted(len(progress.chains), "chain", "chains")
    return [f"{progress.state}: {progress.label}, {number} ({chains}), {done} of {total} snapshots{left}"]


def runner_lines(progress: CampaignProgress, runners: Runners, where: str = "") -> list[str]:
    """Say who runs a campaign, and what keeps it from going on; `where` ends commands that find it."""
    if progress.imported:
        return ["it came in an archive, to be looked at: nothing of it runs here"]
    lines = []
    if runners.controller:
        whose = f" on {runners.host}, PID {runners.pid}, since {runners.since}" if runners.host else ""
        lines.append(f"a controller runs it{whose}")
    elif not progress.is_over:
        command = f"aiida-rewire campaign run {progress.label} --detach{where}"
        lines.append(f"no controller runs it: `{command}` starts one")
    if runners.daemon is False and not progress.is_over:
        # that of an embedded profile starts with the controller
        start = "a controller runs the campaign" if where else "`verdi daemon start`"
        lines.append(f"the daemon does not run on this machine: nothing goes on here until {start}")
    return lines


def chain_row(chain: ChainProgress) -> tuple[str, ...]:
    """Return the cells of a chain."""
    snapshots, found = chain.snapshots, chain.transmissions
    return (
        chain.name,
        f"{chain.state} ({chain.step})" if chain.step else str(chain.state),
        md_text(chain),
        f"{snapshots.done}/{snapshots.total}",
        *(str(number) if number else "-" for number in (snapshots.reused, snapshots.running, snapshots.failed)),
        *("-" if found is None else f"{value:.4g}" for value in transmissions(chain)),
        str(chain.attempts) if chain.attempts else "-",
        "-" if chain.state.is_over else duration_text(chain.left_s),
    )


def transmissions(chain: ChainProgress) -> tuple[float, float, float]:
    """Return the latest, the least and the largest transmission of a chain; zeros where there is none."""
    found = chain.transmissions
    return (0.0, 0.0, 0.0) if found is None else (found.latest, found.least, found.largest)


def md_text(chain: ChainProgress) -> str:
    """Say how far the dynamics is: that of the stage at which it is."""
    before = chain.equilibration.done_ps < chain.equilibration.total_ps
    stage: Dynamics = chain.equilibration if before else chain.production
    return f"{'eq. ' if before else ''}{stage.done_ps:g}/{stage.total_ps:g}"


def remarks(chains: Sequence[ChainProgress]) -> Iterator[str]:
    """Yield what the table does not tell: why chains failed, and what else a person must know."""
    for chain in chains:
        for note in chain.notes:
            yield f"{chain.name}: {note}"
        if chain.jobs:
            jobs = ", ".join(f"{number} {word}" for word, number in sorted(chain.jobs.items()))
            yield f"{chain.name}: {counted(sum(chain.jobs.values()), 'job', 'jobs')} ({jobs})"
        if chain.exit_status and chain.state is not State.FINISHED:
            yield f"{chain.name}: [{chain.exit_status}] {cleaned(chain.exit_message or '')}"


def chain_line(chain: ChainProgress) -> str:
    """Say in a line what a chain is and how far."""
    snapshots = chain.snapshots
    parts = [
        f"{chain.state} ({chain.step})" if chain.step else str(chain.state),
        f"MD {md_text(chain)} ps",
        f"{snapshots.done}/{snapshots.total} snapshots",
    ]
    parts += [
        f"{number} {word}"
        for word, number in (("running", snapshots.running), ("failed", snapshots.failed))
        if number
    ]
    if chain.transmissions is not None:
        parts.append(f"T {chain.transmissions.latest:.4g}")
    return ", ".join([*parts, *chain.notes])


OVERVIEW_COLUMNS = ("campaign", "state", ">chains", ">running", ">failed", ">snapshots", "controller", "submitted")


def overview_sheet(found: Sequence[tuple[Overview, Runners]]) -> Sheet:
    """Return all campaigns as a table."""
    return Sheet(columns=OVERVIEW_COLUMNS, rows=[overview_row(*pair) for pair in found])


def overview_row(campaign: Overview, runners: Runners) -> tuple[str, ...]:
    """Return the cells of a campaign."""
    chains = campaign.chains
    return (
        campaign.label,
        campaign.state,
        "?" if campaign.problem else f"{chains.get(State.FINISHED, 0)}/{sum(chains.values())}",
        str(chains.get(State.RUNNING, 0) or "-"),
        str(chains.get(State.FAILED, 0) + chains.get(State.KILLED, 0) or "-"),
        f"{campaign.snapshots_done}/{'?' if campaign.problem else campaign.snapshots_total}",
        "runs" if runners.controller else "-",
        f"{campaign.submitted_at[:16].replace('T', ' ')} {campaign.submitted_by}".strip(),
    )


def overview_values(campaign: Overview, runners: Runners) -> dict[str, Any]:
    """Return a campaign in a few values, for programs."""
    return {
        "label": campaign.label,
        "state": campaign.state,
        "problem": campaign.problem or None,
        "submitted_at": campaign.submitted_at,
        "submitted_by": campaign.submitted_by,
        "paused": campaign.paused,
        **runner_values(runners),
        "chains_by_state": {str(state): number for state, number in campaign.chains.items()},
        "snapshots": {"done": campaign.snapshots_done, "total": campaign.snapshots_total},
    }
