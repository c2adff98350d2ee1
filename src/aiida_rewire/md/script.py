"""The input script and the data file of a biased molecular dynamics on a stock LAMMPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.md.conditions import MdConditions

DATA_FILE = "tips.data"
FORCE_FIELD_FILE = "ffield.reax"
DUMP_FILE = "trajectory.lammpstrj"
RESTART_FILE = "final.restart"
PARENT_RESTART_FILE = "parent.restart"
LAST_LINE = "rewire: run complete"

VACUUM = 15.0
"""Å around the tips: beyond the 10 Å reach of the force field; an atom that leaves the box is lost."""


@dataclass(frozen=True)
class AtomTypes:
    """Which LAMMPS atom types (numbered from 1) play which part.

    Attributes
    ----------
    elements
        The element of every type.
    fixed, anode, cathode
        Types of the atoms held fixed and of the two electrodes.
    """

    elements: tuple[str, ...]
    fixed: tuple[int, ...]
    anode: tuple[int, ...]
    cathode: tuple[int, ...]


def data_file(
    positions: NDArray[np.float64], types: Sequence[int], masses: Sequence[float], vacuum: float = VACUUM
) -> str:
    """Write the atoms for ``read_data`` with ``atom_style charge``.

    Parameters
    ----------
    positions
        Å, shape (n, 3).
    types
        Atom type of each atom, from 1.
    masses
        Mass of each type, g/mol.
    vacuum
        Å between the atoms and the walls of the box.
    """
    low, high = positions.min(axis=0) - vacuum, positions.max(axis=0) + vacuum
    lines = ["two tips", "", f"{len(positions)} atoms", f"{len(masses)} atom types", ""]
    lines += [f"{a:.10f} {b:.10f} {x}lo {x}hi" for a, b, x in zip(low, high, "xyz", strict=True)]
    lines += ["", "Masses", "", *(f"{number} {mass:.6f}" for number, mass in enumerate(masses, start=1))]
    lines += ["", "Atoms # charge", ""]
    lines += [
        f"{number} {kind} 0.0 {x:.12f} {y:.12f} {z:.12f}"
        for number, (kind, (x, y, z)) in enumerate(zip(types, positions, strict=True), start=1)
    ]
    return "\n".join(lines) + "\n"


def _group(name: str, types: Sequence[int]) -> str:
    return f"group {name} type {' '.join(map(str, types))}"


def input_script(conditions: MdConditions, types: AtomTypes, *, restart: bool) -> str:
    """Write the input script.

    The electrochemical potential is added to the electronegativity of each atom by ``fix efield ...
    potential`` (LAMMPS since 2 Aug 2023). A higher electronegativity makes an atom *negative*, so the anode,
    which a positive voltage makes positive, gets -V/2. Each atom keeps the potential of the electrode it was
    built into.

    Parameters
    ----------
    conditions
        What the run does.
    types
        The atom types.
    restart
        Go on from the parent's restart file rather than from the data file.
    """
    anode_phi, cathode_phi = -conditions.voltage_v / 2, conditions.voltage_v / 2
    bias = [f"set group anode d_phi {anode_phi!r}", f"set group cathode d_phi {cathode_phi!r}"]
    from_data = [
        f"read_data {DATA_FILE}",
        _group("fixed", types.fixed),
        "group mobile subtract all fixed",
        _group("anode", types.anode),
        _group("cathode", types.cathode),
    ]
    # the restart file holds the groups
    begin = [f"read_restart {PARENT_RESTART_FILE}"] if restart else from_data
    prepare = []
    if conditions.minimize:
        prepare += [
            "set group all d_phi 0.0",
            "min_style cg",
            "minimize 1.0e-6 1.0e-6 100 1000",
            "reset_timestep 0",
        ]
    if not restart:
        prepare.append(
            f"velocity mobile create {conditions.temperature_k!r} {conditions.seed} mom yes rot yes dist gaussian"
        )
    t, damping = repr(conditions.temperature_k), repr(conditions.thermostat_damping_fs)
    lines = [
        "units real",
        "atom_style charge",
        "boundary f f f",
        *begin,
        "pair_style reaxff NULL checkqeq yes",
        f"pair_coeff * * {FORCE_FIELD_FILE} {' '.join(types.elements)}",
        "neighbor 2.0 bin",
        "neigh_modify every 5 delay 0 check yes",
        "fix potential all property/atom d_phi ghost yes",
        "variable phi atom d_phi",
        "variable zero atom 0.0",
        "fix bias all efield v_zero v_zero v_zero potential v_phi",
        "fix charges all qeq/reaxff 1 0.0 10.0 1.0e-6 reaxff",
        "fix hold fixed setforce 0.0 0.0 0.0",
        f"timestep {conditions.timestep_fs!r}",
        *prepare,
        *bias,
        f"fix thermostat mobile nvt temp {t} {t} {damping}",
        "compute mobile_temperature mobile temp",
        "variable anode_charge equal charge(anode)/count(anode)",
        "variable cathode_charge equal charge(cathode)/count(cathode)",
        "thermo_style custom step c_mobile_temperature pe etotal v_anode_charge v_cathode_charge",
        "thermo_modify lost error flush yes",
        f"thermo {conditions.dump_interval}",
        f"dump frames all custom {conditions.dump_interval} {DUMP_FILE} id type x y z q d_phi",
        "dump_modify frames sort id flush yes",
        f"run {conditions.steps}",
        f"write_restart {RESTART_FILE}",
        f'print "{LAST_LINE}"',
    ]
    return "\n".join(lines) + "\n"
