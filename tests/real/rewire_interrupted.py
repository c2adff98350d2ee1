"""A work chain whose worker is killed between what a step starts and the next checkpoint; the daemon imports it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from aiida import orm
from aiida.engine import ProcessSpec, ToContext, WorkChain, calcfunction

from aiida_rewire.workflows.steps import RepeatableSteps


@calcfunction
def successor(number: orm.Int) -> orm.Int:
    """Return the next number."""
    return orm.Int(number.value + 1)


class Interrupted(RepeatableSteps, WorkChain):
    """Start a child and run a function, and kill the worker before the step ends, the first time."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline and outputs."""
        super().define(spec)
        spec.input("mark", valid_type=orm.Str, serializer=orm.to_aiida_type, help="File that the first time leaves.")
        spec.input("depth", valid_type=orm.Int, serializer=orm.to_aiida_type, help="Children below each other.")
        spec.outline(cls.begin, cls.end)
        spec.output("result", valid_type=orm.Int)

    def begin(self) -> ToContext:
        """Start what is below."""
        depth, mark = self.inputs.depth.value, Path(self.inputs.mark.value)
        if depth == 0:
            return ToContext()
        child = self.submit(type(self), mark=f"{mark}-", depth=depth - 1, metadata={"call_link_label": "child"})
        self.ctx.number = self.once(successor, "successor", self.inputs.depth).outputs.result
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return ToContext(child=child)

    def end(self) -> None:
        """Hand out what the function gave."""
        self.out("result", self.ctx.get("number", self.inputs.depth))
