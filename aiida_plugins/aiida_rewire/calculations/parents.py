"""What pw.x wrote of the runs that a calculation builds on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.errors import InvalidInput
from aiida_rewire.transport.parents import ParentRun
from aiida_rewire.transport.pw_xml import PwRun, UnreadableXml, read_pw_xml
from aiida_rewire.transport.upf import UnreadableUpf, pseudo_type, sphere_radius

XML_NAME = "data-file-schema.xml"
SAVE_FOLDER = "out/aiida.save"
"""Where PwCalculation lets pw.x write what others read."""

READ_BY_PWCOND = (XML_NAME, "charge-density")
"""Names that files in the folder of an SCF must begin with."""


def parent_run(name: str, remote: orm.RemoteData) -> ParentRun:
    """Collect what the guards need to know of an SCF, from its XML file and its pseudopotentials.

    Parameters
    ----------
    name
        The input's name, for messages.
    remote
        Folder of a finished pw.x run.

    Raises
    ------
    InvalidInput
        If no finished pw.x run of the database left the folder.
    """
    if not remote.is_stored:
        raise InvalidInput(name, "a new folder", "left by a pw.x run of this database", "run its SCF first")
    return _parent_run(name, remote.uuid)


@lru_cache(maxsize=64)
def _parent_run(name: str, uuid: str) -> ParentRun:
    # asked for several times by each calculation, of nodes that do not change
    remote = orm.load_node(uuid)
    creator = remote.creator
    if not isinstance(creator, orm.CalcJobNode) or "output_parameters" not in creator.outputs:
        raise InvalidInput(name, f"folder {remote.pk}", "left by a pw.x run of this database", "run its SCF first")
    if not creator.is_finished_ok:
        raise InvalidInput(name, f"pw.x run {creator.pk}", "finished without an error", "repeat its SCF")
    files = creator.outputs.retrieved.base.repository
    if XML_NAME not in files.list_object_names():
        raise InvalidInput(name, f"pw.x run {creator.pk}", f"with its {XML_NAME} retrieved", "repeat its SCF")
    try:
        run = read_pw_xml(files.get_object_content(XML_NAME, mode="rb"))
    except UnreadableXml as error:
        raise InvalidInput(name, f"{XML_NAME}: {error}", "readable", "repeat its SCF") from error
    return run_with_pseudos(name, run, creator.inputs.pseudos)


def run_with_pseudos(name: str, run: PwRun, pseudos_by_kind: Mapping[str, UpfData]) -> ParentRun:
    """Add to a run of pw.x what its pseudopotentials are.

    Parameters
    ----------
    name
        The region, for messages.
    run
        What pw.x wrote.
    pseudos_by_kind
        The pseudopotentials that it was given.

    Raises
    ------
    InvalidInput
        If an element has two of them, or one cannot be read.
    """
    elements = dict(zip(run.species, run.elements, strict=True))
    pseudos = {elements[kind]: pseudos_by_kind[kind] for kind in elements}
    for kind, element in elements.items():
        if pseudos_by_kind[kind].md5 != pseudos[element].md5:
            raise InvalidInput(f"{name}.pseudos", f"two for {element}", "one for each element", "repeat its SCF")
    types, radii, digests = {}, {}, {}
    for element, pseudo in pseudos.items():
        digests[element] = pseudo.md5
        try:
            types[element], radii[element] = _type_and_radius(pseudo)
        except UnreadableUpf as error:
            raise InvalidInput(f"{name}.pseudos", str(error), "readable", "take other pseudopotentials") from error
    return ParentRun.from_xml(name, run, pseudo_types=types, pseudo_digests=digests, sphere_radii=radii)


KNOWN_PSEUDOS: dict[str, tuple[str, float]] = {}


def _type_and_radius(pseudo: UpfData) -> tuple[str, float]:
    # the same few files for every run of a campaign
    if pseudo.md5 not in KNOWN_PSEUDOS:
        text = pseudo.get_content()
        KNOWN_PSEUDOS[pseudo.md5] = pseudo_type(text), sphere_radius(text)
    return KNOWN_PSEUDOS[pseudo.md5]


def check_there(name: str, remote: orm.RemoteData) -> None:
    """Refuse a folder that was cleaned.

    Raises
    ------
    InvalidInput
        If it was.
    """
    if remote.is_cleaned:
        raise InvalidInput(name, f"folder {remote.pk}", "still there", "it was cleaned: run its SCF again")


def refuse_missing_files(name: str, remote: orm.RemoteData) -> str | None:
    """Return what pwcond.x would miss in the folder of an SCF, if it would; looks at the computer itself.

    Parameters
    ----------
    name
        The input's name, for messages.
    remote
        Folder of a finished pw.x run.
    """
    folder = f"{remote.get_remote_path()}/{SAVE_FOLDER}"
    try:
        with remote.get_authinfo().get_transport() as transport:
            present = transport.listdir(folder) if transport.isdir(folder) else []
    except OSError:
        # a computer that does not answer now says nothing about the files; pwcond.x says if it misses one
        return None
    missing = [start for start in READ_BY_PWCOND if not any(entry.startswith(start) for entry in present)]
    if not missing:
        return None
    found = f"no {', '.join(missing)} in {folder}"
    return str(InvalidInput(name, found, "still there", "run its SCF again"))
