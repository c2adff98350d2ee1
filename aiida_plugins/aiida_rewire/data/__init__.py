"""Node types for results."""
