"""What the log of a LAMMPS run says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from aiida_rewire.md.script import CHECKPOINT_LINE, CHECKPOINTS, LAST_LINE


@dataclass(frozen=True)
class RunLog:
    """The log in short.

    Attributes
    ----------
    version
        LAMMPS version as printed.
    complete
        Whether the run came to its last step.
    error
        The first error that LAMMPS printed.
    checkpoints
        Step and file of every checkpoint that was written, in their order.
    thermo
        The thermodynamic output at the last of them, by column.
    temperatures
        K, of the mobile atoms, in all rows of the blocks from one checkpoint to the next.
    unconverged
        Warnings of the charge equilibration that did not converge.
    wall_time_s
        Wall time of all blocks, seconds.
    ranks
        MPI ranks.
    """

    version: str | None
    complete: bool
    error: str | None
    checkpoints: tuple[tuple[int, str], ...] = ()
    thermo: dict[str, float] = field(default_factory=dict)
    temperatures: tuple[float, ...] = ()
    unconverged: tuple[str, ...] = ()
    wall_time_s: float = 0.0
    ranks: int = 1

    @property
    def checkpoint(self) -> tuple[int, str] | None:
        """Step and file of the last checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def lost_atoms(self) -> bool:
        """Whether atoms left the box."""
        return self.error is not None and "Lost atoms" in self.error


TEMPERATURE_COLUMN = "c_mobile_temperature"


def read_log(path: Path) -> RunLog:
    """Read the log of a run; never raises on what the file holds.

    Parameters
    ----------
    path
        The log file; missing reads as empty.
    """
    text = path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""
    version = re.search(r"^LAMMPS \((.+?)\)", text, flags=re.MULTILINE)
    error = re.search(r"^ERROR.*$", text, flags=re.MULTILINE)
    # by their whole names: the line of a killed job can be cut off
    names = "|".join(map(re.escape, CHECKPOINTS))
    found = re.findall(rf"^{CHECKPOINT_LINE} ([0-9]{{1,18}}) ({names})$", text, flags=re.MULTILINE)
    checkpoints = tuple((int(step), name) for step, name in found)
    loops = re.findall(r"^Loop time of ([\d.eE+-]+) on (\d+) procs", text, flags=re.MULTILINE)
    tables = _thermo_tables(text)
    return RunLog(
        version=version.group(1) if version else None,
        complete=any(line.strip() == LAST_LINE for line in text.splitlines()),
        error=error.group(0).strip() if error else None,
        checkpoints=checkpoints,
        thermo=_row_of(checkpoints[-1][0], tables) if checkpoints else {},
        temperatures=tuple(row[TEMPERATURE_COLUMN] for row in tables),
        unconverged=tuple(re.findall(r"^WARNING: .*CG convergence failed.*$", text, flags=re.MULTILINE)),
        wall_time_s=sum(_number(seconds) for seconds, _ in loops),
        ranks=int(loops[-1][1]) if loops else 1,
    )


def _row_of(step: int, rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the row of a step as the block that ended there gave it, not the one that begins with it."""
    return next((row for row in rows if row.get("Step") == step), {})


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0


def _thermo_tables(text: str) -> list[dict[str, float]]:
    """Return the rows of all thermodynamic tables that hold the temperature of the mobile atoms, whole or cut off.

    pymatgen's reader takes whole tables alone, while a blow-up shows in those of a run that did not end.
    """
    rows: list[dict[str, float]] = []
    columns: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            columns = words
        elif TEMPERATURE_COLUMN in columns and len(words) == len(columns):
            try:
                rows.append(dict(zip(columns, map(float, words), strict=True)))
            except ValueError:
                columns = []
        elif words[:1] != ["WARNING:"]:
            columns = []
    return rows
