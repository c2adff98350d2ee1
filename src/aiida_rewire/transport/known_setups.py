"""What a known answer of ballistic transmission consists of: structures, numerics, source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aiida_rewire.transport.known_structures import Structure

SLOW = 60.0
"""Seconds on one core above which a case is slow."""


@dataclass(frozen=True)
class PseudoSource:
    """Where a pseudopotential comes from.

    Attributes
    ----------
    file_name
        Of the UPF file.
    generation
        Input of ld1.x below ``fixtures/ld1`` that makes it; None if the user supplies the file.
    origin
        For messages.
    """

    file_name: str
    generation: str | None
    origin: str


PSEUDOPOTENTIALS: Mapping[str, PseudoSource] = MappingProxyType(
    {
        "Ag, frozen d": PseudoSource("Ag.frozen-d.UPF", "Ag.frozen-d.in", "made by ld1.x"),
        "Ag, ultrasoft": PseudoSource("Ag.ultrasoft.UPF", "Ag.ultrasoft.in", "made by ld1.x"),
        "Al": PseudoSource("Al.pz.UPF", "Al.in", "made by ld1.x"),
        "H": PseudoSource("H.pz.UPF", "H.in", "made by ld1.x"),
        "Al, published": PseudoSource("Al.pz-vbc.UPF", None, "Quantum ESPRESSO, pseudo/Al.pz-vbc.UPF"),
        "H, published": PseudoSource("H.pz-vbc.UPF", None, "Quantum ESPRESSO, pseudo/H.pz-vbc.UPF"),
    }
)


@dataclass(frozen=True)
class KpointMesh:
    """A Monkhorst-Pack mesh of pw.x.

    Attributes
    ----------
    mesh
        Divisions along the three reciprocal vectors.
    offset
        0 or 1 along each, in half steps.
    """

    mesh: tuple[int, int, int]
    offset: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Numerics:
    """Parameters that go with a pseudopotential.

    Attributes
    ----------
    system, electrons
        Namelists of pw.x; cutoffs and smearing in Ry. Lateral FFT grids and bands are the work chain's.
    pwcond
        ``ewind`` in Ry, ``epsproj``, ``nz1``.
    """

    system: Mapping[str, float | str]
    electrons: Mapping[str, float]
    pwcond: Mapping[str, float | int]


def _numerics(
    cutoff: float, density_cutoff: float, degauss: float, *, mixing: float, convergence: float, **pwcond: float
) -> Numerics:
    system: dict[str, float | str] = {
        "ecutwfc": cutoff, "ecutrho": density_cutoff, "occupations": "smearing", "smearing": "mv", "degauss": degauss
    }  # fmt: skip
    return Numerics(system, {"conv_thr": convergence, "mixing_beta": mixing}, pwcond)


FROZEN_D = _numerics(15.0, 60.0, 0.02, mixing=0.4, convergence=1e-9, ewind=1.0, epsproj=1e-3, nz1=3)

FROZEN_D_FINE = _numerics(15.0, 60.0, 0.02, mixing=0.3, convergence=1e-9, ewind=1.0, epsproj=1e-5, nz1=3)
"""epsproj = 1e-3 truncates the two-dimensional basis in an order that depends on the direction of z: it keeps
T_j + R_j = 1 and yet moves T by 1e-2 against the mirror image, by 5e-2 against the full basis near a band edge."""

ULTRASOFT = _numerics(28.0, 280.0, 0.02, mixing=0.4, convergence=1e-9, ewind=2.0, epsproj=1e-5, nz1=3)

EXAMPLE = _numerics(25.0, 150.0, 0.01, mixing=0.7, convergence=1e-11, ewind=1.0, epsproj=1e-3, nz1=1)
"""The example's own, but for conv_thr: with its 1e-8 the transmission near a band edge is left to chance by 4e-3."""


@dataclass(frozen=True)
class TransmissionSetup:
    """What to compute.

    Attributes
    ----------
    lead, junction, right_lead
        Regions; without a junction the lead is its own, without a right lead both are alike.
    pseudos
        Of every element, by its name in `PSEUDOPOTENTIALS`.
    numerics
        Of all regions.
    lead_mesh, junction_mesh
        k-points of the SCF runs.
    kpoints
        Lateral (kx, ky, weight), crystal coordinates; weights sum to 1.
    energies
        eV, each from the region's own Fermi energy, descending: the two-dimensional basis is built at the first.
    spin_polarised
        Whether to run with nspin = 2 and no magnetisation, pwcond.x once for each spin.
    """

    lead: Structure
    pseudos: Mapping[str, str]
    numerics: Numerics
    lead_mesh: KpointMesh
    kpoints: tuple[tuple[float, float, float], ...]
    energies: tuple[float, ...]
    junction: Structure | None = None
    junction_mesh: KpointMesh | None = None
    right_lead: Structure | None = None
    spin_polarised: bool = False

    @property
    def system(self) -> dict[str, float | int | str]:
        """Namelist SYSTEM, spin included."""
        spin: dict[str, float | int | str] = (
            {"nspin": 2, "starting_magnetization": 0.0} if self.spin_polarised else {}
        )
        return {**self.numerics.system, **spin}


@dataclass(frozen=True)
class KnownAnswer:
    """A transmission known beforehand.

    Attributes
    ----------
    name
        Unique.
    setup
        What to compute.
    expected
        T per spin, k-averaged, for every energy; with ``spin_polarised`` that of each spin.
    tolerance
        Largest difference from it.
    source
        Where the answer comes from.
    seconds
        Rough cost on one core.
    unitarity_tolerance
        Largest abs(T_j + R_j - 1) that a channel may have.
    """

    name: str
    setup: TransmissionSetup
    expected: tuple[float, ...]
    tolerance: float
    source: str
    seconds: float
    unitarity_tolerance: float = field(default=1e-4, kw_only=True)

    @property
    def slow(self) -> bool:
        """Whether it costs more than a minute."""
        return self.seconds > SLOW


@dataclass(frozen=True)
class ReciprocalPair:
    """A junction and its mirror image, leads swapped: equal T at every E and k.

    A unitary scattering matrix transmits as much to the left as to the right, and the mirror image carries one into
    the other, whatever T is.

    Attributes
    ----------
    name
        Unique.
    setup, mirrored
        The two.
    tolerance
        Largest difference of T per spin at any E and k.
    source, seconds, unitarity_tolerance
        As in `KnownAnswer`; the cost is that of both.
    """

    name: str
    setup: TransmissionSetup
    mirrored: TransmissionSetup
    tolerance: float
    source: str
    seconds: float
    unitarity_tolerance: float = field(default=1e-4, kw_only=True)

    @property
    def slow(self) -> bool:
        """Whether it costs more than a minute."""
        return self.seconds > SLOW
