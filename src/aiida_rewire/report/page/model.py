"""What stands on the page of a campaign, as plain values: nothing of a database, nothing of HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aiida_rewire.campaign.chain_progress import ChainProgress
    from aiida_rewire.campaign.cost import Cost
    from aiida_rewire.campaign.progress import CampaignProgress
    from aiida_rewire.campaign.runners import Runners
    from aiida_rewire.campaign.triage import FailureRow
    from aiida_rewire.report.page.atoms import Junctions


@dataclass(frozen=True)
class Point:
    """A snapshot of a chain; what nobody knows is None, or an empty text.

    Attributes
    ----------
    snapshot
        Its number in the chain.
    time_ps, step
        Since the voltage was switched on, ps, and in steps of the dynamics.
    voltage_v
        Bias at that time, V.
    stage, bonds, gap_left_a
        Of the contact: its stage, the bonds at the narrowest place, the gap that is left, Å.
    conductance_g0
        G0; None where it is not computed.
    unitarity, mismatch_ev
        Largest abs(T + R - 1); difference of V - E_F between lead and junction, eV.
    pk, uuid
        Of the conductance's node.
    reused_from
        UUID of the conductance of an equal contact that was taken over.
    missing
        Why there is no conductance, once there is a reason.
    """

    snapshot: int
    time_ps: float | None = None
    step: int | None = None
    voltage_v: float | None = None
    stage: str = ""
    bonds: int | None = None
    gap_left_a: float | None = None
    conductance_g0: float | None = None
    unitarity: float | None = None
    mismatch_ev: float | None = None
    pk: int | None = None
    uuid: str = ""
    reused_from: str = ""
    missing: str = ""


@dataclass(frozen=True)
class ChainOnPage:
    """A chain.

    Attributes
    ----------
    progress
        How far it is.
    uuid
        Of its last attempt; empty before the first.
    first_contact_ps, lasting_contact_ps
        When the tips met, and met to stay, ps; None if they did not, or nobody knows.
    points
        Its snapshots, in their order.
    """

    progress: ChainProgress
    uuid: str = ""
    first_contact_ps: float | None = None
    lasting_contact_ps: float | None = None
    points: tuple[Point, ...] = ()

    @property
    def name(self) -> str:
        """Within the campaign."""
        return self.progress.name


@dataclass(frozen=True)
class Spectra:
    """T(E) of conductances that were computed at more than one energy.

    Attributes
    ----------
    energies
        The grids that occur, eV from E_F, descending, shape (E,) each.
    of
        By the PK of the conductance: which grid, and T per spin averaged over the k-points, shape (E,).
    """

    energies: tuple[NDArray[np.float64], ...] = ()
    of: Mapping[int, tuple[int, NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRow:
    """The conductances of a stage: their number, median, least and largest, G0, and the bonds that occur."""

    stage: str
    number: int
    median_g0: float
    least_g0: float
    largest_g0: float
    bonds: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """Conductances in bins.

    Attributes
    ----------
    edges_g0
        G0, shape (n + 1,).
    chains
        Counts by the name of the chain, of those that have a conductance; shape (n,) each.
    """

    edges_g0: NDArray[np.float64]
    chains: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Ingredient:
    """What chains were given: a code, a force field or a pseudopotential.

    Attributes
    ----------
    kind, name, uuid
        Of its node.
    digest
        MD5 of its file, where it has one.
    """

    kind: str
    name: str
    uuid: str
    digest: str = ""


@dataclass(frozen=True)
class Citation:
    """A work to be cited: what it is, in a line, and its DOI."""

    text: str
    doi: str = ""


@dataclass(frozen=True)
class Report:
    """All that stands on the page of a campaign.

    Attributes
    ----------
    label, uuid, description
        Of the campaign.
    made_at, made_by
        When this was gathered (UTC, ISO 8601), and with which version of the package.
    profile
        AiiDA profile that it was gathered from.
    submitted_at
        When the campaign was recorded (ISO 8601).
    facts
        Names and values of what it is, in a few lines.
    source, digest
        Text of its file, and the SHA-256 of what that means.
    amendments
        What was changed since, as recorded.
    versions
        Packages and codes at the time of the record.
    ingredients
        What its chains were given.
    progress, runners
        How far it is, and who runs it.
    chains
        In the order of the file.
    stages, counts
        Of all conductances; no counts where there is none.
    spectra, junctions
        T(E) and atoms of conductances.
    every
        They are there of every so many conductances of a chain.
    failures, cost
        What failed, and what it took.
    citations
        What to cite; this software first.
    notes
        What else a person must know.
    """

    label: str
    uuid: str
    description: str
    made_at: str
    made_by: str
    profile: str
    submitted_at: str
    facts: tuple[tuple[str, str], ...]
    source: str
    digest: str
    amendments: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, Any]
    ingredients: tuple[Ingredient, ...]
    progress: CampaignProgress
    runners: Runners
    chains: tuple[ChainOnPage, ...]
    stages: tuple[StageRow, ...]
    counts: Counts | None
    spectra: Spectra
    junctions: Junctions
    every: int
    failures: tuple[FailureRow, ...]
    cost: Cost
    citations: tuple[Citation, ...]
    notes: tuple[str, ...] = ()
