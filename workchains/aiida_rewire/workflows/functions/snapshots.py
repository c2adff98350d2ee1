"""Snapshots of a trajectory, with the descriptors of their contact."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from numpy.typing import NDArray

from aiida_rewire.calculations.biased_md import type_numbers
from aiida_rewire.junction.assembly import AtomsOverlap, CellTooNarrow, FlatGap, smallest_supercell
from aiida_rewire.junction.contact import Contact, describe_contact, gap_left
from aiida_rewire.junction.kinetics import LASTING_PS, first_contact_ps
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.md.dump import BrokenDump, Frame
from aiida_rewire.md.trajectory import read_trajectory
from aiida_rewire.parsers.retrieved import copy_object
from aiida_rewire.workflows.functions.structures import base_kinds

EXIT_BROKEN_DUMP = 320

DESCRIPTORS = tuple(field.name for field in fields(Contact) if field.name != "stage")
"""Arrays of the snapshots, one value for each: NaN where a descriptor has none."""


@calcfunction
def extract_snapshots(
    tips: orm.StructureData,
    geometry: orm.Dict,
    conditions: orm.Dict,
    interval_ps: orm.Float,
    junction: orm.Dict,
    results: orm.Dict,
    **segments: orm.FolderData,
) -> orm.TrajectoryData | ExitCode:
    """Take a frame every so often and describe its contact; look at every frame for the gap that is left.

    Parameters
    ----------
    tips, geometry
        What the run started from.
    conditions
        The conditions of the run; ``timestep_fs`` and ``voltage_v`` are used.
    interval_ps
        Time between snapshots; a multiple of the time between frames.
    junction
        The flat layers, which bound the gap: ``lattice_constant`` (Å), ``supercell``, ``largest_supercell``,
        ``lower_layers``, ``upper_layers``.
    results
        Of the run: the last step of each of its jobs.
    segments
        Files of each job, ``segment_0000`` and so on.

    Returns
    -------
    TrajectoryData
        Positions and step of every snapshot; arrays ``time_ps`` (since the run's first step), ``voltage_v``,
        ``charges`` (e), ``supercell`` (the least that holds the contact, 0 for none) and the
        descriptors of :class:`~aiida_rewire.junction.contact.Contact`; arrays of all frames, ``frame_time_ps`` and
        ``frame_gap_left`` (Å); attributes ``stages``,
        ``first_contact_ps``, ``lasting_contact_ps`` (the beginning of the first contact that lasts a picosecond) and
        ``left_out``, a line for each dump whose last frame is broken and left out.
    """
    md = MdConditions.from_mapping(conditions.get_dict())
    every = round(interval_ps.value * 1000 / md.timestep_fs)
    lattice = Fcc111(junction["lattice_constant"], junction["supercell"])
    gap = FlatGap.behind_apexes(lattice, geometry["lower_apex"], geometry["upper_apex"])
    margin = lattice.layer_spacing / 2
    kinds = [site.kind_name for site in tips.sites]
    lower_base, upper_base = (np.array([kind == name for kind in kinds]) for name in base_kinds())
    built = int(gap.holds(np.array([site.position for site in tips.sites]), margin).sum())
    kept: list[Frame] = []
    contacts: list[Contact] = []
    steps, gaps = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = copy_dumps(segments, results["segments"], Path(folder))
        try:
            frames = read_trajectory(files, types=type_numbers(tips))
            for frame in frames:
                steps.append(frame.step)
                if frame.step % every:
                    gaps.append(gap_left(frame.positions, lower_base, upper_base))
                    continue
                kept.append(frame)
                inside = gap.holds(frame.positions, margin)
                contact = describe_contact(
                    frame.positions, lower_base, upper_base, in_gap=inside, atoms_in_gap_as_built=built
                )
                contacts.append(contact)
                gaps.append(contact.gap_left)
        except BrokenDump as error:
            return ExitCode(EXIT_BROKEN_DUMP, str(error))
    if not kept:
        return ExitCode(EXIT_BROKEN_DUMP, "; ".join(frames.broken) or "there is no frame")
    symbols = {kind.name: kind.symbol for kind in tips.kinds}
    snapshots = orm.TrajectoryData()
    snapshots.set_trajectory(
        symbols=[symbols[kind] for kind in kinds],
        positions=np.array([frame.positions for frame in kept]),
        stepids=np.array([frame.step for frame in kept]),
        pbc=(False, False, False),
    )
    snapshots.set_array("supercell", np.array([supercell_for(frame.positions, gap, junction) for frame in kept]))
    times = np.array([frame.step for frame in kept]) * md.timestep_fs / 1000
    frame_times = np.array(steps) * md.timestep_fs / 1000
    snapshots.set_array("time_ps", times)
    snapshots.set_array("voltage_v", np.array([md.schedule.at(float(time)) for time in times]))
    snapshots.set_array("charges", np.array([frame.charges for frame in kept]))
    for name in DESCRIPTORS:
        values = [getattr(contact, name) for contact in contacts]
        snapshots.set_array(name, np.array([np.nan if value is None else value for value in values]))
    snapshots.set_array("frame_time_ps", frame_times)
    snapshots.set_array("frame_gap_left", np.array(gaps))
    snapshots.base.attributes.set("stages", [str(contact.stage) for contact in contacts])
    connected = np.array(gaps) == 0
    long_enough = frame_times[-1] - frame_times[0] >= LASTING_PS
    lasting = first_contact_ps(frame_times, connected, lasting_ps=LASTING_PS) if long_enough else None
    first = first_contact_ps(frame_times, connected)
    contact_times = {"first_contact_ps": first, "lasting_contact_ps": lasting}
    snapshots.base.attributes.set_many({**contact_times, "left_out": frames.broken})
    return snapshots


def supercell_for(positions: NDArray[np.float64], gap: FlatGap, junction: orm.Dict) -> int:
    """Return the least supercell of the flat layers that holds the contact, 0 where none that is allowed does."""
    smallest = junction["supercell"]
    largest = junction.get_dict().get("largest_supercell", smallest)
    layers = {name: junction[name] for name in ("lower_layers", "upper_layers")}
    try:
        return smallest_supercell(positions, gap, junction["lattice_constant"], smallest, largest, **layers)
    except (AtomsOverlap, CellTooNarrow):
        return 0


def copy_dumps(
    segments: Mapping[str, orm.FolderData], of_each: list[Mapping[str, object]], folder: Path
) -> list[tuple[Path, int]]:
    """Copy the dumps of the jobs into a folder; return the files with the last step of each that counts."""
    files = []
    for name, segment in zip(sorted(segments), of_each, strict=True):
        path = folder / name
        copy_object(segments[name], str(segment["dump_file"]), path)
        files.append((path, int(str(segment["last_step"]))))
    return files
