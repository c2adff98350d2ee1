"""Ballistic transmission by pwcond.x."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.calculations.parents import parent_run
from aiida_rewire.calculations.pwcond_inputs import (
    SPINS,
    given_parents,
    grid_of,
    refuse_parents,
    scattering_kind,
    to_energies,
    to_kpoints,
    validate_boundaries,
    validate_energies,
    validate_kpoints,
    validate_parameters,
    validate_shards,
    validate_spin,
    validate_tolerance,
)
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.numerics import DEFAULTS
from aiida_rewire.transport.parallel import check_ranks
from aiida_rewire.transport.pwcond_input import pwcond_input
from aiida_rewire.transport.pwcond_output import FatalKind

SHARE_OF_WALLTIME = 0.95
"""pwcond.x ends in order after this part of the wall time, and what it computed is kept."""

FATAL_EXIT_CODES = {
    FatalKind.OTHER: (310, "ERROR_PWCOND", "pwcond.x stopped: {reason}"),
    FatalKind.FIRST_LAYER: (311, "ERROR_FIRST_LAYER", "The first layer of a region is not at z = 0: {reason}"),
    FatalKind.NRZTOT: (312, "ERROR_SLABS", "The slabs of a region do not match its FFT grid: {reason}"),
    FatalKind.ATOMIC_SPHERES: (313, "ERROR_ATOMIC_SPHERES", "A region is thinner than an atom's sphere: {reason}"),
    FatalKind.CUTOFFS: (314, "ERROR_CUTOFFS", "The regions have different cutoffs: {reason}"),
    FatalKind.SPIN_ORBIT: (315, "ERROR_SPIN_ORBIT", "The regions differ in spin-orbit coupling: {reason}"),
    FatalKind.POOLS: (316, "ERROR_POOLS", "pwcond.x knows no pools: {reason}"),
    FatalKind.RANKS: (317, "ERROR_RANKS", "The number of ranks is not 2^N: {reason}"),
    FatalKind.SHARD_BOUNDS: (318, "ERROR_SHARD_BOUNDS", "pwcond.x refused the bounds of a shard: {reason}"),
    FatalKind.PARENT_FILES: (319, "ERROR_PARENT_FILES", "Files of an SCF cannot be read: {reason}"),
    FatalKind.INPUT: (320, "ERROR_INPUT_FILE", "pwcond.x could not read its input: {reason}"),
    FatalKind.GENERALISED_EIGENPROBLEM: (410, "ERROR_COMPLEX_BANDS", "The complex bands failed: {reason}"),
    FatalKind.HERMITIAN_EIGENPROBLEM: (411, "ERROR_LATERAL_BASIS", "The basis of a slab failed: {reason}"),
    FatalKind.GRAM_SCHMIDT: (412, "ERROR_GRAM_SCHMIDT", "The orthogonalisation failed: {reason}"),
    FatalKind.LINEAR_EQUATIONS: (413, "ERROR_LINEAR_EQUATIONS", "The matching at the boundaries failed: {reason}"),
}
"""Status, label and message by kind of fatal error; those from 410 on yield to other numerics."""

NUMERICAL_EXIT_CODES = frozenset(status for status, _, _ in FATAL_EXIT_CODES.values() if status >= 400)


def validate_inputs(inputs: dict[str, Any], ports: Container[str]) -> str | None:
    """Run the guards on the parents, and check what the inputs mean together."""
    if "left_lead" not in ports or "junction" not in ports:
        # a work chain that exposes these inputs without them provides them itself
        return None
    refusal = refuse_parents(inputs) or refuse_ranks(inputs)
    if refusal:
        return refusal
    try:
        grid = grid_of(inputs)
    except InvalidInput as error:
        return str(error)
    if scattering_kind(inputs) == 0 and len(grid.shards) > 1:
        return str(InvalidInput("shards", len(grid.shards), "one for complex bands", "leave the input out"))
    return None


def refuse_ranks(inputs: dict[str, Any], shards_per_job: int = 1) -> str | None:
    """Return why pwcond.x would not run on so many ranks, if it would not."""
    options = inputs.get("metadata", {}).get("options", {})
    if not options.get("withmpi"):
        return None
    resources = options["resources"]
    ranks = resources.get("tot_num_mpiprocs") or (
        resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    )
    try:
        check_ranks(ranks, 1)
    except InvalidInput as error:
        return str(InvalidInput("metadata.options.resources", error.value, error.bound, error.way_out))
    if max(shards_per_job, len(inputs["shards"].get_list()) if "shards" in inputs else 1) > 1:
        bound = "withmpi = False: shards run side by side, each on one core"
        return str(InvalidInput("shards", "several, with MPI", bound, "or one shard a job"))
    return None


def input_name(shard: int) -> str:
    """Name of the input file of a shard."""
    return "pwcond.in" if shard == 0 else f"pwcond.{shard}.in"


def stdout_name(shard: int) -> str:
    """Name of the file with what a shard's pwcond.x printed."""
    return "pwcond.out" if shard == 0 else f"pwcond.{shard}.out"


def scratch_name(shard: int) -> str:
    """Name of the private scratch folder of a shard."""
    return "out" if shard == 0 else f"out.{shard}"


class PwcondCalculation(ReusedOnlyIfGood, CalcJob):
    """Transmission of a junction between two leads, or the complex bands of a lead.

    With ``junction`` the two leads are equal (``ikind = 1``), with ``right_lead`` as well they differ
    (``ikind = 2``), with ``left_lead`` alone its complex bands are computed (``ikind = 0``). The guards run
    on what pw.x wrote of its runs before anything is submitted.
    """

    BANDS = "bands"
    FILENAME_BANDS = "bands.3d"
    PREFIXES = {"left_lead": "left", "junction": "junction", "right_lead": "right", "whole": "whole"}
    PREFIX_KEYS = {"left_lead": "prefixl", "junction": "prefixs", "right_lead": "prefixr", "whole": "prefixt"}
    BOUNDARY_OF = {"left_lead": "bdl", "junction": "bds", "right_lead": "bdr"}

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("left_lead", valid_type=orm.RemoteData, required=False, help="Folder of the SCF of the left lead.")
        spec.input(
            "junction", valid_type=orm.RemoteData, required=False, help="Folder of the SCF of the scattering region."
        )
        spec.input(
            "right_lead",
            valid_type=orm.RemoteData,
            required=False,
            help="Folder of the SCF of the right lead, where it differs from the left one.",
        )
        spec.input(
            "whole",
            valid_type=orm.RemoteData,
            required=False,
            help="Folder of one SCF that holds leads and junction, cut by `boundaries`; instead of the others.",
        )
        spec.input(
            "boundaries",
            valid_type=orm.Dict,
            required=False,
            serializer=orm.to_aiida_type,
            validator=validate_boundaries,
            help="bdl, bds, bdr in units of alat; derived from the cells where they are not given.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_parameters,
            default=lambda: orm.Dict({}),
            help="Keys of the namelist INPUTCOND: ewind (Ry, 1.0), epsproj (1e-5), nz1 (11), ...",
        )
        spec.input(
            "kpoints",
            valid_type=orm.KpointsData,
            serializer=to_kpoints,
            validator=validate_kpoints,
            help="Lateral k-points: [kx, ky, weight] in crystal coordinates, the weights summing to 1, or "
            "{mesh: [n1, n2]}, which is reduced by symmetry.",
        )
        spec.input(
            "energies",
            valid_type=orm.List,
            serializer=to_energies,
            validator=validate_energies,
            default=lambda: orm.List([0.0]),
            help="eV from the Fermi energy: a list, or {start, stop, step}. Computed in descending order.",
        )
        spec.input(
            "shards",
            valid_type=orm.List,
            required=False,
            serializer=orm.to_aiida_type,
            validator=validate_shards,
            help="Rectangles of the grid, [first k, last k, first energy, last energy] from 0 on, run side by side.",
        )
        spec.input(
            "spin",
            valid_type=orm.Str,
            required=False,
            serializer=orm.to_aiida_type,
            validator=validate_spin,
            help="up or down, where the SCF runs are spin-polarised.",
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
            required=False,
            help="energies (eV, descending), kpoints, weights; transmission (per spin), channels, unitarity, "
            "eigenchannels: (energies, k), NaN where a run ended before.",
        )
        spec.output(
            "bands",
            valid_type=orm.ArrayData,
            required=False,
            help="Complex bands of the lead: wave_vectors with energy_index and kpoint_index; energies, channels.",
        )
        spec.output("results", valid_type=orm.Dict, required=False, help="Version, timings, largest non-unitarity.")
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.pwcond",
            input_filename=input_name(0),
            output_filename=stdout_name(0),
        )
        spec.exit_code(303, "ERROR_OUTPUT_MISSING", message="pwcond.x left no output.")
        for status, label, message in FATAL_EXIT_CODES.values():
            spec.exit_code(status, label, message=message)
        spec.exit_code(
            330,
            "ERROR_UNITARITY",
            message="No transmission stored, unitarity is broken: {reason}. Add buffer layers.",
        )
        spec.exit_code(331, "ERROR_TOO_MUCH_TRANSMISSION", message="No transmission stored: {reason}")
        spec.exit_code(332, "ERROR_NOT_FINITE", message="No transmission stored: {reason}")
        spec.exit_code(333, "ERROR_INCONSISTENT", message="No transmission stored: {reason}")
        spec.exit_code(334, "ERROR_MISSING", message="No transmission stored, a (k, E) is missing: {reason}")
        spec.exit_code(
            400,
            "ERROR_INCOMPLETE",
            message="The output is cut off (killed, or out of wall time); complete (k, E) are kept: {reason}",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write an input file for each shard; link the parents under names of their own."""
        grid = grid_of(self.inputs)
        asked = self.inputs.energies.get_list()
        if asked != sorted(asked, reverse=True):
            self.report("the energies were put in descending order, in which pwcond.x wants them")
        parents = given_parents(self.inputs)
        job = CalcInfo()
        job.codes_info = []
        job.codes_run_mode = CodeRunMode.PARALLEL if len(grid.shards) > 1 else CodeRunMode.SERIAL
        job.retrieve_list = []
        job.remote_symlink_list = []
        # a line that is printed is in the file at once: what a killed run computed can be read
        job.prepend_text = "export GFORTRAN_UNBUFFERED_PRECONNECTED=y"
        if len(grid.shards) > 1:
            job.prepend_text += "\nexport OMP_NUM_THREADS=1"
        common = self.namelist()
        for index, shard in enumerate(grid.shards):
            namelist = common | shard.namelist() | {"outdir": f"./{scratch_name(index)}"}
            with folder.open(input_name(index), "w") as handle:
                handle.write(pwcond_input(namelist, grid.kpoints, grid.weights, grid.energies.tolist()))
            folder.get_subfolder(scratch_name(index), create=True)
            code = CodeInfo()
            code.code_uuid = self.inputs.code.uuid
            code.cmdline_params = ["-in", input_name(index)]
            code.stdout_name = stdout_name(index)
            job.codes_info.append(code)
            job.retrieve_list.append(stdout_name(index))
            job.remote_symlink_list += [
                (
                    remote.computer.uuid,
                    f"{remote.get_remote_path()}/out/aiida.save",
                    f"{scratch_name(index)}/{self.PREFIXES[name]}.save",
                )
                for name, remote in parents.items()
            ]
        # each run writes the wavefunctions of every region once more, which nobody reads
        job.append_text = "rm -f out/*.wfc* out.*/*.wfc*"
        if scattering_kind(self.inputs) == 0:
            job.retrieve_list.append(self.FILENAME_BANDS)
        return job

    def namelist(self) -> dict[str, object]:
        """Return the keys of INPUTCOND that all shards share."""
        parents = given_parents(self.inputs)
        kind = scattering_kind(self.inputs)
        parameters = {**DEFAULTS, **self.inputs.parameters.get_dict()}
        keys: dict[str, object] = {**parameters, "ikind": kind, "energy0": 0.0, "denergy": 0.0}
        for name, remote in parents.items():
            keys[self.PREFIX_KEYS[name]] = self.PREFIXES[name]
            if name in self.BOUNDARY_OF:
                run = parent_run(name, remote)
                keys[self.BOUNDARY_OF[name]] = float(run.cell[2, 2] / run.alat)
        if "boundaries" in self.inputs:
            keys |= {key: float(value) for key, value in self.inputs.boundaries.get_dict().items()}
        if "spin" in self.inputs:
            keys["iofspin"] = SPINS[self.inputs.spin.value]
        if kind == 0:
            keys["band_file"] = self.BANDS
        else:
            # without a tran_prefix pwcond.x does not look at max_seconds
            keys["tran_prefix"] = "t"
            walltime = self.inputs.metadata.options.get("max_wallclock_seconds")
            if walltime:
                keys["max_seconds"] = float(int(SHARE_OF_WALLTIME * walltime))
        return keys
