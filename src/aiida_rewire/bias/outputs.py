"""What the driver writes beside LAMMPS's own files; without what it computes with, so that all may ask."""

from __future__ import annotations

BLOCK_DUMP = "block.lammpstrj"
SERIES_FILE = "bias.csv"
SERIES_COLUMNS = ("step", "voltage_v", "anode_flux_v_fs", "cathode_flux_v_fs")
