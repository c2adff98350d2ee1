"""The text beside a figure: what is drawn, of how much, of which nodes, and what made it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida_rewire.database.queries import Selection
    from aiida_rewire.database.selected import Selected

MOST_UUIDS = 50
"""So many conductances are named one by one; of more, their chains and the query that finds them."""

FINDER = (
    "from aiida_rewire.database.queries import Selection\n"
    "from aiida_rewire.database.selected import select\n\n"
    "found = select"
)
"""Python that finds conductances again."""

PACKAGES = ("aiida-rewire", "aiida-core", "numpy", "scipy", "matplotlib")


@dataclass(frozen=True)
class Caption:
    """What is told of a figure.

    Attributes
    ----------
    title
        A sentence: what is drawn.
    paragraphs
        What lines, marks and errors mean, and with which parameters.
    data
        Lines that say what and how much went into it.
    nodes
        UUIDs, by what the nodes are.
    query
        Python that finds the nodes again; empty where all of them are named.
    command
        That made the figure.
    """

    title: str
    paragraphs: Sequence[str] = ()
    data: Sequence[str] = ()
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    query: str = ""
    command: str = ""

    def text(self, figure: str) -> str:
        """Return the caption in Markdown; it holds no date, so that the same command gives the same text.

        Parameters
        ----------
        figure
            Name of the figure's file.
        """
        blocks = [f"# {plain(figure)}", self.title, *self.paragraphs]
        if self.data:
            blocks += ["## Data", "\n".join(f"- {line}" for line in self.data)]
        if self.nodes or self.query:
            blocks.append("## Nodes")
        for kind, uuids in self.nodes.items():
            blocks += [f"{kind} ({len(uuids)}):", "\n".join(f"- {uuid}" for uuid in uuids) or "- none"]
        if self.query:
            blocks += ["The conductances are those of", f"```python\n{self.query}\n```"]
        versions = [f"{name} {number}" for name, number in versions_here().items()]
        blocks += ["## Made with", "\n".join(f"- {one}" for one in versions)]
        if self.command:
            blocks.append(f"```sh\n{self.command}\n```")
        return "\n\n".join(blocks) + "\n"


def caption_of(
    found: Selected,
    title: str,
    *,
    selection: Selection,
    paragraphs: Sequence[str] = (),
    data: Sequence[str] = (),
    command: str = "",
    most: int = MOST_UUIDS,
) -> Caption:
    """Return the caption of a figure of conductances: their number, chains, protocols and UUIDs.

    The profile is asked for the UUIDs of the chains.

    Parameters
    ----------
    found
        The conductances.
    title, paragraphs, command
        See `Caption`.
    selection
        By which they were found.
    data
        Further lines about the data.
    most
        So many conductances are named one by one.
    """
    from aiida_rewire.database.selected import chain_uuids

    chains = dict.fromkeys(zip(found.campaign, found.chain, strict=True))
    protocols = ", ".join(plain(name) or "none named" for name in found.protocols)
    lines = [
        f"{len(found)} conductances of {len(chains)} chain{'' if len(chains) == 1 else 's'}",
        f"selection: {plain(str(selection))}",
        f"protocol: {protocols}",
        *data,
    ]
    runs = chain_uuids(found)
    nodes: dict[str, Sequence[str]] = {
        "Chains": [f"{plain('/'.join(key))}: {', '.join(runs[key])}" for key in chains if key in runs]
    }
    named = len(found) <= most
    if named:
        nodes["Conductances"] = found.uuid
    if not nodes["Chains"]:
        del nodes["Chains"]
    query = "" if named else f"{FINDER}({code_of(selection)}{', mixed=True' if len(found.protocols) > 1 else ''})"
    return Caption(title, paragraphs, lines, nodes, query, command)


def code_of(selection: Selection) -> str:
    """Return a selection as Python; what does not matter is left out."""
    given = ((one.name, getattr(selection, one.name)) for one in fields(selection))
    return f"Selection({', '.join(f'{name}={value!r}' for name, value in given if value is not None)})"


def plain(text: str) -> str:
    """Return a text that Markdown takes as it is: in one line, nothing in it emphasises, links or ends a block."""
    line = text if text.isprintable() else repr(text)
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in line)


@cache
def versions_here() -> dict[str, str]:
    """Return the versions of Python and of the packages that figures come from."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
