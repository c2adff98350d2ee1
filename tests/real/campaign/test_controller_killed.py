"""A controller that is killed outright, at any instant, neither loses nor doubles a chain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.harness import INSTANTS, SIGKILL, check_every_chain_ran_once, killed_at_random


@pytest.mark.real
def test_every_chain_runs_once_whenever_its_controller_is_killed(
    campaigns: Any, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    found, said = killed_at_random(
        campaigns, tmp_path, "killed", voltages=[1.0, 2.0, 3.0, 4.0, 5.0], seed=1, kills=3, longest_s=2.0
    )
    # killed at an instant of a submission, as the hooks do, and by the test at any other
    assert found["ends"] == [SIGKILL] * (1 + len(INSTANTS) + 3)
    assert found["last"] == 0
    chains = [f"{volts}V-s1" for volts in (1, 2, 3, 4, 5)]
    check_every_chain_ran_once(found, chains, lines(), jobs=1)
    # two instants leave a node that nobody could run; the test may find them by itself as well
    stillborn = [void for attempts in found["attempts"].values() for *_, void in attempts if void is not None]
    assert len(stillborn) >= 2
    # and one a node that nobody was told of
    assert "had no task any more: it was sent again" in said


@pytest.mark.real
@pytest.mark.nightly
def test_many_kills_and_failures_come_to_the_same(
    campaigns: Any, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    found, _ = killed_at_random(
        campaigns,
        tmp_path,
        "many-kills",
        **{"voltages": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "seeds": [1, 2], "seed": 11, "kills": 25, "longest_s": 1.5},
        **{"attempts": 3, "statuses": {"2V-s1": [400, 501], "5V-s2": [120]}},
    )
    assert found["ends"] == [SIGKILL] * 30
    assert found["last"] == 0
    attempts = {
        chain: [(state, status) for _, state, status, void in those if void is None]
        for chain, those in found["attempts"].items()
    }
    failed = {"2V-s1": [("failed", 400), ("failed", 501)], "5V-s2": [("failed", 120)]}
    chains = [f"{volts}V-s{seed}" for volts in range(1, 7) for seed in (1, 2)]
    assert attempts == {chain: [*failed.get(chain, []), ("finished", 0)] for chain in chains}
    # of a stand-in nothing is taken over: an attempt that is tried again runs its job again
    assert lines() == sorted(f"{chain} 1" for chain, those in attempts.items() for _ in those)
    assert (found["living"], found["unsealed"]) == (0, 0)
