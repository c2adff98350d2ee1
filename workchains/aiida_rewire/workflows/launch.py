"""Runs of the dynamics from plain values, for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, run_get_node, submit
from aiida.engine.daemon.client import get_daemon_client
from aiida_lammps.data.potential import LammpsPotentialData

from aiida_rewire.workflows.dynamics import DynamicsWorkChain, fill_dynamics


def dynamics_of(
    code: orm.AbstractCode, potential: LammpsPotentialData, values: Mapping[str, Any], label: str
) -> ProcessBuilder:
    """Return the inputs of the dynamics.

    Parameters
    ----------
    code, potential
        As of :meth:`DynamicsWorkChain.get_builder_from_protocol`.
    values
        As :func:`~aiida_rewire.workflows.protocols.load_protocol` returns them; the conditions may hold all that
        :class:`~aiida_rewire.md.conditions.MdConditions` has.
    label
        Of the work chain.

    Raises
    ------
    ValueError
        If an input is refused.
    """
    builder = DynamicsWorkChain.get_builder()
    fill_dynamics(builder, code, potential, values)
    builder.metadata.label = label
    return builder


def submit_to_daemon(builder: ProcessBuilder) -> orm.ProcessNode:
    """Submit to the daemon."""
    return submit(builder)


def run_here(builder: ProcessBuilder) -> orm.ProcessNode:
    """Run in this process."""
    return run_get_node(builder)[1]


def daemon_runs() -> bool:
    """Whether the daemon of the loaded profile runs."""
    return bool(get_daemon_client().is_daemon_running)
