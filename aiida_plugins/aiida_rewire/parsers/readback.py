"""Parser of the read-back of an SCF by pp.x."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_rewire.calculations.parents import SAVE_FOLDER, parent_run
from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.errors import InvalidInput
from aiida_rewire.parsers.retrieved import RetrievedFilesParser
from aiida_rewire.transport import readback
from aiida_rewire.transport.boundaries import CELL_TOLERANCE

ERROR_LINE = re.compile(r"Error in routine\s+(.*)\n\s*(.*)")


class ReadbackParser(RetrievedFilesParser):
    """Compare the density as it is read with the density as it was written; measure the potential."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Read both plots and the density file, and store how they differ."""
        for plot in ReadbackCalculation.PLOTS:
            error = ERROR_LINE.search(self.text(ReadbackCalculation.stdout_name(plot)) or "")
            if error:
                return self.exit_code("ERROR_PP", reason=" ".join(error.groups()).strip())
        # AiiDA leaves the temporary folder out where nothing could be retrieved into it
        folder = Path(kwargs.get("retrieved_temporary_folder", ""))
        written = folder / ReadbackCalculation.FILENAME_WRITTEN
        if not written.is_file():
            written = folder / SAVE_FOLDER / ReadbackCalculation.FILENAME_WRITTEN
        grids = {plot: folder / ReadbackCalculation.grid_name(plot) for plot in ReadbackCalculation.PLOTS}
        missing = [path.name for path in (written, *grids.values()) if not path.is_file()]
        if missing:
            return self.exit_code("ERROR_OUTPUT_MISSING", missing=", ".join(missing))
        try:
            run = parent_run("parent_folder", self.node.inputs.parent_folder)
            thickness, height = self.node.inputs.thickness.value, float(run.cell[2, 2])
            density = readback.density_on_grid(readback.read_charge_density(written), run.fft_grid)
            difference = readback.readback_difference(readback.read_pp_grid(grids["density"]), density)
            if run.fermi_energy is None:
                return self.exit_code("ERROR_UNREADABLE", reason="the SCF has no Fermi energy")
            ends = readback.layer_potential(
                readback.read_pp_grid(grids["potential"]),
                run.cell,
                run.fermi_energy,
                # the cell of a lead of one layer, to the last digit
                min(thickness, height) if abs(thickness - height) < CELL_TOLERANCE else thickness,
            )
        except (readback.UnreadableDensity, InvalidInput) as error:
            return self.exit_code("ERROR_UNREADABLE", reason=error)
        self.out("results", orm.Dict({"readback_difference": difference, "layer_potential_ev": list(ends)}))
        if not difference <= readback.READBACK_TOLERANCE:
            return self.exit_code(
                "ERROR_SCRAMBLED_DENSITY", difference=difference, tolerance=readback.READBACK_TOLERANCE
            )
        return None
