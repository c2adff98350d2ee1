"""The file of a site from text to model, with every error at once."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiida_rewire.campaign.files import LEAVE_OUT, FileErrors, source_in, source_of, validated
from aiida_rewire.campaign.source import Place, Problem, Source, dotted
from aiida_rewire.campaign.wording import refusal
from aiida_rewire.cli.setup.site import LOCAL, SLURM, SSH, SSH_ASYNC, Site, SiteCodes

WRITTEN_BY = "aiida-rewire setup example"

STAND_IN_COMPUTER: Mapping[str, Any] = {
    "label": "computer",
    "hostname": "localhost",
    "transport": LOCAL,
    "scheduler": SLURM,
    "work_dir": "/",
}
STAND_INS: Mapping[Place, Any] = {
    ("computer",): STAND_IN_COMPUTER,
    **{("computer", name): value for name, value in STAND_IN_COMPUTER.items()},
    **{("codes", name, "path"): name for name in SiteCodes.model_fields},
}
"""What stands in the place of a required value that is wrong."""

OF_TRANSPORT = {
    "host": SSH_ASYNC,
    "backend": SSH_ASYNC,
    "transfers": SSH_ASYNC,
    "username": SSH,
    "port": SSH,
    "key_file": SSH,
    "proxy_jump": SSH,
    "timeout_s": SSH,
}
"""Keys of a connection that one transport alone knows."""

WORDS_OF_MPIRUN = (
    "tot_num_mpiprocs",
    "num_machines",
    "num_mpiprocs_per_machine",
    "num_cores_per_machine",
    "num_cores_per_mpiproc",
)
"""What AiiDA replaces in the words of mpirun."""


def read_site(path: Path) -> Site:
    """Read the file of a site.

    Raises
    ------
    FileErrors
        With every error at once, each with its line and a way out.
    """
    return _examined(source_in(path, WRITTEN_BY))


def site_of(text: str, name: str) -> Site:
    """Read the text of a site's file.

    Parameters
    ----------
    text
        Of the file.
    name
        Of the file, for messages.

    Raises
    ------
    FileErrors
        With every error at once, each with its line and a way out.
    """
    return _examined(source_of(text, name, WRITTEN_BY))


def _examined(source: Source) -> Site:
    site, wrong = validated(Site, source.values, lambda place: STAND_INS.get(place, LEAVE_OUT))
    problems = [*source.repeated, *wrong]
    if site is not None:
        said = {problem.place for problem in wrong}
        problems += [problem for problem in site_problems(site) if problem.place not in said]
    if problems or site is None:
        raise FileErrors(source.messages(problems))
    return site


def site_problems(site: Site) -> Iterator[Problem]:
    """Yield what does not go together."""
    computer = site.computer
    for name, transport in OF_TRANSPORT.items():
        value = getattr(computer.connection, name)
        if value is not None and computer.transport != transport:
            bound = f"left out with {computer.transport}: it is of {transport}"
            yield refusal(("computer", "connection", name), value, bound, "leave it out, or change the transport")
    yield from _replacements(("computer", "work_dir"), computer.work_dir, ("username",))
    for number, word in enumerate(computer.mpirun):
        yield from _replacements(("computer", "mpirun", number), word, WORDS_OF_MPIRUN)
    labels: dict[str, str] = {}
    for name, code in site.named_codes().items():
        label = code.label or name
        if label in labels:
            place: Place = ("codes", name, "label") if code.label else ("codes", name)
            yield refusal(place, label, f"another than that of {dotted(('codes', labels[label]))}", "rename one")
        labels.setdefault(label, name)
        if computer.cores is not None and code.test_ranks > computer.cores:
            bound = f"at most the {computer.cores} cores of a machine"
            yield refusal(("codes", name, "test_ranks"), code.test_ranks, bound, "take fewer")
        if code.test_ranks > 1 and not computer.mpirun:
            yield refusal(("codes", name, "test_ranks"), code.test_ranks, "1 without mpirun", "give computer.mpirun")


def _replacements(place: Place, text: str, known: tuple[str, ...]) -> Iterator[Problem]:
    words = ", ".join(f"{{{word}}}" for word in known)
    try:
        asked = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        asked = [""]
    if not set(asked) <= set(known):
        yield refusal(place, text, f"with no other braces than {words}", "correct them")
