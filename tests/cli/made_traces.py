"""Chains with conductances and traces, made by hand, whose numbers are known."""

from __future__ import annotations

import math

import numpy as np
from tests.campaign.made_conductances import make_chain, make_conductance

from aiida_rewire.data.conductance import ConductanceData
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
) -> list[ConductanceData | None]:
    """Store a chain with its conductances and, if it has ended, its trace; return them, None where missing."""
    make_chain(campaign, chain, state="finished" if ended else "running", exit_status=500 if ended else None)
    nodes: list[ConductanceData | None] = []
    rows = []
    for place, transmission in enumerate(transmissions(snapshots, seed)):
        _, stage, bonds = LEVELS[4 * place // snapshots]
        node = None
        if place not in MISSING:
            reused = {"reused_from": nodes[0].uuid} if place == REUSED and nodes[0] is not None else {}
            node = make_conductance(
                campaign,
                chain,
                place,
                transmission,
                stage=stage,
                min_cut=bonds,
                seed=seed,
                voltage_v=voltage_v,
                gap_left_a=0.0 if bonds else 3.5,
                **reused,
            )
        nodes.append(node)
        rows.append(
            TraceRow(
                time_ps=0.1 * place,
                step=100 * place,
                bonds=bonds,
                gap_left_a=0.0 if bonds else 3.5,
                conductance_g0=math.nan if node is None else transmission,
                unitarity=math.nan if node is None else 1.25e-4,
                stage=stage,
                conductance_uuid="" if node is None else node.uuid,
                reused_from="",
                missing=REASON if node is None else "",
            )
        )
    if ended:
        TraceData.from_rows(rows, {"campaign": campaign, "chain": chain, "protocol": "demo"}).store()
    return nodes
