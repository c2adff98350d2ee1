"""On how many ranks pwcond.x runs."""

from __future__ import annotations

from aiida_rewire.errors import InvalidInput


def check_ranks(ranks: int, shards_beside: int) -> None:
    """Refuse numbers of ranks with which pwcond.x would not run.

    Parameters
    ----------
    ranks
        Of MPI; 1 without it.
    shards_beside
        Runs of pwcond.x side by side in a job.

    Raises
    ------
    InvalidInput
        If the ranks are no power of two, or if several shards would each want all of them.
    """
    if ranks < 1 or ranks & (ranks - 1):
        raise InvalidInput("ranks", f"{ranks} ranks", "2^N", "pwcond.x takes no other")
    if ranks > 1 and shards_beside > 1:
        bound = f"1 with {shards_beside} shards in a job, each on one core"
        raise InvalidInput("ranks", f"{ranks} ranks", bound, "leave it out, or set shards_per_job to 1")
