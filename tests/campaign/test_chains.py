"""Chains of a campaign: names, and values of the protocol with all that the file says."""

import hashlib
from typing import Any

import pytest
from campaign_files import changed

from aiida_rewire.campaign.chains import chains_of, name_of, snapshots_in
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.protocols import check_protocol, load_protocol


def first(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return chains_of(CampaignSpec.model_validate(changed(changes)))[0].values


def test_a_chain_for_each_voltage_and_each_seed() -> None:
    ramp = [[0, 0], [50, 8]]
    chains = chains_of(CampaignSpec.model_validate(changed({"md.voltages": [8, -2.5, ramp], "md.seeds": [3, 1]})))
    code = hashlib.sha256(b"[[0.0, 0.0], [50.0, 8.0]]").hexdigest()[:6]
    assert [chain.name for chain in chains] == [
        *("8V-s3", "8V-s1", "-2.5V-s3", "-2.5V-s1", f"ramp-{code}-s3", f"ramp-{code}-s1")
    ]
    assert [chain.voltage_v for chain in chains[::2]] == [8.0, -2.5, [[0.0, 0.0], [50.0, 8.0]]]
    for chain in chains:
        assert chain.values["production"]["voltage_v"] == chain.voltage_v
        assert chain.values["equilibration"]["voltage_v"] == 0.0
        assert chain.values["production"]["seed"] == chain.values["equilibration"]["seed"] == chain.seed
        check_protocol(chain.values)


@pytest.mark.parametrize(
    ("voltage", "name"),
    [(0.1, "0.1V-s7"), (-0.0, "0V-s7"), (2.0000001, "2.0000001V-s7"), (1e-5, "1e-05V-s7"), (50, "50V-s7")],
)
def test_names_tell_voltages_apart(voltage: float, name: str) -> None:
    assert name_of(voltage, 7) == name


@pytest.mark.parametrize("protocol", ["demo", "moderate", "paper"])
def test_a_file_that_says_nothing_runs_the_protocol(protocol: str) -> None:
    values = first({"protocol": protocol})
    own = load_protocol(protocol, {})
    own["production"] |= {"voltage_v": 2.0, "seed": 1}
    own["equilibration"] |= {"seed": 1}
    assert values == own


CHANGES = [
    ({"tips.gap": 5}, {"tips.gap": 5}),
    ({"tips.orientation": "111", "tips.base_side": 7}, {"tips.orientation": "111", "tips.base_side": 7}),
    (
        {"md.temperature_k": 300},
        {"production.temperature_k": 300, "equilibration.temperature_k": 300},
    ),
    ({"md.potential": "diffusion"}, {"production.potential": "diffusion", "equilibration.potential": "diffusion"}),
    # steps of 1 fs
    ({"md.production_ps": 15.0}, {"production.steps": 15000}),
    ({"md.equilibration_ps": 0.5}, {"equilibration.steps": 500}),
    # lengths in ps stay: 1.8 ps and 1 ps of the protocol
    (
        {"md.timestep_fs": 0.5},
        {
            "production.timestep_fs": 0.5,
            "equilibration.timestep_fs": 0.5,
            "production.steps": 3600,
            "equilibration.steps": 2000,
        },
    ),
    # a frame is 50 steps of 0.8 fs, 0.04 ps: 2 ps are 2500 steps, and 1 ps is rounded up to 25 frames
    (
        {"md.timestep_fs": 0.8, "md.production_ps": 2},
        {
            "production.timestep_fs": 0.8,
            "equilibration.timestep_fs": 0.8,
            "production.steps": 2500,
            "equilibration.steps": 1250,
        },
    ),
    (
        {"snapshots": {"interval_ps": 0.3, "lanes": 5, "warm_start": True, "one_job": False}},
        {"snapshot_interval_ps": 0.3, "lanes": 5, "warm_start": True, "one_job": False},
    ),
    ({"reuse.leads": False, "reuse.dynamics": True}, {"reuse.leads": False, "reuse.dynamics": True}),
    ({"energies": [0.1, 0]}, {"pwcond.energies": [0.1, 0.0]}),
    (
        {"energies": {"start": -1, "stop": 1, "step": 0.5}},
        {"pwcond.energies": {"start": -1.0, "stop": 1.0, "step": 0.5}},
    ),
    (
        {
            "resources.scf": {
                "machines": 2,
                "ranks": 8,
                "walltime_h": 1.5,
                "account": "a",
                "partition": "p",
                "qos": "q",
            }
        },
        {
            "scf.options.resources.num_machines": 2,
            "scf.options.resources.num_mpiprocs_per_machine": 8,
            "scf.options.withmpi": True,
            "scf.options.max_wallclock_seconds": 5400,
            "scf.options.account": "a",
            "scf.options.queue_name": "p",
            "scf.options.qos": "q",
        },
    ),
    ({"resources.md.memory_gb": 4.096}, {"md.options.max_memory_kb": 4_000_000}),
    (
        {"resources.readback.scheduler_lines": ["#SBATCH -x a", "#PBS b"]},
        {"readback.options.custom_scheduler_commands": "#SBATCH -x a\n#PBS b"},
    ),
    ({"overrides.scf.parameters.SYSTEM.ecutwfc": 12.0}, {"scf.parameters.SYSTEM.ecutwfc": 12.0}),
    ({"overrides.pwcond.kpoints": {"mesh": [2, 2]}}, {"pwcond.kpoints": {"mesh": [2, 2]}}),
]


def flat(values: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(values, dict) or path in ("pwcond.energies", "pwcond.kpoints"):
        return {path: values}
    return {k: v for key, part in values.items() for k, v in flat(part, f"{path}.{key}" if path else key).items()}


@pytest.mark.parametrize(("changes", "wanted"), CHANGES)
def test_what_the_file_says_is_in_its_place_and_nothing_else_is(
    changes: dict[str, Any], wanted: dict[str, Any]
) -> None:
    before, after = flat(first()), flat(first(changes))
    assert {path: value for path, value in after.items() if before.get(path, "none") != value} == wanted
    assert set(before) <= set(after)


def test_resources_of_one_rank_need_no_mpi() -> None:
    values = first({"protocol": "paper", "resources.scf": {"ranks": 1}, "resources.lead": {"machines": 2}})
    assert (values["scf"]["options"]["withmpi"], values["lead"]["options"]["withmpi"]) == (False, True)
    assert values["lead"]["options"]["resources"] == {"num_machines": 2, "num_mpiprocs_per_machine": 32}
    # the protocol shares the options of several steps; what the file says of one stays there
    assert values["md"]["options"]["resources"] == {"num_machines": 1, "num_mpiprocs_per_machine": 32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"md.production_ps": 0.12}, "production_ps = 0.12 ps: must be a multiple of the 0.05 ps between frames"),
        (
            {"md.equilibration_ps": 0.07},
            "equilibration_ps = 0.07 ps: must be a multiple of the 0.05 ps",
        ),
        ({"md.timestep_fs": 2.5}, "timestep_fs = 2.5 fs: must be from 0.001 to 2 fs"),
        ({"md.production_ps": 2e6}, "at most 1e.06 ps"),
        ({"overrides.production.steps": "x"}, "steps = 'x': must be of type int"),
        ({"overrides.nothing": 1}, "overrides = nothing: must be a key of the protocol"),
    ],
)
def test_lengths_that_are_no_whole_frames_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        first(changes)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 10),  # 1.8 ps every 0.2 ps
        ({"md.production_ps": 15.0, "snapshots.interval_ps": 1.0}, 16),
        ({"protocol": "moderate"}, 16),
        ({"protocol": "paper"}, 349),
        ({"md.production_ps": 0.3, "snapshots.interval_ps": 0.1}, 4),
        ({"md.production_ps": 0.35, "snapshots.interval_ps": 0.1}, 4),
    ],
)
def test_snapshots_are_counted_with_the_first_frame(changes: dict[str, Any], count: int) -> None:
    assert snapshots_in(first(changes)) == count
