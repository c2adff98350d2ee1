"""Which folders that a campaign left on its computers nobody will need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aiida_rewire.campaign.outcomes import Outcome
from aiida_rewire.campaign.scratch_facts import ChainKey, Facts, Process, Remote, gather_facts

if TYPE_CHECKING:
    from aiida import orm

STAGES = ("equilibration", "production")
LEAD = "lead"
FolderKey = tuple[str, str]
"""Host and path: whatever the computers are called, and how many nodes there are of it."""


class Kept(StrEnum):
    """Why a folder stays."""

    LIVE = "of or for processes that run"
    UNFINISHED = "of or for chains that go on or may be tried again"
    CHECKPOINT = "dynamics of chains that have no end"
    FAILED = "of what failed, as evidence; --failed takes them too"
    LEAD = "leads; --leads takes them too"
    LEAD_IN_USE = "leads that something still uses, or may take"
    ELSEWHERE = "of or shared with runs that are no campaign's of this profile, or with folders that stay"
    STRANGE = "not where the computer keeps its jobs, or reached by a link"
    UNREACHABLE = "on a computer that cannot be asked"


@dataclass(frozen=True)
class Also:
    """What goes beside the folders of finished jobs.

    Attributes
    ----------
    failed
        Folders of what failed.
    leads
        Those of the leads that nothing uses.
    """

    failed: bool = False
    leads: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder of a job.

    Attributes
    ----------
    host, path
        Where it is.
    computer, user
        PKs: by whose account on which computer it is reached.
    nodes
        PKs of all its nodes that are not marked as cleaned: a job taken from the cache has one of its own.
    chain, step
        Of the job that left it: ``8V-s1``, and ``lane_0`` or ``production``.
    """

    host: str
    path: str
    computer: int
    user: int
    nodes: tuple[int, ...]
    chain: str
    step: str

    @property
    def key(self) -> FolderKey:
        """What tells it from others."""
        return self.host, self.path


@dataclass(frozen=True)
class Choice:
    """Folders of a campaign.

    Attributes
    ----------
    gone
        Those that nobody will need.
    kept
        Those that stay, each with the reason.
    """

    gone: tuple[Folder, ...]
    kept: tuple[tuple[Folder, Kept], ...]

    def reasons(self) -> Counter[Kept]:
        """Return how many stay for each reason."""
        return Counter(why for _, why in self.kept)


def choose_folders(group: orm.Group, also: Also) -> Choice:
    """Return which folders of a campaign go and which stay, by what the database says now."""
    return choose(group.label, gather_facts(group), also)


def choose(campaign: str, facts: Facts, also: Also) -> Choice:
    """Return which folders of a campaign go and which stay.

    A folder stays if any of its nodes gives a reason to, whichever campaign that belongs to.

    Parameters
    ----------
    campaign
        Its label.
    facts
        Of the whole database.
    also
        What goes beside the folders of finished jobs.
    """
    rules = Rules(campaign, facts, also)
    by_key: dict[FolderKey, list[Remote]] = defaultdict(list)
    for remote in facts.remotes.values():
        by_key[remote.host, plain_path(remote.path)].append(remote)
    gone: dict[FolderKey, Folder] = {}
    kept: list[tuple[Folder, Kept]] = []
    for key, remotes in by_key.items():
        folder = folder_of(campaign, key, remotes, facts)
        if folder is None:
            continue
        why = next((why for remote in remotes if (why := rules.why_kept(remote))), None)
        if why is None:
            gone[key] = folder
        else:
            kept.append((folder, why))
    staying = {
        key for key, remotes in by_key.items() if key not in gone and not all(remote.cleaned for remote in remotes)
    }
    # what a person noted down may be the whole disk, and says nothing of each folder in it
    holding = {
        key for key in staying if any(remote.creator is not None or remote.pk in facts.uses for remote in by_key[key])
    }
    for key in entangled(set(gone), below=staying, above=holding):
        kept.append((gone.pop(key), Kept.ELSEWHERE))
    return Choice(tuple(gone.values()), tuple(kept))


def plain_path(path: str) -> str:
    """Return a path without doubled and trailing slashes; nothing is resolved."""
    return str(PurePosixPath(path))


def folder_of(campaign: str, key: FolderKey, remotes: list[Remote], facts: Facts) -> Folder | None:
    """Return a folder that a job of the campaign left and nobody has cleaned; None if it is none."""
    left = [remote for remote in remotes if not remote.cleaned]
    for remote in remotes:
        process = facts.processes.get(remote.creator or 0)
        if left and process is not None and process.chain is not None and process.chain[0] == campaign:
            nodes = tuple(sorted(other.pk for other in left))
            return Folder(*key, remote.computer, remote.user, nodes, process.chain[1], process.step)
    return None


class Rules:
    """What makes a folder stay.

    Parameters
    ----------
    campaign
        Label of the campaign that is cleaned.
    facts
        Of the whole database.
    also
        What goes beside the folders of finished jobs.
    """

    def __init__(self, campaign: str, facts: Facts, also: Also) -> None:
        self.campaign, self.facts, self.also = campaign, facts, also
        self.live_chains = {process.chain for process in facts.processes.values() if process.live}

    def why_kept(self, remote: Remote) -> Kept | None:
        """Return why the folder of a node stays; None if the node gives no reason."""
        reasons = (self._of_its_uses(remote), self._of_its_creator(remote))
        return next((why for why in reasons if why is not None), None)

    def _outcome(self, chain: ChainKey | None) -> Outcome | None:
        """Return what becomes of a chain; None of one that is no campaign's."""
        outcome = self.facts.outcomes.get(chain) if chain is not None else None
        return Outcome.LIVE if outcome is not None and chain in self.live_chains else outcome

    def _of_its_uses(self, remote: Remote) -> Kept | None:
        uses = self.facts.uses.get(remote.pk, ())
        chains = [self._outcome(process.chain) for process in uses]
        if any(process.live for process in uses) or Outcome.LIVE in chains:
            return Kept.LIVE
        return Kept.UNFINISHED if Outcome.READY in chains else None

    def _of_its_creator(self, remote: Remote) -> Kept | None:
        if remote.creator is None:
            return None
        process = self.facts.processes.get(remote.creator)
        outcome = self._outcome(process.chain) if process is not None else None
        if process is None or outcome is None:
            return Kept.ELSEWHERE
        if process.live or outcome is Outcome.LIVE:
            return Kept.LIVE
        if outcome is Outcome.READY:
            return Kept.UNFINISHED
        if outcome is Outcome.FAILED and process.step in STAGES:
            return Kept.CHECKPOINT
        if process.step.startswith(LEAD):
            why = self._of_a_lead(process)
            if why is not None:
                return why
        if self.also.failed and process.chain is not None and process.chain[0] == self.campaign:
            return None
        return Kept.FAILED if outcome is Outcome.FAILED or not process.good else None

    def _of_a_lead(self, process: Process) -> Kept | None:
        if not self.also.leads:
            return Kept.LEAD
        # a chain that lives may have found the lead, and begin what takes it as an input only later
        return Kept.LEAD_IN_USE if self.facts.codes.get(process.pk, 0) in self.facts.live_codes else None


def entangled(
    gone: Collection[FolderKey], *, below: Collection[FolderKey], above: Collection[FolderKey]
) -> Iterator[FolderKey]:
    """Yield folders that were to go, but hold one that stays or lie in one.

    Parameters
    ----------
    gone
        Hosts and paths.
    below, above
        What stays, and keeps the folders that hold it; and what keeps those that lie in it.
    """
    left, above = set(gone), set(above)
    holders = {parent for key in below for parent in parents(key)}
    while held := {key for key in left if key in holders or not above.isdisjoint(parents(key))}:
        yield from sorted(held)
        left -= held
        above |= held
        holders.update(parent for key in held for parent in parents(key))


def parents(key: FolderKey) -> Iterator[FolderKey]:
    """Yield the folders above one, the root of all left out."""
    host, path = key
    for above in PurePosixPath(path).parents:
        if above != above.parent:
            yield host, str(above)


def by_account(folders: Collection[Folder]) -> Mapping[tuple[int, int], list[Folder]]:
    """Return folders by the computer and the user by whose account they are reached."""
    found: dict[tuple[int, int], list[Folder]] = defaultdict(list)
    for folder in sorted(folders, key=lambda folder: folder.path):
        found[folder.computer, folder.user].append(folder)
    return found
