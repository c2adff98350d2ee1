"""What LAMMPS is told to do: data file, preparation, and the blocks from one checkpoint to the next.

A run is a chain of blocks of ``checkpoint_interval`` steps. Each block begins by reading the restart file that
the one before wrote, in the same job or in an earlier one. What LAMMPS does not keep in restart files (the history
of the charge equilibration, the order of atoms in neighbour lists) is therefore lost at the same steps in both
cases, and a run in several jobs is bit for bit the run in one (on one core).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.md.conditions import MdConditions

DATA_FILE = "tips.data"
FORCE_FIELD_FILE = "ffield.reax"
DUMP_FILE = "trajectory.lammpstrj"
PARENT_RESTART_FILE = "parent.restart"
FIRST_CHECKPOINT = "start.restart"
CHECKPOINTS = ("checkpoint.0.restart", "checkpoint.1.restart")
"""Written in turn, so that a run killed while it writes one has the other."""

TIME_FILE = "seconds.left"

TIME_LIMIT = "timer timeout ${left} every 10"

CHECKPOINT_LINE = "rewire: checkpoint"
OUT_OF_TIME_LINE = "rewire: out of time"
LAST_LINE = "rewire: run complete"

VACUUM = 15.0
"""Å around the tips: beyond the 10 Å reach of the force field; an atom that leaves the box is lost."""

CHARGE_TOLERANCE = 1.0e-8
"""Of the charge equilibration, relative. With 1e-6 charges are off by 4e-6 e, and differ from one core to two."""

CHARGE_ITERATIONS = 1000


class Start(StrEnum):
    """What a job begins with.

    Attributes
    ----------
    ATOMS
        The data file: relaxed where asked for, then given velocities.
    PARENT
        The last state of another run; steps count from 0 again.
    CHECKPOINT
        A checkpoint of this run.
    """

    ATOMS = "atoms"
    PARENT = "parent"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class AtomTypes:
    """Which LAMMPS atom types (numbered from 1) play which part.

    Attributes
    ----------
    elements
        The element of every type.
    fixed
        Types of the atoms held fixed.
    anode, cathode
        Types of the atoms whose potential is given; empty without a bias.
    """

    elements: tuple[str, ...]
    fixed: tuple[int, ...]
    anode: tuple[int, ...] = ()
    cathode: tuple[int, ...] = ()


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


def _begin(reading: str) -> list[str]:
    return ["clear", "units real", "atom_style charge", "boundary f f f", reading]


def _groups(types: AtomTypes) -> list[str]:
    named = {"fixed": types.fixed, "anode": types.anode, "cathode": types.cathode}
    made = [f"group {name} type {' '.join(map(str, members))}" for name, members in named.items() if members]
    return [*made, "group mobile subtract all fixed"]


def _forces(conditions: MdConditions, types: AtomTypes) -> list[str]:
    """Force field, charges, potential and thermostat; fixes of the same name find their state in a restart file."""
    native = conditions.bias == "native"
    # the patch was written for releases that called it so; later ones still know the name
    style = "reax/c" if native else "reaxff"
    t, damping = repr(conditions.temperature_k), repr(conditions.thermostat_damping_fs)
    return [
        f"pair_style {style} NULL checkqeq yes",
        f"pair_coeff * * {FORCE_FIELD_FILE} {' '.join(types.elements)}",
        "neighbor 2.0 bin",
        "neigh_modify every 5 delay 0 check yes",
        *(_patched_charges() if native else _stock_charges()),
        "fix hold fixed setforce 0.0 0.0 0.0",
        f"timestep {conditions.timestep_fs!r}",
        f"fix thermostat mobile nvt temp {t} {t} {damping}",
    ]


def _stock_charges() -> list[str]:
    """Let the potential be added to the electronegativity, as a stock LAMMPS does since 2 Aug 2023."""
    return [
        "fix potential all property/atom d_phi ghost yes",
        "variable phi atom d_phi",
        "variable zero atom 0.0",
        "fix bias all efield v_zero v_zero v_zero potential v_phi",
        f"fix charges all qeq/reaxff 1 0.0 10.0 {CHARGE_TOLERANCE:g} reaxff maxiter {CHARGE_ITERATIONS}",
    ]


def _patched_charges() -> list[str]:
    return [
        "fix potential all property/atom d_locpot d_lap",
        "variable phi atom d_locpot",
        f"fix charges all qeq/shielded 1 10.0 {CHARGE_TOLERANCE:g} {CHARGE_ITERATIONS} reax/c",
    ]


def _spreading(conditions: MdConditions) -> list[str]:
    """``fix echemdid`` adds +V/2 to the electronegativity of its first group, which makes it negative."""
    return [
        f"fix spreading all echemdid 1 k {conditions.diffusivity!r} cut {conditions.bond_cutoff!r} "
        f"norm {conditions.bond_norm!r} nelec {conditions.electron_steps} cathode anode "
        f"volt {conditions.schedule.at(0.0)!r}"
    ]


def preparation(conditions: MdConditions, types: AtomTypes, start: Start) -> list[str]:
    """Return the commands that make the first checkpoint; none where the job goes on from one.

    Parameters
    ----------
    conditions
        What the run does.
    types
        The atom types.
    start
        What the job begins with.
    """
    if start is Start.CHECKPOINT:
        return []
    forces = _forces(conditions, types)
    end = f"write_restart {FIRST_CHECKPOINT}"
    if start is Start.PARENT:
        return [*_begin(f"read_restart {PARENT_RESTART_FILE}"), "reset_timestep 0", *forces, end]
    relaxed = ["min_style cg", "minimize 1.0e-6 1.0e-6 100 1000", "reset_timestep 0"] if conditions.minimize else []
    t, seed = repr(conditions.temperature_k), conditions.seed
    velocities = f"velocity mobile create {t} {seed} mom yes rot yes dist gaussian"
    return [*_begin(f"read_data {DATA_FILE}"), *_groups(types), *forces, *relaxed, velocities, end]


def block(conditions: MdConditions, types: AtomTypes, checkpoint: str, dump: str) -> list[str]:
    """Return the commands of a block up to its ``run``, which is left to the caller.

    Parameters
    ----------
    conditions
        What the run does.
    types
        The atom types.
    checkpoint
        Restart file, or the variable that holds its name.
    dump
        File to which the frames are appended.
    """
    native = conditions.bias == "native"
    biased = bool(types.anode and types.cathode)
    thermo = "thermo_style custom step c_mobile_temperature pe etotal"
    charges = [
        "variable anode_charge equal charge(anode)/count(anode)",
        "variable cathode_charge equal charge(cathode)/count(cathode)",
    ]
    return [
        *_begin(f"read_restart {checkpoint}"),
        *_forces(conditions, types),
        *(_spreading(conditions) if native else []),
        "compute mobile_temperature mobile temp",
        *(charges if biased else []),
        f"{thermo} v_anode_charge v_cathode_charge" if biased else thermo,
        "thermo_modify lost error flush yes",
        f"thermo {conditions.dump_interval}",
        f"dump frames all custom {conditions.dump_interval} {dump} id type x y z q v_phi",
        "dump_modify frames sort id append yes flush yes",
        # the frame at the seam is the last of the block before
        'if "$(step) > 0" then "dump_modify frames delay $(step+1)"',
    ]


def read_time_left(seconds: str) -> list[str]:
    """Return the commands that set the variable ``left`` to whole seconds, the same on all ranks.

    The clocks of the ranks differ. Of these commands the first rank alone writes and reads the file.
    """
    write = f'print "{seconds}" file {TIME_FILE} screen no'
    return [write, "variable left delete", f"variable left file {TIME_FILE}"]


def input_script(conditions: MdConditions, types: AtomTypes, *, start: Start, seconds: float) -> str:
    """Write the whole job for a LAMMPS that needs no driver (``bias: none`` or ``native``).

    Parameters
    ----------
    conditions
        What the run does.
    types
        The atom types.
    start
        What the job begins with.
    seconds
        Wall time after which the job ends at its last checkpoint.
    """
    most = conditions.job_steps or conditions.steps
    lines = [
        f"variable total equal {conditions.steps}",
        f"variable most equal {most}",
        f"variable length equal {conditions.checkpoint_interval}",
        "variable begun timer",
        *preparation(conditions, types, start),
        f"variable checkpoint string {FIRST_CHECKPOINT}",
        f"variable other string {CHECKPOINTS[0]}",
        f"variable spare string {CHECKPOINTS[1]}",
        "variable end equal -1",
        "label block",
        *block(conditions, types, "${checkpoint}", DUMP_FILE),
        'if "${end} < 0" then "variable end equal $(ternary(step+v_most<v_total,step+v_most,v_total))"',
        "variable next equal $(ternary(step+v_length<v_end,step+v_length,v_end))",
        "variable now timer",
        *read_time_left(f"$(floor({seconds:.1f}-v_now+v_begun))"),
        'if "${left} <= 0" then "jump SELF out_of_time"',
        TIME_LIMIT,
        "run ${next} upto",
        'if "$(step) < ${next}" then "jump SELF out_of_time"',
        "write_restart ${other}",
        f'print "{CHECKPOINT_LINE} ${{next}} ${{other}}"',
        "variable checkpoint string ${other}",
        "variable other string ${spare}",
        "variable spare string ${checkpoint}",
        'if "${next} < ${end}" then "jump SELF block"',
        f'if "${{next}} == ${{total}}" then "print \'{LAST_LINE}\'"',
        "quit",
        "label out_of_time",
        f'print "{OUT_OF_TIME_LINE}"',
    ]
    return "\n".join(lines) + "\n"
