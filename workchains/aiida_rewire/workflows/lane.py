"""A contiguous block of snapshots, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessSpec, ToContext, WorkChain, while_
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

from aiida_rewire.calculations.junction import JunctionCalculation
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.workflows.failures import FIRST_OWN_EXIT_CODE, FIRST_RECOVERABLE_EXIT_CODE, why_failed
from aiida_rewire.workflows.functions.results import snapshot_name
from aiida_rewire.workflows.functions.structures import (
    ASSEMBLY,
    REFUSED,
    STRUCTURE,
    assemble_junctions,
    lattice_name,
)
from aiida_rewire.workflows.functions.transmission import reuse_conductance
from aiida_rewire.workflows.pausing import HoldsWhilePaused
from aiida_rewire.workflows.pw import region_parameters
from aiida_rewire.workflows.repeats import find_repeat, recipe_of_job
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain
from aiida_rewire.workflows.steps import RepeatableSteps

STEPS = "_steps"
"""End of the call link label of a snapshot that is computed in separate jobs."""

REUSED = "_reused"


class LaneWorkChain(HoldsWhilePaused, RepeatableSteps, WorkChain):
    """Compute the conductances of a block of snapshots in turn: the lane is the throttle.

    A snapshot is one job, from pw.x to pwcond.x. Where that job fails in a way that a restart may mend, the snapshot
    is computed in separate jobs, each with restarts of its own. A snapshot that fails ends its own branch; the lane
    goes on. It holds before its next snapshot while its campaign is paused.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline and outputs."""
        super().define(spec)
        # leads are given, and their folders and a neighbour's density may still be started from
        excluded = ("index", "lattice", "left_lead_folder", "reuse_leads", "clean_workdir")
        spec.expose_inputs(SnapshotConductanceWorkChain, exclude=excluded)
        spec.input_namespace(
            "lattices", valid_type=orm.Dict, dynamic=True, help="Flat layers by their supercell: n3, n4 and so on."
        )
        spec.input_namespace(
            "leads", valid_type=orm.RemoteData, dynamic=True, help="Folder of the lead's SCF for each of them."
        )
        spec.input_namespace(
            "lead_readbacks", valid_type=orm.Dict, dynamic=True, help="Results of the read-back for each of them."
        )
        spec.input("indices", valid_type=orm.List, serializer=orm.to_aiida_type, help="The snapshots of this lane.")
        flag = {"valid_type": orm.Bool, "serializer": orm.to_aiida_type}
        spec.input(
            "one_job",
            **flag,
            default=lambda: orm.Bool(True),
            help="Compute a snapshot in one job: for SCF and transmission that want the same cores.",
        )
        spec.input(
            "warm_start",
            **flag,
            default=lambda: orm.Bool(False),
            help="Start each SCF from the density of the snapshot before, where the cells are equal.",
        )
        spec.outline(cls.assemble, while_(cls.snapshots_left)(cls.run_snapshot, cls.inspect_snapshot), cls.hand_out)
        spec.output_namespace("conductances", valid_type=ConductanceData, dynamic=True, help="By snapshot name.")

    def assemble(self) -> None:
        """Make all scattering regions of the lane."""
        self.ctx.position, self.ctx.in_steps, self.ctx.before, self.ctx.refused = 0, False, None, {}
        self.ctx.conductances = {}
        if self.inputs.one_job:
            node = self.once(
                assemble_junctions,
                "assemble_junctions",
                self.inputs.snapshots,
                self.inputs.indices,
                self.inputs.geometry,
                **self.inputs.lattices,
            )
            self.ctx.assembled = node.pk
            self.ctx.refused = node.outputs[REFUSED].get_dict()
            self.ctx.parameters = []
        self.hold_if_paused()

    def snapshots_left(self) -> bool:
        """Whether snapshots are left."""
        return bool(self.ctx.position < len(self.inputs.indices))

    @property
    def index(self) -> int:
        """Number of the present snapshot."""
        return int(self.inputs.indices[self.ctx.position])

    def run_snapshot(self) -> ToContext | None:
        """Submit the present snapshot, or take over the conductance of an equal one."""
        self.ctx.snapshot = None
        if self.ctx.in_steps or not self.inputs.one_job:
            return ToContext(snapshot=self.submit_steps())
        if f"{self.index:04d}" in self.ctx.refused:
            return None
        inputs = self.job_inputs()
        # what this step, run before, has submitted may have ended meanwhile, and is no other contact
        if self.inputs.reuse_contacts and self.child(snapshot_name(self.index)) is None and self.take_over(inputs):
            return None
        return ToContext(snapshot=self.submit(JunctionCalculation, **inputs))

    def label(self, end: str = "") -> dict[str, str]:
        """Return the metadata by which a snapshot is found in the graph and among all processes."""
        name = snapshot_name(self.index)
        labels = self.inputs.labels.get_dict()
        parts = [labels.get("campaign", ""), labels.get("chain", ""), name]
        return {"call_link_label": f"{name}{end}", "label": "/".join(part for part in parts if part)}

    def submit_steps(self) -> orm.ProcessNode:
        """Submit the present snapshot in separate jobs."""
        inputs = self.exposed_inputs(SnapshotConductanceWorkChain)
        name = lattice_name(self.inputs.snapshots, self.index, self.inputs.lattices)
        inputs.lattice, inputs.left_lead_folder = self.inputs.lattices[name], self.inputs.leads[name]
        inputs.metadata |= self.label(STEPS)
        return self.submit(SnapshotConductanceWorkChain, index=orm.Int(self.index), **inputs)

    def job_inputs(self) -> AttributeDict:
        """Return the inputs of the present snapshot's job."""
        shared = self.inputs
        outputs = orm.load_node(self.ctx.assembled).outputs
        structure, assembly = (outputs[f"{start}{self.index:04d}"] for start in (STRUCTURE, ASSEMBLY))
        name = lattice_name(shared.snapshots, self.index, shared.lattices)
        scf, pwcond, options = shared.scf.pw, shared.pwcond.pwcond, options_of_job(shared)
        inputs = AttributeDict(
            {
                "code": scf.code,
                "pp_code": shared.readback.code,
                "pwcond_code": pwcond.code,
                "structure": structure,
                "parameters": self.parameters(structure),
                "kpoints": self.kpoints(name, structure),
                "pseudos": scf.pseudos,
                "left_lead": shared.leads[name],
                "lead_readback": shared.lead_readbacks[name],
                "pwcond": {key: pwcond[key] for key in ("parameters", "kpoints", "energies", "unitarity_tolerance")},
                "potential_tolerance": shared.potential_tolerance,
                "snapshots": shared.snapshots,
                "assembly": assembly,
                "labels": shared.labels,
                "metadata": {**self.label(), "options": options},
            }
        )
        if self.inputs.warm_start and self.ctx.before is not None:
            before = orm.load_node(self.ctx.before)
            if before.inputs.structure.cell == structure.cell:
                inputs.density_folder = before.outputs.remote_folder
        return inputs

    def parameters(self, structure: orm.StructureData) -> orm.Dict:
        """Return the parameters of pw.x; one node for all junctions that differ in positions alone."""
        scf = self.inputs.scf.pw
        values = region_parameters(scf.parameters.get_dict(), structure, scf.pseudos)
        for pk in self.ctx.parameters:
            known: orm.Dict = orm.load_node(pk)
            if known.get_dict() == values:
                return known
        node = orm.Dict(values).store()
        self.ctx.parameters.append(node.pk)
        return node

    def kpoints(self, lattice: str, structure: orm.StructureData) -> orm.KpointsData:
        """Return the mesh of the SCF; one for all junctions of a width, whose cells are equal."""
        scf = self.inputs.scf
        if "kpoints" in scf:
            return scf.kpoints
        parity = scf.get("kpoints_force_parity", orm.Bool(False))
        node = self.once(create_kpoints_from_distance, f"kpoints_{lattice}", structure, scf.kpoints_distance, parity)
        return node.outputs.result

    def take_over(self, inputs: AttributeDict) -> bool:
        """Take over the conductance of the same contact, computed in the same way, if there is one."""
        name = lattice_name(self.inputs.snapshots, self.index, self.inputs.lattices)
        found = find_repeat(
            inputs.structure, self.inputs.lattices[name], inputs.assembly["fingerprint"], recipe_of_job(inputs)
        )
        if found is None:
            return False
        conductance, distance = found
        self.report(f"{snapshot_name(self.index)} is the contact of <{conductance.pk}>, at most {distance:.4f} Å off")
        node = self.once(
            reuse_conductance,
            f"{snapshot_name(self.index)}{REUSED}",
            conductance,
            self.inputs.labels,
            orm.Float(distance),
            self.inputs.snapshots,
            orm.Int(self.index),
            inputs.assembly,
        )
        self.ctx.conductances[snapshot_name(self.index)] = node.outputs.result.pk
        return True

    def inspect_snapshot(self) -> None:
        """Keep the conductance, compute it in separate jobs, or report why there is none."""
        snapshot: orm.ProcessNode | None = self.ctx.snapshot
        name = snapshot_name(self.index)
        self.ctx.in_steps = isinstance(snapshot, orm.CalcJobNode) and may_be_mended(snapshot)
        if snapshot is None:
            refused = self.ctx.refused.get(f"{self.index:04d}")
            if refused:
                self.report(f"{name} has no conductance: {refused[1]}")
        elif snapshot.is_finished_ok:
            self.ctx.conductances[name] = snapshot.outputs.conductance.pk
            if isinstance(snapshot, orm.CalcJobNode):
                self.ctx.before = snapshot.pk
        else:
            outcome = ", in separate jobs" if self.ctx.in_steps else " has no conductance"
            self.report(f"{name}{outcome}: {why_failed(snapshot)}")
        if not self.ctx.in_steps:
            self.ctx.position += 1
        if self.snapshots_left():
            self.hold_if_paused()

    def hand_out(self) -> None:
        """Return the conductances; before the end each change of state would look through all of them."""
        for name, pk in self.ctx.conductances.items():
            self.out(f"conductances.{name}", orm.load_node(pk))


def may_be_mended(job: orm.CalcJobNode) -> bool:
    """Whether restarts, other numerics or a second try may give what a job did not; never what somebody killed."""
    if job.is_killed or job.is_finished_ok:
        return False
    if job.is_excepted:
        return True
    return not FIRST_OWN_EXIT_CODE <= int(job.exit_status) < FIRST_RECOVERABLE_EXIT_CODE


def options_of_job(inputs: Any) -> dict[str, Any]:
    """Return the options of a snapshot's job, those of the SCF; parsers and files are its own."""
    of_scf = inputs.scf.pw.metadata.options
    left_out = ("parser_name", "input_filename", "output_filename")
    shards = min(inputs.pwcond.max_shards.value, cores_of_machine(of_scf))
    return {**{name: value for name, value in of_scf.items() if name not in left_out}, "shards": shards}


def cores_of_machine(options: Mapping[str, Any]) -> int:
    """Return on how many cores of one machine a job runs."""
    resources = options["resources"]
    machines = resources.get("num_machines", 1)
    return int(resources.get("num_mpiprocs_per_machine") or resources.get("tot_num_mpiprocs", 1) // machines or 1)
