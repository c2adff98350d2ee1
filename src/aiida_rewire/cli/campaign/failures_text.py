"""What failed in a campaign, as lines for people and as values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from aiida_rewire.campaign.amending import listed
from aiida_rewire.campaign.evidence import cleaned
from aiida_rewire.campaign.triage import FailureRow


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


def failure_lines(label: str, rows: Sequence[FailureRow], *, with_mended: bool) -> list[str]:
    """Say what failed: what nothing made up for in full, the rest in a line each.

    Parameters
    ----------
    label
        Of the campaign.
    rows
        What failed.
    with_mended
        Say the rest in full as well.
    """
    if not rows:
        return ["nothing failed"]
    left = [row for row in rows if with_mended or row.count > row.mended]
    lines: list[str] = []
    for row in left:
        lines += [*in_full(row), ""]
    if any(row.count > row.mended for row in rows):
        lines.append(
            f"`aiida-rewire campaign retry {label}` tries again what failed, `--exit-code N` only some of it"
        )
    else:
        lines.append("all that failed was made up for")
    mended = [row for row in rows if row not in left]
    if mended and lines[-1] != "":
        lines.append("")
    lines += [f"made up for: {title_of(row)}: {row.mended}" for row in mended]
    return lines


def title_of(row: FailureRow) -> str:
    """Return what failures of a kind have in common, in a few words."""
    plugin, state, exit_status = row.kind
    return f"{plugin} [{exit_status}] {row.code}".strip() if state == "failed" else f"{plugin} {state}"


def in_full(row: FailureRow) -> Iterator[str]:
    """Yield all that a person wants to know of a kind of failure."""
    mended = f", and {row.mended} made up for" if row.mended else ""
    chains = f" (chains {listed(row.chains)})" if row.chains else ""
    yield f"{title_of(row)}: {row.count - row.mended}{mended}{chains}"
    if row.message:
        yield f"  {cleaned(row.message)}"
    yield f"  example: <{row.example}> {row.label}"
    if row.deepest.pk != row.example:
        status = "" if row.deepest.exit_status is None else f" [{row.deepest.exit_status}]"
        yield f"  where it began: <{row.deepest.pk}> {row.deepest.plugin}{status} {row.deepest.message}".rstrip()
    for line in row.lines:
        yield f"    {line.source}: {line.text}"
    yield f"  way out: {row.way_out}"
