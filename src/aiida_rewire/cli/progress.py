"""How far a chain is: what runs, what is done, how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from aiida import orm

# Costs relative to each other, in seconds of one core of a recent laptop; the pace measured corrects them.
MD_COST = 5.0
MD_STEP_COST = 0.006
LEAD_COST = 18.0
SNAPSHOT_COST = 38.0
PRIOR = 60.0
"""The pace is measured as if this much had already gone at the expected one."""

STEPS_BEFORE_LANES = ("lead", "equilibration", "production")


@dataclass
class Step:
    """A part of the chain.

    Attributes
    ----------
    name
        As the link that leads to it.
    cost
        Expected, in relative units.
    state
        ``waiting``, ``running``, ``done`` or ``failed``.
    result
        What came out, in a few words.
    """

    name: str
    cost: float
    state: str = "waiting"
    result: str = ""

    @property
    def over(self) -> bool:
        """Whether it ended, well or not."""
        return self.state in ("done", "failed")


@dataclass
class Progress:
    """State of all parts of a chain."""

    steps: dict[str, Step]
    lanes: int
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of_inputs(cls, inputs: Any) -> Progress:
        """Plan from the inputs of a chain."""
        production = inputs.production.get_dict()
        duration_ps = production["steps"] * production["timestep_fs"] / 1000
        count = int(duration_ps / inputs.snapshot_interval_ps.value + 1e-6) + 1
        steps = [
            Step("lead", LEAD_COST),
            Step("equilibration", MD_COST + inputs.equilibration["steps"] * MD_STEP_COST),
            Step("production", MD_COST + production["steps"] * MD_STEP_COST),
            *(Step(f"snapshot_{index:04d}", SNAPSHOT_COST) for index in range(count)),
        ]
        return cls({step.name: step for step in steps}, inputs.lanes.value)

    def update(self, chain: orm.WorkChainNode) -> list[Step]:
        """Look at the processes of the chain; return the parts that changed."""
        before = {step.name: step.state for step in self.steps.values()}
        self._look_at(chain)
        return [step for step in self.steps.values() if step.state != before[step.name]]

    def _look_at(self, process: orm.WorkChainNode) -> None:
        from aiida import orm

        for link in sorted(process.base.links.get_outgoing(node_class=orm.ProcessNode).all(), key=_in_order):
            # a snapshot may be computed in one job, then in separate steps, or taken over
            name = link.link_label.removesuffix("_steps").removesuffix("_reused")
            if name in self.steps:
                self._judge(self.steps[name], link.node)
            elif name.startswith("lane_"):
                self._look_at(link.node)

    def _judge(self, step: Step, node: orm.ProcessNode) -> None:
        step.result = ""
        if not node.is_terminated:
            step.state = "running"
        elif node.is_finished_ok:
            step.state = "done"
            for name in ("conductance", "result"):
                if name in node.outputs:
                    step.result = f"T = {node.outputs[name].conductance_g0:.4f}"
        else:
            step.state = "failed"
            step.result = f"[{node.exit_status}] {node.exit_message}" if node.is_finished else "killed"

    @property
    def seconds(self) -> float:
        """Since this process began to look."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float:
        """Return the expected time to the end, at the pace measured."""
        return self._critical(lambda step: not step.over) * self._pace()

    def _critical(self, counts: Any) -> float:
        """Cost of the parts that count: lead beside dynamics, then the snapshots over the lanes."""
        cost = {name: step.cost if counts(step) else 0.0 for name, step in self.steps.items()}
        dynamics = cost["equilibration"] + cost["production"]
        snapshots = sum(value for name, value in cost.items() if name not in STEPS_BEFORE_LANES)
        return max(cost["lead"], dynamics) + snapshots / self.lanes

    def _pace(self) -> float:
        return (PRIOR + self.seconds) / (PRIOR + self._critical(lambda step: step.over))

    def now(self) -> str:
        """Say what runs, what is done and how long it may take, in a line."""
        running = [step.name for step in self.steps.values() if step.state == "running"]
        over = sum(step.over for step in self.steps.values())
        left = self.seconds_left()
        return (
            f"{over} of {len(self.steps)} steps done, running: {', '.join(running) or 'nothing yet'}, "
            f"about {left // 60:.0f} min {left % 60:02.0f} s left"
        )


def _in_order(link: Any) -> int:
    return int(link.node.pk)


@contextmanager
def shown(progress: Progress, console: Console) -> Iterator[Any]:
    """Show a progress; yields a function to call with the parts that changed.

    On a terminal the last line is kept up to date; elsewhere every change is a line.
    """
    if not console.is_terminal:

        def log(changed: list[Step]) -> None:
            for step in changed:
                console.print(_line(progress, step), highlight=False, markup=False, soft_wrap=True)

        yield log
        return

    def render() -> Table:
        grid = Table.grid()
        grid.add_row(f"[{progress.seconds:4.0f} s] {progress.now()}")
        return grid

    with Live(render(), console=console, refresh_per_second=2, transient=True) as live:

        def update(changed: list[Step]) -> None:
            for step in changed:
                if step.over:
                    live.console.print(_line(progress, step), highlight=False, markup=False)
            live.update(render())

        yield update


def _line(progress: Progress, step: Step) -> str:
    left = f", {progress.now()}" if step.over else ""
    result = f": {step.result}" if step.result else ""
    return f"[{progress.seconds:4.0f} s] {step.name} {step.state}{result}{left}"
