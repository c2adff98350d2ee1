"""Parser of pwcond.x."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.calculations.pwcond import FATAL_EXIT_CODES, PwcondCalculation, stdout_name
from aiida_rewire.calculations.pwcond_inputs import Grid, grid_of, scattering_kind
from aiida_rewire.errors import InvalidInput
from aiida_rewire.parsers.retrieved import RetrievedFilesParser
from aiida_rewire.transport import gates
from aiida_rewire.transport.complex_bands import read_complex_bands
from aiida_rewire.transport.pwcond_output import PwcondOutput, ScatteringState, read_pwcond


class GatedPwcondParser(RetrievedFilesParser):
    """A parser of jobs that run pwcond.x: what its outputs say passes the gates, or ends with an exit code."""

    GATES: ClassVar[dict[type[gates.RefusedTransmission], str]] = {
        gates.IncompleteTransmission: "ERROR_MISSING",
        gates.InconsistentTransmission: "ERROR_INCONSISTENT",
        gates.NonFiniteTransmission: "ERROR_NOT_FINITE",
        gates.TooMuchTransmission: "ERROR_TOO_MUCH_TRANSMISSION",
        gates.BrokenUnitarity: "ERROR_UNITARITY",
    }

    def gated(self, grid: Grid, outputs: list[PwcondOutput], tolerance: float) -> list[ScatteringState]:
        """Return the states of all shards that may be believed."""
        states: list[ScatteringState] = []
        for shard, output in zip(grid.shards, outputs, strict=True):
            states += gates.gate_states(
                output,
                energies=grid.energies,
                kpoints=grid.kpoints,
                weights=grid.weights,
                wanted=shard.pairs,
                spin_polarised="spin" in self.node.inputs,
                unitarity_tolerance=tolerance,
            )
        return states

    def failure(self, outputs: list[PwcondOutput]) -> ExitCode | None:
        """Return the exit code of the gravest failure of the shards: a final one before one that a restart mends."""
        errors = [output.error for output in outputs if output.error]
        if errors:
            worst = min(errors, key=lambda error: FATAL_EXIT_CODES[error.kind][0])
            _, label, _ = FATAL_EXIT_CODES[worst.kind]
            return self.exit_code(label, reason=f"{worst.routine}: {worst.message}")
        # the complex bands end without a total
        bands = "bands" in self.outputs
        cut_off = [index for index, output in enumerate(outputs) if not (output.complete or bands)]
        if cut_off:
            reason = "out of wall time" if any(output.out_of_time for output in outputs) else "it has no end"
            return self.exit_code("ERROR_INCOMPLETE", reason=f"{reason}, {len(cut_off)} of {len(outputs)} runs")
        return None


class PwcondParser(GatedPwcondParser):
    """Store what passes every gate, else end with the gate's exit code.

    Of a run that was cut off, the (energy, k) pairs are stored that it had finished.
    """

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Read the outputs, gate them, store them."""
        try:
            grid = grid_of(self.node.inputs)
        except InvalidInput as error:
            return self.exit_code("ERROR_PARENT_FILES", reason=error)
        texts = [self.text(stdout_name(index)) for index in range(len(grid.shards))]
        if not any(texts):
            return self.exit_code("ERROR_OUTPUT_MISSING")
        outputs = [read_pwcond(text or "") for text in texts]
        try:
            if scattering_kind(self.node.inputs) == 0:
                self.store_bands(texts[0] or "", outputs[0])
                unitarity_max = None
            else:
                tolerance = self.node.inputs.unitarity_tolerance.value
                unitarity_max = self.store_transmission(grid, self.gated(grid, outputs, tolerance))
        except gates.RefusedTransmission as refusal:
            return self.exit_code(self.GATES[type(refusal)], reason=refusal)
        results = {**summary(outputs, unitarity_max), "failed_pairs": failed_pairs(grid, outputs)}
        self.out("results", orm.Dict(results))
        return self.failure(outputs)

    def store_transmission(self, grid: Grid, states: list[ScatteringState]) -> float | None:
        """Store what was computed, and return its largest deviation from unitarity."""
        if not states:
            return None
        arrays = orm.ArrayData()
        transmission = gates.grid_of(states, grid.energies, grid.kpoints, grid.weights)
        for field in fields(transmission):
            arrays.set_array(field.name, getattr(transmission, field.name))
        self.out("transmission", arrays)
        return float(np.nanmax(transmission.unitarity))

    def store_bands(self, text: str, output: PwcondOutput) -> None:
        """Store the complex bands of the lead."""
        if output.error:
            return
        found = read_complex_bands(text, self.text(PwcondCalculation.FILENAME_BANDS) or "")
        arrays = orm.ArrayData()
        for field in fields(found):
            arrays.set_array(field.name, getattr(found, field.name))
        self.out("bands", arrays)


def summary(outputs: list[PwcondOutput], unitarity_max: float | None) -> dict[str, Any]:
    """Return what one asks first about a calculation."""
    walls = [output.wall_seconds for output in outputs if output.wall_seconds is not None]
    memories = [output.memory_mb for output in outputs if output.memory_mb is not None]
    versions = [output.version for output in outputs if output.version]
    routines = sorted({name for output in outputs for name in output.timings})
    values = {
        "version": versions[0] if versions else None,
        "shards": len(outputs),
        "pairs": sum(len(output.states) for output in outputs),
        "unitarity_max": unitarity_max,
        "wall_seconds": max(walls, default=None),
        "core_seconds": sum(walls) * (outputs[0].n_ranks or 1) if walls else None,
        "memory_mb": max(memories, default=None),
        "timings": {name: sum(output.timings.get(name, 0.0) for output in outputs) for name in routines},
    }
    return {key: value for key, value in values.items() if value is not None}


def failed_pairs(grid: Grid, outputs: list[PwcondOutput]) -> list[list[int]]:
    """Return, of each shard that a fatal error ended, the (energy, k) pair at which it did: k runs slower."""
    failed = []
    for shard, output in zip(grid.shards, outputs, strict=True):
        printed = {(state.energy_index, state.kpoint_index) for state in output.states}
        left = sorted(shard.pairs - printed, key=lambda pair: pair[::-1])
        if output.error and left:
            failed.append(list(left[0]))
    return failed
