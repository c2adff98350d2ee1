"""Parser of the biased molecular dynamics."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.dump import BrokenDump, read_frames
from aiida_rewire.md.log import RunLog, read_log
from aiida_rewire.md.script import DUMP_FILE
from aiida_rewire.parsers.retrieved import RetrievedFilesParser

TEMPERATURE_COLUMN = "c_mobile_temperature"
LARGEST_TEMPERATURE_RATIO = 2.0
"""A thermostatted run of a hundred mobile atoms stays within 20 % of its temperature."""


class BiasedMdParser(RetrievedFilesParser):
    """Judge the run by its log, and count the frames of its dump."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store what the log says, or the exit code of what went wrong."""
        names = self.file_names()
        log_name = self.node.get_option("output_filename")
        if log_name not in names:
            return self.exit_code("ERROR_LOG_MISSING")
        with tempfile.TemporaryDirectory() as folder:
            self.retrieved.base.repository.copy_tree(Path(folder))
            log = read_log(Path(folder, log_name))
            failure = self.judge_log(log)
            if failure is not None:
                return failure
            if DUMP_FILE not in names:
                return self.exit_code("ERROR_BROKEN_DUMP", reason="there is no dump")
            try:
                steps = [frame.step for frame in read_frames(Path(folder, DUMP_FILE))]
            except BrokenDump as error:
                return self.exit_code("ERROR_BROKEN_DUMP", reason=error)
        interval = self.conditions().dump_interval
        if steps[-1] != log.thermo.get("Step", -1) // interval * interval:
            return self.exit_code(
                "ERROR_BROKEN_DUMP", reason=f"the last is of step {steps[-1]}, before the run's end"
            )
        self.out(
            "results",
            orm.Dict(
                {
                    "lammps_version": log.version,
                    "frames": len(steps),
                    "first_step": steps[0],
                    "last_step": steps[-1],
                    "wall_time_s": log.wall_time_s,
                    "temperature_k": log.thermo.get(TEMPERATURE_COLUMN),
                    "potential_energy_kcal_mol": log.thermo.get("PotEng"),
                    "anode_charge_e": log.thermo.get("v_anode_charge"),
                    "cathode_charge_e": log.thermo.get("v_cathode_charge"),
                }
            ),
        )
        return None

    def conditions(self) -> MdConditions:
        """Return the conditions of the run."""
        return MdConditions.from_mapping(self.node.inputs.parameters.get_dict())

    def judge_log(self, log: RunLog) -> ExitCode | None:
        """Return the exit code that the log deserves, if any."""
        if log.lost_atoms:
            return self.exit_code("ERROR_LOST_ATOMS", reason=log.error)
        if log.error:
            return self.exit_code("ERROR_LAMMPS", reason=log.error)
        if not log.complete:
            return self.exit_code("ERROR_INTERRUPTED")
        wanted = self.conditions().temperature_k
        found = log.thermo.get(TEMPERATURE_COLUMN, float("nan"))
        if not found < LARGEST_TEMPERATURE_RATIO * wanted:
            return self.exit_code("ERROR_TEMPERATURE", found=found, wanted=wanted)
        return None
