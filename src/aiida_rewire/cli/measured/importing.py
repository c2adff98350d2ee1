"""`aiida-rewire measured import`: files of measured points become nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import (
    answer,
    directory_option,
    json_option,
    refuse_all_but_the_owner,
    told_in_a_line,
)
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.measured.wording import devices_text
from aiida_rewire.cli.profile import open_profile, profile_option
from aiida_rewire.cli.results.wording import counted
from aiida_rewire.errors import InvalidInput, known_as

if TYPE_CHECKING:
    from aiida_rewire.trace.measured import MeasuredTrace

OPTIONS = {"resistance_ohm": "--series-resistance", "smallest_voltage_v": "--smallest-voltage"}
"""By the names that what is called gives to inputs."""


@dataclass(frozen=True)
class How:
    """How files are to be read; what is None is as it is by default, or as it was.

    Attributes
    ----------
    device, cycle
        Where a file has no column of them.
    smallest_voltage_v
        Below it there is no conductance, V.
    skip_bad_lines
        Whether to leave out lines that cannot be read.
    """

    device: str | None = None
    cycle: int | None = None
    smallest_voltage_v: float | None = None
    skip_bad_lines: bool = False


@dataclass(frozen=True)
class Reading:
    """A file, and the node that it is or will be.

    Attributes
    ----------
    name
        Of the file, as it can be printed.
    node
        Stored, if the file was there.
    trace
        Its points.
    was_there
        Whether a file of this content was stored before.
    """

    name: str
    node: Any
    trace: MeasuredTrace
    was_there: bool


@click.command("import", short_help="Store files of measured points.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--device", metavar="NAME", help="Of files that have no column of devices. Default: the name of the file."
)
@click.option(
    "--cycle", type=click.IntRange(min=0), help="Of files that have no column of cycles; several are numbered on."
)
@click.option(
    "--smallest-voltage",
    type=float,
    metavar="VOLT",
    help="No conductance where the voltage is smaller. Default: 0.001 V; of files with a column of it, of no effect.",
)
@click.option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@click.option("--series-resistance", type=float, metavar="OHM", help="Take this resistance off, into a further node.")
@click.option(
    "--fit-series-resistance",
    is_flag=True,
    help="Take the resistance off that puts the peaks of the histogram at multiples of G0.",
)
@click.option(
    "--multiples", metavar="N,N,...", help="That the peaks belong to, in their order. Default: the nearest."
)
@profile_option
@directory_option
@json_option
def import_command(
    files: tuple[Path, ...],
    device: str | None,
    cycle: int | None,
    smallest_voltage: float | None,
    skip_bad_lines: bool,
    series_resistance: float | None,
    fit_series_resistance: bool,
    multiples: str | None,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Store files of measured points: columns of voltage, current and time, or conductance, with their units.

    A header such as time_s,voltage_V,current_uA names columns and units; columns of cycles and devices are read as
    well. The file is kept in the node. The same file twice is stored once, whatever its name. Either all files are
    stored or, if one of them is refused, none.
    """
    if series_resistance is not None and fit_series_resistance:
        raise click.UsageError("--series-resistance and --fit-series-resistance: give one of them")
    if multiples is not None and not fit_series_resistance:
        raise click.UsageError("--multiples goes with --fit-series-resistance")
    numbers = None if multiples is None else whole_numbers(multiples)
    with told_in_a_line():
        open_profile(directory)
        refuse_all_but_the_owner("measured import")
        readings = read_files(files, How(device, cycle, smallest_voltage, skip_bad_lines))
        if series_resistance is not None:
            refuse_too_large(readings, series_resistance)
        if fit_series_resistance:
            refuse_several_devices(readings)
        for reading in readings:
            reading.node.store()
        lines = [line for reading in readings for line in lines_of(reading)]
        found: dict[str, Any] = {"files": [values_of(reading) for reading in readings]}
        if series_resistance is not None or fit_series_resistance:
            fit = fitted(readings, numbers) if fit_series_resistance else None
            if fit is not None:
                found["fit"] = {"uuid": fit.outputs.fit.uuid, **fit.outputs.fit.get_dict()}
                lines.append(fit_line(found["fit"]))
            corrected = [subtracted(reading, series_resistance, fit) for reading in readings]
            found["corrected"] = corrected
            lines += [
                f"<{one['of_pk']}> without {one['series_resistance_ohm']:.6g} ohm "
                f"{'is' if one['stored'] else 'was there, as'} <{one['pk']}> ({one['uuid'][:8]})"
                for one in corrected
            ]
        answer(found, lines, as_json=as_json)


def whole_numbers(text: str) -> list[int]:
    """Return the whole numbers of a list with commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(
            f"{text[:80]!r}: must be whole numbers with commas between", param_hint="--multiples"
        ) from error


def read_files(files: Sequence[Path], how: How) -> list[Reading]:
    """Read files, those that are there in the database as well; nothing is stored.

    Parameters
    ----------
    files
        Two of one content count once.
    how
        To read them.

    Raises
    ------
    DemoFailure
        If one of them is refused, with its name.
    """
    from aiida_rewire.report.saving import shown

    readings: dict[str, Reading] = {}
    for path in files:
        name = shown(path)
        try:
            if not path.is_file():
                raise InvalidInput("file", name, "a file that exists", "check its name")
            digest = digest_of(path)
            if digest not in readings:
                with known_as(OPTIONS):
                    readings[digest] = read_file(path, name, digest, how, place=len(readings))
        except (InvalidInput, OSError) as error:
            reason = error.strerror or error if isinstance(error, OSError) else error
            option = " (--skip-bad-lines)" if isinstance(error, InvalidInput) and error.name == "lines" else ""
            raise DemoFailure(f"{name}: {' '.join(str(reason).split())}{option}; nothing was stored") from error
    return list(readings.values())


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_file(path: Path, name: str, digest: str, how: How, *, place: int) -> Reading:
    """Read a file, or find it in the database.

    Parameters
    ----------
    path, name, digest
        Of the file.
    how
        To read it.
    place
        Among the files, from 0: cycles are numbered on by it.

    Raises
    ------
    InvalidInput
        If it cannot be read, or is there but was read in another way.
    """
    from aiida.plugins import DataFactory

    from aiida_rewire.database.measurements import MEASURED, same_file
    from aiida_rewire.trace.measured import SMALLEST_VOLTAGE_V, read_measured

    cycle = None if how.cycle is None else how.cycle + place
    there = next(iter(same_file(digest)), None)
    if there is None:
        node = DataFactory(MEASURED).from_file(
            path,
            device=how.device,
            cycle=cycle or 0,
            smallest_voltage_v=SMALLEST_VOLTAGE_V if how.smallest_voltage_v is None else how.smallest_voltage_v,
            skip_bad_lines=how.skip_bad_lines,
        )
        return Reading(name, node, node.trace(), was_there=False)
    known = there.trace()
    voltage = there.base.attributes.get("smallest_voltage_v")
    asked = read_measured(
        path,
        device=known.devices[0] if how.device is None else how.device,
        cycle=int(known.cycle[0]) if cycle is None else cycle,
        smallest_voltage_v=voltage if how.smallest_voltage_v is None else how.smallest_voltage_v,
        # what could be stored can be read again
        skip_bad_lines=True,
    )
    if asked.devices != known.devices or (asked.cycle != known.cycle).any() or asked.undefined != known.undefined:
        raise InvalidInput(
            "file",
            f"one that is there as <{there.pk}>, of {devices_text(known.devices)} from cycle {known.cycle[0]} on, "
            f"with no conductance below {voltage:g} V",
            "read in one way",
            "leave out --device, --cycle and --smallest-voltage, or delete that node",
        )
    return Reading(name, there, known, was_there=True)


def refuse_too_large(readings: Sequence[Reading], resistance_ohm: float) -> None:
    """Refuse a resistance that makes points negative, before anything is stored.

    Raises
    ------
    DemoFailure
        If it does, with how many.
    """
    from aiida_rewire.trace.series_resistance import without_series_resistance

    for reading in readings:
        try:
            with known_as(OPTIONS):
                without_series_resistance(reading.trace.conductance_g0, resistance_ohm)
        except InvalidInput as error:
            raise DemoFailure(f"{reading.name}: {error}; nothing was stored") from error


def refuse_several_devices(readings: Sequence[Reading]) -> None:
    """Refuse a fit over several devices, each of which has a wire and contacts of its own.

    Raises
    ------
    InvalidInput
        If there are several.
    """
    devices = tuple(dict.fromkeys(name for reading in readings for name in reading.trace.devices))
    if len(devices) > 1:
        raise InvalidInput(
            "devices",
            devices_text(devices),
            "one for a fit, for each has a wire and contacts of its own",
            "import the files of each device by themselves; nothing was stored",
        )


def lines_of(reading: Reading) -> list[str]:
    """Say what became of a file."""
    node, trace = reading.node, reading.trace
    cycles = node.base.attributes.get("n_cycles")
    points = counted(len(trace.conductance_g0), "point")
    what = f"{points} of {counted(cycles, 'cycle')} of {devices_text(trace.devices)}"
    place = f"<{node.pk}> ({node.uuid[:8]})"
    lines = [f"{reading.name}: {'was there' if reading.was_there else 'stored'} as {place}: {what}"]
    notes = []
    if trace.undefined:
        notes.append(f"{counted(trace.undefined, 'point')} without a conductance")
    if trace.left_out:
        notes.append(f"{counted(trace.left_out, 'line')} left out")
    if trace.not_read:
        notes.append(f"not read: {', '.join(repr(title[:40]) for title in trace.not_read[:10])}")
    return lines + ([f"  {'; '.join(notes)}"] if notes else [])


def values_of(reading: Reading) -> dict[str, Any]:
    """Return what became of a file, for programs."""
    attributes = reading.node.base.attributes
    names = ("sha256", "devices", "n_points", "n_undefined", "n_cycles", "n_lines_left_out", "not_read")
    return {
        "file": reading.name,
        "pk": reading.node.pk,
        "uuid": reading.node.uuid,
        "stored": not reading.was_there,
        **{name: attributes.get(name) for name in names},
    }


def fitted(readings: Sequence[Reading], multiples: list[int] | None) -> Any:
    """Return the process that fitted the resistance, now or before.

    Raises
    ------
    DemoFailure
        If it cannot be fitted.
    """
    from aiida import orm
    from aiida.plugins import CalculationFactory

    from aiida_rewire.database.measurements import FIT, resistance_fitted_to

    before = resistance_fitted_to([reading.node.uuid for reading in readings], multiples)
    if before is not None:
        return before
    inputs: dict[str, Any] = {f"measured_{place:04d}": reading.node for place, reading in enumerate(readings)}
    if multiples is not None:
        inputs["multiples"] = orm.List(multiples)
    _, process = CalculationFactory(FIT).run_get_node(**inputs)
    return succeeded(process)


def subtracted(reading: Reading, resistance_ohm: float | None, fit: Any) -> dict[str, Any]:
    """Take a resistance off, unless it was before; return what is left, for programs.

    Parameters
    ----------
    reading
        Whose points.
    resistance_ohm
        That was given, ohm.
    fit
        The process that fitted one, if none was given.

    Raises
    ------
    DemoFailure
        If it makes points negative.
    """
    from aiida import orm
    from aiida.plugins import CalculationFactory

    from aiida_rewire.database.measurements import SUBTRACT, without_resistance

    ohm = fit.outputs.resistance_ohm.value if resistance_ohm is None else resistance_ohm
    node = without_resistance(reading.node.uuid, ohm)
    was_there = node is not None
    if node is None:
        inputs = {"resistance_ohm": orm.Float(ohm)}
        if fit is not None:
            inputs = {"resistance_ohm": fit.outputs.resistance_ohm, "fit": fit.outputs.fit}
        node, process = CalculationFactory(SUBTRACT).run_get_node(measured=reading.node, **inputs)
        succeeded(process)
    return {
        "pk": node.pk,
        "uuid": node.uuid,
        "of_pk": reading.node.pk,
        "of_uuid": reading.node.uuid,
        "stored": not was_there,
        "series_resistance_ohm": node.base.attributes.get("series_resistance_ohm"),
    }


def succeeded(process: Any) -> Any:
    """Return a process that ended well.

    Raises
    ------
    DemoFailure
        If it did not, with its reason.
    """
    if not process.is_finished_ok:
        raise DemoFailure(f"{process.exit_message}; the points are stored as they were measured")
    return process


def fit_line(fit: dict[str, Any]) -> str:
    """Say what was fitted."""
    peaks = ", ".join(
        f"{peak['position_g0']:.3f} at {multiple}"
        for peak, multiple in zip(fit["peaks"], fit["multiples"], strict=True)
    )
    quality = f", chi2 {fit['chi_square']:.3g} for {fit['degrees']} degrees" if fit["degrees"] else ""
    return (
        f"R = {fit['ohm']:.4g} +- {fit['error_ohm']:.2g} ohm puts peaks of {fit['cycles']} cycles at multiples of G0 "
        f"({peaks}{quality})"
    )
