"""Contacts that were computed before in the same way, in one job each."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_rewire.calculations.junction import JunctionCalculation
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.labels import FINGERPRINT
from aiida_rewire.junction.fingerprint import same_contact
from aiida_rewire.workflows.functions.structures import filled_gap

FREE_INPUTS = frozenset(
    {"structure", "snapshots", "assembly", "labels", "left_lead", "lead_readback", "density_folder"}
)
"""Inputs of a job that do not say how it computes: where the junction comes from, and what is compared apart."""


def find_repeat(
    structure: orm.StructureData, lattice: orm.Dict, key: str, recipe: dict[str, str]
) -> tuple[ConductanceData, float] | None:
    """Return a conductance of the same contact, and how far their atoms are apart at the most (Å).

    Only what was computed itself is looked at, so that distances do not add up.

    Parameters
    ----------
    structure, lattice
        The scattering region, and the flat layers that it was assembled with.
    key
        The contact's fingerprint.
    recipe
        How it is to be computed, as `recipe_of_job` says.
    """
    query = orm.QueryBuilder()
    query.append(JunctionCalculation, tag="job")
    query.append(ConductanceData, with_incoming="job", filters={f"attributes.{FINGERPRINT}": key}, tag="conductance")
    query.add_projection("job", "*")
    query.add_projection("conductance", "*")
    # all at once: a query that is left in the middle keeps its lock on SQLite, and whoever writes fails
    for job, conductance in query.all():
        if recipe_of_job(job.inputs) != recipe:
            continue
        # equal flat layers are part of the recipe by way of the lead
        distance = same_contact(filled_gap(structure, lattice), filled_gap(job.inputs.structure, lattice))
        if distance is not None:
            return conductance, distance
    return None


def recipe_of_job(inputs: Any) -> dict[str, str]:
    """Return what decides a conductance but for the junction's atoms, in a form that compares."""
    recipe = {name: str(inputs[name].uuid) for name in ("code", "pp_code", "pwcond_code", "left_lead")}
    for name in ("kpoints", "potential_tolerance"):
        recipe[name] = inputs[name].base.caching.compute_hash()
    recipe["parameters"] = repr(_sorted(inputs["parameters"].get_dict()))
    recipe |= {f"pseudo {kind}": pseudo.md5 for kind, pseudo in dict(inputs["pseudos"]).items()}
    pwcond = dict(inputs["pwcond"])
    return recipe | {
        f"pwcond {name}": node.base.caching.compute_hash()
        for name, node in pwcond.items()
        if isinstance(node, orm.Data)
    }


def _sorted(value: Any) -> Any:
    return sorted((key, _sorted(part)) for key, part in value.items()) if isinstance(value, dict) else value
