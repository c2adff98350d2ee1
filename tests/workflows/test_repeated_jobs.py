"""A contact that a job computed before in the same way is taken over; anything else gets a job of its own."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida_pseudo.data.pseudo import UpfData
from contacts import DIMER, moved, store
from lanes import Lanes, Submissions, born, computed, ended, run

from aiida_rewire.calculations.junction import JunctionCalculation
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.database.junctions import junctions_of
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.lane import LaneWorkChain
from aiida_rewire.workflows.repeats import find_repeat, recipe_of_job

DISTANCES = (0.0, 0.015, 0.019, 0.021, 0.03, 0.3)
Found = tuple[ConductanceData, float] | None


class Known:
    """A lane of contacts, of which the first was computed."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.lattice = lanes, lanes.lattices["n2"]
        elsewhere = DIMER + Fcc111(self.lattice["lattice_constant"], 2).primitive_vectors[0]
        self.lane: LaneWorkChain = lanes(*map(moved, DISTANCES), elsewhere[::-1])
        self.conductance = computed(ended(born(JunctionCalculation, **self.inputs(0))))

    def inputs(self, position: int) -> AttributeDict:
        """Inputs of the job of a contact."""
        self.lane.ctx.position = position
        return self.lane.job_inputs()

    def find(self, position: int = 0, **changes: Any) -> Found:
        """Look for a contact that is to be computed with other inputs."""
        inputs = self.inputs(position)
        for name, value in changes.items():
            inputs[name] = {**inputs[name], **value} if isinstance(value, Mapping) else value
        store(inputs)
        return find_repeat(inputs.structure, self.lattice, inputs.assembly["fingerprint"], recipe_of_job(inputs))


@pytest.fixture(scope="module")
def known(
    codes: Mapping[str, orm.InstalledCode], upf: Callable[..., UpfData], finished_pw: Callable[..., orm.RemoteData]
) -> Known:
    """Contacts of which the dimer was computed."""
    return Known(Lanes(codes, upf, finished_pw))


@pytest.mark.parametrize("position", range(len(DISTANCES)))
def test_a_contact_is_the_same_up_to_a_fiftieth_of_an_angstrom(known: Known, position: int) -> None:
    found = known.find(position)
    if DISTANCES[position] > 0.02:
        assert found is None
        return
    assert found is not None
    assert found[0].uuid == known.conductance.uuid
    assert found[1] == pytest.approx(DISTANCES[position], abs=1e-9)


def test_a_contact_elsewhere_on_the_surface_is_the_same(known: Known) -> None:
    found = known.find(len(DISTANCES))
    assert found is not None
    assert found[1] == pytest.approx(0.0, abs=1e-9)


def test_equal_inputs_are_found_in_other_nodes_and_in_another_order(known: Known) -> None:
    inputs = known.inputs(0)
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh(*inputs.kpoints.get_kpoints_mesh())
    parameters = inputs.parameters.get_dict()
    assert known.find(
        parameters=orm.Dict({key: dict(reversed(parameters[key].items())) for key in reversed(parameters)}),
        kpoints=mesh,
        potential_tolerance=orm.Float(inputs.potential_tolerance.value),
        pwcond={"energies": orm.List(inputs.pwcond.energies.get_list())},
        # these do not change what is computed
        labels=orm.Dict({"campaign": "another"}),
        lead_readback=orm.Dict(inputs.lead_readback.get_dict()),
    )


def another_mesh() -> orm.KpointsData:
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([1, 1, 2])
    return mesh


def another_point() -> orm.KpointsData:
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.1, 0.3, 0.0]], weights=[1.0])
    return kpoints


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"kpoints": another_mesh()},
        lambda _: {"potential_tolerance": orm.Float(0.02)},
        lambda _: {"pwcond": {"energies": orm.List([0.1, 0.0])}},
        lambda _: {"pwcond": {"kpoints": another_point()}},
        lambda _: {"pwcond": {"parameters": orm.Dict({"ewind": 1.5})}},
        lambda _: {"pwcond": {"unitarity_tolerance": orm.Float(1e-4)}},
        lambda inputs: {"parameters": orm.Dict({**inputs.parameters.get_dict(), "ELECTRONS": {"conv_thr": 1e-9}})},
    ],
)
def test_a_contact_computed_in_another_way_is_another(
    known: Known, change: Callable[[AttributeDict], dict[str, Any]]
) -> None:
    assert known.find(**change(known.inputs(0))) is None


@pytest.mark.parametrize("name", ["code", "pp_code", "pwcond_code"])
def test_another_program_makes_another(known: Known, name: str) -> None:
    computer = known.inputs(0)[name].computer
    other = orm.InstalledCode(label=f"other-{name}", computer=computer, filepath_executable="/bin/false").store()
    assert known.find(**{name: other}) is None


def test_another_pseudopotential_or_lead_makes_another(
    known: Known, upf: Callable[..., UpfData], finished_pw: Callable[..., orm.RemoteData]
) -> None:
    assert known.find(pseudos={"Ag": upf(11)}) is None
    # V - E_F was compared with that of the lead that was there
    lead = finished_pw(*Fcc111(known.lattice["lattice_constant"], 2).lead())
    assert known.find(left_lead=lead) is None


def test_an_equal_contact_gets_the_conductance_and_says_so(known: Known) -> None:
    labels = {"campaign": "later", "chain": "8V-s2", "seed": 2}
    lane = known.lanes(moved(0.5), moved(0.015), labels=labels)
    nodes = Submissions(lane).nodes
    run(lane)
    assert list(nodes) == ["snapshot_0000"]
    taken = lane.outputs["conductances"]["snapshot_0001"]
    assert taken.conductance_g0 == known.conductance.conductance_g0 == pytest.approx(0.97)
    for name in known.conductance.get_arraynames():
        assert np.array_equal(taken.get_array(name), known.conductance.get_array(name))
    found = taken.base.attributes.all
    assert found["reused_from"] == known.conductance.uuid
    assert found["reuse_distance_a"] == pytest.approx(0.015, abs=1e-9)
    own = {**labels, "snapshot": 1, "step": 500, "time_ps": 0.5, "voltage_v": 3.0, "stage": "growth", "min_cut": 2}
    assert {name: found[name] for name in own} == own
    creator = taken.creator
    assert (creator.process_label, creator.caller.pk) == ("reuse_conductance", lane.node.pk)
    assert (creator.inputs.conductance.pk, creator.inputs.index.value) == (known.conductance.pk, 1)
    # what people are shown are the atoms that were computed
    atoms = known.conductance.creator.inputs.structure
    assert {one.structure for one in junctions_of([taken.pk, known.conductance.pk]).values()} == {atoms.uuid}
    # a third is within reach of the second, and out of that of the first: distances do not add up
    third = known.lanes(moved(0.03))
    inputs = third.job_inputs()
    assert find_repeat(inputs.structure, known.lattice, inputs.assembly["fingerprint"], recipe_of_job(inputs)) is None


def test_a_contact_that_lasts_is_computed_once_in_a_lane(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.01), moved(0.5))
    nodes = Submissions(lane).nodes
    run(lane)
    assert list(nodes) == ["snapshot_0000", "snapshot_0002"]
    first = nodes["snapshot_0000"].outputs.conductance
    assert lane.outputs["conductances"]["snapshot_0001"].base.attributes.get("reused_from") == first.uuid


def test_nothing_is_taken_over_where_that_was_not_wanted(lanes: Lanes) -> None:
    lane = lanes(DIMER, moved(0.01), reuse_contacts=False)
    nodes = Submissions(lane).nodes
    run(lane)
    assert list(nodes) == ["snapshot_0000", "snapshot_0001"]


def test_a_step_that_runs_again_takes_nothing_over_from_its_own_job(lanes: Lanes) -> None:
    lane = lanes(DIMER)
    nodes = Submissions(lane).nodes
    with lane._process_scope():
        # the worker was killed before the checkpoint, and the job ended before another took the step up
        (first,), (again,) = (lane.run_snapshot().values() for _ in range(2))
    assert first.pk == again.pk == nodes["snapshot_0000"].pk
    called = sorted(child.process_label for child in lane.node.called)
    assert called == ["JunctionCalculation", "assemble_junctions"]
