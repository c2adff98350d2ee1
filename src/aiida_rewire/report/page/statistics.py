"""The conductances of a campaign in a few numbers: by stage, and in bins."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from aiida_rewire.junction.contact import Stage
from aiida_rewire.report.page.model import ChainOnPage, Counts, StageRow
from aiida_rewire.trace.histogram import WIDTH_G0, histogram_of_chains, linear_bins

LEAST_RANGE_G0 = 1.5
MOST_RANGE_G0 = 50.0
"""Conductances above this are not drawn: a histogram of thousands of bins shows nothing."""


def stage_rows(chains: Sequence[ChainOnPage]) -> tuple[StageRow, ...]:
    """Return the conductances of each stage that occurs, in the order of the growth."""
    values: dict[str, list[float]] = defaultdict(list)
    bonds: dict[str, set[int]] = defaultdict(set)
    for chain in chains:
        for point in chain.points:
            if point.conductance_g0 is not None:
                values[point.stage].append(point.conductance_g0)
                bonds[point.stage] |= {point.bonds} if point.bonds is not None else set()
    order = {str(stage): number for number, stage in enumerate(Stage)}
    return tuple(
        StageRow(
            stage,
            len(values[stage]),
            float(np.median(values[stage])),
            min(values[stage]),
            max(values[stage]),
            tuple(sorted(bonds[stage])),
        )
        for stage in sorted(values, key=lambda one: (order.get(one, len(order)), one))
    )


def counts_of(chains: Sequence[ChainOnPage], width_g0: float = WIDTH_G0) -> Counts | None:
    """Count the conductances of each chain; None if there is none.

    Parameters
    ----------
    chains
        All of a campaign.
    width_g0
        Of a bin, G0.
    """
    values = {
        chain.name: there
        for chain in chains
        if (there := [point.conductance_g0 for point in chain.points if point.conductance_g0 is not None])
    }
    if not values:
        return None
    highest = max(LEAST_RANGE_G0, max(max(those) for those in values.values()))
    # a whole number of bins beyond the largest
    bins = min(math.floor(highest / width_g0) + 1, round(MOST_RANGE_G0 / width_g0))
    counted = histogram_of_chains(values.values(), linear_bins(0.0, bins * width_g0, width_g0))
    return Counts(counted.bins.edges_g0, dict(zip(values, counted.counts, strict=True)))
