"""SCF, read-back and transmission of one junction in one job."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.escaping import escape_for_bash
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from aiida.orm import AbstractCode
from aiida_pseudo.data.pseudo import UpfData
from ase.data import atomic_numbers

from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.calculations.parents import SAVE_FOLDER, XML_NAME, parent_run
from aiida_rewire.calculations.pw import ExactPwCalculation
from aiida_rewire.calculations.pwcond import FATAL_EXIT_CODES, PwcondCalculation, input_name, stdout_name
from aiida_rewire.calculations.pwcond_inputs import (
    Crystal,
    Grid,
    crystal_of,
    descending,
    lateral_kpoints,
    validate_fermi_energy,
)
from aiida_rewire.calculations.readback import ReadbackCalculation, pp_input
from aiida_rewire.data.conductance import ConductanceData, validate_labels
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.numerics import DEFAULTS
from aiida_rewire.transport.pwcond_input import pwcond_input
from aiida_rewire.transport.shards import split_grid

LEAD, JUNCTION = "left", "junction"
"""Prefixes under which pwcond.x finds the two regions."""

LEAD_FILES = ReadbackCalculation.FILENAME_WRITTEN, XML_NAME
"""Of the lead's SCF, that pwcond.x reads."""

MISSING_FILE = "lead_files_missing.txt"
"""What the job names there, before it runs anything, is gone from the folder of the lead."""


def validate_parameters(node: orm.Dict | None, _: object) -> str | None:
    """Refuse an SCF with two spins, which takes two runs of pwcond.x."""
    if node is not None and node.get_dict().get("SYSTEM", {}).get("nspin", 1) != 1:
        return str(InvalidInput("SYSTEM.nspin", node["SYSTEM"]["nspin"], "1", "take separate jobs: one_job = false"))
    return None


def validate_shards(shards: int, _: object) -> str | None:
    """Ask for a positive number."""
    if shards < 1:
        return str(InvalidInput("shards", shards, "at least 1", "one shard is the whole grid in one run"))
    return None


ON_ONE_COMPUTER = ("code", "pp_code", "pwcond_code", "left_lead", "density_folder")


def validate_inputs(inputs: dict[str, Any], _: object) -> str | None:
    """Ask for programs and folders of one computer."""
    given = {name: inputs[name].computer for name in ON_ONE_COMPUTER if name in inputs}
    computers = {name: computer for name, computer in given.items() if computer is not None}
    if len({computer.pk for computer in computers.values()}) > 1:
        found = ", ".join(f"{name} on {computer.label}" for name, computer in computers.items())
        return str(InvalidInput("programs and folders", found, "of one computer", "run the lead's SCF there"))
    return None


class JunctionCalculation(CalcJob):
    """From the structure of a junction to its conductance: pw.x, pp.x and pwcond.x in one job.

    The same inputs, guards and gates as in separate jobs, in a tenth of the processes. The guards that need what
    pw.x wrote run when the job is over, before anything is stored. What a restart would mend ends with an exit code
    from 400 on, or below 200: separate jobs, each with its own restarts, take it from there.
    """

    FILENAME_INPUT = "aiida.in"
    FILENAME_OUTPUT = "aiida.out"
    PSEUDO_FOLDER = "pseudo"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        to_node: dict[str, Any] = {"serializer": orm.to_aiida_type}
        spec.inputs["code"].help = "pw.x."
        spec.input("pp_code", valid_type=AbstractCode, help="pp.x, on the same computer.")
        spec.input("pwcond_code", valid_type=AbstractCode, help="pwcond.x, on the same computer.")
        spec.input("structure", valid_type=orm.StructureData, help="The scattering region, from z = 0 on. Å.")
        spec.input(
            "parameters", valid_type=orm.Dict, validator=validate_parameters, help="Namelists of pw.x, FFT grids too."
        )
        spec.input("kpoints", valid_type=orm.KpointsData, help="Mesh of the SCF.")
        spec.input_namespace("pseudos", valid_type=UpfData, dynamic=True, help="By kind.")
        spec.input("left_lead", valid_type=orm.RemoteData, help="Folder of the SCF of both leads.")
        spec.input("lead_readback", valid_type=orm.Dict, help="Results of the read-back of that SCF.")
        spec.expose_inputs(
            PwcondCalculation,
            namespace="pwcond",
            include=("parameters", "kpoints", "energies", "unitarity_tolerance"),
        )
        spec.inputs["pwcond"].validator = None
        spec.inputs["pwcond"]["energies"].validator = validate_fermi_energy
        spec.input(
            "metadata.options.shards",
            valid_type=int,
            default=1,
            validator=validate_shards,
            help="Runs of pwcond.x side by side, each on one core; their number changes no transmission.",
        )
        spec.input("potential_tolerance", valid_type=orm.Float, **to_node, help="As of rewire.transmission, eV.")
        spec.input("snapshots", valid_type=orm.TrajectoryData, required=False, help="Where the junction comes from,")
        spec.input(
            "assembly",
            valid_type=orm.Dict,
            required=False,
            help="of which of them it was made, and what was done to its atoms; see assemble_junctions.",
        )
        spec.input(
            "labels",
            valid_type=orm.Dict,
            **to_node,
            validator=validate_labels,
            default=lambda: orm.Dict({}),
            help="What the conductance is found by.",
        )
        spec.input(
            "density_folder",
            valid_type=orm.RemoteData,
            required=False,
            help="Folder of an SCF in the same cell from whose density this one starts.",
        )
        spec.inputs.validator = validate_inputs
        spec.output("conductance", valid_type=ConductanceData, help="The conductance that passed every gate.")
        spec.output(
            "results",
            valid_type=orm.Dict,
            required=False,
            help="As far as the job came. Of pw.x: ranks, scf_iterations, scf_wall_s (s), fermi_energy_ev. Of pp.x: "
            "readback_difference, layer_potential_ev, readback_wall_s (s). Of pwcond.x, as of rewire.pwcond: "
            "pwcond_shards, pwcond_pairs, pwcond_unitarity_max, pwcond_wall_s (s), pwcond_core_s (s), and so on.",
        )
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.junction",
            input_filename=cls.FILENAME_INPUT,
            output_filename=cls.FILENAME_OUTPUT,
        )
        spec.exit_code(220, "ERROR_GUARD", message="Nothing stored, lead and junction do not fit: {reason}")
        spec.exit_code(303, "ERROR_OUTPUT_MISSING", message="The job left no output of pw.x.")
        for status, label, message in FATAL_EXIT_CODES.values():
            spec.exit_code(status, label, message=message)
        for label in ("UNITARITY", "TOO_MUCH_TRANSMISSION", "NOT_FINITE", "INCONSISTENT", "MISSING"):
            code = PwcondCalculation.exit_codes[f"ERROR_{label}"]
            spec.exit_code(code.status, f"ERROR_{label}", message=code.message)
        spec.exit_code(
            335,
            "ERROR_SCRAMBLED_DENSITY",
            message=ReadbackCalculation.exit_codes["ERROR_SCRAMBLED_DENSITY"].message,
        )
        spec.exit_code(
            336,
            "ERROR_POTENTIAL_MISMATCH",
            message="Nothing stored: V - E_F of lead and junction differ by {mismatch:.3f} eV at a boundary, above "
            "{tolerance:g} eV: add flat layers, or k-points to the SCF of the one that has too few.",
        )
        spec.exit_code(400, "ERROR_INCOMPLETE", message="pwcond.x did not come to its end: {reason}")
        spec.exit_code(420, "ERROR_SCF_INCOMPLETE", message="pw.x did not come to its end: {reason}")
        spec.exit_code(421, "ERROR_SCF_NOT_CONVERGED", message="The SCF did not converge in {steps} iterations.")
        spec.exit_code(422, "ERROR_READBACK", message="The density could not be read back: {reason}")

    @classmethod
    def is_valid_cache(cls, node: orm.ProcessNode) -> bool:
        """Only good ones are reused; nobody needs their scratch."""
        return bool(super().is_valid_cache(node)) and bool(node.is_finished_ok)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the inputs of all programs, and the lines that run pp.x and pwcond.x after pw.x."""
        grid = grid_of_job(self.inputs, self.inputs.metadata.options.shards)
        job = CalcInfo()
        job.local_copy_list = self.write_pw_input(folder)
        for plot in ReadbackCalculation.PLOTS:
            with folder.open(ReadbackCalculation.input_name(plot), "w") as handle:
                handle.write(pp_input(plot))
        lead = self.inputs.left_lead
        save = f"{lead.get_remote_path()}/{SAVE_FOLDER}"
        job.remote_symlink_list = []
        common = self.namelist()
        for index, shard in enumerate(grid.shards):
            namelist = common | shard.namelist() | {"outdir": f"./{shard_folder(index)}"}
            with folder.open(input_name(index), "w") as handle:
                handle.write(pwcond_input(namelist, grid.kpoints, grid.weights, grid.energies.tolist()))
            folder.get_subfolder(shard_folder(index), create=True)
            job.remote_symlink_list.append((lead.computer.uuid, save, f"{shard_folder(index)}/{LEAD}.save"))
        job.remote_copy_list = self.density_files()
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ["-in", self.FILENAME_INPUT]
        code.stdout_name = self.FILENAME_OUTPUT
        job.codes_info = [code]
        job.prepend_text = "\n".join(lines_before_scf())
        job.append_text = "\n".join(self.lines_after_scf(len(grid.shards)))
        plots = ReadbackCalculation.PLOTS
        job.retrieve_list = [
            MISSING_FILE,
            self.FILENAME_OUTPUT,
            f"{SAVE_FOLDER}/{XML_NAME}",
            *(stdout_name(index) for index in range(len(grid.shards))),
            *(ReadbackCalculation.stdout_name(plot) for plot in plots),
        ]
        job.retrieve_temporary_list = [
            f"{SAVE_FOLDER}/{ReadbackCalculation.FILENAME_WRITTEN}",
            *(ReadbackCalculation.grid_name(plot) for plot in plots),
        ]
        return job

    def write_pw_input(self, folder: Folder) -> list[tuple[str, str, str]]:
        """Write the input of pw.x, to fifteen decimals, and return the pseudopotentials to copy."""
        parameters = self.inputs.parameters.get_dict()
        if "density_folder" in self.inputs:
            parameters["ELECTRONS"] = {**parameters.get("ELECTRONS", {}), "startingpot": "file"}
        text, pseudos = ExactPwCalculation._generate_pwcp_inputdata(
            orm.Dict(parameters), {}, self.inputs.pseudos, self.inputs.structure, self.inputs.kpoints
        )
        for name in (self.PSEUDO_FOLDER, SAVE_FOLDER):
            folder.get_subfolder(name, create=True)
        with folder.open(self.FILENAME_INPUT, "w") as handle:
            handle.write(text)
        return list(pseudos)

    def density_files(self) -> list[tuple[str, str, str]]:
        """Return the files of the SCF from whose density this one starts."""
        if "density_folder" not in self.inputs:
            return []
        remote = self.inputs.density_folder
        paths = [f"{SAVE_FOLDER}/{name}" for name in LEAD_FILES]
        return [(remote.computer.uuid, f"{remote.get_remote_path()}/{path}", path) for path in paths]

    def namelist(self) -> dict[str, object]:
        """Return the keys of INPUTCOND that all shards share."""
        lead, junction = parent_run("left_lead", self.inputs.left_lead), np.array(self.inputs.structure.cell)
        return {
            **DEFAULTS,
            **self.inputs.pwcond.parameters.get_dict(),
            "ikind": 1,
            "energy0": 0.0,
            "denergy": 0.0,
            "prefixl": LEAD,
            "prefixs": JUNCTION,
            "bdl": float(lead.cell[2, 2] / lead.alat),
            "bds": float(junction[2, 2] / np.linalg.norm(junction[0])),
        }

    def lines_after_scf(self, shards: int) -> list[str]:
        """Return the lines of the job's script that run pp.x and pwcond.x, and then clear what nobody reads."""
        lines = []
        for plot in ReadbackCalculation.PLOTS:
            arguments = ["-in", ReadbackCalculation.input_name(plot)]
            lines.append(run_line(self.inputs.pp_code, arguments, ReadbackCalculation.stdout_name(plot)))
        for index in range(shards):
            target = PurePosixPath("..", SAVE_FOLDER)
            lines.append(f"ln -s {target} {shard_folder(index)}/{JUNCTION}.save")
        beside = " &" if shards > 1 else ""
        if beside:
            lines.append("export OMP_NUM_THREADS=1")
        for index in range(shards):
            line = run_line(self.inputs.pwcond_code, ["-in", input_name(index)], stdout_name(index))
            lines.append(line + beside)
        if beside:
            lines.append("wait")
        # the density stays, from which a neighbour may start; wavefunctions are many megabytes
        lines.append(f"rm -rf out/*.wfc* {SAVE_FOLDER}/wfc* " + " ".join(map(shard_folder, range(shards))))
        return lines


def lines_before_scf() -> list[str]:
    """Return the lines that end the job before it costs anything, if the lead's files are gone from the scratch."""
    return [
        # a program that fails ends the job; what is printed is in the file at once
        "set -e",
        "export GFORTRAN_UNBUFFERED_PRECONNECTED=y",
        f"for file in {' '.join(LEAD_FILES)}; do",
        f"  [ -r {shard_folder(0)}/{LEAD}.save/$file ] || echo $file >> {MISSING_FILE}",
        "done",
        f"[ ! -e {MISSING_FILE} ] || exit 1",
    ]


def run_line(code: AbstractCode, arguments: list[str], stdout: str) -> str:
    """Return the line of a script that runs a program on one core."""
    words = [*code.get_prepend_cmdline_params(), *code.get_executable_cmdline_params(arguments)]
    return " ".join(escape_for_bash(str(word)) for word in words) + f" > {stdout}"


def shard_folder(index: int) -> str:
    """Name of the private scratch folder of a shard's pwcond.x."""
    return f"cond.{index}"


def crystal_of_structure(structure: orm.StructureData) -> Crystal:
    """Return the crystal of a structure."""
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    sites = structure.sites
    numbers = np.array([atomic_numbers[symbols[site.kind_name]] for site in sites])
    return np.array(structure.cell), np.array([site.position for site in sites]), numbers


def grid_of_job(inputs: Any, shards: int) -> Grid:
    """Return the grid of a job from its inputs (of a process or of its node), cut into shards.

    Raises
    ------
    InvalidInput
        If the lead is that of no good SCF, or the k-points are none.
    """
    energies = descending(inputs["pwcond"]["energies"].get_list())

    def crystals() -> tuple[Crystal, Crystal]:
        return crystal_of(parent_run("left_lead", inputs["left_lead"])), crystal_of_structure(inputs["structure"])

    kpoints, weights = lateral_kpoints(inputs["pwcond"]["kpoints"], crystals)
    return Grid(energies, kpoints, weights, split_grid(len(energies), len(weights), shards))
