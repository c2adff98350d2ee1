"""The chain: two tips, a voltage, and the conductance of every snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.data.conductance import ConductanceData, validate_labels
from aiida_rewire.data.trace import TraceData
from aiida_rewire.database.lock import alone
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.dynamics import DYNAMICS_INPUTS, DynamicsWorkChain, fill_dynamics, plain
from aiida_rewire.workflows.earlier import earlier_results
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.filling import fill_pwcond, fill_readback, fill_scf
from aiida_rewire.workflows.functions.results import collect_trace, snapshot_name
from aiida_rewire.workflows.functions.structures import SYMBOL, build_lead, supercell_name, with_supercell
from aiida_rewire.workflows.lane import LaneWorkChain
from aiida_rewire.workflows.outcome import conductances_of, reasons_of
from aiida_rewire.workflows.protocols import check_protocol, load_protocol
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, find_running_scf, find_scf, for_region
from aiida_rewire.workflows.reuse import leads_there
from aiida_rewire.workflows.transmission import find_readback, readback_inputs

CHECKED_INPUTS = (*DYNAMICS_INPUTS, "snapshot_interval_ps", "lanes")

LONGEST_WAIT_S = 10.0
"""For another chain that is submitting its lead."""

EARLIER = ("tips", "geometry", "results", "snapshots")
"""What a chain takes over of an earlier attempt's dynamics; without all of it the dynamics runs again."""


def validate_inputs(inputs: dict[str, Any], _: object) -> str | None:
    """Refuse what the chain could not begin with."""
    try:
        check_protocol({name: plain(inputs[name]) for name in CHECKED_INPUTS})
    except InvalidInput as error:
        return str(error)
    earlier = sorted(set(inputs.get("earlier", {})) & {*EARLIER, "conductances"})
    if earlier and not set(EARLIER) <= set(earlier):
        return str(InvalidInput("earlier", ", ".join(earlier), f"with {', '.join(EARLIER)}", "give all, or none"))
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
            "reuse_leads",
            valid_type=orm.Bool,
            **to_node,
            default=lambda: orm.Bool(True),
            help="Take a finished SCF of the same lead, or wait for one that runs.",
        )
        spec.input_namespace("earlier", required=False, help="What an earlier attempt at this chain gave.")
        for name, kind in zip(EARLIER, (orm.StructureData, orm.Dict, orm.Dict, orm.TrajectoryData), strict=True):
            spec.input(f"earlier.{name}", valid_type=kind, required=False, help=f"Its {name}.")
        spec.input("earlier.bias", valid_type=orm.ArrayData, required=False, help="Its voltage and currents.")
        spec.input_namespace(
            "earlier.conductances", valid_type=ConductanceData, dynamic=True, help="By snapshot name; not run again."
        )
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
            exclude=("snapshots", "indices", "geometry", "lattices", "leads", "lead_readbacks", "labels"),
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.build,
            if_(cls.needs_dynamics)(cls.equilibrate, cls.produce, cls.extract),
            cls.widen,
            cls.replace_leads,
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
        return cls.get_builder_from_values(codes, potential, pseudo, values, protocol=protocol, labels=labels)

    @classmethod
    def get_builder_from_values(  # type: ignore[override]
        cls,
        codes: Mapping[str, AbstractCode],
        potential: LammpsPotentialData | None,
        pseudo: UpfData,
        values: Mapping[str, Any],
        *,
        protocol: str,
        labels: Mapping[str, Any] | None = None,
        label: str = "",
        earlier: Sequence[orm.WorkChainNode] = (),
    ) -> ProcessBuilder:
        """Return a builder filled in from values as a protocol holds them.

        Parameters
        ----------
        codes, potential, pseudo, labels
            As above.
        values
            As `load_protocol` returns them.
        protocol
            What the values are called.
        label
            Of the process: the campaign's and the chain's name.
        earlier
            Earlier attempts at this chain, the oldest first: what they finished is taken over, with links to them.
        """
        builder = cls.get_builder()
        fill_dynamics(builder, codes["md"], potential, values)
        builder.metadata.label = label
        builder.lanes = values["lanes"]
        builder.reuse_leads = values["reuse"]["leads"]
        builder.reuse_dynamics = values["reuse"]["dynamics"]
        builder.lane.reuse_contacts = values["reuse"]["contacts"]
        for name in ("one_job", "warm_start"):
            builder.lane[name] = values[name]
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
        if (taken := earlier_results(earlier)) is not None:
            builder.earlier = taken
        return builder

    def build(self) -> None:
        """Build tips and lead; the lead's SCF runs beside the dynamics."""
        if self.needs_dynamics():
            super().build()
        else:
            earlier = self.inputs.earlier
            self.ctx.geometry, self.ctx.snapshots = earlier.geometry, earlier.snapshots
            for name in ("tips", "results", "snapshots", "bias"):
                if name in earlier:
                    self.out(name, earlier[name])
        narrowest = supercell_name(self.inputs.junction["supercell"])
        self.ctx.lattices = {narrowest: self.inputs.junction}
        self.ctx.lead_folders, self.ctx.lead_pks, self.ctx.lead_structures = {}, {}, {}
        self.begin_lead(narrowest, "lead")

    def needs_dynamics(self) -> bool:
        """Whether no earlier attempt came to its snapshots."""
        return "snapshots" not in self.inputs.get("earlier", {})

    def begin_lead(self, name: str, label: str) -> None:
        """Build a lead, and let its SCF be found or begin."""
        structure = self.once(build_lead, f"build_{label}", self.ctx.lattices[name]).outputs.result
        self.ctx.lead_structures[name] = structure
        inputs = for_region(self.exposed_inputs(ExactPwBaseWorkChain, "lead"), structure)
        # chains that begin at the same moment in two workers would not see each other's lead
        with alone(f"lead-{structure.base.caching.compute_hash()}", LONGEST_WAIT_S):
            self.find_or_submit_lead(name, label, inputs)

    def find_or_submit_lead(self, name: str, label: str, inputs: AttributeDict) -> None:
        """Find the SCF of a lead, one that ran or one that runs, or submit it."""
        if self.child(label) is None and self.inputs.reuse_leads:
            folder = find_scf(inputs)
            if folder is not None:
                self.report(f"the lead {name} is there already: folder <{folder.pk}>")
                self.ctx.lead_folders[name] = folder
                return
            running = find_running_scf(inputs)
            if running is not None:
                self.report(f"the lead {name} is being computed by <{running.pk}>: waiting for it")
                self.ctx.lead_pks[name] = running.pk
                return
        inputs.metadata.call_link_label = label
        self.ctx.lead_pks[name] = self.submit(ExactPwBaseWorkChain, **inputs).pk

    def widen(self) -> ToContext:
        """Begin the wider leads that some snapshots need, and wait for all."""
        needed = set(self.ctx.snapshots.get_array("supercell").tolist()) - {0, self.inputs.junction["supercell"]}
        for supercell in sorted(needed):
            name = supercell_name(supercell)
            lattice = self.once(with_supercell, f"lattice_{name}", self.inputs.junction, orm.Int(supercell))
            self.ctx.lattices[name] = lattice.outputs.result
            self.begin_lead(name, f"lead_{name}")
        return ToContext(**{f"lead_{lead}": orm.load_node(pk) for lead, pk in self.ctx.lead_pks.items()})

    def replace_leads(self) -> ToContext:
        """Submit the leads that another chain was to compute and did not."""
        replaced = {}
        for name in self.ctx.lead_pks:
            lead = self.ctx[f"lead_{name}"]
            if lead.is_finished_ok or lead.caller == self.node:
                continue
            self.report(f"<{lead.pk}>, for which this chain waited, gave no lead {name}: computing it here")
            inputs = for_region(self.exposed_inputs(ExactPwBaseWorkChain, "lead"), self.ctx.lead_structures[name])
            inputs.metadata.call_link_label = f"lead_{name}_here"
            replaced[f"lead_{name}"] = self.submit(ExactPwBaseWorkChain, **inputs)
        return ToContext(**replaced)

    def read_leads_back(self) -> ToContext | ExitCode:
        """Let the density of each lead be read back, once for all snapshots."""
        code: ExitCode
        self.ctx.leads, self.ctx.lead_readbacks, running = {}, {}, {}
        for name in self.ctx.lattices:
            if name in self.ctx.lead_folders:
                folder = self.ctx.lead_folders[name]
            else:
                lead = self.ctx[f"lead_{name}"]
                if not lead.is_finished_ok:
                    code = self.exit_codes.ERROR_LEAD.format(reason=why_failed(lead))
                    return code
                folder = lead.outputs.remote_folder
            self.ctx.leads[name] = folder
            try:
                inputs = readback_inputs(self.exposed_inputs(LaneWorkChain, "lane").readback, folder, [folder])
            except InvalidInput as error:
                code = self.exit_codes.ERROR_LEAD.format(reason=error)
                return code
            found = find_readback(inputs)
            if found is None:
                inputs.metadata.call_link_label = f"readback_lead_{name}"
                running[f"readback_{name}"] = self.submit(ReadbackCalculation, **inputs)
            else:
                self.ctx.lead_readbacks[name] = found
        return ToContext(**running)

    def run_lanes(self) -> ToContext | ExitCode:
        """Deal the snapshots that are still to be computed out to the lanes, a contiguous block to each."""
        for name in self.ctx.lattices:
            if name in self.ctx.lead_readbacks:
                continue
            readback = self.ctx[f"readback_{name}"]
            if not readback.is_finished_ok:
                code: ExitCode = self.exit_codes.ERROR_LEAD.format(reason=why_failed(readback))
                return code
            self.ctx.lead_readbacks[name] = readback.outputs.results
        there = self.earlier_conductances()
        left = [index for index in range(self.ctx.snapshots.numsteps) if snapshot_name(index) not in there]
        blocks = np.array_split(np.array(left, dtype=int), self.inputs.lanes.value)
        lanes = {}
        for number, block in enumerate(block for block in blocks if len(block)):
            name = f"lane_{number}"
            inputs = self.exposed_inputs(LaneWorkChain, "lane")
            inputs |= {
                "snapshots": self.ctx.snapshots,
                "indices": block.tolist(),
                "geometry": self.ctx.geometry,
                "lattices": self.ctx.lattices,
                "leads": self.ctx.leads,
                "lead_readbacks": self.ctx.lead_readbacks,
                "labels": self.inputs.labels,
                "metadata": {"call_link_label": name, "label": self.label_of(name)},
            }
            lanes[name] = self.submit(LaneWorkChain, **inputs)
        self.ctx.lane_names = list(lanes)
        return ToContext(**lanes)

    def earlier_conductances(self) -> dict[str, ConductanceData]:
        """Return what earlier attempts computed, by snapshot name."""
        return dict(self.inputs.get("earlier", {}).get("conductances", {}))

    def collect(self) -> ExitCode | None:
        """Collect the conductances and the reasons for missing ones into the trace."""
        conductances = self.earlier_conductances()
        missing: dict[str, str] = {}
        for lane in (self.ctx[name] for name in self.ctx.lane_names):
            conductances |= conductances_of(lane)
            missing |= reasons_of(lane)
        missing = {name: reason for name, reason in missing.items() if name not in conductances}
        self.out("conductances", conductances)
        trace = self.once(
            collect_trace, "collect_trace", self.ctx.snapshots, self.inputs.labels, orm.Dict(missing), **conductances
        )
        self.out("trace", trace.outputs.result)
        if not missing:
            return None
        code: ExitCode = self.exit_codes.ERROR_SNAPSHOTS_MISSING.format(
            missing=len(missing), all=self.ctx.snapshots.numsteps
        )
        return code

    leads_there = staticmethod(leads_there)
