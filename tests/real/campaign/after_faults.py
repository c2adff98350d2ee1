"""What must be so of a small campaign after something broke: nothing is lost, nothing is there twice."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import Any

import pytest
from tests.real.campaign.group_database import SNAPSHOTS, Campaign

SAME_T = 1e-6
"""Largest difference of a conductance from that of the undisturbed campaign, G0: the same inputs give the same T."""

JUNCTION = "nat = 4"
"""In the input of pw.x for a junction; a lead has 27 atoms."""


def undisturbed_conductances(campaign: Campaign) -> list[tuple[int, float]]:
    """Run a campaign that nothing happens to; return its snapshots and their conductances (G0)."""
    try:
        campaign.end(campaign.start())
        found = campaign.found()
        assert campaign.failures() == []
    finally:
        campaign.close()
    assert [snapshot for snapshot, _, _ in found["made"]] == list(range(SNAPSHOTS))
    return [(snapshot, conductance) for snapshot, conductance, _ in found["made"]]


def under_way(campaign: Campaign) -> subprocess.Popen[bytes]:
    """Start a controller, and return it when pw.x runs for a junction."""
    controller = campaign.start()
    campaign.program("pw.x", JUNCTION)
    return controller


def check_nothing_is_lost(campaign: Campaign, undisturbed: list[tuple[int, float]], *, attempts: int = 1) -> Any:
    """Check that each conductance is there once and what it should be, and that `status` says so; return what ran."""
    found = campaign.found()
    made = [(snapshot, conductance) for snapshot, conductance, _ in found["made"]]
    assert [snapshot for snapshot, _ in made] == list(range(SNAPSHOTS)), found
    assert [conductance for _, conductance in made] == pytest.approx([t for _, t in undisturbed], abs=SAME_T)
    chain = campaign.status()
    assert (chain["state"], chain["attempts"]) == ("finished", attempts)
    assert (chain["snapshots"]["done"], chain["snapshots"]["failed"], chain["snapshots"]["running"]) == (3, 0, 0)
    told = [chain["transmissions"][name] for name in ("least", "largest")]
    assert told == pytest.approx([min(t for _, t in undisturbed), max(t for _, t in undisturbed)], abs=SAME_T)
    assert {state for _, _, state, _, _ in found["processes"]} <= {"finished", "killed", "excepted"}
    # a folder of scratch belongs to one job
    assert max(Counter(folder for _, folder in found["jobs"] if folder).values()) == 1
    return found


def junctions(found: Any) -> list[int | None]:
    """Return how the jobs of junctions ended."""
    return [status for _, process, _, status, _ in found["processes"] if process == "JunctionCalculation"]


def check_each_ran_once(campaign: Campaign, undisturbed: list[tuple[int, float]]) -> None:
    """Check that nothing is lost, and that each junction was one job, at the first attempt."""
    assert junctions(check_nothing_is_lost(campaign, undisturbed)) == [0] * SNAPSHOTS
