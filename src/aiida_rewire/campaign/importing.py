"""Campaigns from the archives of others: there to be read, and started by nobody."""

from __future__ import annotations

import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.campaign.archive import quiet, sha256_of
from aiida_rewire.campaign.extras import IMPORTED, Extras, change_extras, read_extras
from aiida_rewire.campaign.members import add_members
from aiida_rewire.campaign.reading import spec_from_record
from aiida_rewire.campaign.record import stamp
from aiida_rewire.database.marks import CAMPAIGN_GROUP, CHAIN_PROCESS
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida import orm


@dataclass(frozen=True)
class Record:
    """A campaign as its archive has it.

    Attributes
    ----------
    uuid, label, description, time, extras
        Of its group.
    """

    uuid: str
    label: str
    description: str
    time: Any
    extras: Extras


def import_campaign(path: Path) -> tuple[orm.Group, bool]:
    """Take the campaign of an archive into this profile; twice is the same as once.

    Its record says that it was imported, and it is paused: no controller starts anything of it.

    Parameters
    ----------
    path
        Archive that `export_campaign` wrote. If its checksums lie beside it, it is held against them.

    Returns
    -------
    The group, and whether anything was done: nothing is if the campaign was recorded here.

    Raises
    ------
    InvalidInput
        If the file is no such archive, or if another campaign has the label.
    """
    check_sum(path)
    with told_of(path):
        record = record_in(path)
        group = group_here(record)
        if group is not None and IMPORTED not in read_extras(group):
            return group, False
        made = group is None
        if group is None:
            group = make_group(record, path)
        try:
            load_nodes(path)
        except BaseException:
            if made:
                delete_group(group)
            raise
    change_extras(group, lambda there: later(there, record.extras) | {IMPORTED: there[IMPORTED], "paused": True})
    add_members(group, process_type=CHAIN_PROCESS)
    return group, True


def later(there: Extras, here: Extras) -> Extras:
    """Return the later of two states of a record: nothing is taken back, amendments are added."""
    return dict(there if len(there.get("amendments", [])) > len(here.get("amendments", [])) else here)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Turn what AiiDA, SQLite and zip say of a broken archive into one error."""
    from aiida.common.exceptions import AiidaException, IncompatibleStorageSchema
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except IncompatibleStorageSchema as error:
        way_out = f"`verdi archive migrate {path.name} NEW` may mend it"
        raise InvalidInput("archive", path, "of this version of AiiDA", way_out) from error
    except (AiidaException, DatabaseError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        if isinstance(error, InvalidInput):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        way_out = "fetch it again, or ask who made it"
        raise InvalidInput("archive", path, f"a whole archive of a campaign ({reason})", way_out) from error


def check_sum(path: Path) -> None:
    """Hold an archive against the checksums beside it, if there are any.

    Raises
    ------
    InvalidInput
        If there is no such file, or if it differs.
    """
    if not path.is_file():
        raise InvalidInput("archive", path, "a file", "`aiida-rewire campaign export` writes one")
    beside = path.with_suffix(".sha256")
    if not beside.is_file():
        return
    lines = beside.read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if path.name in sums and sums[path.name] != sha256_of(path):
        raise InvalidInput("archive", path, f"what {beside.name} says it is", "fetch both again")


def record_in(path: Path) -> Record:
    """Return the campaign in an archive.

    Raises
    ------
    InvalidInput
        If it holds none or several, or processes that could go on.
    """
    from aiida import orm
    from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip

    with ArchiveFormatSqlZip().open(path, "r") as reader:
        backend = reader.get_backend()
        query = orm.QueryBuilder(backend=backend)
        query.append(
            orm.Group,
            filters={"type_string": CAMPAIGN_GROUP},
            project=["uuid", "label", "description", "time", "extras"],
        )
        found = query.all()
        # checkpoints are code: none comes from an export
        going_on = orm.QueryBuilder(backend=backend).append(
            orm.ProcessNode, filters={"attributes": {"has_key": orm.ProcessNode.CHECKPOINT_KEY}}
        )
        checkpoints = going_on.count()
    if len(found) != 1:
        way_out = "`verdi archive import` takes other archives"
        raise InvalidInput("archive", path, f"of one campaign, not of {len(found)}", way_out)
    if checkpoints:
        raise InvalidInput("archive", path, "without processes that could go on", "ask who made it")
    record = Record(*found[0])
    if record.label != spec_from_record(record.extras["spec"]).label:
        raise InvalidInput("archive", path, "of a campaign whose group has its label", "ask who made it")
    return record


def group_here(record: Record) -> orm.Group | None:
    """Return the group of a campaign in this profile, if it is there.

    Raises
    ------
    InvalidInput
        If another has its label.
    """
    from aiida import orm
    from aiida.plugins import GroupFactory

    either = {"or": [{"uuid": record.uuid}, {"label": record.label}]}
    groups = orm.QueryBuilder().append(GroupFactory(CAMPAIGN_GROUP), filters=either).all(flat=True)
    for group in groups:
        if group.uuid != record.uuid:
            way_out = "import it into another profile"
            raise InvalidInput("label", record.label, "free: another campaign of this profile has it", way_out)
        found: orm.Group = group
        return found
    return None


def make_group(record: Record, path: Path) -> orm.Group:
    """Store the group of a campaign before its nodes, so that at no time there is one that looks like its own."""
    from aiida import orm
    from aiida.manage import get_manager
    from aiida.orm.entities import EntityTypes

    storage = get_manager().get_profile_storage()
    came = {"archive": path.name, "sha256": sha256_of(path), **stamp("by", "at")}
    row = {
        "uuid": str(uuid.UUID(record.uuid)),
        "type_string": CAMPAIGN_GROUP,
        "label": record.label,
        "description": record.description,
        "time": record.time,
        "extras": {**record.extras, IMPORTED: came, "paused": True},
        "user_id": storage.default_user.pk,
    }
    with storage.transaction():
        storage.bulk_insert(EntityTypes.GROUP, [row], allow_defaults=True)
    return orm.load_group(record.uuid)


def delete_group(group: orm.Group) -> None:
    """Delete a group whose nodes did not come."""
    from aiida import orm

    orm.Group.collection.delete(group.pk)


def load_nodes(path: Path) -> None:
    """Take the nodes of an archive into this profile, all or none; those that are there stay as they are."""
    from aiida.tools.archive import import_archive

    with quiet():
        import_archive(path, create_group=False, include_authinfos=False)
