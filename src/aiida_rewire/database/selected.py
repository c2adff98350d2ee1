"""What result commands look at: the conductances of a selection with all that is drawn, counted or told of them.

As in `aiida_rewire.database.queries`, attributes alone are read: no node is loaded, and nothing is joined.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_rewire.database.marks import CAMPAIGN_GROUP, CHAIN_PROCESS
from aiida_rewire.database.queries import Selection, conditions, fetch, number, opened
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAREST = 3
MOST_LISTED = 6
LONGEST_SHOWN = 80

TEXTS = ("campaign", "chain", "stage", "protocol", "reused_from")
NUMBERS = {
    "voltage_v": "voltage_v",
    "time_ps": "time_ps",
    "step": "step",
    "snapshot": "snapshot",
    "seed": "seed",
    "bonds": "min_cut",
    "gap_left_a": "gap_left_a",
    "transmission": "transmission_fermi",
    "unitarity": "unitarity_max",
}
"""Columns, and the attribute that each comes from."""


@dataclass(frozen=True)
class Selected:
    """Conductances, a row each, in the order of campaign, chain, time and node.

    A text that is missing is empty, a number that is missing NaN.

    Attributes
    ----------
    pk
        Of their nodes, shape (n,).
    uuid
        Of their nodes, n texts.
    campaign, chain, stage, protocol
        n texts.
    reused_from
        UUID of the conductance of an equal contact that was taken over; empty where it was computed.
    voltage_v
        V, shape (n,).
    time_ps
        Since the voltage was switched on, ps, shape (n,).
    step, snapshot, seed, bonds
        Whole numbers, shape (n,): of the MD, among the snapshots of the chain, of the velocities, at the narrowest
        place.
    gap_left_a
        Between the tips, Å, shape (n,); 0 once they touch.
    transmission
        T per spin at E_F, that is G/G0, shape (n,).
    unitarity
        Largest abs(T + R - 1) of a channel, shape (n,).
    """

    pk: NDArray[np.int64]
    uuid: tuple[str, ...]
    campaign: tuple[str, ...]
    chain: tuple[str, ...]
    stage: tuple[str, ...]
    protocol: tuple[str, ...]
    reused_from: tuple[str, ...]
    voltage_v: NDArray[np.float64]
    time_ps: NDArray[np.float64]
    step: NDArray[np.float64]
    snapshot: NDArray[np.float64]
    seed: NDArray[np.float64]
    bonds: NDArray[np.float64]
    gap_left_a: NDArray[np.float64]
    transmission: NDArray[np.float64]
    unitarity: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.pk)

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those that there are, sorted; an empty one is that of conductances that name none."""
        return tuple(sorted(set(self.protocol)))

    def take(self, places: NDArray[np.intp]) -> Selected:
        """Return the rows at these places, or those that a mask of shape (n,) marks."""
        chosen = np.arange(len(self))[places]
        taken: dict[str, Any] = {}
        for one in fields(self):
            column = getattr(self, one.name)
            taken[one.name] = column[chosen] if isinstance(column, np.ndarray) else tuple(column[i] for i in chosen)
        return Selected(**taken)

    def chains(self) -> Iterator[tuple[str, str, slice]]:
        """Yield campaign, name and places of the rows of each chain, in their order."""
        keys = list(zip(self.campaign, self.chain, strict=True))
        start = 0
        for place in range(1, len(keys) + 1):
            if place == len(keys) or keys[place] != keys[start]:
                yield *keys[start], slice(start, place)
                start = place

    def by_chain(self) -> Iterator[tuple[str, str, Selected]]:
        """Yield campaign, name and rows of each chain, in their order."""
        for campaign, chain, places in self.chains():
            yield campaign, chain, self.take(np.arange(places.start, places.stop))


def select(selection: Selection, *, mixed: bool = False) -> Selected:
    """Return the conductances of a selection; of two of one snapshot the first that was stored, which counts.

    Parameters
    ----------
    selection
        Which.
    mixed
        Whether they may be of several protocols.

    Raises
    ------
    InvalidInput
        If there is none, with what there is; if the campaign is unknown, with the nearest names; if they are of
        several protocols and nobody said that they may be; or if a bound is no number or a range is none.
    """
    found = selected(selection)
    if not len(found):
        raise nothing(selection)
    if not mixed:
        refuse_mixed(found)
    return found


def selected(selection: Selection) -> Selected:
    """Return the conductances of a selection, be there none or of several protocols.

    Raises
    ------
    InvalidInput
        If a bound is no number or a range is none.
    """
    if selection.transmission is not None and not selection.transmission[0] <= selection.transmission[1]:
        low, high = selection.transmission
        raise InvalidInput("between", f"{low:g} {high:g}", "the lower T first", "swap the two")
    session, words = opened()
    condition, values = conditions(selection, words)
    columns = ", ".join(words.text(name) for name in (*TEXTS, *NUMBERS.values()))
    rows = fetch(session, f"SELECT id, uuid, {columns} FROM db_dbnode WHERE {condition} ORDER BY id", values)  # noqa: S608
    time, snapshot = (2 + len(TEXTS) + list(NUMBERS).index(name) for name in ("time_ps", "snapshot"))
    first: dict[Any, Any] = {}
    for row in rows:
        # without campaign and chain, two of one number may be of two runs
        known = row[2] and row[3] and row[snapshot] is not None
        first.setdefault((row[2], row[3], row[snapshot]) if known else row[0], row)
    ordered = sorted(first.values(), key=lambda row: (row[2] or "", row[3] or "", number(row[time]), row[0]))
    columns_of: dict[str, Any] = {
        name: tuple(row[place] or "" for row in ordered) for place, name in enumerate(TEXTS, 2)
    }
    for place, name in enumerate(NUMBERS, 2 + len(TEXTS)):
        columns_of[name] = np.array([number(row[place]) for row in ordered], dtype=np.float64)
    return Selected(
        pk=np.array([row[0] for row in ordered], dtype=np.int64),
        uuid=tuple(dashed(str(row[1])) for row in ordered),
        **columns_of,
    )


def joined(parts: Sequence[Selected]) -> Selected:
    """Return the rows of several selections, one after the other."""
    columns: dict[str, Any] = {}
    for one in fields(Selected):
        these = [getattr(part, one.name) for part in parts]
        columns[one.name] = (
            np.concatenate(these)
            if isinstance(these[0], np.ndarray)
            else tuple(text for part in these for text in part)
        )
    return Selected(**columns)


def dashed(uuid: str) -> str:
    """Return a UUID as people write it: SQLite keeps it without dashes."""
    if len(uuid) != 32:
        return uuid
    return f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"


def refuse_mixed(found: Selected) -> None:
    """Refuse conductances of several protocols, which are no numbers of one quantity.

    Raises
    ------
    InvalidInput
        If there are.
    """
    if len(found.protocols) > 1:
        raise InvalidInput(
            "protocol",
            counted(found.protocol),
            "one, for their conductances are not alike",
            "--protocol NAME chooses one, --mixed takes all",
        )


def nothing(selection: Selection) -> InvalidInput:
    """Return the error of a selection that holds nothing: what the name nearest to it is, or what there is."""
    everything = selected(Selection(campaign=selection.campaign))
    if selection.campaign is not None and not len(everything):
        return nothing_of_campaign(selection.campaign)
    if not len(everything):
        return InvalidInput("selection", selection, "met by a conductance", "the profile has none yet")
    chains = sorted(set(everything.chain))
    if selection.chain is not None and selection.chain not in chains:
        near = near_names(selection.chain, chains)
        return InvalidInput("chain", repr(shortened(selection.chain)), "one with conductances", f"there is {near}")
    return InvalidInput(
        "selection", selection, "met by at least one conductance", f"there is: {what_there_is(everything)}"
    )


def nothing_of_campaign(label: str) -> InvalidInput:
    """Return the error of a campaign that has no conductance: it is unknown, or has none yet."""
    session, words = opened()
    recorded = [
        row[0]
        for row in fetch(
            session,
            "SELECT label FROM db_dbgroup WHERE type_string = :type ORDER BY id DESC",
            {"type": CAMPAIGN_GROUP},
        )
    ]
    if label in recorded:
        return InvalidInput(
            "campaign",
            repr(shortened(label)),
            "one with conductances",
            f"it has none yet: `aiida-rewire campaign status {label}` tells how far it is",
        )
    condition, values = conditions(Selection(), words)
    # conductances may name a campaign that is recorded in another profile
    named = fetch(session, f"SELECT DISTINCT {words.text('campaign')} FROM db_dbnode WHERE {condition}", values)  # noqa: S608
    known = list(dict.fromkeys([*recorded, *sorted(str(row[0]) for row in named if row[0])]))
    there = f"there is {near_names(label, known)}" if known else "there is none yet"
    return InvalidInput("campaign", repr(shortened(label)), "one of the profile's", there)


def near_names(name: str, known: Sequence[str]) -> str:
    """Return the known names that are nearest to one, or the first of all, in words."""
    near = difflib.get_close_matches(name, known, NEAREST, 0.5) or list(known[:NEAREST])
    more = f" ({len(known)} in all)" if len(known) > len(near) else ""
    return ", ".join(map(in_a_line, near)) + more


def shortened(text: str) -> str:
    """Return a text that fits a line."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def in_a_line(text: str) -> str:
    """Return a text that fits a line, whatever it holds."""
    return shortened(text) if text.isprintable() else repr(shortened(text))


def what_there_is(found: Selected) -> str:
    """Say in a line what could be selected."""
    there = found.transmission[np.isfinite(found.transmission)]
    said = [f"{len(found)} conductances"]
    if len(there):
        said.append(f"T from {there.min():.3g} to {there.max():.3g}")
    if len(set(found.campaign)) > 1:
        said.append(f"campaigns {counted(found.campaign)}")
    volts = [f"{value:g} V" for value in sorted(found.voltage_v[np.isfinite(found.voltage_v)])]
    said += [
        f"{name} {counted(texts)}"
        for name, texts in (
            ("chains", found.chain),
            ("voltages", volts),
            ("stages", found.stage),
            ("bonds", [f"{value:.0f}" for value in sorted(found.bonds[np.isfinite(found.bonds)])]),
            ("protocols", found.protocol),
        )
        if texts
    ]
    return "; ".join(said)


def counted(texts: Sequence[str]) -> str:
    """Say how often each text stands in a list, the first few of them."""
    counts = Counter(texts)
    said = [f"{in_a_line(text) if text else 'none named'} ({count})" for text, count in counts.items()]
    more = [f"{len(said) - MOST_LISTED} more"] if len(said) > MOST_LISTED else []
    return ", ".join([*said[:MOST_LISTED], *more])


def chain_uuids(found: Selected) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the UUIDs of the work chains of each chain of a selection, by campaign and name, the first try first.

    Those of chains that were imported without their work chains are missing.
    """
    session, _ = opened()
    wanted = {
        f"{campaign}/{chain}": (campaign, chain) for campaign, chain in zip(found.campaign, found.chain, strict=True)
    }
    rows = fetch(
        session,
        "SELECT label, uuid FROM db_dbnode WHERE process_type = :chain ORDER BY id",
        {"chain": CHAIN_PROCESS},
    )
    uuids: dict[tuple[str, str], tuple[str, ...]] = {}
    for label, uuid in rows:
        if label in wanted:
            key = wanted[label]
            uuids[key] = (*uuids.get(key, ()), dashed(str(uuid)))
    return uuids
