"""What the inputs of a pwcond.x calculation must be, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from aiida import orm
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_rewire.calculations.parents import check_there, parent_run
from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.energies import check_energies, check_fermi_energy, energy_range
from aiida_rewire.transport.lateral_mesh import one_behind_the_other, reduce_mesh
from aiida_rewire.transport.parents import ParentRun, check_parents, check_region, check_whole
from aiida_rewire.transport.pwcond_input import check_parameters
from aiida_rewire.transport.shards import Shard, split_grid

LOOSEST_UNITARITY = 0.1
WEIGHT_TOLERANCE = 1e-6

SPINS = {"up": 1, "down": 2}
"""Value of ``iofspin`` by the name of the spin."""

BOUNDARIES = ("bdl", "bds", "bdr")

PARENTS = ("left_lead", "junction", "right_lead", "whole")


def to_energies(value: Any) -> Any:
    """Make a node of energies: a list, an array, or a range ``{start, stop, step}`` that holds both ends."""
    if isinstance(value, Mapping) and set(value) == {"start", "stop", "step"}:
        value = energy_range(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return orm.to_aiida_type(value)


def to_kpoints(value: Any) -> Any:
    """Make a node of lateral k-points.

    Parameters
    ----------
    value
        A list or an array of (kx, ky, weight), or a mapping ``{mesh: [n1, n2], offset: [o1, o2]}``, the offset in
        steps of the mesh; a node is left as it is.

    Raises
    ------
    InvalidInput
        If it is none of these.
    """
    if isinstance(value, orm.KpointsData):
        return value
    bound = "a list of [kx, ky, weight], or {mesh: [n1, n2], offset: [o1, o2]}"
    kpoints = orm.KpointsData()
    try:
        if isinstance(value, Mapping):
            if not {"mesh"} <= set(value) <= {"mesh", "offset"}:
                raise InvalidInput("kpoints", dict(value), bound, "correct the keys")
            kpoints.set_kpoints_mesh([*value["mesh"], 1], offset=[*value.get("offset", [0.0, 0.0]), 0.0])
        else:
            points = np.array(value, dtype=float).reshape(-1, 3)
            lateral = np.column_stack([points[:, :2], np.zeros(len(points))])
            kpoints.set_kpoints(lateral, weights=points[:, 2])
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("kpoints", value, bound, str(error)) from error
    return kpoints


def validate_parameters(node: orm.Dict | None, _: object) -> str | None:
    """Refuse keys that pwcond.x does not know or that the plugin sets, by name."""
    try:
        check_parameters(node.get_dict() if node else {})
    except InvalidInput as error:
        return str(error)
    return None


def validate_kpoints(node: orm.KpointsData | None, _: object) -> str | None:
    """Ask for a lateral mesh, or a list of lateral k-points with positive weights that sum to one."""
    if node is None:
        return None
    try:
        mesh, offset = node.get_kpoints_mesh()
    except AttributeError:
        return _refused_list(node)
    if mesh[2] != 1 or offset[2] != 0:
        bound = "lateral: 1 along z, without an offset"
        return str(InvalidInput("kpoints", f"mesh {mesh}, offset {offset}", bound, "the third axis is the current's"))
    return None


def _refused_list(node: orm.KpointsData) -> str | None:
    try:
        kpoints, weights = _listed(node)
    except InvalidInput as error:
        return str(error)
    if not len(kpoints) or not np.isfinite(kpoints).all():
        return str(InvalidInput("kpoints", kpoints.tolist(), "finite, one at least", "correct the list"))
    if np.abs(kpoints[:, 2]).max() > 0:
        return str(InvalidInput("kpoints", "kz other than 0", "lateral: kz = 0", "the third axis is the current's"))
    if not (weights > 0).all():
        return str(InvalidInput("kpoints", f"weights {weights.tolist()}", "positive", "correct the weights"))
    if not abs(weights.sum() - 1) <= WEIGHT_TOLERANCE:
        return str(
            InvalidInput(
                "kpoints",
                f"weights that sum to {weights.sum():g}",
                "weights that sum to 1",
                "divide them by their sum",
            )
        )
    return None


def _listed(node: orm.KpointsData) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        kpoints, weights = node.get_kpoints(also_weights=True)
    except (AttributeError, KeyError) as error:
        raise InvalidInput(
            "kpoints", "no list with weights", "a list or a mesh", "set_kpoints with weights"
        ) from error
    return np.asarray(kpoints, dtype=float).reshape(-1, 3), np.asarray(weights, dtype=float)


def validate_energies(node: orm.List | None, _: object) -> str | None:
    """Ask for at least one finite energy, none twice."""
    return _refused_energies(check_energies, node)


def validate_fermi_energy(node: orm.List | None, _: object) -> str | None:
    """Ask for the Fermi energy among the energies: the conductance is the transmission there."""
    return _refused_energies(check_fermi_energy, node)


def _refused_energies(check: Callable[[list[object]], None], node: orm.List | None) -> str | None:
    try:
        check([] if node is None else node.get_list())
    except InvalidInput as error:
        return str(error)
    return None


def validate_tolerance(node: orm.Float | None, _: object) -> str | None:
    """Ask for a tolerance with which the gate is one."""
    if node is not None and not 0 < node.value <= LOOSEST_UNITARITY:
        bound = f"above 0 and at most {LOOSEST_UNITARITY}"
        return str(InvalidInput("unitarity_tolerance", node.value, bound, "1e-3 is usual"))
    return None


def validate_spin(node: orm.Str | None, _: object) -> str | None:
    """Ask for one of the two spins."""
    if node is not None and node.value not in SPINS:
        return str(InvalidInput("spin", node.value, f"one of {', '.join(SPINS)}", "correct it"))
    return None


def validate_boundaries(node: orm.Dict | None, _: object) -> str | None:
    """Ask for boundaries in ascending order."""
    values = node.get_dict() if node else {}
    if set(values) - set(BOUNDARIES):
        return str(InvalidInput("boundaries", sorted(values), f"among {', '.join(BOUNDARIES)}", "correct the keys"))
    numbers = [values[key] for key in BOUNDARIES if key in values]
    if not all(isinstance(x, (int, float)) and np.isfinite(x) and x > 0 for x in numbers):
        return str(InvalidInput("boundaries", values, "positive numbers, in units of alat", "correct them"))
    return None


def validate_shards(node: orm.List | None, _: object) -> str | None:
    """Ask for rectangles of the grid that share no point."""
    if node is None:
        return None
    try:
        shards = [Shard.from_list(entry) for entry in node.get_list()]
    except (TypeError, ValueError) as error:
        return f"shards: {error}"
    seen: set[tuple[int, int]] = set()
    for shard in shards:
        if seen & shard.pairs:
            return str(InvalidInput("shards", node.get_list(), "free of double coverage", "separate the bounds"))
        seen |= shard.pairs
    return None if shards else str(InvalidInput("shards", "none", "one at least", "leave the input out"))


def given_parents(inputs: Any) -> dict[str, orm.RemoteData]:
    """Return the folders of the parents that are among the inputs, by the name of the input."""
    return {name: inputs[name] for name in PARENTS if name in inputs}


def scattering_kind(inputs: Any) -> int:
    """Return ``ikind``: 0 for complex bands, 1 for equal leads, 2 for two different ones."""
    if "whole" in inputs:
        return 2 if "bdr" in inputs["boundaries"].get_dict() else 1
    return sum(name in inputs for name in ("junction", "right_lead"))


def refuse_combination(inputs: Mapping[str, Any]) -> str | None:
    """Return why these parents cannot stand together, if they cannot."""
    has = {name: name in inputs for name in (*PARENTS, "boundaries")}
    if has["whole"] == has["left_lead"] or (has["whole"] and (has["junction"] or has["right_lead"])):
        names = ", ".join(given_parents(inputs)) or "none"
        bound = "left_lead with junction and right_lead if wanted, or whole alone"
        return str(InvalidInput("parents", names, bound, "see the help of the inputs"))
    if has["right_lead"] and not has["junction"]:
        return str(InvalidInput("right_lead", "given", "given with a junction", "add the junction or leave it out"))
    if has["whole"]:
        keys = set(inputs["boundaries"].get_dict()) if has["boundaries"] else set()
        if not {"bdl", "bds"} <= keys:
            bound = "bdl and bds, with unequal leads bdr as well"
            return str(InvalidInput("boundaries", sorted(keys), bound, "they cut the cell of whole"))
    return None


def refuse_parents(inputs: Mapping[str, Any]) -> str | None:
    """Return why pwcond.x must not join the parents, if it must not."""
    refusal = refuse_combination(inputs)
    if refusal:
        return refusal
    parents = given_parents(inputs)
    if len({remote.computer.pk for remote in parents.values()}) > 1:
        computers = ", ".join(f"{name} on {remote.computer.label}" for name, remote in parents.items())
        return str(InvalidInput("parents", computers, "on one computer", "run all SCF there"))
    code = inputs.get("code")
    if isinstance(code, orm.InstalledCode) and code.computer.pk != next(iter(parents.values())).computer.pk:
        return str(InvalidInput("code", code.full_label, "on the computer of the parents", "run the SCF there"))
    try:
        for name, remote in parents.items():
            check_there(name, remote)
        runs = {name: parent_run(name, remote) for name, remote in parents.items()}
        _check(runs, inputs)
    except InvalidInput as error:
        return str(error)
    return None


def _check(runs: dict[str, ParentRun], inputs: Mapping[str, Any]) -> None:
    if "whole" in runs:
        boundaries = inputs["boundaries"].get_dict()
        check_whole(runs["whole"], [boundaries[key] for key in BOUNDARIES if key in boundaries])
    elif "junction" in runs:
        boundaries = inputs["boundaries"].get_dict() if "boundaries" in inputs else None
        check_parents(runs["left_lead"], runs["junction"], runs.get("right_lead"), boundaries=boundaries)
    else:
        check_region(runs["left_lead"])
    polarised = any(run.lsda for run in runs.values())
    if polarised != ("spin" in inputs):
        found = "given" if "spin" in inputs else "not given"
        bound = "given: the SCF runs are spin-polarised" if polarised else "left out: the SCF runs are not polarised"
        raise InvalidInput("spin", found, bound, "one calculation computes one spin")


@dataclass(frozen=True)
class Grid:
    """The (energy, k) pairs of a calculation.

    Attributes
    ----------
    energies
        eV from E_F, descending, shape (E,).
    kpoints
        Lateral, crystal coordinates, shape (k, 2).
    weights
        Shape (k,).
    shards
        Rectangles of pairs that are computed, each in a run of its own.
    """

    energies: NDArray[np.float64]
    kpoints: NDArray[np.float64]
    weights: NDArray[np.float64]
    shards: tuple[Shard, ...]

    @property
    def wanted(self) -> set[tuple[int, int]]:
        """The (energy, k) pairs that the shards hold."""
        return set().union(*(shard.pairs for shard in self.shards))


def descending(energies: Iterable[float]) -> NDArray[np.float64]:
    """Sort energies as pwcond.x wants them: it builds its two-dimensional basis at the first."""
    return np.sort(np.asarray(list(energies), dtype=float))[::-1]


Crystal = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Cell (Å, shape (3, 3)), positions (Å, shape (n, 3)) and atomic numbers."""


def crystal_of(region: ParentRun) -> Crystal:
    """Return the crystal of a region that pw.x ran."""
    return region.cell, region.positions, np.array([atomic_numbers[element] for element in region.elements])


def lateral_kpoints(
    node: orm.KpointsData, crystals: Callable[[], tuple[Crystal, Crystal]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lateral k-points (crystal coordinates, shape (n, 2)) and their weights.

    A mesh is reduced by time reversal and by the symmetry that lead and junction share; only for that are their
    crystals looked up.

    Raises
    ------
    InvalidInput
        If the node holds neither a mesh nor a list with weights.
    """
    try:
        mesh, offset = node.get_kpoints_mesh()
    except AttributeError:
        kpoints, weights = _listed(node)
        return kpoints[:, :2], weights
    lead, junction = crystals()
    return reduce_mesh((mesh[0], mesh[1]), (offset[0], offset[1]), lead=lead, junction=junction)


def _lead_and_junction(inputs: Any) -> tuple[Crystal, Crystal]:
    """Return the crystal of the leads, both together where they differ, and that of the junction."""
    crystals = {name: crystal_of(parent_run(name, remote)) for name, remote in given_parents(inputs).items()}
    first, *others = crystals.values()
    if "right_lead" in crystals:
        # what maps both leads, one behind the other, onto themselves maps each
        return one_behind_the_other(first, crystals["right_lead"]), crystals["junction"]
    return first, others[-1] if others else first


def grid_of(inputs: Any) -> Grid:
    """Return the grid of a calculation from its inputs (of a process or of its node).

    Raises
    ------
    InvalidInput
        If a shard lies outside the grid, or the k-points are none.
    """
    energies = descending(inputs["energies"].get_list())
    kpoints, weights = lateral_kpoints(inputs["kpoints"], partial(_lead_and_junction, inputs))
    if "shards" not in inputs:
        return Grid(energies, kpoints, weights, split_grid(len(energies), len(weights), 1))
    shards = tuple(Shard.from_list(entry) for entry in inputs["shards"].get_list())
    for shard in shards:
        if shard.last_energy >= len(energies) or shard.last_kpoint >= len(weights):
            bound = f"within {len(weights)} k-points and {len(energies)} energies"
            raise InvalidInput("shards", shard.as_list(), bound, "correct the bounds, counted from 0")
    return Grid(energies, kpoints, weights, shards)
