"""A contact that was computed before in the same way is taken over; anything else is computed."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_pseudo.data.pseudo import UpfData
from contacts import DIMER, GAP, LATTICES, LAYERS, moved, snapshots_of, store

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.filling import fill_pwcond, fill_readback, fill_scf
from aiida_rewire.workflows.functions.structures import assemble_junction
from aiida_rewire.workflows.protocols import load_protocol
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain

Codes = Mapping[str, orm.InstalledCode]


class Chains:
    """Makes the work chains of snapshots, which nobody runs."""

    def __init__(self, codes: Codes, upf: Callable[..., UpfData], finished_pw: Any) -> None:
        self.codes, self.upf, self.finished_pw = codes, upf, finished_pw
        self.lattice = {"lattice_constant": next(LATTICES), "supercell": 2, **LAYERS}
        spacing = self.lattice["lattice_constant"] / np.sqrt(3)
        # the gap begins a layer behind each apex
        self.geometry = {"lower_apex": spacing, "upper_apex": GAP - spacing}
        self.lead = self.folder()

    def folder(self, **changes: Any) -> orm.RemoteData:
        """Folder of the SCF of a lead."""
        return self.finished_pw(*Fcc111(self.lattice["lattice_constant"], 2).lead(), **changes)

    def fill(
        self,
        contact: np.ndarray,
        *,
        labels: Mapping[str, Any] | None = None,
        changes: Mapping[str, Any] | None = None,
        snapshots: orm.TrajectoryData | None = None,
        index: int = 0,
        lead: orm.RemoteData | None = None,
        valence: int = 1,
        tolerance_ev: float = 0.03,
        reuse: bool = True,
        codes: Codes | None = None,
    ) -> Any:
        """Return the inputs of a chain."""
        codes = {**self.codes, **(codes or {})}
        values = load_protocol("demo", changes or {}, workflow="transmission")
        builder = SnapshotConductanceWorkChain.get_builder()
        fill_scf(builder.scf, codes["pw"], values["scf"])
        builder.scf.pw.pseudos = {"Ag": self.upf(valence)}
        cell = Fcc111(self.lattice["lattice_constant"], 2).lead()[0]
        fill_pwcond(builder.pwcond, codes["pwcond"], values["pwcond"], cell)
        fill_readback(builder.readback, codes["pp"], values["readback"])
        builder.snapshots = snapshots_of(contact) if snapshots is None else snapshots
        builder.index = index
        builder.geometry, builder.lattice = orm.Dict(self.geometry), orm.Dict(self.lattice)
        builder.left_lead_folder = self.lead if lead is None else lead
        builder.labels = dict(labels or {})
        builder.potential_tolerance = tolerance_ev
        builder.reuse_contacts = reuse
        return builder

    def __call__(self, contact: np.ndarray, **inputs: Any) -> SnapshotConductanceWorkChain:
        """Return a chain whose junction is assembled."""
        chain = instantiate_process(get_manager().get_runner(), self.fill(contact, **inputs))
        with chain._process_scope():
            assert chain.assemble() is None
        return chain

    def find(self, contact: np.ndarray, **inputs: Any) -> tuple[ConductanceData, float] | None:
        """Look for a contact as a chain of these inputs does, without the chain."""
        ports = SnapshotConductanceWorkChain.spec().inputs
        given = ports.pre_process(self.fill(contact, **inputs)._inputs(prune=True))
        store(given)
        region = assemble_junction(
            given.snapshots, given.index, given.geometry, given.lattice, metadata={"store_provenance": False}
        )
        chain = SimpleNamespace(inputs=given, ctx=SimpleNamespace(**region))
        return SnapshotConductanceWorkChain.find_repeat(chain)

    def compute(self, chain: SnapshotConductanceWorkChain, mismatch_ev: float = 0.01) -> ConductanceData:
        """Store the conductance of a chain, 0.97 G0, as if pwcond.x had been run."""
        transmission = orm.ArrayData()
        arrays = {
            "energies": [0.0],
            "transmission": [[0.97]],
            "kpoints": [[0.25, 0.25]],
            "weights": [1.0],
            "channels": [[1]],
            "unitarity": [[1e-6]],
            "eigenchannels": [[[0.97]]],
            "numerics": [[0]],
        }
        for name, array in arrays.items():
            transmission.set_array(name, np.array(array))
        transmission.base.attributes.set("ladder", [{}])
        chain.ctx.pwcond = SimpleNamespace(is_finished_ok=True, outputs=SimpleNamespace(transmission=transmission))
        chain.ctx.readback = {
            "left_lead": orm.Dict({"layer_potential_ev": [-7.0, -7.0]}),
            "junction": orm.Dict({"layer_potential_ev": [-7.0, -7.0 + mismatch_ev]}),
        }
        with chain._process_scope():
            assert chain.store() is None
        return self.end(chain)

    def take_over(self, chain: SnapshotConductanceWorkChain) -> ConductanceData | None:
        """Let a chain look for its contact; return what it took over."""
        with chain._process_scope():
            chain.take_over()
        assert chain.is_new() is ("conductance" not in chain.outputs)
        return None if chain.is_new() else self.end(chain)

    def end(self, chain: SnapshotConductanceWorkChain) -> ConductanceData:
        """Hand the outputs of a chain out, as the engine does at its end."""
        for name in ("structure", "conductance"):
            chain.outputs[name].base.links.add_incoming(chain.node, LinkType.RETURN, name)
        conductance: ConductanceData = chain.outputs["conductance"]
        return conductance


@pytest.fixture(scope="module")
def known(codes: Codes, upf: Callable[..., UpfData], finished_pw: Any) -> Chains:
    """Chains of a lattice in which the dimer was computed, with a mismatch of 0.02 eV, and nothing else."""
    chains = Chains(codes, upf, finished_pw)
    chains.compute(chains(DIMER), mismatch_ev=0.02)
    return chains


@pytest.fixture
def chains(codes: Codes, upf: Callable[..., UpfData], finished_pw: Any) -> Chains:
    """Chains of a lattice of their own."""
    return Chains(codes, upf, finished_pw)


def test_an_equal_contact_is_taken_over(chains: Chains) -> None:
    old = {"campaign": "a", "chain": "first", "note": "of the first chain", "seed": 1, "voltage_v": 8.0}
    original = chains.compute(chains(DIMER, labels=old))
    new = {"campaign": "b", "seed": 2}
    snapshots = snapshots_of(moved(1.0), moved(0.015))
    chain = chains(DIMER, labels=new, snapshots=snapshots, index=1)
    taken = chains.take_over(chain)
    assert isinstance(taken, ConductanceData)
    assert taken.uuid != original.uuid
    assert taken.conductance_g0 == original.conductance_g0 == pytest.approx(0.97)
    for name in original.get_arraynames():
        assert np.array_equal(taken.get_array(name), original.get_array(name))
    labels = taken.base.attributes.all
    assert labels["reused_from"] == original.uuid
    assert labels["reuse_distance_a"] == pytest.approx(0.015, abs=1e-9)
    # what was computed stays, what it is found by is its own
    for name in ("potential_mismatch_ev", "ladder", "unitarity_max", "fingerprint"):
        assert labels[name] == original.base.attributes.get(name)
    assert {name: labels[name] for name in new} == new
    assert not {"note", "chain"} & set(labels)
    own = {"step": 500, "time_ps": 0.5, "voltage_v": 3.0, "stage": "growth", "min_cut": 2, "atoms_in_gap": 3}
    own |= {"floating_atoms": 1, "clusters": 2, "bottleneck_coordination": 2.5, "filament_atoms": 3}
    assert {name: labels[name] for name in own} == own
    assert original.base.attributes.get("time_ps") == 0.0
    assert original.base.attributes.get("stage") == "contact"
    assert "reused_from" not in original.base.attributes.all
    # and the way back to the original
    creator = taken.creator
    assert creator.process_label == "reuse_conductance"
    assert creator.inputs.conductance.uuid == original.uuid
    assert creator.caller.uuid == chain.node.uuid
    assert creator.inputs.snapshots.uuid == chain.inputs.snapshots.uuid
    query = orm.QueryBuilder().append(ConductanceData, filters={"uuid": original.uuid}, tag="from")
    query.append(ConductanceData, with_ancestors="from", project="uuid")
    assert query.all(flat=True) == [taken.uuid]


def test_an_equal_contact_elsewhere_on_the_surface_is_found(known: Chains) -> None:
    lattice = Fcc111(known.lattice["lattice_constant"], 2)
    found = known.find((DIMER + lattice.primitive_vectors[0])[::-1])
    assert found is not None
    assert found[1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("distance", "same"), [(0.019, True), (0.021, False), (0.05, False)])
def test_a_contact_with_an_atom_elsewhere_is_another(known: Chains, distance: float, same: bool) -> None:
    found = known.find(moved(distance))
    assert (found is not None) is same
    if found:
        assert found[1] == pytest.approx(distance, abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"scf": {"parameters": {"SYSTEM": {"degauss": 0.011}}}},
        {"scf": {"kpoints_mesh": [2, 2, 1]}},
        {"scf": {"kpoints_mesh": [1, 1, 1], "kpoints_offset": [1, 0, 0]}},
        {"pwcond": {"energies": [0.1, 0.0]}},
        {"pwcond": {"kpoints": {"list": [[0.1, 0.3, 1.0]]}}},
        {"pwcond": {"parameters": {"ewind": 1.5}}},
        {"pwcond": {"unitarity_tolerance": 1e-4}},
    ],
)
def test_a_contact_computed_in_another_way_is_another(known: Chains, changes: dict[str, Any]) -> None:
    assert known.find(DIMER, changes=changes) is None


def test_what_does_not_change_the_conductance_does_not_keep_it_from_being_found(known: Chains) -> None:
    options = {"max_wallclock_seconds": 77}
    changes = {"pwcond": {"max_shards": 3, "shards_per_job": 3, "options": options}, "scf": {"options": options}}
    assert known.find(DIMER, changes=changes, labels={"campaign": "z"}) is not None


def test_another_pseudopotential_makes_another(known: Chains) -> None:
    assert known.find(DIMER, valence=11) is None


@pytest.mark.parametrize("name", ["pw", "pwcond"])
def test_another_program_makes_another(known: Chains, codes: Codes, name: str) -> None:
    computer = codes[name].computer
    other = orm.InstalledCode(label=f"other-{name}", computer=computer, filepath_executable="/bin/false").store()
    assert known.find(DIMER, codes={name: other}) is None


def test_another_lead_makes_another_and_an_equal_one_does_not(known: Chains) -> None:
    assert known.find(DIMER, lead=known.folder()) is not None
    assert known.find(DIMER, lead=known.folder(pseudos={"Ag": known.upf(11)})) is None


@pytest.mark.parametrize(("tolerance_ev", "same"), [(0.0201, True), (0.0199, False)])
def test_a_mismatch_above_the_tolerance_of_this_chain_is_not_taken_over(
    known: Chains, tolerance_ev: float, same: bool
) -> None:
    assert (known.find(DIMER, tolerance_ev=tolerance_ev) is not None) is same


def test_a_conductance_that_no_chain_of_a_snapshot_computed_is_left_alone(known: Chains) -> None:
    computed = known.find(DIMER)
    assert computed is not None
    labels = {"fingerprint": computed[0].base.attributes.get("fingerprint")}
    lone = ConductanceData.from_transmission(
        energies=[0.0],
        transmission=[[0.5]],
        kpoints=[[0.25, 0.25]],
        weights=[1.0],
        channels=[[1]],
        unitarity=[[1e-6]],
        potential_mismatch_ev=0.0,
        labels=labels,
    ).store()
    found = known.find(DIMER)
    assert found is not None
    assert found[0].uuid == computed[0].uuid != lone.uuid


def test_nothing_is_taken_over_where_that_was_not_wanted(known: Chains) -> None:
    assert known.take_over(known(DIMER, reuse=False)) is None


def test_what_was_taken_over_is_not_taken_over_again(chains: Chains) -> None:
    original = chains.compute(chains(DIMER))
    assert chains.take_over(chains(moved(0.015))) is not None
    # within reach of the second, out of that of the first
    assert chains.find(moved(0.03)) is None
    # and a third within reach of both is that of the first
    third = chains.find(moved(0.01))
    assert third is not None
    assert third[0].uuid == original.uuid
