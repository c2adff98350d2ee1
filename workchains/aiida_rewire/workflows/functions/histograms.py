"""The histogram of conductances as nodes that know what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.trace import TraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.trace.histogram import Bins, histogram_of_chains, linear_bins, logarithmic_bins
from aiida_rewire.trace.peaks import Peak, peaks_of

LINEAR = ("lowest_g0", "highest_g0", "width_g0")
LOGARITHMIC = ("lowest_g0", "highest_g0", "per_decade")
EXIT_NOT_COUNTED = 220


@calcfunction
def conductance_histogram(bins: orm.Dict, **data: ConductanceData | TraceData) -> dict[str, orm.Data] | ExitCode:
    """Count conductances, those of each chain by themselves, and find the peaks.

    Exit code 220 if the bins do not fit, no conductance is within them, or there is none at all.

    Parameters
    ----------
    bins
        ``lowest_g0``, ``highest_g0`` and ``width_g0``; or ``logarithmic: true`` with ``per_decade`` in the place of
        the width. What is left out is as of `aiida_rewire.trace.histogram.linear_bins` and ``logarithmic_bins``.
    data
        Traces, each a chain; or conductances, those of one campaign and chain together.

    Returns
    -------
    dict
        ``histogram``: ArrayData with ``edges_g0`` (shape (n + 1,)) and ``counts`` (shape (chains, n)); its attributes
        ``below``, ``above`` and ``missing`` count what is not inside, ``chains`` names the rows. ``peaks``: Dict with
        the list ``peaks``, each as of `aiida_rewire.trace.peaks.Peak`; an error that is not known is null.
    """
    try:
        chains = chains_of(data)
        histogram = histogram_of_chains(chains.values(), bins_of(bins.get_dict()))
        peaks = peaks_of(histogram)
    except InvalidInput as error:
        return ExitCode(EXIT_NOT_COUNTED, str(error))
    counted = orm.ArrayData({"edges_g0": histogram.bins.edges_g0, "counts": histogram.counts})
    counted.base.attributes.set_many(
        {
            "below": histogram.below,
            "above": histogram.above,
            "missing": histogram.missing,
            "chains": list(chains),
        }
    )
    return {"histogram": counted, "peaks": orm.Dict({"peaks": [peak_values(peak) for peak in peaks]})}


def bins_of(values: Mapping[str, Any]) -> Bins:
    """Return the bins that a dictionary describes.

    Raises
    ------
    InvalidInput
        If a key is unknown, a value is no number, or the bins do not fit.
    """
    logarithmic = bool(values.get("logarithmic", False))
    known = LOGARITHMIC if logarithmic else LINEAR
    unknown = sorted(set(values) - {*known, "logarithmic"})
    if unknown:
        raise InvalidInput("bins", ", ".join(unknown), f"among {', '.join(known)}, logarithmic", "leave it out")
    given = {name: values[name] for name in known if name in values}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidInput(name, repr(value), "a number", "leave it out, then it is as usual")
    return logarithmic_bins(**given) if logarithmic else linear_bins(**given)


def chains_of(data: Mapping[str, ConductanceData | TraceData]) -> dict[str, list[float]]:
    """Return the conductances of each chain, G0, by its name; a node that names none is by itself.

    Raises
    ------
    InvalidInput
        If a conductance was not computed at the Fermi energy, or a trace and conductances are of one chain.
    """
    chains: dict[str, list[float]] = {}
    traced: set[str] = set()
    for name in sorted(data):
        node = data[name]
        label, chain = (node.base.attributes.get(key, None) for key in ("campaign", "chain"))
        key = f"{label}/{chain}" if label and chain else name
        if key in traced or (isinstance(node, TraceData) and key in chains):
            raise InvalidInput(
                "data", f"{key} twice", "a trace, or its conductances, once", "leave one out, for each counts"
            )
        if isinstance(node, TraceData):
            traced.add(key)
            chains[key] = np.asarray(node.get_array("conductance_g0")).tolist()
        else:
            chains.setdefault(key, []).append(node.conductance_g0)
    return chains


def peak_values(peak: Peak) -> dict[str, float | int | None]:
    """Return a peak as JSON has it."""
    return {name: None if value != value else value for name, value in asdict(peak).items()}
