"""Parser of the biased molecular dynamics."""

from __future__ import annotations

import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.bias.outputs import SERIES_FILE
from aiida_rewire.calculations.biased_md import type_numbers
from aiida_rewire.md.bias_series import BrokenSeries, read_series
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.driven import COMPRESSED_DUMP
from aiida_rewire.md.dump import BrokenDump, read_frames
from aiida_rewire.md.log import TEMPERATURE_COLUMN, RunLog, read_log
from aiida_rewire.md.script import CHECKPOINTS, DUMP_FILE
from aiida_rewire.parsers.retrieved import RetrievedFilesParser, copy_object

LARGEST_TEMPERATURE_RATIO = 2.0
"""A thermostatted run of a hundred mobile atoms stays within 20 % of its temperature."""

DUMPS = (DUMP_FILE, COMPRESSED_DUMP)
"""Frames that lie there uncompressed are whole; what was made of them so far may not be."""


class BiasedMdParser(RetrievedFilesParser):
    """Judge the run by its log, and keep what it did up to its last checkpoint."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store what the log says, or the exit code of what went wrong."""
        log_name = self.node.get_option("output_filename")
        if log_name not in self.file_names:
            return self.exit_code("ERROR_LOG_MISSING", reason=self.last_words())
        with tempfile.TemporaryDirectory() as folder:
            log = read_log(self.copied(log_name, Path(folder)))
            failure = self.judge_log(log)
            if failure is not None:
                return failure
            if log.checkpoint is None:
                return self.exit_code("ERROR_NO_CHECKPOINT", reason=self.last_words())
            if not self.checkpoints_follow(log.checkpoints):
                return self.exit_code("ERROR_NO_CHECKPOINT", reason="the log names checkpoints that no run makes")
            last_step, steps = log.checkpoint[0], self.conditions().steps
            failure = self.read_dump(log, *log.checkpoint, Path(folder)) or self.read_bias(last_step)
        if failure is not None:
            return failure
        # whatever the last line says: a job killed while it ended has made its steps all the same
        return None if last_step == steps else self.exit_code("ERROR_UNFINISHED", step=last_step, steps=steps)

    def conditions(self) -> MdConditions:
        """Return the conditions of the run."""
        return MdConditions.from_mapping(self.node.inputs.parameters.get_dict())

    def copied(self, name: str, folder: Path) -> Path:
        """Return the path of a copy of a retrieved file."""
        path = folder / name
        copy_object(self.retrieved, name, path)
        return path

    def last_words(self) -> str:
        """Return the last line that the job wrote to its standard error."""
        text = self.text(self.node.get_option("scheduler_stderr") or "") or ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def judge_log(self, log: RunLog) -> ExitCode | None:
        """Return the exit code that the log deserves, if any."""
        if log.lost_atoms:
            return self.exit_code("ERROR_LOST_ATOMS", reason=log.error)
        if log.error:
            return self.exit_code("ERROR_LAMMPS", reason=log.error)
        wanted = self.conditions().temperature_k
        wild = [found for found in log.temperatures if not found < LARGEST_TEMPERATURE_RATIO * wanted]
        if wild:
            return self.exit_code("ERROR_TEMPERATURE", found=wild[0], wanted=wanted)
        if log.unconverged:
            return self.exit_code(
                "ERROR_CHARGES_NOT_CONVERGED", count=len(log.unconverged), reason=log.unconverged[0]
            )
        return None

    def first_step(self) -> int:
        """Return the step at which the job began."""
        parent = self.node.inputs.parent_results if "parent_results" in self.node.inputs else None
        return 0 if parent is None or parent["complete"] else int(parent["last_step"])

    def checkpoints_follow(self, checkpoints: tuple[tuple[int, str], ...]) -> bool:
        """Whether the checkpoints are, as far as they go, those that the job was to write."""
        conditions, first = self.conditions(), self.first_step()
        end = min(conditions.steps, first + (conditions.job_steps or conditions.steps))
        steps = [*range(first + conditions.checkpoint_interval, end, conditions.checkpoint_interval), end]
        expected = zip(steps, cycle(CHECKPOINTS), strict=False)
        return list(checkpoints) == list(islice(expected, len(checkpoints)))

    def expected_steps(self, last_step: int, interval: int) -> list[int]:
        """Return the steps up to the last checkpoint, without the one with which the job before ended."""
        first = self.first_step()
        return [step for step in range(0, last_step + 1, interval) if step > first or step == 0 == first]

    def read_dump(self, log: RunLog, last_step: int, checkpoint_file: str, folder: Path) -> ExitCode | None:
        """Check the frames up to the last checkpoint, and store the results."""
        names = [name for name in DUMPS if name in self.file_names]
        if not names:
            return self.exit_code("ERROR_DUMP_MISSING", name=DUMP_FILE)
        try:
            types = type_numbers(self.node.inputs.structure)
            frames = read_frames(self.copied(names[0], folder), last_step=last_step, types=types)
            steps = [frame.step for frame in frames]
        except BrokenDump as error:
            return self.exit_code("ERROR_BROKEN_DUMP", reason=error)
        expected = self.expected_steps(last_step, self.conditions().dump_interval)
        if steps != expected:
            missing = sorted(set(expected) - set(steps))
            reason = f"{len(missing)} are missing, the first of step {missing[0]}" if missing else "some are too many"
            return self.exit_code("ERROR_BROKEN_DUMP", reason=f"{reason}; {frames.broken or 'nothing is cut off'}")
        self.out(
            "results",
            orm.Dict(
                {
                    "lammps_version": log.version,
                    "complete": last_step == self.conditions().steps,
                    "first_step": self.first_step(),
                    "last_step": last_step,
                    "checkpoint_file": checkpoint_file,
                    "dump_file": names[0],
                    "frames": len(steps),
                    "wall_time_s": log.wall_time_s,
                    "mpi_ranks": log.ranks,
                    "temperature_k": log.thermo.get(TEMPERATURE_COLUMN),
                    "potential_energy_kcal_mol": log.thermo.get("PotEng"),
                    "anode_charge_e": log.thermo.get("v_anode_charge"),
                    "cathode_charge_e": log.thermo.get("v_cathode_charge"),
                }
            ),
        )
        return None

    def read_bias(self, last_step: int) -> ExitCode | None:
        """Store voltage and currents, where the driver wrote them."""
        conditions = self.conditions()
        if conditions.bias != "driver":
            return None
        text = self.text(SERIES_FILE)
        if text is None:
            return self.exit_code("ERROR_BROKEN_BIAS_SERIES", reason=f"no file {SERIES_FILE}")
        try:
            # a line without its end may lack digits
            series = read_series(text[: text.rfind("\n") + 1].splitlines(), last_step)
        except BrokenSeries as error:
            return self.exit_code("ERROR_BROKEN_BIAS_SERIES", reason=error)
        every, interval = conditions.callback_interval, conditions.dump_interval
        expected = [step for step in self.expected_steps(last_step, every) if step % interval < every]
        if series["step"].tolist() != expected:
            return self.exit_code("ERROR_BROKEN_BIAS_SERIES", reason="its steps are not those of the run")
        self.out("bias", orm.ArrayData(series))
        return None
