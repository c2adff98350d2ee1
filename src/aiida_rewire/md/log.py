"""What the log of a LAMMPS run says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from aiida_rewire.md.script import LAST_LINE


@dataclass(frozen=True)
class RunLog:
    """The log in short.

    Attributes
    ----------
    version
        LAMMPS version as printed.
    complete
        Whether the script reached its last line.
    error
        The first error that LAMMPS printed.
    thermo
        The last row of the thermodynamic output of the last complete run, by column.
    wall_time_s
        Wall time of the last complete run, seconds.
    """

    version: str | None
    complete: bool
    error: str | None
    thermo: dict[str, float]
    wall_time_s: float | None

    @property
    def lost_atoms(self) -> bool:
        """Whether atoms left the box."""
        return self.error is not None and "Lost atoms" in self.error


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
    loops = re.findall(r"^Loop time of ([\d.eE+-]+) on", text, flags=re.MULTILINE)
    return RunLog(
        version=version.group(1) if version else None,
        complete=any(line.strip() == LAST_LINE for line in text.splitlines()),
        error=error.group(0).strip() if error else None,
        thermo=_last_thermo(path) if loops else {},
        wall_time_s=_number(loops[-1]) if loops else None,
    )


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _last_thermo(path: Path) -> dict[str, float]:
    from pymatgen.io.lammps.outputs import parse_lammps_log

    try:
        row = parse_lammps_log(str(path))[-1].iloc[-1]
        return {str(name): float(value) for name, value in row.items()}
    except (ValueError, IndexError, KeyError, TypeError):
        return {}
