"""The campaign file: what it may hold, with units, bounds and defaults.

Bounds of tips and dynamics are not stated again here: chains are asked, in :mod:`aiida_rewire.campaign.chains`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic.fields import PydanticUndefined  # type: ignore[attr-defined]

from aiida_rewire.bias.voltage import VoltageSchedule
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.tips import ORIENTATIONS
from aiida_rewire.md.conditions import BIASES, POTENTIALS
from aiida_rewire.workflows.protocols import protocol_names

LABEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
WORD_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@:+/,=-]{0,127}$"
CODE_PATTERN = r"^[^@\s][^@]*@[^@]*[^@\s]$"
UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
WORD = {"pattern": WORD_PATTERN, "bound": "a word of letters, digits and ._@:+/,=-"}
MOST_CHAINS = 10_000
WALL_HOURS = (0.01, 8760.0)
PROTOCOLS_OWN = "the protocol's"


def bound_of(bounds: dict[str, Any], unit: str) -> str:
    """Say in words what a number must be.

    Parameters
    ----------
    bounds
        ``ge``, ``gt``, ``le``.
    unit
        Of all of them.
    """
    unit = f" {unit}" if unit else ""
    if "ge" in bounds and "le" in bounds:
        return f"from {bounds['ge']:g} to {bounds['le']:g}{unit}"
    if "gt" in bounds and "le" in bounds:
        return f"above 0 and at most {bounds['le']:g}{unit}"
    return f"at least {bounds['ge']:g}{unit}" if "ge" in bounds else f"above {bounds['gt']:g}{unit}"


def entry(
    meaning: str,
    *,
    default: Any = PydanticUndefined,
    unit: str = "",
    bound: str = "",
    way_out: str = "correct it",
    **bounds: Any,
) -> Any:
    """Describe a field: its meaning, unit and default, and what to say where its value is refused.

    Parameters
    ----------
    meaning
        What it is, in a few words.
    default
        None: what the protocol says, or nothing, as `meaning` has it; without one the field must be given.
    unit
        Of numbers.
    bound
        What the value must be; of numbers it follows from their bounds.
    way_out
        What a user can do about a refused value.
    **bounds
        ``ge``, ``gt``, ``le``; ``pattern``, ``min_length``, ``max_length``.
    """
    if default is PydanticUndefined:
        usual = "Required."
    elif default is None:
        usual = "" if "Default" in meaning else f"Default: {PROTOCOLS_OWN}."
    elif isinstance(default, BaseModel):
        usual = ""
    else:
        usual = f"Default: {json.dumps(default)}."
    if {"ge", "gt", "le"} & set(bounds):
        bound = bound or bound_of(bounds, unit)
    said = meaning if not unit or f", {unit}" in meaning else f"{meaning}, {unit}"
    known = {"unit": unit, "bound": bound, "way_out": way_out}
    return Field(
        default,
        description=f"{said}. {usual}".strip(),
        json_schema_extra={name: value for name, value in known.items() if value},
        **bounds,
    )


class Section(BaseModel):
    """Keys that belong together; others are refused, and so are numbers in the guise of text or of truth."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def code_entry(meaning: str) -> Any:
    """Describe the field of a code, which is named so that nobody else's is taken for it."""
    return entry(meaning, pattern=CODE_PATTERN, bound="LABEL@COMPUTER", way_out="`verdi code list` shows all")


class Codes(Section):
    """Codes, as LABEL@COMPUTER; those of the DFT are on one computer."""

    md: str = code_entry(
        "Dynamics, plugin rewire.md: a Python that can import LAMMPS's module; LAMMPS without a driver"
    )
    pw: str = code_entry("pw.x, plugin rewire.pw")
    pp: str = code_entry("pp.x, plugin rewire.readback")
    pwcond: str = code_entry("pwcond.x, plugin rewire.pwcond")


class Tips(Section):
    """The two tips as built."""

    gap: float | None = entry("Distance of the apexes", default=None, unit="Å")
    base_side: int | None = entry("Atoms along an edge of a base", default=None)
    apex_side: int | None = entry("Atoms along an edge of an apex", default=None)
    orientation: Literal[*ORIENTATIONS] | None = entry(  # type: ignore[valid-type]
        "Layers across the tips' axis, in quotes", default=None, way_out="write it in quotes"
    )
    fixed_layers: int | None = entry("Layers of each base that are held fixed", default=None)
    lattice_constant: float | None = entry("Cubic lattice constant of the metal", default=None, unit="Å")


def read_voltage(value: Any) -> float | list[list[float]]:
    """Read a voltage (V), or points (ps, V).

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
        way_out = "[[0, 0], [50, 8]] is a ramp to 8 V in 50 ps"
        raise InvalidInput("voltages", repr(value), "a number in V, or points [[ps, V], ...]", way_out)
    schedule = VoltageSchedule.of(value)
    if isinstance(value, (int, float)):
        return schedule.voltages_v[0] + 0.0
    return [[time + 0.0, volts + 0.0] for time, volts in zip(schedule.times_ps, schedule.voltages_v, strict=True)]


POINTS_SCHEMA = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
Voltage = Annotated[
    Any,
    PlainValidator(read_voltage),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": POINTS_SCHEMA, "minItems": 1}]}),
]


class Md(Section):
    """The dynamics under a voltage: a chain for each voltage and each seed."""

    voltages: list[Voltage] = entry(
        "Bias of each chain, V: a number, or points [[ps, V], ...] with lines between",
        min_length=1,
        bound="a list of one at least",
        way_out="[2.0, 8.0] makes chains at 2 V and at 8 V",
    )
    seeds: list[int] = entry(
        "Seeds of the initial velocities, a chain for each",
        min_length=1,
        bound="a list of one at least",
        way_out="[1, 2] makes two chains at each voltage",
    )
    temperature_k: float | None = entry("Temperature of the mobile atoms", default=None, unit="K")
    timestep_fs: float | None = entry("Time step, fs; lengths in ps stay", default=None, unit="fs")
    equilibration_ps: float | None = entry("Length of the equilibration at 0 V", default=None, unit="ps")
    production_ps: float | None = entry("Length of the production under the voltage", default=None, unit="ps")
    bias: Literal[*BIASES] | None = entry(  # type: ignore[valid-type]
        "Who spreads the potential: driver (any LAMMPS), native (fix echemdid), none (0 V)", default=None
    )
    potential: Literal[*POTENTIALS] | None = entry("How the driver spreads it", default=None)  # type: ignore[valid-type]


class Snapshots(Section):
    """The snapshots of a chain, and how they are computed."""

    interval_ps: float | None = entry("Time between snapshots", default=None, unit="ps")
    lanes: int | None = entry("Snapshots of a chain that are computed at a time", default=None)
    warm_start: bool | None = entry(
        "Start the SCF of a snapshot from the density of the one before, true or false", default=None
    )
    one_job: bool | None = entry(
        "Compute a snapshot in one job; separate jobs take over where that fails, true or false", default=None
    )


class EnergyRange(Section):
    """Energies from start to stop, both ends among them."""

    start: float = entry("First energy from E_F", unit="eV")
    stop: float = entry("Last energy from E_F", unit="eV")
    step: float = entry("Distance of two energies; it divides the range", unit="eV")


def _kind_of_energies(value: Any) -> str:
    return "range" if isinstance(value, (dict, EnergyRange)) else "list"


Energies = Annotated[
    Annotated[list[float], Tag("list")] | Annotated[EnergyRange, Tag("range")], Discriminator(_kind_of_energies)
]
ENERGY_TAGS = ("list", "range")


class JobResources(Section):
    """What the jobs of a step ask the scheduler for."""

    machines: int | None = entry("Machines", default=None, ge=1, le=10_000)
    ranks: int | None = entry("MPI ranks on each machine", default=None, ge=1, le=10_000)
    walltime_h: float | None = entry("Wall time", default=None, unit="h", ge=WALL_HOURS[0], le=WALL_HOURS[1])
    account: str | None = entry("Account that is charged. Default: the scheduler's", default=None, **WORD)
    partition: str | None = entry("Partition or queue. Default: the scheduler's", default=None, **WORD)
    qos: str | None = entry("Quality of service. Default: the scheduler's", default=None, **WORD)
    memory_gb: float | None = entry(
        "Memory on each machine, GB. Default: the scheduler's", default=None, unit="GB", gt=0, le=100_000
    )
    scheduler_lines: list[Annotated[str, Field(pattern=r"^#[^\r\n]*$", max_length=500)]] = entry(
        "Further lines of the head of the job script, such as `#SBATCH --exclusive`",
        default=[],
        max_length=50,
        bound="one line each that begins with #, at most 500 characters; 50 lines at most",
        way_out="lines that run something belong to the code's prepend text",
    )


class Resources(Section):
    """What the jobs of each step ask for; what is left out is the protocol's."""

    md: JobResources = entry("Dynamics", default=JobResources())
    lead: JobResources = entry("SCF of the leads", default=JobResources())
    scf: JobResources = entry("SCF of the junctions; a snapshot in one job asks for the same", default=JobResources())
    readback: JobResources = entry("Reading densities back", default=JobResources())
    pwcond: JobResources = entry("pwcond.x", default=JobResources())


class Limits(Section):
    """How much runs at a time."""

    active_chains: int = entry(
        "Chains at a time; each holds slots of the daemon",
        default=2,
        ge=1,
        le=MOST_CHAINS,
        way_out="2 is a beginning",
    )
    active_jobs: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = entry(
        "Jobs at a time by computer, {COMPUTER: NUMBER}; a computer that is left out has no limit",
        default={},
        bound="from 1 to 1000000 for each computer",
        way_out="leave the computer out for no limit",
    )


class Reuse(Section):
    """What may be taken over from earlier chains instead of being computed again."""

    contacts: bool | None = entry("Conductances of contacts that are a proven repeat, true or false", default=None)
    leads: bool | None = entry("SCF of leads, true or false", default=None)
    dynamics: bool | None = entry("Dynamics of the same tips, conditions and seed, true or false", default=None)


class Retries(Section):
    """What is tried again by itself."""

    attempts: int = entry(
        "Attempts of a chain that failed in a way that another may mend, the first among them", default=2, ge=1, le=20
    )


class CampaignSpec(Section):
    """A campaign: chains of dynamics and conductances over voltages and seeds."""

    label: str = entry(
        "Name of the campaign, unique in the database",
        pattern=LABEL_PATTERN,
        bound="1 to 80 letters, digits, dots, underscores and hyphens, the first a letter or digit",
        way_out="silver-2V-8V is one",
    )
    description: str = entry("What it is for", default="", max_length=10_000, bound="at most 10000 characters")
    protocol: Literal[*protocol_names("chain")] = entry(  # type: ignore[valid-type]
        "Values of all that is left out: demo, moderate or paper", default="moderate"
    )
    codes: Codes = entry("Codes, as LABEL@COMPUTER")
    pseudo_family: str = entry(
        "Family of pseudopotentials that holds silver; rewire/frozen-d is the demo's, not for publication",
        min_length=1,
        max_length=255,
        bound="the label of a family",
        way_out="`aiida-pseudo list` shows all",
    )
    force_field: str | None = entry(
        "UUID of a LammpsPotentialData with ReaxFF. Default: the project's silver",
        default=None,
        pattern=UUID_PATTERN,
        bound="a whole UUID",
        way_out="leave it out for silver's own",
    )
    tips: Tips = entry("Tips as built", default=Tips())
    md: Md = entry("Dynamics")
    snapshots: Snapshots = entry("Snapshots", default=Snapshots())
    energies: Energies | None = entry(
        "Energies of the transmission from E_F, eV, 0.0 among them: a list, or {start, stop, step}",
        default=None,
        unit="eV",
    )
    resources: Resources = entry("Resources of the jobs of each step", default=Resources())
    limits: Limits = entry("How much runs at a time", default=Limits())
    reuse: Reuse = entry("What is taken over", default=Reuse())
    retries: Retries = entry("What is tried again", default=Retries())
    overrides: dict[str, Any] = entry("Further keys of the protocol, nested as it is", default={})

    @model_validator(mode="after")
    def refuse_too_many(self) -> CampaignSpec:
        """Refuse more chains than one campaign can keep in view.

        Raises
        ------
        InvalidInput
            If there are more than `MOST_CHAINS`.
        """
        chains = len(self.md.voltages) * len(self.md.seeds)
        if chains > MOST_CHAINS:
            raise InvalidInput(
                "md", f"{chains} chains", f"at most {MOST_CHAINS} chains", "make several campaigns of it"
            )
        return self
