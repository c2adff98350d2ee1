"""Whatever ends a job, what it computed is kept, and nothing is computed twice or wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

KPOINTS = [(0.0, 0.0, 0.25), (0.1, 0.2, 0.5), (0.3, 0.1, 0.25)]
ENERGIES = [1.0, 0.0, -1.0]
GRID = {(energy, kpoint) for energy in range(3) for kpoint in range(3)}

Conduct = Callable[..., tuple[dict[str, Any], orm.WorkChainNode]]
Wrapped = Callable[[str], orm.InstalledCode]


@pytest.fixture(scope="module")
def undisturbed(conduct: Conduct, wire_scf: dict[str, orm.RemoteData]) -> np.ndarray:
    """Transmission by one run of pwcond.x."""
    results, node = conduct(wire_scf, KPOINTS, ENERGIES)
    assert node.is_finished_ok, node.exit_message
    transmission: np.ndarray = results["transmission"].get_array("transmission")
    assert transmission.shape == (3, 3)
    # through two gaps a wire lets less than its one channel pass
    assert transmission.min() > 0.01
    assert transmission.max() < 0.999
    return transmission


def jobs_of(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return sorted((job for job in node.called if isinstance(job, orm.CalcJobNode)), key=lambda job: job.pk)


def computed_by(job: orm.CalcJobNode) -> set[tuple[int, int]]:
    if "transmission" not in job.outputs:
        return set()
    return set(map(tuple, np.argwhere(np.isfinite(job.outputs.transmission.get_array("transmission"))).tolist()))


@pytest.mark.parametrize(("shards", "per_job", "jobs"), [(2, 2, 1), (3, 1, 3), (9, 3, 3)])
def test_the_number_of_shards_changes_nothing(
    conduct: Conduct,
    wire_scf: dict[str, orm.RemoteData],
    undisturbed: np.ndarray,
    shards: int,
    per_job: int,
    jobs: int,
) -> None:
    results, node = conduct(wire_scf, KPOINTS, ENERGIES, max_shards=shards, shards_per_job=per_job)
    assert node.is_finished_ok, node.exit_message
    assert results["transmission"].get_array("transmission") == pytest.approx(undisturbed, abs=1e-7)
    assert len(jobs_of(node)) == jobs
    assert sum(len(job.inputs.shards.get_list()) for job in jobs_of(node)) == shards


def test_out_of_time_the_missing_pairs_alone_are_run_again(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData], undisturbed: np.ndarray
) -> None:
    # pwcond.x looks at the time after every pair; later jobs have all the time they need
    code = wrapped(
        'echo x >> "$COUNT"\n'
        '[ $(wc -l < "$COUNT") = 1 ] && sed -i "s/max_seconds = .*/max_seconds = 0.1d0/" pwcond.in\n'
        'exec "$PWCOND" "$@"'
    )
    results, node = conduct(wire_scf, KPOINTS, ENERGIES, code=code, options={"max_wallclock_seconds": 600})
    assert node.is_finished_ok, node.exit_message
    first, *later = jobs_of(node)
    assert first.exit_status == 400
    assert "out of wall time" in first.exit_message
    assert computed_by(first) == {(0, 0)}
    pairs = [pair for job in later for pair in computed_by(job)]
    assert sorted(pairs) == sorted(GRID - {(0, 0)})
    assert results["transmission"].get_array("transmission") == pytest.approx(undisturbed, abs=1e-7)


def test_a_killed_run_keeps_what_it_had_finished(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData], undisturbed: np.ndarray
) -> None:
    code = wrapped(
        'echo x >> "$COUNT"\n'
        '[ $(wc -l < "$COUNT") = 1 ] || exec "$PWCOND" "$@"\n'
        # kill -9 as soon as the third pair is begun
        '"$PWCOND" "$@" > lines &\n'
        'while kill -0 $! 2>/dev/null && [ $(grep -c "ie =" lines) -lt 4 ]; do sleep 0.02; done\n'
        "kill -9 $!; cat lines"
    )
    results, node = conduct(wire_scf, KPOINTS, ENERGIES, code=code)
    assert node.is_finished_ok, node.exit_message
    first, *later = jobs_of(node)
    assert first.exit_status == 400
    done = computed_by(first)
    assert 0 < len(done) < 9
    pairs = [pair for job in later for pair in computed_by(job)]
    assert sorted(pairs) == sorted(GRID - done)
    assert results["transmission"].get_array("transmission") == pytest.approx(undisturbed, abs=1e-7)


def test_a_run_that_leaves_nothing_is_tried_twice(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData]
) -> None:
    results, node = conduct(wire_scf, KPOINTS, ENERGIES, code=wrapped("exit 1"))
    assert "transmission" not in results
    assert node.exit_status == 303
    assert [job.exit_status for job in jobs_of(node)] == [303, 303]


def test_failing_numerics_climb_the_ladder(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData], undisturbed: np.ndarray
) -> None:
    # fails at the second energy of the second k-point, unless epsproj is smaller
    stop = "/ie = *2  ik = *2/{s/.*/ %%%\\n     Error in routine gep_x (1):\\n      error on zggev\\n %%%/p;q}"
    code = wrapped(
        f'grep -q "epsproj = 1.0*d-04" pwcond.in && exec "$PWCOND" "$@"\n"$PWCOND" "$@" | sed -n -e \'{stop}\' -e p\n'
    )
    results, node = conduct(wire_scf, KPOINTS, ENERGIES, code=code)
    assert node.is_finished_ok, node.exit_message
    rungs = results["transmission"].get_array("numerics")
    ladder = results["transmission"].base.attributes.get("ladder")
    assert ladder[0] == {}
    assert ladder[rungs[1, 1]] == {"epsproj": pytest.approx(1e-4)}
    assert np.count_nonzero(rungs) == 1
    others = rungs == 0
    transmission = results["transmission"].get_array("transmission")
    assert transmission[others] == pytest.approx(undisturbed[others], abs=1e-7)
    assert transmission[1, 1] == pytest.approx(undisturbed[1, 1], abs=5e-3)
    assert [job.exit_status for job in jobs_of(node) if job.exit_status] == [410, 410]


@pytest.mark.nightly
def test_numerics_that_never_yield_end_with_their_own_code(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData]
) -> None:
    code = wrapped(
        '"$PWCOND" "$@" | sed -n "1,20p"; printf "     Error in routine gramsh (1):\\n      negative norm\\n"'
    )
    results, node = conduct(wire_scf, [(0.1, 0.2, 1.0)], [0.0], code=code, max_iterations=20)
    assert "transmission" not in results
    assert node.exit_status == 412
    # as asked, four other numerics, and the last of them once more
    assert len(jobs_of(node)) == 6


def test_what_a_gate_refuses_is_not_tried_again(
    conduct: Conduct, wrapped: Wrapped, wire_scf: dict[str, orm.RemoteData]
) -> None:
    code = wrapped('"$PWCOND" "$@" | sed "/T(x2 spins)/s/[0-9]\\.[0-9]*$/4.0000000/"')
    results, node = conduct(wire_scf, [(0.1, 0.2, 1.0)], [0.0], code=code)
    assert "transmission" not in results
    assert node.exit_status in (331, 333)
    assert len(jobs_of(node)) == 1
    assert "transmission" not in jobs_of(node)[0].outputs
