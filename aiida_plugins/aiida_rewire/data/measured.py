"""Measured points of junctions, with the file they came in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_rewire.trace.measured import SMALLEST_VOLTAGE_V, MeasuredTrace, read_measured

SOURCE = "measured.csv"
"""Name of the file within the node."""

OPTIONAL_ARRAYS = ("voltage_v", "current_a", "time_s")
ARRAYS = ("conductance_g0", "cycle", "device")

SERIES_RESISTANCE = "series_resistance_ohm"
"""Attribute: what was taken off, ohm; there only where something was."""

SERIES_RESISTANCE_ERROR = "series_resistance_error_ohm"
"""Attribute: its standard error, ohm; there only where it was fitted."""

RESULTS = ("devices", "not_read", "n_points", "n_undefined", "n_cycles", "n_lines_left_out")


class MeasuredTraceData(orm.ArrayData):
    """Measured conductance: a point a row, in the order of the file.

    Arrays of shape (n,): ``conductance_g0`` (G0; NaN where undefined), ``cycle``, ``device`` (index in the attribute
    ``devices``), and where they were measured ``voltage_v`` (V), ``current_a`` (A), ``time_s`` (s). Attributes:
    ``devices``, ``n_points``, ``n_undefined``, ``n_cycles`` (of all devices), ``n_lines_left_out``, ``not_read``
    (titles of columns), ``filename`` and ``sha256`` of the file, which is in the repository of the node as
    ``measured.csv``; ``series_resistance_ohm`` of a node from which one was taken off, which has no file, and
    ``series_resistance_error_ohm`` if it was fitted.
    """

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        device: str | None = None,
        cycle: int = 0,
        smallest_voltage_v: float = SMALLEST_VOLTAGE_V,
        skip_bad_lines: bool = False,
    ) -> MeasuredTraceData:
        """Make an unstored node from a file.

        Parameters
        ----------
        path, device, cycle, smallest_voltage_v, skip_bad_lines
            See `aiida_rewire.trace.measured.read_measured`.

        Raises
        ------
        InvalidInput
            If the file cannot be read.
        """
        trace = read_measured(
            path,
            device=device,
            cycle=cycle,
            smallest_voltage_v=smallest_voltage_v,
            skip_bad_lines=skip_bad_lines,
        )
        node = cls.from_trace(trace)
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        node.base.repository.put_object_from_file(path.resolve(), SOURCE)
        labels = {"filename": path.name, "sha256": digest, "smallest_voltage_v": smallest_voltage_v}
        node.base.attributes.set_many(labels)
        return node

    @classmethod
    def from_trace(cls, trace: MeasuredTrace, labels: dict[str, Any] | None = None) -> MeasuredTraceData:
        """Make an unstored node without a file.

        Parameters
        ----------
        trace
            The points.
        labels
            Further attributes.
        """
        node = cls()
        for name in ARRAYS:
            node.set_array(name, getattr(trace, name))
        for name in OPTIONAL_ARRAYS:
            if getattr(trace, name) is not None:
                node.set_array(name, getattr(trace, name))
        node.base.attributes.set_many(
            {
                **(labels or {}),
                "devices": list(trace.devices),
                "not_read": list(trace.not_read),
                "n_points": len(trace.conductance_g0),
                "n_undefined": trace.undefined,
                "n_cycles": len(trace.cycles()),
                "n_lines_left_out": trace.left_out,
            }
        )
        return node

    def trace(self) -> MeasuredTrace:
        """Return the points."""
        arrays: dict[str, Any] = {name: self.get_array(name) for name in ARRAYS}
        there = self.get_arraynames()
        arrays |= {name: self.get_array(name) if name in there else None for name in OPTIONAL_ARRAYS}
        attributes = self.base.attributes
        return MeasuredTrace(
            **arrays,
            devices=tuple(attributes.get("devices")),
            undefined=attributes.get("n_undefined"),
            left_out=attributes.get("n_lines_left_out"),
            not_read=tuple(attributes.get("not_read")),
        )

    def _validate(self) -> bool:
        super()._validate()
        there = set(self.get_arraynames())
        missing = sorted({*ARRAYS} - there) + sorted({*RESULTS} - set(self.base.attributes.all))
        if missing:
            raise ValidationError(f"node = no {', '.join(missing)}: must be complete; use from_file or from_trace")
        shapes = {name: self.get_array(name).shape for name in (*ARRAYS, *OPTIONAL_ARRAYS) if name in there}
        if len(set(shapes.values())) != 1 or len(shapes["conductance_g0"]) != 1:
            raise ValidationError(f"arrays = {shapes}: must be of one shape (n,); use from_file or from_trace")
        device, devices = self.get_array("device"), self.base.attributes.get("devices")
        if device.size and not (device.min() >= 0 and device.max() < len(devices)):
            raise ValidationError(f"device = {np.unique(device).tolist()}: must be indices of {len(devices)} devices")
        return True
