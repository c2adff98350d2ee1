"""What failed in a campaign, by exit code: how often, what was made up for, an example with its decisive lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, attempt_label
from aiida_rewire.campaign.branches import failed_below
from aiida_rewire.campaign.census import Census, Part, take_census
from aiida_rewire.campaign.evidence import Line, cleaned, decisive_lines, texts_of
from aiida_rewire.campaign.ways_out import exit_code_of, way_out_of
from aiida_rewire.database.marks import CHAIN_PROCESS, CHAIN_WORKFLOW
from aiida_rewire.database.tables import Tables, plugin_of, whole

if TYPE_CHECKING:
    from aiida import orm

MD_JOB = "rewire.md"
ASSEMBLY = "assemble_junctions"
REPORT = "report"
"""Source of lines that AiiDA wrote down for a process."""

SHORTEST_REPORT = 2
"""So many of a process's last messages are looked at."""


class Kind(NamedTuple):
    """What failures are counted by: name of the plugin; failed, excepted or killed; exit status of a failed one."""

    plugin: str
    state: str
    exit_status: int | None


INCOMPLETE = Kind(CHAIN_WORKFLOW, "failed", SNAPSHOTS_MISSING)
"""Chains that lack snapshots, whose failures are counted themselves."""


@dataclass(frozen=True)
class Failure:
    """A process that did not end well.

    Attributes
    ----------
    kind
        What it is counted by.
    pk, label
        Of its node.
    chain
        The chain it belongs to.
    mended
        Whether a later attempt, separate jobs or the next job made up for it.
    message
        Why no process began; None where one did.
    """

    kind: Kind
    pk: int
    label: str
    chain: str
    mended: bool
    message: str | None = None


@dataclass(frozen=True)
class Deepest:
    """The deepest failed process below one that failed: where it began."""

    pk: int
    plugin: str
    exit_status: int | None
    message: str


@dataclass(frozen=True)
class FailureRow:
    """All failures of a kind.

    Attributes
    ----------
    kind, code
        What they have in common, and the label of the exit code.
    count, mended
        How many there are, and how many of those are made up for.
    chains
        Those with failures of this kind that are not made up for.
    example, label, message
        PK and label of one of them, and what it said.
    deepest
        Where the example began to fail.
    lines
        That decide why, of the deepest one's report and files.
    way_out
        What a person can do about it.
    """

    kind: Kind
    code: str
    count: int
    mended: int
    chains: tuple[str, ...]
    example: int
    label: str
    message: str
    deepest: Deepest
    lines: tuple[Line, ...]
    way_out: str

    @property
    def left(self) -> int:
        """How many nothing made up for."""
        return self.count - self.mended

    @property
    def is_cause(self) -> bool:
        """Whether the example failed by itself, and not because something below it did."""
        return self.deepest.pk == self.example


def failure_rows(group: orm.Group, *, process_type: str = CHAIN_PROCESS) -> list[FailureRow]:
    """Return what failed in a campaign, by exit code, what is not made up for first.

    Of that causes come before what they brought down, and of each the most frequent first.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of its chains.
    """
    census = take_census(group, process_type=process_type)
    by_kind: dict[Kind, list[Failure]] = defaultdict(list)
    for failure in failures_in(group.label, census):
        by_kind[failure.kind].append(failure)
    # the last one that nothing made up for
    examples = {kind: max(those, key=lambda one: (not one.mended, one.pk)) for kind, those in by_kind.items()}
    tables = Tables.of(group)
    deepest = failed_below(tables, {one.pk for one in examples.values() if one.message is None})
    said = what_was_said(tables, {*deepest, *deepest.values()})
    reports = reports_of(tables, deepest.values())
    rows = []
    for kind, those in by_kind.items():
        one = examples[kind]
        below = deepest.get(one.pk, one.pk)
        origin = said[below] if one.message is None else _Said(kind.plugin, *kind[1:], one.message)
        message = one.message or said[one.pk].message
        lines = (
            decisive_lines(evidence_of(below, reports.get(below, ())))
            if one.message is None
            else (Line(REPORT, cleaned(one.message)),)
        )
        rows.append(
            FailureRow(
                kind=kind,
                code="" if kind.exit_status is None else exit_code_of(kind.plugin, kind.exit_status).label,
                count=len(those),
                mended=sum(failure.mended for failure in those),
                chains=tuple(dict.fromkeys(failure.chain for failure in those if not failure.mended)),
                example=one.pk,
                label=one.label,
                message=message,
                deepest=Deepest(below, origin.plugin, origin.exit_status, origin.message),
                lines=lines,
                way_out=way_out_of(origin.plugin, origin.state, origin.exit_status, [line.text for line in lines]),
            )
        )
    return sorted(
        rows, key=lambda row: (not row.left, not row.is_cause, -row.left, -row.count, row.kind.plugin, row.code)
    )


def failures_in(campaign: str, census: Census) -> Iterator[Failure]:
    """Yield all failures of a campaign: of chains, their parts, the jobs of their dynamics, and refused snapshots.

    Parameters
    ----------
    campaign
        Its label.
    census
        What the database said.
    """
    for chain, attempts in census.attempts.items():
        finished = any(attempt.is_ok for attempt in attempts)
        for attempt in attempts:
            if not attempt.is_live and not attempt.is_ok:
                kind = Kind(CHAIN_WORKFLOW, attempt.state, attempt.exit_status)
                yield Failure(kind, attempt.pk, attempt_label(campaign, chain), chain, finished)
        parts = census.parts.get(chain, ())
        for part in parts:
            label = f"{attempt_label(campaign, chain)}/{part.name}"
            mended = is_mended(part, parts, census, finished=finished)
            if part.failed:
                yield Failure(Kind(part.plugin, part.state, part.exit_status), part.pk, label, chain, mended)
            yield from of_segments(part, label, census, mended=mended)
            for index, (status, reason) in census.refused.get(part.pk, {}).items():
                there = index in census.conductances.get(chain, {})
                where = f"{attempt_label(campaign, chain)}/snapshot_{index:04d}"
                yield Failure(Kind(ASSEMBLY, "failed", status), part.pk, where, chain, there, reason)


def is_mended(part: Part, parts: Sequence[Part], census: Census, *, finished: bool) -> bool:
    """Whether what a part failed to give is there all the same: from another process of the same name, or in all."""
    if part.snapshot is not None:
        return part.snapshot in census.conductances.get(part.chain, {})
    if part.is_lane:
        return finished
    return any(other.began > part.began and other.name == part.name and other.state == "finished" for other in parts)


def of_segments(part: Part, label: str, census: Census, *, mended: bool) -> Iterator[Failure]:
    """Yield the jobs of a dynamics that did not end well; those before the last one did not end it."""
    segments = census.segments.get(part.pk, ())
    for segment in segments:
        if segment.state != "finished":
            went_on = part.is_live or part.state == "finished" or segment is not segments[-1]
            kind = Kind(MD_JOB, segment.state, segment.exit_status)
            yield Failure(kind, segment.pk, label, part.chain, went_on or mended)


class _Said(NamedTuple):
    """What a process says of its end."""

    plugin: str
    state: str
    exit_status: int | None
    message: str


def what_was_said(tables: Tables, pks: Collection[int]) -> dict[int, _Said]:
    """Return what processes say of their ends, by PK."""
    from sqlalchemy import select

    nodes = tables.nodes
    names = ("process_state", "exit_status", "exit_message", "exception", "process_status")
    statement = select(nodes.c.id, nodes.c.process_type, *map(tables.attribute, names))
    found = {}
    for pk, process_type, state, status, message, exception, note in tables.rows_of(statement, nodes.c.id, pks):
        # of an exception the last line names it
        lines = [line for line in (exception or "").splitlines() if line.strip()]
        text = message or (lines[-1] if lines else "") or note or ""
        ended = "failed" if state == "finished" else state
        found[pk] = _Said(plugin_of(process_type), ended, whole(status), cleaned(text))
    return found


def reports_of(tables: Tables, pks: Collection[int]) -> dict[int, list[str]]:
    """Return the last messages that AiiDA wrote down for processes, by PK."""
    from sqlalchemy import select

    logs = tables.logs
    statement = select(logs.c.dbnode_id, logs.c.message).order_by(logs.c.id)
    found: dict[int, list[str]] = defaultdict(list)
    for pk, message in tables.rows_of(statement, logs.c.dbnode_id, set(pks)):
        found[pk].append(message)
    return {pk: messages[-SHORTEST_REPORT:] for pk, messages in found.items()}


def evidence_of(pk: int, report: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts in which a process says why it failed: its files, if it is a job, and its report.

    Parameters
    ----------
    pk
        Of its node.
    report
        Its last messages.
    """
    from aiida import orm

    node = orm.load_node(pk)
    if isinstance(node, orm.CalcJobNode) and "retrieved" in node.outputs:
        yield from readable(lambda: texts_of(node.outputs.retrieved))
    yield REPORT, "\n".join(report)


def readable(texts: Callable[[], Iterator[tuple[str, str]]]) -> Iterator[tuple[str, str]]:
    """Yield texts as far as they can be read: files may be gone from a repository."""
    try:
        yield from texts()
    except OSError as error:
        yield REPORT, f"its files cannot be read: {error}"
