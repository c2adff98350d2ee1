"""How far a campaign is: each chain, and the time left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiida_rewire.campaign.census import Census, take_census
from aiida_rewire.campaign.chain_progress import ChainProgress, State, progress_of_chain
from aiida_rewire.campaign.chains import Chain, chains_of
from aiida_rewire.campaign.extras import IMPORTED, Extras, read_extras
from aiida_rewire.campaign.ownership import owner_of
from aiida_rewire.campaign.pace import EVERY, Left, campaign_left_s, pace_of, time_left_s
from aiida_rewire.campaign.reading import spec_from_record
from aiida_rewire.database.marks import CHAIN_PROCESS

if TYPE_CHECKING:
    from aiida import orm


@dataclass(frozen=True)
class CampaignProgress:
    """How far a campaign is.

    Attributes
    ----------
    label
        Of the campaign.
    chains
        In the order of its file.
    paused
        Whether people paused it as a whole.
    left_s
        Time left at the pace so far, with as many chains at a time as the file allows, s; None where nobody knows.
    imported
        Whether it came in an archive, so that nothing of it runs here.
    recorded_by
        E-mail of who recorded it; empty where nobody knows.
    """

    label: str
    chains: tuple[ChainProgress, ...]
    paused: bool
    left_s: float | None
    imported: bool = False
    recorded_by: str = ""

    @property
    def is_over(self) -> bool:
        """Whether every chain is."""
        return all(chain.is_over for chain in self.chains)

    @property
    def state(self) -> str:
        """In a word: finished, ended (not every chain is finished), paused, running or waiting."""
        states = [chain.state for chain in self.chains]
        if self.is_over:
            return "finished" if all(state is State.FINISHED for state in states) else "ended"
        if self.paused:
            return "paused"
        return "running" if any(chain.living for chain in self.chains) else "waiting"


def progress_of(group: orm.Group, *, process_type: str = CHAIN_PROCESS) -> CampaignProgress:
    """Return how far a campaign is.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of its chains.
    """
    extras = read_extras(group)
    spec = spec_from_record(extras["spec"])
    census = take_census(group, process_type=process_type)
    return campaign_progress(
        spec.label,
        chains_of(spec),
        census,
        extras,
        automatic=spec.retries.attempts - 1,
        active_chains=spec.limits.active_chains,
    )


def campaign_progress(
    label: str, chains: Sequence[Chain], census: Census, extras: Extras, *, automatic: int, active_chains: int
) -> CampaignProgress:
    """Return how far a campaign is, from what the database said.

    Parameters
    ----------
    label, chains
        Of the campaign.
    census
        What the database said.
    extras
        Of its group.
    automatic, active_chains
        Attempts after failures that another try may mend, and chains at a time.
    """
    paces = pace_of(chains, census)
    shown = []
    for chain in chains:
        one = progress_of_chain(chain, census, extras, automatic)
        if not one.state.is_over:
            one = replace(one, left_s=time_left_s(left_of(one), paces[chain.name], paces[EVERY]))
        shown.append(one)
    left_s = campaign_left_s([one.left_s for one in shown if not one.state.is_over], active_chains)
    return CampaignProgress(
        label, tuple(shown), bool(extras.get("paused")), left_s, IMPORTED in extras, owner_of(extras)
    )


def left_of(chain: ChainProgress) -> Left:
    """Return what is left to do of a chain; what failed is computed once more where the chain is tried again."""
    again = chain.snapshots.failed if chain.state is State.RETRYING else 0
    return Left(
        md_ps=sum(stage.total_ps - stage.done_ps for stage in (chain.equilibration, chain.production)),
        snapshots=chain.snapshots.left + chain.snapshots.running + again,
    )
