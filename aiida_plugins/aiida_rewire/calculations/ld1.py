"""Generation of a pseudopotential by ld1.x."""

from __future__ import annotations

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec, ProcessBuilder, run_get_node
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.caching import ReusedOnlyIfGood
from aiida_rewire.calculations.options import set_serial_defaults


class Ld1Calculation(ReusedOnlyIfGood, CalcJob):
    """Make a pseudopotential from an input file of ld1.x.

    The input must write ``file_pseudopw`` to a name that ends in ``.UPF``.
    """

    FILENAME_INPUT = "ld1.in"
    FILENAME_STDOUT = "ld1.out"
    PSEUDO_PATTERN = "*.UPF"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("generation", valid_type=orm.SinglefileData, help="Input file of ld1.x.")
        spec.output("pseudo", valid_type=UpfData, help="The pseudopotential.")
        set_serial_defaults(
            spec,
            parser_name="rewire.ld1",
            input_filename=cls.FILENAME_INPUT,
            output_filename=cls.FILENAME_STDOUT,
        )
        spec.exit_code(
            310,
            "ERROR_NO_PSEUDOPOTENTIAL",
            message="ld1.x wrote no pseudopotential: {reason}. Look at its output with `verdi calcjob outputcat`.",
        )
        spec.exit_code(311, "ERROR_INVALID_PSEUDOPOTENTIAL", message="The pseudopotential is not valid: {reason}")

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file."""
        with folder.open(self.FILENAME_INPUT, "w") as handle:
            handle.write(self.inputs.generation.get_content())
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.stdin_name = self.FILENAME_INPUT
        code.stdout_name = self.FILENAME_STDOUT
        job = CalcInfo()
        job.codes_info = [code]
        job.retrieve_list = [self.FILENAME_STDOUT, (self.PSEUDO_PATTERN, ".", 0)]
        return job

    @classmethod
    def run_calculation(cls, builder: ProcessBuilder) -> orm.CalcJobNode:
        """Run it in this process; it takes a second."""
        return run_get_node(builder).node
