"""Reading data-file-schema.xml, in which pw.x (6.4 to 7.5) says what it ran with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.transport.grids import BOHR_ANGSTROM

HARTREE_EV = 27.211386245988
"""CODATA 2018."""

LARGEST_FILE = 1 << 28
"""Bytes; a thousand bands at a thousand k-points take a tenth of it."""

LOGICALS = {"true": True, "false": False}
SYMBOL = re.compile(r"[A-Z][a-z]?")


class UnreadableXml(ValueError):
    """Bytes that are no whole data-file-schema.xml of pw.x."""


@dataclass(frozen=True, kw_only=True)
class PwRun:
    """A run of pw.x as its XML file tells it.

    Attributes
    ----------
    prefix
        Of the input.
    cell, positions
        Å, shapes (3, 3) and (n, 3), in the order of the input.
    alat
        Å; bdl, bds and bdr of pwcond.x are given in units of it.
    species, elements
        Of every atom: the name in the input (Ag1) and its chemical symbol (Ag).
    pseudo_files
        File name of the pseudopotential of every species.
    fft_grid, smooth_fft_grid
        nr1, nr2, nr3 that pw.x used for the density and for the wavefunctions.
    wavefunction_cutoff, density_cutoff
        eV.
    fermi_energy
        eV; None where there is none, or where there are two.
    two_fermi_energies
        eV, of the spins up and down where the magnetisation is constrained.
    smearing
        As pw.x names it; None with fixed occupations or tetrahedra.
    functional
        As pw.x names it.
    lsda, noncolin, spinorbit
        Treatment of the spin.
    converged
        Whether the self-consistent field converged.
    scf_steps
        Iterations of the self-consistent field; None in files that do not count them.
    wall_seconds
        Wall time of the whole run; None likewise.
    n_ranks
        MPI ranks.
    """

    prefix: str
    cell: NDArray[np.float64]
    alat: float
    positions: NDArray[np.float64]
    species: tuple[str, ...]
    elements: tuple[str, ...]
    pseudo_files: Mapping[str, str]
    fft_grid: tuple[int, int, int]
    smooth_fft_grid: tuple[int, int, int]
    wavefunction_cutoff: float
    density_cutoff: float
    fermi_energy: float | None
    two_fermi_energies: tuple[float, float] | None
    smearing: str | None
    functional: str
    lsda: bool
    noncolin: bool
    spinorbit: bool
    converged: bool
    scf_steps: int | None = None
    wall_seconds: float | None = None
    n_ranks: int = 1


class _PlainTree(ElementTree.TreeBuilder):
    """Refuses document types: pw.x writes none, and entities come with them."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise UnreadableXml(f"a document type {name}")


def read_pw_xml(content: bytes) -> PwRun:
    """Read data-file-schema.xml.

    Parameters
    ----------
    content
        The file.

    Returns
    -------
    PwRun
        Lengths in Å, energies in eV.

    Raises
    ------
    UnreadableXml
        Whatever the bytes are, if they are no such file, truncated, or hold a number that is not finite.
    """
    if len(content) > LARGEST_FILE:
        raise UnreadableXml(f"{len(content)} bytes, more than {LARGEST_FILE}")
    parser = ElementTree.XMLParser(target=_PlainTree())  # noqa: S314
    try:
        parser.feed(content)
        root: ElementTree.Element = parser.close()
    except UnreadableXml:
        raise
    # an encoding that Python does not know is a LookupError
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableXml(f"not XML: {error}") from error
    return _run(root)


def _run(root: ElementTree.Element) -> PwRun:
    output = _child(root, "output")
    structure = _child(output, "atomic_structure")
    atoms = structure.findall("atomic_positions/atom")
    if not atoms:
        raise UnreadableXml("atomic_structure holds no atoms")
    species = tuple(_attribute(atom, "name").strip() for atom in atoms)
    bands, basis = _child(output, "band_structure"), _child(output, "basis_set")
    dense = _grid(_child(basis, "fft_grid"))
    smooth = basis.find("fft_smooth")
    achieved = output.find("convergence_info/scf_conv/convergence_achieved")
    return PwRun(
        prefix=_text(_child(root, "input/control_variables/prefix")),
        cell=BOHR_ANGSTROM * np.array([_numbers(_child(structure, f"cell/a{k}"), 3) for k in (1, 2, 3)]),
        alat=BOHR_ANGSTROM * _number(_attribute(structure, "alat"), "alat"),
        positions=BOHR_ANGSTROM * np.array([_numbers(atom, 3) for atom in atoms]),
        species=species,
        elements=tuple(_element(name) for name in species),
        pseudo_files=_pseudo_files(output, set(species)),
        fft_grid=dense,
        smooth_fft_grid=dense if smooth is None else _grid(smooth),
        wavefunction_cutoff=HARTREE_EV * _numbers(_child(basis, "ecutwfc"), 1)[0],
        density_cutoff=HARTREE_EV * _numbers(_child(basis, "ecutrho"), 1)[0],
        fermi_energy=_fermi_energy(bands),
        two_fermi_energies=_two_fermi_energies(bands),
        smearing=_smearing(bands),
        functional=_text(_child(output, "dft/functional")),
        lsda=_logical(_child(bands, "lsda")),
        noncolin=_logical(_child(bands, "noncolin")),
        spinorbit=_logical(_child(bands, "spinorbit")),
        converged=achieved is not None and _logical(achieved),
        scf_steps=_optional_integer(output, "convergence_info/scf_conv/n_scf_steps"),
        wall_seconds=_optional_seconds(root),
        n_ranks=_optional_integer(root, "parallel_info/nprocs") or 1,
    )


def _optional_integer(parent: ElementTree.Element, path: str) -> int | None:
    found = parent.find(path)
    return None if found is None else int(_number(_text(found), path))


def _optional_seconds(root: ElementTree.Element) -> float | None:
    found = root.find("timing_info/total/wall")
    return None if found is None else _number(_text(found), "wall")


def _child(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    found = parent.find(path)
    if found is None:
        raise UnreadableXml(f"no {path} in {parent.tag}")
    return found


def _attribute(element: ElementTree.Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise UnreadableXml(f"no {name} of {element.tag}")
    return value


def _text(element: ElementTree.Element) -> str:
    text = (element.text or "").strip()
    if not text:
        raise UnreadableXml(f"nothing in {element.tag}")
    return text


def _number(word: str, name: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise UnreadableXml(f"{word[:40]!r} is no number of {name}") from error
    if not math.isfinite(value):
        raise UnreadableXml(f"{word[:40]!r} of {name} is not finite")
    return value


def _numbers(element: ElementTree.Element, count: int) -> list[float]:
    words = _text(element).split()
    if len(words) != count:
        raise UnreadableXml(f"{len(words)} numbers in {element.tag}, not {count}")
    return [_number(word, element.tag) for word in words]


def _logical(element: ElementTree.Element) -> bool:
    word = _text(element).lower()
    if word not in LOGICALS:
        raise UnreadableXml(f"{word[:40]!r} in {element.tag} is neither true nor false")
    return LOGICALS[word]


def _grid(element: ElementTree.Element) -> tuple[int, int, int]:
    sizes = [_attribute(element, f"nr{k}").strip() for k in (1, 2, 3)]
    if not all(re.fullmatch("[1-9][0-9]{0,5}", size) for size in sizes):
        raise UnreadableXml(f"{element.tag} of {[size[:40] for size in sizes]}")
    nr1, nr2, nr3 = map(int, sizes)
    return nr1, nr2, nr3


def _element(species: str) -> str:
    # pw.x takes Xx, Xx1, Xx_a and Xx-a for the element Xx, in either case
    found = SYMBOL.match(species.capitalize())
    if found is None:
        raise UnreadableXml(f"an atom of species {species[:40]!r}")
    return found.group()


def _pseudo_files(output: ElementTree.Element, species: set[str]) -> dict[str, str]:
    declared = _child(output, "atomic_species").findall("species")
    files = {_attribute(kind, "name").strip(): _text(_child(kind, "pseudo_file")) for kind in declared}
    if species - set(files):
        raise UnreadableXml(f"no pseudopotential of {', '.join(sorted(species - set(files)))}")
    return files


def _fermi_energy(bands: ElementTree.Element) -> float | None:
    found = bands.find("fermi_energy")
    return None if found is None else HARTREE_EV * _numbers(found, 1)[0]


def _two_fermi_energies(bands: ElementTree.Element) -> tuple[float, float] | None:
    found = bands.find("two_fermi_energies")
    if found is None:
        return None
    up, down = _numbers(found, 2)
    return HARTREE_EV * up, HARTREE_EV * down


def _smearing(bands: ElementTree.Element) -> str | None:
    found = bands.find("smearing")
    if found is None or _text(_child(bands, "occupations_kind")).lower() != "smearing":
        return None
    return _text(found)
