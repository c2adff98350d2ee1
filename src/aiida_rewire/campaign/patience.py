"""How long to wait for a database, a broker or a daemon that is away."""

from __future__ import annotations

from collections.abc import Callable

from aiida_rewire.campaign.outages import passing_errors, reset_connections, what_is_away

LONGEST_PAUSE_S = 300.0


class Patience:
    """The pause between two looks: longer each time that something is away, and told of once.

    Parameters
    ----------
    interval_s
        Pause while all answer, s.
    say
        Takes a line when something is away, and when it answers again.

    Attributes
    ----------
    pause_s
        Until the next look, s.
    """

    def __init__(self, interval_s: float, say: Callable[[str], None]) -> None:
        self._interval_s, self._say, self._away = interval_s, say, ""
        self.pause_s = interval_s

    def answered(self) -> None:
        """Note that a look came to its end."""
        if self._away:
            self._say("it answers again")
        self.pause_s, self._away = self._interval_s, ""

    def missed(self, error: Exception) -> None:
        """Note that something was away.

        Parameters
        ----------
        error
            One of `aiida_rewire.campaign.outages.passing_errors`.
        """
        away = what_is_away(error)
        if away != self._away:
            self._away = away
            self._say(f"{away}: waiting")
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)


def close_connections(say: Callable[[str], None]) -> None:
    """Give up connections that may be broken; what they have against it is told."""
    try:
        reset_connections()
    except passing_errors() as error:
        say(f"a connection could not be closed: {what_is_away(error)}")
