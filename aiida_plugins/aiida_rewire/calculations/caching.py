"""Which finished calculations may stand for one that is asked for again."""

from __future__ import annotations

from typing import Any

from aiida import orm


class ReusedOnlyIfGood:
    """A CalcJob that failed, or whose scratch was cleaned, is run again rather than reused.

    AiiDA by itself would reuse a killed run, exit code and all, and one whose files its children then miss.

    Attributes
    ----------
    REUSED_EXIT_CODES
        Exit codes of calculations that are good although they are not at an end.
    """

    REUSED_EXIT_CODES: frozenset[int] = frozenset()

    @classmethod
    def is_valid_cache(cls, node: orm.ProcessNode) -> bool:
        """Whether a finished calculation may be reused."""
        parent: Any = super()
        good = node.is_finished_ok or (node.is_finished and node.exit_status in cls.REUSED_EXIT_CODES)
        return bool(parent.is_valid_cache(node)) and good and not _scratch_is_gone(node)


def _scratch_is_gone(node: orm.ProcessNode) -> bool:
    remote = node.base.links.get_outgoing(link_label_filter="remote_folder").one().node
    return bool(remote.is_cleaned or remote.is_empty)
