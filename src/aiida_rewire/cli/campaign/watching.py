"""Looking at a campaign again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from aiida_rewire.campaign.progress import CampaignProgress
from aiida_rewire.campaign.runners import Runners
from aiida_rewire.cli.campaign.opening import say
from aiida_rewire.cli.campaign.progress_text import chain_line, headlines, progress_sheet, runner_lines
from aiida_rewire.cli.campaign.showing import drawn, plain_lines

if TYPE_CHECKING:
    from aiida import orm

LONGEST_PAUSE_S = 300.0

Look = tuple[CampaignProgress, Runners]


def look(group: orm.Group) -> Look:
    """Return how far a campaign is, and who runs it."""
    from aiida_rewire.campaign.extras import read_extras
    from aiida_rewire.campaign.progress import progress_of
    from aiida_rewire.campaign.runners import runners_of

    # who runs it comes first: what ends in between leaves a campaign that is over
    runners = runners_of(group.uuid, read_extras(group).get("controller"))
    return progress_of(group), runners


def looks_until_over(pk: int, interval_s: float, tell: Callable[[str], None]) -> Iterator[Look]:
    """Look at a campaign until it is over, the last look included; a database that is away is waited for.

    Parameters
    ----------
    pk
        Of its group.
    interval_s
        Time between two looks, s.
    tell
        Takes a line for what keeps it from being looked at.
    """
    from aiida import orm

    from aiida_rewire.campaign.outages import begin_anew, passing_errors, reset_connections, what_is_away

    pause_s = interval_s
    while True:
        try:
            begin_anew()
            seen = look(orm.load_group(pk))
        except passing_errors() as error:
            tell(f"{what_is_away(error)}: waiting")
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            reset_connections()
        else:
            pause_s = interval_s
            yield seen
            if seen[0].is_over:
                return
        time.sleep(pause_s)


def watch_on_terminal(looks: Iterator[Look], console: Console, where: str = "") -> CampaignProgress:
    """Keep the status of a campaign up to date on a terminal; return the last one."""
    with Live(console=console, auto_refresh=False) as live:
        for progress, runners in looks:
            live.update(drawn(progress_sheet(progress, runners, where)), refresh=True)
    return progress


def watch_as_lines(looks: Iterator[Look], where: str = "") -> CampaignProgress:
    """Print the status of a campaign, then a line for whatever changes; return the last one."""
    before: dict[str, str] | None = None
    said: list[str] = []
    for progress, runners in looks:
        lines = {chain.name: chain_line(chain) for chain in progress.chains}
        about = runner_lines(progress, runners, where)
        if before is None:
            for line in plain_lines(progress_sheet(progress, runners, where)):
                say(line)
        else:
            now = datetime.now().astimezone().strftime("%H:%M:%S")
            changed = [f"{name}: {line}" for name, line in lines.items() if before.get(name) != line]
            for line in [*(line for line in about if line not in said), *changed]:
                say(f"{now} {line}")
        before, said = lines, about
    for line in headlines(progress):
        say(line)
    return progress


def last_of(looks: Iterator[Look]) -> Look:
    """Wait until a campaign is over; return the last look at it."""
    for last in looks:  # noqa: B007 (the last one is what is wanted)
        pass
    return last
