"""`verdi data rewire.conductance`: conductances in the database, their pictures and files."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from aiida.cmdline.params.types import DataParamType
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aiida_rewire.transport.export import StoredTransmission, write_csv, write_hdf5, write_json
from aiida_rewire.transport.spectrum import UNITS

ENTRY_POINT = "rewire.conductance"
NUMBERS = {
    "conductance_g0": ("G (G0)", ".4f"),
    "unitarity_max": ("unitarity", ".1e"),
    "n_energies": ("energies", "d"),
    "n_kpoints": ("k-points", "d"),
}
LABELS = {
    "campaign": "campaign",
    "chain": "chain",
    "voltage_v": "voltage (V)",
    "time_ps": "time (ps)",
    "stage": "stage",
}
"""Shown where a conductance has them."""

PICTURES = (".pdf", ".png", ".svg")
CONDUCTANCE = DataParamType(sub_classes=(f"aiida.data:{ENTRY_POINT}",))

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs to read.")


@click.group(ENTRY_POINT)
def conductance() -> None:
    """Conductances of junctions: list, show, plot, export."""


@conductance.command("list")
@click.option("--between", nargs=2, type=float, metavar="A B", help="Conductance from A to B, in G0.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Value of a label; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest ones.")
@json_option
def list_command(
    between: tuple[float, float] | None, labels: tuple[str, ...], limit: int | None, as_json: bool
) -> None:
    """List the conductances, the newest first.

    Labels are attributes such as campaign, chain, voltage_v, stage or min_cut.
    """
    filters = [_label_filter(label) for label in labels]
    if between:
        if not between[0] <= between[1]:
            raise click.BadParameter(f"{between[0]:g} {between[1]:g}: the first must not be above the second")
        filters.append({"attributes.conductance_g0": {"and": [{">=": between[0]}, {"<=": between[1]}]}})
    rows = _found(filters, limit)
    if as_json:
        click.echo(json.dumps([{**row, "ctime": row["ctime"].isoformat()} for row in rows], indent=2))
        return
    shown = {key: title for key, title in LABELS.items() if any(row[key] is not None for row in rows)}
    table = Table("pk", "uuid", "created", *(title for title, _ in NUMBERS.values()), *shown.values())
    for row in rows:
        created = row["ctime"].astimezone().strftime("%Y-%m-%d %H:%M")
        numbers = ["-" if row[key] is None else format(row[key], style) for key, (_, style) in NUMBERS.items()]
        _add_row(table, row["pk"], row["uuid"][:8], created, *numbers, *(row[key] for key in shown))
    _print(table)


def _label_filter(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text}: must be KEY=VALUE", param_hint="--label")
    meanings: list[Any] = [value]
    with suppress(ValueError, OverflowError):
        number = json.loads(value)
        # 7 may be a number or, as the name of a chain, a text
        if isinstance(number, (bool, int, float)) and math.isfinite(number):
            meanings.append(number)
    return {f"attributes.{key}": {"or": [{"==": meaning} for meaning in meanings]}}


def _found(filters: list[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    from aiida.cmdline.utils.decorators import load_backend_if_not_loaded
    from aiida.orm import QueryBuilder
    from aiida.plugins import DataFactory

    load_backend_if_not_loaded()
    keys = (*NUMBERS, *LABELS)
    node = DataFactory(ENTRY_POINT)
    query = QueryBuilder(limit=limit)
    project = ["id", "uuid", "ctime", *(f"attributes.{key}" for key in keys)]
    query.append(node, filters={"and": filters} if filters else {}, project=project, tag="node")
    query.order_by({"node": [{"ctime": "desc"}, {"id": "desc"}]})
    return [dict(zip(("pk", "uuid", "ctime", *keys), values, strict=True)) for values in query.all()]


@conductance.command("show")
@click.argument("identifier", type=CONDUCTANCE)
@json_option
def show_command(identifier: Any, as_json: bool) -> None:
    """Show attributes and T(E) of a conductance: its PK, UUID or label."""
    record = _record(identifier)
    averages = [identifier.energies, identifier.transmission, identifier.unitarity.max(axis=1)]
    spectrum = zip(*(values.tolist() for values in averages), strict=True)
    if as_json:
        names = ("energy_ev", "transmission", "unitarity")
        rows = [dict(zip(names, row, strict=True)) for row in spectrum]
        content = {"pk": identifier.pk, "uuid": record.uuid, "created": record.created}
        click.echo(json.dumps({**content, "attributes": record.attributes, "spectrum": rows}, indent=2))
        return
    table = Table("attribute", "value", title=f"conductance <{identifier.pk}>")
    for key, value in {"uuid": record.uuid, "created": record.created, **record.attributes}.items():
        _add_row(table, key, value)
    _print(table)
    table = Table("energy - E_F (eV)", "T per spin = G/G0", "unitarity")
    for energy, transmission, unitarity in spectrum:
        _add_row(table, f"{energy:.6g}", f"{transmission:.6f}", f"{unitarity:.1e}")
    _print(table)


@conductance.command("plot")
@click.argument("identifier", type=CONDUCTANCE)
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"File; its ending, one of {', '.join(PICTURES)}, is the format.",
)
@overwrite_option
def plot_command(identifier: Any, output: Path, overwrite: bool) -> None:
    """Draw T(E) of a conductance: its PK, UUID or label."""
    if output.suffix.lower() not in PICTURES:
        raise click.BadParameter(f"{output}: must end in {', '.join(PICTURES)}", param_hint="--output")
    figure = identifier.get_figure()
    figure.axes[0].set_title(f"conductance <{identifier.pk}>, {identifier.uuid[:8]}", fontsize=10)
    with _new_file(output, overwrite) as part:
        figure.savefig(part, format=output.suffix[1:].lower(), dpi=200)


@conductance.command("export")
@click.argument("identifiers", metavar="IDENTIFIER...", type=CONDUCTANCE, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["csv", "json", "hdf5"]), required=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; CSV and JSON are printed without it."
)
@overwrite_option
def export_command(identifiers: tuple[Any, ...], form: str, output: Path | None, overwrite: bool) -> None:
    """Write conductances, each by its PK, UUID or label, to a file.

    CSV: a row for each energy and k-point. JSON, HDF5: all arrays and attributes.
    """
    nodes = {node.uuid: node for node in identifiers}
    records = [_record(node) for node in nodes.values()]
    if form == "hdf5":
        if output is None:
            raise click.UsageError("--format hdf5 needs --output")
        with _new_file(output, overwrite) as part:
            write_hdf5(records, part)
        return
    write = write_csv if form == "csv" else write_json
    if output is None:
        write(records, sys.stdout)
        return
    with _new_file(output, overwrite) as part, part.open("w", newline="", encoding="utf-8") as handle:
        write(records, handle)


def _record(node: Any) -> StoredTransmission:
    attributes = {key: value for key, value in node.base.attributes.all.items() if not key.startswith("array|")}
    arrays = {name: node.get_array(name) for name in UNITS if name in node.get_arraynames()}
    return StoredTransmission(node.uuid, node.ctime.isoformat(), attributes, arrays)


def _add_row(table: Table, *cells: Any) -> None:
    # texts come from labels: they are not markup
    table.add_row(*(Text("" if cell is None else str(cell)) for cell in cells))


def _print(table: Table) -> None:
    # what is piped is cut at no width
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


@contextmanager
def _new_file(path: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a name to write to, which becomes the file when it is whole."""
    if path.exists() and not overwrite:
        raise click.ClickException(f"{path} = a file that is there: must be new; give --overwrite or another name")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}; choose another place") from error
    finally:
        with suppress(OSError):
            part.unlink()
