"""A campaign against the database: whether all that it names is there, allowed, and taken by the chain."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.chains import chains_of
from aiida_rewire.campaign.computers import computer_problems, limit_problems, resource_problems, slot_problems
from aiida_rewire.campaign.ingredients import (
    MD_PLUGIN,
    Unsuitable,
    load_code,
    load_force_field,
    load_md_code,
    load_pseudo,
)
from aiida_rewire.campaign.refusals import overridden
from aiida_rewire.campaign.source import Place, Problem, Source, dotted, overlap, parse
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.campaign.wording import refusal
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

PLUGINS = {
    "md": (MD_PLUGIN,),
    "pw": ("rewire.pw", "quantumespresso.pw"),
    "pp": ("rewire.readback", "quantumespresso.pp"),
    "pwcond": ("rewire.pwcond",),
}
"""Plugins of which one must be a code's own, the best first."""

BUILDER_REFUSES = "invalid attribute value "
"""How AiiDA begins when the value of an input is refused."""


def check_campaign(spec: CampaignSpec, source: str = "", *, name: str = "campaign") -> list[str]:
    """Return all that keeps a campaign from being run in the profile that is loaded; nothing if it can be.

    Parameters
    ----------
    spec
        Of the campaign.
    source
        Text of its file, for lines.
    name
        Of the file, for messages.

    Returns
    -------
    list
        A line for each error: ``FILE:LINE: field.path = value: must be bound; way out``.
    """
    place = parse(source, name) if source else Source(name, {})
    return place.messages(database_problems(spec))


def database_problems(spec: CampaignSpec, wrong: Collection[Place] = (), *, submitted: bool = False) -> list[Problem]:
    """Return what `check_campaign` does, with places.

    Parameters
    ----------
    spec
        Of the campaign.
    wrong
        Places whose values stand in for others, of which nothing is said.
    submitted
        Whether the campaign is recorded just so: its chains' work chain was asked then, and is not asked again.
    """
    values = chains_of(spec)[0].values
    problems: list[Problem] = []
    codes = {}
    for role in PLUGINS:
        try:
            codes[role] = load_role(spec, role, values)
        except Unsuitable as error:
            problems.append(_code_problem(role, error))
    problems += computer_problems(codes)
    problems += resource_problems(codes, values)
    problems += limit_problems(spec, codes, values)
    problems += slot_problems(spec, values)
    pseudo = potential = None
    try:
        pseudo = load_pseudo(spec.pseudo_family)
    except Unsuitable as error:
        way_out = _nearest_family(spec.pseudo_family) or error.way_out
        problems.append(_plain(("pseudo_family",), Unsuitable(error.value, error.reason, way_out)))
    try:
        potential = load_force_field(spec.force_field)
    except Unsuitable as error:
        problems.append(_plain(("force_field",), error))
    if not problems and not wrong and not submitted:
        problems += process_problems(spec, codes, potential, pseudo, values)
    return [problem for problem in problems if not any(overlap(problem.place, place) for place in wrong)]


def load_role(spec: CampaignSpec, role: str, values: Mapping[str, Any]) -> orm.AbstractCode:
    """Return the code of a campaign for a role: md, pw, pp or pwcond.

    Raises
    ------
    Unsuitable
        If there is none, or if it is of another program.
    """
    label = getattr(spec.codes, role)
    if role == "md":
        return load_md_code(label, values["production"].get("bias", "driver"))
    return load_code(label, PLUGINS[role])


def _plain(place: Place, error: Unsuitable) -> Problem:
    return Problem(place, f"{dotted(place)} = {error}")


def _code_problem(role: str, error: Unsuitable) -> Problem:
    """Say which codes there are in the place of one that will not do."""
    from aiida import orm

    # AiiDA takes every datum for an abstract code, but not for one with such an attribute
    wanted = {"attributes.input_plugin": {"in": list(PLUGINS[role])}}
    codes = orm.QueryBuilder().append(orm.AbstractCode, filters=wanted).all(flat=True)
    fitting = [code.full_label for code in codes if not code.is_hidden]
    close = [name for name in difflib.get_close_matches(error.value, fitting, n=3, cutoff=0.5) if name != error.value]
    plugin = PLUGINS[role][0]
    if close:
        way_out = f"did you mean {' or '.join(close)}?"
    elif fitting and fitting != [error.value]:
        way_out = f"there is {', '.join(sorted(fitting)[:5])}"
    else:
        way_out = f"register it with `verdi code create core.code.installed --default-calc-job-plugin {plugin}`"
    return _plain(("codes", role), Unsuitable(error.value, error.reason, way_out))


def _nearest_family(label: str) -> str:
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.Group, filters={"type_string": {"like": "pseudo.family%"}}, project="label")
    labels: list[str] = query.all(flat=True)
    close = difflib.get_close_matches(label, [name for name in labels if name != label], n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else ""


def process_problems(
    spec: CampaignSpec, codes: Mapping[str, orm.AbstractCode], potential: Any, pseudo: Any, values: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what the chain's work chain itself refuses, as it would when it is submitted.

    It is asked about one chain: voltages and seeds, in which others differ, were checked when the file was read.
    """
    from aiida.plugins import WorkflowFactory

    workflow = WorkflowFactory("rewire.chain")
    ports = workflow.spec().inputs
    try:
        builder = workflow.get_builder_from_values(
            codes, potential, pseudo, values, protocol=spec.protocol, labels={"pseudo_family": spec.pseudo_family}
        )
        refused = ports.validate(ports.pre_process(ports.serialize(builder._inputs(prune=True))))
    except InvalidInput as error:
        place = overridden(spec, reversed(error.name.split(".")))
        yield refusal(place, error.value, error.bound, error.way_out)
        return
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        # how AiiDA refuses a value of an input, or what becomes of one of a type that nobody expected
        said = " ".join(str(error).removeprefix(BUILDER_REFUSES).split())
        place = overridden(spec, re.findall(r"\w+", said))
        yield Problem(place, f"{dotted(place)}: {said or type(error).__name__}; correct it")
        return
    if refused is not None:
        place = overridden(spec, reversed(refused.port.split(".")))
        yield Problem(place, f"{dotted(place)}: {refused.port.removeprefix('inputs.')}: {refused.message}")
