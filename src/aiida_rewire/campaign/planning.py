"""A campaign before it is submitted: jobs, reuse, cost, disks, slots and time; nothing is stored."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_rewire.campaign import expected
from aiida_rewire.campaign.amending import changes_between
from aiida_rewire.campaign.chains import Chain, chains_of
from aiida_rewire.campaign.checks import load_role
from aiida_rewire.campaign.computers import jobs_by_computer, shards_beside, workers_and_slots
from aiida_rewire.campaign.expected import Disk
from aiida_rewire.campaign.ingredients import load_force_field, load_pseudo
from aiida_rewire.campaign.launching import computer_of
from aiida_rewire.campaign.record import UnknownCampaign, find_campaign, is_recorded, spec_of
from aiida_rewire.campaign.scratch_facts import outcomes_of
from aiida_rewire.campaign.similar import (
    Measured,
    canonical,
    codes_like,
    conductances_there,
    costs_like,
    dynamics_there,
    leads_used,
)
from aiida_rewire.campaign.slots import lanes_in, leads_in, slots_of_chain, snapshots_in
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.database.tables import Tables, profile_tables

STAGES = ("equilibration", "production")
NEW = "new"
STATES = {"live": "running", "ready": "to be tried again"}
"""What becomes of a chain, where another word says it better."""

RESERVE_S, SHARE = 300.0, 0.9
"""A job of the dynamics ends that long before its wall time, or with this share of it if that is later."""

OPTIONS_OF = {"equilibration": "md", "production": "md", "lead readback": "readback", "snapshot": "scf"}
"""Section of the protocol with what the jobs of a step ask for, where it is not of the step's name."""

MEASURED, ESTIMATE = "measured", "estimate"


@dataclass(frozen=True)
class Step:
    """All jobs of a kind that a campaign has left.

    Attributes
    ----------
    name
        equilibration, production, lead, lead readback, snapshot; or scf, readback, pwcond.
    jobs
        How many, at the most.
    cores
        Of each.
    core_s
        Of each, core-seconds.
    source
        ``measured`` or ``estimate``.
    similar
        How many jobs were measured.
    in_turn
        How many of them a run takes, one after another.
    """

    name: str
    jobs: int
    cores: int
    core_s: float
    source: str
    similar: int = 0
    in_turn: int = 1

    @property
    def core_hours(self) -> float:
        """Of all its jobs."""
        return self.jobs * self.core_s / 3600

    @property
    def wall_s(self) -> float:
        """Of each job, s."""
        return self.core_s / self.cores


@dataclass(frozen=True)
class Left:
    """What is left of a campaign.

    Attributes
    ----------
    states
        How many chains are in which state.
    equilibrations, productions
        Still to be run, those left out that are found in the database.
    leads
        Still to be computed, at the most.
    snapshots
        Still to be computed, of each chain that is not over.
    dynamics_found, leads_found
        What is found in the database.
    """

    states: Mapping[str, int]
    equilibrations: int
    productions: int
    leads: int
    snapshots: Sequence[int]
    dynamics_found: Mapping[str, int]
    leads_found: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """A campaign before it is submitted.

    Attributes
    ----------
    label, chains, snapshots
        Its label, and how many it has in all.
    left
        What is left of it.
    steps
        Jobs that are left.
    most_core_hours
        Of all that is left if each job takes its whole wall time, once; None if one has no limit.
    disk
        Of what is left, bytes.
    slots_of_each, slots_there, active
        Slots of the daemon that a chain holds, and that there are; chains at a time within all limits.
    jobs_at_once, limits
        By computer: jobs at a time of all active chains, and the file's limits.
    chain_s, end_s
        Longest chain, and the campaign, without waiting in queues, s.
    notes
        What else there is to know.
    """

    label: str
    chains: int
    snapshots: int
    left: Left
    steps: Sequence[Step]
    most_core_hours: float | None
    disk: Disk
    slots_of_each: int
    slots_there: int
    active: int
    jobs_at_once: Mapping[str, int]
    limits: Mapping[str, int]
    chain_s: float
    end_s: float
    notes: Sequence[str]

    @property
    def core_hours(self) -> float:
        """Of all that is left."""
        return sum(step.core_hours for step in self.steps)


def plan_campaign(spec: CampaignSpec) -> Plan:
    """Return what a campaign comes to; codes and all else it names have to be there.

    The database is asked as many questions for ten thousand snapshots as for ten.
    """
    chains = chains_of(spec)
    values = chains[0].values
    pseudo = load_pseudo(spec.pseudo_family)
    tables = profile_tables()
    left, notes = what_is_left(spec, chains, pseudo, tables)
    steps = steps_left(
        values, left, float(pseudo.z_valence), costs_like(tables, spec.codes.model_dump(), spec.protocol)
    )
    md, dft = (computer_of(code) for code in (spec.codes.md, spec.codes.pw))
    each = jobs_by_computer(md, dft, values)
    workers, per_worker = workers_and_slots()
    slots_each, there = slots_of_chain(values), workers * per_worker
    fitting = [
        spec.limits.active_jobs[name] // jobs for name, jobs in each.items() if name in spec.limits.active_jobs
    ]
    over = left.states.get("finished", 0) + left.states.get("failed", 0)
    active = max(1, min(spec.limits.active_chains, there // slots_each, len(chains) - over, *fitting))
    walls = [chain_wall_s(values, steps, snapshots) for snapshots in left.snapshots]
    return Plan(
        label=spec.label,
        chains=len(chains),
        snapshots=len(chains) * snapshots_in(values),
        left=left,
        steps=steps,
        most_core_hours=most_core_hours(values, steps),
        disk=disk_left(values, left, float(pseudo.z_valence)),
        slots_of_each=slots_each,
        slots_there=there,
        active=active,
        jobs_at_once={name: active * jobs for name, jobs in each.items()},
        limits=spec.limits.active_jobs,
        chain_s=max(walls, default=0.0),
        end_s=max(max(walls, default=0.0), sum(walls) / active),
        notes=notes,
    )


def what_is_left(spec: CampaignSpec, chains: Sequence[Chain], pseudo: Any, tables: Tables) -> tuple[Left, list[str]]:
    """Return what is left of a campaign, and what else there is to know.

    Parameters
    ----------
    spec, chains
        The campaign.
    pseudo
        Of silver.
    tables
        Of the profile.
    """
    outcomes, notes = recorded_outcomes(spec)
    done = conductances_there(tables, spec.label) if outcomes else {}
    states = Counter(STATES.get(outcomes.get(chain.name, ""), outcomes.get(chain.name, NEW)) for chain in chains)
    open_chains = [chain for chain in chains if outcomes.get(chain.name) not in ("finished", "failed")]
    values = chains[0].values
    moving = [chain for chain in open_chains if not done.get(chain.name)]
    found = found_dynamics(spec, moving, tables) if values["reuse"]["dynamics"] else dict.fromkeys(STAGES, 0)
    leads = found_leads(spec, pseudo, values, tables) if values["reuse"]["leads"] else []
    # of a chain that has conductances the leads are there as well
    wanted = leads_in(values) * (min(1, len(moving)) if values["reuse"]["leads"] else len(moving))
    return Left(
        states=states,
        equilibrations=len(moving) - found["equilibration"],
        productions=len(moving) - found["production"],
        leads=max(0, wanted - len(leads)),
        snapshots=[max(0, snapshots_in(chain.values) - done.get(chain.name, 0)) for chain in open_chains],
        dynamics_found=found,
        leads_found=leads,
    ), notes


def recorded_outcomes(spec: CampaignSpec) -> tuple[dict[str, str], list[str]]:
    """Return what became of the chains of a campaign that is recorded already, by name, and how its file differs."""
    try:
        group = find_campaign(spec.label)
    except UnknownCampaign:
        return {}, []
    changes = changes_between(spec_of(group), spec)
    notes = [f"the campaign is recorded from a file that says something else; {changes.text()}"] if changes else []
    return {chain: str(outcome) for chain, outcome in outcomes_of(group).items()}, notes


def found_leads(spec: CampaignSpec, pseudo: Any, values: Mapping[str, Any], tables: Tables) -> list[str]:
    """Return the UUIDs of the folders of leads that are there.

    Where a campaign that is recorded just so has a single lead, its own jobs tell which that is.
    """
    if leads_in(values) == 1 and is_recorded(spec):
        used = leads_used(tables, spec.label)
        if used:
            return used[:1]
    from aiida.plugins import WorkflowFactory

    found: list[str] = WorkflowFactory("rewire.chain").leads_there(
        {"pw": load_role(spec, "pw", values)}, pseudo, values
    )
    return found


def found_dynamics(spec: CampaignSpec, chains: Sequence[Chain], tables: Tables) -> dict[str, int]:
    """Return of how many chains the equilibration, and also the production, is found in the database."""
    there = dynamics_there(tables, codes_like(tables, spec.codes.md), force_field_md5(spec))
    found = dict.fromkeys(STAGES, 0)
    for chain in chains:
        tips = canonical(chain.values["tips"])
        for stage in STAGES:
            if (canonical(chain.values[stage]), tips) not in there:
                # a production goes on from its own equilibration
                break
            found[stage] += 1
    return found


def force_field_md5(spec: CampaignSpec) -> str:
    """Return the MD5 of the force field's file, by which AiiDA knows it."""
    node = load_force_field(spec.force_field)
    if node is not None:
        return str(node.base.attributes.get("md5"))
    from aiida_rewire.md.reaxff import force_field_text, silver_parameters

    return hashlib.md5(force_field_text(silver_parameters()).encode(), usedforsecurity=False).hexdigest()


def steps_left(values: Mapping[str, Any], left: Left, valence: float, measured: Mapping[str, Measured]) -> list[Step]:
    """Return the jobs that are left, with what each costs.

    Parameters
    ----------
    values
        Of the protocol.
    left
        What is left.
    valence
        Electrons of an atom.
    measured
        What similar jobs cost.
    """

    def step(name: str, jobs: int, cores: int, estimate: float, key: str, unit: float = 1.0) -> Step:
        known = measured.get(key)
        if known is None:
            return Step(name, jobs, cores, estimate, ESTIMATE)
        return Step(name, jobs, cores, known.core_s * unit, MEASURED, known.jobs)

    options = {name: values[name]["options"] for name in ("md", "lead", "scf", "readback", "pwcond")}
    cores = {name: expected.cores_of(options[name]) for name in options}
    steps = []
    for stage, runs in zip(STAGES, (left.equilibrations, left.productions), strict=True):
        atom_steps = float(expected.atoms_of_tips(values) * values[stage]["steps"])
        whole = step(
            stage, 1, cores["md"], atom_steps * expected.md_core_s_per_atom_step(cores["md"]), "md", atom_steps
        )
        parts = segments_of(whole.wall_s, options["md"].get("max_wallclock_seconds"))
        steps.append(Step(stage, runs * parts, whole.cores, whole.core_s / parts, whole.source, whole.similar, parts))
    narrowest = values["junction"]["supercell"]
    lead, region = expected.lead_of(values, narrowest), expected.junction_of(values)
    lead_s = expected.lead_core_s(values, valence, narrowest)
    steps.append(step("lead", left.leads, cores["lead"], lead_s, "lead"))
    readback_s = expected.readback_core_s(values, valence, lead) * cores["readback"]
    steps.append(step("lead readback", left.leads, cores["readback"], readback_s, "readback"))
    snapshots = sum(left.snapshots)
    scf_s, pwcond_s = (
        expected.scf_core_s(values["scf"], "scf", valence, region),
        expected.pwcond_core_s(values, valence),
    )
    readback_s = expected.readback_core_s(values, valence, region)
    if values["one_job"]:
        shards = min(values["pwcond"]["max_shards"], expected.transmission_points(values), cores["scf"])
        # all cores are paid for, whatever part runs on them
        wall = scf_s / cores["scf"] + readback_s + pwcond_s / shards
        steps.append(step("snapshot", snapshots, cores["scf"], wall * cores["scf"], "snapshot"))
        return steps
    jobs = pwcond_jobs(values)
    beside = max(cores["pwcond"], min(shards_beside(values), expected.transmission_points(values)))
    steps.append(step("scf", snapshots, cores["scf"], scf_s, "scf"))
    steps.append(step("readback", snapshots, cores["readback"], readback_s * cores["readback"], "readback"))
    steps.append(step("pwcond", snapshots * jobs, beside, pwcond_s / jobs, "pwcond"))
    return steps


def pwcond_jobs(values: Mapping[str, Any]) -> int:
    """Return how many jobs of pwcond.x a snapshot has in separate jobs."""
    pwcond = values["pwcond"]
    shards = min(pwcond["max_shards"], expected.transmission_points(values))
    jobs: int = math.ceil(shards / pwcond["shards_per_job"])
    return jobs


def most_core_hours(values: Mapping[str, Any], steps: Sequence[Step]) -> float | None:
    """Return what jobs cost that all take their whole wall time; None if one has no limit."""
    limits = [values[OPTIONS_OF.get(step.name, step.name)]["options"].get("max_wallclock_seconds") for step in steps]
    if None in limits:
        return None
    return float(sum(step.jobs * step.cores * limit / 3600 for step, limit in zip(steps, limits, strict=True)))


def segments_of(wall_s: float, limit_s: float | None) -> int:
    """Return how many jobs a dynamics takes that would run so long, at a wall time of each; s."""
    if limit_s is None:
        return 1
    return max(1, math.ceil(wall_s / max(limit_s - RESERVE_S, SHARE * limit_s)))


def chain_wall_s(values: Mapping[str, Any], steps: Sequence[Step], snapshots: int) -> float:
    """Return how long a chain takes with so many snapshots left, queues aside, s."""
    named = {step.name: step for step in steps}
    dynamics = 0.0
    if snapshots == snapshots_in(values):
        dynamics = sum(named[stage].wall_s * named[stage].in_turn for stage in STAGES if named[stage].jobs)
        dynamics = max(dynamics, named["lead"].wall_s + named["lead readback"].wall_s)
    each = sum(named[name].wall_s for name in ("snapshot", "scf", "readback", "pwcond") if name in named)
    return dynamics + math.ceil(snapshots / lanes_in(values)) * each


def disk_left(values: Mapping[str, Any], left: Left, valence: float) -> Disk:
    """Return what the jobs that are left will leave on disks."""
    lead = expected.lead_of(values, values["junction"]["supercell"])
    jobs = 1 if values["one_job"] else 2 + pwcond_jobs(values)
    md = expected.md_disk(values, expected.atoms_of_tips(values)).times(left.productions)
    leads = expected.scf_disk(values["lead"], valence, lead, wavefunctions=True).times(left.leads)
    return md + leads + expected.snapshot_disk(values, valence, jobs).times(sum(left.snapshots))
