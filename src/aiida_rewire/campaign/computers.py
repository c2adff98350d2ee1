"""Whether the jobs of a campaign fit the computers of its codes, and its chains the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.chains import STEPS
from aiida_rewire.campaign.slots import dft_jobs_at_once, jobs_at_once, slots_of_chain
from aiida_rewire.campaign.source import Place, Problem
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.campaign.wording import nearest, refusal
from aiida_rewire.database.standing import Standing, standing_of_profile

if TYPE_CHECKING:
    from aiida import orm

CODE_OF = {"md": "md", "lead": "pw", "scf": "pw", "readback": "pp", "pwcond": "pwcond"}
"""Step: its code."""

LIMITS = "rewire"
"""Property of a computer with what its keeper allows: ``{max_machines, max_walltime_h}``, each optional."""

LIMIT_NAMES = ("max_machines", "max_walltime_h")


def computer_problems(codes: Mapping[str, orm.AbstractCode]) -> Iterator[Problem]:
    """Yield what keeps the codes from being run, by this user or who runs a member's, or from each other's files."""
    from aiida import orm

    user = orm.User.collection.get_default()
    served = standing_of_profile() is not Standing.OWNER
    dft = {}
    for name, code in codes.items():
        place = ("codes", name)
        computer = code.computer
        if computer is None:
            yield refusal(place, repr(code.full_label), "on a computer", "take a code that is installed on one")
            continue
        if name != "md":
            dft[name] = computer.label
        if served:
            if not anybody_runs_on(computer):
                bound = "on a computer that the group's service is configured for"
                yield refusal(place, repr(code.full_label), bound, "ask the owner of the group's database")
        elif not computer.is_user_configured(user):
            way_out = f"`verdi computer configure {computer.transport_type} {computer.label}`"
            yield refusal(place, repr(code.full_label), f"on a computer that is configured for {user.email}", way_out)
        elif not computer.is_user_enabled(user):
            way_out = f"`verdi computer enable {computer.label} {user.email}`"
            yield refusal(place, repr(code.full_label), f"on a computer that is enabled for {user.email}", way_out)
    if len(set(dft.values())) > 1:
        where = ", ".join(f"{name} on {label}" for name, label in dft.items())
        yield refusal(("codes",), where, "on one computer", "two of them read what the first left there")


def anybody_runs_on(computer: orm.Computer) -> bool:
    """Whether a computer is configured and enabled for anybody."""
    from aiida import orm

    query = orm.QueryBuilder().append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    query.append(orm.AuthInfo, with_computer="computer", filters={"enabled": True}, project="id")
    return bool(query.count())


def resource_problems(codes: Mapping[str, orm.AbstractCode], values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield jobs that ask for more than their computer allows.

    Parameters
    ----------
    codes
        Those that are there.
    values
        Of the protocol, with all that the file says.
    """
    for step in STEPS:
        code = codes.get(CODE_OF[step])
        if code is None or code.computer is None:
            continue
        computer, options = code.computer, values[step]["options"]
        resources = options.get("resources", {})
        ranks = resources.get("num_mpiprocs_per_machine", 1)
        cores = computer.get_default_mpiprocs_per_machine()
        place: Place = ("resources", step, "ranks")
        allowed = f"the {cores} of a machine of {computer.label}"
        if cores is not None and ranks > cores:
            yield refusal(place, f"{ranks} ranks", f"at most {allowed}", "take more machines, or fewer ranks")
        elif step == "pwcond" and cores is not None and shards_beside(values) > cores:
            place, way_out = ("overrides", "pwcond", "shards_per_job"), f"set it to {cores}, or less"
            yield refusal(place, f"{shards_beside(values)} shards, each on a core", f"at most {allowed}", way_out)
        memory, largest = options.get("max_memory_kb"), computer.get_default_memory_per_machine()
        if memory is not None and largest is not None and memory > largest:
            bound = f"at most the {largest * 1024 / 1e9:.4g} GB of a machine of {computer.label}"
            yield refusal(("resources", step, "memory_gb"), f"{memory * 1024 / 1e9:.4g} GB", bound, "ask for less")
        yield from _beyond_the_keepers_limits(step, computer, options)


def _beyond_the_keepers_limits(step: str, computer: orm.Computer, options: Mapping[str, Any]) -> Iterator[Problem]:
    limits = computer.get_property(LIMITS, {})
    numbers = limits.values() if isinstance(limits, dict) else []
    if not isinstance(limits, dict) or not set(limits) <= set(LIMIT_NAMES) or not all(map(_is_number, numbers)):
        bound = f"numbers of {' and '.join(LIMIT_NAMES)}"
        where = f"property {LIMITS} of the computer {computer.label}"
        yield Problem(("codes", CODE_OF[step]), f"{where} = {limits!r}: must be {bound}; set it again")
        return
    asked = {
        "max_machines": ("machines", options.get("resources", {}).get("num_machines", 1), "machines"),
        "max_walltime_h": ("walltime_h", options.get("max_wallclock_seconds", 0) / 3600, "h"),
    }
    for limit, most in limits.items():
        name, wanted, unit = asked[limit]
        if wanted > most:
            bound = f"at most {most:g} {unit} on {computer.label}"
            yield refusal(("resources", step, name), f"{wanted:g} {unit}", bound, "ask for less")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def shards_beside(values: Mapping[str, Any]) -> int:
    """Return how many runs of pwcond.x stand side by side in a job at most, each on a core."""
    pwcond = values["pwcond"]
    return min(int(pwcond["max_shards"]), int(pwcond["shards_per_job"]))


def limit_problems(
    spec: CampaignSpec, codes: Mapping[str, orm.AbstractCode], values: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield limits of computers that are none of the campaign's, or below what one chain has at a time."""
    labels = {name: code.computer.label for name, code in codes.items() if code.computer is not None}
    if set(labels) != set(CODE_OF.values()):
        # one is missing, which is said elsewhere
        return
    needed = jobs_by_computer(labels["md"], labels["pw"], values)
    for computer, limit in spec.limits.active_jobs.items():
        place = ("limits", "active_jobs", computer)
        if computer not in labels.values():
            yield refusal(place, limit, "of a computer of the codes", nearest(computer, sorted(set(labels.values()))))
        elif limit < needed.get(computer, 0):
            bound = f"at least {needed[computer]}: so many jobs one chain has at a time"
            yield refusal(place, limit, bound, "raise it, or take fewer lanes")


def jobs_by_computer(md: str, dft: str, values: Mapping[str, Any]) -> dict[str, int]:
    """Return how many jobs a chain has at a time at most on the computers of dynamics and DFT."""
    if md == dft:
        return {md: jobs_at_once(values)}
    return {md: 1, dft: dft_jobs_at_once(values)}


def slot_problems(spec: CampaignSpec, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the number of chains if together they could take all slots of the daemon, and wait for ever.

    How many slots the daemon of a group's service has, its members cannot see; the controller keeps to them.
    """
    if standing_of_profile() is not Standing.OWNER:
        return
    workers, each = workers_and_slots()
    total, needed = workers * each, slots_of_chain(values)
    fitting = total // needed
    if spec.limits.active_chains <= fitting:
        return
    have = f"{needed} of the {total} slots ({workers} worker{'s' * (workers != 1)} x {each}) of the daemon"
    more = -(-spec.limits.active_chains * needed // each)
    start = f"start more workers, {more} in all, with `verdi daemon incr {more - workers}`"
    if fitting:
        bound = f"at most {fitting}: each holds up to {have}"
        yield refusal(("limits", "active_chains"), spec.limits.active_chains, bound, f"{start}, or lower it")
    else:
        bound = f"fewer: a chain holds up to {needed} slots, of {total} ({workers} x {each}) of the daemon"
        yield refusal(("snapshots", "lanes"), values["lanes"], bound, f"{start}, or take fewer lanes")


def workers_and_slots() -> tuple[int, int]:
    """Return how many workers the daemon has, or would have if it were started, and the slots of each."""
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_config_option, get_manager

    workers = int(get_config_option("daemon.default_workers"))
    try:
        client = get_manager().get_daemon_client()
        if client.is_daemon_running:
            workers = int(client.get_numprocesses()["numprocesses"])
    except (AiidaException, KeyError):
        # without a broker, or while the daemon stops: as many as it would start with
        pass
    return workers, int(get_config_option("daemon.worker_process_slots"))
