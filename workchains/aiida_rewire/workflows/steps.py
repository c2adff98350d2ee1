"""Steps of work chains that may be run again: what a step has started is found, not started twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import Process
from plumpy.process_states import ProcessState

from aiida_rewire.database.marks import VOID_EXTRA

CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)
CHECKPOINT = "checkpoints"
"""Attribute of a process that a worker can begin with."""


class RepeatableSteps:
    """A work chain each of whose children has a call link label of its own.

    A worker that is killed between starting a child and the next checkpoint leaves the step to be run again by
    another, which by itself would start the child once more.
    """

    def submit(
        self, process: type[Process], inputs: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> orm.ProcessNode:
        """Submit a child, or return the one that was submitted under this call link label before."""
        metadata = (inputs or kwargs).get("metadata", {})
        child = self.child(metadata.get("call_link_label", ""))
        if child is not None:
            return child
        submitted: orm.ProcessNode = super().submit(process, inputs, **kwargs)  # type: ignore[misc]
        return submitted

    def child(self, label: str) -> orm.ProcessNode | None:
        """Return the child of this call link label, if one was started that a worker can go on with."""
        return next((child for child in self.children(label) if not is_stillborn(child)), None)

    def children(self, label: str) -> list[orm.ProcessNode]:
        """Return all that were started under a call link label, the oldest first."""
        if not label:
            return []
        node: orm.WorkChainNode = self.node  # type: ignore[attr-defined]
        links = node.base.links.get_outgoing(link_type=CALLS, link_label_filter=label).all()
        return sorted((link.node for link in links), key=lambda child: int(child.pk))

    def once(self, function: Callable[..., Any], label: str, *args: Any, **kwargs: Any) -> orm.ProcessNode:
        """Run a calculation function under a call link label, or return its node if it has run before.

        Parameters
        ----------
        function
            Decorated as a calculation function.
        label
            Call link label.
        args, kwargs
            Its arguments.

        Returns
        -------
        ProcessNode
            With the outputs.
        """
        for child in self.children(label):
            if child.is_finished:
                return child
        runner: Any = function
        node: orm.ProcessNode = runner.run_get_node(*args, **kwargs, metadata={"call_link_label": label})[1]
        return node


def is_stillborn(process: orm.ProcessNode) -> bool:
    """Whether a process was stored, and whoever made it killed before anybody could run it."""
    if process.base.extras.get(VOID_EXTRA, None):
        return True
    unborn = process.process_state in (None, ProcessState.CREATED)
    return unborn and not process.base.attributes.get(CHECKPOINT, None)
