"""Chains with conductances and traces, made by hand, whose numbers are known."""

from __future__ import annotations

import math
from typing import Any
from uuid import uuid4

import numpy as np
from tests.campaign.made_conductances import make_chain, make_conductances

from aiida_rewire.data.trace import TraceData, TraceRow

LEVELS = ((0.02, "gap", 0), (0.3, "islands", 0), (1.0, "contact", 1), (2.0, "growth", 2))
"""T, stage and bonds of each quarter of a chain."""

NOISE = 0.02
MISSING = (5, 21)
REUSED = 3
"""Snapshots without a conductance, and one that was taken over."""

REASON = "pw.x <12> [410] not converged"


def transmissions(snapshots: int, seed: int, shift: float = 0.0) -> list[float]:
    """T of each snapshot of a chain: four plateaus and noise."""
    noise = np.random.default_rng(seed).normal(0, NOISE, snapshots)
    levels = [LEVELS[4 * place // snapshots][0] for place in range(snapshots)]
    return [abs(level + (shift if level >= 1 else 0.0) + one) for level, one in zip(levels, noise, strict=True)]


def make_trace(
    campaign: str, chain: str, *, snapshots: int = 40, seed: int = 1, voltage_v: float = 2.0, ended: bool = True
) -> None:
    """Store a chain with its conductances and, if it has ended, its trace."""
    make_chain(campaign, chain, state="finished" if ended else "running", exit_status=500 if ended else None)
    every = transmissions(snapshots, seed)
    there = [place for place in range(snapshots) if place not in MISSING]
    own = []
    for place in range(snapshots):
        _, stage, bonds = LEVELS[4 * place // snapshots]
        reused = {"reused_from": str(uuid4())} if place == REUSED else {}
        own.append({**numbers(place), "stage": stage, "min_cut": bonds, "gap_left_a": gap(bonds), **reused})
    uuids = make_conductances(
        campaign,
        chain,
        [every[place] for place in there],
        [own[place] for place in there],
        seed=seed,
        voltage_v=voltage_v,
    )
    if not ended:
        return
    node_of = dict(zip(there, uuids, strict=True))
    rows = [
        TraceRow(
            time_ps=numbers(place)["time_ps"],
            step=100 * place,
            bonds=own[place]["min_cut"],
            gap_left_a=own[place]["gap_left_a"],
            conductance_g0=every[place] if place in node_of else math.nan,
            unitarity=1.25e-4 if place in node_of else math.nan,
            stage=own[place]["stage"],
            conductance_uuid=node_of.get(place, ""),
            reused_from=own[place].get("reused_from", ""),
            missing="" if place in node_of else REASON,
        )
        for place in range(snapshots)
    ]
    TraceData.from_rows(rows, {"campaign": campaign, "chain": chain, "protocol": "demo"}).store()


def numbers(place: int) -> dict[str, Any]:
    """What a snapshot is found by."""
    return {"snapshot": place, "time_ps": 0.1 * place, "step": 100 * place}


def gap(bonds: int) -> float:
    """Between the tips, Å."""
    return 0.0 if bonds else 3.5
