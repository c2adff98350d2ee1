"""The time between two looks at a campaign, as an option."""

from __future__ import annotations

import math
from typing import Any

import click

INTERVAL_S = 10.0


class Interval(click.FloatRange):
    """A time between two looks, s; what is no number is none, though it is neither too short nor too long."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time.

        Raises
        ------
        click.BadParameter
            If it is out of bounds.
        """
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return seconds


interval_option = click.option(
    "--interval",
    type=Interval(min=0.1, max=3600.0),
    default=INTERVAL_S,
    show_default=True,
    help="Time between two looks at the campaign, s.",
)
