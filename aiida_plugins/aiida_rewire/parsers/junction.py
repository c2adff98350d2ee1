"""Parser of a junction's single job: pw.x, pp.x and pwcond.x."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode

from aiida_rewire.calculations.junction import MISSING_FILE, grid_of_job
from aiida_rewire.calculations.parents import XML_NAME, parent_run, run_with_pseudos
from aiida_rewire.calculations.pwcond import stdout_name
from aiida_rewire.calculations.pwcond_inputs import Grid
from aiida_rewire.calculations.readback import ReadbackCalculation
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import LABELS
from aiida_rewire.errors import InvalidInput
from aiida_rewire.parsers.pwcond import GatedPwcondParser, summary
from aiida_rewire.parsers.readback import FilesMissing, error_of_pp, plot_seconds, read_back
from aiida_rewire.transport import gates
from aiida_rewire.transport.parents import ParentRun, check_parents
from aiida_rewire.transport.pw_xml import PwRun, UnreadableXml, read_pw_xml
from aiida_rewire.transport.pwcond_output import read_pwcond
from aiida_rewire.transport.readback import READBACK_TOLERANCE, UnreadableDensity, potential_mismatch

LAST_LINES = 3
"""Of what pw.x printed, to say why it stopped."""


@dataclass
class Readback:
    """What the read-back gave: see `read_back`."""

    readback_difference: float
    layer_potential_ev: tuple[float, float]


class JunctionParser(GatedPwcondParser):
    """Store the conductance if every guard and gate lets it pass, else end with the first refusal."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Go through the programs in the order in which they ran."""
        results: dict[str, Any] = {}
        code = self.judge(Path(kwargs.get("retrieved_temporary_folder", "")), results)
        if results:
            self.out("results", orm.Dict(results))
        return code

    def judge(self, folder: Path, results: dict[str, Any]) -> ExitCode | None:
        """Store the conductance, or return why there is none; fill in the results as far as the job came."""
        missing = self.text(MISSING_FILE)
        if missing is not None:
            files = f"{', '.join(missing.split())} of the lead, in <{self.given['left_lead'].pk}>"
            return self.exit_code("ERROR_PARENT_FILES", reason=files)
        run = self.scf()
        if isinstance(run, ExitCode):
            return run
        results |= {
            "ranks": run.n_ranks,
            "scf_iterations": run.scf_steps,
            "scf_wall_s": run.wall_seconds,
            "fermi_energy_ev": run.fermi_energy,
        }
        printed = {plot: self.text(ReadbackCalculation.stdout_name(plot)) for plot in ReadbackCalculation.PLOTS}
        found = self.readback(run, printed, folder)
        if isinstance(found, ExitCode):
            return found
        results |= {**asdict(found), "readback_wall_s": plot_seconds(printed.values())}
        return self.refused(run, found) or self.conductance(found, results)

    @cached_property
    def given(self) -> dict[str, Any]:
        """Inputs of the job, namespaces within; looked up in the database at once."""
        links = self.node.base.links.get_incoming(link_type=LinkType.INPUT_CALC)
        inputs: dict[str, Any] = links.nested()
        return inputs

    @cached_property
    def lead(self) -> ParentRun:
        """The SCF of the leads."""
        return parent_run("left_lead", self.given["left_lead"])

    def scf(self) -> ParentRun | ExitCode:
        """Return the SCF as pw.x wrote it down."""
        text = self.stdout()
        if text is None:
            return self.exit_code("ERROR_OUTPUT_MISSING")
        if XML_NAME not in self.file_names:
            last = [line.strip(" %") for line in text.splitlines() if line.strip(" %")][-LAST_LINES:]
            return self.exit_code("ERROR_SCF_INCOMPLETE", reason="; ".join(last) or "it printed nothing")
        try:
            run = read_pw_xml(self.folder.base.repository.get_object_content(XML_NAME, mode="rb"))
            if not run.converged:
                return self.exit_code("ERROR_SCF_NOT_CONVERGED", steps=run.scf_steps)
            if not is_of(run, self.given["structure"]):
                # a warm start puts the file of another SCF in its place
                return self.exit_code("ERROR_SCF_INCOMPLETE", reason=f"{XML_NAME} is that of other atoms")
            return run_with_pseudos("junction", run, self.given["pseudos"])
        except UnreadableXml as error:
            return self.exit_code("ERROR_SCF_INCOMPLETE", reason=f"{XML_NAME}: {error}")
        except InvalidInput as error:
            return self.exit_code("ERROR_GUARD", reason=error)

    def readback(self, run: PwRun, printed: dict[str, str | None], folder: Path) -> Readback | ExitCode:
        """Compare the density as pwcond.x reads it with what pw.x wrote."""
        reason = error_of_pp(printed)
        if reason:
            return self.exit_code("ERROR_READBACK", reason=reason)
        try:
            return Readback(*read_back(folder, run, ReadbackCalculation.thickness_of(self.lead)))
        except (FilesMissing, UnreadableDensity, InvalidInput) as error:
            return self.exit_code("ERROR_READBACK", reason=error)

    def refused(self, run: ParentRun, found: Readback) -> ExitCode | None:
        """Run the guards that pwcond.x itself has not, on what pw.x and pp.x left."""
        try:
            check_parents(self.lead, run)
        except InvalidInput as error:
            return self.exit_code("ERROR_GUARD", reason=error)
        if not found.readback_difference <= READBACK_TOLERANCE:
            return self.exit_code(
                "ERROR_SCRAMBLED_DENSITY", difference=found.readback_difference, tolerance=READBACK_TOLERANCE
            )
        mismatch, tolerance = self.mismatch(found), self.given["potential_tolerance"].value
        if not mismatch <= tolerance:
            return self.exit_code("ERROR_POTENTIAL_MISMATCH", mismatch=mismatch, tolerance=tolerance)
        return None

    def mismatch(self, found: Readback) -> float:
        """Return how far V - E_F of lead and junction differ at their boundaries, eV."""
        lead = self.given["lead_readback"]["layer_potential_ev"]
        return potential_mismatch(tuple(lead), found.layer_potential_ev)

    def conductance(self, found: Readback, results: dict[str, Any]) -> ExitCode | None:
        """Store the conductance of a transmission that passes every gate."""
        inputs = self.given
        grid: Grid = grid_of_job(inputs, self.node.get_option("shards") or 1)
        texts = [self.text(stdout_name(index)) for index in range(len(grid.shards))]
        if not any(texts):
            return self.exit_code("ERROR_INCOMPLETE", reason="it left no output")
        outputs = [read_pwcond(text or "") for text in texts]
        try:
            states = self.gated(grid, outputs, inputs["pwcond"]["unitarity_tolerance"].value)
        except gates.RefusedTransmission as refusal:
            return self.exit_code(self.GATES[type(refusal)], reason=refusal)
        of_pwcond = summary(outputs, max((state.unitarity for state in states), default=None))
        results |= {f"pwcond_{SHORT.get(key, key)}": value for key, value in of_pwcond.items()}
        failure = self.failure(outputs)
        if failure is not None:
            return failure
        transmission = gates.grid_of(states, grid.energies, grid.kpoints, grid.weights)
        if not transmission.computed.all():
            holes = int((~transmission.computed).sum())
            return self.exit_code("ERROR_MISSING", reason=f"{holes} of {transmission.computed.size} (k, E)")
        labels = inputs["assembly"][LABELS] if "assembly" in inputs else {}
        self.out(
            "conductance",
            ConductanceData.from_transmission(
                **vars(transmission),
                numerics=np.zeros(transmission.transmission.shape, dtype=np.int64),
                ladder=[{}],
                potential_mismatch_ev=self.mismatch(found),
                labels={**inputs["labels"].get_dict(), **labels},
            ),
        )
        return None


def is_of(run: PwRun, structure: orm.StructureData) -> bool:
    """Whether a run of pw.x was one of these atoms."""
    positions = np.array([site["position"] for site in structure.base.attributes.get("sites")])
    same_shape = run.positions.shape == positions.shape
    return same_shape and bool(np.abs(run.positions - positions).max() < SAME_POSITION)


SAME_POSITION = 1e-4
"""Å; the constants of pw.x are not the last digit's."""

SHORT = {"wall_seconds": "wall_s", "core_seconds": "core_s"}
