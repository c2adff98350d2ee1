"""The two electrodes: who they are, what they are held at, and what flows out of one and into the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aiida_rewire.bias.bonds import Bonds, BoolArray, FloatArray
from aiida_rewire.errors import InvalidInput


@dataclass(frozen=True)
class Electrodes:
    """Atoms held at +V/2, the anode, and at -V/2, the cathode.

    Attributes
    ----------
    anode, cathode
        Masks of shape (n,), neither empty, no atom in both.

    Raises
    ------
    InvalidInput
        If a mask is empty, if they overlap, or if they differ in length.
    """

    anode: BoolArray
    cathode: BoolArray

    def __post_init__(self) -> None:
        if self.anode.shape != self.cathode.shape or self.anode.ndim != 1:
            raise InvalidInput(
                "cathode",
                f"shape {self.cathode.shape}",
                f"a mask like the anode's {self.anode.shape}",
                "mask all atoms",
            )
        for name, mask in (("anode", self.anode), ("cathode", self.cathode)):
            if mask.dtype != np.bool_:
                raise InvalidInput(
                    name, f"an array of {mask.dtype}", "a boolean mask", "True for the electrode's atoms"
                )
            if not mask.any():
                raise InvalidInput(name, "no atoms", "at least one atom", "name the atoms of a tip's base layer")
        shared = int(np.count_nonzero(self.anode & self.cathode))
        if shared:
            raise InvalidInput("cathode", f"{shared} atoms of the anode", "other atoms", "an atom has one potential")

    @property
    def held(self) -> BoolArray:
        """Atoms of either electrode, shape (n,)."""
        return np.asarray(self.anode | self.cathode)

    def hold(self, phi: FloatArray, voltage_v: float) -> None:
        """Set the anode's atoms of phi (V, shape (n,)) to +V/2 and the cathode's to -V/2, in place."""
        phi[self.anode] = voltage_v / 2
        phi[self.cathode] = -voltage_v / 2

    def fluxes(self, bonds: Bonds, phi: FloatArray, k: float) -> tuple[float, float]:
        """Potential that leaves the anode and that enters the cathode, V/fs.

        Each is the sum of k g_ij (phi_i - phi_j) over the bonds that leave the electrode. It is no current in ampere
        but potential times atoms per time: what the electrode has to be given to stay at its voltage. In the steady
        state the two agree, and at the voltage V the flux through a crystal's uniform bar of n atoms a volume,
        cross-section A and length L is k n A V / L: for one metal, proportional to the conductance that a continuum
        of the contact's shape would have.

        Parameters
        ----------
        bonds
            Bonds of the configuration.
        phi
            Potential of every atom, V, shape (n,).
        k
            Å²/fs.
        """
        anode_flux, cathode_flux = (k * _outflow(bonds, phi, electrode) for electrode in (self.anode, self.cathode))
        return anode_flux, -cathode_flux


def _outflow(bonds: Bonds, phi: FloatArray, electrode: BoolArray) -> float:
    """Sum of g_ij (phi_i - phi_j) over the bonds from an atom i of the electrode to another j outside, V/Å²."""
    from_first, from_second = electrode[bonds.first], electrode[bonds.second]
    leaving = np.flatnonzero(from_first != from_second)
    first, second = bonds.first[leaving], bonds.second[leaving]
    flow = bonds.conductance[leaving] * (phi[first] - phi[second])
    return float(np.sum(np.where(from_first[leaving], flow, -flow)))


def effective_conductance(flux: float, k: float, voltage_v: float) -> float:
    """Flux (V/fs) per unit of k (Å²/fs) and voltage (V), in 1/Å²; n A / L of a uniform bar; nan at 0 V."""
    return flux / (k * voltage_v) if voltage_v else math.nan
