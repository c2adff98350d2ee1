"""The conductance of one snapshot."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain

from aiida_rewire.calculations.pwcond import validate_energies
from aiida_rewire.data.conductance import ConductanceData, validate_labels
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.functions.results import store_conductance
from aiida_rewire.workflows.functions.structures import EXIT_OVERLAP, EXIT_TOO_NARROW, assemble_junction
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, region_parameters
from aiida_rewire.workflows.pwcond import PwcondBaseWorkChain


def validate_fermi_energy(node: orm.List | None, ports: object) -> str | None:
    """Ask for the Fermi energy among the energies: the conductance is the transmission there."""
    refusal = validate_energies(node, ports)
    if refusal is None and node is not None and 0.0 not in node.get_list():
        return str(InvalidInput("energies", node.get_list(), "with 0.0, the Fermi energy, among them", "add it"))
    return refusal


class SnapshotConductanceWorkChain(WorkChain):
    """Assemble the junction of a snapshot, run its SCF and pwcond.x, store its conductance."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input("snapshots", valid_type=orm.TrajectoryData, help="All snapshots of the chain.")
        spec.input("index", valid_type=orm.Int, serializer=orm.to_aiida_type, help="Which of them.")
        spec.input("geometry", valid_type=orm.Dict, help="Heights of the tips' apexes, Å.")
        spec.input("junction", valid_type=orm.Dict, help="lattice_constant, supercell, lower_layers, upper_layers.")
        spec.input("lead", valid_type=orm.RemoteData, help="Folder of the SCF of the lead.")
        spec.input(
            "labels",
            valid_type=orm.Dict,
            validator=validate_labels,
            help="What the conductance is found by.",
        )
        spec.expose_inputs(ExactPwBaseWorkChain, namespace="scf", exclude=("pw.structure",))
        spec.expose_inputs(PwcondBaseWorkChain, namespace="pwcond", exclude=("pwcond.left_lead", "pwcond.junction"))
        spec.inputs["pwcond"]["pwcond"]["energies"].validator = validate_fermi_energy
        spec.outline(cls.assemble, cls.run_scf, cls.run_pwcond, cls.store)
        spec.output("structure", valid_type=orm.StructureData, required=False, help="The scattering region.")
        spec.output("assembly", valid_type=orm.Dict, required=False, help="What was done to the atoms in the gap.")
        spec.output("conductance", valid_type=ConductanceData, required=False, help="The conductance.")
        spec.exit_code(EXIT_OVERLAP, "ERROR_ATOMS_OVERLAP", message="An atom lies on another: {reason}")
        spec.exit_code(EXIT_TOO_NARROW, "ERROR_CELL_TOO_NARROW", message="The contact meets its image: {reason}")
        spec.exit_code(310, "ERROR_SCF", message="The SCF of the junction failed: {reason}")
        spec.exit_code(320, "ERROR_PWCOND", message="pwcond.x gave no transmission: {reason}")

    def assemble(self) -> ExitCode | None:
        """Make the scattering region."""
        region, node = assemble_junction.run_get_node(
            self.inputs.snapshots, self.inputs.index, self.inputs.geometry, self.inputs.junction
        )
        if not node.is_finished_ok:
            return ExitCode(node.exit_status, node.exit_message)
        self.ctx.structure = region["structure"]
        self.out("structure", region["structure"])
        self.out("assembly", region["assembly"])
        return None

    def run_scf(self) -> ToContext:
        """Submit the SCF, its FFT grids set."""
        inputs = self.exposed_inputs(ExactPwBaseWorkChain, "scf")
        inputs.pw.structure = self.ctx.structure
        inputs.pw.parameters = orm.Dict(
            region_parameters(inputs.pw.parameters.get_dict(), self.ctx.structure, inputs.pw.pseudos)
        )
        inputs.metadata.call_link_label = "scf"
        return ToContext(scf=self.submit(ExactPwBaseWorkChain, **inputs))

    def run_pwcond(self) -> ToContext | ExitCode:
        """Submit pwcond.x on lead and junction."""
        if not self.ctx.scf.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_SCF.format(reason=why_failed(self.ctx.scf))
            return code
        inputs = self.exposed_inputs(PwcondBaseWorkChain, "pwcond")
        inputs.pwcond.left_lead = self.inputs.lead
        inputs.pwcond.junction = self.ctx.scf.outputs.remote_folder
        inputs.metadata.call_link_label = "pwcond"
        return ToContext(pwcond=self.submit(PwcondBaseWorkChain, **inputs))

    def store(self) -> ExitCode | None:
        """Store the conductance."""
        if not self.ctx.pwcond.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_PWCOND.format(reason=why_failed(self.ctx.pwcond))
            return code
        conductance = store_conductance(
            self.ctx.pwcond.outputs.transmission,
            self.inputs.pwcond.pwcond.kpoints,
            self.inputs.snapshots,
            self.inputs.index,
            self.inputs.labels,
        )
        self.out("conductance", conductance)
        return None
