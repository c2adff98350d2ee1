"""Defaults of the scheduler options that the calculations share."""

from __future__ import annotations

from aiida.engine import CalcJobProcessSpec


def set_serial_defaults(
    spec: CalcJobProcessSpec, *, parser_name: str, input_filename: str, output_filename: str
) -> None:
    """Run on one core without mpirun unless the user says otherwise, and name the files.

    Parameters
    ----------
    spec
        Of the calculation.
    parser_name
        Entry point of its parser.
    input_filename, output_filename
        What `verdi calcjob inputcat` and `outputcat` show.
    """
    options = spec.inputs["metadata"]["options"]
    options["parser_name"].default = parser_name
    options["withmpi"].default = False
    options["input_filename"].default = input_filename
    options["output_filename"].default = output_filename
    options["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
