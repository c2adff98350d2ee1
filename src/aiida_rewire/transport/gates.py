"""The gates that a transmission must pass before it is stored.

pwcond.x ends normally with wrong numbers, and an output may be cut off or damaged; but it prints most numbers
twice: T is the sum of the T_j and of the eigenchannels, T_j that of the T_ij, and T_j + R_j = 1.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.transport.pwcond_output import PwcondOutput, ScatteringState

ENERGY_TOLERANCE = 1e-5
"""eV; pwcond.x prints seven decimals, and five in its totals."""

KPOINT_TOLERANCE = 1e-6
"""Crystal coordinates and weights are printed with seven decimals."""

ROUNDING = 0.5e-5
"""Of T_j, R_j, T_ij, R_ij and tau_n, five decimals."""

FINE_ROUNDING = 1.5e-7
"""Of T, seven decimals, and of the sums in binary."""

TOTAL_ROUNDING = 5.5e-5
"""Relative; T_tot is printed as 0.ddddd and a power of ten."""


class RefusedTransmission(ValueError):
    """A transmission that must not be stored. Its class says which gate refused it."""


class IncompleteTransmission(RefusedTransmission):
    """A k-point or an energy is missing from an output that says it is complete."""


class InconsistentTransmission(RefusedTransmission):
    """Numbers that contradict each other, or the input."""


class NonFiniteTransmission(RefusedTransmission):
    """A number that is not finite, or not one that pwcond.x prints."""


class BrokenUnitarity(RefusedTransmission):
    """T_j + R_j is not one."""


class TooMuchTransmission(RefusedTransmission):
    """More transmission than channels, or less than none."""


def gate_states(
    output: PwcondOutput,
    *,
    energies: NDArray[np.float64],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
    wanted: Collection[tuple[int, int]] | None = None,
    spin_polarised: bool = False,
    unitarity_tolerance: float,
) -> tuple[ScatteringState, ...]:
    """Check every state that was printed.

    Parameters
    ----------
    output
        What pwcond.x printed.
    energies
        The energies of the input, eV from the Fermi energy, descending, shape (E,).
    kpoints, weights
        The k-points of the input in crystal coordinates, shape (k, 2), and their weights, shape (k,), which
        are normalised here as pwcond.x does.
    wanted
        Pairs (energy index, k-point index) that this run was asked for, from 0; all of the grid by default.
    spin_polarised
        Whether the run is for one spin (nspin = 2, ``iofspin``).
    unitarity_tolerance
        Largest |T_j + R_j - 1| to accept, and how far T may exceed its bounds for each channel.

    Returns
    -------
    tuple of ScatteringState
        All that were wanted, if the output is complete. Else those printed so far, without one whose end may
        be cut off.

    Raises
    ------
    IncompleteTransmission, InconsistentTransmission, NonFiniteTransmission, TooMuchTransmission, BrokenUnitarity
        The gate that refused.
    """
    asked = {(e, k) for e in range(len(energies)) for k in range(len(kpoints))} if wanted is None else set(wanted)
    states = tuple(state for state in output.states if state.closed)
    seen: set[tuple[int, int]] = set()
    for state in states:
        place = (state.energy_index, state.kpoint_index)
        if place not in asked or place in seen:
            why = "was printed twice" if place in seen else "was not asked for"
            raise InconsistentTransmission(f"{_where(state)}: energy {place[0] + 1}, k-point {place[1] + 1} {why}")
        seen.add(place)
        _gate_place(state, energies[place[0]], kpoints[place[1]])
        _gate_state(state, unitarity_tolerance)
    if states:
        _gate_run(output, states, kpoints, weights / weights.sum(), spin_polarised)
    if output.complete:
        if missing := sorted(asked - seen):
            e, k = missing[0]
            raise IncompleteTransmission(
                f"{len(missing)} of {len(asked)} (energy, k) pairs are missing, the first at "
                f"k = {tuple(kpoints[k].tolist())}, E = {energies[e]:.5f} eV"
            )
        _gate_totals(output, states, energies, weights / weights.sum(), asked)
    return states


def _where(state: ScatteringState) -> str:
    return f"k = ({state.kpoint[0]:.7f}, {state.kpoint[1]:.7f}), E = {state.energy:.7f} eV"


def _gate_place(state: ScatteringState, energy: float, kpoint: NDArray[np.float64]) -> None:
    if not abs(state.energy - energy) <= ENERGY_TOLERANCE:
        raise InconsistentTransmission(f"{_where(state)}: the energy asked for here is {energy:.7f} eV")
    if not np.abs(np.array(state.kpoint) - kpoint).max() <= KPOINT_TOLERANCE:
        raise InconsistentTransmission(f"{_where(state)}: the k-point asked for here is {tuple(kpoint.tolist())}")


def _gate_state(state: ScatteringState, tolerance: float) -> None:
    """Check the numbers of one state against physics and against each other."""
    where, transmission = _where(state), state.transmission
    pairs = (*state.pair_transmissions, *state.pair_reflections)
    small = (*state.channel_transmissions, *state.channel_reflections, *state.eigenchannels)
    if not all(map(math.isfinite, (transmission, state.overlap, *small, *(x for row in pairs for x in row)))):
        raise NonFiniteTransmission(f"{where}: a number is not finite or cannot be read; T = {transmission} per spin")
    if state.damaged is not None:
        raise InconsistentTransmission(f"{where}: not what pwcond.x prints: {state.damaged!r}")
    right = state.channels if state.channels_right is None else state.channels_right
    bound, slack = min(state.channels, right), tolerance * max(1, state.channels)
    if not -slack <= transmission <= bound + slack:
        raise TooMuchTransmission(f"{where}: T = {transmission:.7f} per spin with {bound} channels")
    if worst := [x for x in small if not -slack <= x <= 1 + slack]:
        raise TooMuchTransmission(f"{where}: a channel or eigenchannel has {worst[0]:.5f}, not from 0 to 1")
    what = f"{where}: T = {transmission:.7f} per spin"
    _gate_sum(what, "T_j", transmission, state.channel_transmissions)
    if state.decomposed:
        _gate_sum(what, "tau_n", transmission, state.eigenchannels)
    for j, total in enumerate(state.channel_transmissions):
        _gate_sum(f"{where}: T_{j + 1} = {total:.5f}", "T_ij", total, state.pair_transmissions[j], ROUNDING)
    for j, total in enumerate(state.channel_reflections):
        _gate_sum(f"{where}: R_{j + 1} = {total:.5f}", "R_ij", total, state.pair_reflections[j], ROUNDING)
    if not state.unitarity <= tolerance:
        raise BrokenUnitarity(
            f"{where}: |T_j + R_j - 1| is up to {state.unitarity:.2e}, above the tolerance of {tolerance:.2e}"
        )


def _gate_sum(what: str, name: str, total: float, terms: Sequence[float], own_rounding: float = 0.0) -> None:
    bound = ROUNDING * len(terms) + own_rounding + FINE_ROUNDING
    if not abs(total - sum(terms)) <= bound:
        raise InconsistentTransmission(
            f"{what}, but the {name} sum to {sum(terms):.5f}; they may differ by {bound:.1e}"
        )


def _gate_run(
    output: PwcondOutput,
    states: Sequence[ScatteringState],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
    spin_polarised: bool,
) -> None:
    """Check what all states have in common."""
    listed = np.column_stack([np.array(output.kpoints).reshape(-1, 2), np.array(output.weights)])
    asked = np.column_stack([kpoints, weights])
    if listed.shape != asked.shape or not np.abs(listed - asked).max() <= KPOINT_TOLERANCE:
        raise InconsistentTransmission("the k-points and weights listed in the output are not those asked for")
    if (output.spin is not None) != spin_polarised:
        raise InconsistentTransmission(
            f"the run is {'not ' if spin_polarised else ''}one of LSDA, asked for: spin_polarised = {spin_polarised}"
        )
    conducting = [state for state in states if state.conducting]
    for state in conducting:
        if state.both_spins == spin_polarised:
            said = "for both spins" if state.both_spins else "not for both spins"
            raise InconsistentTransmission(f"{_where(state)}: T is printed {said}; spin_polarised = {spin_polarised}")
        if state.decomposed != conducting[0].decomposed:
            raise InconsistentTransmission(f"{_where(state)}: eigenchannels are printed for some states only")
    if any(state.both_spins for state in states if not state.conducting):
        raise InconsistentTransmission("a transmission without channels is printed for both spins")
    if len({state.channels_right is None for state in states}) > 1:
        raise InconsistentTransmission("the channels of the right lead are printed for some states only")


def _gate_totals(
    output: PwcondOutput,
    states: Sequence[ScatteringState],
    energies: NDArray[np.float64],
    weights: NDArray[np.float64],
    asked: Collection[tuple[int, int]],
) -> None:
    """Check the k-summed transmissions: one for each energy of the run, over the k-points of the run."""
    summed = dict.fromkeys(sorted(e for e, _ in asked), 0.0)
    for state in states:
        summed[state.energy_index] += float(weights[state.kpoint_index]) * state.transmission
    if len(output.totals) != len(summed):
        raise InconsistentTransmission(f"{len(output.totals)} totals are printed for {len(summed)} energies")
    for (energy, total), (index, expected) in zip(output.totals, summed.items(), strict=True):
        bound = TOTAL_ROUNDING * expected + FINE_ROUNDING
        if not (abs(energy - energies[index]) <= ENERGY_TOLERANCE and abs(total - expected) <= bound):
            raise InconsistentTransmission(
                f"E = {energy:.5f} eV: T_tot = {total:.6f} per spin, but the k-points sum to {expected:.6f} "
                f"at {energies[index]:.5f} eV"
            )


@dataclass(frozen=True)
class TransmissionGrid:
    """Transmission on the whole (energy, k) grid, with holes where it was not computed.

    Attributes
    ----------
    energies
        eV from the Fermi energy, descending, shape (E,).
    kpoints, weights
        Crystal coordinates, shape (k, 2), and weights, shape (k,).
    transmission
        Per spin, shape (E, k); NaN where not computed.
    channels
        Of the left lead, shape (E, k); -1 where not computed.
    unitarity
        Largest |T_j + R_j - 1|, shape (E, k); NaN where not computed.
    eigenchannels
        tau_n, descending, shape (E, k, n), NaN beyond the last; n is the largest number of channels, at least 1.
    """

    energies: NDArray[np.float64]
    kpoints: NDArray[np.float64]
    weights: NDArray[np.float64]
    transmission: NDArray[np.float64]
    channels: NDArray[np.int64]
    unitarity: NDArray[np.float64]
    eigenchannels: NDArray[np.float64]

    @property
    def computed(self) -> NDArray[np.bool_]:
        """Where there is a transmission, shape (E, k)."""
        return self.channels >= 0


def grid_of(
    states: Sequence[ScatteringState],
    energies: NDArray[np.float64],
    kpoints: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> TransmissionGrid:
    """Arrange states, of one run or of several shards, on their grid.

    Parameters
    ----------
    states
        As ``gate_states`` returns them.
    energies
        eV, shape (E,).
    kpoints, weights
        Shape (k, 2) and (k,).

    Raises
    ------
    InconsistentTransmission
        If two states have the same place: two shards overlap.
    """
    shape = (len(energies), len(kpoints))
    transmission, unitarity = np.full(shape, np.nan), np.full(shape, np.nan)
    channels = np.full(shape, -1, dtype=np.int64)
    eigenchannels = np.full((*shape, max([1, *(state.channels for state in states)])), np.nan)
    for state in states:
        place = (state.energy_index, state.kpoint_index)
        if channels[place] >= 0:
            raise InconsistentTransmission(f"{_where(state)}: two runs have computed it")
        transmission[place], unitarity[place] = state.transmission, state.unitarity
        channels[place] = state.channels
        eigenchannels[place][: len(state.eigenchannels)] = state.eigenchannels
    return TransmissionGrid(
        np.asarray(energies, dtype=float),
        np.asarray(kpoints, dtype=float),
        np.asarray(weights, dtype=float),
        transmission,
        channels,
        unitarity,
        eigenchannels,
    )
