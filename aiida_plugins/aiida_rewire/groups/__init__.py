"""Groups of results."""
