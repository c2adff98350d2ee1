"""From the structures of leads and junction to its conductance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.orm import AbstractCode
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.parents import parent_run
from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.data.conductance import ConductanceData, validate_labels
from aiida_rewire.data.labels import mismatch_at_ends
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.filling import fill_pwcond, fill_readback, fill_scf
from aiida_rewire.workflows.functions.transmission import store_conductance
from aiida_rewire.workflows.launching import LaunchedFromProtocol
from aiida_rewire.workflows.protocols import load_protocol
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, content_of, find_scf, for_region
from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain
from aiida_rewire.workflows.regions import refuse_structures
from aiida_rewire.workflows.steps import RepeatableSteps

REGIONS = ("left_lead", "junction", "right_lead")


def validate_inputs(inputs: dict[str, Any], _: object) -> str | None:
    """Ask for a structure or a folder of each region, and for structures that can be joined."""
    for region in REGIONS:
        given = [name for name in (region, f"{region}_folder") if name in inputs]
        if len(given) > 1:
            bound = f"{region} or {region}_folder"
            return str(InvalidInput(region, "a structure and a folder", bound, "give one"))
        if not given and region != "right_lead":
            return str(InvalidInput(region, "missing", f"given, or {region}_folder", "give one"))
    structures = {region: inputs[region] for region in REGIONS if region in inputs}
    for region in structures:
        namespace = "scf" if region == "junction" else "lead_scf"
        if "pw" not in inputs.get(namespace, {}):
            return str(InvalidInput(namespace, "missing", f"given with {region}", "fill it, or give the folder"))
    pseudos: dict[str, UpfData] = {}
    for namespace in ("lead_scf", "scf"):
        pseudos |= inputs.get(namespace, {}).get("pw", {}).get("pseudos", {})
    return refuse_structures(structures, pseudos)


def validate_potential_tolerance(node: orm.Float | None, _: object) -> str | None:
    """Ask for a positive energy."""
    if node is not None and not 0 < node.value < float("inf"):
        return str(InvalidInput("potential_tolerance", f"{node.value} eV", "above 0 eV", "0.03 eV is usual"))
    return None


class TransmissionWorkChain(RepeatableSteps, LaunchedFromProtocol, WorkChain):
    """SCF of lead and junction, pwcond.x, and the conductance that passed every gate.

    A lead is computed once: an SCF of the same content is found again. Every SCF's density is read back and
    compared with what was written before pwcond.x may use it.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        for region, what in zip(REGIONS, ("left lead", "scattering region", "right lead"), strict=True):
            only = ", where it differs from the left one" if region == "right_lead" else ""
            spec.input(
                region,
                valid_type=orm.StructureData,
                required=False,
                help=f"The {what}{only}: a layer at z = 0, the current along z.",
            )
            spec.input(
                f"{region}_folder",
                valid_type=orm.RemoteData,
                required=False,
                help=f"Folder of a finished SCF of the {what}, instead of its structure.",
            )
        spec.expose_inputs(
            ExactPwBaseWorkChain,
            namespace="lead_scf",
            exclude=("pw.structure",),
            namespace_options={"required": False, "populate_defaults": False, "help": "SCF of the leads."},
        )
        spec.expose_inputs(
            ExactPwBaseWorkChain,
            namespace="scf",
            exclude=("pw.structure",),
            namespace_options={"required": False, "populate_defaults": False, "help": "SCF of the junction."},
        )
        spec.expose_inputs(
            PwcondBaseWorkChain,
            namespace="pwcond",
            exclude=[f"pwcond.{name}" for name in (*REGIONS, "whole")],
        )
        spec.expose_inputs(ReadbackCalculation, namespace="readback", exclude=("parent_folder", "thickness"))
        spec.input(
            "labels",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_labels,
            default=lambda: orm.Dict({}),
            help="What the conductance is found by.",
        )
        spec.input(
            "potential_tolerance",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_potential_tolerance,
            default=lambda: orm.Float(0.03),
            help="Largest difference of V - E_F between lead and junction at a boundary to accept, eV.",
        )
        spec.input(
            "reuse_leads",
            valid_type=orm.Bool,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Bool(True),
            help="Take a finished SCF of the same lead, if the database has one whose files are still there.",
        )
        spec.input(
            "clean_workdir",
            valid_type=orm.Bool,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Bool(False),
            help="Once the conductance is stored, delete the scratch of all but the leads, which others reuse.",
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.run_scf, cls.read_back, cls.run_pwcond, cls.store)
        spec.output("conductance", valid_type=ConductanceData, required=False, help="The conductance.")
        spec.exit_code(310, "ERROR_SCF", message="The SCF of the {region} failed: {reason}")
        spec.exit_code(320, "ERROR_PWCOND", message="pwcond.x gave no transmission: {reason}")
        spec.exit_code(
            331,
            "ERROR_POTENTIAL_MISMATCH",
            message="V - E_F of lead and junction differ by {mismatch:.3f} eV at a boundary, above {tolerance:g} eV: "
            "add flat layers, or k-points to the SCF of the one that has too few.",
        )
        spec.exit_code(330, "ERROR_READBACK", message="The density of the {region} may not be used: {reason}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, AbstractCode],
        pseudos: Mapping[str, UpfData],
        left_lead: orm.StructureData,
        junction: orm.StructureData,
        right_lead: orm.StructureData | None = None,
        *,
        protocol: str = "moderate",
        overrides: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder filled in from a protocol.

        Parameters
        ----------
        codes
            ``pw``, ``pp`` and ``pwcond``, on one computer.
        pseudos
            By element.
        left_lead, junction, right_lead
            Structures; without a right lead both are alike.
        protocol, overrides
            ``demo``, ``moderate`` or ``paper``, and values that replace its own, key by key.
        labels
            What people filter conductances by.

        Raises
        ------
        InvalidInput
            If the protocol or a key of the overrides is unknown.
        """
        values = load_protocol(protocol, overrides or {}, workflow="transmission")
        builder = cls.get_builder()
        builder.left_lead, builder.junction = left_lead, junction
        if right_lead is not None:
            builder.right_lead = right_lead
        builder.labels = {"protocol": protocol, **(labels or {})}
        kinds = {
            "lead_scf": left_lead.kinds + (right_lead.kinds if right_lead is not None else []),
            "scf": junction.kinds,
        }
        for namespace, atoms in kinds.items():
            fill_scf(builder[namespace], codes["pw"], values["lead" if namespace == "lead_scf" else namespace])
            builder[namespace].pw.pseudos = {kind.name: pseudos[kind.symbol] for kind in atoms}
        fill_pwcond(builder.pwcond, codes["pwcond"], values["pwcond"], np.array(left_lead.cell))
        fill_readback(builder.readback, codes["pp"], values["readback"])
        builder.potential_tolerance = float(values["readback"]["potential_tolerance_ev"])
        return builder

    def run_scf(self) -> ToContext:
        """Find or submit the SCF of each region."""
        self.ctx.folders, running = {}, {}
        submitted: list[tuple[dict[str, Any], orm.WorkChainNode]] = []
        for region in REGIONS:
            if f"{region}_folder" in self.inputs:
                self.ctx.folders[region] = self.inputs[f"{region}_folder"]
            elif (structure := self.structure_of(region)) is not None:
                lead = region != "junction"
                inputs = for_region(
                    self.exposed_inputs(ExactPwBaseWorkChain, "lead_scf" if lead else "scf"), structure
                )
                # the pseudopotentials of both leads may be given together
                kinds = {kind.name for kind in structure.kinds}
                inputs.pw.pseudos = {kind: inputs.pw.pseudos[kind] for kind in kinds}
                found = find_scf(inputs) if lead and self.inputs.reuse_leads else None
                if found is not None:
                    self.report(f"the {region} is there already: folder {found.pk}")
                    self.ctx.folders[region] = found
                    continue
                same = [node for content, node in submitted if content == content_of(inputs)]
                if not same:
                    inputs.metadata.call_link_label = f"scf_{region}"
                    same = [self.submit(ExactPwBaseWorkChain, **inputs)]
                    submitted.append((content_of(inputs), same[0]))
                running[f"scf_{region}"] = same[0]
        return ToContext(**running)

    def structure_of(self, region: str) -> orm.StructureData | None:
        """Return the structure of a region, if it has one of its own."""
        return self.inputs.get(region)

    def read_back(self) -> ToContext | ExitCode:
        """Let the density of every SCF be read back."""
        for region in REGIONS:
            scf = self.ctx.get(f"scf_{region}")
            if scf is None:
                continue
            if not scf.is_finished_ok:
                code: ExitCode = self.exit_codes.ERROR_SCF.format(region=region, reason=why_failed(scf))
                return code
            self.ctx.folders[region] = scf.outputs.remote_folder
        self.ctx.readback, running = {}, {}
        submitted: dict[str, orm.CalcJobNode] = {}
        try:
            for region, folder in self.ctx.folders.items():
                inputs = self.exposed_inputs(ReadbackCalculation, "readback")
                leads = [self.ctx.folders[lead] for lead in ("left_lead", "right_lead") if lead in self.ctx.folders]
                inputs = readback_inputs(inputs, folder, leads)
                found = find_readback(inputs)
                if found is not None:
                    self.ctx.readback[region] = found
                    continue
                if folder.uuid not in submitted:
                    inputs.metadata.call_link_label = f"readback_{region}"
                    submitted[folder.uuid] = self.submit(ReadbackCalculation, **inputs)
                running[f"readback_{region}"] = submitted[folder.uuid]
        except InvalidInput as error:
            failed: ExitCode = self.exit_codes.ERROR_READBACK.format(region=region, reason=error)
            return failed
        return ToContext(**running)

    def run_pwcond(self) -> ToContext | ExitCode:
        """Submit pwcond.x on densities that are read as they were written."""
        for region in self.ctx.folders:
            job = self.ctx.get(f"readback_{region}")
            if job is None:
                continue
            if not job.is_finished_ok:
                code: ExitCode = self.exit_codes.ERROR_READBACK.format(region=region, reason=why_failed(job))
                return code
            self.ctx.readback[region] = job.outputs.results
        mismatch, tolerance = mismatch_at_ends(**self.ctx.readback), self.inputs.potential_tolerance.value
        if not mismatch <= tolerance:
            refused: ExitCode = self.exit_codes.ERROR_POTENTIAL_MISMATCH.format(
                mismatch=mismatch, tolerance=tolerance
            )
            return refused
        inputs = self.exposed_inputs(PwcondBaseWorkChain, "pwcond")
        inputs.pwcond.update(self.ctx.folders)
        inputs.metadata.call_link_label = "pwcond"
        return ToContext(pwcond=self.submit(PwcondBaseWorkChain, **inputs))

    def store(self) -> ExitCode | None:
        """Store the conductance."""
        if not self.ctx.pwcond.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_PWCOND.format(reason=why_failed(self.ctx.pwcond))
            return code
        stored = self.once(
            store_conductance,
            "store_conductance",
            self.ctx.pwcond.outputs.transmission,
            self.inputs.labels,
            **self.ctx.readback,
            **self.origin(),
        )
        self.out("conductance", stored.outputs.result)
        if self.inputs.clean_workdir:
            self.clean()
        return None

    def origin(self) -> dict[str, orm.Data]:
        """Return what else the labels of the conductance come from."""
        return {}

    def clean(self) -> None:
        """Delete the scratch of this work chain's jobs, but that of leads, from which others may still start."""
        leads = {folder.uuid for region, folder in self.ctx.folders.items() if region != "junction"}
        for job in self.node.called_descendants:
            if not isinstance(job, orm.CalcJobNode) or "remote_folder" not in job.outputs:
                continue
            if job.outputs.remote_folder.uuid not in leads:
                try:
                    job.outputs.remote_folder._clean()
                except OSError as error:
                    self.report(f"the scratch of {job.pk} could not be deleted: {error}")


def readback_inputs(inputs: AttributeDict, folder: orm.RemoteData, leads: list[orm.RemoteData]) -> AttributeDict:
    """Complete the inputs of a read-back: the folder of an SCF, and the thickness of the leads' first layer.

    The thinner one where they differ: what is compared at either end is equally thick in lead and junction.

    Raises
    ------
    InvalidInput
        If a folder is not that of a good SCF.
    """
    inputs.parent_folder = folder
    parent_run("parent_folder", folder)
    runs = [parent_run("lead", lead) for lead in leads]
    inputs.thickness = orm.Float(min(ReadbackCalculation.thickness_of(run) for run in runs))
    return inputs


def find_readback(inputs: AttributeDict) -> orm.Dict | None:
    """Return the results of a good read-back of the same folder over the same thickness, if there is one."""
    query = orm.QueryBuilder().append(orm.RemoteData, filters={"uuid": inputs.parent_folder.uuid}, tag="folder")
    good = {"attributes.exit_status": 0, "attributes.process_state": "finished"}
    query.append(ReadbackCalculation, with_incoming="folder", filters=good, tag="job")
    for job in query.all(flat=True):
        if isinstance(job, orm.CalcJobNode) and abs(job.inputs.thickness.value - inputs.thickness.value) < 1e-9:
            results: orm.Dict = job.outputs.results
            return results
    return None
