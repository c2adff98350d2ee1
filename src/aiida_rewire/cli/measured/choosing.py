"""Which measured points a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida_rewire.database.measurements import Measurement

LONGEST_SHOWN = 80


def load_measured(identifier: str) -> Any:
    """Return a MeasuredTraceData; InvalidInput as of `load_named`."""
    from aiida_rewire.cli.results.identifying import load_named
    from aiida_rewire.database.measurements import MEASURED

    return load_named(identifier, MEASURED, "measured points", "aiida-rewire measured list")


def choose(identifiers: Sequence[str], *, device: str | None, corrected: bool) -> list[Measurement]:
    """Return the measurements that were named, or all of a kind, the oldest first.

    Parameters
    ----------
    identifiers
        Of nodes; none for all.
    device
        Only those with points of this device.
    corrected
        Whether all are those from which a series resistance was taken off, or those as they were measured.

    Raises
    ------
    InvalidInput
        If there is none, or points would count twice.
    """
    from aiida_rewire.database.measurements import measurements, origins_of_corrected, refuse_doubled

    if identifiers:
        uuids = [load_measured(identifier).uuid for identifier in identifiers]
        chosen = measurements(device=device, uuids=uuids)
    else:
        chosen = [one for one in measurements(device=device) if one.is_corrected == corrected]
    if not chosen:
        raise nothing_measured(device=device, corrected=corrected)
    chosen.sort(key=lambda one: one.pk)
    refuse_doubled(chosen, origins_of_corrected())
    return chosen


def nothing_measured(*, device: str | None, corrected: bool) -> InvalidInput:
    """Return the error of a choice that holds nothing, with what there is."""
    from aiida_rewire.cli.measured.wording import devices_text
    from aiida_rewire.database.measurements import measurements

    there = measurements()
    asked = "of any device" if device is None else f"of device {device[:LONGEST_SHOWN]!r}"
    asked += ", without a series resistance" if corrected else ""
    if not there:
        return InvalidInput(
            "measurements", asked, "in the profile", "it has none: `aiida-rewire measured import` adds some"
        )
    names = devices_text(sorted({name for one in there for name in one.devices}))
    left = sum(one.is_corrected for one in there)
    return InvalidInput(
        "measurements",
        asked,
        "at least one",
        f"there are {len(there) - left} as measured and {left} without a series resistance, of {names}",
    )
