"""A chain that is tried again: what earlier attempts finished is taken over, and only what is missing computed."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import Process, ProcessBuilder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData
from contacts import DIMER, snapshots_of
from lanes import ended

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.workflows.functions.results import snapshot_name
from aiida_rewire.workflows.lane import LaneWorkChain
from aiida_rewire.workflows.protocols import load_protocol
from aiida_rewire.workflows.rewiring import RewiringWorkChain

SNAPSHOTS = 5
CHAINS = count()


class Study:
    """A chain of five snapshots, and attempts at it that nobody runs."""

    def __init__(
        self, codes: Mapping[str, orm.InstalledCode], potential: LammpsPotentialData, pseudo: UpfData, cluster: Any
    ) -> None:
        self.codes, self.potential, self.pseudo, self.cluster = codes, potential, pseudo, cluster
        self.labels = {"campaign": "study", "chain": f"8V-s{next(CHAINS)}", "pseudo_family": "rewire/frozen-d"}
        self.geometry = orm.Dict({"lower_apex": 2.4, "upper_apex": 5.2}).store()

    def builder(self, earlier: Sequence[orm.WorkChainNode] = (), **changes: Any) -> ProcessBuilder:
        """Return the inputs of an attempt."""
        return RewiringWorkChain.get_builder_from_values(
            self.codes,
            self.potential,
            self.pseudo,
            load_protocol("demo", changes),
            protocol="demo",
            labels=self.labels,
            label=f"study/{self.labels['chain']}",
            earlier=earlier,
        )

    def begin(self, earlier: Sequence[orm.WorkChainNode] = (), **changes: Any) -> RewiringWorkChain:
        """Return an attempt that is about to begin."""
        return instantiate_process(get_manager().get_runner(), self.builder(earlier, **changes))

    def attempt(self, dynamics: Mapping[str, orm.Data] | None = None) -> orm.WorkChainNode:
        """Return an attempt that failed, after its dynamics if that is given."""
        node = orm.WorkChainNode(process_type=RewiringWorkChain.build_process_type())
        node.base.links.add_incoming(orm.Dict(self.labels).store(), LinkType.INPUT_WORK, "labels")
        node.store()
        for name, data in (dynamics or {}).items():
            data.base.links.add_incoming(node, LinkType.RETURN, name)
        return ended(node, 500 if dynamics else 311)

    def dynamics(self) -> dict[str, orm.Data]:
        """Return what the dynamics of an attempt gives."""
        extraction = orm.CalcFunctionNode()
        extraction.base.links.add_incoming(self.geometry, LinkType.INPUT_CALC, "geometry")
        extraction.store()
        snapshots = snapshots_of(*[DIMER] * SNAPSHOTS, supercells=[3] * SNAPSHOTS)
        snapshots.base.links.add_incoming(extraction, LinkType.CREATE, "result")
        tips = orm.StructureData(cell=np.eye(3).tolist(), pbc=[False] * 3)
        tips.append_atom(position=(0.0, 0.0, 0.0), symbols="Ag")
        bias = orm.ArrayData()
        bias.set_array("voltage_v", np.array([8.0]))
        made = {"snapshots": snapshots, "tips": tips, "results": orm.Dict({"last_step": 3000}), "bias": bias}
        return {name: node.store() for name, node in made.items()}

    def conductance(
        self,
        snapshots: orm.TrajectoryData,
        index: int,
        *,
        lane: orm.WorkChainNode | None = None,
        transmission: float = 0.5,
        by: type[orm.CalculationNode] = orm.CalcJobNode,
        **labels: Any,
    ) -> ConductanceData:
        """Store the conductance of a snapshot, G0, made by a job or by a function; of this chain unless told so."""
        node = by()
        if by is orm.CalcJobNode:
            node.computer = self.cluster
        node.base.links.add_incoming(snapshots, LinkType.INPUT_CALC, "snapshots")
        if lane is not None:
            node.base.links.add_incoming(lane, LinkType.CALL_CALC, snapshot_name(index))
        ended(node.store())
        made = ConductanceData.from_transmission(
            energies=[0.0],
            transmission=[[transmission]],
            kpoints=[[0.0, 0.0]],
            weights=[1.0],
            channels=[[1]],
            unitarity=[[1e-6]],
            labels={**self.labels, "snapshot": index, **labels},
        )
        name = "conductance" if by is orm.CalcJobNode else "result"
        made.base.links.add_incoming(node, LinkType.CREATE, name)
        return made.store()


@pytest.fixture
def study(
    codes: dict[str, orm.InstalledCode],
    potential: LammpsPotentialData,
    upf: Callable[..., UpfData],
    cluster: orm.Computer,
) -> Study:
    """A chain of its own."""
    return Study(codes, potential, upf(1), cluster)


def taken(builder: ProcessBuilder) -> dict[str, Any]:
    """What a builder takes over, by the identity of the nodes."""
    earlier = dict(builder.earlier)
    conductances = earlier.pop("conductances", {})
    found = {name: node.pk for name, node in earlier.items() if node is not None}
    return found | {name: node.pk for name, node in conductances.items()}


def test_a_first_attempt_takes_nothing_over(study: Study) -> None:
    assert taken(study.builder()) == {}
    assert study.begin().needs_dynamics()


def test_an_attempt_that_came_to_no_snapshots_gives_nothing(study: Study) -> None:
    builder = study.builder([study.attempt(), study.attempt()])
    assert taken(builder) == {}
    assert instantiate_process(get_manager().get_runner(), builder).needs_dynamics()


def test_what_earlier_attempts_finished_is_taken_over(study: Study) -> None:
    dynamics, others = study.dynamics(), study.dynamics()
    snapshots = dynamics["snapshots"]
    # the first failed in its dynamics; the fourth had none of its own, but its scratch was lost in between
    attempts = [study.attempt(), study.attempt(dynamics), study.attempt(dynamics), study.attempt(others)]
    first = study.conductance(snapshots, 2)
    stored = study.conductance(snapshots, 1, by=orm.CalcFunctionNode)
    wanted = {"snapshot_0002": first.pk, "snapshot_0001": stored.pk}
    # one that was computed twice counts as it was at first
    study.conductance(snapshots, 2, transmission=0.4)
    # of another dynamics, whose snapshots are not these, and of another chain that was given these
    study.conductance(others["snapshots"], 3)
    study.conductance(snapshots, 4, chain="8V-s1000")
    study.conductance(snapshots, 4, campaign="another")
    found = taken(study.builder(attempts))
    assert found == wanted | {
        "geometry": study.geometry.pk,
        **{name: dynamics[name].pk for name in ("snapshots", "tips", "results", "bias")},
    }
    # the order of the attempts is that in which they were made
    assert taken(study.builder(attempts[::-1]))["snapshots"] == others["snapshots"].pk


def test_a_dynamics_without_a_voltage_has_no_bias_to_take_over(study: Study) -> None:
    dynamics = study.dynamics()
    del dynamics["bias"]
    assert set(taken(study.builder([study.attempt(dynamics)]))) == {"geometry", "snapshots", "tips", "results"}


def test_half_a_dynamics_is_refused(study: Study) -> None:
    whole = dict(study.builder([study.attempt(study.dynamics())]).earlier)
    builder = study.builder()
    for left_out in ("tips", "geometry", "results", "snapshots"):
        builder.earlier = {name: node for name, node in whole.items() if name != left_out}
        with pytest.raises(ValueError, match="must be with tips, geometry, results, snapshots; give all, or none"):
            instantiate_process(get_manager().get_runner(), builder)


def test_only_the_snapshots_that_are_missing_are_dealt_to_lanes(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamics = study.dynamics()
    there = {index: study.conductance(dynamics["snapshots"], index, transmission=0.1 * index) for index in (1, 3)}
    chain = study.begin([study.attempt(dynamics)], lanes=2)
    submitted: dict[str, Any] = {}

    def submit(process: type[Process], **inputs: Any) -> orm.WorkChainNode:
        label = inputs["metadata"]["call_link_label"]
        assert label not in submitted
        submitted[label] = inputs
        node = orm.WorkChainNode(process_type=process.build_process_type())
        if "indices" in inputs:
            node.base.links.add_incoming(orm.List(inputs["indices"]).store(), LinkType.INPUT_WORK, "indices")
        return node.store()

    monkeypatch.setattr(chain, "submit", submit)
    with chain._process_scope():
        assert not chain.needs_dynamics()
        chain.build()
        assert list(submitted) == ["lead"]
        handed_out = {name: node.pk for name, node in chain.outputs.items()}
        assert handed_out == {name: node.pk for name, node in dynamics.items()}
        # the lead's SCF and its read-back come to their ends
        chain.ctx.lead_readbacks = {"n3": orm.Dict({"layer_potential_ev": [-7.0, -7.0]}).store()}
        chain.ctx.leads = {"n3": orm.RemoteData(remote_path="/lead", computer=study.cluster).store()}
        lanes = chain.run_lanes()
        chain.ctx.update(lanes)
    del submitted["lead"]
    assert {name: list(inputs["indices"]) for name, inputs in submitted.items()} == {
        "lane_0": [0, 2],
        "lane_1": [4],
    }
    for name, inputs in submitted.items():
        assert inputs["snapshots"].pk == dynamics["snapshots"].pk
        assert inputs["geometry"].pk == study.geometry.pk
        assert inputs["metadata"]["label"] == f"study/{study.labels['chain']}/{name}"
        assert lanes[name].process_class is LaneWorkChain
    # one of the three fails again
    made = {
        index: study.conductance(dynamics["snapshots"], index, lane=lanes[name], transmission=0.1 * index)
        for name, index in (("lane_0", 0), ("lane_1", 4))
    }
    for lane in lanes.values():
        ended(lane)
    with chain._process_scope():
        code = chain.collect()
    assert (code.status, code.message) == (500, "1 of 5 snapshots have no conductance; see the trace.")
    everything = {snapshot_name(index): node.pk for index, node in (there | made).items()}
    assert {name: node.pk for name, node in chain.outputs["conductances"].items()} == everything
    rows = chain.outputs["trace"].rows()
    assert [row["conductance_g0"] for row in rows] == pytest.approx([0.0, 0.1, np.nan, 0.3, 0.4], nan_ok=True)
    assert [bool(row["missing"]) for row in rows] == [False, False, True, False, False]


def test_where_nothing_is_missing_the_trace_is_collected_at_once(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamics = study.dynamics()
    for index in range(SNAPSHOTS):
        study.conductance(dynamics["snapshots"], index)
    chain = study.begin([study.attempt(dynamics)])
    monkeypatch.setattr(chain, "submit", lambda *_, **__: pytest.fail("a lane"))
    chain.ctx.snapshots, chain.ctx.lattices = dynamics["snapshots"], {}
    with chain._process_scope():
        assert dict(chain.run_lanes()) == {}
        assert chain.collect() is None
    assert len(chain.outputs["conductances"]) == SNAPSHOTS
