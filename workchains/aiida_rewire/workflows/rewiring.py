"""The chain: two tips, a voltage, and the conductance of every snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.data.conductance import ConductanceData, validate_labels
from aiida_rewire.data.trace import TraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.dynamics import DYNAMICS_INPUTS, DynamicsWorkChain, fill_dynamics, plain
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.filling import fill_pwcond, fill_readback, fill_scf
from aiida_rewire.workflows.functions.results import collect_trace, snapshot_name
from aiida_rewire.workflows.functions.structures import SYMBOL, build_lead, with_supercell
from aiida_rewire.workflows.lane import LaneWorkChain, supercell_name
from aiida_rewire.workflows.protocols import check_protocol, load_protocol
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, for_region
from aiida_rewire.workflows.transmission import find_readback, readback_inputs

CHECKED_INPUTS = (*DYNAMICS_INPUTS, "snapshot_interval_ps", "lanes")


def validate_inputs(inputs: dict[str, Any], _: object) -> str | None:
    """Refuse what the chain could not begin with."""
    try:
        check_protocol({name: plain(inputs[name]) for name in CHECKED_INPUTS})
    except InvalidInput as error:
        return str(error)
    return None


class RewiringWorkChain(DynamicsWorkChain):
    """Tips -> equilibration -> production under a voltage -> snapshots -> conductances -> trace."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        to_node = {"serializer": orm.to_aiida_type}
        spec.input("lanes", valid_type=orm.Int, **to_node, help="Snapshots computed at a time.")
        spec.input(
            "labels",
            valid_type=orm.Dict,
            validator=validate_labels,
            **to_node,
            help="What conductances are found by.",
        )
        spec.expose_inputs(ExactPwBaseWorkChain, namespace="lead", exclude=("pw.structure",))
        spec.expose_inputs(
            LaneWorkChain,
            namespace="lane",
            exclude=("snapshots", "indices", "geometry", "lattices", "leads", "labels"),
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.build,
            cls.equilibrate,
            cls.produce,
            cls.extract,
            cls.widen,
            cls.read_leads_back,
            cls.run_lanes,
            cls.collect,
        )
        spec.output_namespace("conductances", valid_type=ConductanceData, dynamic=True, help="By snapshot name.")
        spec.output("trace", valid_type=TraceData, help="Conductance against time.")
        spec.exit_code(313, "ERROR_LEAD", message="The SCF of the lead failed: {reason}")
        spec.exit_code(
            500,
            "ERROR_SNAPSHOTS_MISSING",
            message="{missing} of {all} snapshots have no conductance; see the trace.",
        )

    @classmethod
    def get_builder_from_protocol(  # type: ignore[override]
        cls,
        codes: Mapping[str, AbstractCode],
        potential: LammpsPotentialData | None,
        pseudo: UpfData,
        *,
        protocol: str = "demo",
        overrides: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder filled in from a protocol.

        Parameters
        ----------
        codes
            ``md`` (as in :class:`DynamicsWorkChain`), ``pw``, ``pp`` and ``pwcond``.
        potential, pseudo
            ReaxFF parameters (None: the project's) and the pseudopotential of silver.
        protocol, overrides
            A protocol by name, and values that replace its own, key by key.
        labels
            What people filter conductances by: campaign, chain, pseudo_family.

        Raises
        ------
        InvalidInput
            If the protocol or a key of the overrides is unknown.
        """
        values = load_protocol(protocol, overrides or {}, workflow="chain")
        builder = cls.get_builder()
        fill_dynamics(builder, codes["md"], potential, values)
        builder.lanes = values["lanes"]
        production = values["production"]
        builder.labels = {
            "campaign": "",
            "chain": "",
            "pseudo_family": "",
            **(labels or {}),
            "protocol": protocol,
            "seed": production["seed"],
            "voltage_v": production["voltage_v"],
        }
        for namespace, region in ((builder.lead, "lead"), (builder.lane.scf, "scf")):
            fill_scf(namespace, codes["pw"], values[region])
            namespace.pw.pseudos = {SYMBOL: pseudo}
        lattice = Fcc111(values["junction"]["lattice_constant"], values["junction"]["supercell"])
        fill_pwcond(builder.lane.pwcond, codes["pwcond"], values["pwcond"], lattice.lead()[0])
        fill_readback(builder.lane.readback, codes["pp"], values["readback"])
        builder.lane.potential_tolerance = float(values["readback"]["potential_tolerance_ev"])
        return builder

    def build(self) -> None:
        """Build tips and lead; start the lead's SCF, which runs beside the dynamics."""
        super().build()
        name = supercell_name(self.inputs.junction["supercell"])
        self.ctx.lattices = {name: self.inputs.junction}
        self.ctx.lead_pks = {name: self._submit_lead(self.inputs.junction, "lead").pk}

    def _submit_lead(self, lattice: orm.Dict, label: str) -> orm.WorkChainNode:
        inputs = for_region(self.exposed_inputs(ExactPwBaseWorkChain, "lead"), build_lead(lattice))
        inputs.metadata.call_link_label = label
        return self.submit(ExactPwBaseWorkChain, **inputs)

    def widen(self) -> ToContext:
        """Submit the wider leads that some snapshots need, and wait for all."""
        needed = set(self.ctx.snapshots.get_array("supercell").tolist()) - {0, self.inputs.junction["supercell"]}
        for supercell in sorted(needed):
            name = supercell_name(supercell)
            self.ctx.lattices[name] = with_supercell(self.inputs.junction, orm.Int(supercell))
            self.ctx.lead_pks[name] = self._submit_lead(self.ctx.lattices[name], f"lead_{name}").pk
        return ToContext(**{f"lead_{name}": orm.load_node(pk) for name, pk in self.ctx.lead_pks.items()})

    def read_leads_back(self) -> ToContext | ExitCode:
        """Let the density of each lead be read back, once for all snapshots."""
        self.ctx.leads, running = {}, {}
        for name in self.ctx.lattices:
            lead = self.ctx[f"lead_{name}"]
            if not lead.is_finished_ok:
                failed: ExitCode = self.exit_codes.ERROR_LEAD.format(reason=why_failed(lead))
                return failed
            folder = self.ctx.leads[name] = lead.outputs.remote_folder
            try:
                inputs = readback_inputs(self.exposed_inputs(LaneWorkChain, "lane").readback, folder, [folder])
            except InvalidInput as error:
                code: ExitCode = self.exit_codes.ERROR_LEAD.format(reason=error)
                return code
            if find_readback(inputs) is None:
                inputs.metadata.call_link_label = f"readback_lead_{name}"
                running[f"readback_{name}"] = self.submit(ReadbackCalculation, **inputs)
        self.ctx.readbacks = list(running)
        return ToContext(**running)

    def run_lanes(self) -> ToContext | ExitCode:
        """Deal the snapshots out to the lanes, a contiguous block to each."""
        for name in self.ctx.readbacks:
            if not self.ctx[name].is_finished_ok:
                code: ExitCode = self.exit_codes.ERROR_LEAD.format(reason=why_failed(self.ctx[name]))
                return code
        blocks = np.array_split(np.arange(self.ctx.snapshots.numsteps), self.inputs.lanes.value)
        lanes = {}
        for number, block in enumerate(block for block in blocks if len(block)):
            inputs = self.exposed_inputs(LaneWorkChain, "lane")
            inputs |= {
                "snapshots": self.ctx.snapshots,
                "indices": block.tolist(),
                "geometry": self.ctx.geometry,
                "lattices": self.ctx.lattices,
                "leads": self.ctx.leads,
                "labels": self.inputs.labels,
                "metadata": {"call_link_label": f"lane_{number}"},
            }
            lanes[f"lane_{number}"] = self.submit(LaneWorkChain, **inputs)
        self.ctx.lane_names = list(lanes)
        return ToContext(**lanes)

    def collect(self) -> ExitCode | None:
        """Collect the conductances and the reasons for missing ones into the trace."""
        conductances, missing = {}, {}
        for lane in (self.ctx[name] for name in self.ctx.lane_names):
            for index in lane.inputs.indices.get_list():
                missing[snapshot_name(index)] = f"its lane ended early: {why_failed(lane)}"
            for link in lane.base.links.get_outgoing(node_class=orm.WorkChainNode).all():
                snapshot = link.node
                if snapshot.is_finished_ok:
                    conductances[link.link_label] = snapshot.outputs.conductance
                else:
                    missing[link.link_label] = why_failed(snapshot)
        missing = {name: reason for name, reason in missing.items() if name not in conductances}
        self.out("conductances", conductances)
        self.out("trace", collect_trace(self.ctx.snapshots, self.inputs.labels, orm.Dict(missing), **conductances))
        if not missing:
            return None
        code: ExitCode = self.exit_codes.ERROR_SNAPSHOTS_MISSING.format(
            missing=len(missing), all=self.ctx.snapshots.numsteps
        )
        return code
