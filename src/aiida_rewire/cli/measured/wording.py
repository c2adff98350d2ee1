"""Measured points in words."""

from __future__ import annotations

from collections.abc import Sequence

MOST_DEVICES = 5
LONGEST_SHOWN = 40


def devices_text(devices: Sequence[str]) -> str:
    """Return names of devices as they can be printed; of many the first five."""
    shown = ", ".join(repr(name[:LONGEST_SHOWN]) for name in devices[:MOST_DEVICES])
    more = f" and {len(devices) - MOST_DEVICES} more" if len(devices) > MOST_DEVICES else ""
    return f"device{'' if len(devices) == 1 else 's'} {shown}{more}"


def resistance_text(ohm: float | None, error_ohm: float | None) -> str:
    """Return a resistance that was taken off, with its error where it was fitted; a dash where none was."""
    if ohm is None:
        return "-"
    return f"{ohm:.6g}" if error_ohm is None else f"{ohm:.4g} +- {error_ohm:.2g}"
