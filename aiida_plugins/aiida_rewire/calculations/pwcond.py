"""Ballistic transmission by pwcond.x."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.calculations.parents import parent_run
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.parents import check_parents
from aiida_rewire.transport.pwcond_input import FREE_KEYS, OWNED_KEYS, fortran_value, pwcond_input

LOOSEST_UNITARITY = 0.1


def validate_parameters(node: orm.Dict | None, _: object) -> str | None:
    """Refuse keys that pwcond.x does not know or that the plugin sets, by name."""
    values = node.get_dict() if node else {}
    owned = sorted(set(values) & OWNED_KEYS)
    if owned:
        return str(InvalidInput("parameters", ", ".join(owned), "left to the plugin, which sets them", "remove them"))
    unknown = sorted(set(values) - FREE_KEYS)
    if unknown:
        known = ", ".join(sorted(FREE_KEYS))
        return str(InvalidInput("parameters", ", ".join(unknown), f"among {known}", "correct the key"))
    try:
        for value in values.values():
            fortran_value(value)
    except TypeError as error:
        return str(error)
    return None


def validate_kpoints(node: orm.KpointsData | None, _: object) -> str | None:
    """Ask for a list of lateral k-points with positive weights."""
    try:
        kpoints, weights = lateral_kpoints(node)
    except InvalidInput as error:
        return str(error)
    if not np.isfinite(kpoints).all():
        return str(InvalidInput("kpoints", kpoints.tolist(), "finite", "correct the coordinates"))
    if np.abs(kpoints[:, 2]).max() > 0:
        return str(InvalidInput("kpoints", "kz other than 0", "lateral: kz = 0", "the third axis is the current's"))
    if not (weights > 0).all():
        return str(InvalidInput("kpoints", f"weights {weights.tolist()}", "positive", "correct the weights"))
    return None


def lateral_kpoints(node: orm.KpointsData) -> tuple[np.ndarray, np.ndarray]:
    """Return the k-points (crystal coordinates, shape (n, 3)) and weights (n,) of a list.

    Raises
    ------
    InvalidInput
        If the node holds no list with weights.
    """
    try:
        kpoints, weights = node.get_kpoints(also_weights=True)
    except AttributeError as error:
        raise InvalidInput("kpoints", "no list with weights", "a list", "use set_kpoints with weights") from error
    return np.asarray(kpoints), np.asarray(weights)


def validate_energies(node: orm.List | None, _: object) -> str | None:
    """Ask for at least one finite energy, none twice."""
    energies = node.get_list() if node else []
    if not energies or not all(isinstance(e, (int, float)) and np.isfinite(e) for e in energies):
        return str(InvalidInput("energies", energies, "finite numbers, eV from E_F", "0.0 is the Fermi energy"))
    if len({round(e, 7) for e in energies}) != len(energies):
        return str(InvalidInput("energies", energies, "free of repetitions", "list each once"))
    return None


def validate_tolerance(node: orm.Float | None, _: object) -> str | None:
    """Ask for a tolerance with which the gate is one."""
    if node is not None and not 0 < node.value <= LOOSEST_UNITARITY:
        bound = f"above 0 and at most {LOOSEST_UNITARITY}"
        return str(InvalidInput("unitarity_tolerance", node.value, bound, "1e-3 is usual"))
    return None


def validate_inputs(inputs: dict[str, Any], ports: Container[str]) -> str | None:
    """Run the guards on both parents."""
    if "left_lead" not in ports or "junction" not in ports:
        # a work chain that exposes these inputs without them provides them itself
        return None
    return refuse_parents(inputs)


def refuse_parents(inputs: Mapping[str, Any]) -> str | None:
    """Return why pwcond.x must not join the two parents, if it must not."""
    lead, junction = inputs["left_lead"], inputs["junction"]
    if lead.computer.pk != junction.computer.pk:
        names = f"{lead.computer.label} and {junction.computer.label}"
        return str(InvalidInput("left_lead, junction", names, "on one computer", "run both SCF there"))
    try:
        check_parents(parent_run("left_lead", lead), parent_run("junction", junction))
    except InvalidInput as error:
        return str(error)
    return None


class PwcondCalculation(ReusedOnlyIfGood, CalcJob):
    """Transmission of a junction between two equal leads (``ikind = 1``).

    The guards run on the provenance of both parents before anything is submitted.
    """

    FILENAME_INPUT = "pwcond.in"
    FILENAME_STDOUT = "pwcond.out"
    SCRATCH = "out"
    PREFIX_LEAD = "lead"
    PREFIX_JUNCTION = "junction"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("left_lead", valid_type=orm.RemoteData, help="Folder of the SCF of the lead, both leads alike.")
        spec.input("junction", valid_type=orm.RemoteData, help="Folder of the SCF of the scattering region.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_parameters,
            help="Keys of the namelist INPUTCOND: ewind, epsproj, nz1, ...",
        )
        spec.input(
            "kpoints",
            valid_type=orm.KpointsData,
            validator=validate_kpoints,
            help="List of lateral k-points with weights (kz = 0).",
        )
        spec.input(
            "energies",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_energies,
            default=lambda: orm.List([0.0]),
            help="eV from the Fermi energy.",
        )
        spec.input(
            "unitarity_tolerance",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Float(1e-3),
            validator=validate_tolerance,
            help="Largest |T_j + R_j - 1| of a channel to accept.",
        )
        spec.inputs.validator = validate_inputs
        spec.output(
            "transmission",
            valid_type=orm.ArrayData,
            help="energies (eV, descending), transmission (per spin), channels, unitarity: (energies, k).",
        )
        spec.output("results", valid_type=orm.Dict, help="Version, largest deviation from unitarity.")
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.pwcond",
            input_filename=cls.FILENAME_INPUT,
            output_filename=cls.FILENAME_STDOUT,
        )
        spec.exit_code(303, "ERROR_OUTPUT_MISSING", message="pwcond.x left no output.")
        spec.exit_code(310, "ERROR_PWCOND", message="pwcond.x stopped: {reason}")
        spec.exit_code(
            330,
            "ERROR_UNITARITY",
            message="No conductance stored, unitarity is broken: {reason}. Add buffer layers.",
        )
        spec.exit_code(331, "ERROR_TOO_MUCH_TRANSMISSION", message="No conductance stored: {reason}")
        spec.exit_code(333, "ERROR_INCONSISTENT", message="No conductance stored: {reason}")
        spec.exit_code(332, "ERROR_NOT_FINITE", message="No conductance stored: {reason}")
        spec.exit_code(
            400,
            "ERROR_INCOMPLETE",
            message="No conductance stored, the output is not complete (killed, or out of wall time): {reason}",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file; link both parents under names of their own."""
        lead_cell = np.array(self.inputs.left_lead.creator.inputs.structure.cell)
        junction_cell = np.array(self.inputs.junction.creator.inputs.structure.cell)
        alat = float(np.linalg.norm(lead_cell[0]))
        kpoints, weights = lateral_kpoints(self.inputs.kpoints)
        namelist = {
            **self.inputs.parameters.get_dict(),
            "outdir": f"./{self.SCRATCH}",
            "prefixl": self.PREFIX_LEAD,
            "prefixs": self.PREFIX_JUNCTION,
            "ikind": 1,
            "bdl": float(lead_cell[2, 2] / alat),
            "bds": float(junction_cell[2, 2] / alat),
            "energy0": 0.0,
            "denergy": 0.0,
        }
        with folder.open(self.FILENAME_INPUT, "w") as handle:
            handle.write(pwcond_input(namelist, kpoints[:, :2], weights, self.inputs.energies.get_list()))
        folder.get_subfolder(self.SCRATCH, create=True)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ["-in", self.FILENAME_INPUT]
        code.stdout_name = self.FILENAME_STDOUT
        job = CalcInfo()
        job.codes_info = [code]
        job.retrieve_list = [self.FILENAME_STDOUT]
        job.remote_symlink_list = [
            (
                remote.computer.uuid,
                f"{remote.get_remote_path()}/out/aiida.save",
                f"{self.SCRATCH}/{prefix}.save",
            )
            for remote, prefix in (
                (self.inputs.left_lead, self.PREFIX_LEAD),
                (self.inputs.junction, self.PREFIX_JUNCTION),
            )
        ]
        return job
