"""Slots of the daemon and jobs of a chain, counted by hand."""

from typing import Any

import pytest
from campaign_files import changed

from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.slots import (
    dft_jobs_at_once,
    jobs_at_once,
    jobs_of_snapshot,
    lanes_in,
    leads_in,
    slots_of_chain,
)
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.errors import InvalidInput


def values_of(changes: dict[str, Any]) -> dict[str, Any]:
    return chains_of(CampaignSpec.model_validate(changed(changes)))[0].values


@pytest.mark.parametrize(
    ("changes", "jobs", "slots"),
    [
        # 2 lanes, each with itself, a snapshot, a base work chain and one job; and the chain
        ({"protocol": "demo"}, 2, 1 + 2 * 4),
        # 8 shards in one job
        ({"protocol": "moderate"}, 4, 1 + 4 * 4),
        # 135 shards, 128 in a job
        ({"protocol": "paper"}, 8 * 2, 1 + 8 * (3 + 2)),
        # one lane, before it the dynamics and the lead, a base work chain and a job each
        ({"snapshots.lanes": 1}, 2, 1 + 4),
        # up to 3 x 3, 4 x 4 ... 7 x 7: five leads
        ({"snapshots.lanes": 1, "overrides.junction.largest_supercell": 7}, 5, 1 + 5 * 2),
        # ten snapshots do not fill twenty lanes
        ({"snapshots.lanes": 20}, 10, 1 + 10 * 4),
        (
            {"snapshots.lanes": 3, "overrides.pwcond.max_shards": 9, "overrides.pwcond.shards_per_job": 4},
            9,
            1 + 3 * 6,
        ),
    ],
)
def test_jobs_and_slots_of_a_chain(changes: dict[str, Any], jobs: int, slots: int) -> None:
    values = values_of(changes)
    assert (jobs_at_once(values), slots_of_chain(values)) == (jobs, slots)


def test_parts_of_the_sums() -> None:
    values = values_of({"protocol": "paper"})
    assert (lanes_in(values), leads_in(values), jobs_of_snapshot(values)) == (8, 3, 2)
    # a single lane leaves dynamics and lead beside each other, of which one is DFT
    single = values_of({"snapshots.lanes": 1})
    assert (jobs_at_once(single), dft_jobs_at_once(single)) == (2, 1)


@pytest.mark.parametrize(("name", "value"), [("max_shards", 0), ("shards_per_job", "2"), ("max_shards", True)])
def test_shards_that_cannot_be_counted_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} = {value!r}: must be a whole number, at least 1"):
        jobs_of_snapshot(values_of({f"overrides.pwcond.{name}": value}))
