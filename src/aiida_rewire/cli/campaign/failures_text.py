"""What failed in a campaign, as lines for people and as values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from aiida_rewire.campaign.amending import listed
from aiida_rewire.campaign.evidence import cleaned
from aiida_rewire.campaign.triage import INCOMPLETE, FailureRow


def triage_values(label: str, rows: Sequence[FailureRow]) -> dict[str, Any]:
    """Return all that is known of what failed, for programs; chains that lack snapshots stand apart."""
    incomplete = next((row for row in rows if row.kind == INCOMPLETE), None)
    return {
        "label": label,
        "failures": [failure_values(row) for row in rows if row is not incomplete],
        "chains_incomplete": {
            "count": incomplete.count if incomplete else 0,
            "mended": incomplete.mended if incomplete else 0,
            "chains": list(incomplete.chains) if incomplete else [],
        },
    }


def failure_values(row: FailureRow) -> dict[str, Any]:
    """Return all that is known of a kind of failure, for programs."""
    values = asdict(row)
    plugin, state, exit_status = values.pop("kind")
    example = {"pk": values.pop("example"), "label": values.pop("label"), "message": values.pop("message")}
    return {
        "process": plugin,
        "state": state,
        "exit_status": exit_status,
        "exit_code": values.pop("code") or None,
        **values,
        "example": example,
    }


def failure_lines(label: str, rows: Sequence[FailureRow], *, with_mended: bool, where: str = "") -> list[str]:
    """Say what failed: what nothing made up for in full, the rest in a line each.

    Parameters
    ----------
    label
        Of the campaign.
    rows
        What failed.
    with_mended
        Say the rest in full as well.
    where
        Ends commands that find the campaign, such as `` --directory study``.
    """
    if not rows:
        return ["nothing failed"]
    left = [row for row in rows if with_mended or row.left]
    lines: list[str] = []
    for row in left:
        if row.kind != INCOMPLETE:
            lines += [*in_full(row), ""]
    # its snapshots stand above with their reasons
    lines += [counts_of(row) for row in left if row.kind == INCOMPLETE]
    if any(row.left for row in rows):
        command = f"aiida-rewire campaign retry {label}{where}"
        lines.append(f"`{command}` tries again what failed, `--exit-code N` only some of it")
    else:
        lines.append("all that failed was made up for")
    mended = [row for row in rows if row not in left]
    if mended and lines[-1] != "":
        lines.append("")
    lines += [f"made up for: {title_of(row)}: {row.mended}" for row in mended]
    return lines


def title_of(row: FailureRow) -> str:
    """Return what failures of a kind have in common, in a few words."""
    if row.kind == INCOMPLETE:
        return "chains incomplete"
    plugin, state, exit_status = row.kind
    return f"{plugin} [{exit_status}] {row.code}".strip() if state == "failed" else f"{plugin} {state}"


def counts_of(row: FailureRow) -> str:
    """Say how many failures of a kind there are, and where."""
    mended = f", and {row.mended} made up for" if row.mended else ""
    chains = f" (chains {listed(row.chains)})" if row.chains else ""
    return f"{title_of(row)}: {row.left}{mended}{chains}"


def in_full(row: FailureRow) -> Iterator[str]:
    """Yield all that a person wants to know of a kind of failure."""
    yield counts_of(row)
    if row.message:
        yield f"  {cleaned(row.message)}"
    yield f"  example: <{row.example}> {row.label}"
    if row.deepest.pk != row.example:
        status = "" if row.deepest.exit_status is None else f" [{row.deepest.exit_status}]"
        yield f"  where it began: <{row.deepest.pk}> {row.deepest.plugin}{status} {row.deepest.message}".rstrip()
    for line in row.lines:
        yield f"    {line.source}: {line.text}"
    yield f"  way out: {row.way_out}"
