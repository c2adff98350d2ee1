"""What the protocol of a campaign's chains refuses, with the place in the file that it comes from."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any

from aiida_rewire.bias.voltage import VoltageSchedule
from aiida_rewire.campaign.chains import SETS, STEPS, check_counts, common_values, name_of, ranks_in, values_with
from aiida_rewire.campaign.slots import jobs_of_snapshot
from aiida_rewire.campaign.source import Place, Problem, dotted, overlap, shown
from aiida_rewire.campaign.specification import CampaignSpec, EnergyRange
from aiida_rewire.campaign.wording import nearest, refusal
from aiida_rewire.errors import InvalidInput
from aiida_rewire.md.conditions import MdConditions
from aiida_rewire.transport.energies import check_fermi_energy, energy_range
from aiida_rewire.transport.parallel import check_ranks
from aiida_rewire.workflows.protocols import check_protocol

ROUNDS = 200
OVERRIDES = "overrides"
SHELL_OPTIONS = ("prepend_text", "append_text", "environment_variables_double_quotes")
"""Options of AiiDA whose text a shell would run; a campaign file holds none."""

PLACES: Mapping[str, Place] = {
    "steps": ("md", "production_ps"),
    "equilibration.steps": ("md", "equilibration_ps"),
    "production.bias": ("md", "bias"),
    "snapshot_interval_ps": ("snapshots", "interval_ps"),
    "lanes": ("snapshots", "lanes"),
    "energies": ("energies",),
    "ranks": ("resources", "pwcond", "ranks"),
    **{place[-1]: place for place in SETS if place[0] in ("tips", "md", "snapshots")},  # type: ignore[misc]
}
"""Where the file says what the protocol knows by another name; voltages and seeds are asked one by one."""


def chain_problems(spec: CampaignSpec, wrong: Collection[Place] = ()) -> tuple[list[Problem], CampaignSpec | None]:
    """Return all that keeps the chains of a campaign from being begun, and the campaign without that.

    What is refused is put back to the protocol's value, and the rest asked again, until nothing is refused. Voltages
    and seeds are left as they are. There is no such campaign where the protocol's values do not help either.

    Parameters
    ----------
    spec
        Of the campaign.
    wrong
        Places whose values stand in for others, of which nothing is said.
    """
    problems = [*_repetitions(spec, wrong), *_conflicts(spec), *_energy_problems(spec)]
    asked = _without(spec, [problem.place for problem in problems if problem.place[0] in (OVERRIDES, "energies")])
    good = False
    for _ in range(ROUNDS):
        problem = _first_common_refusal(asked)
        if problem is None:
            problems += _voltage_and_seed_problems(asked)
            good = True
            break
        problems.append(problem)
        mended = _without(asked, [problem.place])
        if mended == asked:
            break
        asked = mended
    said = [problem for problem in problems if not any(overlap(problem.place, place) for place in wrong)]
    return said, asked if good else None


def _repetitions(spec: CampaignSpec, wrong: Collection[Place]) -> Iterator[Problem]:
    """Yield voltages and seeds that are there before, be it in other words or under the same name."""
    for name, values in (("voltages", spec.md.voltages), ("seeds", spec.md.seeds)):
        first: dict[Hashable, int] = {}
        for position, value in enumerate(values):
            if ("md", name, position) in wrong:
                continue
            ways = (VoltageSchedule.of(value), name_of(value, 1)) if name == "voltages" else (value,)
            before = next((first[way] for way in ways if way in first), None)
            if before is not None:
                bound = f"given once, as {dotted(('md', name, before))}"
                yield refusal(("md", name, position), shown(value), bound, "each makes a chain")
            for way in ways:
                first.setdefault(way, position)


def _conflicts(spec: CampaignSpec) -> Iterator[Problem]:
    """Yield the overrides of what the file has a place for: one of its own, or one that is given."""
    leaves = dict(_leaves(spec.overrides, ()))
    values = spec.model_dump()
    for path, value in leaves.items():
        for place, targets in SETS.items():
            touched = any(target == path[: len(target)] for target in targets)
            # machines and ranks are two numbers of the scheduler's resources, which have more
            alone = place == ("md", "seeds") or (len(targets) == 1 and targets[0][-1] != "resources")
            if touched and (alone or _at(values, place) not in (None, [])):
                bound = f"left out, since {dotted(place)} is for it"
                yield refusal((OVERRIDES, *path), shown(value), bound, "say it there")
                break
        if len(path) > 1 and path[-2] == "options" and path[-1] in SHELL_OPTIONS:
            yield refusal((OVERRIDES, *path), shown(value), "left out: it runs in a shell", "set it in the code")


def _leaves(values: Mapping[str, Any], path: Place) -> Iterator[tuple[Place, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _energy_problems(spec: CampaignSpec) -> Iterator[Problem]:
    if spec.energies is None:
        return
    try:
        ranged = isinstance(spec.energies, EnergyRange)
        check_fermi_energy(energy_range(spec.energies.model_dump()) if ranged else spec.energies)  # type: ignore
    except InvalidInput as error:
        values = spec.model_dump()["energies"]
        yield refusal(("energies",), shown(values), error.bound, error.way_out)


def _first_common_refusal(spec: CampaignSpec) -> Problem | None:
    try:
        values = values_with(common_values(spec), 0.0, 1)
        for step in STEPS:
            check_counts(values[step]["options"])
        jobs_of_snapshot(values)
        check_ranks(ranks_in(values["pwcond"]["options"]), values["pwcond"]["shards_per_job"])
        check_protocol(values)
    except InvalidInput as error:
        return _placed(error, spec)
    return None


def _voltage_and_seed_problems(spec: CampaignSpec) -> list[Problem]:
    """Ask for each voltage and each seed; their bounds depend neither on each other nor on the tips."""
    common = common_values(spec)
    problems = []
    for name, values in (("voltages", spec.md.voltages), ("seeds", spec.md.seeds)):
        for position, value in enumerate(values):
            voltage, seed = (value, 1) if name == "voltages" else (0.0, value)
            try:
                MdConditions.from_mapping(values_with(common, voltage, seed)["production"])
            except InvalidInput as error:
                problems.append(refusal(("md", name, position), error.value, error.bound, error.way_out))
    return problems


def _placed(error: InvalidInput, spec: CampaignSpec) -> Problem:
    """Find the place in the file from which a refusal by the protocol comes."""
    if error.name == OVERRIDES:
        path = tuple(str(error.value).split("."))
        meant = nearest(path[-1], error.bound.rpartition(": ")[2].split(", "))
        return refusal((OVERRIDES, *path), shown(_at(spec.overrides, path)), error.bound, meant)
    if error.name.startswith(f"{OVERRIDES}."):
        return refusal(tuple(error.name.split(".")), error.value, error.bound, error.way_out)
    values = spec.model_dump()
    name = error.name.rpartition(".")[2]
    usual = PLACES.get(error.name, PLACES.get(name, ("protocol",)))
    candidates: list[Place] = [usual] if _at(values, usual) is not None and usual != ("protocol",) else []
    candidates += [(OVERRIDES, *path) for path, _ in _leaves(spec.overrides, ()) if path[-1] == name]
    said = str(error.value)
    given = {candidate: _at(values, candidate) for candidate in candidates}
    matching = [candidate for candidate, value in given.items() if str(value) in said or repr(value) in said]
    place = [*matching, *candidates, usual][0]
    if place == ("protocol",):
        return Problem(place, f"overrides: {error}")
    return refusal(place, error.value, error.bound, error.way_out)


def overridden(spec: CampaignSpec, words: Iterable[str]) -> Place:
    """Return the place of the overrides that ends with the first of some words that is a key of theirs.

    Parameters
    ----------
    spec
        Of the campaign.
    words
        The likeliest first.
    """
    paths = [path for path, _ in _leaves(spec.overrides, ())]
    for word in words:
        for path in paths:
            if word in path:
                return (OVERRIDES, *path[: path.index(word) + 1])
    return (OVERRIDES,)


def _at(values: Any, place: Place) -> Any:
    for part in place:
        if not isinstance(values, Mapping) or part not in values:
            return None
        values = values[part]
    return values


def _without(spec: CampaignSpec, places: list[Place]) -> CampaignSpec:
    """Return a specification with the protocol's values at some places."""
    values = spec.model_dump()
    for place in places:
        *above, last = place
        owner = values
        for part in above:
            owner = owner.get(str(part), {}) if isinstance(owner, dict) else {}
        if isinstance(owner, dict) and last in owner and place[0] != "protocol":
            if place[0] == OVERRIDES:
                del owner[last]
            else:
                owner[last] = None
    return CampaignSpec.model_validate(values)
