"""The conductance of one junction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM, k_average, landauer_current
from aiida_rewire.transport.spectrum import OPTIONAL_UNITS, REQUIRED_UNITS, RESULTS, check_spectrum, results_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARRAYS = tuple(REQUIRED_UNITS)
OPTIONAL_ARRAYS = tuple(OPTIONAL_UNITS)

LADDER = "ladder"
POTENTIAL_MISMATCH = "potential_mismatch_ev"


def validate_labels(node: orm.Dict | None, _: object) -> str | None:
    """Refuse labels that would hide a result."""
    labels = node.get_dict() if node else {}
    prefix = orm.ArrayData.array_prefix
    taken = {*RESULTS, LADDER, POTENTIAL_MISMATCH, *(key for key in labels if key.startswith(prefix))}
    hidden = sorted(taken & set(labels))
    if hidden:
        return str(InvalidInput("labels", ", ".join(hidden), "other than the names of results", "rename them"))
    return None


class ConductanceData(orm.ArrayData):
    """Ballistic transmission of a junction.

    Arrays: ``energies`` (eV from E_F, descending, shape (E,)); ``transmission`` (per spin, shape (E, k));
    ``kpoints`` (lateral, crystal coordinates, shape (k, 2)); ``weights`` (shape (k,), their sum 1); ``channels``
    (of the left lead, a spin) and ``unitarity`` (max |T_j + R_j - 1|), shape (E, k). Where they were computed:
    ``transmission_spin`` (up and down, shape (2, E, k)), ``eigenchannels`` (shape (E, k, n) or (2, E, k, n)),
    ``numerics`` (shape (E, k)).

    Attributes for queries: ``unitarity_max``, ``n_kpoints``, ``n_energies``; ``conductance_g0`` and
    ``transmission_fermi`` if the Fermi energy is among the energies; ``ladder`` and ``potential_mismatch_ev``
    where they are known; and the labels that were given.
    """

    @classmethod
    def from_transmission(
        cls,
        *,
        energies: ArrayLike,
        transmission: ArrayLike,
        kpoints: ArrayLike,
        weights: ArrayLike,
        channels: ArrayLike,
        unitarity: ArrayLike,
        labels: dict[str, Any] | None = None,
        transmission_spin: ArrayLike | None = None,
        eigenchannels: ArrayLike | None = None,
        numerics: ArrayLike | None = None,
        ladder: list[dict[str, Any]] | None = None,
        potential_mismatch_ev: float | None = None,
    ) -> ConductanceData:
        """Make an unstored node.

        Parameters
        ----------
        energies, transmission, kpoints, channels, unitarity
            See the class. Of a run with two spins, ``transmission`` is their mean and ``channels`` the larger
            number.
        weights
            Of the k-points, shape (k,), positive; they are normalised.
        labels
            What people filter by: campaign, chain, seed, voltage_v, time_ps, step, stage, min_cut, ...
        transmission_spin
            Up and down, shape (2, E, k); for spin-polarised runs alone.
        eigenchannels
            Transmission eigenvalues per spin, descending, NaN where a point has fewer than n; shape (E, k, n),
            or (2, E, k, n) beside ``transmission_spin``.
        numerics
            Which rung of the ladder gave the point, shape (E, k).
        ladder
            Changes of the numerical parameters of pwcond.x on each rung; the first is {}, as asked for.
        potential_mismatch_ev
            Difference of V - E_F between lead and junction at their boundary, eV.

        Raises
        ------
        InvalidInput
            If an array is no transmission (see `check_spectrum`), or a label would hide a result.
        """
        given = {
            "energies": energies,
            "transmission": transmission,
            "kpoints": kpoints,
            "weights": weights,
            "channels": _integers(channels),
            "unitarity": unitarity,
            "transmission_spin": transmission_spin,
            "eigenchannels": eigenchannels,
            "numerics": _integers(numerics),
        }
        arrays = {name: np.asarray(array) for name, array in given.items() if array is not None}
        total = arrays["weights"].sum()
        if 0 < total < np.inf:
            arrays["weights"] = arrays["weights"] / total
        check_spectrum(arrays)
        known = {LADDER: ladder, POTENTIAL_MISMATCH: potential_mismatch_ev}
        attributes = {name: value for name, value in known.items() if value is not None}
        _check_attributes(attributes, arrays)
        refusal = validate_labels(orm.Dict(labels or {}), None)
        if refusal:
            raise ValueError(refusal)
        node = cls()
        for name, array in arrays.items():
            node.set_array(name, array)
        node.base.attributes.set_many({**(labels or {}), **attributes, **results_of(arrays)})
        return node

    @property
    def conductance_g0(self) -> float:
        """Conductance at the Fermi energy in units of G0 = 2e²/h.

        Raises
        ------
        ValueError
            If the Fermi energy is not among the energies.
        """
        conductance = self.base.attributes.get("conductance_g0", None)
        if conductance is None:
            energies = self.energies
            spanned = f"from {energies[-1]:g} to {energies[0]:g} eV"
            raise InvalidInput("energies", spanned, "with 0 eV, E_F, among them", "compute T(E) at 0 eV as well")
        return float(conductance)

    @property
    def conductance_siemens(self) -> float:
        """Conductance at the Fermi energy in siemens; ValueError as `conductance_g0`."""
        return self.conductance_g0 * CONDUCTANCE_QUANTUM

    @property
    def energies(self) -> NDArray[np.float64]:
        """Energies, eV from E_F, descending, shape (E,)."""
        return self.get_array("energies")  # type: ignore[no-any-return]

    @property
    def transmission(self) -> NDArray[np.float64]:
        """T(E) per spin, averaged over the k-points, shape (E,)."""
        return k_average(self.transmission_k, self.weights)

    @property
    def transmission_k(self) -> NDArray[np.float64]:
        """T per spin of each k-point, shape (E, k)."""
        return self.get_array("transmission")  # type: ignore[no-any-return]

    @property
    def kpoints(self) -> NDArray[np.float64]:
        """Lateral k-points, crystal coordinates, shape (k, 2)."""
        return self.get_array("kpoints")  # type: ignore[no-any-return]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the k-points, shape (k,)."""
        return self.get_array("weights")  # type: ignore[no-any-return]

    @property
    def channels(self) -> NDArray[np.int64]:
        """Propagating channels of the left lead, a spin, shape (E, k)."""
        return self.get_array("channels")  # type: ignore[no-any-return]

    @property
    def unitarity(self) -> NDArray[np.float64]:
        """Largest abs(T_j + R_j - 1) of the channels j, shape (E, k)."""
        return self.get_array("unitarity")  # type: ignore[no-any-return]

    @property
    def transmission_spin(self) -> NDArray[np.float64] | None:
        """T of spin up and down, shape (2, E, k); None for runs without spin."""
        return self._optional("transmission_spin")

    @property
    def eigenchannels(self) -> NDArray[np.float64] | None:
        """Transmission eigenvalues, descending, NaN after a point's last; None if unknown.

        Shape (E, k, n), or (2, E, k, n) of a run with two spins.
        """
        return self._optional("eigenchannels")

    @property
    def numerics(self) -> NDArray[np.int64] | None:
        """Rung of the attribute ``ladder`` that gave the point, shape (E, k); None if unknown."""
        return self._optional("numerics")

    def _optional(self, name: str) -> NDArray[Any] | None:
        return self.get_array(name) if name in self.get_arraynames() else None

    def current(
        self, voltages: ArrayLike, temperature_k: float | tuple[float, float] = 0.0, *, lead_shift: float = 0.5
    ) -> NDArray[np.float64]:
        """Landauer current from T(E), taken as it is at zero bias.

        Parameters
        ----------
        voltages
            V, any shape.
        temperature_k
            Of the electrons, K; two for leads that are not equally warm.
        lead_shift
            See `landauer_current`.

        Returns
        -------
        ndarray
            A, the shape of ``voltages``.

        Raises
        ------
        InvalidInput
            If the bias window and 10 kT on each side of it reach beyond the energies.
        """
        return landauer_current(
            self.energies, self.transmission, voltages, temperature_k=temperature_k, lead_shift=lead_shift
        )

    def get_figure(self, ax: Axes | None = None) -> Figure:
        """Draw T(E), or T of each k-point if there is one energy alone.

        Parameters
        ----------
        ax
            Axes to draw into, by default those of a new figure that no window and no global state of pyplot holds.
        """
        from aiida_rewire.transport.figure import draw_transmission

        return draw_transmission(
            self.energies, self.transmission_k, self.weights, transmission_spin=self.transmission_spin, axes=ax
        )

    def _validate(self) -> bool:
        super()._validate()
        arrays, attributes = self.arrays, self.base.attributes.all
        try:
            check_spectrum(arrays)
            _check_attributes(attributes, arrays)
        except InvalidInput as error:
            raise ValidationError(str(error)) from error
        wanted = results_of(arrays)
        missing = sorted(set(wanted) - set(attributes))
        if missing:
            raise ValidationError(f"attributes = no {', '.join(missing)}: must be complete; use from_transmission")
        for name in set(RESULTS) & set(attributes):
            if name not in wanted or not math.isclose(attributes[name], wanted[name], rel_tol=1e-12):
                bound = f"what the arrays give, {wanted.get(name, 'none')}"
                raise ValidationError(f"{name} = {attributes[name]}: must be {bound}; use from_transmission")
        return True


def _integers(array: ArrayLike | None) -> NDArray[Any] | None:
    """Store whole numbers as such; others stay, to be refused."""
    if array is None:
        return None
    numbers = np.asarray(array)
    if numbers.dtype.kind != "f" or not np.isfinite(numbers).all() or np.mod(numbers, 1).any():
        return numbers
    return numbers.astype(np.int64)


def _check_attributes(attributes: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse a ladder that is none, or a mismatch that is no number."""
    mismatch = attributes.get(POTENTIAL_MISMATCH, 0.0)
    if not isinstance(mismatch, (int, float)) or not math.isfinite(mismatch):
        raise InvalidInput(POTENTIAL_MISMATCH, mismatch, "a finite number, eV", "leave it out if it is unknown")
    if (LADDER in attributes) != ("numerics" in arrays):
        have = LADDER if LADDER in attributes else "numerics"
        raise InvalidInput(have, "alone", "given with both ladder and numerics", "give both or none")
    if LADDER not in attributes:
        return
    ladder = attributes[LADDER]
    if not isinstance(ladder, list) or not all(isinstance(rung, dict) for rung in ladder) or ladder[:1] != [{}]:
        raise InvalidInput(LADDER, ladder, "a list of dictionaries, the first {}", "rung 0 is what was asked for")
    highest = int(arrays["numerics"].max())
    if highest >= len(ladder):
        raise InvalidInput("numerics", highest, f"below {len(ladder)}, the rungs of the ladder", "list every rung")
