"""Transmissions put together from shards, and stored as conductances."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from numpy.typing import NDArray

from aiida_rewire.calculations.pwcond_inputs import descending
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import REUSED_FROM, labels_of_snapshot, mismatch_at_ends
from aiida_rewire.transport.gates import TransmissionGrid
from aiida_rewire.transport.numerics import ENERGY_NUDGE_EV
from aiida_rewire.transport.shards import merge_grids

EXIT_NO_GRID = 340

ENERGY_ROUNDING_EV = 1e-6
"""pwcond.x takes seven decimals."""


def part_name(number: int) -> str:
    """Name of a part as a link label."""
    return f"part_{number:04d}"


@calcfunction
def merge_shards(energies: orm.List, origins: orm.Dict, **parts: orm.ArrayData) -> orm.ArrayData | ExitCode:
    """Put the transmissions of shards together; holes and double coverage are refused.

    Parameters
    ----------
    energies
        Those that were asked for, eV.
    origins
        Of each part the spin, empty where there is none, and what its numerics differ in from those asked for.
    parts
        What runs of pwcond.x computed of the grid.

    Returns
    -------
    ArrayData
        The arrays of a part without holes, and ``numerics``, the place in the attribute ``ladder``, which lists
        the numerics; of polarised runs the mean of the spins and ``transmission_spin``.
    """
    asked = descending(energies.get_list())
    first = next(iter(parts.values()))
    kpoints, weights = first.get_array("kpoints"), first.get_array("weights")
    ladder: list[dict[str, Any]] = [{}]
    merged: dict[str, tuple[TransmissionGrid, NDArray[np.int64]]] = {}
    spins = {origins[name]["spin"] for name in parts}
    if spins not in ({""}, {"up", "down"}):
        return ExitCode(EXIT_NO_GRID, f"spins = {sorted(spins)}: must be none, or up and down; compute both")
    try:
        for spin in sorted(spins, reverse=True):
            names = sorted(name for name in parts if origins[name]["spin"] == spin)
            grid, source = merge_grids(
                [grid_of_node(parts[name]) for name in names],
                energies=asked,
                kpoints=kpoints,
                weights=weights,
                energy_tolerance=ENERGY_NUDGE_EV + ENERGY_ROUNDING_EV,
            )
            rungs = [origins[name]["numerics"] for name in names]
            for rung in rungs:
                if rung not in ladder:
                    ladder.append(rung)
            merged[spin] = grid, np.array([ladder.index(rung) for rung in rungs])[source]
    except ValueError as error:
        return ExitCode(EXIT_NO_GRID, str(error))
    node = orm.ArrayData()
    for name, array in _arrays(merged).items():
        node.set_array(name, array)
    node.base.attributes.set("ladder", ladder)
    return node


def grid_of_node(node: orm.ArrayData) -> TransmissionGrid:
    """Return the arrays of a part."""
    return TransmissionGrid(**{field.name: node.get_array(field.name) for field in fields(TransmissionGrid)})


def _arrays(merged: dict[str, tuple[TransmissionGrid, NDArray[np.int64]]]) -> dict[str, NDArray[Any]]:
    grids = [grid for grid, _ in merged.values()]
    shared = {name: getattr(grids[0], name) for name in ("energies", "kpoints", "weights")}
    spins = np.array([grid.transmission for grid in grids])
    arrays = {
        **shared,
        "transmission": spins.mean(axis=0),
        "channels": np.max([grid.channels for grid in grids], axis=0),
        "unitarity": np.max([grid.unitarity for grid in grids], axis=0),
        "numerics": np.max([rungs for _, rungs in merged.values()], axis=0),
    }
    if len(grids) == 1:
        return {**arrays, "eigenchannels": grids[0].eigenchannels}
    widest = max(grid.eigenchannels.shape[2] for grid in grids)
    padded = [_padded(grid.eigenchannels, widest) for grid in grids]
    return {**arrays, "transmission_spin": spins, "eigenchannels": np.array(padded)}


def _padded(eigenchannels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    missing = width - eigenchannels.shape[2]
    return np.pad(eigenchannels, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)


@calcfunction
def store_conductance(
    transmission: orm.ArrayData,
    labels: orm.Dict,
    left_lead: orm.Dict,
    junction: orm.Dict,
    right_lead: orm.Dict | None = None,
    snapshots: orm.TrajectoryData | None = None,
    index: orm.Int | None = None,
    assembly: orm.Dict | None = None,
) -> ConductanceData:
    """Make the conductance of a junction from a transmission that passed every gate.

    Parameters
    ----------
    transmission
        Of the whole grid.
    labels
        What it is found by: campaign, chain, seed, voltage_v, protocol, pseudo_family.
    left_lead, junction, right_lead
        Results of the read-back of each SCF: V - E_F at the ends.
    snapshots, index
        The snapshot that the junction was made of, for its step, time, voltage, stage and contact.
    assembly
        What was done to its atoms.
    """
    names = set(transmission.get_arraynames())
    return ConductanceData.from_transmission(
        **{name: transmission.get_array(name) for name in sorted(names)},
        ladder=transmission.base.attributes.get("ladder"),
        potential_mismatch_ev=mismatch_at_ends(left_lead, junction, right_lead),
        labels={**labels.get_dict(), **labels_of_snapshot(snapshots, index, assembly)},
    )


@calcfunction
def reuse_conductance(
    conductance: ConductanceData,
    labels: orm.Dict,
    distance: orm.Float,
    snapshots: orm.TrajectoryData,
    index: orm.Int,
    assembly: orm.Dict,
) -> ConductanceData:
    """Give the conductance of an equal contact, computed before in the same way, to another snapshot.

    Parameters
    ----------
    conductance
        That was computed.
    labels
        What the new one is found by.
    distance
        How far the atoms of the two contacts are apart at the most, Å.
    snapshots, index, assembly
        As of :func:`store_conductance`.
    """
    reused: ConductanceData = conductance.clone()
    reused.base.attributes.delete_many(list(conductance.creator.inputs.labels.get_dict()))
    reused.base.attributes.set_many(
        {
            **labels.get_dict(),
            **labels_of_snapshot(snapshots, index, assembly),
            REUSED_FROM: conductance.uuid,
            "reuse_distance_a": distance.value,
        }
    )
    return reused
