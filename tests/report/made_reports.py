"""What stands on a page, made without a database."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from made_junctions import ENERGIES, made_junction, made_transmission, stage_at
from numpy.typing import NDArray

from aiida_rewire.campaign.chain_progress import ChainProgress, Dynamics, Snapshots, State, Transmissions
from aiida_rewire.campaign.cost import Cost, Source, Spent
from aiida_rewire.campaign.evidence import Line
from aiida_rewire.campaign.progress import CampaignProgress
from aiida_rewire.campaign.runners import Runners
from aiida_rewire.campaign.triage import Deepest, FailureRow, Kind
from aiida_rewire.report.page.atoms import Packing
from aiida_rewire.report.page.citing import citations
from aiida_rewire.report.page.model import ChainOnPage, Ingredient, Point, Report, Spectra
from aiida_rewire.report.page.statistics import counts_of, stage_rows

NIL = "00000000-0000-4000-8000-{:012d}"


def made_report(*, chains: int = 2, snapshots: int = 24, computed: bool = True, **changes: Any) -> Report:
    """A campaign of so many chains of so many snapshots; the sixth of each failed, the ninth was taken over."""
    packing, spectra, shown = Packing(), {}, []
    for number in range(chains):
        points = []
        for index in range(snapshots):
            random = np.random.default_rng(1000 * number + index)
            share = index / max(snapshots - 1, 1)
            stage, bonds = stage_at(share)
            place = {"time_ps": round(0.2 * index, 3), "step": 200 * index, "voltage_v": 8.0}
            common = {"snapshot": index, "stage": stage, "bonds": bonds, "gap_left_a": 8 * max(0.0, 0.45 - share)}
            if not computed or index == 5:
                why = "rewire.junction [330] ERROR_UNITARITY" if computed else ""
                points.append(Point(**common, **place, missing=why))
                continue
            pk = 10_000 * number + index + 1
            transmission = made_transmission(share, random)
            spectra[pk] = 0, transmission
            packing.add(pk, *junction_at(index, share))
            reused = NIL.format(pk - 1) if index == 8 else ""
            of_node = {"pk": pk, "uuid": NIL.format(pk), "reused_from": reused}
            values = {"conductance_g0": float(transmission[20]), "unitarity": 1e-4, "mismatch_ev": 0.05}
            points.append(Point(**common, **place, **of_node, **values))
        shown.append(
            ChainOnPage(made_progress(f"8V-s{number + 1}", points), NIL.format(number), 4.2, 4.6, tuple(points))
        )
    progress = CampaignProgress("made", tuple(one.progress for one in shown), False, None, False, "anna@lab.example")
    return replace(
        Report(
            label="made",
            uuid=NIL.format(7),
            description="A filament of silver at 8 V",
            made_at="2026-11-26T12:00:00+00:00",
            made_by="0.1.0",
            profile="group",
            submitted_at="2026-11-20T08:30:00+00:00",
            facts=(("protocol", "demo"), ("voltages", "8 V")),
            source="label: made\nprotocol: demo\n",
            digest="3" * 64,
            amendments=({"by": "anna@lab.example", "time": "2026-11-21T08:30:00+00:00", "added": ["8V-s2"]},),
            versions={
                "aiida-core": "2.9.4",
                "codes": {"pw@study": {"uuid": NIL.format(9), "executable": "/opt/pw.x"}},
            },
            ingredients=(Ingredient("force field", "Ag.reaxff", NIL.format(8), "79d386909f8e440d6bdae5fef02b5db2"),),
            progress=progress,
            runners=Runners(controller=False, host=None, pid=None, user=None, since=None, daemon=None),
            chains=tuple(shown),
            stages=stage_rows(shown),
            counts=counts_of(shown),
            spectra=Spectra((ENERGIES,), spectra),
            junctions=packing.packed(),
            every=1,
            failures=(made_failure(),),
            cost=Cost((Spent(1, "scf", "anna", "good", Source.PROGRAM, 7200.0, 1800.0),), (), chains, ()),
            citations=citations(),
        ),
        **changes,
    )


@lru_cache(maxsize=400)
def junction_at(index: int, share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell and positions (Å) of the snapshot of this number, in whatever chain."""
    return made_junction(share, np.random.default_rng(index))


def made_progress(name: str, points: list[Point]) -> ChainProgress:
    """How far a chain with these snapshots is."""
    known = [point.conductance_g0 for point in points if point.conductance_g0 is not None]
    failed = sum(bool(point.missing) for point in points)
    return ChainProgress(
        name=name,
        voltage_v=8.0,
        seed=1,
        state=State.FAILED if failed else State.FINISHED if known else State.WAITING,
        step=None,
        attempts=1,
        pk=1,
        exit_status=500 if failed else None,
        exit_message="1 of them have no conductance; see the trace." if failed else None,
        equilibration=Dynamics(1.0, 1.0),
        production=Dynamics(4.6, 4.6),
        snapshots=Snapshots(len(points), len(known), failed=failed),
        transmissions=Transmissions(known[-1], 4.6, min(known), max(known)) if known else None,
        living=0,
        jobs={},
        notes=(),
    )


def made_failure(message: str = "No transmission stored, unitarity is broken: 0.1") -> FailureRow:
    """A failure that nothing made up for."""
    return FailureRow(
        kind=Kind("rewire.junction", "failed", 330),
        code="ERROR_UNITARITY",
        count=2,
        mended=0,
        chains=("8V-s1", "8V-s2"),
        example=17,
        label="made/8V-s1/snapshot_0005",
        message=message,
        deepest=Deepest(17, "rewire.junction", 330, message),
        lines=(Line("aiida.out", "too many bands are not converged"),),
        way_out="more flat layers",
    )
