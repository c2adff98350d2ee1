"""Biased reactive molecular dynamics by a stock LAMMPS."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.errors import InvalidInput
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.script import (
    DATA_FILE,
    DUMP_FILE,
    FORCE_FIELD_FILE,
    PARENT_RESTART_FILE,
    RESTART_FILE,
    AtomTypes,
    data_file,
    input_script,
)

GROUPS = ("fixed", "anode", "cathode")


def validate_parameters(node: orm.Dict | None, _: object) -> str | None:
    """Refuse conditions that no dynamics survives."""
    try:
        MdConditions.from_mapping(node.get_dict() if node else {})
    except InvalidInput as error:
        return str(error)
    return None


def validate_inputs(inputs: dict[str, Any], ports: Container[str]) -> str | None:
    """Check the groups against the structure, and the structure against the force field."""
    if "structure" not in ports or "groups" not in ports:
        # a work chain that exposes these inputs without them provides them itself
        return None
    kinds = {kind.name: kind.symbol for kind in inputs["structure"].kinds}
    groups = inputs["groups"].get_dict()
    if sorted(groups) != sorted(GROUPS):
        return str(InvalidInput("groups", sorted(groups), f"exactly {', '.join(GROUPS)}", "name the kinds of each"))
    for name, members in groups.items():
        unknown = sorted(set(members) - set(kinds))
        if unknown or not members:
            return str(
                InvalidInput(
                    f"groups.{name}",
                    members,
                    f"some of the kinds {', '.join(kinds)}",
                    "correct the kind names",
                )
            )
    if set(groups["anode"]) & set(groups["cathode"]):
        return str(InvalidInput("groups", "anode and cathode overlap", "disjoint", "give each kind one electrode"))
    if "parent_folder" in inputs and inputs["parameters"].get("minimize", False):
        return str(InvalidInput("minimize", True, "false when going on from another run", "relax before the first"))
    strange = sorted(set(kinds.values()) - set(inputs["potential"].species))
    if strange:
        known = ", ".join(inputs["potential"].species)
        return str(InvalidInput("structure", f"with {', '.join(strange)}", f"of {known}", "use another force field"))
    return None


class BiasedMdCalculation(ReusedOnlyIfGood, CalcJob):
    """Reactive molecular dynamics of two electrodes under a voltage.

    Every kind of the structure becomes an atom type; ``groups`` says which kinds are held fixed and which
    belong to the anode and to the cathode. A positive voltage makes the anode positive.
    """

    FILENAME_INPUT = "md.in"
    FILENAME_LOG = "log.lammps"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="The tips; not periodic. Å.")
        spec.input("potential", valid_type=LammpsPotentialData, help="ReaxFF parameters.")
        spec.input(
            "groups",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            help="Kind names of the groups `fixed`, `anode` and `cathode`.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_parameters,
            help="Conditions: steps, seed, voltage_v, temperature_k, timestep_fs, thermostat_damping_fs, "
            "dump_interval, minimize.",
        )
        spec.input(
            "parent_folder",
            valid_type=orm.RemoteData,
            required=False,
            help="Folder of the run to go on from.",
        )
        spec.inputs.validator = validate_inputs
        spec.output("results", valid_type=orm.Dict, help="Version, last thermodynamic values, frames, wall time.")
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.md",
            input_filename=cls.FILENAME_INPUT,
            output_filename=cls.FILENAME_LOG,
        )
        spec.exit_code(303, "ERROR_LOG_MISSING", message="LAMMPS left no log.")
        spec.exit_code(310, "ERROR_LAMMPS", message="LAMMPS stopped: {reason}")
        spec.exit_code(
            311,
            "ERROR_LOST_ATOMS",
            message="Atoms left the box: {reason}. Take a lower temperature or voltage, or a shorter time step.",
        )
        spec.exit_code(
            312,
            "ERROR_TEMPERATURE",
            message="The mobile atoms ended at {found} K, far from the {wanted} K asked for: the dynamics blew up. "
            "Take a shorter time step.",
        )
        spec.exit_code(320, "ERROR_BROKEN_DUMP", message="The frames cannot be used: {reason}")
        spec.exit_code(
            400,
            "ERROR_INTERRUPTED",
            message="LAMMPS was stopped before its last step (killed, or out of wall time).",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write script, data file and force field; link the parent's restart file."""
        structure, groups = self.inputs.structure, self.inputs.groups.get_dict()
        names = [kind.name for kind in structure.kinds]
        number = {name: index for index, name in enumerate(names, start=1)}
        types = AtomTypes(
            elements=tuple(kind.symbol for kind in structure.kinds),
            **{group: tuple(number[name] for name in groups[group]) for group in GROUPS},
        )
        restart = "parent_folder" in self.inputs
        conditions = MdConditions.from_mapping(self.inputs.parameters.get_dict())
        files = {
            self.FILENAME_INPUT: input_script(conditions, types, restart=restart),
            FORCE_FIELD_FILE: self.inputs.potential.get_content(),
        }
        if not restart:
            positions = np.array([site.position for site in structure.sites])
            site_types = [number[site.kind_name] for site in structure.sites]
            files[DATA_FILE] = data_file(positions, site_types, [kind.mass for kind in structure.kinds])
        for name, text in files.items():
            with folder.open(name, "w") as handle:
                handle.write(text)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ["-in", self.FILENAME_INPUT, "-log", self.FILENAME_LOG, "-screen", "none"]
        job = CalcInfo()
        job.codes_info = [code]
        job.retrieve_list = [self.FILENAME_LOG, DUMP_FILE]
        if restart:
            parent = self.inputs.parent_folder
            job.remote_copy_list = [
                (parent.computer.uuid, f"{parent.get_remote_path()}/{RESTART_FILE}", PARENT_RESTART_FILE)
            ]
        return job
