"""The electrochemical potential of moving atoms, as the driver of the dynamics asks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from aiida_rewire.bias.bonds import BondList, BoolArray, FloatArray
from aiida_rewire.bias.diffusion import diffuse
from aiida_rewire.bias.electrodes import Electrodes
from aiida_rewire.bias.steady import solve_steady, without_vanishing
from aiida_rewire.errors import InvalidInput

MODES = ("diffusion", "steady")


class Bias(NamedTuple):
    """The potential of a configuration and what flows.

    Attributes
    ----------
    phi
        Potential of every atom, V, shape (n,).
    anode_flux, cathode_flux
        Out of the anode and into the cathode, V/fs; see `Electrodes.fluxes` for what it means.
    """

    phi: FloatArray
    anode_flux: float
    cathode_flux: float


class ElectrochemicalPotential:
    """The potential that spreads from two electrodes through connected metal.

    The sign is the physical one: the anode has +V/2, the cathode -V/2.

    Parameters
    ----------
    anode, cathode
        Masks of the electrodes' atoms, shape (n,).
    mode
        "diffusion": as published, a call advances the potential by one step of the atoms. "steady": a call gives the
        state that diffusion would end in, whenever it is due.
    cutoff
        Longest bond, Å.
    norm
        See `bonds.normalisation`.
    k
        Å²/fs; in the steady mode it only scales the fluxes.
    n_electron
        Electron steps for each step of the atoms; diffusion only.
    timestep_fs
        Step of the atoms, fs; diffusion only.
    conducting
        Mask of the atoms that the potential spreads through, shape (n,); the others keep theirs. Without: all.
    box_lengths
        Å along x, y and z, 0 where not periodic. Without: not periodic.
    skin
        How much farther than the cutoff pairs of atoms are kept, Å; it changes the cost, not the result.

    Raises
    ------
    InvalidInput
        If an electrode is empty, overlaps with the other or does not conduct, or for an unknown mode or a number out
        of its bounds.
    """

    def __init__(
        self,
        anode: BoolArray,
        cathode: BoolArray,
        *,
        mode: str,
        cutoff: float,
        norm: float,
        k: float,
        n_electron: int = 10,
        timestep_fs: float = 1.0,
        conducting: BoolArray | None = None,
        box_lengths: Sequence[float] | None = None,
        skin: float = 0.6,
    ) -> None:
        self._electrodes = Electrodes(np.asarray(anode), np.asarray(cathode))
        metal = np.ones(len(anode), dtype=np.bool_) if conducting is None else np.asarray(conducting)
        if metal.shape != self._electrodes.anode.shape or metal.dtype != np.bool_:
            raise InvalidInput(
                "conducting", f"{metal.dtype} {metal.shape}", "a mask of all atoms", "one bool an atom"
            )
        if np.any(self._electrodes.held & ~metal):
            raise InvalidInput("conducting", "not every electrode atom", "true for them", "take electrodes of metal")
        if mode not in MODES:
            raise InvalidInput("mode", mode, f"one of {', '.join(MODES)}", "steady is the limit of fast electrons")
        if not 0 < k < math.inf:
            raise InvalidInput("k", f"{k} Å²/fs", "above 0 and finite", "EChemDID uses 6 Å²/fs")
        if n_electron < 1 or n_electron != int(n_electron):
            raise InvalidInput("n_electron", n_electron, "a whole number from 1", "EChemDID uses 10")
        if not 0 < timestep_fs < math.inf:
            raise InvalidInput("timestep_fs", f"{timestep_fs} fs", "above 0 fs and finite", "silver takes 1 fs")
        self._bonds = BondList(metal, cutoff=cutoff, norm=norm, skin=skin, box_lengths=box_lengths)
        self._mode = mode
        self._k = k
        self._n_electron = int(n_electron)
        self._timestep_fs = timestep_fs

    def advance(self, positions: FloatArray, phi: FloatArray, voltage_v: float) -> Bias:
        """Give the potential its next value.

        Parameters
        ----------
        positions
            Å, shape (n, 3).
        phi
            Potential of every atom before, V, shape (n,); not changed.
        voltage_v
            V of the anode against the cathode.

        Returns
        -------
        Bias
            The new potential and the fluxes out of the anode and into the cathode; for diffusion their mean over the
            step.

        Raises
        ------
        InvalidInput
            If positions, potential or voltage are not finite or not as many as the atoms, if two atoms share a point,
            or if diffusion would be unstable.
        """
        if phi.shape != self._electrodes.anode.shape or not np.all(np.isfinite(phi)):
            raise InvalidInput(
                "phi", f"shape {phi.shape}", f"{len(self._electrodes.anode)} finite numbers", "start from zeros"
            )
        if not math.isfinite(voltage_v):
            raise InvalidInput("voltage_v", f"{voltage_v} V", "finite", "0 V switches the bias off")
        bonds = self._bonds.update(positions)
        if self._mode == "steady":
            bonds = without_vanishing(bonds)
            new = flowing = solve_steady(bonds, phi, self._electrodes, voltage_v)
        else:
            new, flowing = diffuse(
                bonds,
                phi,
                self._electrodes,
                voltage_v,
                k=self._k,
                timestep_fs=self._timestep_fs,
                n_electron=self._n_electron,
            )
        anode_flux, cathode_flux = self._electrodes.fluxes(bonds, flowing, self._k)
        return Bias(new, anode_flux, cathode_flux)
