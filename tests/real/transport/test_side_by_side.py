"""How much faster two shards are than one, on two cores that nothing else uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("aiida_profile")]

KPOINTS = [
    (round(kx, 3), round(ky, 3), 1 / 24) for kx in np.linspace(0.02, 0.48, 6) for ky in np.linspace(0.05, 0.4, 4)
]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_two_shards_on_two_cores(
    conduct: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]], wire_scf: dict[str, orm.RemoteData]
) -> None:
    seconds, transmissions = {}, {}
    for shards in (1, 2, 1, 2):
        results, node = conduct(
            wire_scf,
            KPOINTS,
            [0.0, -0.5],
            parameters={"ewind": 2.0, "epsproj": 1e-5, "nz1": 7},
            max_shards=shards,
            shards_per_job=shards,
        )
        assert node.is_finished_ok, node.exit_message
        (job,) = [job for job in node.called if isinstance(job, orm.CalcJobNode)]
        wall = job.outputs.results["wall_seconds"]
        seconds[shards] = min(wall, seconds.get(shards, wall))
        transmissions[shards] = results["transmission"].get_array("transmission")
    ratio = seconds[1] / seconds[2]
    print(f"one shard {seconds[1]:.1f} s, two side by side {seconds[2]:.1f} s: {ratio:.2f} times as fast")
    assert transmissions[2] == pytest.approx(transmissions[1], abs=1e-7)
    assert ratio > 1.8
