"""The conductance of one junction."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import ValidationError
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM, k_average

ARRAYS = ("energies", "transmission", "kpoints", "weights", "channels", "unitarity")


RESULTS = ("conductance_g0", "transmission_fermi", "unitarity_max", "n_kpoints")


def validate_labels(node: orm.Dict | None, _: object) -> str | None:
    """Refuse labels that would hide a result."""
    hidden = sorted(set(RESULTS) & set(node.get_dict() if node else {}))
    if hidden:
        return str(InvalidInput("labels", ", ".join(hidden), "other than the names of results", "rename them"))
    return None


class ConductanceData(orm.ArrayData):
    """Ballistic transmission of a junction.

    Arrays: ``energies`` (eV from E_F, descending, shape (E,)); ``transmission`` (per spin, shape (E, k));
    ``kpoints`` (lateral, crystal coordinates, shape (k, 2)); ``weights`` (shape (k,)); ``channels`` and
    ``unitarity`` (max |T_j + R_j - 1|; shape (E, k)).

    Attributes for queries: ``conductance_g0``, ``transmission_fermi``, ``unitarity_max``, ``n_kpoints``, and
    the labels that were given.
    """

    @classmethod
    def from_transmission(
        cls,
        *,
        energies: NDArray[np.float64],
        transmission: NDArray[np.float64],
        kpoints: NDArray[np.float64],
        weights: NDArray[np.float64],
        channels: NDArray[np.int64],
        unitarity: NDArray[np.float64],
        labels: dict[str, Any],
    ) -> ConductanceData:
        """Make an unstored node from the arrays that the class describes.

        Parameters
        ----------
        energies, transmission, kpoints, weights, channels, unitarity
            See the class.
        labels
            What people filter by: campaign, chain, seed, voltage_v, time_ps, step, stage, min_cut, ...

        Raises
        ------
        ValueError
            If the energies do not hold the Fermi energy, or a label would hide a result.
        """
        node = cls()
        values = (energies, transmission, kpoints, weights, channels, unitarity)
        for name, array in zip(ARRAYS, values, strict=True):
            node.set_array(name, np.asarray(array))
        at_fermi = np.flatnonzero(np.isclose(energies, 0.0, atol=1e-9))
        if len(at_fermi) != 1:
            raise ValueError(f"energies = {energies.tolist()} eV: must hold 0 once, the Fermi energy; add it")
        t_fermi = float(k_average(transmission, weights)[at_fermi[0]])
        values_of_results = (t_fermi, t_fermi, float(np.max(unitarity)), len(weights))
        results = dict(zip(RESULTS, values_of_results, strict=True))
        refusal = validate_labels(orm.Dict(labels), None)
        if refusal:
            raise ValueError(refusal)
        node.base.attributes.set_many({**labels, **results})
        return node

    @property
    def conductance_g0(self) -> float:
        """Conductance at the Fermi energy in units of G0 = 2e²/h."""
        return float(self.base.attributes.get("conductance_g0"))

    @property
    def conductance_siemens(self) -> float:
        """Conductance at the Fermi energy in siemens."""
        return self.conductance_g0 * CONDUCTANCE_QUANTUM

    @property
    def transmission(self) -> NDArray[np.float64]:
        """T(E) per spin, averaged over the k-points, shape (E,)."""
        return k_average(self.get_array("transmission"), self.get_array("weights"))

    def _validate(self) -> bool:
        super()._validate()
        missing = sorted(set(ARRAYS) - set(self.get_arraynames()))
        if missing:
            raise ValidationError(f"arrays = no {', '.join(missing)}: must be complete; give them")
        arrays = {name: self.get_array(name) for name in ARRAYS}
        missing = sorted(set(RESULTS) - set(self.base.attributes.keys()))
        if missing:
            raise ValidationError(f"attributes = no {', '.join(missing)}: must be complete; use from_transmission")
        grid = (len(arrays["energies"]), len(arrays["weights"]))
        if arrays["kpoints"].shape != (grid[1], 2):
            raise ValidationError(f"kpoints = shape {arrays['kpoints'].shape}: must be (k, 2) = {(grid[1], 2)}")
        for name in ("transmission", "channels", "unitarity"):
            if arrays[name].shape != grid:
                raise ValidationError(f"{name} = shape {arrays[name].shape}: must be (energies, k) = {grid}")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValidationError("a number is not finite: no such conductance is stored")
        return True
