"""What pwcond.x takes from a pseudopotential file: its type and the reach of its projectors."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.transport.grids import BOHR_ANGSTROM

NEGLIGIBLE = 1e-4
"""Of the largest beta(r)/r; pwcond.x ends the sphere at the last radius above it (``init_cond``)."""

TYPE_ATTRIBUTE = re.compile(r"pseudo_type\s*=\s*[\"']\s*([A-Z]+)", re.IGNORECASE)
TYPE_LINE = re.compile(r"^\s*(NC|US|PAW)\s+.*(?:Norm|Ultrasoft|PAW|pseudopotential)", re.MULTILINE)
"""Of the header of UPF version 1."""

ULTRASOFT = frozenset({"US", "USPP", "PAW"})

RADII = re.compile(r"<PP_R(?:\s[^>]*)?>(.*?)</PP_R>", re.DOTALL)
NONLOCAL = re.compile(r"<PP_NONLOCAL(?:\s[^>]*)?>(.*?)</PP_NONLOCAL>", re.DOTALL)
PROJECTOR = re.compile(r"<(PP_BETA(?:\.\d+)?)(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)


class UnreadableUpf(ValueError):
    """Text that is no whole pseudopotential in the UPF format."""


def pseudo_type(text: str) -> str:
    """Return what the header says: NC, US, USPP, PAW, ... or ``unknown``.

    Parameters
    ----------
    text
        A UPF file, version 1 or 2.
    """
    found = TYPE_ATTRIBUTE.search(text)
    if found:
        return found.group(1).upper()
    old = TYPE_LINE.search(text)
    return old.group(1) if old else "unknown"


def sphere_radius(text: str) -> float:
    """Return the radius of the largest nonlocal sphere, as pwcond.x finds it.

    Parameters
    ----------
    text
        A UPF file, version 1 or 2.

    Returns
    -------
    float
        Å; 0 without projectors.

    Raises
    ------
    UnreadableUpf
        If the radial mesh or a projector is missing, truncated, or not a list of finite numbers.
    """
    return max(sphere_radii(text), default=0.0)


def sphere_radii(text: str) -> tuple[float, ...]:
    """Return the radii of all nonlocal spheres, as pwcond.x prints them (``init_cond`` in its sources).

    Ultrasoft projectors share the largest, so that a boundary crosses all of an atom's spheres or none.

    Parameters
    ----------
    text
        A UPF file, version 1 or 2.

    Returns
    -------
    tuple of float
        Å, one per projector.

    Raises
    ------
    UnreadableUpf
        If the radial mesh or a projector is missing, truncated, or not a list of finite numbers.
    """
    mesh = RADII.search(text)
    nonlocal_part = NONLOCAL.search(text)
    if mesh is None or nonlocal_part is None:
        raise UnreadableUpf(f"no {'radial mesh' if mesh is None else 'PP_NONLOCAL'}")
    radii = _numbers(mesh.group(1), "PP_R")
    blocks = PROJECTOR.findall(nonlocal_part.group(1))
    if len(blocks) != len(re.findall(r"<PP_BETA\b", text)):
        raise UnreadableUpf("a projector is not whole")
    found = []
    for tag, block in blocks:
        values = _version_1(block) if tag == "PP_BETA" else _numbers(block, tag)
        if not 2 < len(values) <= len(radii):
            raise UnreadableUpf(f"{len(values)} values of {tag} on {len(radii)} radii")
        found.append(_reach(radii, values))
    if found and pseudo_type(text) in ULTRASOFT:
        found = [max(found)] * len(found)
    return tuple(BOHR_ANGSTROM * radius for radius in found)


def _reach(radii: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    # the first radius, which may be 0, counts for nothing; the largest is one of the signed values
    profile = values[1:] / radii[1 : len(values)]
    above = np.flatnonzero(np.abs(profile) > NEGLIGIBLE * max(0.0, float(profile.max())))
    return float(radii[1 + above[-1]]) if len(above) else 0.0


def _version_1(block: str) -> NDArray[np.float64]:
    """Take the values between the number of points and the cutoff radii that may follow them."""
    lines = block.strip().splitlines()
    try:
        # "  1  0  Beta  L", then the number of points, then the values
        count = int(lines[1].split()[0])
    except (IndexError, ValueError) as error:
        raise UnreadableUpf("a projector without its number of points") from error
    words = " ".join(lines[2:]).split()
    if not 0 < count <= len(words):
        raise UnreadableUpf(f"a projector of {len(words)} values, not {count}")
    return _numbers(" ".join(words[:count]), "PP_BETA")


def _numbers(text: str, name: str) -> NDArray[np.float64]:
    try:
        values = np.array(text.replace("D", "E").replace("d", "e").split(), dtype=str).astype(np.float64)
    except ValueError as error:
        raise UnreadableUpf(f"{name}: {error}") from error
    if not (len(values) and np.isfinite(values).all()):
        raise UnreadableUpf(f"{name}: no numbers, or not finite ones")
    return values
