"""Lanes of snapshots that nobody runs, and what became of their jobs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import Process
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_pseudo.data.pseudo import UpfData
from contacts import GAP, LATTICES, LAYERS, snapshots_of

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import labels_of_snapshot
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.filling import fill_pwcond, fill_readback, fill_scf
from aiida_rewire.workflows.functions.structures import supercell_name
from aiida_rewire.workflows.lane import LaneWorkChain
from aiida_rewire.workflows.protocols import load_protocol

LABELS = {"campaign": "study", "chain": "2V-s1", "seed": 1}


def born(process: type[Process], lane: LaneWorkChain | None = None, **inputs: Any) -> orm.ProcessNode:
    """Store the node of a process, called by a lane if by any, which nobody runs."""
    runner = get_manager().get_runner()
    if lane is None:
        return instantiate_process(runner, process, **inputs).node
    with lane._process_scope():
        return instantiate_process(runner, process, **inputs).node


def ended(node: orm.ProcessNode, exit_status: int | None = 0, state: str = "finished") -> orm.ProcessNode:
    """Let a process have ended."""
    node.set_process_state(state)
    if exit_status is not None:
        node.set_exit_status(exit_status)
        node.set_exit_message("as wanted" if exit_status else None)
    return node


def computed(node: orm.ProcessNode, transmission: float = 0.97) -> ConductanceData:
    """Store the conductance of a snapshot, G0, as if the programs had been run, as the output of a process."""
    inputs = node.inputs
    if isinstance(node, orm.CalcJobNode):
        labels = inputs.assembly["labels"]
    else:
        names = ("snapshots", "index", "assembly")
        labels = labels_of_snapshot(**{name: inputs[name] for name in names if name in inputs})
    conductance = ConductanceData.from_transmission(
        energies=[0.0],
        transmission=[[transmission]],
        kpoints=[[0.1, 0.2]],
        weights=[1.0],
        channels=[[1]],
        unitarity=[[1e-6]],
        numerics=[[0]],
        ladder=[{}],
        potential_mismatch_ev=0.01,
        labels={**inputs.labels.get_dict(), **labels},
    )
    if isinstance(node, orm.CalcJobNode):
        conductance.base.links.add_incoming(node, LinkType.CREATE, "conductance")
        return conductance.store()
    conductance.store().base.links.add_incoming(node, LinkType.RETURN, "conductance")
    return conductance


class Lanes:
    """Makes lanes of one chain, between leads of one lattice constant."""

    def __init__(
        self,
        codes: Mapping[str, orm.InstalledCode],
        upf: Callable[..., UpfData],
        finished_pw: Callable[..., orm.RemoteData],
        supercells: Sequence[int] = (2,),
    ) -> None:
        self.codes, self.upf, self.finished_pw = codes, upf, finished_pw
        constant = next(LATTICES)
        lattices = {supercell_name(n): Fcc111(constant, n) for n in supercells}
        self.lattices = {
            name: orm.Dict({"lattice_constant": constant, "supercell": lattice.supercell, **LAYERS}).store()
            for name, lattice in lattices.items()
        }
        computer = codes["pw"].computer
        self.leads = {name: finished_pw(*lattice.lead(), computer=computer) for name, lattice in lattices.items()}
        potential = {"layer_potential_ev": [-7.0, -7.0]}
        self.readbacks = {name: orm.Dict(potential).store() for name in lattices}
        self.cell = next(iter(lattices.values())).lead()[0]
        # the gap begins a layer behind each apex
        spacing = constant / np.sqrt(3)
        self.geometry = orm.Dict({"lower_apex": spacing, "upper_apex": GAP - spacing})

    def fill(
        self,
        *contacts: np.ndarray,
        supercells: Sequence[int] | None = None,
        indices: Sequence[int] | None = None,
        changes: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
        snapshots: orm.TrajectoryData | None = None,
        **inputs: Any,
    ) -> Any:
        """Return the inputs of a lane of these contacts, each a snapshot."""
        values = load_protocol("demo", changes or {}, workflow="transmission")
        builder = LaneWorkChain.get_builder()
        fill_scf(builder.scf, self.codes["pw"], values["scf"])
        builder.scf.pw.pseudos = {"Ag": self.upf(1)}
        fill_pwcond(builder.pwcond, self.codes["pwcond"], values["pwcond"], self.cell)
        fill_readback(builder.readback, self.codes["pp"], values["readback"])
        builder.snapshots = snapshots_of(*contacts, supercells=supercells) if snapshots is None else snapshots
        builder.indices = list(range(len(contacts)) if indices is None else indices)
        builder.geometry, builder.lattices = self.geometry, self.lattices
        builder.leads, builder.lead_readbacks = self.leads, self.readbacks
        builder.labels = dict(LABELS if labels is None else labels)
        for name, value in inputs.items():
            builder[name] = value
        return builder

    def __call__(self, *contacts: np.ndarray, **inputs: Any) -> LaneWorkChain:
        """Return a lane whose scattering regions are made."""
        lane = instantiate_process(get_manager().get_runner(), self.fill(*contacts, **inputs))
        with lane._process_scope():
            lane.assemble()
        return lane


class Submissions:
    """Stands in the place of a lane's runner: stores what is submitted, and lets it end as wanted.

    Parameters
    ----------
    lane
        The lane.
    outcomes
        By call link label: an exit status, ``"killed"`` or ``"excepted"``; 0 by default, with a conductance.
    """

    def __init__(self, lane: LaneWorkChain, outcomes: Mapping[str, int | str] | None = None) -> None:
        self.outcomes, self.nodes = outcomes or {}, {}
        self.runner, lane._runner = lane._runner, self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)

    def submit(self, process: type[Process], inputs: Any = None, **kwargs: Any) -> orm.ProcessNode:
        """Store a child of the process that runs now."""
        node = born(process, Process.current(), **{**(inputs or {}), **kwargs})
        label = node.base.links.get_incoming(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK)).one().link_label
        outcome = self.outcomes.get(label, 0)
        if isinstance(outcome, str):
            ended(node, None, outcome)
        else:
            ended(node, outcome)
        if outcome == 0:
            computed(node)
        self.nodes[label] = node
        return node


def run(lane: LaneWorkChain) -> None:
    """Take the steps of a lane as its outline has them."""
    with lane._process_scope():
        while lane.snapshots_left():
            awaited = lane.run_snapshot()
            if awaited is not None:
                lane.ctx.update(awaited)
            lane.inspect_snapshot()
        lane.hand_out()
