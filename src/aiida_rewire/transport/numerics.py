"""Other numerics for a (k, E) at which those that were asked for fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiida_rewire.transport.pwcond_input import BOUNDS

DEFAULTS: Mapping[str, float | int] = {"ewind": 1.0, "epsproj": 1e-5, "nz1": 11}
"""What is written where the user says nothing: Ry, dimensionless, slabs to a plane of the FFT grid.

Those of pwcond.x 6.7, but for its ``epsproj = 1e-3``, which drops parts of the lateral basis that matter: 1 eV
below E_F a junction of silver wires then has T = 0.302 instead of 0.346, with T_j + R_j = 1.00000 all the same.
"""

ENERGY_NUDGE_EV = 1e-3
"""Far below any structure of T(E) at room temperature, yet enough to leave a singular energy."""


@dataclass(frozen=True)
class Rung:
    """One set of numerics.

    Attributes
    ----------
    parameters
        Keys of INPUTCOND that differ from those asked for.
    energy_shift_ev
        Added to the energies, eV.
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    energy_shift_ev: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """Return what differs from what was asked for, in a form that a node can hold."""
        shift = {"energy_shift_ev": self.energy_shift_ev} if self.energy_shift_ev else {}
        return {**self.parameters, **shift}


def ladder(asked: Mapping[str, object]) -> tuple[Rung, ...]:
    """Return the numerics to try one after another, the first as asked.

    Each of the others changes one thing: a wider energy window of the two-dimensional basis, a smaller
    threshold of it, finer slabs, the energy. The eigenvalue problems of pwcond.x that fail become regular with
    a basis or an energy that is a little different; a transmission that is converged does not notice.

    Parameters
    ----------
    asked
        Keys of INPUTCOND.
    """
    ewind, epsproj, nz1 = (_number(asked, key) for key in ("ewind", "epsproj", "nz1"))
    changes = {
        "ewind": min(ewind + 1.0, BOUNDS["ewind"][1]),
        "epsproj": max(epsproj / 10, BOUNDS["epsproj"][0]),
        "nz1": min(round(nz1) + 2, round(BOUNDS["nz1"][1])),
    }
    now = {"ewind": ewind, "epsproj": epsproj, "nz1": nz1}
    others = [Rung({key: value}) for key, value in changes.items() if value != now[key]]
    return (Rung(), *others, Rung(energy_shift_ev=ENERGY_NUDGE_EV))


def _number(asked: Mapping[str, object], key: str) -> float:
    value = asked.get(key, DEFAULTS[key])
    return float(value) if isinstance(value, (int, float)) else DEFAULTS[key]
