"""How much faster two shards are than one, on two cores that nothing else uses."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("aiida_profile")]

KPOINTS = [(kx, ky, 1 / 8) for kx in (0.02, 0.17, 0.33, 0.48) for ky in (0.05, 0.4)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_two_shards_on_two_cores(
    conduct: Callable[..., tuple[dict[str, Any], orm.WorkChainNode]], wire_scf: dict[str, orm.RemoteData]
) -> None:
    seconds, transmissions = {}, {}
    for shards in (1, 2):
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
        # the job's own script once more, while this process waits and polls nothing
        begun = time.monotonic()
        subprocess.run(["bash", "_aiidasubmit.sh"], cwd=job.outputs.remote_folder.get_remote_path(), check=True)
        seconds[shards] = time.monotonic() - begun
        transmissions[shards] = results["transmission"].get_array("transmission")
    ratio = seconds[1] / seconds[2]
    print(f"one shard {seconds[1]:.1f} s, two side by side {seconds[2]:.1f} s: {ratio:.2f} times as fast")
    assert transmissions[2] == pytest.approx(transmissions[1], abs=1e-7)
    assert ratio > 1.8
