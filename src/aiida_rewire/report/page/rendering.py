"""From what stands on the page to HTML: one file, which asks nobody for anything.

Traces, spectra and atoms are drawn by the page's own script, some hundred lines of SVG and canvas: the library that
would do it, plotly.js, has 4.7 MB, a third of what a page may have in all, and takes longer to start on a phone than
the whole page. Texts are escaped by Jinja, numbers go as JSON into elements that no browser runs, and a content
security policy lets run what has the digest of the script that was written here, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from aiida_rewire.campaign.chain_progress import ChainProgress, State
from aiida_rewire.campaign.cost import GOOD, STEPS, Cost, Source, total
from aiida_rewire.campaign.jobs import RUNNING
from aiida_rewire.campaign.triage import INCOMPLETE, FailureRow
from aiida_rewire.junction.contact import BOND_LENGTH, Stage
from aiida_rewire.report.page.atoms import Junctions
from aiida_rewire.report.page.facts import voltage_text
from aiida_rewire.report.page.model import ChainOnPage, Point, Report, Spectra
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "template.html", "page.css"
SCRIPTS = ("drawing", "campaign", "trace", "snapshot", "junction", "choosing", "newer")
"""Parts of the page's one script, in their order."""


@dataclass(frozen=True)
class Refresh:
    """How a page that is served finds out that there is a newer one.

    Attributes
    ----------
    version
        Of what is on it.
    interval_s
        Time between two questions, s.
    """

    version: str
    interval_s: float


def version_of(report: Report) -> str:
    """Return a text that changes with what is on the page, but not with the time at which it was looked up."""
    return hashlib.sha256(render(replace(report, made_at="")).encode()).hexdigest()[:32]


def render(report: Report, refresh: Refresh | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    report
        What stands on it.
    refresh
        Of a page that is served; a file has none.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sources = {one.source for one in report.cost.spent}
    codes = {code["uuid"] for code in report.versions.get("codes", {}).values() if code}
    # JSON has no NaN, and a browser would refuse the whole of it
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"digits": digits, "duration": duration, "bonds": bonds_text, "minute": minute}
    style, script = style_and_script()
    return environment.get_template(TEMPLATE).render(
        report=report,
        refresh=refresh,
        policy=policy_of(served=refresh is not None),
        # both are files of this package, and hold nothing of anybody else
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        data=data_of(report),
        bulk=bulk_of(report),
        states=states_of(report.progress.chains),
        done=sum(chain.progress.snapshots.done for chain in report.chains),
        total=sum(chain.progress.snapshots.total for chain in report.chains),
        others=[one for one in report.ingredients if one.uuid not in codes],
        computed=any(point.uuid for chain in report.chains for point in chain.points),
        costs=cost_rows(report.cost),
        whole_cost=total(report.cost.spent),
        saved=total(report.cost.saved),
        sources=[(str(source), SOURCES[source]) for source in Source if source in sources],
        left=[row for row in report.failures if row.left],
        mended=[row for row in report.failures if not row.left],
        title_of=title_of,
    )


@cache
def style_and_script() -> tuple[str, str]:
    """Return what the page is drawn by."""
    script = "\n".join((FOLDER / "script" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return (FOLDER / STYLE).read_text(encoding="utf-8"), script


def policy_of(*, served: bool) -> str:
    """Return the content security policy of the page: its own style and script, and nothing from elsewhere.

    Parameters
    ----------
    served
        Whether it may ask where it comes from if there is a newer one.
    """
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in style_and_script())
    parts = [
        "default-src 'none'",
        f"style-src 'sha256-{style}'",
        f"script-src 'sha256-{script}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*parts, "connect-src 'self'"] if served else parts)


def data_of(report: Report) -> dict[str, Any]:
    """Return the numbers of traces and histogram, for the script."""
    stages = stages_in(report.chains)
    counts = report.counts
    return {
        "microsiemens": CONDUCTANCE_QUANTUM * 1e6,
        "bond_a": BOND_LENGTH,
        "stages": stages,
        "edges": [] if counts is None else rounded(counts.edges_g0, 6),
        "chains": [
            {
                "name": chain.name,
                "voltage": voltage_text(chain.progress.voltage_v),
                "counts": counts.chains[chain.name].tolist() if counts and chain.name in counts.chains else [],
                **columns_of(chain.points, stages),
            }
            for chain in report.chains
        ],
    }


def columns_of(points: Sequence[Point], stages: Sequence[str]) -> dict[str, Any]:
    """Return the snapshots of a chain as columns; texts that few of them have by their places."""
    return {
        "snapshot": [point.snapshot for point in points],
        "time": [short(point.time_ps) for point in points],
        "step": [point.step for point in points],
        "volts": [short(point.voltage_v) for point in points],
        "stage": [stages.index(point.stage) if point.stage else -1 for point in points],
        "bonds": [point.bonds for point in points],
        "gap": [short(point.gap_left_a) for point in points],
        "g": [short(point.conductance_g0) for point in points],
        "unitarity": [short(point.unitarity, 3) for point in points],
        "mismatch": [short(point.mismatch_ev, 3) for point in points],
        "uuid": [point.uuid for point in points],
        "reused": {place: point.reused_from for place, point in enumerate(points) if point.reused_from},
        "missing": {place: point.missing for place, point in enumerate(points) if point.missing},
    }


def bulk_of(report: Report) -> dict[str, Any]:
    """Return spectra and atoms, for the script, which reads them when they are first looked at."""
    spectra, junctions = report.spectra, report.junctions
    return {
        "energies": [rounded(grid, 6) for grid in spectra.energies],
        "cells": [
            {
                "cell": [rounded(row, 4) for row in cell.cell],
                "centre": rounded(cell.centre, 4),
                "grid": cell.grid_a,
                "shared": coded(cell.shared, "<i2"),
            }
            for cell in junctions.cells
        ],
        "chains": [
            {"spectra": spectra_at(chain.points, spectra), "atoms": atoms_at(chain.points, junctions)}
            for chain in report.chains
        ],
    }


def spectra_at(points: Sequence[Point], spectra: Spectra) -> dict[int, list[Any]]:
    """Return the spectra of a chain by the places of its snapshots."""
    found = {place: spectra.of[pk] for place, pk in places(points) if pk in spectra.of}
    return {place: [grid, coded(transmission, "<f4")] for place, (grid, transmission) in found.items()}


def atoms_at(points: Sequence[Point], junctions: Junctions) -> dict[int, list[Any]]:
    """Return the atoms of a chain by the places of its snapshots."""
    found = {place: junctions.of[pk] for place, pk in places(points) if pk in junctions.of}
    return {place: [cell, coded(atoms, "<i2")] for place, (cell, atoms) in found.items()}


def places(points: Sequence[Point]) -> Iterator[tuple[int, int]]:
    """Yield the places of the snapshots that have a conductance, and the PKs of those."""
    for place, point in enumerate(points):
        if point.pk is not None:
            yield place, point.pk


def coded(array: NDArray[Any], kind: str) -> str:
    """Return the bytes of an array, as numpy names their kind, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode()


def rounded(values: NDArray[np.float64], decimals: int) -> list[float]:
    """Return an array as a list that is short when it is written."""
    found: list[float] = np.round(values, decimals).tolist()
    return found


def short(value: float | None, significant: int = 6) -> float | None:
    """Return a number with as many digits as matter."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{significant}g}")


def stages_in(chains: Iterable[ChainOnPage]) -> list[str]:
    """Return the stages of the growth, and whatever else snapshots say."""
    others = {point.stage for chain in chains for point in chain.points if point.stage}
    return [*map(str, Stage), *sorted(others - set(map(str, Stage)))]


def states_of(chains: Iterable[ChainProgress]) -> str:
    """Say how many chains are in which state."""
    numbers = dict.fromkeys(State, 0)
    for chain in chains:
        numbers[chain.state] += 1
    return ", ".join(f"{number} {state}" for state, number in numbers.items() if number)


@dataclass(frozen=True)
class CostRow:
    """A step: its jobs, core-hours and wall time (h), core-hours in jobs that did not end well, and the sources."""

    step: str
    jobs: int
    unknown: int
    core_hours: float
    wall_hours: float
    wasted_core_hours: float
    sources: str


def cost_rows(cost: Cost) -> list[CostRow]:
    """Return what each step took, in the order of the steps."""
    there = dict.fromkeys(one.step for one in cost.spent)
    rows = []
    for step in [*(name for name in STEPS if name in there), *sorted(set(there) - set(STEPS))]:
        mine = [one for one in cost.spent if one.step == step]
        every, wasted = total(mine), total(one for one in mine if one.status not in (GOOD, RUNNING))
        sources = ", ".join(sorted({str(one.source) for one in mine}))
        hours = every.core_hours, every.wall_hours, wasted.core_hours
        rows.append(CostRow(step, every.jobs, every.unknown, *hours, sources))
    return rows


SOURCES: Mapping[Source, str] = {
    Source.SACCT: "what Slurm accounted",
    Source.PROGRAM: "what the programs printed, times the cores asked for",
    Source.POLL: "the time when the scheduler was last asked: at least that",
    Source.UNKNOWN: "nobody knows; counted as nothing",
}


def title_of(row: FailureRow) -> str:
    """Say in a few words what failures of a kind have in common."""
    if row.kind == INCOMPLETE:
        return "chains incomplete"
    plugin, state, status = row.kind
    return f"{plugin} [{status}] {row.code}".strip() if state == "failed" else f"{plugin} {state}"


def digits(value: float | None) -> str:
    """Say a number with three digits, or as many as stand before the point; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Say a time in the unit that fits."""
    if seconds is None:
        return "–"
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


def bonds_text(bonds: Sequence[int]) -> str:
    """Say numbers of bonds as a range."""
    if not bonds:
        return "–"
    return str(bonds[0]) if len(bonds) == 1 else f"{bonds[0]} to {bonds[-1]}"


def minute(time: str) -> str:
    """Return a time in ISO 8601 to the minute."""
    return time[:16].replace("T", " ")
