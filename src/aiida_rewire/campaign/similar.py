"""What the database has of runs like those of a campaign: what they cost, and what need not run again."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_rewire.campaign.branches import CACHED_FROM
from aiida_rewire.database.attributes import CONDUCTANCE
from aiida_rewire.database.marks import CHAIN_PROCESS
from aiida_rewire.database.tables import CALLS, CREATE, Tables, flag, number, whole

MOST_JOBS = 100
MOST_LOOKED_AT, MOST_BATCHES = 1000, 20
"""Of a code's latest jobs at a time, and how often; those of other protocols are left out of them."""

INPUTS = ("input_calc", "input_work")
CALCULATION = "aiida.calculations:"
RESULTS = ("results", "output_parameters")
TIMES = ("scf_wall_s", "readback_wall_s", "pwcond_wall_s", "wall_time_s", "wall_time_seconds", "core_seconds")
OF_ONE_JOB = TIMES[:3]


@dataclass(frozen=True)
class Measured:
    """What similar jobs cost: the median of so many, core-seconds (of the dynamics for each atom and step)."""

    core_s: float
    jobs: int


@dataclass(frozen=True)
class Recent:
    """A job that finished well.

    Attributes
    ----------
    pk
        Of its node.
    cores
        That it held.
    values
        Times (s) and steps of its results, by name.
    """

    pk: int
    cores: int
    values: Mapping[str, float]


def codes_like(tables: Tables, full_label: str) -> list[int]:
    """Return the PKs of all codes of a label and computer (``pw@cluster``), hidden ones too."""
    from sqlalchemy import select

    label, _, computer = full_label.partition("@")
    nodes, computers = tables.nodes, tables.computers
    statement = (
        select(nodes.c.id)
        .join(computers, computers.c.id == nodes.c.dbcomputer_id)
        .where(nodes.c.label == label, computers.c.label == computer, nodes.c.node_type.like("data.core.code.%"))
    )
    return [row[0] for row in tables.rows(statement)]


def costs_like(tables: Tables, codes: Mapping[str, str], protocol: str) -> dict[str, Measured]:
    """Return what jobs of the same codes and protocol cost, by step: md, lead, scf, snapshot (one job), pwcond.

    Parameters
    ----------
    tables
        Of the profile.
    codes
        Labels with computers, by role: md, pw, pwcond.
    protocol
        Of the chains that the jobs belonged to.
    """
    found: dict[str, Measured] = {}
    of_role = {role: codes_like(tables, codes[role]) for role in ("md", "pw", "pwcond")}
    for plugin, role in (
        ("rewire.md", "md"),
        ("rewire.junction", "pw"),
        ("rewire.pw", "pw"),
        ("rewire.pwcond", "pwcond"),
    ):
        jobs = recent_jobs(tables, plugin, of_role[role])
        for step, those in by_step(tables, plugin, jobs, protocol).items():
            costs = list(md_costs(tables, those) if step == "md" else map(core_seconds, those))
            costs = [cost for cost in costs if cost > 0][:MOST_JOBS]
            if costs:
                found[step] = Measured(statistics.median(costs), len(costs))
    return found


def recent_jobs(tables: Tables, plugin: str, codes: Collection[int]) -> list[Recent]:
    """Return the latest jobs of a plugin with one of these codes that finished well, the latest first.

    Attributes of jobs are long: those of the latest thousand are read, and of more only where few of them are good.
    """
    from sqlalchemy import and_, select

    if not codes:
        return []
    links, job = tables.links, tables.nodes.alias("job")
    latest = (
        select(job.c.id)
        .join(links, and_(links.c.output_id == job.c.id, links.c.type == INPUTS[0], links.c.label == "code"))
        .where(links.c.input_id.in_(codes), job.c.process_type == f"{CALCULATION}{plugin}")
        .order_by(job.c.id.desc())
        .limit(MOST_BATCHES * MOST_LOOKED_AT)
    )
    pks = [row[0] for row in tables.rows(latest)]
    found: list[Recent] = []
    for start in range(0, len(pks), MOST_LOOKED_AT):
        found += good_jobs(tables, pks[start : start + MOST_LOOKED_AT])
        if len(found) >= MOST_JOBS:
            break
    return found


def good_jobs(tables: Tables, pks: Collection[int]) -> list[Recent]:
    """Return those of some jobs that finished well and were not taken from the cache, the latest first."""
    from sqlalchemy import and_, select

    links, attribute = tables.links, tables.attribute
    job, made, results = tables.nodes.alias("job"), links.alias("made"), tables.nodes.alias("results")
    names = (*TIMES, "first_step", "last_step")
    statement = (
        select(job.c.id, job.c.attributes["resources"].as_json())
        .add_columns(*(attribute(name, results) for name in names))
        .join(made, and_(made.c.input_id == job.c.id, made.c.type == CREATE, made.c.label.in_(RESULTS)))
        .join(results, results.c.id == made.c.output_id)
        .where(
            job.c.id.in_(pks),
            attribute("process_state", job) == "finished",
            attribute("exit_status", job) == "0",
            tables.extra_text(CACHED_FROM, job).is_(None),
        )
        .order_by(job.c.id.desc())
    )
    found = []
    for pk, resources, *told in tables.rows(statement):
        values = {name: value for name, text in zip(names, told, strict=True) if (value := number(text)) is not None}
        found.append(Recent(pk, cores_in(resources), values))
    return found


def cores_in(resources: Any) -> int:
    """Return how many cores a job asked for."""
    if not isinstance(resources, dict):
        return 1
    each = resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    return int(resources.get("tot_num_mpiprocs") or each)


def core_seconds(job: Recent) -> float:
    """Return what a job of the DFT cost, core-seconds; 0 where nobody knows."""
    parts = [job.values[name] for name in OF_ONE_JOB if name in job.values]
    wall = sum(parts) if parts else job.values.get("wall_time_seconds", 0.0)
    return job.cores * wall or job.values.get("core_seconds", 0.0)


def by_step(tables: Tables, plugin: str, jobs: Sequence[Recent], protocol: str) -> dict[str, list[Recent]]:
    """Return jobs below chains of a protocol, by their step."""
    branches = branches_of(tables, [job.pk for job in jobs], protocol)
    found: dict[str, list[Recent]] = defaultdict(list)
    for job in jobs:
        branch = branches.get(job.pk)
        if branch is not None:
            found[step_of(plugin, branch)].append(job)
    return found


def step_of(plugin: str, branch: str) -> str:
    """Return the step of a job from its plugin and the call link label below its chain."""
    if plugin == "rewire.pw":
        return "lead" if branch.startswith("lead") else "scf"
    return {"rewire.md": "md", "rewire.junction": "snapshot"}.get(plugin, "pwcond")


def branches_of(tables: Tables, jobs: Collection[int], protocol: str) -> dict[int, str]:
    """Return the branch of its chain that each job stands on, of those whose chain has this protocol."""
    from sqlalchemy import Text, and_, cast, literal, select

    if not jobs:
        return {}
    nodes, links = tables.nodes, tables.links
    above = (
        select(nodes.c.id, nodes.c.id.label("job"), cast(literal(""), Text).label("branch"))
        .where(nodes.c.id.in_(sorted(jobs)))
        .cte(recursive=True)
    )
    above = above.union(
        select(links.c.input_id, above.c.job, cast(links.c.label, Text))
        .join(above, above.c.id == links.c.output_id)
        .where(links.c.type.in_(CALLS))
    )
    given, labels = links.alias("given"), nodes.alias("labels")
    statement = (
        select(above.c.job, above.c.branch)
        .join(nodes, and_(nodes.c.id == above.c.id, nodes.c.process_type == CHAIN_PROCESS))
        .join(given, and_(given.c.output_id == nodes.c.id, given.c.label == "labels"))
        .join(labels, labels.c.id == given.c.input_id)
        .where(tables.attribute("protocol", labels) == protocol)
    )
    return {row[0]: row[1] for row in tables.rows(statement)}


def md_costs(tables: Tables, jobs: Sequence[Recent]) -> Iterator[float]:
    """Yield what jobs of the dynamics cost for each atom and step, core-seconds."""
    jobs = jobs[:MOST_JOBS]
    atoms = atoms_of(tables, [job.pk for job in jobs])
    for job in jobs:
        steps = job.values.get("last_step", 0.0) - job.values.get("first_step", 0.0)
        wall = job.values.get("wall_time_s", 0.0)
        if steps > 0 and atoms.get(job.pk):
            yield job.cores * wall / (steps * atoms[job.pk])


def atoms_of(tables: Tables, jobs: Collection[int]) -> dict[int, int]:
    """Return how many atoms the structures of jobs have, without reading those."""
    from sqlalchemy import and_, func, select

    nodes, links = tables.nodes, tables.links
    if tables.session.get_bind().dialect.name == "postgresql":
        length = func.jsonb_array_length(nodes.c.attributes["sites"])
    else:
        length = func.json_array_length(nodes.c.attributes, "$.sites")
    statement = (
        select(links.c.output_id, length)
        .join(nodes, nodes.c.id == links.c.input_id)
        .where(and_(links.c.output_id.in_(sorted(jobs)), links.c.label == "structure"))
    )
    return {row[0]: row[1] for row in tables.rows(statement)} if jobs else {}


def dynamics_there(tables: Tables, codes: Collection[int], force_field_md5: str) -> set[tuple[str, str]]:
    """Return the dynamics that finished and whose folders are there: conditions and tips, each as `canonical` says.

    Parameters
    ----------
    tables
        Of the profile.
    codes
        PKs.
    force_field_md5
        Of the file of the force field.
    """
    from sqlalchemy import and_, select

    if not codes:
        return set()
    nodes, links, attribute = tables.nodes, tables.links, tables.attribute
    job, conditions, force_field = (nodes.alias(name) for name in ("job", "conditions", "force_field"))
    structure, built, tips, folder = (links.alias(name) for name in ("structure", "built", "tips", "folder"))
    to_conditions, to_force_field = links.alias("to_conditions"), links.alias("to_force_field")
    keywords, remote = nodes.alias("keywords"), nodes.alias("remote")
    statement = (
        select(conditions.c.attributes, keywords.c.attributes, tables.extra_text("cleaned", remote))
        .select_from(links)
        .join(job, links.c.output_id == job.c.id)
        .join(to_conditions, and_(to_conditions.c.output_id == job.c.id, to_conditions.c.label == "parameters"))
        .join(conditions, conditions.c.id == to_conditions.c.input_id)
        .join(to_force_field, and_(to_force_field.c.output_id == job.c.id, to_force_field.c.label == "potential"))
        .join(force_field, force_field.c.id == to_force_field.c.input_id)
        .join(structure, and_(structure.c.output_id == job.c.id, structure.c.label == "structure"))
        .join(built, and_(built.c.output_id == structure.c.input_id, built.c.type == CREATE))
        .join(tips, and_(tips.c.output_id == built.c.input_id, tips.c.label == "parameters"))
        .join(keywords, keywords.c.id == tips.c.input_id)
        .join(folder, and_(folder.c.input_id == job.c.id, folder.c.label == "remote_folder"))
        .join(remote, remote.c.id == folder.c.output_id)
        .where(
            links.c.input_id.in_(codes),
            links.c.label == "code",
            job.c.process_type == f"{CALCULATION}rewire.md",
            attribute("process_state", job) == "finished",
            attribute("exit_status", job) == "0",
            attribute("md5", force_field) == force_field_md5,
        )
    )
    return {
        (canonical(given), canonical(built_with))
        for given, built_with, cleaned in tables.rows(statement)
        if not flag(cleaned)
    }


def canonical(values: Mapping[str, Any]) -> str:
    """Return values as text that is the same for 800 and 800.0, in any order."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(part) for part in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(plain(values), sort_keys=True)


def conductances_there(tables: Tables, campaign: str) -> dict[str, int]:
    """Return how many snapshots of each chain of a campaign have a conductance."""
    from sqlalchemy import func, select

    chain, snapshot = tables.attribute("chain"), tables.attribute("snapshot")
    statement = (
        select(chain, func.count(snapshot.distinct()))
        .where(tables.nodes.c.node_type == CONDUCTANCE, tables.attribute("campaign") == campaign)
        .group_by(chain)
    )
    return {name: whole(count) or 0 for name, count in tables.rows(statement) if name is not None}


def leads_used(tables: Tables, campaign: str) -> list[str]:
    """Return the UUIDs of the folders of leads that the jobs of a campaign took and that are there, the latest first.

    Parameters
    ----------
    tables
        Of the profile.
    campaign
        Label of the campaign.
    """
    from sqlalchemy import func, select

    nodes, links = tables.nodes, tables.links
    job = nodes.alias("job")
    taken = (
        select(links.c.input_id)
        .join(job, job.c.id == links.c.output_id)
        .where(
            links.c.type == INPUTS[0],
            links.c.label == "left_lead",
            # the pattern for the index, in which an underscore matches any character; then the label itself
            job.c.label.like(f"{campaign}/%"),
            func.substr(job.c.label, 1, len(campaign) + 1) == f"{campaign}/",
        )
        .distinct()
    )
    statement = (
        select(nodes.c.uuid, tables.extra_text("cleaned")).where(nodes.c.id.in_(taken)).order_by(nodes.c.id.desc())
    )
    return [str(uuid) for uuid, cleaned in tables.rows(statement) if not flag(cleaned)]
