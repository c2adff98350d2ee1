"""The input file of pwcond.x."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput

OWNED_KEYS = frozenset(
    {
        "outdir", "prefixt", "prefixl", "prefixs", "prefixr", "tran_prefix", "tran_file", "save_file", "fil_loc",
        "band_file", "max_seconds", "recover", "lread_cond", "lwrite_cond", "lread_loc", "lwrite_loc",
        "start_k", "last_k", "start_e", "last_e", "ikind", "bdl", "bds", "bdr", "energy0", "denergy", "nenergy",
        "iofspin", "loop_ek",
    }
)  # fmt: skip
"""Keys of INPUTCOND that the plugin sets itself, or that print wrong numbers (``recover``, ``lread_cond``), or
others in another shard (``loop_ek``: a basis of its own for each energy)."""

FREE_KEYS = frozenset(
    {
        "llocal", "ecut2d", "ewind", "epsproj", "orbj_in", "orbj_fin",
        "nz1", "cutplot", "delgep", "tk_plot", "iverbosity",
    }
)  # fmt: skip
"""The other keys of INPUTCOND (Quantum ESPRESSO 6.7, ``INPUT_PWCOND``), but those for scattering states in
space (``lorb``, ``lorb3d``, ``lcharge``), whose output has more than transmissions."""


BOUNDS = {"ewind": (0.01, 100.0), "epsproj": (1e-12, 1e-3), "nz1": (1, 1000), "ecut2d": (0.0, 1e4)}
"""Lowest and highest value of numerical keys. With ``epsproj = 1`` pwcond.x prints T = 0 without a word, with
1e-2 T may be a fifth off."""


def check_parameters(parameters: Mapping[str, object]) -> None:
    """Refuse keys and values that pwcond.x does not know, that the plugin sets, or that print wrong numbers.

    Raises
    ------
    InvalidInput
        Names the key.
    """
    owned = sorted(set(parameters) & OWNED_KEYS)
    if owned:
        raise InvalidInput("parameters", ", ".join(owned), "left to the plugin, which sets them", "remove them")
    unknown = sorted(set(parameters) - FREE_KEYS)
    if unknown:
        known = ", ".join(sorted(FREE_KEYS))
        raise InvalidInput("parameters", ", ".join(unknown), f"among {known}", "correct the key")
    for key, value in parameters.items():
        try:
            fortran_value(value)
        except TypeError as error:
            raise InvalidInput(
                f"parameters.{key}", repr(value), "a number, a logical or a word", str(error)
            ) from error
        if key in BOUNDS:
            low, high = BOUNDS[key]
            number = not isinstance(value, bool) and isinstance(value, int if key == "nz1" else (int, float))
            if not number or not low <= float(str(value)) <= high:
                raise InvalidInput(f"parameters.{key}", repr(value), f"from {low:g} to {high:g}", "correct it")


def fortran_value(value: object) -> str:
    """Write a value for a namelist.

    Raises
    ------
    TypeError
        If it is neither a logical, a finite number nor a short plain word.
    """
    if isinstance(value, bool):
        return ".true." if value else ".false."
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.12e}".replace("e", "d")
    if isinstance(value, str) and len(value) <= 50 and "'" not in value and "\n" not in value:
        return f"'{value}'"
    raise TypeError(f"{value!r} has no place in a namelist")


def pwcond_input(
    namelist: Mapping[str, object],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
    energies: Sequence[float],
) -> str:
    """Write the input file.

    Parameters
    ----------
    namelist
        All keys of INPUTCOND.
    kpoints
        Lateral k-points in crystal coordinates, shape (n, 2).
    weights
        Shape (n,); pwcond.x normalises them.
    energies
        eV from the Fermi energy. pwcond.x builds its two-dimensional basis at the first, so they are
        written in descending order.
    """
    lines = ["&inputcond"]
    lines += [f"  {key} = {fortran_value(value)}" for key, value in sorted(namelist.items())]
    lines += ["/", str(len(kpoints))]
    lines += [f"{kx:.10f} {ky:.10f} {w:.10f}" for (kx, ky), w in zip(kpoints, weights, strict=True)]
    lines += [str(len(energies)), *(f"{energy:.7f}" for energy in sorted(energies, reverse=True))]
    return "\n".join(lines) + "\n"
