"""Ballistic transport: FFT grids, reading pwcond.x, gates, Landauer."""
