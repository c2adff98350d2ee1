"""PWCOND, watched."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import (
    BaseRestartWorkChain,
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
    while_,
)

from aiida_rewire.calculations.pwcond import PwcondCalculation, refuse_parents
from aiida_rewire.workflows.failures import declare_exit_codes_of, end_with_exit_code_of


class PwcondBaseWorkChain(BaseRestartWorkChain):
    """Run pwcond.x on parents that pass the guards; a failure ends with the calculation's own exit code."""

    _process_class = PwcondCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(PwcondCalculation, namespace="pwcond")
        # the guards run in the outline, where a refusal is an exit code rather than an exception
        spec.inputs["pwcond"].validator = None
        spec.expose_outputs(PwcondCalculation)
        declare_exit_codes_of(spec, PwcondCalculation)
        spec.outline(
            cls.setup,
            cls.check_parents,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.exit_code(220, "ERROR_GUARD", message="Nothing was submitted, the parents do not fit: {reason}")

    def setup(self) -> None:
        """Take the inputs of the calculation."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(PwcondCalculation, "pwcond"))

    def check_parents(self) -> ExitCode | None:
        """Run the guards."""
        refusal = refuse_parents(self.ctx.inputs)
        if refusal is None:
            return None
        code: ExitCode = self.exit_codes.ERROR_GUARD.format(reason=refusal)
        return code

    @process_handler(priority=0)
    def end(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Pass the exit code of a failed calculation on."""
        return None if calculation.is_finished_ok else end_with_exit_code_of(calculation)
