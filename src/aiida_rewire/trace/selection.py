"""Which points of a trace: between two conductances, with so many bonds, of a stage, within a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.table import Row


@dataclass(frozen=True)
class Criteria:
    """Plain criteria, all of which a point must meet; what is None does not matter.

    Attributes
    ----------
    between_g0
        Lowest and highest conductance, both included, G0. A missing conductance is not between any two.
    bonds
        Bonds at the narrowest place.
    stage
        Of the growth: gap, islands, contact or growth.
    between_ps
        First and last time, both included, ps.
    """

    between_g0: tuple[float, float] | None = None
    bonds: int | None = None
    stage: str | None = None
    between_ps: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse ranges that hold nothing."""
        for name, unit in (("between_g0", "G0"), ("between_ps", "ps")):
            ends = getattr(self, name)
            if ends is not None and not ends[0] <= ends[1]:
                raise InvalidInput(
                    name, f"{ends[0]:g} to {ends[1]:g} {unit}", "the lower number first", "swap the two"
                )

    def holds(self, row: Row) -> bool:
        """Whether a point meets every criterion."""
        g = row["conductance_g0"]
        return (
            (self.between_g0 is None or self.between_g0[0] <= g <= self.between_g0[1])
            and (self.bonds is None or row["bonds"] == self.bonds)
            and (self.stage is None or row["stage"] == self.stage)
            and (self.between_ps is None or self.between_ps[0] <= row["time_ps"] <= self.between_ps[1])
        )

    def __str__(self) -> str:
        said = []
        if self.between_g0 is not None:
            said.append(f"from {self.between_g0[0]:g} to {self.between_g0[1]:g} G0")
        if self.bonds is not None:
            said.append(f"{self.bonds} bond{'' if self.bonds == 1 else 's'}")
        if self.stage is not None:
            said.append(f"stage {self.stage}")
        if self.between_ps is not None:
            said.append(f"from {self.between_ps[0]:g} to {self.between_ps[1]:g} ps")
        return ", ".join(said) or "everything"


def select(rows: Sequence[Row], criteria: Criteria) -> list[Row]:
    """Return the points that meet criteria, in their order.

    Parameters
    ----------
    rows
        Of one trace or several.
    criteria
        The criteria.

    Raises
    ------
    InvalidInput
        If no point does, with what there is.
    """
    chosen = [row for row in rows if criteria.holds(row)]
    if not chosen:
        raise InvalidInput("criteria", criteria, "met by at least one point", f"there is: {what_there_is(rows)}")
    return chosen


def what_there_is(rows: Sequence[Row]) -> str:
    """Say in a line what could be selected."""
    if not rows:
        return "no point at all"
    known = [row["conductance_g0"] for row in rows if math.isfinite(row["conductance_g0"])]
    times = [row["time_ps"] for row in rows]
    said = [f"{len(rows)} points from {min(times):g} to {max(times):g} ps"]
    said.append(f"{min(known):.3g} to {max(known):.3g} G0" if known else "no conductance")
    if len(known) < len(rows):
        said.append(f"{len(rows) - len(known)} missing")
    bonds = Counter(int(row["bonds"]) for row in rows)
    said.append("bonds " + ", ".join(f"{number} ({bonds[number]})" for number in sorted(bonds)))
    stages = Counter(str(row["stage"]) for row in rows)
    said.append("stages " + ", ".join(f"{stage} ({number})" for stage, number in stages.items()))
    return "; ".join(said)
