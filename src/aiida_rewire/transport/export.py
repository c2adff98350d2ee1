"""Transmissions as files: CSV, JSON, HDF5."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM
from aiida_rewire.transport.spectrum import UNITS, Arrays

CSV_COLUMNS = ("energy_ev", "kx", "ky", "weight", "transmission", "channels", "unitarity")
CSV_UNITS = (
    "energy_ev in eV from E_F; kx, ky in crystal coordinates; the weights of one energy sum to 1; transmission and "
    "channels per spin; unitarity is the largest |T_j + R_j - 1|"
)


@dataclass(frozen=True)
class StoredTransmission:
    """A transmission with its name in the database.

    Attributes
    ----------
    uuid, created
        Of the node; the time as ISO 8601.
    attributes
        Results and labels.
    arrays
        As `aiida_rewire.transport.spectrum.check_spectrum` describes them.
    """

    uuid: str
    created: str
    attributes: Mapping[str, Any]
    arrays: Arrays


def write_csv(transmissions: Sequence[StoredTransmission], handle: TextIO) -> None:
    """Write a row for each energy and k-point, under lines that begin with # and say what it is.

    Parameters
    ----------
    transmissions
        With more than one, the first column is ``uuid``.
    handle
        Where to write, opened with ``newline=""``.
    """
    for one in transmissions:
        conductance = one.attributes.get("conductance_g0")
        words = "not computed at E_F" if conductance is None else f"{conductance!r} G0"
        handle.write(f"# uuid: {one.uuid}, conductance: {words}\n")
    handle.write(f"# G0 = 2e^2/h = {CONDUCTANCE_QUANTUM * 1e6:.6f} microsiemens\n# {CSV_UNITS}\n")
    several = len(transmissions) > 1
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow((("uuid",) if several else ()) + CSV_COLUMNS)
    for one in transmissions:
        lists = {name: array.tolist() for name, array in one.arrays.items()}
        points = [(*kpoint, weight) for kpoint, weight in zip(lists["kpoints"], lists["weights"], strict=True)]
        values = zip(lists["energies"], lists["transmission"], lists["channels"], lists["unitarity"], strict=True)
        for energy, *rows in values:
            for point, *numbers in zip(points, *rows, strict=True):
                writer.writerow([*([one.uuid] if several else []), energy, *point, *numbers])


def write_json(transmissions: Sequence[StoredTransmission], handle: TextIO) -> None:
    """Write an object with ``uuid``, ``created``, ``attributes``, ``units`` and ``arrays``, NaN as null.

    Parameters
    ----------
    transmissions
        With more than one, a list of objects is written.
    handle
        Where to write.
    """
    objects = [
        {
            "uuid": one.uuid,
            "created": one.created,
            "attributes": dict(one.attributes),
            "units": {name: UNITS[name] for name in one.arrays},
            "arrays": {name: _without_nan(array.tolist()) for name, array in one.arrays.items()},
        }
        for one in transmissions
    ]
    json.dump(objects if len(objects) > 1 else objects[0], handle, allow_nan=False)
    handle.write("\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_hdf5(transmissions: Sequence[StoredTransmission], path: Path) -> None:
    """Write a dataset for each array with its unit as the attribute ``units``.

    ``uuid``, ``created`` and the attributes of the node are attributes of the file; those that are lists,
    dictionaries or none are JSON text.

    Parameters
    ----------
    transmissions
        With more than one, each is a group named by its UUID.
    path
        Of the file; it is replaced.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "w") as file:
        for one in transmissions:
            group = file.create_group(one.uuid) if len(transmissions) > 1 else file
            for name, array in one.arrays.items():
                group.create_dataset(name, data=array).attrs["units"] = UNITS[name]
            for name, value in one.attributes.items():
                group.attrs[name] = value if isinstance(value, (str, int, float)) else json.dumps(value)
            group.attrs.update({"uuid": one.uuid, "created": one.created})
