"""Biased reactive molecular dynamics by a stock LAMMPS, or by one with the patch of EChemDID."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from aiida_lammps.data.potential import LammpsPotentialData
from numpy.typing import NDArray

from aiida_rewire.bias.outputs import SERIES_FILE
from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.force_field import silver_force_field
from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.errors import InvalidInput
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.driven import COMPRESSED_DUMP, DRIVER_MODULE, SETTINGS_FILE, driver_files, driver_settings
from aiida_rewire.md.script import (
    DATA_FILE,
    DUMP_FILE,
    FIRST_CHECKPOINT,
    FORCE_FIELD_FILE,
    PARENT_RESTART_FILE,
    AtomTypes,
    Start,
    data_file,
    input_script,
)

FIXED = "fixed"
ELECTRODES = ("anode", "cathode")
GROUPS = (FIXED, *ELECTRODES)

WALL_TIME_RESERVE_S = 300.0
WALL_TIME_SHARE = 0.9
"""A job ends that long before its wall time, or with this share of it if that is later, to write what it has."""

NO_LIMIT_S = 1.0e8

COMPRESS = f"if [ -f {DUMP_FILE} ]; then gzip -c {DUMP_FILE} > {COMPRESSED_DUMP} && rm {DUMP_FILE}; fi"


def validate_parameters(node: orm.Dict | None, _: object) -> str | None:
    """Refuse conditions that no dynamics survives."""
    try:
        MdConditions.from_mapping(node.get_dict() if node else {})
    except InvalidInput as error:
        return str(error)
    return None


def validate_inputs(inputs: dict[str, Any], ports: Mapping[str, Any]) -> str | None:
    """Check the groups against the structure, the structure against the force field, the run against its parent."""
    if "structure" not in ports or "groups" not in ports:
        # a work chain that exposes these inputs without them provides them itself
        return None
    kinds = {kind.name: kind.symbol for kind in inputs["structure"].kinds}
    try:
        conditions = MdConditions.from_mapping(inputs["parameters"].get_dict())
        check_groups(inputs["groups"].get_dict(), kinds, conditions)
        check_parent(inputs, conditions)
    except InvalidInput as error:
        return str(error)
    # its property of that name tells the elements of the node that was made last
    species = inputs["potential"].base.attributes.get("species")
    strange = sorted(set(kinds.values()) - set(species))
    if strange:
        known = ", ".join(species)
        return str(InvalidInput("structure", f"with {', '.join(strange)}", f"of {known}", "use another force field"))
    return None


def check_groups(groups: Mapping[str, list[str]], kinds: Mapping[str, str], conditions: MdConditions) -> None:
    """Refuse groups that are incomplete, empty, of other kinds or that overlap.

    Raises
    ------
    InvalidInput
        If a group does not fit the structure or the bias.
    """
    biased = conditions.bias != "none"
    if biased and not set(ELECTRODES) <= set(groups):
        raise InvalidInput(
            "groups",
            sorted(groups),
            f"{', '.join(GROUPS)} with a voltage",
            "name the kinds of both electrodes, or take `bias: none`",
        )
    if not {FIXED} <= set(groups) <= set(GROUPS):
        raise InvalidInput("groups", sorted(groups), f"among {', '.join(GROUPS)}, with {FIXED}", "correct the names")
    for name, members in groups.items():
        if not isinstance(members, list) or not members or any(member not in kinds for member in members):
            known = ", ".join(kinds)
            raise InvalidInput(f"groups.{name}", members, f"some of the kinds {known}", "correct the kind names")
    if set(groups.get("anode", ())) & set(groups.get("cathode", ())):
        raise InvalidInput("groups", "anode and cathode overlap", "disjoint", "give each kind one electrode")


def check_parent(inputs: Mapping[str, Any], conditions: MdConditions) -> None:
    """Refuse a parent of which half is missing or that this run cannot go on from.

    Raises
    ------
    InvalidInput
        If folder or results are missing, or the parent has come farther than this run is to go.
    """
    if ("parent_folder" in inputs) != ("parent_results" in inputs):
        raise InvalidInput(
            "parent_folder", "without parent_results, or the reverse", "given with them", "give both of one run"
        )
    if "parent_results" not in inputs:
        return
    parent = inputs["parent_results"].get_dict()
    if not {"complete", "last_step", "checkpoint_file"} <= set(parent):
        raise InvalidInput("parent_results", sorted(parent), "results of a rewire.md job", "give both of one run")
    if conditions.minimize and parent["complete"]:
        raise InvalidInput("minimize", True, "false when going on from another run", "relax before the first")
    if not parent["complete"] and parent["last_step"] >= conditions.steps:
        raise InvalidInput(
            "steps",
            conditions.steps,
            f"above the {parent['last_step']} that the unfinished parent has made",
            "a run goes on with its own parameters",
        )


def kind_numbers(structure: orm.StructureData) -> dict[str, int]:
    """LAMMPS atom type of each kind: the kinds in their order, from 1."""
    return {kind.name: number for number, kind in enumerate(structure.kinds, start=1)}


def type_numbers(structure: orm.StructureData) -> NDArray[np.int64]:
    """LAMMPS atom type of each atom, shape (n,)."""
    number = kind_numbers(structure)
    return np.array([number[site.kind_name] for site in structure.sites], dtype=np.int64)


class BiasedMdCalculation(ReusedOnlyIfGood, CalcJob):
    """Reactive molecular dynamics of two electrodes under a voltage.

    Every kind of the structure becomes an atom type; ``groups`` says which kinds are held fixed and whose potential
    is that of the anode and of the cathode, from which it spreads through the metal. A positive voltage makes the
    anode positive. With ``bias: driver`` the code is a Python that can import LAMMPS's module, and the driver
    travels with the job; otherwise it is LAMMPS.

    A run may take several jobs. One that goes on from a job that did not come to the end of its steps takes up its
    last checkpoint; one that goes on from a complete run begins at step 0 with the atoms of its end.
    """

    REUSED_EXIT_CODES = frozenset({400})  # a job that ended at a checkpoint
    FILENAME_INPUT = "md.in"
    FILENAME_LOG = "log.lammps"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="The tips; not periodic. Å.")
        spec.input(
            "potential",
            valid_type=LammpsPotentialData,
            default=silver_force_field,
            help="ReaxFF parameters; by default silver's of Lloyd et al. (2016).",
        )
        spec.input(
            "groups",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            help="Kind names of the groups `fixed`, `anode` and `cathode`; the last two not with `bias: none`.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_parameters,
            help="Conditions: steps, seed, voltage_v (a number, or points of ps and V), bias, temperature_k, "
            "timestep_fs, dump_interval, checkpoint_interval, minimize and others: MdConditions has all.",
        )
        spec.input(
            "parent_folder", valid_type=orm.RemoteData, required=False, help="Folder of the job to go on from."
        )
        spec.input("parent_results", valid_type=orm.Dict, required=False, help="Results of that job.")
        spec.inputs.validator = validate_inputs
        spec.output(
            "results",
            valid_type=orm.Dict,
            required=False,
            help="Version, steps, frames, last checkpoint, last thermodynamic values, wall time.",
        )
        spec.output(
            "bias",
            valid_type=orm.ArrayData,
            required=False,
            help="Of the driver, a row for each frame: step, voltage_v, and what flows through the metal out of the "
            "anode and into the cathode, anode_flux and cathode_flux (V/fs).",
        )
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.md",
            input_filename=cls.FILENAME_INPUT,
            output_filename=cls.FILENAME_LOG,
        )
        spec.exit_code(303, "ERROR_LOG_MISSING", message="LAMMPS left no log: {reason}")
        spec.exit_code(310, "ERROR_LAMMPS", message="LAMMPS stopped: {reason}")
        spec.exit_code(
            311,
            "ERROR_LOST_ATOMS",
            message="Atoms left the box: {reason}. Take a lower temperature or voltage, or a shorter time step.",
        )
        spec.exit_code(
            312,
            "ERROR_TEMPERATURE",
            message="The mobile atoms came to {found} K, far from the {wanted} K asked for: the dynamics blew up. "
            "Take a shorter time step.",
        )
        spec.exit_code(
            313,
            "ERROR_CHARGES_NOT_CONVERGED",
            message="The charge equilibration did not converge at {count} steps, first: {reason}",
        )
        spec.exit_code(320, "ERROR_BROKEN_DUMP", message="The frames cannot be used: {reason}")
        spec.exit_code(321, "ERROR_DUMP_MISSING", message="The run left no frames: no file {name}.")
        spec.exit_code(322, "ERROR_BROKEN_BIAS_SERIES", message="The series of the bias cannot be used: {reason}")
        spec.exit_code(
            400,
            "ERROR_UNFINISHED",
            message="The job ended at step {step} of {steps}, killed or out of wall time; its checkpoint can be gone "
            "on from.",
        )
        spec.exit_code(401, "ERROR_NO_CHECKPOINT", message="The job ended before its first checkpoint: {reason}")

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write what LAMMPS or the driver is told, data file and force field; copy the parent's restart file."""
        structure, groups = self.inputs.structure, self.inputs.groups.get_dict()
        number = kind_numbers(structure)
        types = AtomTypes(
            elements=tuple(kind.symbol for kind in structure.kinds),
            **{group: tuple(number[name] for name in members) for group, members in groups.items()},
        )
        conditions = MdConditions.from_mapping(self.inputs.parameters.get_dict())
        start = self.start()
        files = {FORCE_FIELD_FILE: self.inputs.potential.get_content()}
        if start is Start.ATOMS:
            positions = np.array([site.position for site in structure.sites])
            masses = [kind.mass for kind in structure.kinds]
            files[DATA_FILE] = data_file(positions, type_numbers(structure).tolist(), masses)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        job = CalcInfo()
        job.codes_info = [code]
        job.retrieve_list = [self.FILENAME_LOG, (f"{DUMP_FILE}*", ".", 0)]
        if conditions.bias == "driver":
            settings = driver_settings(conditions, types, start=start, seconds=self.seconds(), log=self.FILENAME_LOG)
            files |= {SETTINGS_FILE: json.dumps(settings, indent=1), **driver_files()}
            code.cmdline_params = ["-m", DRIVER_MODULE, SETTINGS_FILE]
            job.retrieve_list.append(SERIES_FILE)
        else:
            files[self.FILENAME_INPUT] = input_script(conditions, types, start=start, seconds=self.seconds())
            code.cmdline_params = ["-in", self.FILENAME_INPUT, "-log", self.FILENAME_LOG, "-screen", "none"]
            job.append_text = COMPRESS
        for name, text in files.items():
            path = Path(folder.abspath, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if start is not Start.ATOMS:
            parent = self.inputs.parent_folder
            source = f"{parent.get_remote_path()}/{self.inputs.parent_results['checkpoint_file']}"
            target = PARENT_RESTART_FILE if start is Start.PARENT else FIRST_CHECKPOINT
            job.remote_copy_list = [(parent.computer.uuid, source, target)]
        return job

    def start(self) -> Start:
        """Return what the job begins with."""
        if "parent_results" not in self.inputs:
            return Start.ATOMS
        return Start.PARENT if self.inputs.parent_results["complete"] else Start.CHECKPOINT

    def seconds(self) -> float:
        """Return the wall time (s) that the dynamics may take."""
        limit: int | None = self.inputs.metadata.options.get("max_wallclock_seconds")
        return NO_LIMIT_S if limit is None else max(limit - WALL_TIME_RESERVE_S, WALL_TIME_SHARE * limit)
