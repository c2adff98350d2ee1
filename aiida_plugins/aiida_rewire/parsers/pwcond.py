"""Parser of pwcond.x."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.calculations.pwcond import lateral_kpoints
from aiida_rewire.parsers.retrieved import RetrievedFilesParser
from aiida_rewire.transport import pwcond_output as gates


class PwcondParser(RetrievedFilesParser):
    """Store the transmission if it passes every gate, else end with the gate's exit code."""

    GATES: ClassVar[dict[type[gates.RefusedTransmission], str]] = {
        gates.IncompleteTransmission: "ERROR_INCOMPLETE",
        gates.InconsistentTransmission: "ERROR_INCONSISTENT",
        gates.NonFiniteTransmission: "ERROR_NOT_FINITE",
        gates.TooMuchTransmission: "ERROR_TOO_MUCH_TRANSMISSION",
        gates.BrokenUnitarity: "ERROR_UNITARITY",
    }

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Read the output, gate it, store it."""
        text = self.stdout()
        if text is None:
            return self.exit_code("ERROR_OUTPUT_MISSING")
        output = gates.read_pwcond(text)
        if output.error:
            return self.exit_code("ERROR_PWCOND", reason=output.error)
        _, weights = lateral_kpoints(self.node.inputs.kpoints)
        try:
            result = gates.gate_transmission(
                output,
                self.node.inputs.energies.get_list(),
                weights,
                unitarity_tolerance=self.node.inputs.unitarity_tolerance.value,
            )
        except gates.RefusedTransmission as refusal:
            return self.exit_code(self.GATES[type(refusal)], reason=refusal)
        arrays = orm.ArrayData()
        for key in ("energies", "transmission", "channels", "unitarity"):
            arrays.set_array(key, getattr(result, key))
        self.out("transmission", arrays)
        self.out("results", orm.Dict({"version": output.version, "unitarity_max": float(result.unitarity.max())}))
        return None
