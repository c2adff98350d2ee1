"""`aiida-rewire campaign clean`: scratch on the computers that nobody will need."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import (
    answer,
    campaign_of,
    directory_option,
    force_option,
    json_option,
    refuse_all_but_the_owner,
    say,
    say_aside,
)
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from aiida_rewire.campaign.cleaning import Cleaned, Scratch

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
MOST_FAILURES = 5


@click.command("clean")
@click.argument("label")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@click.option("--failed", is_flag=True, help="Also what failed, which stays as evidence otherwise.")
@click.option("--leads", is_flag=True, help="Also leads that nothing uses; later chains compute them again.")
@force_option
@directory_option
@json_option
def clean_command(
    label: str,
    dry_run: bool,
    yes: bool,
    failed: bool,
    leads: bool,
    force: str | None,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Remove scratch on the computers that nobody will need, with its size before and after.

    Folders of finished chains go. What runs, may be tried again or is taken by something that does stays, in this
    campaign and in every other; so do leads, and what failed. Results are in the database and stay. A folder that is
    not below the computer's work directory, or is reached by a link, is never touched. Killed and run again it goes
    on.
    """
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.cleaning import Cleaned, clean, measure
        from aiida_rewire.campaign.ownership import refuse_others
        from aiida_rewire.campaign.scratch import Also, choose_folders

        if not dry_run:
            refuse_all_but_the_owner("clean")
            refuse_others(group, force)
        also = Also(failed=failed, leads=leads)
        scratch = measure(choose_folders(group, also), say_aside)
        asks = not dry_run and not yes and bool(scratch.gone)
        if asks and (as_json or not at_a_terminal()):
            raise DemoFailure("clean: removes nothing without being asked at a terminal; give --yes, or --dry-run")
        if not as_json:
            for line in plan_lines(scratch):
                say(line)
        if dry_run or not scratch.gone:
            done = Cleaned(after=scratch.total)
        else:
            if asks:
                click.confirm(f"remove {counted(len(scratch.gone))}?", abort=True)
            done = clean(group, also, scratch, say_aside)
        answer(document(label, scratch, done, dry_run=dry_run), done_lines(scratch, done), as_json=as_json)
    if done.failed:
        click.get_current_context().exit(1)


def at_a_terminal() -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin.isatty()


def counted(folders: int) -> str:
    """Return a number of folders in words."""
    return f"{folders} folder{'s' * (folders != 1)}"


def size_text(size: float) -> str:
    """Return a size (bytes) in the unit that suits it."""
    for unit in UNITS[:-1]:
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {UNITS[-1]}"


def plan_lines(scratch: Scratch) -> list[str]:
    """Say what goes and what stays."""
    from aiida_rewire.campaign.cleaning import by_step

    lines = []
    for step, folders in sorted(by_step(scratch.gone).items()):
        size = sum(scratch.sizes.get(folder.key, 0) for folder in folders)
        lines.append(f"goes: {counted(len(folders))}, {size_text(size)}: {step}")
    for why, (number, size) in sorted(scratch.kept_by_reason().items()):
        lines.append(f"stays: {counted(number)}, {size_text(size)}: {why}")
    return lines or ["nothing is left to be removed"]


def done_lines(scratch: Scratch, done: Cleaned) -> list[str]:
    """Say what was removed."""
    if not scratch.gone:
        return []
    lines = [f"{folder.path}: {why}" for folder, why in done.failed[:MOST_FAILURES]]
    if len(done.failed) > MOST_FAILURES:
        lines.append(f"and {len(done.failed) - MOST_FAILURES} more that could not be removed")
    if done.needed:
        lines.append(f"{counted(len(done.needed))} stay: needed since, or no longer what they were")
    lines.append(
        f"removed {counted(len(done.folders))}; {size_text(scratch.total)} before, {size_text(done.after)} after"
    )
    return lines


def document(label: str, scratch: Scratch, done: Cleaned, *, dry_run: bool) -> dict[str, Any]:
    """Return all of it for programs; sizes in bytes."""

    def listed(folders: Any) -> list[dict[str, Any]]:
        return [
            {
                **{"host": folder.host, "path": folder.path, "chain": folder.chain, "step": folder.step},
                "bytes": scratch.sizes.get(folder.key, 0),
            }
            for folder in folders
        ]

    kept = scratch.kept_by_reason()
    return {
        "label": label,
        "dry_run": dry_run,
        "bytes_before": scratch.total,
        "bytes_after": done.after,
        "bytes_to_go": scratch.of_gone,
        "folders": listed(scratch.gone),
        "removed": len(done.folders),
        "kept": {why.name.lower(): {"folders": number, "bytes": size} for why, (number, size) in kept.items()},
        "needed_since": listed(done.needed),
        "failed": [{"path": folder.path, "why": why} for folder, why in done.failed],
    }
