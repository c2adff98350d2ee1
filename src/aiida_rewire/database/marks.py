"""Extras by which processes are told apart from what their state says."""

from __future__ import annotations

VOID_EXTRA = "rewire_void"
"""Extra of a process that does not count: why it does not."""
