"""The conditions of a biased molecular dynamics, and the bounds within which one survives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from aiida_rewire.bias.bonds import weights
from aiida_rewire.bias.voltage import VoltageSchedule
from aiida_rewire.errors import InvalidInput

MELTING_POINT_K = 1235.0
"""Of bulk silver; tips of a few hundred atoms melt below it."""

LARGEST_TIMESTEP_FS = 2.0
"""At 800 K the fastest pairs of ReaxFF silver are no longer followed beyond it."""

LARGEST_VOLTAGE_V = 50.0
VOLTAGE_BOUND = f"from {-LARGEST_VOLTAGE_V:g} to {LARGEST_VOLTAGE_V:g} V"

LARGEST_SEED = 900_000_000
"""What LAMMPS accepts."""


BIASES = ("driver", "native", "none")
POTENTIALS = ("steady", "diffusion")

FCC_SHELLS = ((12, 4.09 / 2**0.5), (6, 4.09), (24, 4.09 * 1.5**0.5))
"""Number and distance (Å) of silver's neighbours, shell by shell."""

HEAT = 1.6
"""Heat of 0.2 Å along each axis raises the sum of an atom's bonds by so much at the most."""

SILVER_BOND_CUTOFF = 4.0
SILVER_BOND_NORM = 0.4555
"""Of fcc silver (a = 4.09 Å) at this cutoff."""


@dataclass(frozen=True)
class MdConditions:
    """What a run does to the tips.

    Attributes
    ----------
    steps
        Time steps of the whole run, however many jobs it takes.
    seed
        Seed of the initial velocities.
    voltage_v
        Bias in V: the anode at +V/2, the cathode at -V/2. A number, or the points (time in ps since the run's
        first step, V) between which it changes linearly; two points at one time are a jump.
    bias
        Who spreads the potential through the metal: ``driver`` (the project's, on any LAMMPS), ``native``
        (``fix echemdid`` of a patched LAMMPS), ``none`` (no potential, 0 V).
    potential
        ``steady`` (the discrete Laplace equation) or ``diffusion`` (the dynamics as published).
    potential_interval
        Steps between two solutions of ``steady``.
    bond_cutoff, bond_norm
        Å and dimensionless: reach and normalisation of the bonds through which the potential spreads.
    diffusivity
        Å²/fs, of the potential: k of Onofrio & Strachan (2015).
    electron_steps
        Steps of the potential in a time step, in ``diffusion``.
    temperature_k, timestep_fs, thermostat_damping_fs
        Nose-Hoover dynamics of the mobile atoms.
    dump_interval
        Steps between two frames.
    checkpoint_interval
        Steps from one restart file to the next. The dynamics is taken up from each of them anew, so that a run
        in several jobs is the run in one.
    job_steps
        A job ends after so many steps, a multiple of ``checkpoint_interval``, and the next goes on; 0: as far as its
        wall time allows.
    minimize
        Relax the atoms, unbiased, before the dynamics.
    """

    steps: int
    seed: int
    voltage_v: float | Sequence[Sequence[float]] = 0.0
    bias: str = "driver"
    potential: str = "steady"
    potential_interval: int = 10
    bond_cutoff: float = SILVER_BOND_CUTOFF
    bond_norm: float = SILVER_BOND_NORM
    diffusivity: float = 6.0
    electron_steps: int = 10
    temperature_k: float = 800.0
    timestep_fs: float = 1.0
    thermostat_damping_fs: float = 100.0
    dump_interval: int = 50
    checkpoint_interval: int = 1000
    job_steps: int = 0
    minimize: bool = False

    def __post_init__(self) -> None:
        self._require(
            "temperature_k",
            0 < self.temperature_k <= MELTING_POINT_K,
            f"above 0 and at most {MELTING_POINT_K:g} K",
            "silver melts above; the paper uses 800 K",
        )
        self._require(
            "timestep_fs",
            0 < self.timestep_fs <= LARGEST_TIMESTEP_FS,
            f"above 0 and at most {LARGEST_TIMESTEP_FS:g} fs",
            "the paper uses 1 fs",
        )
        self._require(
            "thermostat_damping_fs",
            10 * self.timestep_fs <= self.thermostat_damping_fs < math.inf,
            "at least ten time steps, and finite",
            "100 time steps is usual",
        )
        self._require("steps", self.steps >= 1, "at least 1", "1000 steps of 1 fs are a picosecond")
        self._require(
            "dump_interval",
            1 <= self.dump_interval <= self.steps,
            f"from 1 to the {self.steps} steps of the run",
            "write a frame more often, or run longer",
        )
        self._require("seed", 0 < self.seed <= LARGEST_SEED, f"from 1 to {LARGEST_SEED}", "any such number will do")
        self._require("checkpoint_interval", self.checkpoint_interval >= 1, "at least 1", "1000 steps is usual")
        self._require("job_steps", self.job_steps >= 0, "at least 0", "0 lets a job run for its wall time")
        self._require(
            "job_steps",
            self.job_steps % self.checkpoint_interval == 0,
            f"a multiple of the {self.checkpoint_interval} steps between checkpoints",
            "else a run in several jobs is not the run in one",
        )
        self._check_bias()

    def _check_bias(self) -> None:
        self._require("bias", self.bias in BIASES, f"one of {', '.join(BIASES)}", "`driver` runs on any LAMMPS")
        self._require(
            "potential", self.potential in POTENTIALS, f"one of {', '.join(POTENTIALS)}", "`steady` costs less"
        )
        for name in ("potential_interval", "electron_steps"):
            self._require(name, getattr(self, name) >= 1, "at least 1", "10 is usual")
        for name in ("bond_cutoff", "bond_norm", "diffusivity"):
            self._require(
                name, 0 < getattr(self, name) < math.inf, "above 0 and finite", "leave it to its default for silver"
            )
        schedule = self.schedule
        self._require(
            "electron_steps",
            self.potential == "steady" or self.diffusion_number < self.electron_steps,
            f"above {self.diffusion_number:.1f} for this diffusivity and time step",
            "with fewer the diffusion is unstable",
        )
        self._require("voltage_v", schedule.largest <= LARGEST_VOLTAGE_V, VOLTAGE_BOUND, "the paper uses 2 V and 8 V")
        if self.bias == "none":
            self._require("voltage_v", schedule.largest == 0, "0 V with `bias: none`", "take `bias: driver`")
        if self.bias == "native":
            self._require(
                "voltage_v", schedule.constant, "one number with `bias: native`", "take `bias: driver` for a ramp"
            )

    @property
    def diffusion_number(self) -> float:
        """How far the potential diffuses in a time step: k dt times the sum of an atom's bonds in hot silver."""
        shells = np.array([count * weights(np.array(r * r), self.bond_cutoff) / (r * r) for count, r in FCC_SHELLS])
        return HEAT * self.diffusivity * self.timestep_fs * float(shells.sum()) / self.bond_norm

    @property
    def schedule(self) -> VoltageSchedule:
        """The voltage as a function of time."""
        return VoltageSchedule.of(self.voltage_v)

    @property
    def callback_interval(self) -> int:
        """Steps between two solutions of the potential in its mode."""
        return self.potential_interval if self.potential == "steady" else 1

    def _require(self, name: str, holds: bool, bound: str, way_out: str) -> None:
        if not holds:
            raise InvalidInput(name, getattr(self, name), bound, way_out)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> MdConditions:
        """Read the conditions from plain values, as an input node holds them.

        Raises
        ------
        InvalidInput
            If a key is unknown or missing, or a value has the wrong type or is out of bounds.
        """
        types = {field.name: str(field.type) for field in fields(cls)}
        unknown = sorted(set(values) - set(types))
        if unknown:
            raise InvalidInput("parameters", ", ".join(unknown), f"among {', '.join(types)}", "correct the key")
        for name in ("steps", "seed"):
            if name not in values:
                raise InvalidInput("parameters", f"no {name}", f"complete: {name} has no default", f"give {name}")
        accepted: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "str": (str,),
            "float | Sequence[Sequence[float]]": (int, float, list, tuple),
        }
        for name, value in values.items():
            kind = types[name]
            if not isinstance(value, accepted[kind]) or (isinstance(value, bool) and kind != "bool"):
                shown = "float, or a list of points (ps, V)" if name == "voltage_v" else kind
                raise InvalidInput(name, repr(value), f"of type {shown}", "correct the value")
        return cls(**values)  # type: ignore[arg-type]
