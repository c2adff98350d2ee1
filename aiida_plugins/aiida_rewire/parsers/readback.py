"""Parser of the read-back of an SCF by pp.x."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.calculations.parents import SAVE_FOLDER, parent_run
from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.errors import InvalidInput
from aiida_rewire.parsers.retrieved import RetrievedFilesParser
from aiida_rewire.transport import readback
from aiida_rewire.transport.boundaries import CELL_TOLERANCE
from aiida_rewire.transport.pw_xml import PwRun
from aiida_rewire.transport.pwcond_output import CLOCK, clock_seconds

ERROR_LINE = re.compile(r"Error in routine\s+(.*)\n\s*(.*)")


class FilesMissing(ValueError):
    """Files that pp.x or pw.x should have left, by name."""


def error_of_pp(texts: Mapping[str, str | None]) -> str | None:
    """Return the error that pp.x printed in one of its outputs, by plot, if it did."""
    for text in texts.values():
        error = ERROR_LINE.search(text or "")
        if error:
            return " ".join(error.groups()).strip()
    return None


def read_back(folder: Path, run: PwRun, thickness: float) -> tuple[float, tuple[float, float]]:
    """Compare the density as it is read with the density as it was written; measure the potential.

    Parameters
    ----------
    folder
        What was retrieved: the density file of pw.x and the grids of pp.x.
    run
        The SCF.
    thickness
        Of the layer at either end over which V - E_F is averaged, Å.

    Returns
    -------
    tuple
        Largest difference, in units of the largest density; V - E_F at both ends, eV.

    Raises
    ------
    FilesMissing
        Names the files.
    UnreadableDensity
        If a file is not what it should be, or the SCF has no Fermi energy.
    InvalidInput
        If grid or thickness do not fit the cell.
    """
    written = folder / ReadbackCalculation.FILENAME_WRITTEN
    if not written.is_file():
        written = folder / SAVE_FOLDER / ReadbackCalculation.FILENAME_WRITTEN
    grids = {plot: folder / ReadbackCalculation.grid_name(plot) for plot in ReadbackCalculation.PLOTS}
    missing = [path.name for path in (written, *grids.values()) if not path.is_file()]
    if missing:
        raise FilesMissing(", ".join(missing))
    if run.fermi_energy is None:
        raise readback.UnreadableDensity("the SCF has no Fermi energy")
    density = readback.density_on_grid(readback.read_charge_density(written), run.fft_grid)
    difference = readback.readback_difference(readback.read_pp_grid(grids["density"]), density)
    height = float(run.cell[2, 2])
    ends = readback.layer_potential(
        readback.read_pp_grid(grids["potential"]),
        run.cell,
        run.fermi_energy,
        # the cell of a lead of one layer, to the last digit
        min(thickness, height) if abs(thickness - height) < CELL_TOLERANCE else thickness,
    )
    if not np.isfinite([difference, *ends]).all():
        raise readback.UnreadableDensity("a density of nothing, or a potential beyond all numbers")
    return difference, ends


def plot_seconds(texts: Iterable[str | None]) -> float:
    """Return the wall time of both plots from what pp.x printed, s."""
    clocks = [CLOCK.match(line) for text in texts for line in (text or "").splitlines()]
    return sum(clock_seconds(clock.group(2)) for clock in clocks if clock and clock.group(1) == "POST-PROC")


class ReadbackParser(RetrievedFilesParser):
    """Compare the density as it is read with the density as it was written; measure the potential."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Read both plots and the density file, and store how they differ."""
        plots = ReadbackCalculation.PLOTS
        printed = {plot: self.text(ReadbackCalculation.stdout_name(plot)) for plot in plots}
        refusal = error_of_pp(printed)
        if refusal:
            return self.exit_code("ERROR_PP", reason=refusal)
        # AiiDA leaves the temporary folder out where nothing could be retrieved into it
        folder = Path(kwargs.get("retrieved_temporary_folder", ""))
        try:
            run = parent_run("parent_folder", self.node.inputs.parent_folder)
            difference, ends = read_back(folder, run, self.node.inputs.thickness.value)
        except FilesMissing as error:
            return self.exit_code("ERROR_OUTPUT_MISSING", missing=error)
        except (readback.UnreadableDensity, InvalidInput) as error:
            return self.exit_code("ERROR_UNREADABLE", reason=error)
        results = {"readback_difference": difference, "layer_potential_ev": list(ends)}
        self.out("results", orm.Dict({**results, "wall_time_s": plot_seconds(printed.values())}))
        if not difference <= readback.READBACK_TOLERANCE:
            return self.exit_code(
                "ERROR_SCRAMBLED_DENSITY", difference=difference, tolerance=readback.READBACK_TOLERANCE
            )
        return None
