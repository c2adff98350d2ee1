"""The storage of the profile that a command is about, and bytes as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_rewire.cli.campaign.opening import told_in_a_line
from aiida_rewire.cli.profile import open_profile

if TYPE_CHECKING:
    from aiida_rewire.database.storage import Storage

UNITS = ("B", "kB", "MB", "GB", "TB")


@contextmanager
def storage_of(directory: Path | None) -> Iterator[Storage]:
    """Open the profile; what goes wrong is told in a line."""
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.database.storage import Storage

        yield Storage.of_profile()


def bytes_text(count: int) -> str:
    """Say a number of bytes in the unit that fits."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.3g} {UNITS[unit]}"
