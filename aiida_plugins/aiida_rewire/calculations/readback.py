"""An SCF's density and potential as pp.x, and so pwcond.x, reads them back."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.options import set_serial_defaults
from aiida_rewire.calculations.parents import SAVE_FOLDER, check_there, parent_run
from aiida_rewire.errors import InvalidInput


def validate_parent(node: orm.RemoteData | None, _: object) -> str | None:
    """Ask for the folder of a finished SCF."""
    if node is None:
        return None
    try:
        check_there("parent_folder", node)
        parent_run("parent_folder", node)
    except InvalidInput as error:
        return str(error)
    return None


def validate_thickness(node: orm.Float | None, _: object) -> str | None:
    """Ask for a length."""
    if node is not None and not 0 < node.value < float("inf"):
        return str(InvalidInput("thickness", f"{node.value} Å", "above 0 Å", "one layer of the lead is usual"))
    return None


class ReadbackCalculation(ReusedOnlyIfGood, CalcJob):
    """Check that an SCF's density is read back as it was written, and measure the potential at its ends.

    The density file holds Fourier coefficients whose order the reader finds anew; a cell of rounded digits
    lets it find another one, and pwcond.x then computes with a scrambled density, silently.
    """

    PLOTS = {"density": 0, "potential": 1}
    """Value of ``plot_num`` by name: the density as read; V_bare + V_H + V_xc."""

    FILENAME_WRITTEN = "charge-density.dat"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input(
            "parent_folder", valid_type=orm.RemoteData, validator=validate_parent, help="Folder of a pw.x SCF."
        )
        spec.input(
            "thickness",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_thickness,
            help="How much of either end of the cell V - E_F is averaged over, Å: one layer of the lead.",
        )
        spec.output(
            "results",
            valid_type=orm.Dict,
            help="readback_difference, in units of the largest density; layer_potential_ev, V - E_F at both ends; "
            "wall_time_s (s) of both plots.",
        )
        spec.default_output_node = "results"
        set_serial_defaults(
            spec,
            parser_name="rewire.readback",
            input_filename=cls.input_name("density"),
            output_filename=cls.stdout_name("density"),
        )
        spec.exit_code(303, "ERROR_OUTPUT_MISSING", message="pp.x left no {missing}.")
        spec.exit_code(310, "ERROR_PP", message="pp.x stopped: {reason}")
        spec.exit_code(311, "ERROR_UNREADABLE", message="A file cannot be read: {reason}")
        spec.exit_code(
            330,
            "ERROR_SCRAMBLED_DENSITY",
            message="The density is not read back as it was written: they differ by {difference:.1e} of the largest "
            "density, above {tolerance:.0e}. Give cell and positions to fifteen digits, as rewire.pw does.",
        )

    @staticmethod
    def input_name(plot: str) -> str:
        """Name of an input file."""
        return f"{plot}.in"

    @staticmethod
    def stdout_name(plot: str) -> str:
        """Name of the file with what pp.x printed."""
        return f"{plot}.out"

    @staticmethod
    def grid_name(plot: str) -> str:
        """Name of the file that pp.x writes."""
        return f"{plot}.grid"

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write an input file for each of the two plots."""
        remote = self.inputs.parent_folder
        job = CalcInfo()
        job.codes_info = []
        job.retrieve_list = []
        # grids and density are read and left behind: megabytes, and a function of the SCF
        job.retrieve_temporary_list = [f"{SAVE_FOLDER}/{self.FILENAME_WRITTEN}"]
        for plot in self.PLOTS:
            with folder.open(self.input_name(plot), "w") as handle:
                handle.write(pp_input(plot))
            code = CodeInfo()
            code.code_uuid = self.inputs.code.uuid
            code.cmdline_params = ["-in", self.input_name(plot)]
            code.stdout_name = self.stdout_name(plot)
            job.codes_info.append(code)
            job.retrieve_list.append(self.stdout_name(plot))
            job.retrieve_temporary_list.append(self.grid_name(plot))
        folder.get_subfolder("out", create=True)
        job.remote_symlink_list = [(remote.computer.uuid, f"{remote.get_remote_path()}/{SAVE_FOLDER}", SAVE_FOLDER)]
        # the grids are megabytes of text; pp.x writes the wavefunctions once more
        job.append_text = "rm -f out/*.wfc*"
        return job

    @classmethod
    def thickness_of(cls, lead: Any) -> float:
        """Return the thickness (Å) of the first layer of a lead, given its run or its structure's arrays."""
        heights = sorted(z for z in lead.positions[:, 2] if z > LAYER_TOLERANCE)
        return float(heights[0] if heights else lead.cell[2, 2])


def pp_input(plot: str) -> str:
    """Return the input file of a plot."""
    keys = {
        "prefix": "'aiida'",
        "outdir": "'./out'",
        "filplot": f"'{ReadbackCalculation.grid_name(plot)}'",
        "plot_num": ReadbackCalculation.PLOTS[plot],
    }
    lines = [f"  {key} = {value}" for key, value in keys.items()]
    return "\n".join(["&inputpp", *lines, "/", "&plot", "/", ""])


LAYER_TOLERANCE = 0.3
"""Å; atoms nearer than this to z = 0 belong to the first layer."""
