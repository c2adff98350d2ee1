"""All campaigns of a profile, a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.attempts import SNAPSHOTS_MISSING, attempts_of, failed_snapshots
from aiida_rewire.campaign.chain_progress import State, state_of_chain
from aiida_rewire.campaign.chains import Chain, chains_of, snapshots_in
from aiida_rewire.campaign.outcomes import judge
from aiida_rewire.campaign.ownership import owner_of
from aiida_rewire.campaign.reading import CampaignErrors, spec_from_record
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.database.attributes import CONDUCTANCE
from aiida_rewire.database.marks import CAMPAIGN_GROUP, CHAIN_PROCESS, VOID_EXTRA
from aiida_rewire.database.tables import Tables

if TYPE_CHECKING:
    from aiida import orm


@dataclass(frozen=True)
class Overview:
    """A campaign in a line.

    Attributes
    ----------
    label, uuid
        Of its group.
    submitted_at, submitted_by
        When it was recorded (ISO 8601), and by whom.
    paused
        Whether people paused it as a whole.
    chains
        How many there are in each state.
    snapshots_done, snapshots_total
        With a conductance, and in all.
    controller
        What is known of who runs it; of use if its lock is held.
    problem
        Why its record cannot be read, if it cannot: changed by hand, or made by another version. Chains and
        snapshots in all are not known then.
    """

    label: str
    uuid: str
    submitted_at: str
    submitted_by: str
    paused: bool
    chains: Mapping[State, int]
    snapshots_done: int
    snapshots_total: int
    controller: Mapping[str, Any] | None
    problem: str = ""

    @property
    def state(self) -> str:
        """In a word, as that of a campaign's progress; or that its record cannot be read."""
        if self.problem:
            return "unreadable"
        if all(state.is_over for state in self.chains):
            return "finished" if set(self.chains) <= {State.FINISHED} else "ended"
        if self.paused:
            return "paused"
        return "running" if State.RUNNING in self.chains else "waiting"


def overview(*, process_type: str = CHAIN_PROCESS) -> list[Overview]:
    """Return all campaigns of the profile, the newest first.

    A query for each campaign and one for all conductances: processes below chains are not looked at.

    Parameters
    ----------
    process_type
        Of the nodes of chains.
    """
    from aiida import orm
    from aiida.plugins import GroupFactory

    query = orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP), tag="group")
    groups: list[orm.Group] = query.order_by({"group": {"id": "desc"}}).all(flat=True)
    if not groups:
        return []
    done = snapshots_done(Tables.of(groups[0]))
    found = []
    for group in groups:
        extras = group.base.extras.all
        if "spec" in extras:
            found.append(overview_of(group, extras, done.get(group.label, 0), process_type))
    return found


def overview_of(group: orm.Group, extras: dict[str, Any], done: int, process_type: str) -> Overview:
    """Return a campaign in a line.

    Parameters
    ----------
    group, extras
        Of the campaign.
    done
        Snapshots with a conductance.
    process_type
        Of the nodes of its chains.
    """
    states: Counter[State] = Counter()
    chains: list[Chain] = []
    problem = ""
    try:
        spec = spec_from_record(extras["spec"])
    except CampaignErrors as error:
        problem = error.errors[0]
    else:
        chains = chains_of(spec)
        states = states_of(spec, chains, extras, process_type)
    return Overview(
        label=group.label,
        uuid=group.uuid,
        submitted_at=str(extras.get("submitted_at", "")),
        submitted_by=owner_of(extras),
        paused=bool(extras.get("paused")),
        chains=states,
        snapshots_done=done,
        snapshots_total=sum(snapshots_in(chain.values) for chain in chains),
        controller=extras.get("controller"),
        problem=problem,
    )


def states_of(
    spec: CampaignSpec, chains: Sequence[Chain], extras: dict[str, Any], process_type: str
) -> Counter[State]:
    """Return how many chains are in each state."""
    attempts = attempts_of(spec.label, process_type=process_type)
    states: Counter[State] = Counter()
    for chain in chains:
        those = attempts.get(chain.name, [])
        open_question = any(one.exit_status == SNAPSHOTS_MISSING for one in those) and not those[-1].is_ok
        ends = failed_snapshots(spec.label, chain.name, those) if open_question else {}
        standing = judge(
            those,
            automatic=spec.retries.attempts - 1,
            granted=extras.get("granted_retries", {}).get(chain.name, 0),
            missing={pk: list(endings.values()) for pk, endings in ends.items()},
        )
        last = those[-1] if those else None
        states[state_of_chain(chain.name, standing.outcome, last, extras, living=0)] += 1
    return states


def snapshots_done(tables: Tables) -> dict[str, int]:
    """Return how many snapshots have a conductance, by the label of the campaign."""
    from sqlalchemy import func, select

    campaign, chain, snapshot = (tables.attribute(name) for name in ("campaign", "chain", "snapshot"))
    each = (
        select(campaign.label("campaign"), chain.label("chain"), snapshot.label("snapshot"))
        .where(
            tables.nodes.c.node_type == CONDUCTANCE, tables.extra_text(VOID_EXTRA).is_(None), snapshot.is_not(None)
        )
        .distinct()
        .subquery()
    )
    return dict(map(tuple, tables.rows(select(each.c.campaign, func.count()).group_by(each.c.campaign))))
