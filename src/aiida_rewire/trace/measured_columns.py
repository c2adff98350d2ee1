"""Columns of a measured file: what each holds, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

NAMES = {
    "voltage": ("voltage", "bias", "v", "u"),
    "current": ("current", "i"),
    "time": ("time", "t"),
    "conductance": ("conductance", "g"),
    "cycle": ("cycle", "sweep"),
    "device": ("device", "sample"),
}
"""Quantities, and what a column that holds one may be called, in any case."""

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

UNITS: dict[str, dict[str, float]] = {
    "voltage": {f"{prefix}v": factor for prefix, factor in _PREFIXES.items()},
    "current": {f"{prefix}a": factor for prefix, factor in (*_PREFIXES.items(), ("p", 1e-12), ("f", 1e-15))},
    "time": {f"{prefix}s": factor for prefix, factor in (*_PREFIXES.items(), ("p", 1e-12))}
    | {"min": 60.0, "h": 3600.0},
    "conductance": {"g0": 1.0, "2e2/h": 1.0, "2e^2/h": 1.0}
    | {f"{prefix}s": factor / CONDUCTANCE_QUANTUM for prefix, factor in _PREFIXES.items()},
}
"""What a value is multiplied by to be in V, A, s or G0; units in lower case, with u for micro."""

SHOWN_UNITS = {
    "voltage": "V, mV, uV, nV",
    "current": "A, mA, uA, nA, pA, fA",
    "time": "s, ms, us, ns, ps, min, h",
    "conductance": "G0, S, mS, uS, nS",
}

_HEADER = re.compile(r"(?P<name>[^\[\](){}/_]+?)\s*(?:[\[({](?P<bracket>[^\])}]*)[\])}]|[_/\s]\s*(?P<plain>\S+))?")

EXAMPLE = "a header such as: time_s,voltage_V,current_uA"


@dataclass(frozen=True)
class Column:
    """A column that is read.

    Attributes
    ----------
    index
        Its place in a line, from 0.
    title
        As the header has it.
    quantity
        One of `NAMES`.
    factor
        What its numbers are multiplied by to be in V, A, s or G0.
    """

    index: int
    title: str
    quantity: str
    factor: float


def columns_of(titles: Sequence[str]) -> dict[str, Column]:
    """Find out what the columns of a file are.

    A title is a name and a unit: ``voltage_mV``, ``Voltage (mV)``, ``V [mV]``, ``I/uA``, ``conductance_G0``. Cycles
    and devices have no unit. Columns of other names are not read.

    Parameters
    ----------
    titles
        The header's.

    Returns
    -------
    dict
        Quantity and column.

    Raises
    ------
    InvalidInput
        If a unit is missing or unknown, a quantity comes twice, or there is neither a conductance nor a voltage with
        a current.
    """
    found: dict[str, Column] = {}
    for index, title in enumerate(titles):
        column = _column(index, title.strip())
        if column is None:
            continue
        if column.quantity in found:
            raise InvalidInput(
                "columns",
                f"{found[column.quantity].title!r} and {column.title!r}",
                f"one {column.quantity}",
                "rename the one that is not meant",
            )
        found[column.quantity] = column
    if "conductance" not in found and not {"voltage", "current"} <= set(found):
        raise InvalidInput(
            "columns",
            ", ".join(repr(title.strip()[:40]) for title in titles[:12]) or "none",
            "a conductance, or a voltage and a current, each with its unit",
            f"write {EXAMPLE}",
        )
    return found


def _column(index: int, title: str) -> Column | None:
    matched = _HEADER.fullmatch(title)
    if matched is None:
        return None
    name = matched["name"].strip().lower()
    quantity = next((quantity for quantity, names in NAMES.items() if name in names), None)
    if quantity is None:
        return None
    unit = matched["bracket"] if matched["bracket"] is not None else matched["plain"]
    if quantity not in UNITS:
        if unit:
            raise InvalidInput(f"column {title!r}", f"unit {unit!r}", "without a unit", f"call it {name}")
        return Column(index, title, quantity, 1.0)
    # both code points of the micro sign
    known = UNITS[quantity].get((unit or "").strip().lower().replace("\u00b5", "u").replace("\u03bc", "u"))
    if known is None:
        raise InvalidInput(
            f"column {title!r}",
            f"unit {unit!r}" if unit else "no unit",
            f"a {quantity} in one of {SHOWN_UNITS[quantity]}",
            f"write {EXAMPLE}",
        )
    return Column(index, title, quantity, known)
