"""The inputs of a chain: filled in from a protocol, and refused before anything runs."""

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessBuilder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.calculations.pwcond import PwcondCalculation
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.biased_md import BiasedMdWorkChain
from aiida_rewire.workflows.protocols import load_protocol
from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain
from aiida_rewire.workflows.rewiring import RewiringWorkChain

Builder = Callable[..., ProcessBuilder]


@pytest.fixture
def builder(
    codes: dict[str, orm.InstalledCode], potential: LammpsPotentialData, upf: Callable[[int], UpfData]
) -> Builder:
    """Make a chain of the demo."""

    def factory(**arguments: Any) -> ProcessBuilder:
        return RewiringWorkChain.get_builder_from_protocol(codes, potential, upf(1), **arguments)

    return factory


def begin(builder: ProcessBuilder) -> RewiringWorkChain:
    """Validate the inputs as a submission does."""
    return instantiate_process(get_manager().get_runner(), builder)


def test_the_demo_is_a_chain_that_can_begin(builder: Builder) -> None:
    chain = begin(builder())
    assert chain.inputs.lane.pwcond.pwcond.kpoints.get_kpoints(also_weights=True)[1].tolist() == [1.0]
    assert chain.inputs.lanes.value >= 1
    assert chain.inputs.lead.pw.parameters.get_dict()["SYSTEM"]["ecutwfc"] == 10.0


def test_the_demo_holds_the_programs_and_the_numerics_of_every_step(
    builder: Builder, codes: dict[str, orm.InstalledCode]
) -> None:
    chain = begin(builder())
    found = {
        "md": chain.inputs.md.code,
        "pw": chain.inputs.lead.pw.code,
        "pp": chain.inputs.lane.readback.code,
        "pwcond": chain.inputs.lane.pwcond.pwcond.code,
    }
    assert {label: code.uuid for label, code in found.items()} == {label: code.uuid for label, code in codes.items()}
    assert chain.inputs.lane.scf.pw.code.uuid == codes["pw"].uuid
    pwcond = chain.inputs.lane.pwcond
    assert (pwcond.max_shards.value, pwcond.shards_per_job.value) == (1, 1)
    assert pwcond.pwcond.parameters.get_dict() == load_protocol("demo", {})["pwcond"]["parameters"]
    assert pwcond.pwcond.unitarity_tolerance.value == 1e-3
    # lead and folders come from the chain itself
    for name in ("left_lead_folder", "snapshots", "index", "geometry", "lattice", "left_lead", "junction"):
        assert name not in chain.inputs.lane
    assert not {"left_lead", "junction", "right_lead", "whole", "shards", "spin"} & set(pwcond.pwcond)


def test_overrides_and_labels_reach_the_inputs(builder: Builder) -> None:
    overrides = {
        "tips": {"gap": 5.0},
        "production": {"voltage_v": 8.0, "seed": 3},
        "equilibration": {"seed": 3},
        "pwcond": {"kpoints": {"list": [[0.1, 0.2, 0.25], [0.3, 0.1, 0.75]]}, "energies": [0.1, 0.0]},
    }
    chain = begin(builder(overrides=overrides, labels={"campaign": "c", "chain": "x"}))
    assert chain.inputs.tips["gap"] == 5.0
    assert chain.inputs.production["voltage_v"] == 8.0
    points, weights = chain.inputs.lane.pwcond.pwcond.kpoints.get_kpoints(also_weights=True)
    assert points.tolist() == [[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]]
    assert weights.tolist() == [0.25, 0.75]
    assert chain.inputs.lane.pwcond.pwcond.energies.get_list() == [0.1, 0.0]
    labels = chain.inputs.labels.get_dict()
    assert (labels["campaign"], labels["chain"], labels["protocol"]) == ("c", "x", "demo")
    # what conductances are filtered by is what the run was done with
    assert (labels["voltage_v"], labels["seed"]) == (8.0, 3)


def test_an_unknown_protocol_or_key_is_refused(builder: Builder) -> None:
    with pytest.raises(InvalidInput, match=r"must be one of .*demo"):
        builder(protocol="papper")
    with pytest.raises(InvalidInput, match=r"overrides = tips\.gapp"):
        builder(overrides={"tips": {"gapp": 5.0}})


BAD = [
    ({"tips": {"gap": 0.0}}, "gap = 0.0 Å: must be a number from 2.00 Å on"),
    ({"tips": {"base_side": 2}}, "base_side = 2 atoms: must be at least 3"),
    ({"production": {"voltage_v": 80.0}}, "voltage_v = 80.0: must be from -50 to 50 V"),
    ({"equilibration": {"temperature_k": 3000.0}}, "temperature_k = 3000.0"),
    ({"junction": {"supercell": 0}}, "supercell = 0: must be a whole number"),
    ({"junction": {"lower_layers": 2}}, "lower_layers = 2: must be at least 3"),
    ({"junction": {"lattice_constant": -4.16}}, "lattice_constant = -4.16 Å"),
    ({"snapshot_interval_ps": 0.07}, "snapshot_interval_ps = 0.07 ps: must be a multiple of the 0.05 ps"),
    ({"snapshot_interval_ps": 100.0}, "at most the 1.8 ps of the production"),
    ({"lanes": 0}, "lanes = 0: must be at least 1"),
    ({"pwcond": {"energies": [0.1]}}, "with 0.0, the Fermi energy"),
    ({"pwcond": {"energies": {"start": 0.1, "stop": 0.3, "step": 0.1}}}, "with 0.0, the Fermi energy"),
    ({"pwcond": {"kpoints": {"list": [[0.1, 0.2, -1.0]]}}}, "must be positive"),
    ({"pwcond": {"kpoints": {"list": [[0.1, 0.2, 1.0], [0.3, 0.1, 3.0]]}}}, "weights that sum to 4"),
    ({"pwcond": {"max_shards": 0}}, "max_shards = 0: must be at least 1"),
    ({"pwcond": {"shards_per_job": 0}}, "shards_per_job = 0: must be at least 1"),
    ({"pwcond": {"parameters": {"recover": True}}}, "parameters = recover: must be left to the plugin"),
]


@pytest.mark.parametrize(("overrides", "message"), BAD)
def test_inputs_that_no_chain_can_begin_with_are_refused(
    builder: Builder, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        begin(builder(overrides=overrides))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tips", {"gap": 5.0, "colour": "red"}, "tips"),
        ("junction", {"lattice_constant": 4.16, "supercell": 3}, "junction = .*must be exactly lattice_constant"),
        ("labels", {"conductance_g0": 1.0}, "labels = conductance_g0"),
        ("production", {"steps": 1000}, "no seed"),
    ],
)
def test_inputs_given_without_a_protocol_are_checked_as_well(
    builder: Builder, name: str, value: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        chain = builder()
        chain[name] = value
        begin(chain)


def test_conditions_may_be_left_to_their_defaults(builder: Builder) -> None:
    chain = builder()
    chain.equilibration = {"steps": 1000, "seed": 1}
    chain.production = {"steps": 1000, "seed": 1, "voltage_v": 2.0}
    assert begin(chain).inputs.production.get_dict() == {"steps": 1000, "seed": 1, "voltage_v": 2.0}


def test_a_run_of_pwcond_alone_does_not_need_the_fermi_energy() -> None:
    # the work chain asks for it, for its own inputs
    assert PwcondCalculation.spec().inputs["energies"].validate(orm.List([0.1])) is None
    assert PwcondBaseWorkChain.spec().inputs["pwcond"]["energies"].validate(orm.List([0.1])) is None


@pytest.mark.parametrize(
    ("work_chain", "calculation"),
    [(BiasedMdWorkChain, BiasedMdCalculation), (PwcondBaseWorkChain, PwcondCalculation)],
)
def test_a_work_chain_knows_the_exit_codes_that_it_passes_on(work_chain: Any, calculation: Any) -> None:
    passed_on = {label: code.status for label, code in calculation.exit_codes.items() if code.status >= 200}
    known = {label: code.status for label, code in work_chain.exit_codes.items()}
    assert {label: known.get(label) for label in passed_on} == passed_on
    own = [status for status in known.values() if status >= 200]
    assert len(set(own)) == len(own)
