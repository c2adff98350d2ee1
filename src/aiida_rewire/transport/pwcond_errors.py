"""The fatal errors of pwcond.x, sorted by what can be done about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FatalKind(StrEnum):
    """What stopped pwcond.x."""

    GENERALISED_EIGENPROBLEM = "generalised eigenproblem"
    HERMITIAN_EIGENPROBLEM = "Hermitian eigenproblem"
    GRAM_SCHMIDT = "Gram-Schmidt"
    LINEAR_EQUATIONS = "linear equations"
    FIRST_LAYER = "first layer"
    NRZTOT = "nrztot"
    ATOMIC_SPHERES = "atomic spheres"
    CUTOFFS = "cutoffs"
    SPIN_ORBIT = "spin-orbit"
    POOLS = "pools"
    RANKS = "ranks"
    SHARD_BOUNDS = "shard bounds"
    PARENT_FILES = "parent files"
    INPUT = "input"
    OTHER = "other"


@dataclass(frozen=True)
class FatalError:
    """A fatal error as printed.

    Attributes
    ----------
    routine, message
        As printed.
    kind
        By what can be done about it.
    """

    routine: str
    message: str
    kind: FatalKind


_NUMERICAL = {
    "gep_x": FatalKind.GENERALISED_EIGENPROBLEM,
    "hev_ab": FatalKind.HERMITIAN_EIGENPROBLEM,
    "gramsh": FatalKind.GRAM_SCHMIDT,
    "compbs_2": FatalKind.LINEAR_EQUATIONS,
    "transmit": FatalKind.LINEAR_EQUATIONS,
}
"""Routines whose only message is that the algebra failed."""

_MESSAGES = (
    ("1st layer of a cell should be aligned", FatalKind.FIRST_LAYER),
    ("wrong nrztot", FatalKind.NRZTOT),
    ("too big atomic spheres", FatalKind.ATOMIC_SPHERES),
    ("different cut-offs", FatalKind.CUTOFFS),
    ("spin-orbit flag", FatalKind.SPIN_ORBIT),
    ("pools not implemented", FatalKind.POOLS),
    ("2^n number of cpus", FatalKind.RANKS),
    ("wrong value of start_", FatalKind.SHARD_BOUNDS),
    ("reading inputcond namelist", FatalKind.INPUT),
    ("reading number of kpoints", FatalKind.INPUT),
    ("2d k-point", FatalKind.INPUT),
    ("reading energy list", FatalKind.INPUT),
    ("lorb not working", FatalKind.INPUT),
    ("you must specify tran_prefix", FatalKind.INPUT),
    ("tk_plot should be", FatalKind.INPUT),
)
"""Parts of messages, in lower case; ``do_cond`` and ``pwcond`` print errors of many kinds."""

_PARENT_ROUTINES = frozenset(
    {"read_xml_file", "pw_readfile", "read_file", "read_file_new", "pw_restart", "read_scf", "read_rhog", "readpp",
     "read_upf", "read_collected_wfc", "read_wfc", "qexsd_readschema", "davcio", "diropn"}
)  # fmt: skip
"""Routines that read what pw.x left."""

_PARENT_WORDS = ("xml", "save", "charge-density", "wfc", "pseudo", "upf")


def fatal_error(routine: str, message: str) -> FatalError:
    """Sort an error by its routine and its message.

    Parameters
    ----------
    routine, message
        As printed in ``Error in routine NAME (N):`` and below.
    """
    name, lower = routine.strip().lower(), message.lower()
    kind = _NUMERICAL.get(name)
    if kind is None:
        kind = next((kind for part, kind in _MESSAGES if part in lower), None)
    if kind is None and (name in _PARENT_ROUTINES or any(word in lower for word in _PARENT_WORDS)):
        kind = FatalKind.PARENT_FILES
    return FatalError(routine.strip(), message.strip(), kind or FatalKind.OTHER)
