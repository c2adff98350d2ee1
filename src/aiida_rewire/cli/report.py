"""`aiida-rewire report`: one page about a campaign."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.interval import Interval
from aiida_rewire.cli.campaign.opening import answer, campaign_of, directory_option, json_option, say, say_aside
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.profile import profile_option
from aiida_rewire.cli.signals import on_stopping_signals

if TYPE_CHECKING:
    from aiida import orm

    from aiida_rewire.report.page.serving import Served

PORT = 8765
INTERVAL_S = 30.0
MAIL_BYTES = 15_000_000
"""Above this many mail servers take no file."""


@click.command("report")
@click.argument("label")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. Default: LABEL.html, here.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option("--serve", is_flag=True, help="Write no file; show the page on 127.0.0.1, up to date, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Of --serve; 0 for any that is free.",
)
@click.option(
    "--interval",
    type=Interval(min=1.0, max=3600.0),
    default=INTERVAL_S,
    show_default=True,
    help="Least time between two looks at the campaign by --serve, s.",
)
@profile_option
@directory_option
@json_option
def report_command(
    label: str,
    output: Path | None,
    force: bool,
    serve: bool,
    port: int,
    interval: float,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Write one HTML page about a campaign: traces, junctions, T(E), histogram, failures, cost, versions.

    The page is complete in itself and asks no network for anything, so that it opens from a mail or years later.
    """
    if serve:
        if output is not None or force or as_json:
            raise DemoFailure("--serve: must be without --output, --force and --json; it writes no file")
        serve_campaign(label, port, interval, directory)
        return
    # the profile of --directory is looked for from here, and so are files
    path = (Path(file_name(label)) if output is None else output).absolute()
    if not force:
        refuse_existing(path)
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.decisions import counted
        from aiida_rewire.report.page.gathering import gather
        from aiida_rewire.report.page.rendering import render

        report = gather(group)
        written = write_page(path, render(report).encode(), replace=force)
    points = [point for chain in report.chains for point in chain.points]
    computed = sum(bool(point.uuid) for point in points)
    size, chains = f"{written / 1e6:.1f} MB", counted(len(report.chains), "chain", "chains")
    lines = [f"wrote {path}: {size}, {chains}, {counted(computed, 'conductance', 'conductances')}"]
    if not computed:
        lines.append("no snapshot has a conductance yet: the page says so")
    if written > MAIL_BYTES:
        lines.append(f"it is larger than {MAIL_BYTES / 1e6:.0f} MB, which many mail servers refuse")
    found = {
        "label": label,
        "file": str(path),
        "bytes": written,
        "chains": len(report.chains),
        "conductances": computed,
    }
    answer(found, lines, as_json=as_json)


def file_name(label: str) -> str:
    """Return the name of a campaign's page; a label may hold what no file name may."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', label)[:100].lstrip('.') or 'campaign'}.html"


def refuse_existing(path: Path) -> None:
    """Refuse to replace a file that nobody said may be replaced.

    Raises
    ------
    DemoFailure
        If it is there.
    """
    if path.exists():
        raise DemoFailure(f"output = {path}: must not be there yet; --force replaces it, --output names another")


def write_page(path: Path, html: bytes, *, replace: bool) -> int:
    """Write a page, whole or not at all; return its bytes.

    Parameters
    ----------
    path
        Of the file.
    html
        UTF-8.
    replace
        Whether it may be there.

    Raises
    ------
    DemoFailure
        If it is there, and must not be replaced.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(html)
        if not replace:
            refuse_existing(path)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return len(html)


def serve_campaign(label: str, port: int, interval_s: float, directory: Path | None) -> None:
    """Show the page of a campaign on this machine until somebody stops it."""
    with campaign_of(label, directory) as group:
        from aiida_rewire.report.page.serving import PageServer, keep_up

        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        with on_stopping_signals(ask_to_stop), PageServer(port) as server:
            server.page = page_of(group, interval_s)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            say(f"{server.url} shows {label}; Ctrl-C stops")
            try:
                # the database is asked from this thread alone
                keep_up(server, lambda: latest_page(label, interval_s), interval_s, stop)
            finally:
                server.shutdown()
                thread.join()
    say_aside("stopped; the campaign goes on")


def page_of(group: orm.Group, interval_s: float) -> Served:
    """Return the page of a campaign as it is now."""
    from aiida_rewire.report.page.gathering import gather
    from aiida_rewire.report.page.rendering import Refresh, policy_of, render, version_of
    from aiida_rewire.report.page.serving import Served

    report = gather(group)
    version = version_of(report)
    return Served(render(report, Refresh(version, interval_s)).encode(), version, policy_of(served=True))


def latest_page(label: str, interval_s: float) -> Served | None:
    """Return the page of a campaign as it is now; None while the database is away."""
    from aiida_rewire.campaign.outages import begin_anew, passing_errors, reset_connections, what_is_away
    from aiida_rewire.campaign.record import find_campaign

    try:
        begin_anew()
        return page_of(find_campaign(label), interval_s)
    except passing_errors() as error:
        say_aside(f"{what_is_away(error)}: waiting")
        reset_connections()
        return None
