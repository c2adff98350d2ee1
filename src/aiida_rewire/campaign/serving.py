"""The service of a group: a controller for each campaign that somebody wants run."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_rewire.campaign.outages import begin_anew, passing_errors
from aiida_rewire.campaign.patience import Patience, close_connections
from aiida_rewire.campaign.record import UnknownCampaign, find_campaign
from aiida_rewire.campaign.specification import LABEL_PATTERN
from aiida_rewire.campaign.wishes import settle, wishes
from aiida_rewire.database.lock import lock_of

Process = subprocess.Popen[bytes]

OVER = (0, 1)
"""Statuses of a controller that came to the end of its campaign."""

RESTING_ROUNDS = 6
"""So many looks pass before a campaign is tried again whose controller ended with an error."""


@dataclass
class Running:
    """A controller that runs.

    Attributes
    ----------
    process
        Of the controller.
    wish
        For which it was started.
    """

    process: Process
    wish: Mapping[str, Any]


class Service:
    """Runs what is wanted until it is told to stop.

    Parameters
    ----------
    start
        Starts the controller of the campaign of a label.
    say
        Takes a line for each thing that happens.
    interval_s
        Time between two looks, s.
    stop
        Set when it is to stop.
    """

    def __init__(
        self,
        start: Callable[[str], Process],
        say: Callable[[str], None],
        *,
        interval_s: float,
        stop: threading.Event,
    ) -> None:
        self._start, self._say = start, say
        self._interval_s, self._stop = interval_s, stop
        self._running: dict[str, Running] = {}
        self._resting: dict[str, int] = {}
        self._said: set[str] = set()

    def run(self) -> None:
        """Look again and again; at the end the controllers are ended, and chains go on."""
        patience = Patience(self._interval_s, self._say)
        try:
            while not self._stop.is_set():
                try:
                    begin_anew()
                    self.look()
                    patience.answered()
                except passing_errors() as error:
                    patience.missed(error)
                    close_connections(self._say)
                self._stop.wait(patience.pause_s)
        finally:
            self._end()

    def look(self) -> None:
        """Start what is wanted and does not run, and settle what has ended."""
        for label, one in list(self._running.items()):
            status = one.process.poll()
            if status is not None:
                self._ended(label, one, status)
        for label, wish in wishes().items():
            if label in self._running:
                continue
            # whoever may write the table may write any label there, and it names a file here
            if not re.fullmatch(LABEL_PATTERN.rstrip("$"), label):
                self._say_once(f"{label[:80]!r}: no campaign has such a label; nothing is started")
                continue
            if self._resting.get(label, 0) > 0:
                self._resting[label] -= 1
                continue
            # somebody may run it by hand
            if lock_of(find_campaign(label).uuid).is_free():
                self._running[label] = Running(self._start(label), wish)
                self._say(f"{label}: a controller runs, as {wish.get('by') or 'somebody'} asked")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _ended(self, label: str, one: Running, status: int) -> None:
        if status in OVER:
            try:
                settle(find_campaign(label), one.wish)
            except UnknownCampaign:
                self._say(f"{label}: its record was deleted")
            else:
                self._say(f"{label}: over, with status {status}")
        else:
            self._say(f"{label}: its controller ended with status {status}; it is started again later")
            self._resting[label] = RESTING_ROUNDS
        del self._running[label]

    def _end(self) -> None:
        for one in self._running.values():
            one.process.terminate()
        for one in self._running.values():
            one.process.wait()
        self._say("stopped; chains that were started go on")
