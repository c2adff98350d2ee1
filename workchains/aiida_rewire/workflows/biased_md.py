"""Biased molecular dynamics, watched."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessHandlerReport, ProcessSpec, process_handler, while_

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.workflows.failures import declare_exit_codes_of, end_with_exit_code_of


class BiasedMdWorkChain(BaseRestartWorkChain):
    """Run a biased molecular dynamics; a failure ends with the calculation's own exit code."""

    _process_class = BiasedMdCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(BiasedMdCalculation, namespace="md")
        spec.expose_outputs(BiasedMdCalculation)
        declare_exit_codes_of(spec, BiasedMdCalculation)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )

    def setup(self) -> None:
        """Take the inputs of the calculation."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(BiasedMdCalculation, "md"))

    @process_handler(priority=0)
    def end(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Pass the exit code of a failed calculation on."""
        return None if calculation.is_finished_ok else end_with_exit_code_of(calculation)
