"""What a changed file changes of a recorded campaign, and taking over what may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.errors import InvalidInput

FREE = ("description", "limits", "retries", "resources")
"""Sections that may change: they decide how chains run, not what they compute."""

CHAIN_LISTS = (("md", "voltages"), ("md", "seeds"))
"""They make the chains, which are compared by name."""

MOST_NAMED = 6


@dataclass(frozen=True)
class Changes:
    """What one specification says that another does not.

    Attributes
    ----------
    added, removed
        Chains, by name.
    values
        Fields of other values, dotted, with the old and the new value; those that may change left out.
    free
        Fields of other values that may change, in the same way.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    values: tuple[tuple[str, Any, Any], ...]
    free: tuple[tuple[str, Any, Any], ...]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.added or self.removed or self.values or self.free)

    def text(self) -> str:
        """Say them in words."""
        parts = [
            f"{word} {listed(names)}" for word, names in (("adds", self.added), ("removes", self.removed)) if names
        ]
        changed = [f"{name} from {brief(old)} to {brief(new)}" for name, old, new in (*self.values, *self.free)]
        if changed:
            parts.append(f"changes {listed(changed)}")
        return f"this one {', '.join(parts)}" if parts else "this one says the same"


def listed(names: Any) -> str:
    """List names, the first of many."""
    names = list(names)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def brief(value: Any) -> str:
    """Show a value in a few characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def changes_between(old: CampaignSpec, new: CampaignSpec) -> Changes:
    """Return what a specification changes of another."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    known, wanted = names_of(old), names_of(new)
    values: list[tuple[str, Any, Any]] = []
    free: list[tuple[str, Any, Any]] = []
    for path, one, other in differences(before, after):
        if path in CHAIN_LISTS:
            continue
        (free if path[0] in FREE else values).append((".".join(path), one, other))
    return Changes(
        added=tuple(name for name in wanted if name not in set(known)),
        removed=tuple(name for name in known if name not in set(wanted)),
        values=tuple(values),
        free=tuple(free),
    )


def names_of(spec: CampaignSpec) -> list[str]:
    """Return the names of the chains of a campaign."""
    return [chain.name for chain in chains_of(spec)]


def differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Yield the paths at which two nested mappings differ, with the values there."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), (*path, str(key)))
    elif one != other:
        yield path, one, other


def check_amendment(old: CampaignSpec, new: CampaignSpec) -> Changes:
    """Return what an amendment changes.

    Raises
    ------
    InvalidInput
        If it would change or remove chains that are recorded.
    """
    changes = changes_between(old, new)
    if changes.removed:
        raise InvalidInput(
            "md",
            f"without {listed(changes.removed)}",
            "a list of all chains that are recorded, and of new ones",
            "`aiida-rewire campaign kill LABEL --chain NAME` ends a chain; its results stay",
        )
    if changes.values:
        fields = [f"{name} from {brief(old)} to {brief(new)}" for name, old, new in changes.values]
        raise InvalidInput(
            changes.values[0][0],
            brief(changes.values[0][2]),
            f"left as it was recorded: {listed(fields)} would change the chains {listed(names_of(old))}",
            "submit it as a campaign of another label",
        )
    return changes
