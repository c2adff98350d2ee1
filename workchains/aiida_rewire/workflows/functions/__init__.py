"""Calculation functions: the steps of the chain that are plain Python, with provenance."""
