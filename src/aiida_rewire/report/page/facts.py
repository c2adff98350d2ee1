"""What a campaign is, in a few lines: the values that tell it from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida_rewire.campaign.chains import Chain
    from aiida_rewire.campaign.specification import CampaignSpec

MOST_NAMED = 12
"""So many voltages, seeds or energies are named one by one."""


def facts_of(spec: CampaignSpec, chains: Sequence[Chain]) -> tuple[tuple[str, str], ...]:
    """Return names and values, as people say them.

    Parameters
    ----------
    spec
        Of the campaign.
    chains
        Of it, with the values of its protocol.
    """
    values = chains[0].values
    equilibration, production = values["equilibration"], values["production"]
    tips = values["tips"]
    return (
        ("protocol", spec.protocol),
        ("voltages", listed([voltage_text(voltage) for voltage in spec.md.voltages])),
        ("seeds", listed([str(seed) for seed in spec.md.seeds])),
        ("tips", f"({tips['orientation']}) layers, {tips['base_side']} atoms along an edge, {tips['gap']:g} Å apart"),
        (
            "dynamics",
            f"{production['temperature_k']:g} K, steps of {production['timestep_fs']:g} fs, "
            f"{picoseconds(equilibration):g} ps at 0 V, {picoseconds(production):g} ps under the voltage",
        ),
        ("snapshots", f"every {values['snapshot_interval_ps']:g} ps"),
        ("pseudopotentials", spec.pseudo_family),
        ("energies", energies_text(values["pwcond"]["energies"])),
    )


def voltage_text(voltage: Any) -> str:
    """Say a voltage, or points of one that changes."""
    if isinstance(voltage, (int, float)):
        return f"{voltage:g} V"
    return "ramp " + ", ".join(f"{volts:g} V at {time:g} ps" for time, volts in voltage)


def picoseconds(stage: Mapping[str, Any]) -> float:
    """Return the length of a stage of the dynamics, ps."""
    return float(stage["steps"] * stage["timestep_fs"] / 1000)


def energies_text(energies: Any) -> str:
    """Say energies from E_F (eV), a list or a range."""
    if isinstance(energies, Mapping):
        return f"from {energies['start']:g} to {energies['stop']:g} eV in steps of {energies['step']:g} eV"
    return listed([f"{energy:g}" for energy in energies]) + " eV"


def listed(words: Sequence[str]) -> str:
    """Name some, and say how many there are in all."""
    if len(words) <= MOST_NAMED:
        return ", ".join(words)
    return f"{', '.join(words[:MOST_NAMED])}, ... ({len(words)} in all)"
