"""The conductance of one snapshot."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, if_

from aiida_rewire.calculations.pwcond_inputs import validate_fermi_energy
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import FINGERPRINT
from aiida_rewire.junction.fingerprint import SAME_PLACE, same_contact
from aiida_rewire.workflows.functions.structures import (
    EXIT_OVERLAP,
    EXIT_TOO_NARROW,
    assemble_junction,
    filled_gap,
)
from aiida_rewire.workflows.functions.transmission import reuse_conductance
from aiida_rewire.workflows.pw import recipe_of
from aiida_rewire.workflows.transmission import TransmissionWorkChain


class SnapshotConductanceWorkChain(TransmissionWorkChain):
    """Assemble the junction of a snapshot, and compute its conductance between leads that are there.

    Where the same contact was computed before in the same way, its conductance is taken over, and says so.
    """

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
        spec.input(
            "reuse_contacts",
            valid_type=orm.Bool,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Bool(True),
            help=f"Take over the conductance of a contact whose atoms all lie within {SAME_PLACE} Å.",
        )
        spec.outline(
            cls.assemble,
            cls.take_over,
            if_(cls.is_new)(cls.run_scf, cls.read_back, cls.run_pwcond, cls.store),
        )
        spec.output("structure", valid_type=orm.StructureData, required=False, help="The scattering region.")
        spec.output("assembly", valid_type=orm.Dict, required=False, help="What was done to the atoms in the gap.")
        spec.exit_code(EXIT_OVERLAP, "ERROR_ATOMS_OVERLAP", message="An atom lies on another: {reason}")
        spec.exit_code(EXIT_TOO_NARROW, "ERROR_CELL_TOO_NARROW", message="The contact meets its image: {reason}")

    def assemble(self) -> ExitCode | None:
        """Make the scattering region."""
        node = self.once(
            assemble_junction,
            "assemble_junction",
            self.inputs.snapshots,
            self.inputs.index,
            self.inputs.geometry,
            self.inputs.lattice,
        )
        if not node.is_finished_ok:
            return ExitCode(node.exit_status, node.exit_message)
        self.ctx.structure, self.ctx.assembly = node.outputs.structure, node.outputs.assembly
        self.out("structure", node.outputs.structure)
        self.out("assembly", node.outputs.assembly)
        return None

    def take_over(self) -> None:
        """Look for the same contact, computed in the same way, and take over its conductance."""
        found = self.find_repeat() if self.inputs.reuse_contacts else None
        self.ctx.is_new = found is None
        if found is None:
            return
        conductance, distance = found
        self.report(f"the contact is that of conductance <{conductance.pk}>, atoms at most {distance:.4f} Å apart")
        reused = self.once(
            reuse_conductance,
            "reuse_conductance",
            conductance=conductance,
            labels=self.inputs.labels,
            distance=orm.Float(distance),
            **self.origin(),
        )
        self.out("conductance", reused.outputs.result)

    def is_new(self) -> bool:
        """Whether the conductance is still to be computed."""
        return bool(self.ctx.is_new)

    def find_repeat(self) -> tuple[ConductanceData, float] | None:
        """Return a conductance computed of the same contact in the same way, and how far their atoms are apart (Å).

        Only what was computed itself is looked at, so that distances do not add up.
        """
        mine = filled_gap(self.ctx.structure, self.inputs.lattice)
        recipe = recipe_of_conductance(self.inputs)
        query = orm.QueryBuilder()
        filters = {f"attributes.{FINGERPRINT}": self.ctx.assembly[FINGERPRINT]}
        query.append(SnapshotConductanceWorkChain, tag="chain")
        query.append(orm.CalcFunctionNode, with_incoming="chain", filters={"label": "store_conductance"}, tag="store")
        query.append(ConductanceData, with_incoming="store", filters=filters, tag="conductance")
        query.add_projection("chain", "*")
        query.add_projection("conductance", "*")
        # all at once: a query that is left in the middle keeps its lock on SQLite, and whoever writes fails
        for chain, conductance in query.all():
            if recipe_of_conductance(chain.inputs) != recipe or "structure" not in chain.outputs:
                continue
            if not conductance.base.attributes.get("potential_mismatch_ev") <= self.inputs.potential_tolerance.value:
                continue
            distance = same_contact(mine, filled_gap(chain.outputs.structure, chain.inputs.lattice))
            if distance is not None:
                return conductance, distance
        return None

    def structure_of(self, region: str) -> orm.StructureData | None:
        """Return the scattering region, as it was assembled."""
        return self.ctx.structure if region == "junction" else None

    def origin(self) -> dict[str, orm.Data]:
        """Return the snapshot, and what was done to its atoms."""
        return {"snapshots": self.inputs.snapshots, "index": self.inputs.index, "assembly": self.ctx.assembly}


def recipe_of_conductance(inputs: Any) -> dict[str, Any]:
    """Return what decides a conductance but for the junction's structure, in a form that compares."""
    pwcond = {
        name: node.base.caching.compute_hash()
        for name, node in dict(inputs.pwcond.pwcond).items()
        if isinstance(node, orm.Data)
    }
    lead = inputs.left_lead_folder.creator
    return {
        "scf": recipe_of(inputs.scf),
        "pwcond": pwcond,
        "lead": inputs.left_lead_folder.uuid if lead is None else lead.base.caching.compute_hash(),
    }
