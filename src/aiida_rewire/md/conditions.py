"""The conditions of a biased molecular dynamics, and the bounds within which one survives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from aiida_rewire.errors import InvalidInput

MELTING_POINT_K = 1235.0
"""Of bulk silver; tips of a few hundred atoms melt below it."""

LARGEST_TIMESTEP_FS = 2.0
"""At 800 K the fastest pairs of ReaxFF silver are no longer followed beyond it."""

LARGEST_SEED = 900_000_000
"""What LAMMPS accepts."""


@dataclass(frozen=True)
class MdConditions:
    """What a run does to the tips.

    Attributes
    ----------
    steps
        Time steps.
    timestep_fs, temperature_k, thermostat_damping_fs
        Nose-Hoover dynamics of the mobile atoms.
    voltage_v
        Bias in V: the anode at +V/2, the cathode at -V/2.
    seed
        Seed of the initial velocities.
    dump_interval
        Steps between two frames.
    minimize
        Relax the atoms, unbiased, before the dynamics.
    """

    steps: int
    seed: int
    voltage_v: float = 0.0
    temperature_k: float = 800.0
    timestep_fs: float = 1.0
    thermostat_damping_fs: float = 100.0
    dump_interval: int = 50
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
        self._require("voltage_v", abs(self.voltage_v) <= 50, "from -50 to 50 V", "the paper uses 2 V and 8 V")

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
        accepted = {"int": (int,), "float": (int, float), "bool": (bool,)}
        for name, value in values.items():
            kind = types[name]
            if not isinstance(value, accepted[kind]) or (isinstance(value, bool) and kind != "bool"):
                raise InvalidInput(name, repr(value), f"of type {kind}", "correct the value")
        return cls(**values)  # type: ignore[arg-type]
