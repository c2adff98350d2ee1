"""Protocols and what may replace their values."""

import json
from typing import Any

import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.workflows.protocols import check_dynamics, check_protocol, load_protocol, protocol_names


def at(values: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize("name", protocol_names("chain"))
def test_a_protocol_is_one_that_a_chain_can_begin_with(name: str) -> None:
    values = load_protocol(name, {})
    check_protocol(values)
    assert len(build_tips(**values["tips"]).positions) > 100
    for stage in ("equilibration", "production"):
        assert MdConditions.from_mapping(values[stage]).steps > 0


def test_every_workflow_has_the_protocols_of_the_chain() -> None:
    for workflow in ("chain", "dynamics", "transmission"):
        assert protocol_names(workflow) == ["demo", "moderate", "paper"]
    assert protocol_names() == protocol_names("chain")


@pytest.mark.parametrize("name", protocol_names("chain"))
def test_a_chain_computes_its_conductances_as_the_transmission_of_the_same_name_does(name: str) -> None:
    chain, transmission = load_protocol(name, {}), load_protocol(name, {}, workflow="transmission")
    assert set(transmission) == {"lead", "scf", "readback", "pwcond"}
    assert {key: chain[key] for key in transmission} == transmission
    dynamics = load_protocol(name, {}, workflow="dynamics")
    assert {key: chain[key] for key in dynamics} == dynamics
    assert set(dynamics) == {"tips", "equilibration", "production", "snapshot_interval_ps", "junction", "md"}
    assert set(chain) == {*transmission, *dynamics, "lanes", "one_job", "warm_start", "reuse"}


@pytest.mark.parametrize("name", protocol_names("dynamics"))
def test_a_protocol_is_one_that_a_dynamics_can_begin_with(name: str) -> None:
    values = load_protocol(name, {}, workflow="dynamics")
    check_dynamics(values)
    equilibration, production = (MdConditions.from_mapping(values[key]) for key in ("equilibration", "production"))
    assert (equilibration.schedule.largest, equilibration.minimize, production.minimize) == (0.0, True, False)
    assert production.schedule.largest > 0


def test_the_paper_is_as_published() -> None:
    values = load_protocol("paper", {}, workflow="dynamics")
    assert len(build_tips(**values["tips"]).positions) == 2 * 1240
    production = MdConditions.from_mapping(values["production"])
    length_ps = production.steps * production.timestep_fs / 1000
    assert (length_ps, production.temperature_k, production.voltage_v) == (3000.0, 800.0, 2.0)
    # with the one at 0
    assert int(length_ps / values["snapshot_interval_ps"]) + 1 == 349


@pytest.mark.parametrize("name", protocol_names("transmission"))
def test_lead_and_junction_share_cutoffs_and_smearing(name: str) -> None:
    values = load_protocol(name, {}, workflow="transmission")
    assert values["lead"]["parameters"]["SYSTEM"] == values["scf"]["parameters"]["SYSTEM"]
    # the lead's own mesh along the current decides its Fermi energy: one of 1 x 1 x 3 gave bulk silver no channel
    lead, junction = (
        (values[region]["kpoints_mesh"], values[region].get("kpoints_distance")) for region in ("lead", "scf")
    )
    if lead[0] is not None:
        assert lead[0][2] > junction[0][2] == 1
    else:
        assert 0 < lead[1] <= junction[1]


def test_a_key_of_the_chain_is_none_of_the_transmission() -> None:
    with pytest.raises(InvalidInput, match=r"^overrides = tips: must be a key of the protocol"):
        load_protocol("demo", {"tips": {"gap": 5.0}}, workflow="transmission")


@pytest.mark.parametrize("workflow", ["chain", "transmission"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kpoints", {"mesh": [4, 4]}),
        ("kpoints", {"mesh": [4, 4], "offset": [0.5, 0.5]}),
        ("kpoints", {"list": [[0.0, 0.0, 1.0]]}),
        ("energies", {"start": -1.0, "stop": 1.0, "step": 0.1}),
        ("energies", [0.0]),
    ],
)
def test_k_points_and_energies_are_replaced_as_a_whole(workflow: str, key: str, value: Any) -> None:
    values = load_protocol("demo", {"pwcond": {key: value}}, workflow=workflow)
    # nothing of the protocol's own is left beside it
    assert values["pwcond"][key] == value
    others = load_protocol("demo", {}, workflow=workflow)
    assert {k: v for k, v in values["pwcond"].items() if k != key} == {
        k: v for k, v in others["pwcond"].items() if k != key
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lanes", 1),
        ("one_job", False),
        ("reuse.contacts", False),
        ("tips.gap", 5.0),
        ("production.voltage_v", 2.0),
        ("pwcond.energies", [0.1, 0.0]),
        ("lead.parameters.SYSTEM.ecutwfc", 15.0),
        ("lead.parameters.SYSTEM.nspin", 1),
        ("scf.parameters.IONS", {"ion_dynamics": "bfgs"}),
        ("pwcond.parameters.nz1", 5),
        ("md.options.queue_name", "debug"),
    ],
)
def test_one_value_is_replaced_and_no_other(path: str, value: Any) -> None:
    # copies, in which nothing is shared
    before, after = (json.loads(json.dumps(load_protocol("demo", o))) for o in ({}, nested(path, value)))
    assert at(after, path) == value
    parent, _, key = path.rpartition(".")
    for values in (before, after):
        (at(values, parent) if parent else values).pop(key, None)
    assert after == before


def test_a_protocol_is_not_changed_by_those_who_loaded_it() -> None:
    load_protocol("demo", nested("lead.parameters.SYSTEM.ecutwfc", 99.0))["tips"]["gap"] = 1.0
    values = load_protocol("demo", {})
    assert at(values, "lead.parameters.SYSTEM.ecutwfc") != 99.0
    assert values["tips"]["gap"] != 1.0


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"tip": {}}, "tip"),
        ({"tips": {"gapp": 5.0}}, "tips.gapp"),
        ({"production": {"voltage": 2.0}}, "production.voltage"),
        ({"lead": {"parameter": {}}}, "lead.parameter"),
        ({"pwcond": {"energy": [0.0]}}, "pwcond.energy"),
        ({"pwcond": {"shards": 4}}, "pwcond.shards"),
        ({"readback": {"thickness": 2.0}}, "readback.thickness"),
        ({"reuse": {"contact": True}}, "reuse.contact"),
        ({"one_jobs": True}, "one_jobs"),
    ],
)
def test_an_unknown_key_is_named_by_its_path(overrides: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput, match=f"^overrides = {path}: must be a key of the protocol: .+; correct"):
        load_protocol("demo", overrides)


@pytest.mark.parametrize("overrides", [{"tips": 5.0}, {"lead": {"parameters": "x"}}, {"production": None}])
def test_a_value_in_the_place_of_a_mapping_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"must be a mapping; nest it"):
        load_protocol("demo", overrides)


@pytest.mark.parametrize(
    "overrides", [{"lanes": {"a": 1}}, {"tips": {"gap": {"a": 1}}}, {"pwcond": {"max_shards": {}}}]
)
def test_a_mapping_in_the_place_of_a_value_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^overrides"):
        load_protocol("demo", overrides)


@pytest.mark.parametrize("name", ["papper", "", "../demo", "demo.yaml", "Demo"])
def test_an_unknown_protocol_names_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be one of .*demo") as refusal:
        load_protocol(name, {})
    assert refusal.value.value == name


BAD = [
    ("tips.gap", 0.0, "gap = 0.0 Å"),
    ("tips.base_side", 2, "base_side = 2 atoms"),
    ("tips.base_side", "six", "tips"),
    ("production.voltage_v", 80.0, "voltage_v = 80.0"),
    ("production.steps", 0, "steps = 0"),
    ("equilibration.seed", 0, "seed = 0"),
    ("equilibration.temperature_k", 5000.0, "temperature_k = 5000.0"),
    ("junction.lattice_constant", 0.0, "lattice_constant = 0.0 Å"),
    ("junction.lattice_constant", "4.16", "lattice_constant"),
    ("junction.supercell", 0, "supercell = 0"),
    ("junction.supercell", 2.5, "supercell = 2.5"),
    ("junction.lower_layers", 2, "lower_layers = 2"),
    ("junction.upper_layers", 1, "upper_layers = 1"),
    ("junction.upper_layers", 2.5, "upper_layers = 2.5"),
    ("production.minimize", True, "production.minimize = True: must be false"),
    ("production.seed", 2, "production.seed = 2: must be that of the equilibration, 1"),
    ("equilibration.steps", 1010, "a multiple of the production's dump_interval of 50"),
    ("lanes", 0, "lanes = 0"),
    ("lanes", "two", "lanes = "),
    ("one_job", 1, "one_job = 1: must be true or false"),
    ("warm_start", "yes", "warm_start = yes: must be true or false"),
    ("reuse.contacts", None, "reuse.contacts = None: must be true or false"),
    ("reuse.leads", "no", "reuse.leads = no: must be true or false"),
    ("reuse.dynamics", 0, "reuse.dynamics = 0: must be true or false"),
    ("snapshot_interval_ps", 0.0, "snapshot_interval_ps = 0 ps"),
    ("snapshot_interval_ps", -0.2, "snapshot_interval_ps = -0.2 ps"),
    ("snapshot_interval_ps", 0.07, "a multiple of the 0.05 ps between frames"),
    ("snapshot_interval_ps", 1000.0, "at most the 1.8 ps of the production"),
    ("snapshot_interval_ps", float("nan"), "snapshot_interval_ps = nan"),
]


@pytest.mark.parametrize(("path", "value", "words"), BAD)
def test_values_that_a_chain_cannot_begin_with_are_refused(path: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_protocol(load_protocol("demo", nested(path, value)))
    assert words in str(refusal.value)


@pytest.mark.parametrize("interval", [0.05, 0.1, 0.15, 0.9, 1.8])
def test_intervals_of_whole_frames_are_accepted(interval: float) -> None:
    check_protocol(load_protocol("demo", {"snapshot_interval_ps": interval}))


@pytest.mark.parametrize(
    ("equilibration", "production", "good"),
    [
        ("driver", "driver", True),
        ("none", "native", True),
        ("none", "driver", False),
        ("driver", "native", False),
    ],
)
def test_both_stages_are_run_by_the_same_program(equilibration: str, production: str, good: bool) -> None:
    values = load_protocol("demo", {})
    values["equilibration"] = {**values["equilibration"], "bias": equilibration}
    values["production"] = {**values["production"], "bias": production}
    if good:
        check_protocol(values)
        return
    with pytest.raises(InvalidInput, match=f"^production.bias = {production}: must be run by the same program as"):
        check_protocol(values)
