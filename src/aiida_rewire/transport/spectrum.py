"""T(E, k) as arrays: what they must satisfy, and the numbers that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import k_average

Arrays = Mapping[str, NDArray[Any]]

REQUIRED_UNITS = {
    "energies": "eV",
    "transmission": "1",
    "kpoints": "crystal coordinates",
    "weights": "1",
    "channels": "1",
    "unitarity": "1",
}
OPTIONAL_UNITS = {"transmission_spin": "1", "eigenchannels": "1", "numerics": "1"}
UNITS = REQUIRED_UNITS | OPTIONAL_UNITS
"""Arrays of a conductance and their units, 1 where there is none."""

RESULTS_AT_FERMI = ("conductance_g0", "transmission_fermi")
RESULTS = (*RESULTS_AT_FERMI, "unitarity_max", "n_kpoints", "n_energies")
"""Numbers that follow from the arrays."""

FERMI_TOLERANCE = 1e-9
"""eV within which an energy is the Fermi energy."""

TOLERANCE = 1e-4
"""By how much a transmission may be out of its bounds, a channel, if its unitarity is perfect."""

WEIGHT_TOLERANCE = 1e-6
SPIN_MEAN_TOLERANCE = 1e-5
EIGENCHANNEL_SUM_TOLERANCE = 1e-3


def check_spectrum(arrays: Arrays) -> None:
    """Refuse arrays that are no transmission.

    Parameters
    ----------
    arrays
        With E energies and k lateral k-points: ``energies`` (eV from E_F, descending, shape (E,)); ``transmission``
        (per spin; the mean of both where they differ), ``channels`` (of the left lead, a spin; the larger number
        where they differ) and ``unitarity`` (largest |T_j + R_j - 1|), each (E, k); ``kpoints`` (lateral, crystal
        coordinates, (k, 2)); ``weights`` (k,), their sum 1.

        May be there: ``transmission_spin`` (up and down, (2, E, k)); ``eigenchannels`` (transmission eigenvalues,
        descending, NaN where there are fewer than n, (E, k, n), or (2, E, k, n) beside ``transmission_spin``);
        ``numerics`` (number of the numerical settings with which the point was computed, (E, k)).

    Raises
    ------
    InvalidInput
        Names the array, what it has and what it must have.
    """
    missing = sorted(set(REQUIRED_UNITS) - set(arrays))
    if missing:
        raise InvalidInput("arrays", f"no {', '.join(missing)}", "complete", "give them")
    _check_shapes(arrays)
    for name, array in arrays.items():
        if name not in UNITS:
            continue
        finite = np.isfinite(array) if name != "eigenchannels" else ~np.isinf(array)
        if not finite.all():
            raise InvalidInput(name, f"{(~finite).sum()} numbers not finite", "finite", "no such conductance is kept")
    if (np.diff(arrays["energies"]) >= 0).any():
        bound = "strictly descending, eV from E_F"
        raise InvalidInput("energies", arrays["energies"].tolist(), bound, "sort them and list each once")
    weights = arrays["weights"]
    if (weights <= 0).any() or abs(weights.sum() - 1) > WEIGHT_TOLERANCE:
        raise InvalidInput("weights", weights.tolist(), "positive, with a sum of 1", "normalise them")
    for name in ("channels", "numerics"):
        if name in arrays and not (np.equal(np.mod(arrays[name], 1), 0) & (arrays[name] >= 0)).all():
            raise InvalidInput(name, "negative or broken numbers", "whole numbers from 0 on", "correct them")
    if (arrays["unitarity"] < 0).any():
        raise InvalidInput("unitarity", arrays["unitarity"].min(), "0 or above", "it is an absolute value")
    _check_bounds(arrays)


def _check_shapes(arrays: Arrays) -> None:
    energies, weights = arrays["energies"], arrays["weights"]
    for name, array in (("energies", energies), ("weights", weights)):
        if array.ndim != 1 or not len(array):
            raise InvalidInput(name, f"shape {array.shape}", "a list of at least one number", "flatten it")
    grid = (len(energies), len(weights))
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        "kpoints": ("(k, 2)", (grid[1], 2)),
        "transmission": ("(energies, k)", grid),
        "channels": ("(energies, k)", grid),
        "unitarity": ("(energies, k)", grid),
        "numerics": ("(energies, k)", grid),
        "transmission_spin": ("(2, energies, k)", (2, *grid)),
    }
    if "eigenchannels" in arrays:
        spins = (2,) if "transmission_spin" in arrays else ()
        words = "(2, energies, k, n)" if spins else "(energies, k, n)"
        wanted["eigenchannels"] = (words, (*spins, *grid, *arrays["eigenchannels"].shape[-1:]))
    for name, (words, shape) in wanted.items():
        if name in arrays and arrays[name].shape != shape:
            raise InvalidInput(name, f"shape {arrays[name].shape}", f"{words} = {shape}", "correct the array")
    for name in arrays:
        if name in UNITS and arrays[name].dtype.kind not in "iuf":
            raise InvalidInput(name, f"{arrays[name].dtype}", "real numbers", "convert it")


def _check_bounds(arrays: Arrays) -> None:
    transmission, channels = arrays["transmission"], arrays["channels"]
    # T_j is at most 1 + |T_j + R_j - 1|, since R_j is not negative
    slack = (channels + 1) * (arrays["unitarity"] + TOLERANCE)
    by_spin = arrays.get("transmission_spin", transmission)
    for name, values in (("transmission", transmission), ("transmission_spin", by_spin)):
        outside = (values < -slack) | (values > channels + slack)
        if outside.any():
            place = tuple(int(index) for index in np.argwhere(outside)[0])
            bound = f"from 0 to the {channels[place[-2:]]:g} channels of the left lead there"
            raise InvalidInput(f"{name}{list(place)}", values[place], bound, "see what pwcond.x printed for it")
    if "transmission_spin" in arrays:
        difference = np.abs(by_spin.mean(axis=0) - transmission).max()
        if difference > SPIN_MEAN_TOLERANCE:
            bound = "the mean of both spins"
            raise InvalidInput("transmission", f"{difference:.2g} off transmission_spin", bound, "average both spins")
    if "eigenchannels" in arrays:
        _check_eigenchannels(arrays["eigenchannels"], by_spin, slack)


def _check_eigenchannels(
    eigenchannels: NDArray[np.float64], transmission: NDArray[np.float64], slack: NDArray[np.float64]
) -> None:
    absent = np.isnan(eigenchannels)
    if (absent[..., :-1] & ~absent[..., 1:]).any() or (np.diff(eigenchannels, axis=-1) > 0).any():
        raise InvalidInput("eigenchannels", "not in order", "descending, NaN after the last", "sort each point's")
    outside = (eigenchannels < -slack[..., None]) | (eigenchannels > 1 + slack[..., None])
    if outside.any():
        raise InvalidInput("eigenchannels", eigenchannels[outside][0], "from 0 to 1 each", "they are per spin")
    difference = np.abs(np.nansum(eigenchannels, axis=-1) - transmission).max()
    if difference > EIGENCHANNEL_SUM_TOLERANCE:
        bound = f"equal to it to {EIGENCHANNEL_SUM_TOLERANCE:g}"
        raise InvalidInput(
            "eigenchannels", f"sums up to {difference:.2g} off the transmission", bound, "take all of a point's"
        )


def results_of(arrays: Arrays) -> dict[str, float | int]:
    """Return the numbers that follow from the arrays.

    Parameters
    ----------
    arrays
        As `check_spectrum` describes them.

    Returns
    -------
    dict
        ``unitarity_max``, ``n_kpoints`` and ``n_energies``; with the Fermi energy among the energies also
        ``conductance_g0`` (G0) and ``transmission_fermi`` (per spin), the same number.
    """
    energies, weights = arrays["energies"], arrays["weights"]
    results: dict[str, float | int] = {
        "unitarity_max": float(arrays["unitarity"].max()),
        "n_kpoints": len(weights),
        "n_energies": len(energies),
    }
    nearest = int(np.abs(energies).argmin())
    if abs(energies[nearest]) <= FERMI_TOLERANCE:
        at_fermi = float(k_average(arrays["transmission"], weights)[nearest])
        results |= dict.fromkeys(RESULTS_AT_FERMI, at_fermi)
    return results
