"""Measured points in the database: what there is, which file it came in, and what was taken off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MEASURED = "rewire.measured"
"""Entry point of the nodes."""

SUBTRACT = "rewire.subtract_series_resistance"
FIT = "rewire.fit_series_resistance"
"""Entry points of the calculation functions."""

ATTRIBUTES = (
    "filename",
    "devices",
    "n_points",
    "n_undefined",
    "n_cycles",
    "n_lines_left_out",
    "series_resistance_ohm",
    "series_resistance_error_ohm",
)


@dataclass(frozen=True)
class Measurement:
    """A node of measured points; no array of it was read.

    Attributes
    ----------
    pk, uuid, created
        Of the node.
    filename
        Of the file that it came in; None where something was taken off, which has no file.
    devices
        Names.
    n_points, n_undefined, n_cycles, n_lines_left_out
        See the node.
    series_resistance_ohm, series_resistance_error_ohm
        What was taken off, and its error where it was fitted, ohm; None where nothing was.
    """

    pk: int
    uuid: str
    created: datetime
    filename: str | None
    devices: tuple[str, ...]
    n_points: int
    n_undefined: int
    n_cycles: int
    n_lines_left_out: int
    series_resistance_ohm: float | None
    series_resistance_error_ohm: float | None

    @property
    def is_corrected(self) -> bool:
        """Whether a series resistance was taken off."""
        return self.series_resistance_ohm is not None


def measurements(*, device: str | None = None, uuids: Iterable[str] | None = None) -> list[Measurement]:
    """Return the measured nodes of the profile, the newest first.

    Parameters
    ----------
    device
        Only those with points of this device.
    uuids
        Only these.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    filters: dict[str, Any] = {}
    if uuids is not None:
        filters["uuid"] = {"in": list(uuids)}
    if device is not None:
        filters["attributes.devices"] = {"contains": [device]}
    query = orm.QueryBuilder()
    project = ["id", "uuid", "ctime", *(f"attributes.{name}" for name in ATTRIBUTES)]
    query.append(DataFactory(MEASURED), filters=filters, project=project, tag="node")
    query.order_by({"node": [{"ctime": "desc"}, {"id": "desc"}]})
    return [
        Measurement(pk, uuid, created, filename, tuple(devices), *numbers)
        for pk, uuid, created, filename, devices, *numbers in query.iterall()
    ]


def origins_of_corrected() -> dict[str, str]:
    """Return UUIDs of nodes that something was taken off from, and of what it was taken off."""
    from aiida import orm
    from aiida.plugins import DataFactory

    measured = DataFactory(MEASURED)
    query = orm.QueryBuilder()
    query.append(measured, tag="measured", project="uuid")
    query.append(
        orm.CalcFunctionNode, with_incoming="measured", edge_filters={"label": "measured"}, tag="subtraction"
    )
    query.append(measured, with_incoming="subtraction", project="uuid")
    return {corrected: source for source, corrected in query.iterall()}


def measured_as(uuid: str, origins: Mapping[str, str]) -> str:
    """Return the UUID of the node that holds the points as they were measured.

    Parameters
    ----------
    uuid
        Of any node of measured points.
    origins
        As of :func:`origins_of_corrected`.
    """
    while uuid in origins:
        uuid = origins[uuid]
    return uuid


def refuse_doubled(chosen: Sequence[Measurement], origins: Mapping[str, str]) -> None:
    """Refuse points that would count twice: as they were measured and corrected, or corrected in two ways.

    Raises
    ------
    InvalidInput
        If they would.
    """
    seen: dict[str, Measurement] = {}
    for one in chosen:
        source = measured_as(one.uuid, origins)
        if source in seen:
            raise InvalidInput(
                "measurements",
                f"<{seen[source].pk}> and <{one.pk}>, of the same points",
                "of different points, for each counts once",
                "name those that are to count; `aiida-rewire measured list` shows what was taken off",
            )
        seen[source] = one


def same_file(sha256: str) -> list[Any]:
    """Return the nodes that hold a file of this content, the oldest first.

    Parameters
    ----------
    sha256
        Of the content, in hexadecimal digits.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    query = orm.QueryBuilder()
    query.append(DataFactory(MEASURED), filters={"attributes.sha256": sha256}, tag="node")
    found: list[Any] = query.order_by({"node": {"id": "asc"}}).all(flat=True)
    return found


def without_resistance(uuid: str, resistance_ohm: float) -> Any:
    """Return the node from which this resistance was taken off before, or None.

    Parameters
    ----------
    uuid
        Of what was measured.
    resistance_ohm
        Exactly this one, ohm.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    measured = DataFactory(MEASURED)
    query = orm.QueryBuilder()
    query.append(measured, filters={"uuid": uuid}, tag="measured")
    query.append(
        orm.CalcFunctionNode,
        with_incoming="measured",
        edge_filters={"label": "measured"},
        filters={"attributes.exit_status": 0},
        tag="subtraction",
    )
    query.append(measured, with_incoming="subtraction", filters={"attributes.series_resistance_ohm": resistance_ohm})
    return query.first(flat=True)


def resistance_fitted_to(uuids: Sequence[str], multiples: Sequence[int] | None) -> Any:
    """Return the process that fitted a resistance to the peaks of just these nodes, or None.

    Parameters
    ----------
    uuids
        Of what was measured.
    multiples
        That the peaks were said to belong to; None where nobody said.
    """
    from aiida import orm
    from aiida.plugins import DataFactory

    query = orm.QueryBuilder()
    query.append(DataFactory(MEASURED), filters={"uuid": uuids[0]}, tag="measured")
    query.append(
        orm.CalcFunctionNode,
        with_incoming="measured",
        filters={"process_type": f"aiida.calculations:{FIT}", "attributes.exit_status": 0},
    )
    for process in query.all(flat=True):
        inputs = process.base.links.get_incoming().all()
        said = [link.node.get_list() for link in inputs if link.link_label == "multiples"]
        points = {link.node.uuid for link in inputs if link.link_label != "multiples"}
        if points == set(uuids) and said == ([] if multiples is None else [list(multiples)]):
            return process
    return None
