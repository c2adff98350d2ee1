"""Further attempts of chains that failed, granted by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_rewire.campaign.decisions import Situation
from aiida_rewire.campaign.extras import Extras, change_extras, refuse_imported
from aiida_rewire.campaign.launching import ChainWorkflow
from aiida_rewire.campaign.observing import Observer
from aiida_rewire.campaign.outcomes import Outcome, Standing, judge

if TYPE_CHECKING:
    from aiida import orm


@dataclass(frozen=True)
class Retry:
    """What becomes of a chain that somebody wants tried again.

    Attributes
    ----------
    chain
        Its name.
    granted
        Whether it gets a further attempt by this request.
    why
        Why it does, or does not.
    """

    chain: str
    granted: bool
    why: str


def grant_retries(
    group: orm.Group, chains: Sequence[str], exit_code: int | None, *, workflow: ChainWorkflow | None = None
) -> list[Retry]:
    """Grant a further attempt to chains that failed or were killed; others are left alone, with the reason.

    A chain that is to be tried again already gets nothing more, so that twice is the same as once.

    Parameters
    ----------
    group
        Of the campaign.
    chains
        Names.
    exit_code
        Only chains that ended with it, or whose missing snapshots did; None for all.
    workflow
        Of the chains.
    """
    refuse_imported(group)
    situation = Observer(group, workflow or ChainWorkflow()).look()
    retries: list[Retry] = []

    def granted(extras: Extras) -> Extras:
        retries.clear()
        killed = set(extras.get("killed_chains", []))
        grants = dict(extras.get("granted_retries", {}))
        for chain in chains:
            standing = standing_of(situation, chain, grants.get(chain, 0))
            retries.append(judged(situation, chain, standing, exit_code, killed=chain in killed))
            if not retries[-1].granted:
                continue
            killed.discard(chain)
            # as many as it takes: automatic retries that are left are used first
            while standing.outcome is Outcome.FAILED:
                grants[chain] = grants.get(chain, 0) + 1
                standing = standing_of(situation, chain, grants[chain])
        return {**extras, "killed_chains": sorted(killed), "granted_retries": grants}

    change_extras(group, granted)
    return retries


def standing_of(situation: Situation, chain: str, granted: int) -> Standing:
    """Return how a chain stands with so many granted attempts."""
    return judge(
        situation.attempts.get(chain, ()),
        automatic=situation.automatic,
        granted=granted,
        missing=situation.missing,
    )


def judged(situation: Situation, chain: str, standing: Standing, exit_code: int | None, *, killed: bool) -> Retry:
    """Say whether a chain is granted a further attempt."""
    lives = sum(process.chain == chain for process in situation.living)
    if standing.outcome is Outcome.FINISHED:
        return Retry(chain, False, "is finished")
    if standing.outcome is Outcome.LIVE:
        return Retry(chain, False, "is being killed; ask again when it ended" if killed else "still runs")
    if standing.outcome is Outcome.READY and not killed:
        return Retry(chain, False, "is started anyway" if standing.last is None else "is tried again anyway")
    how = how_it_ended(standing, killed=killed)
    if exit_code is not None and exit_code not in exit_codes_of(situation, standing):
        return Retry(chain, False, f"{how}, not with exit code {exit_code}")
    after = f", when {lives} processes of its earlier attempt ended" if lives else ""
    return Retry(chain, True, f"{how}: attempt {standing.attempts + 1}{after}")


def how_it_ended(standing: Standing, *, killed: bool) -> str:
    """Say how the last attempt of a chain ended."""
    last = standing.last
    if last is None or last.state == "killed":
        return "was killed"
    ended = f"failed with exit code {last.exit_status}" if last.state == "failed" else last.state
    return f"{ended}, and was killed" if killed else ended


def exit_codes_of(situation: Situation, standing: Standing) -> set[int]:
    """Return the exit codes of the last attempt of a chain and of the snapshots that it is missing."""
    if standing.last is None:
        return set()
    missing = situation.missing.get(standing.last.pk, ())
    codes = {standing.last.exit_status, *(end.exit_status for end in missing)}
    return {code for code in codes if code}
