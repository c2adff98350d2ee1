"""The scratch of a campaign: measured, and removed where nobody will need it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.schedulers import failures
from aiida_rewire.campaign.scratch import Also, Choice, Folder, FolderKey, Kept, by_account, choose_folders
from aiida_rewire.campaign.scratch_facts import CLEANED
from aiida_rewire.campaign.scratch_folders import State, WorkDirectory, opened, sizes_of, states_of
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

AT_A_TIME = 50
CHOSEN_FOR_S = 10.0
"""So long what was chosen holds; then the database is asked again: a chain may have been tried again."""


@dataclass
class Scratch:
    """Folders of a campaign and how large they are.

    Attributes
    ----------
    gone
        Those that nobody will need, a folder that is no longer there among them: only its mark is missing.
    kept
        Those that stay, each with the reason.
    sizes
        Of those that are there, bytes.
    """

    gone: list[Folder] = field(default_factory=list)
    kept: list[tuple[Folder, Kept]] = field(default_factory=list)
    sizes: dict[FolderKey, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Size of all, bytes."""
        return sum(self.sizes.values())

    @property
    def of_gone(self) -> int:
        """Size of those that nobody will need, bytes."""
        return sum(self.sizes.get(folder.key, 0) for folder in self.gone)

    def kept_by_reason(self) -> dict[Kept, tuple[int, int]]:
        """Return how many folders stay for each reason, and their size, bytes."""
        found: dict[Kept, tuple[int, int]] = {}
        for folder, why in self.kept:
            number, size = found.get(why, (0, 0))
            found[why] = number + 1, size + self.sizes.get(folder.key, 0)
        return found


@dataclass
class Cleaned:
    """What was removed.

    Attributes
    ----------
    folders
        That are gone now and marked so.
    after
        Size of what is left of all, bytes.
    failed
        Folders that could not be removed, with the reason.
    needed
        Folders that somebody came to need meanwhile, or that are no longer what they were.
    """

    folders: list[Folder] = field(default_factory=list)
    after: int = 0
    failed: list[tuple[Folder, str]] = field(default_factory=list)
    needed: list[Folder] = field(default_factory=list)


def measure(choice: Choice, say: Callable[[str], None]) -> Scratch:
    """Look at the folders of a campaign where they are.

    Parameters
    ----------
    choice
        What goes and what stays by what the database says; a folder that is not where it should be stays.
    say
        Takes a line about a computer that cannot be asked.
    """
    kept = {folder.key: why for folder, why in choice.kept}
    scratch = Scratch()
    for (computer, user), folders in by_account([*choice.gone, *(folder for folder, _ in choice.kept)]).items():
        try:
            with opened(computer, user) as (transport, work):
                states = states_of(transport, work, [folder.path for folder in folders])
                there = [path for path, state in states.items() if state is State.THERE]
                sizes = sizes_of(transport, there)
        except unanswered() as error:
            say(f"{len(folders)} folders are left alone: {' '.join(str(error).split())}")
            scratch.kept += [(folder, kept.get(folder.key, Kept.UNREACHABLE)) for folder in folders]
            continue
        for folder in folders:
            strange = Kept.STRANGE if states[folder.path] is State.STRANGE else None
            why = kept.get(folder.key, strange)
            if why is None:
                scratch.gone.append(folder)
            else:
                scratch.kept.append((folder, why))
            if folder.path in sizes:
                scratch.sizes[folder.key] = sizes[folder.path]
    return scratch


def clean(group: orm.Group, also: Also, scratch: Scratch, say: Callable[[str], None]) -> Cleaned:
    """Remove the folders that nobody will need, and mark their nodes as cleaned.

    Killed in the middle and run again it goes on: a folder is marked when it is gone, and one that is gone without a
    mark is marked.

    Parameters
    ----------
    group
        Of the campaign.
    also
        As it was chosen.
    scratch
        As it was measured.
    say
        Takes a line about a computer that cannot be asked.
    """
    done = Cleaned()
    needless = Needless(group, also)
    left: dict[FolderKey, int] = {}
    for (computer, user), folders in by_account(scratch.gone).items():
        rest = list(folders)
        try:
            with opened(computer, user) as (transport, work):
                while rest:
                    remove_some(transport, work, rest[:AT_A_TIME], needless, done)
                    del rest[:AT_A_TIME]
                remaining = [folder for folder, _ in done.failed if folder in folders]
                sizes = sizes_of(transport, [folder.path for folder in remaining])
                left |= {folder.key: sizes[folder.path] for folder in remaining if folder.path in sizes}
        except unanswered() as error:
            reason = " ".join(str(error).split())
            say(f"{len(rest)} folders are left: {reason}")
            done.failed += [(folder, reason) for folder in rest if folder not in done.folders]
    removed = {folder.key for folder in done.folders}
    done.after = sum(left.get(key, size) for key, size in scratch.sizes.items() if key not in removed)
    return done


class Needless:
    """Which folders nobody needs, asked anew every few seconds.

    Parameters
    ----------
    group
        Of the campaign.
    also
        What goes beside the folders of finished jobs.
    """

    def __init__(self, group: orm.Group, also: Also) -> None:
        self._group, self._also = group, also
        self._asked = float("-inf")
        self._folders: dict[FolderKey, Folder] = {}

    def among(self, folders: Iterable[Folder]) -> list[Folder]:
        """Return those that nobody needs, with the nodes that they have now."""
        if time.monotonic() - self._asked > CHOSEN_FOR_S:
            self._folders = {folder.key: folder for folder in choose_folders(self._group, self._also).gone}
            self._asked = time.monotonic()
        return [self._folders[folder.key] for folder in folders if folder.key in self._folders]


def remove_some(
    transport: Any, work: WorkDirectory, folders: Sequence[Folder], needless: Needless, done: Cleaned
) -> None:
    """Remove some folders and mark their nodes; what came of it is added to `done`."""
    going = needless.among(folders)
    done.needed += [folder for folder in folders if folder.key not in {other.key for other in going}]
    states = states_of(transport, work, [folder.path for folder in going])
    for folder in going:
        if states[folder.path] is State.STRANGE:
            done.needed.append(folder)
            continue
        try:
            if states[folder.path] is State.THERE:
                transport.rmtree(folder.path)
        except OSError as error:
            done.failed.append((folder, " ".join(str(error).split()) or "it cannot be removed"))
            continue
        mark(folder.nodes)
        done.folders.append(folder)


def mark(nodes: Iterable[int]) -> None:
    """Mark nodes as those of a folder that is no longer there."""
    from aiida import orm

    for pk in nodes:
        orm.load_node(pk).base.extras.set(CLEANED, True)


def unanswered() -> tuple[type[Exception], ...]:
    """Return what a computer raises that does not answer, or lacks its work directory."""
    return InvalidInput, *failures()


def by_step(folders: Iterable[Folder]) -> dict[str, list[Folder]]:
    """Return folders by what left them: dynamics, leads or snapshots."""
    found: dict[str, list[Folder]] = defaultdict(list)
    for folder in folders:
        step = folder.step
        kind = "dynamics" if step in ("equilibration", "production") else "snapshots"
        found["leads" if "lead" in step else kind].append(folder)
    return dict(found)
