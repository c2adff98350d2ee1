"""Reactive molecular dynamics with LAMMPS: force field, input script, dumps."""
