"""Tips under a voltage: from two pyramids to snapshots of their contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.orm import AbstractCode
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.tips import Region
from aiida_rewire.workflows.biased_md import BiasedMdWorkChain
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.functions.snapshots import extract_snapshots
from aiida_rewire.workflows.functions.structures import build_tips
from aiida_rewire.workflows.launching import LaunchedFromProtocol
from aiida_rewire.workflows.protocols import check_dynamics, load_protocol
from aiida_rewire.workflows.steps import RepeatableSteps

TIP_GROUPS = {
    "fixed": [str(Region.LOWER_BASE), str(Region.UPPER_BASE)],
    "anode": [str(Region.LOWER_BASE)],
    "cathode": [str(Region.UPPER_BASE)],
}
"""The potential is given to the fixed bases, from which it spreads."""

DYNAMICS_INPUTS = ("tips", "equilibration", "production", "junction")


def plain(node: orm.Data) -> Any:
    """Return the plain value of a node."""
    return node.get_dict() if isinstance(node, orm.Dict) else node.value


def validate_inputs(inputs: dict[str, Any], _: object) -> str | None:
    """Refuse what the dynamics could not begin with."""
    try:
        check_dynamics({name: plain(inputs[name]) for name in (*DYNAMICS_INPUTS, "snapshot_interval_ps")})
    except InvalidInput as error:
        return str(error)
    return None


class DynamicsWorkChain(RepeatableSteps, LaunchedFromProtocol, WorkChain):
    """Tips -> equilibration -> production under a voltage -> snapshots with the descriptors of their contact."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        to_node = {"serializer": orm.to_aiida_type}
        spec.input("tips", valid_type=orm.Dict, **to_node, help="Keywords of build_tips.")
        spec.input(
            "equilibration", valid_type=orm.Dict, **to_node, help="Conditions before the voltage is switched on."
        )
        spec.input("production", valid_type=orm.Dict, **to_node, help="Conditions under the voltage.")
        spec.input("snapshot_interval_ps", valid_type=orm.Float, **to_node, help="Time between snapshots, ps.")
        spec.input(
            "junction",
            valid_type=orm.Dict,
            **to_node,
            help="Flat layers that bound the gap: lattice_constant (Å), supercell, lower_layers, upper_layers.",
        )
        spec.expose_inputs(
            BiasedMdCalculation,
            namespace="md",
            exclude=("structure", "groups", "parameters", "parent_folder", "parent_results"),
        )
        spec.input(
            "reuse_dynamics",
            valid_type=orm.Bool,
            default=lambda: orm.Bool(False),
            **to_node,
            help="Take finished jobs of the dynamics with the same inputs, seed included.",
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.build, cls.equilibrate, cls.produce, cls.extract)
        spec.output("tips", valid_type=orm.StructureData, help="The tips as built.")
        spec.output("snapshots", valid_type=orm.TrajectoryData, help="Snapshots with their descriptors.")
        spec.output("results", valid_type=orm.Dict, help="Of the production: steps, frames, wall time, last state.")
        spec.output("bias", valid_type=orm.ArrayData, required=False, help="Voltage and currents of the production.")
        spec.exit_code(310, "ERROR_EQUILIBRATION", message="The equilibration failed: {reason}")
        spec.exit_code(311, "ERROR_PRODUCTION", message="The production failed: {reason}")
        spec.exit_code(312, "ERROR_SNAPSHOTS", message="No snapshots: {reason}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        potential: LammpsPotentialData | None = None,
        *,
        protocol: str = "demo",
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder filled in from a protocol.

        Parameters
        ----------
        code
            The Python that imports LAMMPS's module; LAMMPS itself with ``bias: native`` or ``none``.
        potential
            ReaxFF parameters; the project's silver where there are none.
        protocol, overrides
            A protocol by name, and values that replace its own, key by key.

        Raises
        ------
        InvalidInput
            If the protocol or a key of the overrides is unknown.
        """
        return cls.get_builder_from_values(
            code, potential, load_protocol(protocol, overrides or {}, workflow="dynamics")
        )

    @classmethod
    def get_builder_from_values(
        cls, code: AbstractCode, potential: LammpsPotentialData | None, values: Mapping[str, Any], *, label: str = ""
    ) -> ProcessBuilder:
        """Return a builder filled in from values as a protocol holds them; the other arguments are those above."""
        builder = cls.get_builder()
        fill_dynamics(builder, code, potential, values)
        builder.metadata.label = label
        return builder

    def build(self) -> None:
        """Build the tips."""
        tips = self.once(build_tips, "build_tips", self.inputs.tips).outputs
        self.ctx.tips, self.ctx.geometry = tips.structure, tips.geometry
        self.out("tips", self.ctx.tips)

    def _submit_md(
        self, name: str, conditions: orm.Dict, parent: orm.WorkChainNode | None = None
    ) -> orm.WorkChainNode:
        md = self.exposed_inputs(BiasedMdCalculation, "md")
        md.structure = self.ctx.tips
        md.groups = TIP_GROUPS
        md.parameters = conditions
        if parent is not None:
            md.parent_folder = parent.outputs.remote_folder
            md.parent_results = parent.outputs.results
        metadata = {"call_link_label": name, "label": self.label_of(name)}
        reuse = self.inputs.reuse_dynamics
        return self.submit(BiasedMdWorkChain, md=md, reuse_finished=reuse, metadata=metadata)

    def label_of(self, part: str) -> str:
        """Return the label of a part of this run, below its own if it has one."""
        return f"{self.node.label}/{part}" if self.node.label else ""

    def equilibrate(self) -> ToContext:
        """Let the tips come to temperature without a voltage."""
        return ToContext(equilibration=self._submit_md("equilibration", self.inputs.equilibration))

    def produce(self) -> ToContext | ExitCode:
        """Switch the voltage on."""
        if not self.ctx.equilibration.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_EQUILIBRATION.format(reason=why_failed(self.ctx.equilibration))
            return code
        production = self._submit_md("production", self.inputs.production, self.ctx.equilibration)
        return ToContext(production=production)

    def extract(self) -> ExitCode | None:
        """Take the snapshots."""
        production = self.ctx.production
        if not production.is_finished_ok:
            code: ExitCode = self.exit_codes.ERROR_PRODUCTION.format(reason=why_failed(production))
            return code
        self.out("results", production.outputs.results)
        if "bias" in production.outputs:
            self.out("bias", production.outputs.bias)
        node = self.once(
            extract_snapshots,
            "extract_snapshots",
            self.ctx.tips,
            self.ctx.geometry,
            self.inputs.production,
            self.inputs.snapshot_interval_ps,
            self.inputs.junction,
            production.outputs.results,
            **production.outputs.segments,
        )
        if not node.is_finished_ok:
            failed: ExitCode = self.exit_codes.ERROR_SNAPSHOTS.format(reason=node.exit_message)
            return failed
        self.ctx.snapshots = node.outputs.result
        self.out("snapshots", self.ctx.snapshots)
        return None


def fill_dynamics(
    builder: ProcessBuilder, code: AbstractCode, potential: LammpsPotentialData | None, values: Mapping[str, Any]
) -> None:
    """Fill in what a protocol says about the dynamics."""
    for key in DYNAMICS_INPUTS:
        builder[key] = values[key]
    builder.snapshot_interval_ps = float(values["snapshot_interval_ps"])
    builder.md.code = code
    if potential is not None:
        builder.md.potential = potential
    builder.md.metadata.options = values["md"]["options"]
