"""A contiguous block of snapshots, one after another."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ProcessSpec, ToContext, WorkChain, while_

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.workflows.functions.results import snapshot_name
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain


def supercell_name(supercell: int) -> str:
    """Name of the flat layers of a supercell."""
    return f"n{supercell}"


class LaneWorkChain(WorkChain):
    """Compute the conductances of a block of snapshots in turn: the lane is the throttle.

    A snapshot that fails ends its own branch; the lane goes on.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline and outputs."""
        super().define(spec)
        spec.expose_inputs(SnapshotConductanceWorkChain, exclude=("index", "lattice", "left_lead_folder"))
        spec.input_namespace(
            "lattices", valid_type=orm.Dict, dynamic=True, help="Flat layers by their supercell: n3, n4 and so on."
        )
        spec.input_namespace(
            "leads", valid_type=orm.RemoteData, dynamic=True, help="Folder of the lead's SCF for each of them."
        )
        spec.input("indices", valid_type=orm.List, serializer=orm.to_aiida_type, help="The snapshots of this lane.")
        spec.outline(cls.setup, while_(cls.snapshots_left)(cls.run_snapshot, cls.collect))
        spec.output_namespace("conductances", valid_type=ConductanceData, dynamic=True, help="By snapshot name.")

    def setup(self) -> None:
        """Start before the first snapshot."""
        self.ctx.position = 0

    def snapshots_left(self) -> bool:
        """Whether snapshots are left."""
        return bool(self.ctx.position < len(self.inputs.indices))

    def run_snapshot(self) -> ToContext:
        """Submit the next snapshot."""
        index = self.inputs.indices[self.ctx.position]
        inputs = self.exposed_inputs(SnapshotConductanceWorkChain)
        # a contact that fits nowhere is tried in the narrowest, and ends with its exit code
        narrowest = min(self.inputs.lattices, key=lambda name: self.inputs.lattices[name]["supercell"])
        width = supercell_name(int(self.inputs.snapshots.get_array("supercell")[index]))
        name = width if width in self.inputs.lattices else narrowest
        inputs.lattice, inputs.left_lead_folder = self.inputs.lattices[name], self.inputs.leads[name]
        inputs.metadata.call_link_label = snapshot_name(index)
        return ToContext(snapshot=self.submit(SnapshotConductanceWorkChain, index=orm.Int(index), **inputs))

    def collect(self) -> None:
        """Hand the conductance out, or report why there is none."""
        snapshot = self.ctx.snapshot
        name = snapshot_name(self.inputs.indices[self.ctx.position])
        if snapshot.is_finished_ok:
            self.out(f"conductances.{name}", snapshot.outputs.conductance)
        else:
            self.report(f"{name} has no conductance: {snapshot.exit_message or snapshot.process_state}")
        self.ctx.position += 1
