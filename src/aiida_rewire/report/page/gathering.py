"""From the database to all that stands on the page of a campaign.

As many queries for thousands of snapshots as for a few, but for structures, of which some hundred are read at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.census import Census, take_census
from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.cost import cost_of
from aiida_rewire.campaign.extras import read_extras
from aiida_rewire.campaign.progress import CampaignProgress, campaign_progress
from aiida_rewire.campaign.reading import spec_from_record
from aiida_rewire.campaign.runners import runners_of
from aiida_rewire.campaign.triage import failure_rows
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.database.tables import Tables
from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.page.citing import citations
from aiida_rewire.report.page.facts import facts_of
from aiida_rewire.report.page.ingredients import ingredients_of
from aiida_rewire.report.page.model import ChainOnPage, Report
from aiida_rewire.report.page.points import (
    Computed,
    conductances_by_chain,
    points_of_chain,
    reasons_in,
    snapshots_taken,
)
from aiida_rewire.report.page.spectra import spectra_of
from aiida_rewire.report.page.statistics import counts_of, stage_rows
from aiida_rewire.report.page.structures import packed_junctions

if TYPE_CHECKING:
    from aiida import orm

MOST_JUNCTIONS = 5000
"""So many conductances have their atoms and their T(E) on the page, so that it can be sent by mail."""


def gather(group: orm.Group, *, process_type: str = CHAIN_PROCESS) -> Report:
    """Return all that stands on the page of a campaign.

    Nothing is written, and no scheduler is asked.

    Parameters
    ----------
    group
        Of the campaign.
    process_type
        Of the nodes of its chains.

    Raises
    ------
    InvalidInput
        If the group is no campaign that was recorded.
    """
    from aiida.manage import get_manager

    extras = read_extras(group)
    if "spec" not in extras:
        raise InvalidInput("label", group.label, "a recorded campaign", "`aiida-rewire campaign submit` records it")
    spec = spec_from_record(extras["spec"])
    # who runs it comes first: what ends in between leaves a campaign that is over
    runners = runners_of(group.uuid, extras.get("controller"))
    tables = Tables.of(group)
    census = take_census(group, process_type=process_type)
    planned = chains_of(spec)
    progress = campaign_progress(
        group.label,
        planned,
        census,
        extras,
        automatic=spec.retries.attempts - 1,
        active_chains=spec.limits.active_chains,
    )
    computed = conductances_by_chain(tables, group.label)
    chains = chains_on_page(tables, progress, census, computed)
    every, shown = thinned([computed.get(chain.name, {}) for chain in chains])
    profile = get_manager().get_profile()
    return Report(
        label=group.label,
        uuid=str(group.uuid),
        description=group.description or spec.description,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by=version("aiida-rewire"),
        profile="" if profile is None else profile.name,
        submitted_at=str(extras.get("submitted_at", "")),
        facts=facts_of(spec, planned),
        source=str(extras.get("source", "")),
        digest=str(extras.get("digest", "")),
        amendments=tuple(extras.get("amendments", ())),
        versions=extras.get("versions", {}),
        ingredients=ingredients_of(tables, [one.pk for those in census.attempts.values() for one in those]),
        progress=progress,
        runners=runners,
        chains=chains,
        stages=stage_rows(chains),
        counts=counts_of(chains),
        spectra=spectra_of(tables, [one.point.pk for one in shown if one.energies > 1 and one.point.pk is not None]),
        junctions=packed_junctions(tables, [one.point.pk for one in shown if one.point.pk is not None]),
        every=every,
        failures=tuple(failure_rows(group, process_type=process_type)),
        cost=cost_of(group, lambda line: None, ask=False, process_type=process_type),
        citations=citations(),
        notes=notes_on(computed, {chain.name for chain in chains}),
    )


def chains_on_page(
    tables: Tables, progress: CampaignProgress, census: Census, computed: Mapping[str, Mapping[int, Computed]]
) -> tuple[ChainOnPage, ...]:
    """Return the chains of a campaign with their snapshots.

    Parameters
    ----------
    tables
        Of the profile.
    progress, census
        How far they are, and what the database said.
    computed
        Conductances by chain and snapshot.
    """
    taken = snapshots_taken(tables, census.attempts)
    found = []
    for one in progress.chains:
        snapshots = taken.get(one.name)
        points = points_of_chain(
            computed.get(one.name, {}), snapshots, reasons_in(census, one.name), is_over=one.is_over
        )
        attempts = census.attempts.get(one.name, ())
        found.append(
            ChainOnPage(
                progress=one,
                uuid=attempts[-1].uuid if attempts else "",
                first_contact_ps=None if snapshots is None else snapshots.first_contact_ps,
                lasting_contact_ps=None if snapshots is None else snapshots.lasting_contact_ps,
                points=points,
            )
        )
    return tuple(found)


def thinned(chains: Sequence[Mapping[int, Computed]], most: int = MOST_JUNCTIONS) -> tuple[int, list[Computed]]:
    """Return every so many conductances of each chain, and how many that is.

    Parameters
    ----------
    chains
        Conductances of each, by snapshot.
    most
        So many are returned in all, but for one more of each chain.
    """
    every = max(1, -(-sum(map(len, chains)) // most))
    return every, [those[index] for those in chains for index in sorted(those)[::every]]


def notes_on(computed: Mapping[str, Mapping[int, Any]], chains: set[str]) -> tuple[str, ...]:
    """Say what is in the database, and not on the page."""
    others = {name: len(those) for name, those in computed.items() if name not in chains}
    if not others:
        return ()
    names = ", ".join(sorted(others)[:3]) + (", ..." if len(others) > 3 else "")
    return (f"{sum(others.values())} conductances of chains that the file does not name are not shown: {names}",)
