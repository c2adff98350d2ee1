"""Campaigns: many chains from one file, kept going until all are done."""
