"""A controller that is killed outright, at any instant, neither loses nor doubles a chain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIGKILL = -9
INSTANTS = ["stored", "checkpoint", "newborn", "sent"]


def killed_at_random(campaigns: Any, tmp_path: Path, label: str, **task: Any) -> tuple[Any, str]:
    """Kill controllers of a campaign, then let one run to the end."""
    usual = {"seeds": [1], "active_chains": 3, "attempts": 2, "jobs": 1, "seconds": 0.1, "statuses": {}}
    times = {"stillborn_s": 3.0, "lost_s": 1.5}
    return campaigns.run("rewire_killing.py", label=label, file=str(tmp_path / "lines"), **{**usual, **times, **task})


def check_every_chain_ran_once(found: Any, chains: list[str], lines: list[str], *, jobs: int) -> None:
    """One attempt counts for each chain, it is finished, and each of its jobs ran once."""
    assert list(found["attempts"]) == chains or sorted(found["attempts"]) == sorted(chains)
    for chain, attempts in found["attempts"].items():
        counting = [(state, status) for _, state, status, void in attempts if void is None]
        assert counting == [("finished", 0)], chain
        for _, state, _, void in attempts:
            assert void is None or (state == "excepted" and void.startswith("stillborn"))
    assert lines == sorted(f"{chain} {number}" for chain in chains for number in range(1, jobs + 1))
    assert (found["living"], found["unsealed"], found["controller"]) == (0, 0, None)
    first = {attempts[-1][0] for attempts in found["attempts"].values()}
    assert first <= set(found["members"])


@pytest.mark.real
def test_every_chain_runs_once_whenever_its_controller_is_killed(
    campaigns: Any, tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    found, said = killed_at_random(
        campaigns, tmp_path, "killed", voltages=[1.0, 2.0, 3.0, 4.0, 5.0], seed=1, kills=3, longest_s=2.0
    )
    print(said)
    # killed at an instant of a submission, as the hooks do, and by the test at any other
    assert found["ends"] == [SIGKILL] * (1 + len(INSTANTS) + 3)
    assert found["last"] == 0
    chains = [f"{volts}V-s1" for volts in (1, 2, 3, 4, 5)]
    check_every_chain_ran_once(found, chains, lines(), jobs=1)
    # two instants leave a node that nobody could run
    stillborn = [void for attempts in found["attempts"].values() for *_, void in attempts if void is not None]
    assert len(stillborn) == 2
    # and one a node that nobody was told of
    assert "had no task any more: it was sent again" in said
