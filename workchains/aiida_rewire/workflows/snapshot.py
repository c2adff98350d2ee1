"""The conductance of one snapshot."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec

from aiida_rewire.calculations.pwcond_inputs import validate_energies
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.functions.structures import EXIT_OVERLAP, EXIT_TOO_NARROW, assemble_junction
from aiida_rewire.workflows.transmission import TransmissionWorkChain


def validate_fermi_energy(node: orm.List | None, ports: object) -> str | None:
    """Ask for the Fermi energy among the energies: the conductance is the transmission there."""
    refusal = validate_energies(node, ports)
    if refusal is None and node is not None and 0.0 not in node.get_list():
        return str(InvalidInput("energies", node.get_list(), "with 0.0, the Fermi energy, among them", "add it"))
    return refusal


class SnapshotConductanceWorkChain(TransmissionWorkChain):
    """Assemble the junction of a snapshot, and compute its conductance between leads that are there."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        for name in ("left_lead", "right_lead", "right_lead_folder", "junction", "junction_folder", "lead_scf"):
            del spec.inputs[name]
        spec.inputs.validator = None
        spec.inputs["left_lead_folder"].required = True
        spec.inputs["scf"].required = True
        spec.input("snapshots", valid_type=orm.TrajectoryData, help="All snapshots of the chain.")
        spec.input("index", valid_type=orm.Int, serializer=orm.to_aiida_type, help="Which of them.")
        spec.input("geometry", valid_type=orm.Dict, help="Heights of the tips' apexes, Å.")
        spec.input("lattice", valid_type=orm.Dict, help="lattice_constant, supercell, lower_layers, upper_layers.")
        spec.inputs["pwcond"]["pwcond"]["energies"].validator = validate_fermi_energy
        spec.outline(cls.assemble, cls.run_scf, cls.read_back, cls.run_pwcond, cls.store)
        spec.output("structure", valid_type=orm.StructureData, required=False, help="The scattering region.")
        spec.output("assembly", valid_type=orm.Dict, required=False, help="What was done to the atoms in the gap.")
        spec.exit_code(EXIT_OVERLAP, "ERROR_ATOMS_OVERLAP", message="An atom lies on another: {reason}")
        spec.exit_code(EXIT_TOO_NARROW, "ERROR_CELL_TOO_NARROW", message="The contact meets its image: {reason}")

    def assemble(self) -> ExitCode | None:
        """Make the scattering region."""
        region, node = assemble_junction.run_get_node(
            self.inputs.snapshots, self.inputs.index, self.inputs.geometry, self.inputs.lattice
        )
        if not node.is_finished_ok:
            return ExitCode(node.exit_status, node.exit_message)
        self.ctx.structure = region["structure"]
        self.out("structure", region["structure"])
        self.out("assembly", region["assembly"])
        return None

    def structure_of(self, region: str) -> orm.StructureData | None:
        """Return the scattering region, as it was assembled."""
        return self.ctx.structure if region == "junction" else None

    def origin(self) -> dict[str, orm.Data]:
        """Return the snapshot."""
        return {"snapshots": self.inputs.snapshots, "index": self.inputs.index}
