"""`python -m aiida_rewire.cli`."""

from aiida_rewire.cli.main import main

main(prog_name="aiida-rewire")
