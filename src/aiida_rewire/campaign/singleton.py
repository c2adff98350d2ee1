"""Jobs that Slurm runs one at a time, should one be submitted twice.

AiiDA notes the number of a job after ``sbatch`` has answered. A worker that is killed in between leaves a job that
nobody knows, and the next worker submits another, into the same folder and with the same name: that of the process.
With ``--dependency=singleton`` (the documentation of sbatch) it waits for the first to end, and does not write into
its files meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

SCHEDULERS = ("core.slurm", "rewire.slurm")
LINE = "#SBATCH --dependency=singleton"
OPTION = "custom_scheduler_commands"


def with_singletons(values: Mapping[str, Any], steps: Collection[str]) -> dict[str, Any]:
    """Return the values of a chain whose jobs of some steps run one at a time if they have one name.

    Parameters
    ----------
    values
        Of the protocol.
    steps
        Those whose jobs Slurm runs. One whose own lines name a dependency keeps them as they are.
    """
    changed = dict(values)
    for step in steps:
        options = values[step]["options"]
        own = options.get(OPTION, "")
        if "--dependency" not in own:
            lines = "\n".join(filter(None, [own, LINE]))
            changed[step] = {**values[step], "options": {**options, OPTION: lines}}
    return changed
