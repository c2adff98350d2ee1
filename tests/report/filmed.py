"""A synthetic campaign whose snapshots have atoms, T(E) and contacts."""

from __future__ import annotations

import io
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from aiida.manage import get_manager
from made_junctions import ENERGIES, made_junction, made_transmission, stage_at
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "campaign"))

from synthetic_tables import Made, Writer

FIRST_CONTACT_PS = 4.2


class Filmed(Writer):
    """Writes chains with all that a page shows of a snapshot; the same atoms and T(E) in all chains."""

    def __init__(self, made: Made, snapshots: int) -> None:
        super().__init__(made, snapshots)
        # a chain's files are those of the others: each is stored once
        self.structure_of = cache(self.structure_of)  # type: ignore[method-assign]
        self.result_of = cache(self.result_of)  # type: ignore[method-assign]
        self.files_of_snapshots = cache(self.files_of_snapshots)  # type: ignore[method-assign]

    def share(self, index: int) -> float:
        """How much of its length a filament has grown by."""
        return index / max(self.count - 1, 1)

    def structure_of(self, index: int) -> dict[str, Any]:
        """A junction of silver."""
        cell, positions = made_junction(self.share(index), np.random.default_rng(index))
        sites = [{"kind_name": "Ag", "position": position} for position in positions.tolist()]
        return {"cell": cell.tolist(), "sites": sites, "kinds": [{"name": "Ag", "symbols": ["Ag"]}]}

    def result_of(self, index: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """T(E) at two k-points, of which the second transmits twice as much."""
        transmission = made_transmission(self.share(index), np.random.default_rng(1000 + index))
        stage, bonds = stage_at(self.share(index))
        value = float(transmission[20])
        own = {"stage": stage, "min_cut": bonds, "n_energies": len(ENERGIES), "n_kpoints": 2}
        arrays = {
            "energies": ENERGIES,
            "weights": np.array([0.5, 0.5]),
            "transmission": np.outer(transmission, [2 / 3, 4 / 3]),
        }
        return {**own, "conductance_g0": value, "transmission_fermi": value}, stored(arrays)

    def files_of_snapshots(self) -> dict[str, Any]:
        """What the snapshots are described by."""
        shares = [self.share(index) for index in range(self.count)]
        bonds = np.array([stage_at(share)[1] for share in shares])
        return stored(
            {
                "time_ps": 0.2 * np.arange(self.count),
                "steps": 200 * np.arange(self.count),
                "voltage_v": np.full(self.count, 8.0),
                "bonds": bonds,
                "gap_left": np.where(bonds > 0, 0.0, 3.5),
            }
        )

    def output(self, source: int, node_type: str, attributes: dict[str, Any], label: str, **more: Any) -> int:
        """Say of snapshots when the tips met, and their stages."""
        if "TrajectoryData" in node_type:
            stages = [stage_at(self.share(index))[0] for index in range(self.count)]
            attributes = {**attributes, "first_contact_ps": FIRST_CONTACT_PS, "stages": stages}
        return super().output(source, node_type, attributes, label, **more)


def stored(arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Put arrays into the repository as their node would, and return its column for them."""
    repository = get_manager().get_profile_storage().get_repository()
    entries = {}
    for name, array in arrays.items():
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        content.seek(0)
        entries[f"{name}.npy"] = {"k": repository.put_object_from_filelike(content)}
    return {"o": entries}
