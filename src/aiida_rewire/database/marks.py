"""Names by which the database is asked for what campaigns left there."""

from __future__ import annotations

CAMPAIGN_GROUP = "rewire.campaign"
"""Type of the groups of campaigns, and their entry point."""

CHAIN_WORKFLOW = "rewire.chain"
"""Entry point of a chain's work chain."""

CHAIN_PROCESS = f"aiida.workflows:{CHAIN_WORKFLOW}"
"""Process type of chains."""

VOID_EXTRA = "rewire_void"
"""Extra of a process that does not count: why it does not."""
