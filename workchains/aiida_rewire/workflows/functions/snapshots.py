"""Snapshots of a trajectory, with the descriptors of their contact."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_rewire.junction.assembly import FlatGap
from aiida_rewire.junction.contact import describe_contact
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.dump import BrokenDump, Frame, read_frames
from aiida_rewire.md.script import DUMP_FILE
from aiida_rewire.workflows.functions.structures import base_kinds

EXIT_BROKEN_DUMP = 320


def every_so_many_steps(frames: Iterable[Frame], every: int) -> list[Frame]:
    """Keep the first frame and those a multiple of ``every`` steps later; the others are not held."""
    kept: list[Frame] = []
    for frame in frames:
        if not kept or (frame.step - kept[0].step) % every == 0:
            kept.append(frame)
    return kept


@calcfunction
def extract_snapshots(
    retrieved: orm.FolderData,
    tips: orm.StructureData,
    geometry: orm.Dict,
    conditions: orm.Dict,
    interval_ps: orm.Float,
    junction: orm.Dict,
) -> orm.TrajectoryData | ExitCode:
    """Take a frame every so often, and describe its contact.

    Parameters
    ----------
    retrieved
        Files of the production run, its dump among them.
    tips, geometry
        What the run started from.
    conditions
        The conditions of the run; ``timestep_fs`` and ``dump_interval`` are used.
    interval_ps
        Time between snapshots; a multiple of the time between frames.
    junction
        ``lattice_constant`` (Å) and ``supercell`` of the flat layers, which bound the gap.

    Returns
    -------
    TrajectoryData
        Positions and step of every snapshot, and the arrays ``time_ps`` (since the first frame), ``bonds``,
        ``gap_left`` (Å), ``atoms_in_gap``, ``charges`` (e); attribute ``stages``.
    """
    timestep_fs = MdConditions.from_mapping(conditions.get_dict()).timestep_fs
    every = round(interval_ps.value * 1000 / timestep_fs)
    lattice = Fcc111(junction["lattice_constant"], junction["supercell"])
    gap = FlatGap.behind_apexes(lattice, geometry["lower_apex"], geometry["upper_apex"])
    margin = lattice.layer_spacing / 2
    kinds = np.array([site.kind_name for site in tips.sites])
    lower_base, upper_base = (kinds == name for name in base_kinds())
    built = int(gap.holds(np.array([site.position for site in tips.sites]), margin).sum())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, DUMP_FILE)
        with retrieved.base.repository.open(DUMP_FILE, "rb") as source:
            path.write_bytes(source.read())
        try:
            frames = every_so_many_steps(read_frames(path), every)
        except BrokenDump as error:
            return ExitCode(EXIT_BROKEN_DUMP, str(error))
    first = frames[0].step
    inside = [int(gap.holds(frame.positions, margin).sum()) for frame in frames]
    contacts = [
        describe_contact(frame.positions, lower_base, upper_base, atoms_in_gap=count, atoms_in_gap_as_built=built)
        for frame, count in zip(frames, inside, strict=True)
    ]
    steps = np.array([frame.step for frame in frames])
    symbols = {kind.name: kind.symbol for kind in tips.kinds}
    snapshots = orm.TrajectoryData()
    snapshots.set_trajectory(
        symbols=[symbols[kind] for kind in kinds],
        positions=np.array([frame.positions for frame in frames]),
        stepids=steps,
        pbc=(False, False, False),
    )
    snapshots.set_array("time_ps", (steps - first) * timestep_fs / 1000)
    snapshots.set_array("bonds", np.array([contact.bonds for contact in contacts]))
    snapshots.set_array("gap_left", np.array([contact.gap_left for contact in contacts]))
    snapshots.set_array("atoms_in_gap", np.array(inside))
    snapshots.set_array("charges", np.array([frame.charges for frame in frames]))
    snapshots.base.attributes.set("stages", [str(contact.stage) for contact in contacts])
    return snapshots
